"""The bench phantom: 100 discs, their exact projections and picture, and errors against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from xct.phantom import draw_discs, project_discs, random_discs

# One pixel is 1 cm, so that slices hold the values of the discs.
PIXEL_SIZE_UM = 1e4
_DISCS, _SEED = 100, 0
_SEEN = 0.95  # part of the circle's radius in which errors are counted
# What ringing at a rim does to a disc is left out of the core of discs that are large enough.
_RIM_PX, _LARGE_PX = 2.0, 8.0


@dataclass(frozen=True)
class Problem:
    """A slice to reconstruct.

    Attributes
    ----------
    columns : int
        Detector columns, and width of the slice.
    theta_deg : ndarray, shape (angle,)
        Angles.
    axis_px : float
        Where the axis is: as a column of the detector, and as x and y of the slice.
    angles : int
        How many angles the whole problem has, where this is a part of it.
    """

    columns: int
    theta_deg: np.ndarray
    axis_px: float
    angles: int

    @classmethod
    def of(cls, columns: int, angles: int, axis_px: float | None = None) -> Problem:
        """Make a problem with equal steps of angle over 180°; the axis in the middle."""
        theta_deg = np.arange(angles) * 180.0 / angles
        return cls(columns, theta_deg, (columns - 1) / 2 if axis_px is None else axis_px, angles)

    def thinned(self, step: int) -> Problem:
        """Give the same problem with every `step`-th angle only."""
        return Problem(self.columns, self.theta_deg[::step], self.axis_px, self.angles)

    @cached_property
    def discs(self) -> np.ndarray:
        """The discs: x, y, radius (pixels from the axis) and value."""
        return random_discs(_DISCS, self.columns, seed=_SEED)

    @cached_property
    def sinogram(self) -> np.ndarray:
        """Exact projections as float32, shape (angle, column)."""
        exact = project_discs(self.discs, self.theta_deg, self.columns, self.axis_px)
        return exact.astype(np.float32)

    def slab(self, rows: int) -> np.ndarray:
        """Give sinograms of several rows, shape (angle, row, column), the first one as it is.

        The others are weaker, each in its own way: a row that leaks into another shows.
        """
        strength = np.linspace(1.0, 0.5, rows, dtype=np.float32)
        slab: np.ndarray = self.sinogram[:, None, :] * strength[:, None]
        return slab

    @cached_property
    def truth(self) -> np.ndarray:
        """The discs, exact in area, shape (y, x)."""
        shifted = self.discs.copy()
        shifted[:, :2] += self.axis_px - (self.columns - 1) / 2
        return draw_discs(shifted, self.columns)

    def errors(self, picture: np.ndarray) -> dict[str, float]:
        """Compare a slice with the truth, in % of its largest value.

        The mean of a disc is over its area, as the truth is exact in area: a pixel on the rim
        counts by the part of it that lies in the disc. A rim rings by some 10 %, whatever sums up
        its spectrum; counting a pixel whole or not at all, by its center, leaves a part of this
        in the mean of a small disc.

        Parameters
        ----------
        picture : ndarray, shape (y, x)
            A reconstructed slice.

        Returns
        -------
        dict of str to float
            `rmse` inside 0.95 of the circle; `disc`, the largest mean error of a disc over its
            area; `disc_centers`, over the pixels whose center lies in it; `disc_core`, over those
            from two pixels inside the rim, discs below 8 pixels of radius left out; `background`,
            the mean error outside the discs. Biases keep their sign.
        """
        error = self._percent(picture - self.truth)
        position = np.arange(self.columns) - self.axis_px
        inside = np.hypot(position, position[:, None]) <= _SEEN * self.columns / 2
        return {
            "rmse": float(np.sqrt(np.mean(error[inside] ** 2))),
            "disc": self._worst_by_area(error),
            "disc_centers": self._worst(error, 0.0, 0.0),
            "disc_core": self._worst(error, _RIM_PX, _LARGE_PX),
            "background": float(error[inside & (self.truth == 0)].mean()),
        }

    def disc_difference(self, picture: np.ndarray, other: np.ndarray) -> float:
        """Largest difference of the mean of a disc between two slices, in % as for `errors`."""
        return self._worst_by_area(self._percent(picture - other))

    def _percent(self, error: np.ndarray) -> np.ndarray:
        percent: np.ndarray = 100 * error / self.truth.max()
        return percent

    def _worst_by_area(self, error: np.ndarray) -> float:
        means = [0.0]
        for x, y, radius, _ in self.discs:
            right, down = round(x + self.axis_px), round(y + self.axis_px)
            reach = ceil(radius) + 1
            # The disc alone, drawn about the pixel nearest to its middle.
            alone = [[x + self.axis_px - right, y + self.axis_px - down, radius, 1.0]]
            area = draw_discs(np.array(alone), 2 * reach + 1)
            rows, columns = (np.arange(n - reach, n + reach + 1) for n in (down, right))
            there = np.ix_(
                (rows >= 0) & (rows < self.columns), (columns >= 0) & (columns < self.columns)
            )
            own = error[max(rows[0], 0) : rows[-1] + 1, max(columns[0], 0) : columns[-1] + 1]
            means.append(float(np.average(own, weights=area[there])))
        return max(means, key=abs)

    def _worst(self, error: np.ndarray, rim: float, least: float) -> float:
        position = np.arange(self.columns) - self.axis_px
        means = [0.0]
        for x, y, radius, _ in self.discs[self.discs[:, 2] >= least]:
            across = np.flatnonzero(abs(position - x) <= radius)
            down = np.flatnonzero(abs(position - y) <= radius)
            distance = np.hypot(position[across] - x, position[down, None] - y)
            within = distance <= radius - rim
            if within.any():  # a disc may fall between pixels of a very small slice
                means.append(float(error[np.ix_(down, across)][within].mean()))
        return max(means, key=abs)
