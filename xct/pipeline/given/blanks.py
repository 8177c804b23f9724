"""Blocks of a copied volume that hold no data become NaN. In: the journal; out: messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ranges
from xct.geometry import CellGeometry
from xct.io.overview import overview_of
from xct.io.volume_files.blank_blocks import Box, find_boxes, outlined, unpacked
from xct.io.volumes import Volume, open_volume, write_slab
from xct.parallel.blocks import GRANULE

_MOST_NAMED = 6  # ranges of slices in a message


def mark_blanks(path: Path, notes: Mapping[int, Any]) -> list[str]:
    """Find blocks of one exact value in a volume, and set them to NaN.

    Parameters
    ----------
    path : Path
        The ``volume.zarr``, all of whose slabs are copied.
    notes : mapping
        What the journal holds of each slab, by its first slice.

    Returns
    -------
    list of str
        What the user must know; empty where there are none.
    """
    volume = open_volume(path)
    boxes = list(find_boxes(_slices(notes)))
    stored = [replace(box, value=_as_stored(volume, box.value)) for box in boxes]
    places = list(outlined(stored, volume.read))
    if not places:
        return []
    boxes = [boxes[stored.index(box)] for box, _ in places]
    for first in range(0, volume.shape[0], GRANULE):
        _blank(path, first, min(first + GRANULE, volume.shape[0]), places)
    slices = sorted({z for box in boxes for z in range(box.first, box.stop)})
    voxels = sum((box.stop - box.first) * _area(place) for box, place in places)
    values = ", ".join(f"{value:g}" for value in sorted({box.value for box in boxes}))
    return [
        f"{len(boxes)} blocks of one exact value ({values}), {voxels:,} voxels in the slices "
        f"{ranges(slices, _MOST_NAMED)}, count as data that are missing, not as voids: were chunks "
        "or slices lost on the way? Copy or reconstruct them again"
    ]


def _slices(notes: Mapping[int, Any]) -> Iterator[np.ndarray]:
    """Give the constant cells of each slice; slabs may overlap where a run was cut otherwise."""
    z = 0
    for first in sorted(notes):
        cells = unpacked(notes[first]["constant"])
        yield from cells[max(z - first, 0) :]
        z = max(z, first + len(cells))


def _blank(
    path: Path, first: int, stop: int, places: Sequence[tuple[Box, tuple[slice, slice]]]
) -> None:
    """Leave the parts of boxes in some slices without a value, on every level."""
    there = [(box, place) for box, place in places if box.first < stop and box.stop > first]
    if not there:
        return
    volume = open_volume(path)
    values = volume.read(slice(first, stop))
    for box, (rows, columns) in there:
        part = slice(max(box.first - first, 0), min(box.stop, stop) - first)
        values[part, rows, columns] = np.nan
    write_slab(path, first, volume.coding.encode(values)[0])


def _as_stored(volume: Volume, value: float) -> float:
    """Give what a value reads as once it is stored."""
    codes, _ = volume.coding.encode(np.full((1, 1, 1), value, np.float32))
    return float(volume.coding.decode(codes)[0, 0, 0])


def _area(place: tuple[slice, slice]) -> int:
    rows, columns = place
    return int((rows.stop - rows.start) * (columns.stop - columns.start))


def lacks_data(volume: Volume, cell: CellGeometry) -> bool:
    """Whether data are missing inside the bore: outside of it, many programs write NaN."""
    overview = overview_of(volume)
    columns = np.asarray(overview.missing).any(axis=0)
    y, x = (np.argwhere(columns).T + 0.5) * overview.edge - 0.5
    _, y_um, x_um = cell.voxel_size_um
    away = np.hypot(y * y_um - cell.axis_y_um, x * x_um - cell.axis_x_um)
    return bool((away < cell.bore_radius_um - overview.edge * max(y_um, x_um)).any())
