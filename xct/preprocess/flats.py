"""Flat field. In: counts with flats and darks; out: transmission, NaN at dead pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.frame_means import Combine, combine_frames
from xct.preprocess.frames.beam_profile import FlatMixture
from xct.stages import RowCounts, stage

# Flats in time. In: when frames were taken; out: blocks of flats, and where between them.

InTime = Literal["auto", "interpolated", "nearest", "constant"]

# A gap in time so many times the usual one ends a block of flats.
_GAP = 5


def blocks_of_flats(projection_time: np.ndarray, flat_time: np.ndarray) -> list[np.ndarray]:
    """Find which flats were taken together.

    A block ends at a gap of more than five times the usual one between flats. Where no gap
    stands out, it ends where projections lie between two flats, and at every gap of more than
    half that length: the blocks are then the same for any part of a scan that has projections
    between its first and last flat.

    Parameters
    ----------
    projection_time, flat_time : ndarray, shape (angle,) and (frame,)
        On one clock.

    Returns
    -------
    list of ndarray of int
        Indices of the flats of each block, blocks in order of time.
    """
    order = np.argsort(flat_time, kind="stable")
    time = np.asarray(flat_time, np.float64)[order]
    gaps = np.diff(time)
    if gaps.size == 0:
        return [order]
    usual = np.sort(gaps)[(gaps.size - 1) // 2]
    breaks = gaps > _GAP * usual
    if not breaks.any():
        seen = np.diff(np.searchsorted(np.sort(projection_time), time)) > 0
        breaks = gaps > 0.5 * gaps[seen].min(initial=np.inf)
    return list(np.split(order, np.flatnonzero(breaks) + 1))


def place_in_time(
    times: tuple[np.ndarray, np.ndarray] | None,
    blocks: list[np.ndarray],
    in_time: InTime,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find between which two blocks of flats each projection lies, and where between them.

    Parameters
    ----------
    times : (projection_time, flat_time) or None
        On one clock; None where nothing is known.
    blocks : list of ndarray of int
        As `blocks_of_flats` gives them.
    in_time : {"auto", "interpolated", "nearest", "constant"}
        Nearest rounds to one of the two.
    count : int
        How many projections there are.

    Returns
    -------
    earlier : ndarray of int, shape (angle,)
        Number of the earlier block.
    towards : ndarray of float32, shape (angle,)
        How far towards the later one, 0 to 1; held beyond the first and the last block.
    """
    if times is None or len(blocks) == 1:
        return np.zeros(count, np.intp), np.zeros(count, np.float32)
    projection_time, flat_time = times
    middle = np.array([flat_time[block].mean() for block in blocks])
    lower = np.clip(np.searchsorted(middle, projection_time) - 1, 0, len(blocks) - 2)
    length = middle[lower + 1] - middle[lower]
    towards = np.clip((projection_time - middle[lower]) / length, 0.0, 1.0)
    if in_time == "nearest":
        towards = np.where(towards < 0.5, 0.0, 1.0)
    return lower, towards.astype(np.float32)


# Types that the kernel is compiled for; others are converted.
_NATIVE = (np.uint8, np.uint16, np.float32)
_TILE = 2048
_LEAST_DARKS, _SEES_SD = 3, 5.0  # that tell their noise; standard errors of flat - dark


