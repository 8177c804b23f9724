"""A plane of a result as materials. In: labels; out: levels with smooth boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError
from xct.geometry import CellGeometry, Label
from xct.result import Result, open_result
from xct.simulate.geometry.domain import Domain, Frame, Material
from xct.simulate.mesh.cutting import Level

if TYPE_CHECKING:
    from xct.simulate.settings import SliceSection

SMOOTHING_PX = 0.7  # steps of voxels are gone, and a particle of ten loses 1 % of its diameter
_MARGIN_PX = 2

_MATERIAL_OF: Mapping[Label, Material] = {
    Label.LITHIUM: Material.LITHIUM,
    Label.ELECTROLYTE: Material.ELECTROLYTE,
    Label.ACTIVE_MATERIAL: Material.PARTICLE,
    Label.STEEL: Material.STEEL,
}  # everything else carries nothing, and is empty


def read_plane(wanted: SliceSection) -> Domain:
    """Read a plane of a result.

    Raises
    ------
    XctError
        If the plane lies outside of the cell, or labels or surfaces are missing.
    """
    result = open_result(wanted.result)
    cell = result.cell
    _, dy, dx = cell.voxel_size_um
    across_axis, plane_axis = (2, 1) if wanted.along == "x" else (1, 2)
    axis_um = (cell.axis_y_um, cell.axis_x_um)
    edge_across, edge_plane = (dx, dy) if wanted.along == "x" else (dy, dx)
    plane = round((axis_um[plane_axis - 1] + wanted.offset_um) / edge_plane)
    if abs(wanted.offset_um) >= cell.bore_radius_um or not 0 <= plane < cell.shape[plane_axis]:
        raise XctError(
            f"slice.offset_um: {wanted.offset_um:g} lies outside of the bore of {wanted.result}, "
            f"whose radius is {cell.bore_radius_um:.0f} µm"
        )
    columns = _columns(wanted, cell, axis_um[across_axis - 1], edge_across, across_axis)
    rows = _rows(wanted, result, plane, columns)
    index: list[Any] = [slice(*rows), slice(*columns), slice(*columns)]
    index[plane_axis] = plane
    labels, particles = (
        np.asarray(result.labels(name)[tuple(index)]) for name in ("materials", "particles")
    )
    if cell.sign > 0:  # the anode, at small z, comes to lie on top
        labels, particles = labels[::-1], particles[::-1]
    dz = cell.voxel_size_um[0]
    lowest = (rows[1] - 0.5) * dz if cell.sign > 0 else (rows[0] - 0.5) * dz
    frame = Frame(
        wanted.along, plane * edge_plane, (columns[0] - 0.5) * edge_across, lowest, -cell.sign
    )
    front = _line(result, "electrolyte_cathode", wanted.along, plane, columns)
    composite = (np.nanmedian(front) - lowest) * -cell.sign if np.isfinite(front).any() else 0.0
    name = f"{cell_name(result)}, {wanted.along}–z, {wanted.offset_um:+.0f} µm"
    return domain_of_labels(
        labels, particles, (dz, edge_across), name=name, composite_um=float(composite), frame=frame
    )


def cell_name(result: Result) -> str:
    """Name the cell of a result, by its configuration or its folder."""
    named = result.account.get("configuration", {}).get("cell", {}).get("name")
    return str(named or result.path.resolve().parent.name)


def _columns(
    wanted: SliceSection, cell: CellGeometry, axis_um: float, edge_um: float, axis: int
) -> tuple[int, int]:
    """Choose the voxels across: within the bore, or what is asked for."""
    half = np.sqrt(cell.bore_radius_um**2 - wanted.offset_um**2) - _MARGIN_PX * edge_um
    low, high = wanted.across_um or (-half, half)
    first, stop = round((axis_um + low) / edge_um), round((axis_um + high) / edge_um) + 1
    count = cell.shape[axis]
    if low < -half - 2 * edge_um or high > half + 2 * edge_um or first < 0 or stop > count:
        if wanted.across_um is None:
            return max(first, 0), min(stop, count)
        raise XctError(
            f"slice.across_um: [{low:g}, {high:g}] leaves the bore, which reaches from "
            f"{-half:.0f} to {half:.0f} µm in this plane"
        )
    return first, stop


def _line(
    result: Result, surface: str, along: str, plane: int, columns: tuple[int, int]
) -> np.ndarray:
    """Give the heights of a surface along the plane, µm; nothing where it is not known."""
    if surface not in result.surfaces:
        return np.empty(0)
    height = result.surfaces[surface].height_um
    line = height[plane] if along == "x" else height[:, plane]
    return np.asarray(line[slice(*columns)], float)


def _rows(
    wanted: SliceSection, result: Result, plane: int, columns: tuple[int, int]
) -> tuple[int, int]:
    """Choose the slices: from the lithium to the cathode's end, or what is asked for."""
    cell = result.cell
    edge, count = cell.voxel_size_um[0], cell.shape[0]
    if wanted.depth_um is not None:
        first, stop = (round(depth / edge) for depth in wanted.depth_um)
        if not 0 <= first < stop <= count:
            raise XctError(
                f"slice.depth_um: [{wanted.depth_um[0]:g}, {wanted.depth_um[1]:g}] leaves the "
                f"volume, which reaches from 0 to {count * edge:g} µm"
            )
        return first, stop
    anode = _line(result, "steel_lithium", wanted.along, plane, columns)
    if not np.isfinite(anode).any():
        anode = _line(result, "lithium_electrolyte", wanted.along, plane, columns)
    back = _line(result, "cathode_collector", wanted.along, plane, columns)
    if not np.isfinite(anode).any() or not np.isfinite(back).any():
        raise XctError(
            f"{wanted.result}: no surface of the lithium, or of the collector, is known in this "
            "plane; give slice.depth_um, the range along z from the lithium to the cathode's end"
        )
    # The collector's nearest point ends the cathode; the lithium's farthest one begins it.
    start = np.nanmin(cell.sign * anode) / edge - _MARGIN_PX
    end = np.nanpercentile(cell.sign * back, 2) / edge - _MARGIN_PX
    low, high = sorted((cell.sign * start, cell.sign * end))
    return max(0, int(np.floor(low))), min(count, int(np.ceil(high)))


