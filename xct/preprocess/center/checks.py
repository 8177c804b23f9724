"""What must hold before an axis can be looked for. In: what the caller has; out: errors."""

from __future__ import annotations

import numpy as np

LEAST_VIEWS = 8
LEAST_RANGE_DEG = 150.0
REMEDY = "; give the axis yourself as scan.center_px"


def checked_views(line_integrals: np.ndarray, theta_deg: np.ndarray) -> np.ndarray:
    """Return (angle, row, column), or say why no axis can be found in it."""
    views = np.asarray(line_integrals)
    theta = np.asarray(theta_deg, dtype=np.float64)
    if views.ndim == 2:
        views = views[:, None, :]
    if views.ndim != 3 or views.shape[1] < 1 or views.shape[2] < 16:
        raise ValueError(
            f"line_integrals has shape {np.shape(line_integrals)}; expected (angle, row, column) "
            "or (angle, column), at least 16 columns wide" + REMEDY
        )
    if theta.shape != views.shape[:1]:
        raise ValueError(
            f"theta_deg has shape {theta.shape}, but line_integrals holds {len(views)} angles: "
            "one angle per projection is needed"
        )
    _check_angles(theta)
    _check_finite(views)
    return views


def _check_angles(theta_deg: np.ndarray) -> None:
    if not np.isfinite(theta_deg).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(theta_deg))} of {theta_deg.size} angles in theta_deg "
            "are not finite; every projection needs its angle in degrees"
        )
    if np.unique(theta_deg).size < LEAST_VIEWS:
        raise ValueError(
            f"{np.unique(theta_deg).size} different angles are too few to find the rotation axis: "
            f"at least {LEAST_VIEWS} are needed" + REMEDY
        )
    span = float(np.ptp(theta_deg))
    span += span / (theta_deg.size - 1)
    if span < LEAST_RANGE_DEG:
        radians = " (are they radians? degrees are expected)" if span < 7 else ""
        raise ValueError(
            f"the angles cover {span:.4g}°{radians}, but the axis can only be found from at least "
            f"{LEAST_RANGE_DEG:g}°" + REMEDY
        )


def _check_finite(views: np.ndarray) -> None:
    bad = sum(int(np.count_nonzero(~np.isfinite(view))) for view in views)
    if bad:
        raise ValueError(
            f"{bad} of {views.size} line integrals are NaN or infinite; repair them first "
            "(fill_dead_pixels, fill_nonpositive)" + REMEDY
        )


def check_logarithm(views: np.ndarray) -> None:
    """Refuse transmission: it is 1 beside the sample and less behind it.

    Only said where both margins are at 1 in every view and nothing rises above them: line
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
        raise ValueError(
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


def check_half_acquisition(
    center_px: float, columns: int, cut: tuple[bool, bool], span_deg: float
) -> None:
    """Refuse a full turn about an axis near one edge, where the sample leaves the view."""
    overlap = 2 * min(center_px + 0.5, columns - 0.5 - center_px) / columns
    side = 0 if center_px < (columns - 1) / 2 else 1
    if span_deg > 300 and overlap < 0.7 and cut[side]:
        raise ValueError(
            f"this is a half acquisition: over {span_deg:.4g}° the axis is near column "
            f"{center_px:.1f} of {columns}, where the sample leaves the field of view, and views "
            f"half a turn apart share only {100 * overlap:.0f} % of the width "
            f"({overlap * columns:.0f} columns); the two half turns must be stitched into one of "
            "180° first"
        )
