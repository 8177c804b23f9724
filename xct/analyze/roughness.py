"""Roughness of height maps by ISO 25178. In: surfaces; out: a table of parameters.

Height maps are noisy: the noise adds to every parameter. Its variance is subtracted, as far as the
autocorrelation of the map shows it: what is correlated over less than the averages reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from xct.analyze.layers import COMMON, beside
from xct.geometry import CellGeometry, Surface
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    from pandas import DataFrame

_FALLEN = 0.2  # of the autocorrelation, at Sal
# Lags in pixels beyond the reach of averages, from which the autocorrelation is continued to 0.
_LAGS = (5, 9)
_LEAST_COLUMNS = 25
_RIM = 0.5 / 3**0.5  # sd of the fraction of a rim that belongs to it: anything from none to all
_RELATIVE_SD = 0.02  # of a parameter: averages flatten what is finest


def tilt_numbers(roughness: DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the tilt of height maps: finer than that of the planes which the cell was found by."""
    for row in roughness.to_dict("records"):
        if math.isfinite(row.get("tilt_x_deg", math.nan)):
            slopes = (math.tan(math.radians(row[f"tilt_{axis}_deg"])) for axis in "xy")
            steepest = math.degrees(math.atan(math.hypot(*slopes)))
            yield (
                f"tilt_deg.{row['surface']}",
                Number(steepest, "°", row["tilt_x_deg_sd"], row["n"]),
            )


@stage(
    gives=Quantity(
        "roughness", unit="table of surfaces", store=Table("surfaces"), numbers=tilt_numbers
    ),
    measures=True,
    rests_on=("bore_not_found", "noise_too_strong", "stage_unsteady"),
)
def surface_roughness(
    surfaces: Mapping[str, Surface], cell: CellGeometry, uncorrected_fringes: str | None = None
) -> DataFrame:
    """Measure how rough, and how tilted, surfaces are.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        Height maps.
    cell : CellGeometry
        For the size of its voxels.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.

    Returns
    -------
    DataFrame
        One row for each surface, with ``surface`` and what `roughness_of` gives.

    Raises
    ------
    DataError
        If there are fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)

    rows = [
        {"surface": name, **roughness_of(surface, cell.voxel_size_um[1:])}
        for name, surface in surfaces.items()
    ]
    return pd.DataFrame(rows)


def roughness_of(surface: Surface, voxel_um: tuple[float, float]) -> dict[str, Any]:
    """Compute the parameters of one map against its mean plane.

    Sa, Sq, Ssk, Sku, Sz, Sdr and Sal of [1]_: mean and root mean square height, skewness,
    kurtosis, highest peak to deepest valley, developed area as a fraction more than the projected
    one, and the shortest lag at which the autocorrelation falls to 0.2. The variance of the noise
    is subtracted in all but Sz.

    Parameters
    ----------
    surface : Surface
        Heights, µm; NaN is left out.
    voxel_um : tuple of float
        Edges of a voxel along y and x.

    Returns
    -------
    dict
        ``mean_height_um, Sa_um, Sq_um, Ssk, Sku, Sz_um, Sdr, Sal_um, tilt_x_deg, tilt_y_deg``, of
        some ``…_sd``, ``noise_um`` and ``n``. tilt_x is the arc tangent of ∂h/∂x.

    References
    ----------
    .. [1] ISO 25178-2:2021, Geometrical product specifications, surface texture: areal.
    """
    height = surface.height_um.astype(np.float64)
    there = np.isfinite(height)
    n = int(there.sum())
    if n < _LEAST_COLUMNS:
        return {"n": n}
    flat, (slope_y, slope_x) = _detilted(height, there, voxel_um)
    values = flat[there]
    raw = float(np.mean(values**2))
    correlation = _autocovariance(flat, there)
    stated = surface.sd_um[there & np.isfinite(surface.sd_um)].astype(np.float64)
    noise = _noise_variance(correlation, raw, stated)
    sq = float(np.sqrt(raw - noise))
    kurtosis = np.mean(values**4) - 6 * noise * sq**2 - 3 * noise**2
    common = COMMON * float(np.median(stated)) if stated.size else np.nan
    sq_sd = _sd_of_sq(sq, noise, stated)
    mean_sd = float(np.hypot(common, _sd_of_columns(surface, sq)))
    # The error that all columns have in common may as well grow from the middle to the rim.
    tilt_sd = float(np.rad2deg(np.arctan(mean_sd / np.sqrt(n * np.prod(voxel_um) / np.pi))))
    sa = float(np.mean(np.abs(values))) * sq / max(float(np.sqrt(raw)), 1e-12)
    return {
        "mean_height_um": float(np.mean(height[there])),
        "mean_height_um_sd": mean_sd,
        "Sa_um": sa,
        "Sa_um_sd": sq_sd * sa / max(sq, 1e-12),
        "Sq_um": sq,
        "Sq_um_sd": sq_sd,
        "Ssk": float(np.mean(values**3)) / max(sq, 1e-12) ** 3,
        "Sku": float(kurtosis) / max(sq, 1e-12) ** 4,
        "Sz_um": float(np.ptp(values)),
        "Sdr": _developed(flat, there, voxel_um),
        "Sal_um": _shortest_lag(correlation, raw - noise, voxel_um),
        "Sal_um_sd": _sd_of_lag(correlation, sq, sq_sd, voxel_um),
        "tilt_x_deg": float(np.rad2deg(np.arctan(slope_x))),
        "tilt_x_deg_sd": tilt_sd,
        "tilt_y_deg": float(np.rad2deg(np.arctan(slope_y))),
        "tilt_y_deg_sd": tilt_sd,
        "noise_um": float(np.sqrt(noise)),
        "n": n,
    }


def _sd_of_columns(surface: Surface, sq: float) -> float:
    """Give the standard uncertainty of a mean from which columns have a height.

    Those that could not be measured, such as below a chip, may lie a standard deviation of the
    relief away, all alike. Those beside columns that have no height for good, such as where lithium
    is gone, may belong to these, and lie lower than the others.
    """
    there = np.isfinite(surface.height_um)
    measured = np.isfinite(surface.sd_um)
    n = np.count_nonzero(there)
    missing = np.count_nonzero(scipy.ndimage.binary_fill_holes(measured) & ~measured)
    height = surface.height_um.astype(np.float64)
    rim = there & beside(measured & ~there)
    lower = float(np.mean(height[rim]) - np.mean(height[there])) if rim.any() else 0.0
    return float(np.hypot(missing * sq, _RIM * np.count_nonzero(rim) * lower) / n)


def _detilted(
    height: np.ndarray, there: np.ndarray, voxel_um: tuple[float, float]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Subtract the best plane; 0 where nothing is."""
    rows, columns = (np.arange(n) * size for n, size in zip(height.shape, voxel_um, strict=True))
    terms = np.stack(np.broadcast_arrays(1.0, rows[:, None], columns[None]), axis=-1)
    plane = np.linalg.lstsq(terms[there], height[there])[0]
    flat = np.where(there, height - terms @ plane, 0.0)
    return flat, (float(plane[1]), float(plane[2]))


