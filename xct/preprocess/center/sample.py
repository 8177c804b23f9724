"""What the axis is searched in. In: line integrals of some rows; out: checked, sorted, smaller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import scipy

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.motion.sinking import raised, slow_part
from xct.preprocess.motion.unsteadiness import unsteadiness_px

LEAST_VIEWS = 8
LEAST_RANGE_DEG = 150.0
REMEDY = "; give the axis yourself as scan.center_px"
MOST_COLUMNS = 1280
MOST_VIEWS = 1200  # per half turn, where the whole sinogram is transformed
MOST_VALUES = 100_000_000  # more rows than that are thinned out
OUTLIER_SD = 12.0
BESIDE_PX = 3  # an outlier is narrower
_STEP = 0.1  # of the mean step: less lies between exposures of one angle


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
        The same, with neighboring angles averaged where there are many.
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
        return np.asarray(self.views - fixed_stripes(self.views))

    @cached_property
    def unsteadiness_px(self) -> float:
        """Standard deviation of the views' shifts along (binned) columns."""
        return unsteadiness_px(self.free)

    @cached_property
    def missing_deg(self) -> float:
        """What the angles miss of half a turn, beyond the usual step."""
        return max(0.0, 180.0 - float(self.theta_deg[-1]) - 1.5 * median_step(self.theta_deg))

    @property
    def columns(self) -> int:
        """Columns after binning."""
        return int(self.views.shape[-1])

    def raw_px(self, center_px: float) -> float:
        """Column of the caller's data at which a binned column lies."""
        return center_px * self.bin + (self.bin - 1) / 2


def median_step(theta_deg: np.ndarray) -> float:
    """Give the usual step of ascending angles, degrees: what repeats an angle is no step."""
    steps = np.diff(theta_deg)
    return float(np.median(steps[steps >= _STEP * steps.mean()]))


def prepared(views: np.ndarray, theta_deg: np.ndarray) -> Sample:
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
    # An offset must not change the answer: the edges of the view lie about 0.
    edge = max(2, binned.shape[-1] // 50)
    level = np.concatenate([few[..., :edge], few[..., -edge:]], axis=-1).mean(dtype=np.float64)
    binned -= np.float32(level)
    few = binned if few is binned else few - np.float32(level)
    sd = float(1.4826 * np.median(np.abs(fixed_stripes(few))))
    return Sample(binned, theta, few, few_theta, factor, sd)


def fixed_stripes(views: np.ndarray) -> np.ndarray:
    """Estimate fixed stripes: what stands out, by column, of the mean over all angles."""
    profile = views.mean(axis=0)
    size = min(15, views.shape[-1] | 1)
    return np.asarray(profile - scipy.ndimage.median_filter(profile, (1, size), mode="nearest"))


def _noise(views: np.ndarray, order: np.ndarray) -> float:
    """Noise of one value, from what a view differs by from the mean of its neighbors."""
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
    """Bin columns; a value far above or far below its neighbors takes the mean of two.

    It must stand out in angle and in column: an edge that moves stands out in angle only.
    """
    angles, rows, columns = binned.shape
    last = views.shape[2] - 1
    for i in range(first, stop):
        # The first and the last view, which matter most, are compared with the two next to them.
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


def leaned(views: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Move rows along columns, each by its own shift, so that a leaning axis stands upright.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    shift_px : ndarray, shape (row,)
        Towards larger columns.
    """
    moved = np.empty(views.shape, np.float32)
    for row, shift in enumerate(shift_px):
        scipy.ndimage.shift(
            np.asarray(views[:, row], np.float32), (0, shift), moved[:, row], mode="nearest"
        )
    return moved


def steadied(views: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Move views along columns, each back by its own shift, shape (angle,)."""
    moved = np.empty(views.shape, np.float32)
    for view, shift in enumerate(shift_px):
        scipy.ndimage.shift(
            np.asarray(views[view], np.float32), (0, -shift), moved[view], mode="nearest"
        )
    return moved


def unshaken(
    views: np.ndarray,
    stage_jitter: tuple[list[float], list[float]] | None,
    row_px: np.ndarray | None,
) -> np.ndarray:
    """Take out the stage's jitter along columns, and what moves slowly along rows.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    stage_jitter : two lists of float, or None
        Rows and columns by which each view is shifted; None: nothing is to be done.
    row_px : ndarray, shape (row,), or None
        Which rows of the frame these are.
    """
    if stage_jitter is None:
        return views
    rows, columns = (np.asarray(each, np.float64) for each in stage_jitter)
    if columns.any():
        views = steadied(views, columns)
    return views if row_px is None else raised(views, slow_part(rows), row_px)


# What must hold before an axis can be searched, and where the sample ends.


def checked_views(line_integrals: np.ndarray, theta_deg: np.ndarray) -> np.ndarray:
    """Return (angle, row, column), or say why no axis can be found in it."""
    views = np.asarray(line_integrals)
    theta = np.asarray(theta_deg, dtype=np.float64)
    if views.ndim == 2:
        views = views[:, None, :]
    if views.ndim != 3 or views.shape[1] < 1 or views.shape[2] < 16:
        raise DataError(
            f"line_integrals has shape {np.shape(line_integrals)}; expected (angle, row, column) "
            "or (angle, column), at least 16 columns wide" + REMEDY
        )
    if theta.shape != views.shape[:1]:
        raise DataError(
            f"theta_deg has shape {theta.shape}, but line_integrals holds {len(views)} angles: "
            "one angle per projection is needed"
        )
    _check_angles(theta)
    _check_finite(views)
    return views


def _check_angles(theta_deg: np.ndarray) -> None:
    if not np.isfinite(theta_deg).all():
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(theta_deg))} of {theta_deg.size} angles in theta_deg "
            "are not finite; every projection needs its angle in degrees"
        )
    if np.unique(theta_deg).size < LEAST_VIEWS:
        raise DataError(
            f"{np.unique(theta_deg).size} different angles are too few to find the rotation axis: "
            f"at least {LEAST_VIEWS} are needed" + REMEDY
        )
    span = float(np.ptp(theta_deg))
    span += span / (theta_deg.size - 1)
    if span < LEAST_RANGE_DEG:
        radians = " (are they radians? degrees are expected)" if span < 7 else ""
        raise DataError(
            f"the angles cover {span:.4g}°{radians}, but the axis can only be found from at least "
            f"{LEAST_RANGE_DEG:g}°" + REMEDY
        )


