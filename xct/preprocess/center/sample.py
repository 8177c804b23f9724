"""What the axis is looked for in. In: line integrals of some rows; out: sorted, clean, smaller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.center.center_of_mass import stripes

MOST_COLUMNS = 1280
MOST_VIEWS = 1200  # per half turn, where the whole sinogram is transformed
MOST_VALUES = 100_000_000  # more rows than that are thinned out
OUTLIER_SD = 12.0
BESIDE_PX = 3  # an outlier is narrower


@dataclass(frozen=True)
class Sample:
    """Line integrals prepared for the search.

    Attributes
    ----------
    views : ndarray of float32, shape (angle, row, column)
        Ascending in angle, without outliers, columns binned.
    theta_deg : ndarray, shape (angle,)
        Angles, the first of them 0.
    few, few_theta_deg : ndarray
        The same, with neighbouring angles averaged where there are many.
    bin : int
        Columns averaged into one.
    stripe_sd : float
        Standard deviation of fixed stripes, as line integral per binned column.
    """

    views: np.ndarray
    theta_deg: np.ndarray
    few: np.ndarray
    few_theta_deg: np.ndarray
    bin: int
    stripe_sd: float

    @cached_property
    def free(self) -> np.ndarray:
        """The views without fixed stripes."""
        return np.asarray(self.views - stripes(self.views))

    @cached_property
    def missing_deg(self) -> float:
        """What the angles miss of half a turn, beyond the usual step."""
        step = float(np.median(np.diff(self.theta_deg)))
        return max(0.0, 180.0 - float(self.theta_deg[-1]) - 1.5 * step)

    @property
    def columns(self) -> int:
        """Columns after binning."""
        return int(self.views.shape[-1])

    def raw_px(self, center_px: float) -> float:
        """Column of the caller's data at which a binned column lies."""
        return center_px * self.bin + (self.bin - 1) / 2


def taken(views: np.ndarray, theta_deg: np.ndarray) -> Sample:
    """Sort by angle, drop outliers, bin to what the search needs.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees, in any order.
    """
    angles, rows, columns = views.shape
    most_rows = max(4, MOST_VALUES // (angles * columns))
    if rows > most_rows:
        views = views[:, np.linspace(0, rows - 1, most_rows).round().astype(np.intp)]
    order = np.argsort(theta_deg, kind="stable")
    theta = theta_deg[order] - theta_deg[order[0]]
    factor = -(-columns // MOST_COLUMNS)
    binned = np.empty((angles, views.shape[1], columns // factor), np.float32)
    limit = OUTLIER_SD * _noise(views, order)
    over_ranges(partial(_cleaned, views, order, factor, limit, binned), angles)
    few, few_theta = _fewer(binned, theta)
    sd = float(1.4826 * np.median(np.abs(stripes(few))))
    return Sample(binned, theta, few, few_theta, factor, sd)


def _noise(views: np.ndarray, order: np.ndarray) -> float:
    """Noise of one value, from what a view differs by from the mean of its neighbours."""
    middle = np.arange(1, len(order) - 1, max(1, len(order) // 64))
    before, here, after = (views[order[middle + k], ..., ::3] for k in (-1, 0, 1))
    return float(1.4826 * np.median(np.abs(here - (before + after) / 2)) / np.sqrt(1.5))


def _fewer(views: np.ndarray, theta_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half_turns = max(1.0, theta_deg[-1] / 180.0)
    size = max(1, int(len(views) / half_turns / MOST_VIEWS + 0.5))
    if size == 1:
        return views, theta_deg
    count = len(views) // size
    parts = views[: count * size].reshape(count, size, *views.shape[1:])
    return parts.mean(axis=1), theta_deg[: count * size].reshape(count, size).mean(axis=1)


@njit(cache=True, nogil=True)
def _cleaned(
    views: np.ndarray,
    order: np.ndarray,
    factor: int,
    limit: float,
    binned: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Bin columns; a value far above or far below its neighbours takes the mean of two.

    It must stand out in angle and in column: an edge that moves stands out in angle only.
    """
    angles, rows, columns = binned.shape
    last = views.shape[2] - 1
    for i in range(first, stop):
        # The first and the last view, which tell most, are held against the two next to them.
        here = order[i]
        before = order[i - 1 if i > 0 else 2]
        after = order[i + 1 if i < angles - 1 else angles - 3]
        for row in range(rows):
            for column in range(columns):
                total = 0.0
                for c in range(column * factor, (column + 1) * factor):
                    value = views[here, row, c]
                    up, down = value - views[before, row, c], value - views[after, row, c]
                    if min(up, down) > limit or max(up, down) < -limit:
                        left = value - views[here, row, max(c - BESIDE_PX, 0)]
                        right = value - views[here, row, min(c + BESIDE_PX, last)]
                        if min(up, left, right) > limit or max(up, left, right) < -limit:
                            value -= (up + down) / 2
                    total += value
                binned[i, row, column] = total / factor
