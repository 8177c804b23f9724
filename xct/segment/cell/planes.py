"""Mean planes of surfaces. In: coarse grey values, two layers; out: plane through most columns."""

from __future__ import annotations

import numpy as np
import scipy

from xct.errors import DataError
from xct.geometry import Plane
from xct.physics.optics import FWHM_PER_SIGMA

# About a particle: the front of a cathode is where its smoothed NCM fraction falls to half.
_FRONT_FWHM_UM = 13.0
_PLAIN_SMOOTH_UM = 4.0
_BIWEIGHT = 4.7


def heights_between(
    values: np.ndarray,
    first: int,
    step_um: tuple[float, float, float],
    *,
    before: float,
    after: float,
    particles: bool = False,
) -> np.ndarray:
    """Find, column by column, where grey values cross half-way from one layer to the next.

    A column is split where most of its values on either side lie on their own side of the
    half-level, then read between its slices.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        Slices that hold both layers, and nothing else but parts of them.
    first : int
        Number of the first of these slices.
    step_um : tuple of float
        Distance of values along z, y and x.
    before, after : float
        Grey values of the layers at small and at large z.
    particles : bool, optional
        One of the layers is a composite: smoothed more.

    Returns
    -------
    ndarray, shape (y, x)
        z in µm; NaN where the column never crosses.
    """
    width = _FRONT_FWHM_UM / FWHM_PER_SIGMA if particles else _PLAIN_SMOOTH_UM
    step = np.asarray(step_um)
    # Means over columns are smoothed already, by a box as wide as they are.
    sigma = np.sqrt(np.maximum((width / step) ** 2 - np.array([0, 1, 1]) / 12, 0))
    if not particles:
        sigma[0] = min(sigma[0], 1.0)
    smooth = scipy.ndimage.gaussian_filter(np.asarray(values, np.float64), sigma, mode="nearest")
    side = (smooth - 0.5 * (before + after)) / (0.5 * (after - before))  # -1 before, +1 after
    voted = np.clip(side, -1, 1)
    gain = np.cumsum(voted, axis=0)  # lowest at the last slice before the crossing
    last = gain[:-1].argmin(axis=0)
    low = np.take_along_axis(side, last[None], axis=0)[0]
    high = np.take_along_axis(side, last[None] + 1, axis=0)[0]
    crosses = (low < 0) & (high >= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(crosses, -low / (high - low), np.nan)
    return np.asarray((first + last + fraction) * step_um[0])


def fit_plane(
    height_um: np.ndarray, y_um: np.ndarray, x_um: np.ndarray, wanted: np.ndarray
) -> Plane:
    """Fit a plane to a height map; columns that lie far from it count less (Tukey's biweight).

    Parameters
    ----------
    height_um : ndarray, shape (y, x)
        NaN where there is no height.
    y_um : ndarray, shape (y, 1)
        Positions from the axis.
    x_um : ndarray, shape (1, x)
        Positions from the axis.
    wanted : ndarray of bool, shape (y, x)
        Columns to use.

    Raises
    ------
    DataError
        If fewer than 20 columns, or fewer than one in ten, hold a height.
    """
    used = wanted & np.isfinite(height_um)
    count, asked = int(used.sum()), int(wanted.sum())
    if count < max(20, asked // 10):
        raise DataError(f"the surface was found in {count} of {asked} columns; too few for a plane")
    y, x = np.broadcast_arrays(y_um, x_um)
    terms = np.stack([np.ones(count), y[used], x[used]], axis=1)
    heights = height_um[used]
    answer = np.array([np.median(heights), 0.0, 0.0])
    for _ in range(30):
        residual = heights - terms @ answer
        scale = 1.4826 * float(np.median(np.abs(residual)))
        weight = np.clip(1 - (residual / max(_BIWEIGHT * scale, 1e-9)) ** 2, 0, None) ** 2
        again = np.linalg.lstsq(
            terms * np.sqrt(weight)[:, None], heights * np.sqrt(weight), rcond=None
        )[0]
        moved = np.abs(again - answer).max()
        answer = again
        if moved < 1e-9:
            break
    return Plane(*(float(v) for v in answer))
