"""How much thicker a layer is than it was. In: maps; out: ratios."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.errors import DataError
from xct.geometry import Surface


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
