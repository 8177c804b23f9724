"""How far a cell leans from an axis of its volume. In: a sample of it; out: a rotation.

As for the axis: values are ranked, and the direction is taken about which height and radius explain
most of them. A grid of directions is looked at, and the best one is refined until each value is as
near as can be to what its height and radius make it, between which values are interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.segment.cell.orientation import CENTERS, Sample

_RINGS = 16
_GRID, _BETWEEN = np.linspace(-0.3, 0.3, 7), 0.05  # tangents; then those beside the best
_COARSE, _FINE = 3, 2  # every so manieth value across is looked at: first, and to refine it
_ROUNDS, _STILL = 12, 5e-4  # of refining; a tangent that ends it
# Tangents, and halves of the volume's width between its middle and the axis, that are no answer.
_ASTRAY = (0.5, 0.5, 1.3, 1.3)
# Of the values that most heights have at a radius: with fewer, what they are like is their own.
_ENOUGH = 0.5
# Upright cells, whole or cut off, come out as 0 to 0.4° (seeds 3 and 11), as one side holds more
# lithium than the other; leans of 1° as 0.7 to 0.8°, and of 1.5° as 1.5 to 1.6°.
_LEAST_DEG = 1.2


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

    To 0.1°, and to 0.5° where steel is hardly in view; less than 1.2° are none. Where the layers
    lean otherwise than the bore, a direction between both.

    Parameters
    ----------
    sample : Sample
        Of the volume, z first.
    """
    values = sample.ranks
    steps = (_COARSE - 1, _COARSE, _COARSE)
    coarse = _Places.of(values[:: steps[0], :: steps[1], :: steps[2]], sample.edges_um * steps)
    fine = _Places.of(values[:, ::_FINE, ::_FINE], sample.edges_um * (1, _FINE, _FINE))
    axis, explained = max((fine.refined(one) for one in _starts(coarse)), key=lambda one: one[1])
    upright = fine.about(np.array([0.0, 0.0, *axis[2:]])).explained
    found = Tilt(float(axis[0]), float(axis[1]), explained, upright)
    if found.degrees < _LEAST_DEG or explained <= upright:
        return Tilt(0.0, 0.0, upright, upright)
    return found


def _starts(places: _Places) -> list[np.ndarray]:
    """Give the best axis through the middle, and the best upright one, if that is another.

    Of a corner of a cell, a steep one through the middle explains a lot.
    """
    lean = np.zeros(4)
    for grid in (_GRID, _BETWEEN * np.arange(-1, 2)):
        lean = _best(places, [lean + np.array([da, db, 0, 0]) for da in grid for db in grid])
    upright = _best(places, [np.array([0, 0, y, x]) for y in CENTERS for x in CENTERS])
    return [lean] if (lean == upright).all() else [lean, upright]


def _best(places: _Places, axes: list[np.ndarray]) -> np.ndarray:
    return min(axes, key=places.within_bins)


