"""Stripes in sinograms, rings in slices. In: line integrals; out: the same without them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.sorting import sliding_median, smooth_ranks
from xct.stages import stage

# Faulty columns: pixels that do not follow what comes. In: sinograms; out: these interpolated.

# Scatter of line integrals that no measurement resolves; rounding alone gives less.
_LEAST_VARIANCE = 1e-10


@njit(cache=True, nogil=True)
def find_faulty(sinograms: np.ndarray, row: int, ratio: float) -> np.ndarray:
    """Find columns that contradict two neighbors which agree.

    A pixel differs from the mean of its two neighbors by the curvature of the sample's profile
    and by noise; the neighbors differ from each other by its slope and by noise, which is more.
    A pixel whose readings wander by themselves turns this around.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals.
    row : int
        Which sinogram.
    ratio : float
        How many times more, in standard deviation over the angles, a column must differ from the
        mean of its neighbors than these from each other.

    Returns
    -------
    ndarray of bool, shape (column,)
        True where a column is faulty; never the first or the last. An empty array if the
        sinogram holds values that are not finite.
    """
    angles, _, columns = sinograms.shape
    sums = np.zeros((4, columns - 2))
    own, own_square, slope, slope_square = sums[0], sums[1], sums[2], sums[3]
    for angle in range(angles):
        line = sinograms[angle, row]
        left, middle, right = line[:-2], line[1:-1], line[2:]
        for c in range(columns - 2):
            before, value, after = np.float64(left[c]), np.float64(middle[c]), np.float64(right[c])
            deviation, difference = value - 0.5 * (before + after), after - before
            own[c] += deviation
            own_square[c] += deviation * deviation
            slope[c] += difference
            slope_square[c] += difference * difference
    if not np.isfinite(sums).all():
        return np.zeros(0, np.bool_)
    faulty = np.zeros(columns, np.bool_)
    for c in range(columns - 2):
        own_variance = (own_square[c] - own[c] ** 2 / angles) / angles
        slope_variance = (slope_square[c] - slope[c] ** 2 / angles) / angles
        faulty[c + 1] = own_variance > ratio**2 * slope_variance + _LEAST_VARIANCE
    return faulty


@njit(cache=True, nogil=True)
def interpolate_faulty(sinograms: np.ndarray, row: int, faulty: np.ndarray) -> None:
    """Replace faulty columns of a sinogram by the line between the good ones on either side.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Is changed.
    row : int
        Which sinogram.
    faulty : ndarray of bool, shape (column,)
        As `find_faulty` gives it.
    """
    for column in np.flatnonzero(faulty):
        left, right = column - 1, column + 1
        while faulty[left]:
            left -= 1
        while faulty[right]:
            right += 1
        fraction = np.float32((column - left) / (right - left))
        for angle in range(len(sinograms)):
            line = sinograms[angle, row]
            line[column] = line[left] + fraction * (line[right] - line[left])


Method = Literal["profile", "sorting"]

# Ranges of angles that vote on the profile: in each the sample lies elsewhere, the stripes not.
_SECTORS = 32
# On a slope the median lags behind at a stripe, and leaves a part of it to the next pass.
_PASSES = 3
# A stripe is subtracted as far as it exceeds this many standard errors of the votes.
# Measured on dense particles: without it, their slices change by half the grey value of the
# electrolyte; with it, by less than their noise, and real rings are still several times weaker.
_LEAST_SIGNIFICANCE = 2.0
_SIZE_PX = 15
_LEAST_WIDTHS = 12  # windows that fit into the width of a narrow detector
_SD_OF_QUARTILES = 1.349  # distance of the quartiles of a normal distribution, in sd


@stage(gives="line_integrals", cut=("row",))
def stripes(
    line_integrals: np.ndarray,
    *,
    method: Method = "profile",
    size_px: Annotated[int, Ge(3), Le(1001)] | None = None,
    faulty_ratio: Annotated[float, Gt(1)] = 3.0,
) -> np.ndarray:
    """Remove stripes from each sinogram, which would be rings in its slice.

    First, columns of faulty pixels, whose readings wander against two neighbors that agree with
    each other, are interpolated from these. Then

    - ``profile`` takes a constant off each column: the difference of the mean over the angles
      and its sliding median along the columns. The angles vote in 32 ranges, of which the middle
      half is averaged, column by column, so that an edge of the sample, which is in each range at
      another place, has no say. Where the votes disagree, as they do on fine structure of the
      sample, less is taken off. Three passes. Quick; hardly changes what has no stripes.
    - ``sorting`` is algorithm 3 of [1]_: each column is sorted, a sliding median along the
      columns applied to equal ranks, and the order of the angles restored. It removes stripes
      whose strength depends on the signal, too, but also reshapes fine detail and noise.

    Neither distinguishes a stripe from what is concentric with the rotation axis and narrower than
    half of `size_px`, such as the edge of a thin tube wall centered on the axis.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Finite values, at least 3 columns.
    method : {"profile", "sorting"}, optional
        Constant correction of each column, or Vo's sorting.
    size_px : int, optional
        Width of the sliding median in pixels: more than twice that of the widest stripe. Unless
        given 15, or a twelfth of the columns where that is less: a wider window on a narrow
        detector takes the sample itself for stripes.
    faulty_ratio : float, optional
        A column is faulty where it differs from the mean of its neighbors this many times more
        than these from each other (standard deviation over the angles). Noise alone gives 0.87,
        samples up to 1.4.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Line integrals.

    Raises
    ------
    ValueError
        If values are not finite, or there are fewer than 3 columns.

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2018), Opt. Express 26, 28396. doi:10.1364/OE.26.028396
    """
    if line_integrals.ndim != 3 or line_integrals.shape[2] < 3:
        raise ValueError(
            f"line integrals have shape {line_integrals.shape}; stripes needs (angle, row, column) "
            "with at least 3 columns"
        )
    size = size_px or max(3, min(_SIZE_PX, line_integrals.shape[2] // _LEAST_WIDTHS - 1))
    cleaned = np.array(line_integrals, np.float32, order="C")
    unusable = np.zeros(cleaned.shape[1], np.bool_)
    remove = smooth_ranks if method == "sorting" else _subtract_profile

    def clean(first: int, stop: int) -> None:
        for row in range(first, stop):
            faulty = find_faulty(cleaned, row, faulty_ratio)
            if faulty.size == 0:
                unusable[row] = True
                continue
            interpolate_faulty(cleaned, row, faulty)
            remove(cleaned, row, size)

    over_ranges(clean, cleaned.shape[1])
    if unusable.any():
        _refuse(line_integrals, unusable)
    return cleaned


def _refuse(line_integrals: np.ndarray, unusable: np.ndarray) -> None:
    rows = np.flatnonzero(unusable)
    values = line_integrals[:, rows]
    raise ValueError(
        f"{np.count_nonzero(~np.isfinite(values))} line integrals in {rows.size} rows, first row "
        f"{rows[0]} (counted from 0), are NaN or infinite; put fill_nonpositive (and before the "
        "logarithm fill_dead_pixels) before stripes"
    )


def _subtract_profile(sinograms: np.ndarray, row: int, size: int) -> None:
    size |= 1  # the median of an even number of pixels lags by half a pixel
    profiles = _sector_means(sinograms, row, min(_SECTORS, len(sinograms)))
    stripe = np.zeros((len(profiles), 1), np.float32)
    smooth = np.empty_like(profiles)
    for _ in range(_PASSES):
        sliding_median(profiles - stripe, size, smooth)
        stripe += _agreed(profiles - stripe - smooth)
    _subtract(sinograms, row, stripe[:, 0])


def _agreed(votes: np.ndarray) -> np.ndarray:
    """Mean of the middle half of the votes, shrunk where they disagree; shape (column, 1)."""
    ordered = np.sort(votes, axis=1).astype(np.float64)
    count = votes.shape[1]
    ignored = count // 4
    mean = ordered[:, ignored : count - ignored].mean(axis=1, keepdims=True)
    quartiles = ordered[:, [count - 1 - ignored]] - ordered[:, [ignored]]
    least = _LEAST_SIGNIFICANCE * quartiles / _SD_OF_QUARTILES / np.sqrt(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.clip(1 - (least / mean) ** 2, 0, 1)
    return np.where(mean == 0, 0, mean * kept).astype(np.float32)


@njit(cache=True, nogil=True)
def _sector_means(sinograms: np.ndarray, row: int, sectors: int) -> np.ndarray:
    """Means over ranges of angles, shape (column, sector)."""
    angles, _, columns = sinograms.shape
    profiles = np.empty((columns, sectors), np.float32)
    total = np.empty(columns, np.float64)
    for sector in range(sectors):
        first, stop = angles * sector // sectors, angles * (sector + 1) // sectors
        total[:] = 0.0
        for angle in range(first, stop):
            line = sinograms[angle, row]
            for column in range(columns):
                total[column] += line[column]
        for column in range(columns):
            profiles[column, sector] = total[column] / (stop - first)
    return profiles


@njit(cache=True, nogil=True)
def _subtract(sinograms: np.ndarray, row: int, stripe: np.ndarray) -> None:
    for angle in range(len(sinograms)):
        line = sinograms[angle, row]
        for column in range(stripe.size):
            line[column] -= stripe[column]
