"""Reader: what napari calls for a path. In: a path; out: layers, or None where it is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
from napari.viewer import current_viewer

from xct.errors import XctError, ranges
from xct.io.journal import Journal
from xct.plugin.data.cells import KEY, Cell, open_cell
from xct.plugin.data.exports import is_volume_file, volume_file_layers
from xct.plugin.data.layers import LayerData, cell_layers
from xct.plugin.data.lines import follow
from xct.plugin.data.simulated import is_simulation, simulation_layers
from xct.plugin.first_view import look_after
from xct.plugin.notifications import errors_shown, show_warning

Reader = Callable[[Any], list[Any]]

_NOTHING = [(None,)]  # napari's word for: nothing to show, and no error of its own
_HDF5 = b"\x89HDF\r\n\x1a\n"


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return whether xct reads a path.

    Parameters
    ----------
    path : str or sequence of str
        A result folder, a ``volume.zarr``, the truth of a virtual cell, a raw scan, what
        `xct simulate` wrote, or a volume as `xct export` writes it: .nrrd, .vti, .ome.tif, or a
        folder of TIFF slices.

    Returns
    -------
    callable or None
        Reads it; None where it is nothing of xct.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    kinds = [_kind(one) for one in paths]
    if not kinds or None in kinds:
        return None
    return _read


def read(path: Path) -> list[LayerData]:
    """Read everything that there is at a path.

    Raises
    ------
    XctError
        If it is broken; the message says what is missing.
    """
    kind = _kind(path)
    if kind == "scan":
        # who opens a result does not wait until all that reads scans is loaded
        from xct.plugin.data.scans import scan_layers

        return scan_layers(path)
    if kind == "volume file":
        return volume_file_layers(path)
    if kind == "simulation":
        return simulation_layers(path)
    if kind == "result":
        return _with_end(cell_layers(open_cell(path)))
    if kind == "volume":
        name = path.parent.name if path.name == "volume.zarr" else path.stem
        cell = Cell(name, path)
        found = _with_end(cell_layers(cell))
        with errors_shown(f"{path} is broken"):
            _say_what_is_missing(cell)
        return found
    raise XctError(f"{path}: is no result, simulation, volume or raw scan that xct knows")


def _say_what_is_missing(cell: Cell) -> None:
    """Say which slices a run has yet to write: in the picture they are as black as air."""
    depth = cell.volume.shape[0]
    missing = Journal(cell.path.parent).missing_slices(depth)
    if missing:
        show_warning(
            f"{len(missing)} of {depth} slices are not there yet: {ranges(missing, 3)}; the run "
            "that writes them is still at it, or was ended"
        )


def _with_end(layers: list[LayerData]) -> list[LayerData]:
    """Mark the last layer of a cell: once it is added, the cell can be arranged."""
    layers[-1][1]["metadata"][KEY]["last"] = True
    return layers


def _read(paths: Any) -> list[Any]:
    viewer = current_viewer()
    if viewer is not None:
        follow(viewer)
        look_after(viewer)
    found: list[Any] = []
    for path in [paths] if isinstance(paths, str | Path) else paths:
        with errors_shown(f"{path} is broken"):
            found += read(Path(path))
    return found or _NOTHING


def _kind(path: Path) -> str | None:
    if path.is_dir():
        return _kind_of_folder(path)
    if is_volume_file(path):
        return "volume file"
    if path.is_file() and path.suffix.lower() in (".h5", ".hdf5", ".hdf", ".nxs", ".log"):
        return "scan" if _is_scan(path) else None
    return None


def _kind_of_folder(path: Path) -> str | None:
    if path.suffix == ".zarr":
        return "volume" if _is_volume(path) else None
    if is_simulation(path):
        return "simulation"
    marks = ("volume.zarr", "summary.json", ".xct")
    if any((path / mark).exists() for mark in (*marks, "result/summary.json")):
        return "result"  # or holds one: then it is said where
    if _is_scan(path):
        return "scan"
    return "volume file" if is_volume_file(path) else None


def _is_volume(path: Path) -> bool:
    try:
        facts = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        return "xct" in facts.get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return path.name == "volume.zarr"  # ours, and broken: the reader says what is wrong


def _is_scan(path: Path) -> bool:
    """Ask the readers of raw scans; a file that one of them would know, but is broken, is ours."""
    from xct.io.scans.recognize import IN_ONE_FILE, READERS

    for name in READERS:
        recognizes = import_module(name).recognizes
        files = [path]
        if path.is_dir() and name in IN_ONE_FILE:
            files = [f for f in sorted(path.iterdir())[:1000] if f.is_file()]
        try:
            if any(recognizes(file) for file in files):
                return True
        except (OSError, ValueError):
            return True
    return path.is_file() and _cut_short(path)


def _cut_short(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(8) != _HDF5:
            return False
    try:
        h5py.File(path).close()
    except OSError:
        return True
    return False