@dataclass(frozen=True)
class _Places:
    """Values, and where they lie from the middle, in half widths of the volume."""

    values: np.ndarray
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    step: float  # from one value to the next, along z
    across: float  # … and in a slice

    @classmethod
    def of(cls, values: np.ndarray, edges_um: np.ndarray) -> _Places:
        half = 0.5 * min(np.array(values.shape[1:]) * edges_um[1:])
        z, y, x = np.meshgrid(
            *((np.arange(n) - (n - 1) / 2) * e / half
              for n, e in zip(values.shape, edges_um, strict=True)),
            indexing="ij",
        )  # fmt: skip
        held, z, y, x = (part.ravel().astype(np.float32) for part in (values, z, y, x))
        return cls(held, z, y, x, float(edges_um[0] / half), float(max(edges_um[1:]) / half))

    def within_bins(self, axis: np.ndarray) -> float:
        """Give the sum of squares within bins of height and radius, less a constant."""
        a, b, y0, x0 = (np.float32(v) for v in axis)
        y, x = self.y - y0, self.x - x0
        along = (self.z + a * y + b * x) / np.sqrt(1 + a * a + b * b)
        radius = np.sqrt(np.maximum(self.z**2 + y**2 + x**2 - along**2, 0))
        ring = np.minimum(radius * (_RINGS / 1.5), 2 * _RINGS - 1).astype(np.int32)
        height = ((along - along.min()) / self.step).astype(np.int32)
        at = height * (2 * _RINGS) + ring
        count, sums = np.bincount(at), np.bincount(at, self.values)
        return -float(np.sum(sums**2 / np.maximum(count, 1)))

    def refined(self, axis: np.ndarray) -> tuple[np.ndarray, float]:
        """Fit slopes and place of an axis (Gauss-Newton), and give what it explains.

        Parameters
        ----------
        axis : ndarray, shape (4,)
            Slopes along y and x, and where it passes the middle slice.
        """
        best = axis, self.about(axis)
        for _ in range(_ROUNDS):
            moved = best[1].step()
            axis = best[0] + moved
            if (np.abs(axis) > _ASTRAY).any():
                break
            best = axis, self.about(axis)
            if np.abs(moved[:2]).max() < _STILL:
                break
        return best[0], best[1].explained

    def about(self, axis: np.ndarray) -> _Fit:
        """Compare each value with those of its height and radius about an axis."""
        a, b, y0, x0 = (np.float32(v) for v in axis)
        norm = np.sqrt(1 + a * a + b * b)
        y, x = self.y - y0, self.x - x0
        along = (self.z + a * y + b * x) / norm
        radius = np.sqrt(np.maximum(self.z**2 + y**2 + x**2 - along**2, np.float32(1e-9)))
        grid = _Grid.of((along - along.min()) / np.float32(self.step), radius / self.across)
        profile = grid.means(self.values)
        rises = profile.rises((self.step, self.across))
        # How height and radius change with each of the four numbers.
        by_slope = ((y - a * along / norm) / norm, (x - b * along / norm) / norm)
        higher = (*by_slope, -a / norm, -b / norm)
        wider = [(-along * h - s) / radius for h, s in zip(higher, (0, 0, y, x), strict=True)]
        by_height, by_radius = (grid.between(part) for part in rises)
        terms = [by_height * h + by_radius * w for h, w in zip(higher, wider, strict=True)]
        apart = self.values - grid.between(profile.mean)
        return _Fit(apart, np.stack(terms), float(self.values.var(dtype=np.float64)))


@dataclass(frozen=True)
class _Fit:
    """What height and radius leave of the values, and how that changes with the axis."""

    apart: np.ndarray
    terms: np.ndarray
    variance: float

    @property
    def explained(self) -> float:
        """Part of the variance."""
        left = float(np.mean(self.apart**2, dtype=np.float64))
        return 1 - left / self.variance if self.variance > 0 else 0.0

    def step(self) -> np.ndarray:
        """Give by how much the axis must change."""
        terms = self.terms.astype(np.float64)
        moved: np.ndarray = np.linalg.lstsq(terms @ terms.T, terms @ self.apart, rcond=None)[0]
        return moved


@dataclass(frozen=True)
class _Profile:
    """Means over height and radius, and of how many values."""

    mean: np.ndarray
    count: np.ndarray

    def rises(self, steps: tuple[float, float]) -> list[np.ndarray]:
        """Give its slopes; 0 beside what is not known, and where only a few columns reach."""
        most = self.count.max(axis=0, keepdims=True)
        parts = []
        for axis, step in enumerate(steps):
            held = np.moveaxis(self.count > _ENOUGH, axis, 0).copy()
            inner = held.copy()
            inner[1:] &= held[:-1]
            inner[:-1] &= held[1:]
            known = np.moveaxis(inner, 0, axis) & (self.count > _ENOUGH * most)
            parts.append(np.where(known, np.gradient(self.mean, axis=axis) / step, 0))
        return parts


@dataclass(frozen=True)
class _Grid:
    """Where values lie between the points of a grid of height and radius."""

    corners: list[tuple[np.ndarray, np.ndarray]]  # number of the point, and its weight
    shape: tuple[int, int]

    @classmethod
    def of(cls, height: np.ndarray, radius: np.ndarray) -> _Grid:
        shape = int(height.max()) + 2, int(radius.max()) + 2
        (low, up), (near, far) = ((u.astype(np.int32), u % 1) for u in (height, radius))
        corners = [
            ((low + i) * shape[1] + near + j, (up if i else 1 - up) * (far if j else 1 - far))
            for i in (0, 1)
            for j in (0, 1)
        ]
        return cls(corners, shape)

    def means(self, values: np.ndarray) -> _Profile:
        """Share values out among the points about them."""
        size = self.shape[0] * self.shape[1]
        count = sum(np.bincount(at, part, size) for at, part in self.corners)
        total = sum(np.bincount(at, part * values, size) for at, part in self.corners)
        count, total = np.reshape(count, self.shape), np.reshape(total, self.shape)
        return _Profile(total / np.maximum(count, 1e-9), count)

    def between(self, points: np.ndarray) -> np.ndarray:
        """Interpolate between the points."""
        held = points.ravel().astype(np.float32)
        first, *others = (part * held[at] for at, part in self.corners)
        return np.asarray(sum(others, first))
