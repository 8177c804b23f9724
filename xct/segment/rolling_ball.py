"""What sticks out of a height field, by a ball that rolls along it. In: heights; out: a mask."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit
from xct.threads import over_ranges


def narrow_tips(height: np.ndarray, radius: float, *, least: float, shallow: float) -> np.ndarray:
    """Mark where a field rises higher than a ball that rolls below it can follow.

    Parameters
    ----------
    height : ndarray of float64, shape (y, x)
        Heights in columns' widths; NaN where there is none.
    radius : float
        Of the ball, in columns.
    least, shallow : float
        A tip stands out by `least` at its highest, and reaches as far as it does by `shallow`.

    Returns
    -------
    ndarray of bool, shape (y, x)
    """
    from scipy.ndimage import binary_dilation, label

    reach = int(radius)
    offsets = np.arange(-reach, reach + 1)
    below = radius**2 - offsets[:, None] ** 2 - offsets[None] ** 2
    ball = np.where(below >= 0, np.sqrt(np.maximum(below, 0)), -np.inf)
    lowest, opened = np.full(height.shape, np.nan), np.full(height.shape, np.nan)
    over_ranges(lambda a, b: _roll(height, ball, -1.0, lowest, a, b), len(height))
    over_ranges(lambda a, b: _roll(lowest, ball, 1.0, opened, a, b), len(height))
    above = np.nan_to_num(height - opened)
    pieces, _ = label(above > shallow, np.ones((3, 3)))
    tips = np.unique(pieces[above > least])
    marked = np.isin(pieces, tips[tips > 0])
    return np.asarray(binary_dilation(marked) & np.isfinite(height))


@njit(cache=True, nogil=True)
def _roll(
    height: np.ndarray, ball: np.ndarray, sign: float, out: np.ndarray, first: int, stop: int
) -> None:
    """Take the largest of sign · height + ball around each column, times sign."""
    rows, columns = height.shape
    reach = ball.shape[0] // 2
    for y in range(first, stop):
        for x in range(columns):
            if height[y, x] != height[y, x]:
                continue
            most = -np.inf
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    value = sign * height[j, i] + ball[j - y + reach, i - x + reach]
                    if value > most:
                        most = value
            out[y, x] = sign * most
