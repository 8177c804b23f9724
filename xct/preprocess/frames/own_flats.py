"""A flat for each projection. In: a scan of good frames; out: a mixture of its flats, or none."""

from __future__ import annotations

import numpy as np

from xct.io.frames import View
from xct.preprocess.flats import InTime, blocks_of_flats, place_in_time
from xct.preprocess.frames.beam_profile import FlatMixture, components, mixture, pairs_of_rows
from xct.preprocess.frames.beside import over_rows
from xct.preprocess.frames.coarse import borders
from xct.scan import Scan

_AIR, _EVEN = 0.9, 0.03  # of the light at the edges: at all angles, and in the mean
_WITHIN = 0.25  # of 1: what is darker by more is no air; flats may have been exposed for less
_FLATTER = 0.8  # what is left of the beam in the air, over what was
_MUCH = 0.015  # moves where no air is in view
_SAMPLE = 0.85  # of the light at the edges, or less


def own_flats(scan: Scan, transmission: np.ndarray, in_time: InTime) -> FlatMixture | None:
    """Find a flat for each projection where the profile of the beam moves.

    Parameters
    ----------
    scan : Scan
        Good frames only.
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission with the flats as `in_time` has them.
    in_time : str
        How flats are taken in time, for their brightness.

    Returns
    -------
    FlatMixture or None
        None where flats differ by nothing but brightness and noise.
    """
    if scan.flats is None or scan.flats.shape[1] < 2:
        return None
    rows = pairs_of_rows(scan.flats.shape[1])
    dark = 0.0 if scan.darks is None else np.median(_pairs(scan.darks, rows), axis=0)
    flats = _pairs(scan.flats, rows) - dark
    if scan.flat_dose is not None:
        flats /= scan.flat_dose[:, None, None, None]
    found = components(flats)
    if found is None:
        return None
    view = scan.projections
    return mixture(
        found,
        lambda part: _pairs(view, rows, part) - dark,
        _brightness(scan, flats, in_time),
        _air(transmission, view.shape[2]),
    )


def _pairs(view: View, rows: np.ndarray, frames: slice = slice(None)) -> np.ndarray:
    """Read pairs of rows, float32 (frame, pair, 2, column)."""
    read = [view.read(frames, slice(row, row + 2)) for row in rows.tolist()]
    return np.stack(read, axis=1).astype(np.float32)


def _brightness(scan: Scan, flats: np.ndarray, in_time: InTime) -> np.ndarray:
    """Give the brightness of the beam at each projection, by the flats around it."""
    bright = flats.mean(axis=(1, 2, 3), dtype=np.float64)
    times, blocks = None, [np.arange(len(flats))]
    if scan.projection_time is not None and scan.flat_time is not None and in_time != "constant":
        times = scan.projection_time, scan.flat_time
        blocks = blocks_of_flats(*times)
    of_block = np.array([bright[block].mean() for block in blocks])
    lower, towards = place_in_time(times, blocks, in_time, scan.projections.shape[0])
    upper = np.minimum(lower + 1, len(blocks) - 1)
    return np.asarray(of_block[lower] + towards * (of_block[upper] - of_block[lower]))


def gain_of_row(scan: Scan, own: FlatMixture | None, row: int, dark: np.ndarray) -> np.ndarray:
    """Give the gain of a row at every projection: by flats of their own, or by those in time.

    Parameters
    ----------
    scan : Scan
        With flats.
    own : FlatMixture or None
        A flat for each projection.
    row : int
        Which one.
    dark : ndarray, shape (column,)
        Of the row.

    Returns
    -------
    ndarray, shape (angle, column)
    """
    assert scan.flats is not None  # asked before
    flats = scan.flats.read(rows=slice(row, row + 1))[:, 0] - dark
    if own is not None:
        return np.asarray(own.by_frame @ (own.of_flats @ flats))
    times, blocks = None, [np.arange(len(flats))]
    if scan.projection_time is not None and scan.flat_time is not None:
        times = scan.projection_time, scan.flat_time
        blocks = blocks_of_flats(*times)
    means = np.stack([np.median(flats[block], axis=0) for block in blocks])
    count = scan.projections.shape[0]
    lower, towards = place_in_time(times, blocks, "interpolated", count)
    upper = np.minimum(lower + 1, len(blocks) - 1)
    return np.asarray(means[lower] + towards[:, None] * (means[upper] - means[lower]))


def is_flatter(own: np.ndarray, usual: np.ndarray, moved: float) -> bool:
    """Whether flats of their own leave less in the air than those taken in time.

    Where no air is in view, they are taken where the profile moves by much: for less, what the
    sample adds would decide.

    Parameters
    ----------
    own, usual : ndarray, shape (angle, row, cell)
        Coarse transmission, with either.
    moved : float
        As in `FlatMixture`.
    """
    air = _air_cells(usual)
    if not air.any():
        return moved > _MUCH
    return _uneven(own[:, :, air]) < _FLATTER * _uneven(usual[:, :, air])


def left_of_beam(transmission: np.ndarray) -> float:
    """Give what is left of the beam's profile in the air, rms; NaN where no air is in view."""
    air = _air_cells(transmission)
    return _uneven(transmission[:, :, air]) if air.any() else float("nan")


def _uneven(air: np.ndarray) -> float:
    return float(
        np.sqrt(np.nanmean(np.square(air / np.nanmean(air, axis=(1, 2), keepdims=True) - 1)))
    )


def _air(transmission: np.ndarray, columns: int) -> np.ndarray | None:
    """Mark columns that show air; None where none does."""
    cells, edges = _air_cells(transmission), borders(columns)
    return np.repeat(cells, np.diff(edges)) if cells.any() else None


def _air_cells(transmission: np.ndarray) -> np.ndarray:
    """Mark cells at the edges that show air at all angles, though the profile moves there."""
    by_cell = over_rows(transmission)
    known = np.flatnonzero(np.isfinite(by_cell).all(axis=0))
    if known.size < 8:
        return np.zeros(by_cell.shape[1], bool)
    sides = by_cell[:, known[:2]].mean(axis=1), by_cell[:, known[-2:]].mean(axis=1)
    light = np.maximum(*sides)[:, None]  # of each frame: it may fade, or jump
    mean = by_cell.mean(axis=0)
    by_cell = by_cell / light * np.median(light)
    air = np.zeros(mean.size, bool)
    for order in (range(mean.size), range(mean.size - 1, -1, -1)):
        beside: list[int] = []
        for cell in order:
            level = np.median(mean[[*beside, cell]])
            lit = np.percentile(by_cell[:, cell], 2) > _AIR * level
            if not (lit and abs(mean[cell] / level - 1) < _EVEN and level > 1 - _WITHIN):
                break
            beside.append(cell)
        darkest = np.nanmin(mean)
        if 2 <= len(beside) < mean.size / 2 and darkest < _SAMPLE * np.median(mean[beside]):
            air[beside[:-1]] = True  # the last one may hold the sample's edge
    return air
