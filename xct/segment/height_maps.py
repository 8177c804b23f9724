"""Surfaces of the cell as height maps, below the voxel. In: a volume; out: Surface by name."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from annotated_types import Ge, Gt

from xct.geometry import CellGeometry, Surface
from xct.segment.anode import Fits, Levels, fit_anode
from xct.segment.bands import Band, Span, average_across, reach_px, span_between
from xct.segment.following import Step, follow
from xct.segment.front import cathode_faces
from xct.segment.height_fields import hampel, median_of, smoothed
from xct.segment.opaque import opaque_edge
from xct.stages import stage
from xct.voxels import Voxels

_FWHM = 2.3548200450309493  # of a Gaussian, in sd


class _Reference(Protocol):
    """What is asked of a reference: the electrolyte's μ by depth and radius."""

    blur_um: float

    def mu_per_cm(self, z_um: Any, r_um: Any) -> np.ndarray: ...


@stage(gives="surfaces", measures=True)
def surfaces(
    volume: Voxels,
    cell: CellGeometry,
    reference: _Reference,
    *,
    lateral_px: Annotated[float, Ge(0)] = 1.0,
    follow_px: Annotated[float, Ge(0)] = 1.2,
    smoothing_px: Annotated[float, Ge(0)] = 1.5,
    search_um: Annotated[float, Gt(0)] = 70.0,
    front_fwhm_um: Annotated[float, Gt(0)] = 13.0,
) -> dict[str, Surface]:
    """Find the surfaces between the layers of a cell, column by column."""
    found: dict[str, Surface] = {}
    cut = _Cut(volume, cell, reference, lateral_px, follow_px, smoothing_px, search_um)
    for part in (lambda: _anode(cut), lambda: _cathode(cut, front_fwhm_um)):
        found.update(part())
    return found


