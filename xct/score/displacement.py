"""Displacement maps against the true ones. In: a result, truths of both states; out: bias, RMSE.

Virtual cells of one seed and size are one cell in several states: bore, pin and collector are the
same, so the true displacement is the difference of the true surfaces.
"""

from __future__ import annotations

import numpy as np

from xct.errors import XctError
from xct.geometry import SURFACES, Surface
from xct.io.surfaces import read_surfaces
from xct.result import Result
from xct.score.metric import Metrics, map_errors

_PIN = SURFACES[0]
_MOVED = SURFACES[1:3]
_SAME_UM = 0.05  # the pins of one cell differ by less, in any column


def score_displacement(result: Result, truth: Result, pristine_truth: Result) -> Metrics:
    """Compare the displacement of the faces of lithium and cathode, column by column.

    Parameters
    ----------
    result : Result
        Of a run with ``cell: {pristine: …, same_cell: true}``.
    truth : Result
        Of its state.
    pristine_truth : Result
        Of the pristine state of the same virtual cell, with the same voxels.

    Returns
    -------
    dict of str to dict
        Mean error, root mean square error, and the share of columns whose error is within 1.96
        stated standard deviations; nothing where the result has no displacement.

    Raises
    ------
    XctError
        If the truths are not of one cell.
    """
    path = result.path / "displacement.zarr"
    if not (path / "zarr.json").is_file():
        return {}
    mine, now, before = read_surfaces(path), truth.surfaces, pristine_truth.surfaces
    _check_one_cell(truth, pristine_truth)
    found: Metrics = {}
    for name in _MOVED:
        if name in mine and name in now and name in before:
            sign = pristine_truth.cell.sign
            true = sign * (now[name].height_um.astype(np.float64) - before[name].height_um)
            found |= _one(name, mine[name], true)
    return found


def _check_one_cell(truth: Result, pristine: Result) -> None:
    pins = [some.surfaces[_PIN].height_um for some in (truth, pristine)]
    if pins[0].shape != pins[1].shape:
        raise XctError(
            f"{truth.path} has columns {pins[0].shape} (y, x), but {pristine.path} has "
            f"{pins[1].shape}; the truth of the pristine state must be of the same seed and size"
        )
    off = np.abs(pins[0] - pins[1])
    if not np.nanmax(off, initial=0.0) < _SAME_UM:
        raise XctError(
            f"{truth.path} and {pristine.path} are not one cell: their pins differ by up to "
            f"{np.nanmax(off):.3g} µm; make both states with the same seed and size"
        )


def _one(name: str, mine: Surface, true: np.ndarray) -> Metrics:
    if mine.height_um.shape != true.shape:
        return {}
    both = np.isfinite(mine.height_um) & np.isfinite(true)
    if not both.any():
        return {}
    error = mine.height_um[both].astype(np.float64) - true[both]
    return map_errors("displacement", name, error, mine.sd_um[both])
