"""Filling the tiles of a slab: faces, pores, bodies, averaged. Kernels. In: scene; out: voxels.

A tile that one substance fills, as one point shows, is not painted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.geometry import Label
from xct.parallel.kernels import njit
from xct.phantom.cell.bodies import FILAMENT, GAP, LITHIUM_CHIP, PARTICLE
from xct.phantom.cell.painting import Body, Points, Scene, paint_body, paint_frame, paint_pore
from xct.phantom.cell.substances import (
    CHIP,
    ELECTROLYTE,
    LABELS,
    MATRIX,
    POINTS,
    SUBSTANCES,
    TILE,
    VOID,
)

_ACTIVE = int(Label.ACTIVE_MATERIAL)
_ALONE = -1  # no single substance
# Flat faces of layers, whose labels are smaller, halve whole planes of voxels: neither side may
# have all of these.
_WALL = 6


class Palette(NamedTuple):
    """What the codes of points stand for: the substances, then the bodies of a tile."""

    mu: np.ndarray
    delta: np.ndarray
    label: np.ndarray
    number: np.ndarray


class Filled(NamedTuple):
    """Voxels of a slab or of a tile of it, shape (z, y, x)."""

    labels: np.ndarray
    numbers: np.ndarray
    mu: np.ndarray
    delta: np.ndarray


class BodyArrays(NamedTuple):
    """Those of `xct.phantom.cell.bodies.Bodies`, for kernels."""

    center: np.ndarray
    reach: np.ndarray
    to_unit: np.ndarray
    kind: np.ndarray
    facets: np.ndarray
    number: np.ndarray
    mu: np.ndarray
    delta: np.ndarray
    cavity: np.ndarray
    slits: np.ndarray


class Reaching(NamedTuple):
    """Which bodies and pores reach a tile: where its list starts, and the lists."""

    start: np.ndarray
    bodies: np.ndarray
    pore_start: np.ndarray
    pores: np.ndarray


class _Box(NamedTuple):
    """A tile: its first voxels, those after its last, and its place among the tiles of a slice."""

    k0: int
    k1: int
    j0: int
    j1: int
    i0: int
    i1: int
    row: int
    column: int


def substances(mu: np.ndarray, delta: np.ndarray) -> Palette:
    """Give the codes that are the same in all tiles."""
    return Palette(
        mu.astype(np.float32), delta.astype(np.float32), LABELS, np.zeros(SUBSTANCES, np.uint32)
    )


@njit(cache=True, nogil=True, boundscheck=False)
def fill_tiles(
    scene: Scene,
    bodies: BodyArrays,
    reaching: Reaching,
    base: Palette,
    slab: Filled,
    first_row: int,
    voxel: float,
    first: int,
    stop: int,
) -> None:
    """Fill tiles first … stop of a slab that starts at slice `first_row`."""
    palette = _extended(base, reaching.start, first, stop)
    buffer = np.empty((TILE * POINTS, TILE * POINTS, TILE * POINTS), np.uint16)
    touched = np.empty((TILE, TILE, TILE), np.bool_)
    step = voxel / POINTS
    for number in range(first, stop):
        box = _box(number, slab.labels.shape)
        tile = _part(slab, box)
        bottom = (first_row + box.k0) * voxel
        alone = _substance_alone(scene, box, first_row, voxel, buffer)
        if alone != _ALONE and not _is_entered(alone, reaching, number):
            fill_plain(alone, palette, scene.density, bottom, voxel, tile)
            continue
        points = buffer[
            : (box.k1 - box.k0) * POINTS,
            : (box.j1 - box.j0) * POINTS,
            : (box.i1 - box.i0) * POINTS,
        ]
        places = Points(
            (first_row + box.k0 - 0.5) * voxel + 0.5 * step,
            (box.j0 - 0.5) * voxel + 0.5 * step,
            (box.i0 - 0.5) * voxel + 0.5 * step,
            step,
        )
        if alone != _ALONE:
            points[:] = alone
        else:
            crossed = _is_crossed(scene, box, first_row, voxel)
            paint_frame(points, scene, crossed, places, voxel)
        touched[:] = alone == _ALONE
        for m in range(reaching.pore_start[number], reaching.pore_start[number + 1]):
            paint_pore(points, touched, scene.pores[reaching.pores[m]], places)
        _paint_bodies(points, touched, palette, scene, bodies, reaching, number, places)
        average(points, touched, palette, scene.density, bottom, voxel, tile)


@njit(cache=True, nogil=True)
def _extended(base: Palette, start: np.ndarray, first: int, stop: int) -> Palette:
    """Give the substances room for the bodies of the fullest tile."""
    most = 0
    for tile in range(first, stop):
        most = max(most, start[tile + 1] - start[tile])
    mu = np.zeros(SUBSTANCES + most, np.float32)
    delta = np.zeros(SUBSTANCES + most, np.float32)
    label = np.full(SUBSTANCES + most, _ACTIVE, np.uint8)
    number = np.zeros(SUBSTANCES + most, np.uint32)
    mu[:SUBSTANCES] = base.mu
    delta[:SUBSTANCES] = base.delta
    label[:SUBSTANCES] = base.label
    return Palette(mu, delta, label, number)


@njit(cache=True, nogil=True)
def _box(number: int, shape: tuple[int, int, int]) -> _Box:
    tiles_y, tiles_x = -(-shape[1] // TILE), -(-shape[2] // TILE)
    rest = number % (tiles_y * tiles_x)
    row, column = rest // tiles_x, rest % tiles_x
    k, j, i = number // (tiles_y * tiles_x) * TILE, row * TILE, column * TILE
    return _Box(
        k, min(k + TILE, shape[0]), j, min(j + TILE, shape[1]), i, min(i + TILE, shape[2]),
        row, column,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _part(slab: Filled, box: _Box) -> Filled:
    k0, k1, j0, j1, i0, i1 = box[0], box[1], box[2], box[3], box[4], box[5]
    return Filled(
        slab.labels[k0:k1, j0:j1, i0:i1],
        slab.numbers[k0:k1, j0:j1, i0:i1],
        slab.mu[k0:k1, j0:j1, i0:i1],
        slab.delta[k0:k1, j0:j1, i0:i1],
    )


@njit(cache=True, nogil=True)
def _is_crossed(scene: Scene, box: _Box, first_row: int, voxel: float) -> bool:
    """Return whether a face passes the height of a tile."""
    low, high = (first_row + box.k0 - 0.5) * voxel, (first_row + box.k1 - 0.5) * voxel
    lowest, highest = scene.ends[0, :, box.row, box.column], scene.ends[1, :, box.row, box.column]
    for f in range(len(lowest)):
        if lowest[f] <= high and highest[f] >= low:
            return True
    return False


@njit(cache=True, nogil=True)
def _substance_alone(
    scene: Scene, box: _Box, first_row: int, voxel: float, buffer: np.ndarray
) -> int:
    """Give the substance of a tile that no face and no wall passes, else `_ALONE`."""
    low, high = (first_row + box.k0 - 0.5) * voxel, (first_row + box.k1 - 0.5) * voxel
    z = 0.5 * (low + high)
    y, x = 0.5 * (box.j0 + box.j1 - 1) * voxel, 0.5 * (box.i0 + box.i1 - 1) * voxel
    dy = y - scene.axis[0] - scene.axis[2] * z
    dx = x - scene.axis[1] - scene.axis[3] * z
    radius = np.sqrt(dy * dy + dx * dx)
    wide = 0.75 * TILE * voxel
    crossed = _is_crossed(scene, box, first_row, voxel)
    if abs(radius - scene.bore) < wide or abs(radius - scene.tube) < wide:
        return _ALONE
    if radius <= scene.bore and crossed:
        return _ALONE
    point = buffer[:1, :1, :1]
    paint_frame(point, scene, crossed, Points(z, y, x, voxel / POINTS), voxel)
    return int(point[0, 0, 0])


@njit(cache=True, nogil=True)
def _is_entered(substance: int, reaching: Reaching, number: int) -> bool:
    """Return whether something that reaches a tile may take the place of its substance."""
    if not (substance == ELECTROLYTE or substance == MATRIX or substance == VOID):
        return False
    bodies = reaching.start[number + 1] > reaching.start[number]
    return bool(bodies or reaching.pore_start[number + 1] > reaching.pore_start[number])


@njit(cache=True, nogil=True, boundscheck=False)
def _paint_bodies(
    points: np.ndarray,
    touched: np.ndarray,
    palette: Palette,
    scene: Scene,
    bodies: BodyArrays,
    reaching: Reaching,
    number: int,
    places: Points,
) -> None:
    """Paint the bodies that reach a tile, each with a code of its own."""
    for m in range(reaching.start[number], reaching.start[number + 1]):
        body = reaching.bodies[m]
        code = SUBSTANCES + m - reaching.start[number]
        kind = bodies.kind[body]
        if kind == PARTICLE:
            palette.label[code] = _ACTIVE
            palette.mu[code], palette.delta[code] = bodies.mu[body], bodies.delta[body]
        else:
            substance = CHIP if kind in (LITHIUM_CHIP, FILAMENT) else VOID
            palette.label[code] = palette.label[substance]
            palette.mu[code], palette.delta[code] = palette.mu[substance], palette.delta[substance]
        palette.number[code] = bodies.number[body]
        shape = bodies.facets[body]
        planes = scene.facets[shape] if shape >= 0 else scene.facets[0, :0]
        one = Body(
            VOID if kind == GAP else code, kind, bodies.center[body], bodies.reach[body],
            bodies.to_unit[body], planes, bodies.cavity[body], bodies.slits[body],
        )  # fmt: skip
        paint_body(points, touched, one, places, scene.uncut)


# From points to voxels: labels by the largest fraction, μ and δ by the mean.


@njit(cache=True, nogil=True, boundscheck=False)
def average(
    points: np.ndarray,
    touched: np.ndarray,
    palette: Palette,
    density: np.ndarray,
    z0: float,
    voxel: float,
    tile: Filled,
) -> None:
    """Average the points of a tile to its voxels."""
    labels, numbers, mu, delta = tile
    palette_mu, palette_delta, palette_label, palette_number = palette
    points_of = np.empty(8, np.int32)
    seen = np.empty(POINTS**3, np.uint16)
    often = np.empty(POINTS**3, np.int32)
    first = int(np.rint(z0 / voxel))
    for k in range(labels.shape[0]):
        packed = relative_density(density, z0 + k * voxel)
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
                points_of[:] = 0
                odd = (first + k + j + i) % 2 == 1
                total_mu = total_delta = 0.0
                label = 0
                for s in range(kinds):
                    code, n = seen[s], often[s]
                    factor = packed if code == ELECTROLYTE else 1.0
                    total_mu += n * palette_mu[code] * factor
                    total_delta += n * palette_delta[code] * factor
                    points_of[palette_label[code]] += n
                for m in range(1, 8):
                    drawn = points_of[m] > 0 and points_of[m] == points_of[label]
                    if points_of[m] > points_of[label] or (drawn and m < _WALL and odd):
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
def relative_density(density: np.ndarray, z: float) -> float:
    """Give the electrolyte's density at a height, constant beyond its faces."""
    depth = (z - density[2]) / (density[3] - density[2])
    return float(density[0] + (density[1] - density[0]) * min(max(depth, 0.0), 1.0))


@njit(cache=True, nogil=True)
def fill_plain(
    code: int, palette: Palette, density: np.ndarray, z0: float, voxel: float, tile: Filled
) -> None:
    """Fill a tile of one substance."""
    for k in range(tile.labels.shape[0]):
        factor = relative_density(density, z0 + k * voxel) if code == ELECTROLYTE else 1.0
        tile.labels[k] = palette.label[code]
        tile.numbers[k] = 0
        tile.mu[k] = palette.mu[code] * factor
        tile.delta[k] = palette.delta[code] * factor