@dataclass(frozen=True)
class _Cut:
    volume: Voxels
    cell: CellGeometry
    reference: _Reference
    lateral_px: float
    follow_px: float
    smoothing_px: float
    search_um: float

    def bore(self, z_um: float) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the bore at a height, and those at least 1.5 voxels off its wall."""
        z = z_um / self.cell.voxel_size_um[0]
        return self.cell.in_bore(z), self.cell.in_bore(z, 1.5 * max(self.cell.voxel_size_um[1:]))

    def extent(self, name: str) -> tuple[float, float]:
        """Lowest and highest point of a plane within the bore, µm."""
        plane = self.cell.planes[name]
        lean = np.hypot(plane.slope_y, plane.slope_x) * self.cell.bore_radius_um
        return plane.height_um - lean, plane.height_um + lean

    def span(self, near: str, far: str) -> Span:
        """Slices from before one plane to beyond another."""
        a, b = self.extent(near), self.extent(far)
        low, high = min(*a, *b) - self.search_um, max(*a, *b) + self.search_um
        return span_between(self.cell, *((low, high) if self.cell.sign > 0 else (high, low)))


def _absent(name: str, why: str) -> dict[str, Surface]:
    warnings.warn(f"surface {name} is not given: {why}", UserWarning, stacklevel=3)
    return {}


def _anode(cut: _Cut) -> dict[str, Surface]:
    names = ("steel_lithium", "lithium_electrolyte")
    planes = [name for name in names if name in cut.cell.planes]
    if not planes:
        return _absent(" and ".join(names), "neither plane is in view")
    span = cut.span(planes[0], planes[-1])
    bore, inside = cut.bore(float(np.mean([cut.cell.planes[n].height_um for n in planes])))
    band = Band(cut.volume, span, bore, reach_px(max(cut.lateral_px, cut.follow_px)))
    levels = _anode_levels(cut, band, inside, planes[-1])
    fits = fit_anode(band, bore, inside, levels, cut.lateral_px)
    steel, steel_sd = _settle(fits.steel, fits.steel_sd, bore, cut.smoothing_px)
    absent = _no_lithium(fits, bore)
    first, first_sd = _settle(
        np.where(absent, np.nan, fits.face), fits.face_sd, bore & ~absent, 0.7
    )
    step = Step(
        levels.lithium,
        levels.electrolyte,
        levels.blur,
        levels.noise_averaged * 0.7,
        (0.3 * levels.noise_averaged, 0.03, 0.3),
    )
    again, again_sd = follow(band, inside, first, steel, step, cut.follow_px)
    thick = np.isfinite(again) & (fits.thickness > 4)
    height, sd = np.where(thick, again, first), np.where(thick, again_sd, first_sd)
    return {
        "steel_lithium": _surface(span, steel, steel_sd, "steel's face, fitted step"),
        "lithium_electrolyte": _surface(
            span, height, sd, "lithium's face to the electrolyte, fitted step; NaN: no lithium"
        ),
    }


def _no_lithium(fits: Fits, bore: np.ndarray) -> np.ndarray:
    least = np.maximum(3 * fits.thickness_sd, 1.0)
    flag = np.where(np.isfinite(fits.thickness), fits.thickness < least, np.nan)
    return np.asarray(bore & (median_of(flag.astype(float), bore, reach=1, least=2) > 0.5))


def _anode_levels(cut: _Cut, band: Band, inside: np.ndarray, plane: str) -> Levels:
    span = band.span
    near = cut.volume[span.slices][:: span.sign]
    z = cut.cell.planes[plane].height_um + cut.cell.sign * 10 * span.voxel_um
    radius = cut.cell.radius_um(z / span.voxel_um)
    electrolyte = np.asarray(cut.reference.mu_per_cm(z, radius) + 0 * radius, np.float64)
    averaged = average_across(near[-12:], inside, cut.lateral_px)
    noise, noise_averaged = (
        float(np.std(np.diff(part[:, inside], axis=0)) / np.sqrt(2))
        for part in (near[-12:], averaged)
    )
    pixel = cut.cell.voxel_size_um[1]
    deep = average_across(near[:5], inside, cut.lateral_px)
    steel = np.where(inside, np.median(deep, axis=0), np.nan)
    steel_noise = np.std(deep, axis=0).astype(np.float64)
    edge = opaque_edge(steel, radius / pixel, cut.cell.bore_radius_um / pixel, pixel, 0.5)
    return Levels(edge, 0.1, electrolyte, noise, noise_averaged, np.nan_to_num(steel_noise), 0.6)


def _cathode(cut: _Cut, fwhm_um: float) -> dict[str, Surface]:
    names = ("electrolyte_cathode", "cathode_collector")
    planes = cut.cell.planes
    if any(name not in planes for name in names):
        return _absent(" and ".join(names), "its plane is not in view")
    span = cut.span(*names)
    height = 0.5 * (planes[names[0]].height_um + planes[names[1]].height_um)
    bore, inside = cut.bore(height)
    voxel = cut.cell.voxel_size_um
    sigma = fwhm_um / _FWHM / max(voxel[1:]), fwhm_um / _FWHM / voxel[0]
    front, back = (span.s_of(cut.cell.plane_um(name)) for name in names)
    middle = np.where(bore, 0.5 * (front + back), np.nan)
    quarter = 0.25 * float(abs(np.nanmedian(back - front)))
    heights = span.z_um(np.arange(span.count))
    half = 0.5 * cut.cell.bore_radius_um
    base = np.array([float(cut.reference.mu_per_cm(z, half)) for z in heights])
    band = Band(cut.volume, span, bore, max(reach_px(sigma[0]), 16))
    faces = cathode_faces(band, inside, base, middle, quarter, sigma)
    text = f"share of active material, averaged over {fwhm_um:g} µm, at half its plateau"
    return {
        names[0]: _surface(span, faces.front, faces.front_sd, text),
        names[1]: _surface(span, faces.back, faces.back_sd, text),
    }


def _settle(
    raw: np.ndarray, sd: np.ndarray, wanted: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    valid = np.isfinite(raw) & np.isfinite(sd)
    odd = hampel(np.nan_to_num(raw), valid)
    weight = np.where(valid & ~odd, 1 / np.maximum(np.nan_to_num(sd, nan=1.0), 0.05) ** 2, 0.0)
    smooth, variance = smoothed(np.nan_to_num(raw), weight, wanted, sigma_px)
    return smooth, np.sqrt(variance)


def _surface(span: Span, s: np.ndarray, sd: np.ndarray, definition: str) -> Surface:
    return Surface(
        span.z_um(s).astype(np.float32), (sd * span.voxel_um).astype(np.float32), definition
    )
