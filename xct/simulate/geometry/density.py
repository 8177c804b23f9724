"""How dense the electrolyte is. In: grey values of a result; out: density over the reference's.

Pores finer than a voxel take their part of a grey value away. Only voxels whose neighbors are
electrolyte count, as what lies beside them is blurred into others; a Gaussian mean of them tells
the density of a place, where there are enough.
"""

from __future__ import annotations

import numpy as np

from xct.errors import XctError
from xct.geometry import Label
from xct.result import Result

_FWHM_UM = 13.0  # about a particle, as for the cathode's front
_AWAY_PX = 2  # from another material
_FEWEST = 50.0  # voxels that a mean rests on: one of them has a noise of a quarter
_TRUNCATE = 3.0
_LEAST = 0.05
_MOST_UNKNOWN = 0.5

Index = tuple[slice, slice, slice]


def density_at(result: Result, index: Index) -> np.ndarray:
    """Give the electrolyte's density in a part of a result, over that of the reference.

    Parameters
    ----------
    result : Result
        Grey values and labels.
    index : tuple of slice
        Which voxels, along z, y and x.

    Returns
    -------
    ndarray of float32
        NaN where it is not known: too near to other materials.

    Raises
    ------
    XctError
        If the result has no normalized grey values.
    """
    voxel_um = result.cell.voxel_size_um
    wider, inner = [], []
    for part, edge, count in zip(index, voxel_um, result.cell.shape, strict=True):
        reach = int(np.ceil(_TRUNCATE * _FWHM_UM / 2.355 / edge)) + _AWAY_PX + 1
        low, high = max(0, part.start - reach), min(count, part.stop + reach)
        wider.append(slice(low, high))
        inner.append(slice(part.start - low, part.stop - low))
    try:
        grey = np.asarray(result.grey_values[tuple(wider)])
    except XctError as error:
        raise XctError(
            f"electrolyte.density_exponent: {result.path} has no normalized grey values, which the "
            f"density is read from ({error}); leave it out"
        ) from None
    electrolyte = np.asarray(result.labels("materials")[tuple(wider)]) == Label.ELECTROLYTE
    return relative_density(result.grey_scale.ratio(grey), electrolyte, voxel_um)[tuple(inner)]


def relative_density(
    ratio: np.ndarray, electrolyte: np.ndarray, voxel_um: tuple[float, float, float]
) -> np.ndarray:
    """Give a mean of the electrolyte's attenuation about every voxel.

    Parameters
    ----------
    ratio : ndarray, shape (z, y, x)
        Attenuation over that of the reference; NaN where it is not known.
    electrolyte : ndarray of bool, shape (z, y, x)
        What is electrolyte.
    voxel_um : tuple of float
        Edges of a voxel.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        NaN where less than 50 voxels of the electrolyte alone are near.
    """
    from scipy.ndimage import binary_erosion, gaussian_filter

    alone = binary_erosion(electrolyte, iterations=_AWAY_PX, border_value=1) & np.isfinite(ratio)
    sd_px = [_FWHM_UM / 2.355 / edge for edge in voxel_um]
    values, weights = (
        gaussian_filter(part.astype(np.float32), sd_px, mode="constant", truncate=_TRUNCATE)
        for part in (np.where(alone, ratio, 0.0), alone)
    )
    # A Gaussian mean of noise is one of this many voxels.
    effective = weights * float(np.prod([max(2 * np.sqrt(np.pi) * sd, 1.0) for sd in sd_px]))
    known = effective >= _FEWEST
    return np.where(known, values / np.where(known, weights, 1), np.nan).astype(np.float32)


def known_density(values: np.ndarray) -> np.ndarray:
    """Give the density, that of the reference where none is known, and nowhere next to nothing."""
    return np.maximum(np.where(np.isfinite(values), values, 1.0), _LEAST)


def density_note(part: str, values: np.ndarray) -> list[str]:
    """Say where the density of most of the electrolyte is not known."""
    unknown = float(np.isnan(values).mean())
    if unknown <= _MOST_UNKNOWN:
        return []
    return [
        f"electrolyte.density_exponent: the density of {unknown:.0%} of the electrolyte in the "
        f"{part} is not known, too near to other materials: κ is as given there"
        + ("; electrolyte.composite_s_m gives it" if part == "composite" else "")
    ]
