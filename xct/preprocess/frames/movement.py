"""Frames that repeat angles of the scan. In: such frames and their partners; out: how far it moved.

The sample of the repeated frame lies where that of its partner does, unless something drifted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.preprocess.frames.coarse import chosen_rows
from xct.scan import Scan

_UPSAMPLING = 20  # of shifts: a twentieth of a pixel
_ALIKE = 0.1  # of a step: the same angle
_MOST = 8  # pairs of frames that are compared


def repeats(theta_deg: np.ndarray) -> np.ndarray:
    """Find frames at angles that others had before, such as of a scan that was taken up again.

    Parameters
    ----------
    theta_deg : ndarray, shape (angle,)
        In the order of time.
    """
    order = np.argsort(theta_deg, kind="stable")  # of the same angle the earlier one first
    steps = np.diff(theta_deg[order])
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    again = np.flatnonzero(steps < _ALIKE * usual)
    later = np.maximum(order[again], order[again + 1])
    return np.unique(later[np.abs(np.diff(order)[again]) > 1])


def movement_px(scan: Scan, extra: np.ndarray, left_out: list[int]) -> float | None:
    """Measure how far the sample lies from where it did at the same angles of the scan.

    Parameters
    ----------
    scan : Scan
        With flats.
    extra : ndarray of int
        Projections that repeat angles.
    left_out : list of int
        Projections that are no partners.

    Returns
    -------
    float or None
        Median over frames and rows, in columns; None where no angle has a partner.
    """
    theta = scan.theta_deg
    if theta is None or scan.flats is None:
        return None
    others = np.setdiff1d(np.arange(theta.size), left_out)
    usual = float(np.median(np.abs(np.diff(theta[others]))))
    pairs = []
    for frame in extra.tolist():
        away = np.abs((theta[others] - theta[frame] + 180) % 360 - 180)
        if away.min() <= usual:
            pairs.append((frame, int(others[away.argmin()])))
    if not pairs:
        return None
    some = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _MOST)).astype(int))
    pairs = [pairs[n] for n in some.tolist()]
    rows = chosen_rows(scan.projections.shape[1])
    shifts = [_shift(_light(scan, a, rows), _light(scan, b, rows)) for a, b in pairs]
    return float(np.median(shifts))


def _light(scan: Scan, frame: int, rows: np.ndarray) -> np.ndarray:
    """Give minus the logarithm of the transmission of some rows of a projection."""
    assert scan.flats is not None  # asked by `movement_px`
    one = slice(frame, frame + 1)
    found = []
    for row in rows.tolist():
        part = slice(row, row + 1)
        dark = 0.0 if scan.darks is None else np.median(scan.darks.read(rows=part), axis=0)
        gain = np.median(scan.flats.read(rows=part), axis=0) - dark
        counts = scan.projections.read(one, part)[0] - dark
        found.append(-np.log(np.clip(counts / np.maximum(gain, 1), 1e-3, None)))
    return np.concatenate(found)


def _shift(moved: np.ndarray, still: np.ndarray) -> float:
    """Measure how far rows are shifted along columns."""
    from skimage.registration import phase_cross_correlation

    register: Any = phase_cross_correlation  # not typed
    found = [
        register(a, b, upsample_factor=_UPSAMPLING, normalization=None)[0][0]
        for a, b in zip(moved, still, strict=True)
    ]
    return float(np.median(found))
