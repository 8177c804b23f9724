"""Painting a tile at its points: layers and tube, then pores, then bodies.

Kernels. A tile is an array of points (z, y, x) that hold the number of a substance, or of a body.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.phantom.cell.bodies import FILAMENT, GAP, PARTICLE
from xct.phantom.cell.substances import (
    COLLECTOR,
    ELECTROLYTE,
    END,
    LITHIUM,
    MATRIX,
    POINTS,
    STEEL,
    SUBSTANCES,
    TUBE,
    VOID,
    WAVE,
    WAVES,
)


class Scene(NamedTuple):
    """What is the same for all tiles. Lengths in µm; see `xct.phantom.cell.raster.Frame`."""

    faces: np.ndarray
    ends: np.ndarray  # lowest and highest point of each face about each tile
    axis: np.ndarray
    bore: float
    tube: float
    beyond: int  # substance outside of the tube
    density: np.ndarray
    pores: np.ndarray
    facets: np.ndarray
    uncut: float  # square of the distance from a particle's middle up to which no facet reaches


class Points(NamedTuple):
    """Where the points of a tile lie: the first one, and the distance of two, in µm."""

    z0: float
    y0: float
    x0: float
    step: float


class Body(NamedTuple):
    """One body, as in `xct.phantom.cell.bodies.Bodies`; `code` is what its points hold."""

    code: int
    kind: int
    center: np.ndarray
    reach: float
    to_unit: np.ndarray
    planes: np.ndarray
    cavity: float
    slits: np.ndarray


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
def paint_frame(
    points: np.ndarray, scene: Scene, crossed: bool, places: Points, voxel: float
) -> None:
    """Paint layers and tube; `crossed`: whether a face passes the height of the tile."""
    z0, y0, x0, step = places
    faces, axis, bore, tube = scene.faces, scene.axis, scene.bore, scene.tube
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
                    points[k, j, i] = scene.beyond


@njit(cache=True, nogil=True, inline="always")
def _reached(
    center: float, reach: float, origin: float, step: float, count: int
) -> tuple[int, int]:
    """Give the first point within reach along an axis, and the one after the last."""
    low = int(np.ceil((center - reach - origin) / step))
    high = int(np.floor((center + reach - origin) / step)) + 1
    return max(low, 0), min(high, count)


@njit(cache=True, nogil=True, boundscheck=False)
def paint_pore(points: np.ndarray, touched: np.ndarray, pore: np.ndarray, places: Points) -> None:
    """Open a spherical pore in the substance that has it."""
    z0, y0, x0, step = places
    host, radius = int(pore[4]), pore[3]
    first_k, stop_k = _reached(pore[0], radius, z0, step, points.shape[0])
    first_j, stop_j = _reached(pore[1], radius, y0, step, points.shape[1])
    for k in range(first_k, stop_k):
        dz = z0 + k * step - pore[0]
        for j in range(first_j, stop_j):
            dy = y0 + j * step - pore[1]
            squared = radius * radius - dz * dz - dy * dy
            if squared < 0:
                continue
            first_i, stop_i = _reached(pore[2], np.sqrt(squared), x0, step, points.shape[2])
            for i in range(first_i, stop_i):
                if points[k, j, i] == host:
                    points[k, j, i] = VOID
                    touched[k // POINTS, j // POINTS, i // POINTS] = True


@njit(cache=True, nogil=True, boundscheck=False)
def paint_body(
    points: np.ndarray, touched: np.ndarray, body: Body, places: Points, uncut: float
) -> None:
    """Paint a body over what it may replace."""
    z0, y0, x0, step = places
    code, kind, center, reach, to_unit, planes, cavity, slits = body
    first_k, stop_k = _reached(center[0], reach, z0, step, points.shape[0])
    first_j, stop_j = _reached(center[1], reach, y0, step, points.shape[1])
    bu, bv, bw = to_unit[0, 2], to_unit[1, 2], to_unit[2, 2]
    bb = bu * bu + bv * bv + bw * bw
    opened = cavity > 0 or slits[:, 4].max() > 0
    for k in range(first_k, stop_k):
        dz = z0 + k * step - center[0]
        for j in range(first_j, stop_j):
            dy = y0 + j * step - center[1]
            au = to_unit[0, 0] * dz + to_unit[0, 1] * dy
            av = to_unit[1, 0] * dz + to_unit[1, 1] * dy
            aw = to_unit[2, 0] * dz + to_unit[2, 1] * dy
            # |a + b dx| = 1 where the row of points enters and leaves the ellipsoid.
            ab = au * bu + av * bv + aw * bw
            squared = ab * ab - bb * (au * au + av * av + aw * aw - 1)
            if squared < 0:
                continue
            middle, half = center[2] - ab / bb, np.sqrt(squared) / bb
            first_i, stop_i = _reached(middle, half, x0, step, points.shape[2])
            for i in range(first_i, stop_i):
                under = points[k, j, i]
                # Only the electrolyte has cracks and chips; a filament goes on among particles.
                soft = under == ELECTROLYTE or under == VOID
                if kind >= FILAMENT:
                    soft = soft or under == MATRIX
                if kind >= GAP:
                    soft = soft or under >= SUBSTANCES
                if not soft:
                    continue
                paint = code
                if kind == PARTICLE:
                    dx = x0 + i * step - center[2]
                    u, v, w = au + bu * dx, av + bv * dx, aw + bw * dx
                    if u * u + v * v + w * w > uncut and _is_cut(u, v, w, planes):
                        continue
                    if opened and _is_open(u, v, w, cavity, slits):
                        paint = VOID
                points[k, j, i] = paint
            for voxel in range(first_i // POINTS, (stop_i - 1) // POINTS + 1):
                touched[k // POINTS, j // POINTS, voxel] = True


@njit(cache=True, nogil=True, inline="always")
def _is_cut(u: float, v: float, w: float, planes: np.ndarray) -> bool:
    """Return whether a point of the unit sphere lies beyond a facet."""
    for f in range(planes.shape[0]):
        if planes[f, 0] * u + planes[f, 1] * v + planes[f, 2] * w > planes[f, 3]:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def _is_open(u: float, v: float, w: float, cavity: float, slits: np.ndarray) -> bool:
    """Return whether a point of the unit sphere lies in the cavity or in a crack."""
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
