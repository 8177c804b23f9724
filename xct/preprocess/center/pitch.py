"""Tilt of the rotation axis along the beam. In: line integrals of rows; out: degrees.

Such a tilt moves no axis on the detector: it lifts what lies behind it and lowers what lies before
it, and half a turn later the other way round. What a row takes out of the beam then changes with
the angle, by the tilt times how fast the middle of what is absorbed moves from row to row.
"""

from __future__ import annotations

from math import degrees, radians, sqrt, tan
from typing import NamedTuple

import numpy as np

from xct.preprocess.center.sample import sample_cut

_LEAST_PAIRS, _LEAST_VIEWS = 4, 24
_SURE_SD, _AT_MOST_SD = 6.0, 2.0
_MATTERS_PX = 0.5  # up or down, at the rim of the view
_TELLING_DEG = 0.3  # a bound above it says nothing of a stage that was leveled


class Pitch(NamedTuple):
    """How the axis leans along the beam.

    Attributes
    ----------
    tilt_deg, sd_deg : float
        Positive where what lies at larger ``x sin θ + y cos θ`` is seen at larger rows.
    rim_px : float
        Half the width of the view.
    """

    tilt_deg: float
    sd_deg: float
    rim_px: float

    @property
    def at_most_deg(self) -> float:
        """The tilt that cannot be excluded."""
        return abs(self.tilt_deg) + _AT_MOST_SD * self.sd_deg

    @property
    def is_sure(self) -> bool:
        """Whether there is a tilt for sure, and one that matters."""
        moves = self.rim_px * tan(radians(abs(self.tilt_deg)))
        return abs(self.tilt_deg) > _SURE_SD * self.sd_deg and moves > _MATTERS_PX

    def message(self) -> str | None:
        """Say that it leans; None where that is not sure or does not matter."""
        if not self.is_sure:
            return None
        moves = self.rim_px * tan(radians(abs(self.tilt_deg)))
        return (
            f"the rotation axis leans along the beam by {abs(self.tilt_deg):.2g} ± "
            f"{self.sd_deg:.1g}°: as the sample turns, what lies at the rim of the view goes up "
            f"and down by {moves:.1f} rows, and slices are blurred along the axis by as much, less "
            "towards it. Nothing is corrected: level the rotation stage against the beam"
        )

    def details(self) -> dict[str, float]:
        """Give the entries of a number; none where all that would count could be."""
        if self.at_most_deg > _TELLING_DEG and not self.is_sure:
            return {}
        return {
            "along_beam_deg": self.tilt_deg,
            "along_beam_sd_deg": self.sd_deg,
            "along_beam_at_most_deg": self.at_most_deg,
        }


def find_pitch(views: np.ndarray, theta_deg: np.ndarray, row_px: np.ndarray) -> Pitch | None:
    """Measure how the rotation axis leans along the beam.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, finite.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are, ascending; pairs that follow each other are used.

    Returns
    -------
    Pitch or None
        None where the sample leaves the view, or there are too few pairs of rows.
    """
    pairs = np.flatnonzero(np.diff(row_px) == 1)
    if len(pairs) < _LEAST_PAIRS or len(views) < _LEAST_VIEWS or any(sample_cut(views)):
        return None
    angle = np.radians(np.asarray(theta_deg, np.float64))
    columns = views.shape[2]
    place = np.arange(columns) - (columns - 1) / 2
    mass = views.sum(axis=2, dtype=np.float64)
    moment = np.einsum("arc,c->ar", views, place, dtype=np.float64)
    parts = np.stack([np.ones_like(angle), np.cos(angle), -np.sin(angle)], axis=1)
    _, x, y = np.linalg.lstsq(parts, moment, rcond=None)[0]
    x_grows, y_grows = x[pairs + 1] - x[pairs], y[pairs + 1] - y[pairs]
    along = x_grows * np.sin(angle)[:, None] + y_grows * np.cos(angle)[:, None]
    across = x_grows * np.cos(angle)[:, None] - y_grows * np.sin(angle)[:, None]
    both = (mass[:, pairs] + mass[:, pairs + 1]) / 2
    noise = np.maximum(np.mean(np.diff(both, 2, axis=0) ** 2, axis=0), 1e-12)
    along, across, both = (_evened(values, 1 / noise) for values in (along, across, both))
    products = [
        np.sum(a * b / noise, axis=0)
        for a, b in (
            (along, along),
            (along, across),
            (across, across),
            (along, both),
            (across, both),
        )
    ]
    found = _solved(*(product.sum() for product in products))
    without = [_solved(*(p.sum() - p[k] for p in products)) for k in range(len(pairs))]
    sd = sqrt((len(pairs) - 1) * float(np.var(without)))
    return Pitch(degrees(-found), degrees(sd), columns / 2)


def _evened(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take off the mean of each pair of rows, and what all pairs share: the light of a frame."""
    away = values - values.mean(axis=0)
    return np.asarray(away - np.average(away, axis=1, weights=weight)[:, None])


def _solved(aa: float, ab: float, bb: float, am: float, bm: float) -> float:
    """Give the first of two coefficients of a fit by its products."""
    return float((am * bb - bm * ab) / max(aa * bb - ab * ab, 1e-30))
