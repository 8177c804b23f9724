"""One slice of a given volume's electrolyte. In: a slice and the next; out: what is odd in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.given.noise_patterns import (
    likeness_across,
    likeness_of_noise,
    likeness_outward,
    odd_voxels,
    ring_variance,
    step_of,
)
from xct.normalize.reference import Reference
from xct.parallel.blocks import Voxels

_ENOUGH = 2**14  # voxels of a slice, that show rings
_INNER, _OUTER = 0.4, 0.8  # of the bore: what is compared for cupping
_BESIDE = 48  # pixels from the axis that are looked at for noise
_INSCRIBED = 0.65  # half of a square's edge over the radius of the bore that it lies in
_BEYOND_PX, _LEAST_AIR = 2.0, 50  # from the tube's outside, and voxels of air
_USUAL = (0.05, 0.95)  # quantiles of air that count
_NO_MORE = 1.0  # of the electrolyte's value: particles that lie farther from it, cracks hardly


@dataclass(frozen=True)
class Look:
    """What a slice shows.

    Attributes
    ----------
    rings_and_cupping : tuple of float
        Variance of rings about the slice's middle and about the bore's axis, and cupping.
    shading : tuple of float
        Rise along y and x across the bore, over the electrolyte's value.
    step : float
        From each value to the next that occurs; 0 of real numbers.
    shared, outward : float
        How alike its noise is to that of the next slice, and by how much more along the radius than
        around it.
    across : tuple of float
        How alike it is to that two pixels off, by all pixels and by most.
    twin : bool
        Whether the next slice is the same.
    air : float
        Mean of what lies about the tube; NaN where it is not in view.
    odd : tuple of int
        Lone points, voxels in the tails of the noise, and how many were looked at.
    change : ndarray or None
        Difference to the next slice about the axis.
    """

    rings_and_cupping: tuple[float, float, float]
    shading: tuple[float, float]
    step: float
    shared: float
    across: tuple[float, float]
    outward: float
    twin: bool
    air: float
    odd: tuple[int, int, int]
    change: np.ndarray | None


def look_at_slab(
    slices: Sequence[int], volume: Voxels, cell: CellGeometry, reference: Reference
) -> list[Look]:
    """Look at some slices of one slab, which is read once.

    Parameters
    ----------
    slices : sequence of int
        Their numbers.
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where bore and layers lie.
    reference : Reference
        The electrolyte's value, and that of air.
    """
    values = np.asarray(volume[slices[0] : slices[-1] + 2], np.float32)
    pairs = [(z, values[z - slices[0] : z - slices[0] + 2]) for z in slices]
    return [_look_at_slice(z, pair, cell, reference) for z, pair in pairs]


def _look_at_slice(z: int, pair: np.ndarray, cell: CellGeometry, reference: Reference) -> Look:
    image, *after = pair - np.float32(reference.air)
    radius, z_um = cell.radius_um(float(z)), z * cell.voxel_size_um[0]
    inside = cell.bore_radius_um - 2 * reference.blur_um
    held = np.isfinite(image) & (radius < inside)
    step = step_of(image[held])
    every = max(1, np.count_nonzero(held) // _ENOUGH)
    y, x = (at[::every] for at in np.nonzero(held))
    over = image[y, x] / reference.mu_per_cm(z_um, radius[y, x]) - 1
    axis_y, axis_x = cell.axis_at(z_um)
    edge_y, edge_x = cell.voxel_size_um[1:]
    middle = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    centers = (middle, (axis_y / edge_y, axis_x / edge_x))
    first, second = (ring_variance(over, y - v, x - u) for v, u in centers)
    inner, outer = (held & (radius < _INNER * inside), held & (radius > _OUTER * inside))
    cupping = float("nan")
    if inner.any() and outer.any():
        cupping = float(np.median(image[outer]) / np.median(image[inner]) - 1)
    twin = bool(after) and held.any() and np.array_equal(image[held], after[0][held])
    at_y, at_x = int(axis_y / edge_y), int(axis_x / edge_x)
    box = np.s_[max(at_y - _BESIDE, 0) : at_y + _BESIDE, max(at_x - _BESIDE, 0) : at_x + _BESIDE]
    shared = likeness_of_noise(image[box], after[0][box], held[box]) if after else float("nan")
    across = likeness_across(image[box], held[box])
    change, outward, odd = None, float("nan"), (0, 0, 0)
    if after:
        whole = np.where(held, after[0] - image, np.float32(np.nan))
        rows, columns = (
            (np.arange(n) - axis / edge) * edge / inside
            for n, axis, edge in zip(
                image.shape, (axis_y, axis_x), cell.voxel_size_um[1:], strict=True
            )
        )
        outward = likeness_outward(whole, rows, columns)
        change = whole[_square(cell, inside)]
        odd = odd_voxels(image[box], after[0][box], held[box])
    air = _air(image, radius, cell)
    rings = (first, second, cupping)
    return Look(
        rings, _shading(over, y, x), step, shared, across, outward, bool(twin), air, odd, change
    )


def _shading(over: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Give how much values rise along y and x from one end to the other; NaN of too few."""
    usual = np.abs(over - np.median(over)) < _NO_MORE if over.size else over > 0
    if np.count_nonzero(usual) < _LEAST_AIR:
        return float("nan"), float("nan")
    y, x = y[usual], x[usual]
    terms = np.stack([np.ones(y.size), y - y.mean(), x - x.mean()])
    fit: np.ndarray = np.linalg.lstsq(terms @ terms.T, terms @ over[usual], rcond=None)[0]
    return float(fit[1] * np.ptp(y)), float(fit[2] * np.ptp(x))


def _air(image: np.ndarray, radius_um: np.ndarray, cell: CellGeometry) -> float:
    """Give the mean of what lies about the tube; what was not reconstructed does not count."""
    if cell.tube_radius_um is None:
        return float("nan")
    tube = cell.tube_radius_um + _BEYOND_PX * max(cell.voxel_size_um[1:])
    beyond = image[(radius_um > tube) & np.isfinite(image) & (image != image[0, 0])]
    if not beyond.size > _LEAST_AIR:
        return float("nan")
    low, high = np.quantile(beyond, _USUAL)  # and not what sticks out
    return float(beyond[(beyond >= low) & (beyond <= high)].mean())


def _square(cell: CellGeometry, inside_um: float) -> tuple[slice, slice]:
    """Choose a square within the bore, the same in every slice."""
    half = min(_BESIDE, int(_INSCRIBED * inside_um / max(cell.voxel_size_um[1:])))
    at_y, at_x = (
        round(axis / edge)
        for axis, edge in zip((cell.axis_y_um, cell.axis_x_um), cell.voxel_size_um[1:], strict=True)
    )
    return slice(max(at_y - half, 0), at_y + half), slice(max(at_x - half, 0), at_x + half)
