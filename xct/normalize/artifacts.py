"""Rings, noise and cupping of a volume that another program made. In: a volume; out: numbers.

A ring is seen alike in two halves of its circle; grains, inclusions and noise are not. So what the
means of two sets of sectors have in common, radius by radius, is what rings add to the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.reference import Reference
from xct.normalize.sampling import electrolyte_span
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.quantity import Number, Quantity, declare

_SLICES = 16
_SECTORS = 12  # of which every other one makes a half
_NEAREST = 4  # voxels from the axis: nearer, a ring is too short to be one
_LEAST_VOXELS, _LEAST_RINGS, _LEAST_SLICES = 12, 16, 4
_TREND = 3  # degree of what is no ring, along the radius
_SURE = 4.0  # standard errors
# Of the electrolyte's value. A ring is a spike at some radii: its standard deviation over all of
# them is about a quarter of what a strong one takes off.
_FORGING = 0.03
_NOISY = 0.5


@dataclass(frozen=True)
class Artifacts:
    """What a volume holds that is no sample, as fractions of the electrolyte's value.

    Attributes
    ----------
    rings, rings_sd : float
        Standard deviation that rings add in the electrolyte, and its standard error; NaN where too
        little of it is in view.
    noise : float
        Standard deviation of a voxel.
    cupping, cupping_sd : float
        How much more the electrolyte attenuates at the bore's wall than on the axis.
    n : int
        Slices.
    """

    rings: float
    rings_sd: float
    noise: float
    cupping: float
    cupping_sd: float
    n: int


def look_at_artifacts(
    volume: Voxels, cell: CellGeometry, reference: Reference, steps: Mapping[str, Any]
) -> Artifacts | None:
    """Measure rings, noise and cupping in the electrolyte.

    Rings are looked for about the middle of the slices, where most programs have the axis of
    rotation, and about the bore's axis; in a cropped volume they may lie elsewhere.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where bore and layers lie.
    reference : Reference
        The electrolyte's value and the noise.
    steps : mapping
        Settings of the steps that led to the volume, by name.

    Returns
    -------
    Artifacts or None
        None for a volume that xct reconstructed: its stripes are measured before.
    """
    if "fbp" in steps:
        return None
    slices = _inside(cell, reference.blur_um)
    found = np.array(map_blocks(_rings_of, slices, volume, cell, reference)).reshape(-1, 2)
    squares = found[np.isfinite(found).all(axis=1)]
    rings = rings_sd = float("nan")
    if len(squares) >= _LEAST_SLICES:
        best = squares[:, int(np.argmax(squares.mean(axis=0)))]
        mean, error = float(best.mean()), float(best.std(ddof=1) / np.sqrt(len(best)))
        rings = float(np.sqrt(max(mean, 0.0)))
        # Of a root: where it is not surely above 0, what would be.
        rings_sd = error / (2 * rings) if mean > error else float(np.sqrt(error))
    heights = 0.5 * (reference.model.z_low_um + reference.model.z_high_um)
    ends = reference.mu_per_cm(heights, np.array([0.0, cell.bore_radius_um]))
    sds = reference.sd_per_cm(heights, np.array([0.0, cell.bore_radius_um]))
    return Artifacts(
        rings=rings,
        rings_sd=rings_sd,
        noise=float(np.nanmedian(reference.noise_per_cm)) / reference.peak_per_cm
        if np.isfinite(reference.noise_per_cm).any()
        else float("nan"),
        cupping=float(ends[1] / ends[0] - 1),
        cupping_sd=float(np.hypot(*(sds / ends))),
        n=len(squares),
    )


def _inside(cell: CellGeometry, blur_um: float) -> list[int]:
    """Choose slices that hold nothing but electrolyte across the bore."""
    span = electrolyte_span(cell, 2 * blur_um)
    if span is None or not cell.planes:
        return []
    step, reach = cell.voxel_size_um[0], cell.bore_radius_um
    y = cell.axis_y_um + reach * np.array([-1.0, 1.0])[:, None]
    x = cell.axis_x_um + reach * np.array([-1.0, 1.0])[None]
    low, high = span.limits_um(y, x)
    first = max(int(np.ceil(np.max(low) / step)), 0)
    last = min(int(np.floor(np.min(high) / step)), cell.shape[0] - 1)
    if last < first:
        return []
    return [int(z) for z in np.unique(np.linspace(first, last, _SLICES).astype(int))]


def _rings_of(
    z: int, volume: Voxels, cell: CellGeometry, reference: Reference
) -> tuple[float, float]:
    """Give the variance of rings about the middle of the slices, and about the bore's axis."""
    [image] = np.asarray(volume[z : z + 1], np.float32) - np.float32(reference.air)
    radius = cell.radius_um(float(z))
    level = reference.mu_per_cm(z * cell.voxel_size_um[0], radius)
    margin = 2 * reference.blur_um
    held = np.isfinite(image) & (radius < cell.bore_radius_um - margin)
    y, x = np.nonzero(held)
    over = image[held] / level[held] - 1
    axis_y, axis_x = cell.axis_at(z * cell.voxel_size_um[0])
    edge_y, edge_x = cell.voxel_size_um[1:]
    middle = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    centers = (middle, (axis_y / edge_y, axis_x / edge_x))
    first, second = (ring_variance(over, y - v, x - u) for v, u in centers)
    return first, second


