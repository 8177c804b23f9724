"""Which cells a viewer shows. In: layers that the reader made; out: their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from xct.errors import XctError
from xct.geometry import CellGeometry
from xct.result import Result, Volume, open_result, open_volume

KEY = "xct"  # of what the reader notes in a layer's metadata


@dataclass(eq=False)
class Cell:
    """A result or a volume that is shown, and its layers by kind.

    Attributes
    ----------
    name : str
        Of the cell; layers begin with it.
    path : Path
        The result folder, or the ``volume.zarr``.
    layers : dict
        napari layers by kind: volume, materials, particles, lines, rois.
    """

    name: str
    path: Path
    layers: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def result(self) -> Result | None:
        """The result; None where only a volume was opened."""
        return open_result(self.path) if (self.path / "summary.json").is_file() else None

    @cached_property
    def volume(self) -> Volume:
        """The stored volume."""
        inner = self.path / "volume.zarr"
        return open_volume(inner if inner.is_dir() else self.path)

    @cached_property
    def geometry(self) -> CellGeometry | None:
        """Where the cell lies; None where that was not measured."""
        try:
            return None if self.result is None else self.result.cell
        except XctError:
            return None


def cells_of(viewer: Any) -> list[Cell]:
    """List the cells that a viewer shows, in the order in which they were opened."""
    cells: dict[str, Cell] = {}
    for layer in viewer.layers:
        note = layer.metadata.get(KEY)
        if note is None or "path" not in note:
            continue
        cell = note.get("object") or cells.get(note["path"])
        if cell is None:
            cell = Cell(note["cell"], Path(note["path"]))
        note["object"] = cells[note["path"]] = cells.get(note["path"], cell)
        cells[note["path"]].layers[note["kind"]] = layer
    for cell in cells.values():
        cell.layers = {k: v for k, v in cell.layers.items() if v in viewer.layers}
    return list(cells.values())


def cell_called(viewer: Any, name: str) -> Cell:
    """Find a cell by its name.

    Raises
    ------
    XctError
        If the viewer shows none of that name.
    """
    cells = cells_of(viewer)
    for cell in cells:
        if cell.name == name:
            return cell
    there = ", ".join(cell.name for cell in cells) or "none: open a result folder first"
    raise XctError(f"no cell {name!r} is open here; there are {there}")
