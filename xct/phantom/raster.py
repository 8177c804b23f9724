"""From geometry to voxels, with the mean over each voxel at edges. In: faces, bodies; out: a slab.

Space is cut into tiles. A tile that no face and no body reaches holds one substance; in others,
each voxel is painted at 4 × 4 × 4 points, which are then averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from xct.phantom.averaging import average, fill_plain
from xct.phantom.bodies import GAP, LITHIUM_CHIP, PARTICLE, Bodies
from xct.phantom.codes import (
    AIR,
    CHIP,
    ELECTROLYTE,
    LABELS,
    MATRIX,
    POINTS,
    SUBSTANCES,
    TILE,
    TORLON,
    VOID,
)
from xct.phantom.painting import paint_body, paint_frame, paint_pore
from xct.phantom.tiling import by_tile, extremes
from xct.threads import over_ranges


@dataclass(frozen=True)
class Frame:
    """Everything that is not a body. Lengths in µm.

    Attributes
    ----------
    faces : ndarray of float32, shape (6, y, x)
        Heights of steel, void above it, lithium's top, the cathode's front, collector, steel.
    axis : ndarray, shape (4,)
        y and x of the axis at z = 0 and their slopes.
    bore_um, tube_um : float
        Inner and outer radius of the tube.
    torlon : bool
        Whether Torlon fills what is outside of the tube.
    density : ndarray, shape (4,)
        The electrolyte's relative density: at the anode and at the front, and z of both.
    """

    faces: np.ndarray
    axis: np.ndarray
    bore_um: float
    tube_um: float
    torlon: bool
    density: np.ndarray


def raster(
    frame: Frame,
    bodies: Bodies,
    pores: np.ndarray,
    facets: np.ndarray,
    mu: np.ndarray,
    delta: np.ndarray,
    rows: tuple[int, int],
    voxel_um: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fill the slices first … stop.

    Parameters
    ----------
    frame : Frame
        Faces and tube.
    bodies : Bodies
        In the order of painting.
    pores : ndarray of float32, shape (n, 5)
        Spheres that lie under all bodies: z, y, x, radius, and the substance that has them.
    facets : ndarray, shape (set, facet, 4)
        As `facet_library` gives them.
    mu, delta : ndarray, shape (SUBSTANCES,)
        Of the substances.
    rows : tuple of int
        First slice and the one after the last.
    voxel_um : float
        Edge of a voxel.

    Returns
    -------
    labels, numbers, mu, delta : ndarray, shape (z, y, x)
        uint8, uint32, float32 and float32. A number is that of the particle where the label is
        active material, and of the chip or crack where it is low grey; else 0.
    """
    first, stop = rows
    shape = (stop - first, *frame.faces.shape[1:])
    labels, numbers = np.empty(shape, np.uint8), np.empty(shape, np.uint32)
    mean_mu, mean_delta = np.empty(shape, np.float32), np.empty(shape, np.float32)
    tiles = tuple(-(-n // TILE) for n in shape)
    start, members = by_tile(bodies.center, bodies.reach, first, tiles, voxel_um)
    pore_start, pore_members = by_tile(pores[:, :3], pores[:, 3], first, tiles, voxel_um)
    ends = extremes(frame.faces, tiles[1], tiles[2])

    def fill(low: int, high: int) -> None:
        _fill(
            frame.faces, ends, frame.axis, frame.bore_um, frame.tube_um, frame.torlon,
            frame.density, bodies.center, bodies.reach, bodies.to_unit, bodies.kind,
            bodies.facets, bodies.number, bodies.mu, bodies.delta, bodies.cavity, bodies.slits,
            facets, pores, mu.astype(np.float32), delta.astype(np.float32), LABELS,
            start, members, pore_start, pore_members, first, voxel_um,
            labels, numbers, mean_mu, mean_delta, low, high,
        )  # fmt: skip

    over_ranges(fill, int(np.prod(tiles)), least=64, pieces=16)
    return labels, numbers, mean_mu, mean_delta


@njit(cache=True, nogil=True, boundscheck=False)
def _fill(
    faces: np.ndarray,
    ends: np.ndarray,
    axis: np.ndarray,
    bore: float,
    tube: float,
    torlon: bool,
    density: np.ndarray,
    center: np.ndarray,
    reach: np.ndarray,
    to_unit: np.ndarray,
    kind: np.ndarray,
    facet_set: np.ndarray,
    number: np.ndarray,
    body_mu: np.ndarray,
    body_delta: np.ndarray,
    cavity: np.ndarray,
    slits: np.ndarray,
    facets: np.ndarray,
    pores: np.ndarray,
    base_mu: np.ndarray,
    base_delta: np.ndarray,
    base_label: np.ndarray,
    start: np.ndarray,
    members: np.ndarray,
    pore_start: np.ndarray,
    pore_members: np.ndarray,
    first_row: int,
    voxel: float,
    labels: np.ndarray,
    numbers: np.ndarray,
    mu: np.ndarray,
    delta: np.ndarray,
    first: int,
    stop: int,
) -> None:
    tiles_y = -(-labels.shape[1] // TILE)
    tiles_x = -(-labels.shape[2] // TILE)
    step = voxel / POINTS
    beyond = TORLON if torlon else AIR
    most = 0
    for tile in range(first, stop):
        most = max(most, start[tile + 1] - start[tile])
    palette_mu = np.zeros(SUBSTANCES + most, np.float32)
    palette_delta = np.zeros(SUBSTANCES + most, np.float32)
    palette_label = np.full(SUBSTANCES + most, 3, np.uint8)
    palette_number = np.zeros(SUBSTANCES + most, np.uint32)
    palette_mu[:SUBSTANCES] = base_mu
    palette_delta[:SUBSTANCES] = base_delta
    palette_label[:SUBSTANCES] = base_label
    buffer = np.empty((TILE * POINTS, TILE * POINTS, TILE * POINTS), np.uint16)
    touched = np.empty((TILE, TILE, TILE), np.bool_)
    for tile in range(first, stop):
        tz, rest = tile // (tiles_y * tiles_x), tile % (tiles_y * tiles_x)
        ty, tx = rest // tiles_x, rest % tiles_x
        k0, j0, i0 = tz * TILE, ty * TILE, tx * TILE
        k1 = min(k0 + TILE, labels.shape[0])
        j1 = min(j0 + TILE, labels.shape[1])
        i1 = min(i0 + TILE, labels.shape[2])
        low_z, high_z = (first_row + k0 - 0.5) * voxel, (first_row + k1 - 0.5) * voxel
        crossed = False
        for f in range(6):
            if ends[0, f, ty, tx] <= high_z and ends[1, f, ty, tx] >= low_z:
                crossed = True
        middle = 0.5 * (low_z + high_z)
        dy = 0.5 * (j0 + j1 - 1) * voxel - axis[0] - axis[2] * middle
        dx = 0.5 * (i0 + i1 - 1) * voxel - axis[1] - axis[3] * middle
        radius = np.sqrt(dy * dy + dx * dx)
        wide = 0.75 * TILE * voxel
        walled = abs(radius - bore) < wide or abs(radius - tube) < wide
        out_labels = labels[k0:k1, j0:j1, i0:i1]
        out_numbers = numbers[k0:k1, j0:j1, i0:i1]
        out_mu = mu[k0:k1, j0:j1, i0:i1]
        out_delta = delta[k0:k1, j0:j1, i0:i1]
        z0 = low_z + 0.5 * step
        y0 = (j0 - 0.5) * voxel + 0.5 * step
        x0 = (i0 - 0.5) * voxel + 0.5 * step
        points = buffer[: (k1 - k0) * POINTS, : (j1 - j0) * POINTS, : (i1 - i0) * POINTS]
        # Where no face and no wall passes, one point stands for the tile.
        plain = not walled and (radius > bore or not crossed)
        if plain:
            points = buffer[:1, :1, :1]
            z0, y0, x0 = middle, 0.5 * (j0 + j1 - 1) * voxel, 0.5 * (i0 + i1 - 1) * voxel
        paint_frame(points, faces, axis, bore, tube, beyond, crossed, z0, y0, x0, step, voxel)
        if plain:
            code = buffer[0, 0, 0]
            empty = start[tile] == start[tile + 1] and pore_start[tile] == pore_start[tile + 1]
            if empty or not (code == ELECTROLYTE or code == MATRIX or code == VOID):
                fill_plain(
                    code, base_mu, base_delta, base_label, density, (first_row + k0) * voxel,
                    voxel, out_labels, out_numbers, out_mu, out_delta,
                )  # fmt: skip
                continue
            points = buffer[: (k1 - k0) * POINTS, : (j1 - j0) * POINTS, : (i1 - i0) * POINTS]
            points[:] = code
            z0 = low_z + 0.5 * step
            y0 = (j0 - 0.5) * voxel + 0.5 * step
            x0 = (i0 - 0.5) * voxel + 0.5 * step
        touched[:] = not plain
        for m in range(pore_start[tile], pore_start[tile + 1]):
            paint_pore(points, touched, pores[pore_members[m]], z0, y0, x0, step)
        for m in range(start[tile], start[tile + 1]):
            body = members[m]
            sharp = facet_set[body] >= 0
            planes = facets[facet_set[body]] if sharp else facets[0, :0]
            code = SUBSTANCES + m - start[tile]
            substance = CHIP if kind[body] == LITHIUM_CHIP else VOID
            particle = kind[body] == PARTICLE
            palette_label[code] = base_label[substance] if not particle else 3
            palette_mu[code] = body_mu[body] if particle else base_mu[substance]
            palette_delta[code] = body_delta[body] if particle else base_delta[substance]
            palette_number[code] = number[body]
            if kind[body] == GAP:
                code = VOID
            paint_body(
                points, touched, code, center[body], reach[body], to_unit[body], kind[body],
                planes, cavity[body], slits[body], z0, y0, x0, step,
            )  # fmt: skip
        average(
            points, touched, palette_mu, palette_delta, palette_label, palette_number, density,
            (first_row + k0) * voxel, voxel, out_labels, out_numbers, out_mu, out_delta,
        )  # fmt: skip
