"""How far a cell leans from an axis of its volume. In: a sample of it; out: a rotation.

As for the axis: values are ranked, and the direction is taken about which height and radius explain
most of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.segment.cell.orientation import Sample, ranked

_RINGS = 16
_STEEPEST = 0.36  # tangent: 20°, beyond the 15° that are told
_GRID = np.linspace(-0.3, 0.3, 13)  # tangents
_COARSE = 3  # every so manieth value is looked at first
_CLOSE = 2e-3  # of tangents and of the half width: where the search ends


@dataclass(frozen=True)
class Tilt:
    """The direction of a cell's axis.

    Attributes
    ----------
    slope_y, slope_x : float
        dy/dz and dx/dz along the axis.
    explained : float
        Part of the variance of ranked values that height and radius explain.
    upright : float
        … about z.
    """

    slope_y: float
    slope_x: float
    explained: float
    upright: float

    @property
    def degrees(self) -> float:
        """Angle to z."""
        return float(np.degrees(np.arctan(np.hypot(self.slope_y, self.slope_x))))

    @property
    def rotation(self) -> np.ndarray:
        """Give the least rotation that leads from z to the axis; rows and columns z, y, x."""
        axis = np.array([1.0, self.slope_y, self.slope_x])
        axis /= np.linalg.norm(axis)
        cos, across = axis[0], axis[1:]
        matrix = np.empty((3, 3))
        matrix[0] = (cos, -across[0], -across[1])
        matrix[1:, 0] = across
        matrix[1:, 1:] = np.eye(2) - np.outer(across, across) / (1 + cos)
        return matrix


def layer_tilt(sample: Sample) -> Tilt:
    """Find the direction of the axis of a cell whose layers follow each other about along z.

    To about a degree; less than two are none.

    Parameters
    ----------
    sample : Sample
        Of the volume, z first.
    """
    values = ranked(sample.values)
    steps = (_COARSE - 1, _COARSE, _COARSE)
    coarse = _Places.of(values[:: steps[0], :: steps[1], :: steps[2]], sample.edges_um * steps)
    start = min(
        ((a, b, 0.0, 0.0) for a in _GRID for b in _GRID), key=lambda p: coarse.within(np.array(p))
    )
    if np.hypot(*start[:2]) < 1e-9:
        known = 1 - coarse.within(np.zeros(4))
        return Tilt(0.0, 0.0, known, known)
    fine = _Places.of(values, sample.edges_um)
    simplex = np.array([start] * 5, float)
    simplex[np.arange(1, 5), np.arange(4)] += (0.06, 0.06, 0.1, 0.1)
    found = scipy.optimize.minimize(
        fine.within,
        simplex[0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": _CLOSE, "fatol": 1e-4, "maxfev": 120},
    ).x
    upright = fine.within(np.array([0.0, 0.0, *found[2:]]))
    return Tilt(float(found[0]), float(found[1]), 1 - fine.within(found), 1 - upright)


@dataclass(frozen=True)
class _Places:
    """Values, and where they lie from the middle, in half widths of the volume."""

    values: np.ndarray
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    step: float

    @classmethod
    def of(cls, values: np.ndarray, edges_um: np.ndarray) -> _Places:
        half = 0.5 * min(np.array(values.shape[1:]) * edges_um[1:])
        z, y, x = np.meshgrid(
            *((np.arange(n) - (n - 1) / 2) * e / half
              for n, e in zip(values.shape, edges_um, strict=True)),
            indexing="ij",
        )  # fmt: skip
        held, z, y, x = (part.ravel().astype(np.float32) for part in (values, z, y, x))
        return cls(held, z, y, x, float(edges_um[0] / half))

    def within(self, p: np.ndarray) -> float:
        """Give the part of the variance within bins of height and radius about an axis."""
        a, b, y0, x0 = (float(v) for v in p)
        if abs(a) > _STEEPEST or abs(b) > _STEEPEST or max(abs(y0), abs(x0)) > 1:
            return 2.0
        norm = np.sqrt(1 + a * a + b * b)
        y, x = self.y - y0, self.x - x0
        along = (self.z + a * y + b * x) / norm
        radius = np.sqrt(np.maximum(self.z**2 + y * y + x * x - along**2, 0))
        ring = np.minimum(radius * (_RINGS / 1.5), _RINGS - 1).astype(np.int32)
        height = ((along - along.min()) / self.step).astype(np.int32)
        at = height * _RINGS + ring
        count = np.bincount(at)
        sums = np.bincount(at, self.values)
        held = count > 0
        explained = np.sum(sums[held] ** 2 / count[held]) / self.values.size
        mean = float(self.values.mean())
        total = float(np.mean(self.values.astype(np.float64) ** 2)) - mean**2
        return float(1 - (explained - mean**2) / total) if total > 0 else 1.0
