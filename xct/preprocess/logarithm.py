"""The logarithm and what it cannot take. In: transmission; out: line integrals."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from xct.errors import DataError, ranges
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.frame_means import combine_frames, sd_of_frames
from xct.stages import RowCounts, stage

_TILE = 2048
_SQRT_HALF_BITS = 0x3F3504F3
_MANTISSA_BITS = 23


_PHOTON_STARVED_FRACTION = 0.01


def photon_starved_rows(nonpositive: np.ndarray, values_of_a_row: int) -> str | None:
    """Name the rows in which more than 1 % of the transmission is not positive."""
    fractions = nonpositive / values_of_a_row
    rows = np.flatnonzero(fractions > _PHOTON_STARVED_FRACTION)
    if not rows.size:
        return None
    return (
        f"photon-starved: rows {ranges(rows)} have up to {fractions.max():.1%} values of "
        "transmission ≤ 0; they hold the noise floor, and grey values there are too low"
    )


@stage(
    gives="line_integrals",
    cut=("angle", "row"),
    counts=RowCounts("nonpositive_transmission", warning=photon_starved_rows),
)
def line_integrals(transmission: np.ndarray) -> np.ndarray:
    """Take minus the natural logarithm of the transmission.

    In single precision, by the polynomial of the Cephes library [1]_: within 2 units in the
    last place.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        Dimensionless.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Line integrals, dimensionless. NaN where the transmission is zero, negative, infinite
        or NaN; `fill_nonpositive` gives these a value. (Below 1.2e-38, the smallest normal
        number, is zero here.)

    References
    ----------
    .. [1] Moshier (1989), Methods and Programs for Mathematical Functions, Ellis Horwood;
       https://netlib.org/cephes/
    """
    flattened = np.ascontiguousarray(transmission, np.float32).reshape(-1)
    answer = np.empty(np.shape(transmission), np.float32)
    over_ranges(
        lambda first, stop: _minus_log(flattened[first:stop], answer.reshape(-1)[first:stop]),
        flattened.size,
        least=2**15,
    )
    return answer


@stage(gives="line_integrals", cut=("row",))  # without flats, a row's angles bound each other
def fill_nonpositive(
    line_integrals: np.ndarray,
    flats: np.ndarray | None = None,
    darks: np.ndarray | None = None,
    *,
    floor_sd: Annotated[float, Gt(0)] = 1.0,
) -> np.ndarray:
    """Replace line integrals that are NaN by those of the least signal that can be measured.

    What lies at or below the dark field is known only to be less than the noise of the dark
    field: ``max(1 count, floor_sd · sd of the darks) / (flat - dark)``, pixel by pixel. One count
    at least, since counts are integers, and a detector without noise in its darks still
    cannot measure less. So the value is a lower bound of the line integral, finite, and of the
    size that neighbors have which were just above zero. It comes from the mean of all flats
    and darks, and does not depend on the projections. Of data that were corrected before there
    are no flats: then the largest line integral of the row is the bound.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        NaN where the transmission was not positive.
    flats, darks : ndarray, shape (frame, row, column)
        Single frames, counts; `darks` may be None, then one count is the floor. `flats` is None
        where there are none.
    floor_sd : float, optional
        Standard deviations of the dark field that count as the least signal.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        No value that was there is changed. A pixel that is dead, as its mean flat does not exceed
        its mean dark by a count, gets the value of its row's median pixel. NaN only in a row of
        dead pixels.

    Raises
    ------
    DataError
        If flats or darks do not fit the projections.
    """
    frame = line_integrals.shape[1:]
    for name, fields in (("flats", flats), ("darks", darks)):
        if fields is not None and len(fields) and fields.shape[1:] != frame:
            raise DataError(
                f"{name} have shape {fields.shape} (frame, row, column), but one frame of line "
                f"integrals has shape {frame} (row, column); crop and bin both in the same way"
            )
    values = np.ascontiguousarray(line_integrals, np.float32)
    filled = values.copy()
    if _any_missing(values.reshape(-1)):
        floor = (
            _largest_of_rows(values)
            if flats is None
            else _greatest_line_integral(flats, darks, floor_sd)
        )
        over_ranges(lambda first, stop: _replace(filled[first:stop], floor), len(filled))
    return filled


def _largest_of_rows(line_integrals: np.ndarray) -> np.ndarray:
    """Find the largest line integral of each row, for all its columns; NaN where all are."""
    flat = line_integrals.transpose(1, 0, 2).reshape(line_integrals.shape[1], -1)
    largest = np.where(np.isnan(flat), -np.inf, flat).max(axis=1, initial=-np.inf)
    largest[~np.isfinite(largest)] = np.nan
    shape = line_integrals.shape[1:]
    return np.ascontiguousarray(np.broadcast_to(largest[:, None], shape), np.float32)


def _greatest_line_integral(
    flats: np.ndarray, darks: np.ndarray | None, floor_sd: float
) -> np.ndarray:
    """Line integral of the least signal that each pixel can measure; NaN where it is dead."""
    gain = combine_frames(flats, np.arange(len(flats)), "mean")
    noise = np.ones_like(gain)
    if darks is not None and len(darks):
        gain -= combine_frames(darks, np.arange(len(darks)), "mean")
        noise = np.maximum(noise, np.float32(floor_sd) * sd_of_frames(darks))
    gain[gain < 1.0] = np.nan
    floor = np.asarray(-np.log(noise / gain), np.float32)
    for line in floor:  # a dead pixel was filled from others: it measures what its row does
        alive = np.isfinite(line)
        if alive.any():
            line[~alive] = np.median(line[alive])
    return floor


@njit(cache=True, nogil=True)
def _any_missing(values: np.ndarray) -> bool:
    missing = 0
    for value in values:
        missing += value != value
    return missing > 0


@njit(cache=True, nogil=True)
def _replace(values: np.ndarray, floor: np.ndarray) -> None:
    frames, rows, columns = values.shape
    for frame in range(frames):
        for row in range(rows):
            for column in range(columns):
                if values[frame, row, column] != values[frame, row, column]:
                    values[frame, row, column] = floor[row, column]


@njit(cache=True, nogil=True)
def _minus_log(transmission: np.ndarray, answer: np.ndarray) -> None:
    """Split into exponent and a mantissa of √½ … √2, whose logarithm a polynomial gives."""
    bits = transmission.view(np.int32)
    mantissa_bits = np.empty(_TILE, np.int32)
    mantissa = mantissa_bits.view(np.float32)
    exponent = np.empty(_TILE, np.float32)
    one, half = np.float32(1.0), np.float32(0.5)
    smallest, largest = np.float32(1.1754944e-38), np.float32(np.inf)
    for start in range(0, transmission.size, _TILE):
        values = transmission[start : start + _TILE]
        own_bits, own = bits[start : start + _TILE], answer[start : start + _TILE]
        for p in range(values.size):
            power = (own_bits[p] - np.int32(_SQRT_HALF_BITS)) >> np.int32(_MANTISSA_BITS)
            exponent[p] = np.float32(power)
            mantissa_bits[p] = own_bits[p] - (power << np.int32(_MANTISSA_BITS))
        for p in range(values.size):
            x = mantissa[p] - one
            y = np.float32(7.0376836292e-2)
            y = y * x - np.float32(1.1514610310e-1)
            y = y * x + np.float32(1.1676998740e-1)
            y = y * x - np.float32(1.2420140846e-1)
            y = y * x + np.float32(1.4249322787e-1)
            y = y * x - np.float32(1.6668057665e-1)
            y = y * x + np.float32(2.0000714765e-1)
            y = y * x - np.float32(2.4999993993e-1)
            y = y * x + np.float32(3.3333331174e-1)
            # The logarithm of 2 in two parts, so that large exponents cost no digits.
            square = x * x
            y = y * x * square - np.float32(2.12194440e-4) * exponent[p]
            y = y - half * square + x + np.float32(0.693359375) * exponent[p]
            good = (values[p] >= smallest) & (values[p] < largest)
            own[p] = -y if good else np.float32(np.nan)
