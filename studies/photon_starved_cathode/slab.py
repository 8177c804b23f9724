"""A slab of full bore at the front of a cathode. In: a size; out: line integrals, true cores."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion, generate_binary_structure, iterate_structure

from xct.geometry import CellGeometry, Plane
from xct.phantom.cell.cell import VirtualCell, draw_cell
from xct.phantom.scan.shadows import project

log = logging.getLogger("studies")

STATE = "ncm-100-drift-only"
BORE_UM, WALL_UM, VOXEL_UM = 3000.0, 60.0, 1.3
COLUMNS = 2432
CENTRE_UM = 500.0  # radius of what counts as the middle of the cathode
_ROWS_AT_ONCE = 16
_CORE_PX = 2  # a core is as deep inside of solid active material: more than the point spread
_SOLID = 0.985  # of NCM's attenuation
_BEHIND_PX = 8  # rows between the front's plane and what counts as cathode
# In a slab whose rest is plain: how much of the drawn bore is kept, away from its wall.
_KEPT = 0.9


@dataclass(frozen=True)
class Size:
    """How large: rows of the drawn cell and of the slab, and of these above the front; …."""

    cell_rows: int
    rows: int
    above: int
    columns: int
    bore_um: float
    angles: int


SIZES = {
    "quick": Size(160, 64, 40, 640, 740.0, 600),
    "full": Size(240, 64, 32, COLUMNS, BORE_UM, 1200),
}


@dataclass(frozen=True)
class PhotonStarvedSlab:
    """What is scanned, and what is true of it.

    Attributes
    ----------
    line_integrals : ndarray of float32, shape (angle, row, column)
        Through the whole bore.
    theta_deg : ndarray, shape (angle,)
        Angles.
    cell : CellGeometry
        The slab's geometry; the front is the only surface in view.
    front_row : int
        Row in which the front's plane meets the axis.
    voxels : ndarray of int32, shape (n, 3)
        z, y, x of voxels deep inside of solid active material: of drifted particles, and of those
        within `CENTRE_UM` of the axis of the cathode.
    particle : ndarray of int32, shape (n,)
        Particle of each.
    drifted : ndarray of bool, shape (n,)
        Whether it is a drifted one.
    """

    line_integrals: np.ndarray
    theta_deg: np.ndarray
    cell: CellGeometry
    front_row: int
    voxels: np.ndarray
    particle: np.ndarray
    drifted: np.ndarray


def make_slab(size: Size, out: Path, *, seed: int = 0) -> PhotonStarvedSlab:
    """Draw a cell whose particles drifted and kept their lithium; project a slab at its front.

    A cell narrower than the bore stands in the middle of plain composite and plain electrolyte:
    rays pass as little light, and it is drawn in a fraction of the time.

    Parameters
    ----------
    size : Size
        How large.
    out : path
        Folder for the line integrals.
    seed : int, optional
        Of the cell.
    """
    shape = (size.cell_rows, size.columns, size.columns)
    cell = draw_cell(STATE, shape=shape, voxel_um=VOXEL_UM, bore_um=size.bore_um, seed=seed)
    # Cracks truly lower the grey value of the cathode's particles: without them all are equal.
    cell.contents.bodies.slits[..., 4] = 0
    log.info("drawn: %d particles", len(cell.contents.bodies.number))
    plane = cell.geometry.planes["electrolyte_cathode"]
    front = round(plane.height_um / VOXEL_UM)
    first = front - size.above
    theta = np.linspace(0, 180, size.angles)
    integrals = np.lib.format.open_memmap(
        out / "line_integrals.npy", "w+", np.float32, (size.angles, size.rows, COLUMNS)
    )
    found = []
    for row, mu, numbers in _parts(cell, first, size.rows):
        found.append(_cores(cell, mu, numbers, row - first, front - first))
        part = slice(row - first, row - first + len(mu))
        integrals[:, part] = _seen(mu, theta, cell)
        log.info("%d of %d rows projected", part.stop, size.rows)
    voxels, particle, drifted = (np.concatenate(part) for part in zip(*found, strict=True))
    voxels[:, 1:] += (COLUMNS - size.columns) // 2
    geometry = _geometry(cell.geometry, first, size.rows, (COLUMNS - size.columns) // 2)
    return PhotonStarvedSlab(integrals, theta, geometry, front - first, voxels, particle, drifted)


def _parts(
    cell: VirtualCell, first: int, rows: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Give slabs of μ and of particles' numbers, two of what is drawn at once."""
    for row in range(first, first + rows, 2 * _ROWS_AT_ONCE):
        stop = min(row + 2 * _ROWS_AT_ONCE, first + rows)
        mu, numbers = [], []
        for low in range(row, stop, _ROWS_AT_ONCE):
            made = cell.slab(low, min(low + _ROWS_AT_ONCE, stop))
            mu.append(made.mu)
            numbers.append(made.particles)
        yield row, np.concatenate(mu), np.concatenate(numbers)