@stage(gives="transmission", cut=("angle", "row"), counts=RowCounts("dead_pixels", of_pixels=True))
def flat_field(
    projections: np.ndarray,
    flats: np.ndarray,
    darks: np.ndarray | None = None,
    projection_time: np.ndarray | None = None,
    flat_time: np.ndarray | None = None,
    projection_dose: np.ndarray | None = None,
    flat_dose: np.ndarray | None = None,
    light_beside: np.ndarray | None = None,
    flat_mixture: FlatMixture | None = None,
    *,
    dose: Literal["recorded", "beside"] = "recorded",
    combine: Combine = "mean",
    in_time: InTime = "auto",
    min_gain: Annotated[float, Gt(0)] = 1.0,
) -> np.ndarray:
    """Divide out the beam profile and the detector offset.

    ``transmission = (projections - dark) / (flat - dark)``, pixel by pixel [1]_, with the flat
    that belongs to the time of each projection.

    Parameters
    ----------
    projections : ndarray, shape (angle, row, column)
        Detector counts.
    flats : ndarray, shape (frame, row, column)
        Single frames with beam and without sample, counts.
    darks : ndarray, shape (frame, row, column), optional
        Single frames without beam, counts. Without them the offset is taken as 0, with a warning.
    projection_time, flat_time : ndarray, shape (angle,) and (frame,), optional
        When each frame was taken, on a common clock. Blocks of flats are found from them, see
        `blocks_of_flats`. Without them all flats are one block.
    projection_dose, flat_dose : ndarray, shape (angle,) and (frame,), optional
        Dose of each frame, ring current × exposure, in one unit: counts above the dark are
        divided by it. All doses are the same unless given.
    light_beside : ndarray, shape (angle,), optional
        Transmission of the air beside the sample.
    dose : {"recorded", "beside"}, optional
        What the dose of a projection is taken from: what the files say, or in the end the light
        beside the sample, by which each frame is divided.
    combine : {"mean", "median", "trimmed"}, optional
        How the frames of a block become one: mean, median, or the mean without the largest and
        the smallest tenth (at least one of each), which a zinger cannot move.
    flat_mixture : FlatMixture, optional
        A flat for each projection, where the profile of the beam moves.
    in_time : {"auto", "interpolated", "nearest", "constant"}, optional
        Flat of a projection: interpolated in time between blocks of flats (the first and last
        block are held beyond their ends), that of the nearest block, or all flats as one; auto:
        the mixture where there is one, else interpolated.
    min_gain : float, optional
        Counts of ``flat - dark`` below which, in any block, a pixel is taken as dead; and so it
        is within five standard errors by the noise of its darks.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Transmission, dimensionless: 1 where nothing absorbs. NaN at dead pixels at every angle;
        `fill_dead_pixels` gives them a value.

    Raises
    ------
    DataError
        If there are no flats, fields and projections do not fit each other, fields hold NaN, or
        every pixel is dead.

    References
    ----------
    .. [1] Seibert, Boone & Lindfors (1998), Proc. SPIE 3336, 348. doi:10.1117/12.317034
    """
    _check_frames(projections, flats, darks)
    times = _checked_times(projections, flats, projection_time, flat_time)
    dark = _dark(flats, darks, combine)
    blocks = [np.arange(len(flats))]
    if times is not None and in_time != "constant":
        blocks = blocks_of_flats(*times)
    if flat_dose is not None and projection_dose is not None:
        _check_doses(projection_dose, flat_dose)
        flats = (flats - dark) / np.asarray(flat_dose, np.float32)[:, None, None] + dark
    gains = np.stack([combine_frames(flats, block, combine) for block in blocks]) - dark
    _check_values(dark, gains)
    _mark_dead(gains, _least_gain(darks, blocks, min_gain), dark)
    if flat_mixture is not None and in_time == "auto":
        mixed = np.tensordot(flat_mixture.of_flats, flats - dark, axes=1).astype(np.float32)
        mixed[:, np.isnan(gains[0])] = np.nan
        transmission = _divide_by_mixture(projections, dark, mixed, flat_mixture.by_frame)
    else:
        lower, towards = place_in_time(times, blocks, in_time, len(projections))
        transmission = _divide(projections, dark, gains, lower, towards)
    if flat_dose is not None and projection_dose is not None:
        transmission /= np.asarray(projection_dose, np.float32)[:, None, None]
    if dose == "beside":
        if light_beside is None:
            raise DataError(
                "steps.flat_field.dose: beside, but no column shows air beside the sample at all "
                "angles; take recorded, or scan.flat_exposure_ratio"
            )
        transmission /= np.asarray(light_beside, np.float32)[:, None, None]
    return transmission


def _check_doses(projection_dose: np.ndarray, flat_dose: np.ndarray) -> None:
    for name, dose in (("projection", projection_dose), ("flat", flat_dose)):
        lost = np.flatnonzero(~(np.asarray(dose) > 0))
        if lost.size:
            raise DataError(
                f"{name} {lost[0]} and {lost.size - 1} others have a dose of "
                f"{np.asarray(dose)[lost[0]]:g}: the beam was lost; leave these frames out"
            )


def _check_frames(
    projections: np.ndarray, flats: np.ndarray | None, darks: np.ndarray | None
) -> None:
    if flats is None or len(flats) == 0:
        raise DataError(
            "there are no flats: transmission needs at least one frame with beam and without "
            "sample; name them under scan.flats"
        )
    if projections.ndim != 3:
        raise DataError(
            f"projections have shape {projections.shape}; they must be (angle, row, column)"
        )
    for name, fields in (("flats", flats), ("darks", darks)):
        if fields is None or len(fields) == 0:
            continue
        if fields.ndim != 3 or fields.shape[1:] != projections.shape[1:]:
            raise DataError(
                f"{name} have shape {fields.shape} (frame, row, column), but one projection has "
                f"shape {projections.shape[1:]} (row, column); crop and bin both in the same way"
            )


def _checked_times(
    projections: np.ndarray,
    flats: np.ndarray,
    projection_time: np.ndarray | None,
    flat_time: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray] | None:
    if projection_time is None or flat_time is None:
        return None
    times = []
    for name, time, count in (
        ("projection_time", projection_time, len(projections)),
        ("flat_time", flat_time, len(flats)),
    ):
        array = np.asarray(time, np.float64)
        if array.shape != (count,) or not np.isfinite(array).all():
            raise DataError(
                f"{name} has shape {array.shape} with {np.count_nonzero(~np.isfinite(array))} "
                f"values that are no numbers; there must be one time for each of {count} frames"
            )
        times.append(array)
    return times[0], times[1]


