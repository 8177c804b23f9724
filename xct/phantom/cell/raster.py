"""From geometry to voxels, with the mean over each voxel at edges. In: faces, bodies; out: a slab.

Space is cut into tiles. A tile that no face and no body reaches holds one substance; in others,
each voxel is painted at 4 × 4 × 4 points, which are then averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.phantom.cell.bodies import Bodies
from xct.phantom.cell.painting import Scene
from xct.phantom.cell.substances import AIR, TILE, TORLON
from xct.phantom.cell.tile_filling import BodyArrays, Filled, Reaching, fill_tiles, substances


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
) -> Filled:
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
    Filled
        labels, numbers, mu and delta, each of shape (z, y, x):
        uint8, uint32, float32 and float32. A number is that of the particle where the label is
        active material, and of the chip or crack where it is low grey; else 0.
    """
    first, stop = rows
    shape = (stop - first, *frame.faces.shape[1:])
    filled = Filled(
        np.empty(shape, np.uint8), np.empty(shape, np.uint32),
        np.empty(shape, np.float32), np.empty(shape, np.float32),
    )  # fmt: skip
    tiles = tuple(-(-n // TILE) for n in shape)
    reaching = Reaching(
        *by_tile(bodies.center, bodies.reach, first, tiles, voxel_um),
        *by_tile(pores[:, :3], pores[:, 3], first, tiles, voxel_um),
    )
    scene = Scene(
        frame.faces, extremes(frame.faces, tiles[1], tiles[2]), frame.axis, frame.bore_um,
        frame.tube_um, TORLON if frame.torlon else AIR, frame.density, pores, facets,
        float(facets[..., 3].min(initial=1)) ** 2,
    )  # fmt: skip
    arrays = BodyArrays(*(getattr(bodies, name) for name in BodyArrays._fields))
    base = substances(mu, delta)

    def fill(low: int, high: int) -> None:
        fill_tiles(scene, arrays, reaching, base, filled, first, voxel_um, low, high)

    over_ranges(fill, int(np.prod(tiles)), least=64, pieces=16)
    return filled


# Which bodies and faces reach which tile.


def by_tile(
    center_um: np.ndarray,
    reach_um: np.ndarray,
    first: int,
    tiles: tuple[int, ...],
    voxel_um: float,
) -> tuple[np.ndarray, np.ndarray]:
    """List what reaches each tile, in the order of painting: first of each tile, members."""
    center = (center_um / voxel_um).astype(np.float64)  # kernels are compiled once for each type
    center[:, 0] -= first
    reach = reach_um / voxel_um
    counts = np.zeros(int(np.prod(tiles)) + 1, np.int64)
    size = np.array(tiles)
    _count(center, reach, size, counts)
    np.cumsum(counts, out=counts)
    members = np.empty(counts[-1], np.int32)
    _list(center, reach, size, counts[:-1].copy(), members)
    return counts, members


@njit(cache=True, nogil=True, inline="always")
def _tile_range(center: float, reach: float, tiles: int) -> tuple[int, int]:
    low = int(np.floor((center - reach + 0.5) / TILE))
    high = int(np.floor((center + reach + 0.5) / TILE))
    return max(low, 0), min(high, tiles - 1) + 1


@njit(cache=True, nogil=True)
def _count(center: np.ndarray, reach: np.ndarray, tiles: np.ndarray, counts: np.ndarray) -> None:
    for i in range(len(reach)):
        z0, z1 = _tile_range(center[i, 0], reach[i], tiles[0])
        y0, y1 = _tile_range(center[i, 1], reach[i], tiles[1])
        x0, x1 = _tile_range(center[i, 2], reach[i], tiles[2])
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    counts[(z * tiles[1] + y) * tiles[2] + x + 1] += 1


@njit(cache=True, nogil=True)
def _list(
    center: np.ndarray, reach: np.ndarray, tiles: np.ndarray, place: np.ndarray, members: np.ndarray
) -> None:
    for i in range(len(reach)):
        z0, z1 = _tile_range(center[i, 0], reach[i], tiles[0])
        y0, y1 = _tile_range(center[i, 1], reach[i], tiles[1])
        x0, x1 = _tile_range(center[i, 2], reach[i], tiles[2])
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    tile = (z * tiles[1] + y) * tiles[2] + x
                    members[place[tile]] = i
                    place[tile] += 1


@njit(cache=True, nogil=True)
def extremes(faces: np.ndarray, tiles_y: int, tiles_x: int) -> np.ndarray:
    """Lowest and highest point of each face about each tile, shape (2, face, y, x)."""
    count, rows, columns = faces.shape
    found = np.empty((2, count, tiles_y, tiles_x), np.float32)
    for f in range(count):
        for ty in range(tiles_y):
            for tx in range(tiles_x):
                low, high = np.inf, -np.inf
                for y in range(max(0, ty * TILE - 1), min(rows, (ty + 1) * TILE + 1)):
                    for x in range(max(0, tx * TILE - 1), min(columns, (tx + 1) * TILE + 1)):
                        low = min(low, faces[f, y, x])
                        high = max(high, faces[f, y, x])
                found[0, f, ty, tx] = low
                found[1, f, ty, tx] = high
    return found
