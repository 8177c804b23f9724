"""The sample's center of mass, which moves as a sine. In: line integrals; out: axis, wandering.

The zeroth moment of the Helgason-Ludwig conditions must be the same in all views, the first a sine
[1]_. Both hold only where the whole sample is in view.

References
----------
.. [1] Azevedo, Schneberk, Fitch & Martz (1990), IEEE Trans. Nucl. Sci. 37, 1525.
   doi:10.1109/23.55866
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.preprocess.center.mirror_symmetry import Estimate

_STEADY = 0.03  # of the mass: more that comes and goes has left the view
_ON_SINE = 0.01  # of the columns: so far from a sine, it has, too
_SLOWLY = 40  # of so many parts of the views: faster is jitter, which neighbors show
# Of the width: what is opaque or beam-hardened moves the center by that, and by more in some rows.
_LEAST_PX, _LEAST_OF_WIDTH = 0.25, 5e-4
_LEAST_VIEWS = 60


@dataclass(frozen=True)
class MassPath:
    """Where the center of mass is, about the middle of the view.

    Attributes
    ----------
    center_px : float
        Column of the axis, about the middle of the view.
    center_sd_px : float
        By what is not a sine.
    off_px : ndarray, shape (angle, row)
        How far each row's center lies from the sine; all rows share the axis.
    weights : ndarray, shape (row,)
        Mass of each row, as a part of all.
    total : float
        Mass of all rows in one view.
    tilt : float
        Difference between both margins that all views keep.
    """

    center_px: float
    center_sd_px: float
    off_px: np.ndarray
    weights: np.ndarray
    total: float
    tilt: float

    @property
    def mean_off_px(self) -> np.ndarray:
        """How far the center of all rows lies from the sine, shape (angle,)."""
        return np.asarray(self.off_px @ self.weights)


def follow_mass(views: np.ndarray, theta_deg: np.ndarray) -> MassPath | None:
    """Follow the center of mass; None where the sample is cut, or there is none.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.
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
    mass = amount.mean(axis=0)
    total = float(mass.sum())
    if total <= 0:
        return None
    theta = np.deg2rad(theta_deg)
    design = np.column_stack([np.ones_like(theta), np.cos(theta), np.sin(theta)])
    fit, *_ = np.linalg.lstsq(design, moment, rcond=None)
    off = moment - design @ fit
    rest = float(np.sqrt(np.mean(off.sum(axis=1) ** 2))) / total
    # Mass that comes and goes, or does not follow a sine, has left the field of view.
    if float(np.std(amount.sum(axis=1))) / total > _STEADY or rest > _ON_SINE * columns:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        by_row = np.where(mass > 0, off / mass, 0.0)
    return MassPath(
        float(fit[0].sum()) / total,
        2 * rest * float(np.sqrt(np.linalg.inv(design.T @ design)[0, 0])),
        by_row,
        np.where(mass > 0, mass, 0.0) / mass[mass > 0].sum(),
        total,
        float(np.abs((right - left).mean(axis=0).sum())) / columns,
    )


def center_of_mass(views: np.ndarray, theta_deg: np.ndarray, stripe_sd: float) -> Estimate | None:
    """Find the axis about which the center of mass moves; None where the sample is cut.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.
    stripe_sd : float
        Standard deviation of fixed stripes, as line integral: they shift the answer.
    """
    found = follow_mass(views, theta_deg)
    if found is None:
        return None
    _, rows, columns = views.shape
    striped = stripe_sd * np.sqrt(columns**3 / 12 * rows) / found.total
    # A tilt that the margins keep through all angles: stripes, a wrong flat field, or the sample.
    tilted = 0.5 * found.tilt * columns**3 / 12 / found.total
    sd = float(np.sqrt(found.center_sd_px**2 + striped**2 + tilted**2))
    return Estimate(found.center_px + (columns - 1) / 2, sd, np.inf)


def wandering_px(views: np.ndarray, theta_deg: np.ndarray) -> float:
    """Measure how far the sample wanders sideways, slowly: what no turn about an axis explains.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, ascending in angle.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.

    Returns
    -------
    float
        Pixels (rms); 0 where it is not distinguished from noise and from what attenuates much, or
        where the sample is not in view as a whole.
    """
    found = follow_mass(views, theta_deg) if len(views) >= _LEAST_VIEWS else None
    if found is None:
        return 0.0
    slow = scipy.ndimage.uniform_filter1d(
        found.off_px, max(3, len(views) // _SLOWLY), axis=0, mode="nearest"
    )
    common = slow @ found.weights
    differs = np.sqrt(np.mean(np.square(slow - common[:, None]) @ found.weights))
    size = float(np.sqrt(np.mean(np.square(common))))
    least = max(_LEAST_PX, _LEAST_OF_WIDTH * views.shape[-1], float(differs))
    return size if size > least else 0.0