def _autocovariance(flat: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Average products of heights by lag, lag 0 in the middle; NaN where too few pairs are."""
    size = [scipy.fft.next_fast_len(2 * n, real=True) for n in flat.shape]
    products, pairs = (
        scipy.fft.fftshift(scipy.fft.irfft2(np.abs(scipy.fft.rfft2(field, size)) ** 2, size))
        for field in (flat, there.astype(np.float64))
    )
    few = pairs < 0.02 * there.sum()
    return np.asarray(np.where(few, np.nan, products / np.maximum(pairs, 1)))


def _lags_px(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = (np.arange(n) - n // 2 for n in correlation.shape)
    return y[:, None], x[None]


def _noise_variance(correlation: np.ndarray, raw: float, stated: np.ndarray) -> float:
    """Give what stands above the autocorrelation continued to lag 0, no more than was stated."""
    lag = np.hypot(*_lags_px(correlation))
    used = (lag >= _LAGS[0]) & (lag <= _LAGS[1]) & np.isfinite(correlation)
    if np.count_nonzero(used) < 10 or not stated.size:
        return 0.0
    _, continued = np.polyfit(lag[used] ** 2, correlation[used], 1)
    most = min(float(np.mean(stated**2)), 0.9 * raw)
    return float(np.clip(raw - continued, 0.0, most))


def _sd_of_sq(sq: float, noise: float, stated: np.ndarray) -> float:
    """Give the uncertainty of Sq: errors that are as smooth as relief hide it, or look like it."""
    smooth = max(float(np.median(stated)) ** 2 - noise, 0.0) if stated.size else 0.0
    by_noise = 0.5 * noise / max(sq, 1e-12)
    return float(np.linalg.norm([by_noise, _RELATIVE_SD * sq, np.sqrt(sq**2 + smooth) - sq]))


def _developed(flat: np.ndarray, there: np.ndarray, voxel_um: tuple[float, float]) -> float:
    """Give the fraction by which a surface exceeds its projection, from central differences."""
    inner = there[1:-1, 1:-1] & there[2:, 1:-1] & there[:-2, 1:-1]
    inner &= there[1:-1, 2:] & there[1:-1, :-2]
    if not inner.any():
        return float("nan")
    slope_y = (flat[2:, 1:-1] - flat[:-2, 1:-1])[inner] / (2 * voxel_um[0])
    slope_x = (flat[1:-1, 2:] - flat[1:-1, :-2])[inner] / (2 * voxel_um[1])
    return float(np.mean(np.sqrt(1 + slope_y**2 + slope_x**2)) - 1)


def _shortest_lag(correlation: np.ndarray, variance: float, voxel_um: tuple[float, float]) -> float:
    """Find the shortest lag, in µm, at which the autocorrelation has fallen to 0.2."""
    y, x = _lags_px(correlation)
    lag = np.hypot(y * voxel_um[0], x * voxel_um[1])
    with np.errstate(invalid="ignore"):
        fallen = (correlation < _FALLEN * variance) & (lag > 0)
    return float(lag[fallen].min()) if fallen.any() else float("nan")


def _sd_of_lag(
    correlation: np.ndarray, sq: float, sq_sd: float, voxel_um: tuple[float, float]
) -> float:
    """Give the uncertainty of Sal: half of its change where Sq is an sd less or more."""
    longer, shorter = (
        _shortest_lag(correlation, max(sq + step, 0.0) ** 2, voxel_um) for step in (-sq_sd, sq_sd)
    )
    return float(np.hypot(0.5 * (longer - shorter), max(voxel_um) / 12**0.5))