def ring_variance(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> float:
    """Give the variance that rings add to values; about 0, of either sign, where there are none.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of voxels of one slice.
    y, x : ndarray, shape (n,)
        Where they lie from the center of the rings, in voxels.

    Returns
    -------
    float
        NaN where there are too few rings.
    """
    ring = np.rint(np.hypot(y, x)).astype(int)
    turn = (np.arctan2(y, x) / (2 * np.pi) * _SECTORS).astype(int) + _SECTORS
    length = int(ring.max(initial=0)) + 1
    at = ring + length * (turn % 2)
    count = np.bincount(at, minlength=2 * length).reshape(2, length)
    total = np.bincount(at, values, 2 * length).reshape(2, length)
    held = (count >= _LEAST_VOXELS).all(axis=0) & (np.arange(length) >= _NEAREST)
    if np.count_nonzero(held) < _LEAST_RINGS:
        return float("nan")
    weight = np.minimum(*count[:, held]).astype(float)
    r = np.linspace(-1, 1, length)[held]
    basis = np.vander(r, _TREND + 1) * np.sqrt(weight)[:, None]
    ortho, _ = np.linalg.qr(basis)
    one, other = (
        t / c * np.sqrt(weight) for t, c in zip(total[:, held], count[:, held], strict=True)
    )
    one, other = (part - ortho @ (ortho.T @ part) for part in (one, other))
    return float(one @ other / weight.sum())


def artifact_numbers(volume_artifacts: Artifacts | None) -> Iterator[tuple[str, Number]]:
    """Give rings, noise and cupping as fractions of the electrolyte's value."""
    if volume_artifacts is None:
        return
    seen = volume_artifacts
    yield "rings_of_electrolyte", Number(seen.rings, sd=seen.rings_sd, n=seen.n)
    yield "noise_of_electrolyte", Number(seen.noise)
    yield "cupping_of_electrolyte", Number(seen.cupping, sd=seen.cupping_sd)


def artifact_warning(volume_artifacts: Artifacts | None) -> str | None:
    """Say what rings and noise do to the numbers; None where they do nothing."""
    if volume_artifacts is None:
        return None
    seen, said = volume_artifacts, []
    if seen.rings > max(_FORGING, _SURE * seen.rings_sd):
        said.append(
            f"rings: they add {seen.rings:.1%} of the electrolyte's value (standard deviation over "
            f"the radius) to its slices, where less than {_FORGING:.0%} does no harm: arcs of them "
            "count as inclusions, and split or join particles. Do not read inclusions and drifted "
            "particles as such; remove stripes before reconstruction"
        )
    if seen.noise > _NOISY:
        said.append(
            f"noise: that of a voxel is {seen.noise:.0%} of the electrolyte's value, where up to "
            f"{_NOISY:.0%} was tried: what is small (inclusions, particles, lithium that is gone) "
            "is lost or forged; bin the volume, or take more light or projections"
        )
    return "; ".join(said) or None


declare(
    Quantity(
        "volume_artifacts",
        unit="rings, noise and cupping of a given volume",
        source="run",
        derive=look_at_artifacts,
        numbers=artifact_numbers,
        warning=artifact_warning,
    )
)