def _cores(
    cell: VirtualCell, mu: np.ndarray, numbers: np.ndarray, row: int, front_row: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find voxels deep inside of particles that are looked at."""
    released = cell.contents.facts["released"]
    is_drifted = np.concatenate([[False], released])
    solid_per_cm = _SOLID * float(np.median(cell.contents.bodies.mu[released]))
    ball = iterate_structure(generate_binary_structure(3, 1), _CORE_PX)
    axis = np.array([cell.geometry.axis_y_um, cell.geometry.axis_x_um]) / VOXEL_UM
    reach = min(CENTRE_UM, _KEPT * cell.layout.bore_radius_um) / VOXEL_UM
    boxes = [_box(axis, reach, mu.shape)]
    centers = cell.contents.bodies.center[released] / VOXEL_UM
    widest = float(cell.contents.bodies.reach[released].max()) / VOXEL_UM
    boxes += [_box(center[1:], widest + _CORE_PX, mu.shape) for center in centers]
    found = []
    for number, box in enumerate(boxes):
        some = numbers[box]
        solid = mu[box] >= solid_per_cm
        solid &= is_drifted[some] if number else ~is_drifted[some]
        place = np.argwhere(binary_erosion(solid, ball))
        place += [0, box[1].start, box[2].start]
        if not number:
            place = place[place[:, 0] + row >= front_row + _BEHIND_PX]
        # What is far from the axis is cathode's rim, or was not drawn.
        limit = _KEPT * cell.layout.bore_radius_um / VOXEL_UM if number else reach
        place = place[np.hypot(*(place[:, 1:] - axis).T) < limit - _CORE_PX]
        owner = numbers[tuple(place.T)].astype(np.int32)
        found.append((place.astype(np.int32) + np.array([row, 0, 0], np.int32), owner))
    voxels = np.concatenate([place for place, _ in found])
    owner = np.concatenate([owner for _, owner in found])
    # Boxes of neighbors overlap.
    _, once = np.unique(voxels, axis=0, return_index=True)
    return voxels[once], owner[once], is_drifted[owner[once]]


def _box(middle: np.ndarray, reach: float, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    low = np.maximum(np.floor(middle - reach).astype(int), 0)
    high = np.minimum(np.ceil(middle + reach).astype(int) + 1, shape[1:])
    return slice(None), slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _seen(mu: np.ndarray, theta: np.ndarray, cell: VirtualCell) -> np.ndarray:
    """Line integrals through the whole bore."""
    middle = (COLUMNS - 1) / 2
    if 2 * cell.layout.bore_radius_um >= BORE_UM:
        return project(mu, theta, middle, VOXEL_UM, columns=COLUMNS)
    y, x = (np.arange(n)[:, None] * VOXEL_UM for n in mu.shape[1:])
    radius = np.hypot(y - cell.geometry.axis_y_um, x.T - cell.geometry.axis_x_um)
    kept = radius < _KEPT * cell.layout.bore_radius_um
    mean = np.array([row[kept].mean(dtype=np.float64) for row in mu])
    stand_out = np.where(kept, mu - mean[:, None, None].astype(np.float32), np.float32(0))
    across = (np.arange(COLUMNS) - middle) * VOXEL_UM
    filled, whole = (
        2e-4 * np.sqrt(np.maximum(radius**2 - across**2, 0))
        for radius in (BORE_UM / 2, BORE_UM / 2 + WALL_UM)
    )
    plain = mean[:, None] * filled + 0.52 * (whole - filled)
    seen = project(stand_out, theta, middle, VOXEL_UM, columns=COLUMNS)
    seen += plain.astype(np.float32)
    return seen


def _geometry(cell: CellGeometry, first: int, rows: int, margin: int) -> CellGeometry:
    """Cut the slab out of a cell; its bore is the full one, about the same axis."""
    middle = (first + (rows - 1) / 2) * VOXEL_UM
    axis_y, axis_x = (at + margin * VOXEL_UM for at in cell.axis_at(middle))
    plane = cell.planes["electrolyte_cathode"]
    front = Plane(plane.height_um - first * VOXEL_UM, plane.slope_y, plane.slope_x)
    return replace(
        cell, shape=(rows, COLUMNS, COLUMNS), axis_y_um=axis_y, axis_x_um=axis_x,
        bore_radius_um=BORE_UM / 2, tube_radius_um=BORE_UM / 2 + WALL_UM,
        planes={"electrolyte_cathode": front},
    )  # fmt: skip