def _dark(flats: np.ndarray, darks: np.ndarray | None, combine: Combine) -> np.ndarray:
    if darks is not None and len(darks) > 0:
        return combine_frames(darks, np.arange(len(darks)), combine)
    warnings.warn(
        "there are no darks: the detector offset is taken as 0 counts, which makes "
        "transmission too high where little light comes through",
        UserWarning,
        stacklevel=3,
    )
    return np.zeros(flats.shape[1:], np.float32)


def _check_values(dark: np.ndarray, gains: np.ndarray) -> None:
    for name, field in (("darks", dark[None]), ("flats", gains)):
        wrong = np.argwhere(~np.isfinite(field))
        if wrong.size:
            _, row, column = wrong[0]
            raise DataError(
                f"{name} hold values that are no numbers (NaN or infinite), first at row {row}, "
                f"column {column} (counted from 0); leave the bad frames out"
            )


def _least_gain(
    darks: np.ndarray | None, blocks: Sequence[np.ndarray], min_gain: float
) -> np.ndarray:
    """Give the gain of a pixel that sees light, not only the noise of its darks; (row, column)."""
    if darks is None or len(darks) < _LEAST_DARKS:
        return np.asarray(min_gain)
    away = np.abs(darks - np.median(darks, axis=0))
    parts = 1 / len(darks) + 1 / min(len(block) for block in blocks)
    noise = 1.4826 * np.median(away, axis=0) * np.sqrt(parts)
    return np.asarray(np.maximum(min_gain, _SEES_SD * noise))


def _mark_dead(gains: np.ndarray, least: np.ndarray, dark: np.ndarray) -> None:
    """Put NaN, in all blocks, where the gain of a pixel is too small in any of them."""
    dead = np.asarray(~(gains >= least).all(axis=0))
    if dead.all() and len(dead) > 1:  # one row may be dead, and is filled from those beside it
        flat = gains + dark
        if not flat.any():
            raise DataError("all flats are zero; are these the right frames?")
        raise DataError(
            f"no pixel has flat - dark >= {least.min():g} counts (min_gain; largest is "
            f"{gains.max():.4g}, with flats of {flat.mean():.4g} and darks of {dark.mean():.4g} "
            "counts on average); are flat and dark swapped?"
        )
    gains[:, dead] = np.nan


def _divide_by_mixture(
    projections: np.ndarray, dark: np.ndarray, mixed: np.ndarray, by_frame: np.ndarray
) -> np.ndarray:
    """Divide each projection by its own flat: so much of each component."""
    transmission = np.empty(projections.shape, np.float32)
    mixed, offset = mixed.reshape(len(mixed), -1), dark.reshape(-1)

    def divide(first: int, stop: int) -> None:
        for angle in range(first, stop):
            gain = (by_frame[angle] @ mixed).reshape(dark.shape)
            counts = projections[angle].astype(np.float32, copy=False)
            np.divide(counts - offset.reshape(dark.shape), gain, out=transmission[angle])

    over_ranges(divide, len(projections))
    return transmission


def _divide(
    projections: np.ndarray,
    dark: np.ndarray,
    gains: np.ndarray,
    lower: np.ndarray,
    towards: np.ndarray,
) -> np.ndarray:
    if projections.dtype not in _NATIVE:
        projections = projections.astype(np.float32)
    transmission = np.empty(projections.shape, np.float32)
    counts = np.ascontiguousarray(projections).reshape(len(projections), -1)
    flattened = transmission.reshape(counts.shape)
    gains = gains.reshape(len(gains), -1)
    dark = dark.reshape(-1)
    over_ranges(
        lambda first, stop: _kernel(counts, dark, gains, lower, towards, flattened, first, stop),
        dark.size,
        least=_TILE,
    )
    return transmission


@njit(cache=True, nogil=True)
def _kernel(
    counts: np.ndarray,
    dark: np.ndarray,
    gains: np.ndarray,
    lower: np.ndarray,
    towards: np.ndarray,
    transmission: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Work on a few pixels at all angles, so that their fields stay in the cache."""
    last = len(gains) - 1
    for start in range(first, stop, _TILE):
        end = min(start + _TILE, stop)
        offset = dark[start:end]
        for angle in range(len(counts)):
            before = gains[lower[angle], start:end]
            after = gains[min(lower[angle] + 1, last), start:end]
            part, weight = counts[angle, start:end], towards[angle]
            answer = transmission[angle, start:end]
            for p in range(end - start):
                gain = before[p] + weight * (after[p] - before[p])
                answer[p] = (np.float32(part[p]) - offset[p]) / gain
