"""Which cells a viewer shows. In: layers that the reader made; out: their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from xct.errors import XctError
from xct.geometry import CellGeometry
from xct.io.volumes import Volume, open_volume
from xct.result import Result, open_result

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

    @property
    def volume_path(self) -> Path:
        """Where the volume lies."""
        inner = self.path / "volume.zarr"
        return inner if inner.is_dir() else self.path

    @cached_property
    def volume(self) -> Volume:
        """The stored volume."""
        return open_volume(self.volume_path)

    @property
    def normalized(self) -> bool:
        """Whether its grey values are known on the electrolyte's scale."""
        return self.result is not None and (self.path / "reference.json").is_file()

    @cached_property
    def geometry(self) -> CellGeometry | None:
        """Where the cell lies; None where that was not measured."""
        try:
            return None if self.result is None else self.result.cell
        except XctError:
            return None

    @cached_property
    def frame(self) -> CellGeometry:
        """Its geometry; where none was measured, z counts from the first slice."""
        if self.geometry is not None:
            return self.geometry
        shape, size = self.volume.shape, self.volume.voxel_size_um
        middle = [(n - 1) / 2 * edge for n, edge in zip(shape, size, strict=True)]
        radius = min(shape[1] * size[1], shape[2] * size[2]) / 2
        return CellGeometry(shape, size, middle[1], middle[2], radius)


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


def open_cell(path: Path) -> Cell:
    """Open a result folder.

    Raises
    ------
    XctError
        If it holds no finished result.
    """
    result = open_result(path)
    try:
        name = result.account["configuration"]["cell"]["name"]
    except (OSError, KeyError, TypeError, ValueError):
        name = None
    folder = path.resolve()
    own = folder.parent.name if folder.name == "truth" else folder.name
    return Cell(str(name or own), path)