def domain_of_labels(
    labels: np.ndarray,
    particles: np.ndarray,
    voxel_um: tuple[float, float],
    *,
    name: str = "labels",
    composite_um: float = 0.0,
    frame: Frame | None = None,
) -> Domain:
    """Give the materials of labels, with boundaries that are smooth.

    Each material's mask is smoothed with a Gaussian of 0.7 voxels; a material ends where another
    one's smoothed mask is as large.

    Parameters
    ----------
    labels : ndarray of uint8, shape (height, across)
        `Label` of each voxel, the cathode's end first.
    particles : ndarray of int, shape (height, across)
        Number of the particle; 0 for none.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    name : str, optional
        For titles.
    composite_um : float, optional
        Height of the composite cathode.
    frame : Frame, optional
        Where the plane lies in its volume.
    """
    material = materials_of(labels)
    levels = _levels(material, voxel_um)
    unknown = float((np.asarray(labels) == Label.UNKNOWN).mean())
    notes = [f"{unknown:.1%} of the plane is unknown, and taken for empty"] if unknown else []
    pixel = voxel_um[0] * voxel_um[1]
    return Domain(
        name=name,
        width_um=material.shape[1] * voxel_um[1],
        height_um=material.shape[0] * voxel_um[0],
        levels=[(each, levels[each]) for each in _ORDER if each in levels],
        distance_um=_distance(material, voxel_um),
        particle_at=_nearest_particle(
            np.where(material == Material.PARTICLE, particles, 0), voxel_um
        ),
        centers_um=_centers(np.asarray(particles), voxel_um),
        composite_um=composite_um,
        frame=frame,
        voxel_um=max(voxel_um),
        labelled_um2={each: float((material == each).sum() * pixel) for each in Material},
        notes=notes,
    )


