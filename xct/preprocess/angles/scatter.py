"""Angles that scatter about the true ones. In: a prepared sample; out: degrees, from view to view.

An angle that is off makes the gap before it too large and the one behind it as much too small, in
all rows alike. Noise differs from row to row; what a turn does not explain goes on over views.
"""

from __future__ import annotations

from dataclasses import replace
from math import radians, sqrt

import numpy as np

from xct.preprocess.angles.jumps import (
    Excess,
    Scales,
    all_scales,
    excess_at,
    telling,
    widths_px,
)
from xct.preprocess.angles.steps import MAD, few_rows, smoothed
from xct.preprocess.center.sample import Sample, median_step

# Chosen on `draw_scan` and grains, tubes and textures of seeds 0 to 11: plain ones have up to 2.6
# and down to -2.3, with scatter of 0.3 steps at least 8.4 and at most -3.5.
_SURE_SD, _ALSO_SD = 5.0, 2.5
_LARGEST_SD = 3.0  # steps; with more scatter views say nothing of it
_OUTLIER_SD = 4.0
_LEAST_PX = 0.25  # by which the rim scatters
_THINNED = (2, 4)  # angles that scatter by steps are out of order; those farther apart are not


def angle_scatter_deg(sample: Sample, scales: Scales) -> float:
    """Measure how far angles stand off from the true ones, as a standard deviation.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle, of two rows or more.
    scales : list
        From `all_scales`.

    Returns
    -------
    float
        Degrees; 0 where scatter is not sure, or moves the rim by less than a quarter of a pixel.
    """
    found = _scatter_deg(sample, scales)
    for every in () if found or telling(scales) else _THINNED:
        thinned = replace(sample, views=sample.views[::every], theta_deg=sample.theta_deg[::every])
        found = found or _scatter_deg(thinned, all_scales(thinned))
    moves = radians(found) * sample.columns * sample.bin / 2
    return found if moves > _LEAST_PX else 0.0


def _scatter_deg(sample: Sample, scales: Scales) -> float:
    views, step = few_rows(sample.free), median_step(sample.theta_deg)
    if views.shape[1] < 2:
        return 0.0
    surest, found = 0.0, 0.0
    for width, (single, _) in zip(widths_px(sample), scales, strict=bool(scales)):
        if single.sd < _LARGEST_SD:
            sure, steps = _common(sample, views, width)
            if sure > surest:
                surest, found = sure, steps * step
    return found


def _common(sample: Sample, views: np.ndarray, width: float) -> tuple[float, float]:
    """Find what two halves of the rows share: how sure that is (0: not), and its scatter, steps."""
    smooth, every = smoothed(views, width)
    a, b = (_clipped(excess_at(sample, smooth[:, k::2], every)) for k in (0, 1))
    same, same_sd = _covariance(a, b)
    next_one = [_covariance(x[1:], y[:-1]) for x, y in ((a, b), (b, a))]
    turned = sum(value for value, _ in next_one) / 2
    turned_sd = sqrt(sum(sd**2 for _, sd in next_one)) / 2
    if not (same > _SURE_SD * same_sd and turned < -_ALSO_SD * turned_sd):
        return 0.0, 0.0
    return same / same_sd, sqrt(same / 2)


def _clipped(excess: Excess) -> np.ndarray:
    away = excess.steps - np.nanmedian(excess.steps)
    most = _OUTLIER_SD * MAD * float(np.nanmedian(np.abs(away)))
    return np.asarray(np.clip(away, -most, most))


def _covariance(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Give the covariance, and its standard error."""
    product = a * b
    product = product[np.isfinite(product)]
    if product.size < 2:
        return 0.0, np.inf
    return float(product.mean()), float(product.std() / sqrt(product.size)) or np.inf
