"""How far a cell leans from an axis of its volume. In: a sample of it; out: a rotation.

As for the axis: values are ranked, and the direction is taken about which height and radius explain
most of them. That is known to a degree, since heights fall into bins; it is refined by how far each
column must be moved to fit the mean profile over height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.segment.cell.orientation import Sample

_RINGS = 16
_STEEPEST = 0.36  # tangent: 20°, beyond the 15° that are told
_GRID, _BETWEEN = np.linspace(-0.3, 0.3, 7), 0.05  # tangents; then those beside the best
_COARSE = 3  # every so manieth value is looked at first
_CLOSE = 2e-3  # of tangents and of the half width: where the search ends
# Of half the width: columns that a lean is refined by, which hold layers, and no wall.
_INNER = 0.6
_ROUNDS, _STILL = 12, 1e-4  # of refining; a tangent that ends it
# Of the variance, by which a refined lean may explain less in bins than the one it began with:
# right ones up to 0.02, as bins of height fall on slices by chance.
_WORSE = 0.03
# Upright cells, whole or cut off, came out as 0 to 1.4° (seeds 3 and 11): one side holds more
# lithium than the other. Leans of 2° came out as 1.6 to 1.8°.
_LEAST_DEG = 1.6


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

    To 0.4°, once in twelve to 1.4°; less than 1.6° are none.

    Parameters
    ----------
    sample : Sample
        Of the volume, z first.
    """
    values = sample.ranks
    steps = (_COARSE - 1, _COARSE, _COARSE)
    coarse = _Places.of(values[:: steps[0], :: steps[1], :: steps[2]], sample.edges_um * steps)
    start = _best(coarse, 0.0, 0.0, _GRID)
    start = _best(coarse, start[0], start[1], _BETWEEN * np.arange(-1, 2))
    fine = _Places.of(values, sample.edges_um)
    found = np.array(start)
    if np.hypot(start[0], start[1]) > 1e-9:
        simplex = np.array([start] * 5, float)
        simplex[np.arange(1, 5), np.arange(4)] += (0.06, 0.06, 0.1, 0.1)
        found = scipy.optimize.minimize(
            fine.within,
            simplex[0],
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": _CLOSE, "fatol": 1e-4, "maxfev": 120},
        ).x
    upright = fine.within(np.array([0.0, 0.0, *found[2:]]))
    lean = _refined(values, sample.edges_um, found[:2])
    within, before = fine.within(np.array([*lean, *found[2:]])), fine.within(found)
    steep = np.degrees(np.arctan(np.hypot(*lean))) >= _LEAST_DEG
    if not steep or min(within, before) >= upright:
        return Tilt(0.0, 0.0, 1 - upright, 1 - upright)
    if within > before + _WORSE:
        lean = found[:2]
    return Tilt(float(lean[0]), float(lean[1]), 1 - min(within, before), 1 - upright)


def _best(places: _Places, a: float, b: float, grid: np.ndarray) -> tuple[float, ...]:
    """Give the lean about (a, b), of a grid, that explains most; y and x of its axis are 0."""
    every = [(a + da, b + db, 0.0, 0.0) for da in grid for db in grid]
    return min(every, key=lambda p: places.within(np.array(p)))


def _refined(values: np.ndarray, edges_um: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Fit a lean by moving columns along z onto their mean profile (Gauss-Newton).

    Those about the middle of the volume: of half a bore, or a cropped one, they hold enough layers.
    """
    half = 0.5 * min(np.array(values.shape[1:]) * edges_um[1:])
    z, y, x = (
        (np.arange(n) - (n - 1) / 2) * edge / half
        for n, edge in zip(values.shape, edges_um, strict=True)
    )
    inside = np.hypot(y[:, None], x[None]) < _INNER
    across = np.stack([part[inside] for part in np.meshgrid(y, x, indexing="ij")])
    columns, step, lean = values[:, inside], edges_um[0] / half, np.array(start)
    for _ in range(_ROUNDS):
        moved = _step_onto_profile(columns, z, across, step, lean)
        lean = lean + moved
        if np.abs(moved).max() < _STILL or np.abs(lean).max() > _STEEPEST:
            break
    return lean


def _step_onto_profile(
    columns: np.ndarray, z: np.ndarray, across: np.ndarray, step: float, lean: np.ndarray
) -> np.ndarray:
    """Give by how much a lean changes if columns are to fit their mean profile best.

    Shapes: columns (z, n), across (2, n), lean (2,).
    """
    norm = np.sqrt(1 + lean @ lean)
    height = (z[:, None] + lean @ across) / norm / step
    height -= height.min()
    below = height.astype(int)
    part = height - below
    length = int(below.max()) + 2
    ends = ((below, 1 - part), (below + 1, part))
    count = sum(np.bincount(at.ravel(), share.ravel(), length) for at, share in ends)
    total = sum(np.bincount(at.ravel(), (share * columns).ravel(), length) for at, share in ends)
    profile = total / np.maximum(count, 1e-9)
    # Where only few columns reach, the profile is theirs.
    rise = np.where(count > columns.shape[1] / 2, np.gradient(profile), 0) / step
    (low, share_low), (high, share_high) = ends
    apart = columns - profile[low] * share_low - profile[high] * share_high
    slope = (rise[low] * share_low + rise[high] * share_high) / norm
    terms = np.stack([(slope * where).ravel() for where in across])
    moved: np.ndarray = np.linalg.lstsq(terms @ terms.T, terms @ apart.ravel(), rcond=None)[0]
    return moved


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