def materials_of(labels: np.ndarray) -> np.ndarray:
    """Turn labels into materials: what is neither of them is empty."""
    codes = np.full(256, Material.VOID, np.uint8)
    for label, material in _MATERIAL_OF.items():
        codes[label] = material
    return np.asarray(codes[np.asarray(labels)])


_ORDER = (Material.LITHIUM, Material.STEEL, Material.PARTICLE, Material.VOID)


def _levels(material: np.ndarray, voxel_um: tuple[float, float]) -> dict[Material, Level]:
    from scipy.ndimage import gaussian_filter

    present = [each for each in Material if (material == each).any()]
    smooth = {
        each: gaussian_filter((material == each).astype(np.float32), SMOOTHING_PX, mode="nearest")
        for each in present
    }
    # A smoothed step falls by this much in a µm where it is steepest.
    slope_um = SMOOTHING_PX * np.sqrt(np.pi / 2) * min(voxel_um)
    levels: dict[Material, Level] = {}
    for each in present:
        others = [smooth[other] for other in present if other != each]
        ahead = smooth[each] - np.maximum.reduce(others) if others else smooth[each]
        levels[each] = Sampled(ahead * slope_um, voxel_um)
    return levels


class Sampled:
    """Values at the middles of voxels as a function of points: linear between them.

    Parameters
    ----------
    values : ndarray, shape (height, across)
        At the middles.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    """

    def __init__(self, values: np.ndarray, voxel_um: tuple[float, float]) -> None:
        self._values = np.ascontiguousarray(values, np.float32)
        self._voxel_um = voxel_um

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Give the values at points (point, 2), µm across and along the height."""
        from scipy.ndimage import map_coordinates

        at = [points[:, 1] / self._voxel_um[0] - 0.5, points[:, 0] / self._voxel_um[1] - 0.5]
        return np.asarray(
            map_coordinates(self._values, at, order=1, mode="nearest", output=np.float64)
        )


def _distance(material: np.ndarray, voxel_um: tuple[float, float]) -> Sampled:
    """Give the distance from the nearest boundary of materials."""
    from scipy.ndimage import distance_transform_edt

    edge = np.zeros(material.shape, bool)
    for axis in (0, 1):
        differs = np.diff(material, axis=axis) != 0
        first, second = [slice(None)] * 2, [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        edge[tuple(first)] |= differs
        edge[tuple(second)] |= differs
    if not edge.any():
        return Sampled(np.full(material.shape, np.inf), voxel_um)
    away = distance_transform_edt(~edge, sampling=voxel_um)
    return Sampled(np.maximum(away - max(voxel_um), 0), voxel_um)


def _nearest_particle(particles: np.ndarray, voxel_um: tuple[float, float]) -> Level:
    """Give a function that names the particle nearest to points."""
    from scipy.ndimage import distance_transform_edt

    if not particles.any():
        return lambda points: np.zeros(len(points), np.int64)
    at = distance_transform_edt(
        particles == 0, sampling=voxel_um, return_distances=False, return_indices=True
    )
    filled = particles[tuple(at)]

    def particle_at(points: np.ndarray) -> np.ndarray:
        row = np.clip((points[:, 1] / voxel_um[0]).astype(int), 0, filled.shape[0] - 1)
        column = np.clip((points[:, 0] / voxel_um[1]).astype(int), 0, filled.shape[1] - 1)
        return np.asarray(filled[row, column])

    return particle_at


def _centers(particles: np.ndarray, voxel_um: tuple[float, float]) -> dict[int, np.ndarray]:
    rows, columns = np.nonzero(particles)
    numbers, where, count = np.unique(
        particles[rows, columns], return_inverse=True, return_counts=True
    )
    x = np.bincount(where, (columns + 0.5) * voxel_um[1]) / count
    y = np.bincount(where, (rows + 0.5) * voxel_um[0]) / count
    return {int(n): np.array(p) for n, p in zip(numbers, zip(x, y, strict=True), strict=True)}
