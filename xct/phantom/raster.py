"""From geometry to voxels, with the mean over each voxel at edges. In: faces, bodies; out: a slab.

Space is cut into tiles. A tile that no face and no body reaches holds one substance; in others,
each voxel is painted at 4 × 4 × 4 points, which are then averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from xct.labels import Label
from xct.phantom.bodies import GAP, LITHIUM_CHIP, PARTICLE, Bodies
from xct.threads import over_ranges

TILE = 8
POINTS = 4

# What a point can be, beside a particle.
AIR, LITHIUM, ELECTROLYTE, MATRIX, STEEL, COLLECTOR, TUBE, VOID, TORLON, CHIP = range(10)
SUBSTANCES = 10
# A crack in a particle is bent by a wave, and ends at this share of its longest way.
WAVE, WAVES, END = 0.06, 4.0, 0.45
LABELS = np.array(
    [
        Label.OUTSIDE, Label.LITHIUM, Label.ELECTROLYTE, Label.ELECTROLYTE, Label.STEEL,
        Label.COLLECTOR, Label.TUBE, Label.LOW_GREY, Label.TUBE, Label.LOW_GREY,
    ],
    np.uint8,
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Everything that is not a body. Lengths in µm.

    Attributes
    ----------
    faces : ndarray of float32, shape (5 + 1, y, x)
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
    start, members = _by_tile(bodies.center, bodies.reach, first, tiles, voxel_um)
    pore_start, pore_members = _by_tile(pores[:, :3], pores[:, 3], first, tiles, voxel_um)
    extremes = _extremes(frame.faces, tiles[1], tiles[2])

    def fill(low: int, high: int) -> None:
        _fill(
            frame.faces, extremes, frame.axis, frame.bore_um, frame.tube_um, frame.torlon,
            frame.density, bodies.center, bodies.reach, bodies.to_unit, bodies.kind,
            bodies.facets, bodies.number, bodies.mu, bodies.delta, bodies.cavity, bodies.slits,
            facets, pores, mu.astype(np.float32), delta.astype(np.float32), LABELS,
            start, members, pore_start, pore_members, first, voxel_um,
            labels, numbers, mean_mu, mean_delta, low, high,
        )  # fmt: skip

    over_ranges(fill, int(np.prod(tiles)), least=64, pieces=16)
    return labels, numbers, mean_mu, mean_delta


def _by_tile(
    center_um: np.ndarray,
    reach_um: np.ndarray,
    first: int,
    tiles: tuple[int, ...],
    voxel_um: float,
) -> tuple[np.ndarray, np.ndarray]:
    """List what reaches each tile, in the order of painting: first of each tile, members."""
    center = center_um / voxel_um
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
def _extremes(faces: np.ndarray, tiles_y: int, tiles_x: int) -> np.ndarray:
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


@njit(cache=True, nogil=True, inline="always")
def _bilinear(face: np.ndarray, y: float, x: float) -> float:
    rows, columns = face.shape
    j = min(max(int(np.floor(y)), 0), rows - 2)
    i = min(max(int(np.floor(x)), 0), columns - 2)
    v, u = y - j, x - i
    above = face[j, i] * (1 - u) + face[j, i + 1] * u
    below = face[j + 1, i] * (1 - u) + face[j + 1, i + 1] * u
    return float(above * (1 - v) + below * v)


@njit(cache=True, nogil=True, inline="always")
def _layer(z: float, faces: np.ndarray) -> int:
    """Substance at a height, from the heights of the six faces there."""
    if z < faces[0]:
        return STEEL
    if z < faces[1]:
        return VOID
    if z < faces[2]:
        return LITHIUM
    if z < faces[3]:
        return ELECTROLYTE
    if z < faces[4]:
        return MATRIX
    if z < faces[5]:
        return COLLECTOR
    return STEEL


@njit(cache=True, nogil=True, boundscheck=False)
def _paint_frame(
    points: np.ndarray,
    faces: np.ndarray,
    axis: np.ndarray,
    bore: float,
    tube: float,
    beyond: int,
    crossed: bool,
    z0: float,
    y0: float,
    x0: float,
    step: float,
    voxel: float,
) -> None:
    """Paint layers and tube; z0, y0, x0 is the first point, in µm."""
    heights = np.empty((points.shape[1], points.shape[2], 6), np.float32)
    if crossed:
        for j in range(points.shape[1]):
            for i in range(points.shape[2]):
                for f in range(6):
                    heights[j, i, f] = _bilinear(
                        faces[f], (y0 + j * step) / voxel, (x0 + i * step) / voxel
                    )
    else:
        y, x = y0 + 0.5 * step * points.shape[1], x0 + 0.5 * step * points.shape[2]
        for f in range(6):
            heights[:, :, f] = _bilinear(faces[f], y / voxel, x / voxel)
    for k in range(points.shape[0]):
        z = z0 + k * step
        axis_y, axis_x = axis[0] + axis[2] * z, axis[1] + axis[3] * z
        for j in range(points.shape[1]):
            dy = y0 + j * step - axis_y
            for i in range(points.shape[2]):
                dx = x0 + i * step - axis_x
                squared = dy * dy + dx * dx
                if squared < bore * bore:
                    points[k, j, i] = _layer(z, heights[j, i])
                elif squared < tube * tube:
                    points[k, j, i] = TUBE
                else:
                    points[k, j, i] = beyond


@njit(cache=True, nogil=True, inline="always")
def _reached(
    center: float, reach: float, origin: float, step: float, count: int
) -> tuple[int, int]:
    """Give the first point within reach along an axis, and the one after the last."""
    low = int(np.ceil((center - reach - origin) / step))
    high = int(np.floor((center + reach - origin) / step)) + 1
    return max(low, 0), min(high, count)


@njit(cache=True, nogil=True, boundscheck=False)
def _paint_pore(
    points: np.ndarray,
    touched: np.ndarray,
    pore: np.ndarray,
    z0: float,
    y0: float,
    x0: float,
    step: float,
) -> None:
    host, radius = int(pore[4]), pore[3]
    first_k, stop_k = _reached(pore[0], radius, z0, step, points.shape[0])
    first_j, stop_j = _reached(pore[1], radius, y0, step, points.shape[1])
    first_i, stop_i = _reached(pore[2], radius, x0, step, points.shape[2])
    for k in range(first_k, stop_k):
        dz = z0 + k * step - pore[0]
        for j in range(first_j, stop_j):
            dy = y0 + j * step - pore[1]
            for i in range(first_i, stop_i):
                dx = x0 + i * step - pore[2]
                inside = dz * dz + dy * dy + dx * dx <= radius * radius
                if inside and points[k, j, i] == host:
                    points[k, j, i] = VOID
                    touched[k // POINTS, j // POINTS, i // POINTS] = True


@njit(cache=True, nogil=True, boundscheck=False)
def _paint_body(
    points: np.ndarray,
    touched: np.ndarray,
    code: int,
    center: np.ndarray,
    reach: float,
    to_unit: np.ndarray,
    kind: int,
    planes: np.ndarray,
    cavity: float,
    slits: np.ndarray,
    z0: float,
    y0: float,
    x0: float,
    step: float,
) -> None:
    """Paint a body over what it may replace."""
    first_k, stop_k = _reached(center[0], reach, z0, step, points.shape[0])
    first_j, stop_j = _reached(center[1], reach, y0, step, points.shape[1])
    first_i, stop_i = _reached(center[2], reach, x0, step, points.shape[2])
    for k in range(first_k, stop_k):
        dz = z0 + k * step - center[0]
        for j in range(first_j, stop_j):
            dy = y0 + j * step - center[1]
            for i in range(first_i, stop_i):
                dx = x0 + i * step - center[2]
                u = to_unit[0, 0] * dz + to_unit[0, 1] * dy + to_unit[0, 2] * dx
                v = to_unit[1, 0] * dz + to_unit[1, 1] * dy + to_unit[1, 2] * dx
                w = to_unit[2, 0] * dz + to_unit[2, 1] * dy + to_unit[2, 2] * dx
                if u * u + v * v + w * w > 1:
                    continue
                under = points[k, j, i]
                # Only the electrolyte has cracks and chips.
                soft = under == ELECTROLYTE or under == VOID
                if kind >= GAP:
                    soft = soft or under == MATRIX or under >= SUBSTANCES
                if soft and not (kind == PARTICLE and _is_cut(u, v, w, planes)):
                    hollow = kind == PARTICLE and _is_open(u, v, w, cavity, slits)
                    points[k, j, i] = VOID if hollow else code
                    touched[k // POINTS, j // POINTS, i // POINTS] = True


@njit(cache=True, nogil=True, inline="always")
def _is_cut(u: float, v: float, w: float, planes: np.ndarray) -> bool:
    """Tell whether a point of the unit sphere lies beyond a facet."""
    for f in range(planes.shape[0]):
        if planes[f, 0] * u + planes[f, 1] * v + planes[f, 2] * w > planes[f, 3]:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def _is_open(u: float, v: float, w: float, cavity: float, slits: np.ndarray) -> bool:
    """Tell whether a point of the unit sphere lies in the cavity or in a crack."""
    if u * u + v * v + w * w < cavity * cavity:
        return True
    for s in range(slits.shape[0]):
        across = slits[s, 0] * u + slits[s, 1] * v + slits[s, 2] * w - slits[s, 3]
        if slits[s, 4] > 0 and abs(across) < slits[s, 4] + WAVE:
            along = slits[s, 5] * u + slits[s, 6] * v + slits[s, 7] * w
            bent = across + WAVE * np.sin(WAVES * along)
            if along < END and abs(bent) < slits[s, 4]:
                return True
    return False


@njit(cache=True, nogil=True, boundscheck=False)
def _average(
    points: np.ndarray,
    touched: np.ndarray,
    palette_mu: np.ndarray,
    palette_delta: np.ndarray,
    palette_label: np.ndarray,
    palette_number: np.ndarray,
    density: np.ndarray,
    z0: float,
    voxel: float,
    labels: np.ndarray,
    numbers: np.ndarray,
    mu: np.ndarray,
    delta: np.ndarray,
) -> None:
    """Average points to voxels; the arrays are those of the tile."""
    share = np.empty(8, np.int32)
    seen = np.empty(POINTS**3, np.uint16)
    often = np.empty(POINTS**3, np.int32)
    for k in range(labels.shape[0]):
        packed = _relative_density(density, z0 + k * voxel)
        for j in range(labels.shape[1]):
            for i in range(labels.shape[2]):
                if not touched[k, j, i]:
                    code = points[k * POINTS, j * POINTS, i * POINTS]
                    factor = packed if code == ELECTROLYTE else 1.0
                    labels[k, j, i] = palette_label[code]
                    numbers[k, j, i] = 0
                    mu[k, j, i] = palette_mu[code] * factor
                    delta[k, j, i] = palette_delta[code] * factor
                    continue
                kinds = 0
                last = -1
                for c in range(k * POINTS, (k + 1) * POINTS):
                    for b in range(j * POINTS, (j + 1) * POINTS):
                        for a in range(i * POINTS, (i + 1) * POINTS):
                            code = points[c, b, a]
                            if last < 0 or seen[last] != code:
                                last = 0
                                while last < kinds and seen[last] != code:
                                    last += 1
                                if last == kinds:
                                    seen[last] = code
                                    often[last] = 0
                                    kinds += 1
                            often[last] += 1
                share[:] = 0
                total_mu = total_delta = 0.0
                label = 0
                for s in range(kinds):
                    code, n = seen[s], often[s]
                    factor = packed if code == ELECTROLYTE else 1.0
                    total_mu += n * palette_mu[code] * factor
                    total_delta += n * palette_delta[code] * factor
                    share[palette_label[code]] += n
                for m in range(1, 8):
                    if share[m] > share[label]:
                        label = m
                most, number = 0, 0
                for s in range(kinds):
                    code = seen[s]
                    mine = palette_number[code] > 0 and palette_label[code] == label
                    if mine and often[s] > most:
                        most, number = often[s], palette_number[code]
                labels[k, j, i] = label
                numbers[k, j, i] = number
                mu[k, j, i] = total_mu / POINTS**3
                delta[k, j, i] = total_delta / POINTS**3


@njit(cache=True, nogil=True, inline="always")
def _relative_density(density: np.ndarray, z: float) -> float:
    share = (z - density[2]) / (density[3] - density[2])
    return float(density[0] + (density[1] - density[0]) * min(max(share, 0.0), 1.0))


@njit(cache=True, nogil=True)
def _fill_plain(
    code: int,
    base_mu: np.ndarray,
    base_delta: np.ndarray,
    base_label: np.ndarray,
    density: np.ndarray,
    z0: float,
    voxel: float,
    labels: np.ndarray,
    numbers: np.ndarray,
    mu: np.ndarray,
    delta: np.ndarray,
) -> None:
    """Fill a tile of one substance."""
    for k in range(labels.shape[0]):
        factor = _relative_density(density, z0 + k * voxel) if code == ELECTROLYTE else 1.0
        labels[k] = base_label[code]
        numbers[k] = 0
        mu[k] = base_mu[code] * factor
        delta[k] = base_delta[code] * factor


@njit(cache=True, nogil=True, boundscheck=False)
def _fill(
    faces: np.ndarray,
    extremes: np.ndarray,
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
            if extremes[0, f, ty, tx] <= high_z and extremes[1, f, ty, tx] >= low_z:
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
        _paint_frame(points, faces, axis, bore, tube, beyond, crossed, z0, y0, x0, step, voxel)
        if plain:
            code = buffer[0, 0, 0]
            empty = start[tile] == start[tile + 1] and pore_start[tile] == pore_start[tile + 1]
            if empty or not (code == ELECTROLYTE or code == MATRIX or code == VOID):
                _fill_plain(
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
            _paint_pore(points, touched, pores[pore_members[m]], z0, y0, x0, step)
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
            _paint_body(
                points, touched, code, center[body], reach[body], to_unit[body], kind[body],
                planes, cavity[body], slits[body], z0, y0, x0, step,
            )  # fmt: skip
        _average(
            points, touched, palette_mu, palette_delta, palette_label, palette_number, density,
            (first_row + k0) * voxel, voxel, out_labels, out_numbers, out_mu, out_delta,
        )  # fmt: skip
