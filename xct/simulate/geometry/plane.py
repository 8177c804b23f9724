"""A plane of a result as materials. In: labels and surfaces; out: a domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError
from xct.geometry import CellGeometry, Label
from xct.result import Result, open_result
from xct.simulate.geometry.density import density_at, density_note, known_density
from xct.simulate.geometry.domain import Domain, Frame, Material
from xct.simulate.geometry.labels import domain_of_labels
from xct.simulate.geometry.sampled import Sampled
from xct.simulate.mesh.cutting import Level

if TYPE_CHECKING:
    from xct.simulate.settings import SliceSection

_MARGIN_PX = 2


def read_plane(wanted: SliceSection, *, density: bool = False) -> Domain:
    """Read a plane of a result.

    Parameters
    ----------
    wanted : SliceSection
        Which plane.
    density : bool, optional
        Whether to read the electrolyte's density from grey values, too.

    Raises
    ------
    XctError
        If the plane lies outside of the cell, or labels or surfaces are missing.
    """
    result = open_measured(wanted.result)
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
        wanted.along,
        plane * edge_plane,
        (columns[0] - 0.5) * edge_across,
        lowest,
        -cell.sign,
        edge_plane,
    )
    front = _line(result, "electrolyte_cathode", wanted.along, plane, columns)
    composite = (np.nanmedian(front) - lowest) * -cell.sign if np.isfinite(front).any() else 0.0
    name = f"{cell_name(result)}, {wanted.along}–z, {wanted.offset_um:+.0f} µm"
    face, steel = (
        (_line(result, surface, wanted.along, plane, columns) - lowest) * -cell.sign
        for surface in ("lithium_electrolyte", "steel_lithium")
    )
    if wanted.lithium == "flat" and np.isfinite(face).any():
        face = np.full(len(face), float(np.nanmean(face)))
    domain = domain_of_labels(
        labels, particles, (dz, edge_across), name=name, composite_um=float(composite),
        frame=frame, anode=anode_faces(face, steel, edge_across),
    )  # fmt: skip
    if not density:
        return domain
    index[plane_axis] = slice(plane, plane + 1)
    values = density_at(result, (index[0], index[1], index[2])).squeeze(axis=plane_axis)
    return with_density(domain, values[::-1] if cell.sign > 0 else values, labels)


def open_measured(folder: str) -> Result:
    """Open the result that is simulated, and not another simulation.

    Raises
    ------
    XctError
        If it is none.
    """
    if Path(folder, "simulation.yaml").is_file():
        raise XctError(
            f"result: {folder} is a simulation; name the folder of the result that it was made of"
        )
    return open_result(folder)


def with_density(domain: Domain, values: np.ndarray, labels: np.ndarray) -> Domain:
    """Let the electrolyte of a plane have its density; 1 where it is not known.

    Parameters
    ----------
    domain : Domain
        The plane.
    values : ndarray, shape (height, across)
        Density over the reference's; NaN where it is not known.
    labels : ndarray, shape (height, across)
        Labels of the plane.
    """
    rows, columns = labels.shape
    edges = domain.height_um / rows, domain.width_um / columns
    below = (np.arange(rows) + 0.5) * edges[0] < domain.composite_um
    electrolyte = labels == Label.ELECTROLYTE
    notes = list(domain.notes)
    for name, part in (("separator", ~below), ("composite", below)):
        here = electrolyte & part[:, None]
        if here.any():
            notes += density_note(name, values[here])
    return replace(domain, density=Sampled(known_density(values), edges), notes=notes)


def cell_name(result: Result) -> str:
    """Name the cell of a result, by its configuration or its folder."""
    named = None
    if (result.path / "run.yaml").is_file():  # a truth has none
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


def anode_faces(face_um: np.ndarray, steel_um: np.ndarray, edge_um: float) -> dict[Material, Level]:
    """Give lithium and steel by the heights of their faces along a plane.

    Parameters
    ----------
    face_um : ndarray, shape (across,)
        Height of the lithium's face above the cathode's end; NaN where lithium is absent, and the
        steel's face is the electrode.
    steel_um : ndarray, shape (across,)
        Height of the steel's face; NaN where it was not measured.
    edge_um : float
        Edge of a voxel across.

    Returns
    -------
    dict of Material to Level
        Empty where nothing was measured: labels count then.
    """
    if len(steel_um) != len(face_um) or not np.isfinite(steel_um).any():
        steel_um = np.full(len(face_um), np.nan)
    lowest = np.where(np.isfinite(face_um), face_um, steel_um)
    if not np.isfinite(lowest).any() or not np.isfinite(face_um).any():
        return {}
    found = {Material.LITHIUM: _above(lowest, edge_um)}
    if np.isfinite(steel_um).any():
        found[Material.STEEL] = _above(np.fmax(steel_um, lowest), edge_um)
        found[Material.LITHIUM] = _between(found[Material.LITHIUM], found[Material.STEEL])
    return found


def _above(height_um: np.ndarray, edge_um: float) -> Level:
    """Give how far points lie above a line, across it; gaps are bridged."""
    known = np.flatnonzero(np.isfinite(height_um))
    places = (np.arange(len(height_um)) + 0.5) * edge_um
    line = np.interp(places, places[known], height_um[known])
    steep = np.hypot(1.0, np.gradient(line, edge_um))

    def level(points: np.ndarray) -> np.ndarray:
        x = points[:, 0]
        return np.asarray((points[:, 1] - np.interp(x, places, line)) / np.interp(x, places, steep))

    return level


def _between(lower: Level, upper: Level) -> Level:
    return lambda points: np.asarray(np.minimum(lower(points), -upper(points)))
