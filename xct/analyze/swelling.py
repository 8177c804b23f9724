"""How much thicker a layer is than it was, and how much of it gaps may be. In: maps; out: sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from xct.errors import DataError
from xct.geometry import Surface

_GAP_UM, _GAP_STEP_UM = 100.0, 10.0  # width of a gap; of the columns that are taken together


def swelling_of(layer: Surface, pristine: Surface | None, *, common: float = 0.5) -> dict[str, Any]:
    """Compare the median thickness of a layer with that of a pristine one, of this cell or another.

    Parameters
    ----------
    layer : Surface
        Thickness and its standard deviation, µm.
    pristine : Surface or None
        The same of the cell that was not cycled.
    common : float, optional
        Fraction of the standard deviations that all columns have in common.

    Returns
    -------
    dict
        ``swelling`` = (t - t₀) / t₀ and ``swelling_sd``; NaN where nothing can be compared.
    """
    now, before = (_middle(some, common) for some in (layer, pristine))
    if not before[0] > 0:
        return {"swelling": np.nan, "swelling_sd": np.nan}
    ratio = now[0] / before[0]
    sd = np.hypot(now[1], ratio * before[1]) / before[0]
    return {"swelling": ratio - 1, "swelling_sd": float(sd)}


def _middle(layer: Surface | None, common: float) -> tuple[float, float]:
    if layer is None or not np.isfinite(layer.height_um).any():
        return np.nan, np.nan
    return float(np.nanmedian(layer.height_um)), common * float(np.nanmedian(layer.sd_um))


def swelling_map(layer: Surface, pristine: Surface) -> Surface:
    """Compare a layer with itself, column by column: only for one cell on one grid.

    Parameters
    ----------
    layer, pristine : Surface
        Thickness and its standard deviation, µm, of the same columns.

    Returns
    -------
    Surface
        (t - t₀) / t₀ and its standard deviation, dimensionless; NaN where either is unknown, or
        there was nothing.

    Raises
    ------
    DataError
        If the maps have different shapes.
    """
    if layer.height_um.shape != pristine.height_um.shape:
        raise DataError(
            f"the maps have shapes {layer.height_um.shape} and {pristine.height_um.shape} (y, x); "
            "bring them onto one grid first, as displacement_map does"
        )
    before = np.where(pristine.height_um > 0, pristine.height_um, np.nan)
    ratio = layer.height_um / before
    sd = np.hypot(layer.sd_um, ratio * pristine.sd_um) / before
    return Surface(ratio - 1, sd, "change of thickness over the pristine one")


def gap_at_most_um(thickness_um: np.ndarray, pixel_um: tuple[float, float]) -> float:
    """Bound how much of a layer's thickness can be gaps above it, narrower than 100 µm.

    A gap has the grey value of lithium. Where the electrolyte has come off, its face stands out of
    what is around; so does lithium where it is thicker. Both are what an opening by a disc of that
    width takes away. A gap that is wider is not bounded.

    Parameters
    ----------
    thickness_um : ndarray, shape (y, x)
        Of low grey between steel and electrolyte; NaN where it is not known.
    pixel_um : tuple of float
        Edges of its pixels, y and x.

    Returns
    -------
    float
        Mean over the area, µm; NaN where the layer is narrower than such a gap.
    """
    steps = [max(1, round(_GAP_STEP_UM / edge)) for edge in pixel_um]
    y, x = (n // step for n, step in zip(thickness_um.shape, steps, strict=True))
    blocks = thickness_um[: y * steps[0], : x * steps[1]].reshape(y, steps[0], x, steps[1])
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    mean = np.where(known, blocks, 0).sum(axis=(1, 3), dtype=np.float64) / np.maximum(count, 1)
    radius = [0.5 * _GAP_UM / (step * edge) for step, edge in zip(steps, pixel_um, strict=True)]
    v, u = (np.arange(-int(r), int(r) + 1) / r for r in radius)
    disc = v[:, None] ** 2 + u**2 <= 1
    low = np.where(count > 0, mean, np.inf)
    # Beyond the bore is nothing that could hold a disc up.
    low = scipy.ndimage.grey_erosion(low, footprint=disc, mode="constant", cval=np.inf)
    low = np.where(count > 0, low, -np.inf)
    opened = scipy.ndimage.grey_dilation(low, footprint=disc, mode="constant", cval=-np.inf)
    excess = (mean - opened)[count > 0]
    if not excess.size or (count > 0).sum() < 4 * disc.sum():
        return float("nan")
    return float(np.average(excess, weights=count[count > 0]))
