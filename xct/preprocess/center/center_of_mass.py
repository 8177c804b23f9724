"""The axis from the center of mass. In: line integrals of some rows; out: an estimate."""

from __future__ import annotations

import numpy as np
import scipy

from xct.preprocess.center.agreement import Estimate


def mass(views: np.ndarray, theta_deg: np.ndarray, stripe_sd: float) -> Estimate | None:
    """Follow the center of mass, which moves as a sine about the axis; None where it is cut.

    The zeroth moment of the Helgason-Ludwig conditions must be the same in all views, the
    first a sine [1]_. Both hold only where the whole sample is in view.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.
    stripe_sd : float
        Standard deviation of fixed stripes, as line integral: they shift the answer.

    References
    ----------
    .. [1] Azevedo, Schneberk, Fitch & Martz (1990), IEEE Trans. Nucl. Sci. 37, 1525.
       doi:10.1109/23.55866
    """
    columns = views.shape[-1]
    margin = max(3, columns // 50)
    left, right = (
        side.mean(axis=-1, dtype=np.float64) for side in (views[..., :margin], views[..., -margin:])
    )
    air = (left + right) / 2
    position = np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)
    amount = views.sum(axis=-1, dtype=np.float64) - air * columns
    moment = np.asarray(views @ position, dtype=np.float64)
    total = float(amount.mean(axis=0).sum())
    if total <= 0:
        return None
    theta = np.deg2rad(theta_deg)
    design = np.column_stack([np.ones_like(theta), np.cos(theta), np.sin(theta)])
    path = moment.sum(axis=1) / total  # all rows share one axis: a row counts by its mass
    fit, *_ = np.linalg.lstsq(design, path, rcond=None)
    rest = float(np.sqrt(np.mean((path - design @ fit) ** 2)))
    rows = views.shape[1]
    noise = 2 * rest * np.sqrt(np.linalg.inv(design.T @ design)[0, 0])
    striped = stripe_sd * np.sqrt(columns**3 / 12 * rows) / total
    # A tilt that the margins keep through all angles: stripes, a wrong flat field, or the sample.
    tilt = float(np.abs((right - left).mean(axis=0).sum())) / columns
    tilted = 0.5 * tilt * columns**3 / 12 / total
    # Mass that comes and goes, or does not follow a sine, has left the field of view.
    steady = float(np.std(amount.sum(axis=1))) / total
    if steady > 0.03 or rest > 0.01 * columns:
        return None
    sd = float(np.sqrt(noise**2 + striped**2 + tilted**2))
    return Estimate(float(fit[0]) + (columns - 1) / 2, sd, np.inf)


def stripes(views: np.ndarray) -> np.ndarray:
    """Estimate fixed stripes: what stands out, by column, of the mean over all angles."""
    profile = views.mean(axis=0)
    size = min(15, views.shape[-1] | 1)
    return np.asarray(profile - scipy.ndimage.median_filter(profile, (1, size), mode="nearest"))
