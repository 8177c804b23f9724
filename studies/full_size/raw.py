"""A raw scan of full width. In: its size; out: a contiguous DXchange file, resumable while made.

A virtual cell of few rows is drawn and projected once. A scan of more rows goes to and fro through
the middle of each layer, so that the layers stand in their true order, nothing is cut where a slab
begins anew, and every row has noise of its own.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

from xct.bench.rawscan import PIXEL_SIZE_UM, Light
from xct.io.atomic import write_text
from xct.phantom.cell.cell import VirtualCell, draw_cell
from xct.phantom.cell.layout import BOUNDARIES
from xct.phantom.scan.shadows import project

log = logging.getLogger("xct")

_STATE = "ncm-50"
_VOXEL_UM = 2 * PIXEL_SIZE_UM
_ENERGIES_KEV = (25.0, 60.0)  # of a narrow cell, and of one that 25 keV would not get through
_NARROW_UM = 1000.0
_LANES = 32  # rows that are projected at once, and kept once they are whole
_ANGLES = 50  # frames that are written at once
_FIELDS = 20  # flats, and darks
_KEPT_ROWS = 3  # beside a boundary: it is rough and tilted, and stands there once
_OFF_MIDDLE_PX = 3.3  # of the axis
_STEEL = 1.6  # times as thick as in a small cell: a tenth of a real one's height and more


@dataclass(frozen=True)
class Size:
    """How large a scan is.

    Attributes
    ----------
    rows, width, angles : int
        Of the projections; `width` is that of the cell's slices, too.
    drawn : int
        Rows of the cell that is drawn; of fewer rows, some are left out.
    """

    rows: int
    width: int = 2560
    angles: int = 2400
    drawn: int = 96

    @property
    def energy_kev(self) -> float:
        """Photon energy."""
        return _ENERGIES_KEV[self.width * _VOXEL_UM > _NARROW_UM]


def row_numbers(boundaries: Sequence[float], drawn: int, rows: int) -> np.ndarray:
    """Say which row of the drawn cell stands in which row of the scan.

    Neighbours are the same row or next to each other, where a layer has no fewer rows than are
    drawn of it.

    Parameters
    ----------
    boundaries : sequence of float
        Where layers end, in drawn rows.
    drawn, rows : int
        Rows of the cell, and of the scan.

    Returns
    -------
    ndarray of int, shape (rows,)
    """
    ends = [0, *(round(one) for one in boundaries), drawn]
    heights = np.diff(ends) * np.array([_STEEL, *[1.0] * (len(ends) - 3), _STEEL])
    stops = np.rint(np.cumsum(heights) * rows / heights.sum()).astype(int)
    long = np.diff([0, *stops])
    parts = [
        _to_and_fro(first, stop, int(length))
        for first, stop, length in zip(ends[:-1], ends[1:], long, strict=True)
    ]
    return np.concatenate(parts)


def _to_and_fro(first: int, stop: int, length: int) -> np.ndarray:
    """Go from a row to the last before `stop` in `length` steps, to and fro in the middle."""
    kept = min(_KEPT_ROWS, (stop - first - 1) // 2)
    begin, turn = first + kept, stop - first - 2 * kept - 1
    if length < stop - first:  # some rows are left out
        return np.rint(np.linspace(first, stop - 1, length)).astype(int)
    extra, path = length - (stop - first), list(range(first, begin))
    while extra > 0:
        far = min(turn, extra // 2)
        path += (
            [begin] if far == 0 else [*range(begin, begin + far), *range(begin + far, begin, -1)]
        )
        extra -= max(1, 2 * far)
    return np.array([*path, *range(begin, stop)])


def write_raw(folder: Path, size: Size) -> Path:
    """Write a scan and its configuration; what is there stays, and what was begun goes on.

    Returns
    -------
    Path
        The configuration, ``config.yaml`` in a folder named by the size.
    """
    cell = draw_cell(
        _STATE,
        shape=(size.drawn, size.width, size.width),
        voxel_um=_VOXEL_UM,
        energy_kev=size.energy_kev,
    )
    place = folder / f"{size.rows}x{size.width}"
    place.mkdir(parents=True, exist_ok=True)
    _write_frames(place / "scan.h5", size, cell, _integrals(folder, size, cell))
    settings: dict[str, Any] = {
        "scan": {
            "file": "scan.h5",
            "pixel_size_um": _VOXEL_UM,
            "energy_kev": size.energy_kev,
        },
        "cell": {"name": f"{size.rows} rows"},
        "pipeline": "tomo_cell",
        "output": "result",
        "run": {"dtype": "uint16"},
    }
    write_text(place / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
    return place / "config.yaml"


def _boundaries(cell: VirtualCell) -> list[float]:
    return [height / cell.voxel_um for height in cell.layout.heights_um]


def _integrals(folder: Path, size: Size, cell: VirtualCell) -> list[np.ndarray]:
    """Project the drawn cell, some rows at a time, unless that was done before."""
    kept = folder / f"integrals-{size.drawn}x{size.width}x{size.angles}"
    kept.mkdir(parents=True, exist_ok=True)
    theta_deg = np.arange(size.angles) * 180.0 / size.angles
    found = []
    for first in range(0, size.drawn, _LANES):
        file = kept / f"{first:04d}.npy"
        if not file.exists():
            log.info("projecting rows %d …", first)
            mu = cell.mu(first, min(first + _LANES, size.drawn))
            axis_px = (size.width - 1) / 2 + _OFF_MIDDLE_PX
            part = file.with_suffix(".partial.npy")
            np.save(part, project(mu, theta_deg, axis_px, cell.voxel_um))
            part.replace(file)
        found.append(np.load(file, mmap_mode="r"))
    return found


def _write_frames(
    file: Path, size: Size, cell: VirtualCell, integrals: Sequence[np.ndarray]
) -> None:
    """Write frames into one contiguous dataset, some angles at a time."""
    noted = file.with_suffix(".json")
    begun: dict[str, Any] = {"size": asdict(size), "next": 0}
    if noted.exists() and file.exists():
        begun = json.loads(noted.read_text(encoding="utf-8"))
        if begun["size"] != asdict(size):
            raise ValueError(f"{file} has another size, {begun['size']}: remove its folder")
    if begun["next"] >= size.angles:
        return
    numbers = row_numbers(_boundaries(cell), size.drawn, size.rows)
    gain = np.random.default_rng(0).normal(1, 0.02, (size.rows, size.width)).astype(np.float32)
    light = Light(gain, duration=1.0)
    if begun["next"] == 0:
        _begin(file, size, light)
    write_text(file.with_name("truth.json"), json.dumps(_truth(cell, numbers)))
    for first in range(begun["next"], size.angles, _ANGLES):
        stop = min(first + _ANGLES, size.angles)
        lit = [np.exp(-_rows_of(integrals, angle)[numbers]) for angle in range(first, stop)]
        drawn = light.frames(np.stack(lit), np.zeros(stop - first), np.random.default_rng(first))
        with h5py.File(file, "r+") as opened:
            opened["exchange/data"][first:stop] = drawn
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        write_text(noted, json.dumps({**begun, "next": stop}))


def _begin(file: Path, size: Size, light: Light) -> None:
    file.unlink(missing_ok=True)
    open_beam, dark = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    times = np.zeros(_FIELDS)
    with h5py.File(file, "w") as opened:
        frames = opened.create_dataset(
            "exchange/data", (size.angles, size.rows, size.width), np.uint16
        )
        frames.attrs["units"] = "counts"
        opened["exchange/data_white"] = light.frames(open_beam, times, np.random.default_rng(1))
        opened["exchange/data_dark"] = light.frames(dark, times, np.random.default_rng(2))
        opened["exchange/theta"] = np.arange(size.angles) * 180.0 / size.angles
        opened["exchange/theta"].attrs["units"] = "deg"


def _rows_of(integrals: Sequence[np.ndarray], angle: int) -> np.ndarray:
    return np.concatenate([part[angle] for part in integrals])


def _truth(cell: VirtualCell, numbers: np.ndarray) -> dict[str, float]:
    """Give where the boundaries stand on the axis, in rows of the scan."""
    return {
        name: float(np.interp(height, np.maximum.accumulate(numbers), np.arange(len(numbers))))
        for name, height in zip(BOUNDARIES, _boundaries(cell), strict=True)
    }
