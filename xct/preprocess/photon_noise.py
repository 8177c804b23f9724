"""Signals as low as their noise, prepared for the logarithm. In and out: transmission."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.stages import stage
from xct.statistics.gaussian import gaussian_taps

# Mean signal over its noise between which it begins to be distinguished from none.
_DARK, _LIT = 2.0, 4.0


@stage(gives="transmission", cut=("row",), counts="low_signal")
def low_signal(
    transmission: np.ndarray,
    *,
    below: Annotated[float, Gt(0)] = 5.0,
    range_px: Annotated[float, Ge(1)] = 5.0,
) -> np.ndarray:
    """Keep the logarithm true to the mean where the signal hardly exceeds its noise.

    Minus the logarithm of a noisy signal is too large in the mean, by half of the noise over the
    signal squared, and far more where some values are not even positive: the middle of a
    photon-starved plane would seem denser than it is [1]_. Where the signal is less than `below`
    times its noise, the logarithm is replaced by its tangent at the mean signal ⟨T⟩ about the
    pixel, ``-ln T → -ln ⟨T⟩ - (T - ⟨T⟩) / ⟨T⟩``, in which noise averages out. Detail stays as
    sharp as it is; at twice `below` the logarithm alone is left. Where the mean signal itself is
    lost in noise, as behind steel, nothing is changed.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        Dimensionless; NaN stays.
    below : float, optional
        Signal over noise under which the tangent is taken.
    range_px : float, optional
        Standard deviation of the Gaussian over columns that ⟨T⟩ is averaged with.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Such that minus its logarithm is what is said above; stronger signals come out as they
        are, bit by bit.

    References
    ----------
    .. [1] Hsieh (1998), Med. Phys. 25, 2139. doi:10.1118/1.598410
    """
    given = np.ascontiguousarray(transmission, np.float32)
    noise = _noise(given)
    kernel = gaussian_taps(range_px)
    made = given.copy()
    over_ranges(
        lambda first, stop: _linearize(given[first:stop], noise, kernel, below, made[first:stop]),
        len(given),
    )
    return made


def _noise(transmission: np.ndarray) -> np.ndarray:
    """Estimate each pixel's noise from changes between neighboring angles, (row, column)."""
    squares = np.zeros(transmission.shape[1:])
    counts = np.zeros(transmission.shape[1:])
    over_ranges(
        lambda first, stop: _changes(
            transmission[:, first:stop], squares[first:stop], counts[first:stop]
        ),
        transmission.shape[1],
    )
    return np.asarray(np.sqrt(squares / np.maximum(2 * counts, 1)), np.float32)


@njit(cache=True, nogil=True)
def _changes(transmission: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> None:
    """Add up squares of what changes from one angle to the next, but for NaN."""
    angles, rows, columns = transmission.shape
    for a in range(1, angles):
        for r in range(rows):
            for c in range(columns):
                change = transmission[a, r, c] - transmission[a - 1, r, c]
                if change == change:
                    squares[r, c] += change * change
                    counts[r, c] += 1


@njit(cache=True, nogil=True)
def _linearize(
    given: np.ndarray, noise: np.ndarray, kernel: np.ndarray, below: float, made: np.ndarray
) -> None:
    angles, rows, columns = given.shape
    reach = len(kernel) // 2
    gain = 1 / np.sqrt(np.sum(kernel**2))  # of signal over noise, by averaging
    for a in range(angles):
        for r in range(rows):
            for c in range(columns):
                value, sd = given[a, r, c], noise[r, c]
                if not (value < 3 * below * sd):  # strong enough, or NaN
                    continue
                total, weight = np.float32(0), np.float32(0)
                for k in range(-reach, reach + 1):
                    near = given[a, r, min(max(c + k, 0), columns - 1)]
                    if near == near:
                        total += kernel[k + reach] * near
                        weight += kernel[k + reach]
                mean = total / weight
                sure = min(max((gain * mean / sd - _DARK) / (_LIT - _DARK), 0.0), 1.0)
                fraction = min(max(2.0 - mean / (below * sd), 0.0), 1.0) * sure
                if fraction == 0.0:
                    continue
                tangent = np.log(mean) + (value - mean) / mean
                # A value that has no logarithm has the tangent alone.
                blended = tangent
                if value > 0:
                    blended = fraction * tangent + (1 - fraction) * np.log(value)
                made[a, r, c] = np.exp(blended)
