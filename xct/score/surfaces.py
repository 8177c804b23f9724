"""Height maps against the true ones. In: results; out: bias, RMSE, coverage, absent area."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xct.errors import XctError
from xct.geometry import SURFACES, Surface
from xct.io.surfaces import read_surfaces
from xct.result import Result
from xct.score.metric import Metrics, map_errors, metric

# The truth has the collector's face twice: the definition of the result's surface says which of
# the two it is. Truths of version 0.1.0 have the second name.
BY_FRACTION = ("cathode_collector_half_fraction", "cathode_collector_half_share")


def score_surfaces(result: Result, truth: Result) -> Metrics:
    """Compare the surfaces that both sides have.

    Bias and RMSE are over the columns where both have a height; coverage is the fraction of these
    whose error is within 1.96 of the stated standard deviations, 0.95 where these are right.
    """
    if any(not (some.path / "surfaces.zarr" / "zarr.json").is_file() for some in (result, truth)):
        return {}
    mine, true = result.surfaces, truth.surfaces
    found: Metrics = {}
    for name in SURFACES:
        if name in mine and name in true:
            reference = true[name]
            if "half" in mine[name].definition and name == SURFACES[3]:
                reference = next((true[k] for k in BY_FRACTION if k in true), reference)
            if mine[name].height_um.shape == reference.height_um.shape:
                found |= _one(name, mine[name], reference)
    found |= _least_of_separator(mine)
    steel, lithium = SURFACES[:2]
    if all(name in side for name in (steel, lithium) for side in (mine, true)):
        found |= _absent((mine[steel], mine[lithium]), (true[steel], true[lithium]))
    return found


def _least_of_separator(mine: Mapping[str, Surface]) -> Metrics:
    """Give the least Dice coefficient that the maps state of the electrolyte between its faces.

    Each may be off by twice its standard deviation everywhere.
    """
    faces = [mine[name] for name in SURFACES[1:3] if name in mine]
    if len(faces) < 2:
        return {}
    thickness = np.abs(faces[1].height_um - faces[0].height_um)
    if not np.isfinite(thickness).any():
        return {}
    sd_um = sum(float(np.nanmedian(face.sd_um)) for face in faces)
    least = max(1 - sd_um / float(np.nanmean(thickness)), 0.0)
    return {"dice_at_least.separator": metric(least, "1", np.isfinite(thickness).sum())}


def _one(name: str, mine: Surface, true: Surface) -> Metrics:
    there, seen = np.isfinite(true.height_um), np.isfinite(mine.height_um)
    both = there & seen
    found: Metrics = {}
    if there.any():
        fraction = both.sum() / there.sum()
        found[f"surface_found.{name}"] = metric(fraction, "1", there.sum())
    if both.any():
        error = mine.height_um[both].astype(np.float64) - true.height_um[both]
        found |= map_errors("surface", name, error, mine.sd_um[both])
        far = np.percentile(np.abs(error), 95)
        found[f"surface_p95_um.{name}"] = metric(far, "µm", error.size)
    return found


def _absent(mine: tuple[Surface, Surface], true: tuple[Surface, Surface]) -> Metrics:
    """Compare where lithium is absent: no height, though the column was measured."""
    gone = [
        np.isfinite(steel.height_um) & np.isnan(lithium.height_um) & np.isfinite(lithium.sd_um)
        for steel, lithium in (mine, true)
    ]
    measured = [
        np.isfinite(steel.height_um) & (np.isfinite(lithium.height_um) | where)
        for (steel, lithium), where in zip((mine, true), gone, strict=True)
    ]
    both = measured[0] & measured[1]
    if not both.any():
        return {}
    fraction = [float(where[both].mean()) for where in gone]
    found = {"absent_area_error": metric(fraction[0] - fraction[1], "1", both.sum())}
    total = (gone[0] & both).sum() + (gone[1] & both).sum()
    if (gone[1] & both).any():
        dice = 2 * (gone[0] & gone[1] & both).sum() / total
        found["dice.absent_area"] = metric(dice, "1", both.sum())
    return found


# Displacement maps against the true ones. In: a result, truths of both states; out: bias, RMSE.
#
# Virtual cells of one seed and size are one cell in several states: bore, pin and collector are the
# same, so the true displacement is the difference of the true surfaces.

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
        Mean error, root mean square error, and the fraction of columns whose error is within 1.96
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
            found |= _of_maps(name, mine[name], true)
    return found


def _check_one_cell(truth: Result, pristine: Result) -> None:
    pins = [some.surfaces[_PIN].height_um for some in (truth, pristine)]
    if pins[0].shape != pins[1].shape:
        raise XctError(
            f"{truth.path} has columns {pins[0].shape} (y, x), but {pristine.path} has "
            f"{pins[1].shape}; the truth of the pristine state must be of the same seed and size"
        )
    difference = np.abs(pins[0] - pins[1])
    if not np.nanmax(difference, initial=0.0) < _SAME_UM:
        raise XctError(
            f"{truth.path} and {pristine.path} are not one cell: their pins differ by up to "
            f"{np.nanmax(difference):.3g} µm; make both states with the same seed and size"
        )


def _of_maps(name: str, mine: Surface, true: np.ndarray) -> Metrics:
    if mine.height_um.shape != true.shape:
        return {}
    both = np.isfinite(mine.height_um) & np.isfinite(true)
    if not both.any():
        return {}
    error = mine.height_um[both].astype(np.float64) - true[both]
    return map_errors("displacement", name, error, mine.sd_um[both])