def _check_finite(views: np.ndarray) -> None:
    bad = sum(int(np.count_nonzero(~np.isfinite(view))) for view in views)
    if bad:
        raise DataError(
            f"{bad} of {views.size} line integrals are NaN or infinite; repair them first "
            "(fill_dead_pixels, fill_nonpositive)" + REMEDY
        )


def check_logarithm(views: np.ndarray) -> None:
    """Refuse transmission: it is 1 beside the sample and less behind it.

    It is refused only where both margins are at 1 in every view and nothing rises above them: line
    integrals are 0 there.
    """
    margin = max(3, views.shape[-1] // 40)
    sides = [np.median(side, axis=(1, 2)) for side in (views[..., :margin], views[..., -margin:])]
    air = np.concatenate(sides)
    if abs(np.median(air) - 1) > 0.08 or np.ptp(np.quantile(air, [0.05, 0.95])) > 0.08:
        return
    thinned = views[:: max(1, len(views) // 64)]
    low, high = np.quantile(thinned, [0.02, 0.98])
    noise = 1.4826 * np.median(np.abs(thinned[..., :margin] - np.median(thinned[..., :margin])))
    profile = thinned.mean(axis=(0, 1))
    if high < 1.05 + 3 * noise and low < 0.97 - 3 * noise and low > -0.1 and profile.min() < 0.97:
        raise DataError(
            f"these look like transmission, not line integrals: {np.median(air):.3g} beside the "
            f"sample and down to {low:.3g} behind it, where line integrals are 0 and rise; "
            "run the stage line_integrals (the negative logarithm) first"
        )


def sample_cut(views: np.ndarray) -> tuple[bool, bool]:
    """Whether the sample leaves the field of view at the left and at the right edge.

    It does where the outermost columns change with the angle by more than 4 % of the contrast.
    """
    margin = max(2, views.shape[-1] // 50)
    low, high = np.quantile(views[:: max(1, len(views) // 32)], [0.02, 0.98])
    found = []
    for side in (views[..., :margin], views[..., -margin:]):
        level = side.mean(axis=2, dtype=np.float64)
        # Slow changes only: noise from view to view must not look like a sample.
        size = max(1, len(level) // 32)
        slow = level[: len(level) // size * size].reshape(-1, size, level.shape[1]).mean(axis=1)
        found.append(bool(np.median(slow.std(axis=0)) > 0.04 * (high - low)))
    return found[0], found[1]


def flat_beside(views: np.ndarray) -> bool:
    """Whether the mean over all angles is level at both edges, as it is where nothing absorbs."""
    profile = views.mean(axis=(0, 1), dtype=np.float64)
    margin = max(2, profile.size // 50)
    rise = (
        profile[:margin].mean() - profile[margin : 3 * margin].mean(),
        profile[-margin:].mean() - profile[-3 * margin : -margin].mean(),
    )
    return bool(max(abs(side) for side in rise) < 0.045 * np.ptp(profile))
