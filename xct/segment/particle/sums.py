"""Sums over the voxels of each particle. In: slabs of labels and grey values; out: integers.

Whole numbers, so that sums do not depend on where the volume was cut.
"""

from __future__ import annotations

import numpy as np

from xct.geometry import Label
from xct.parallel.kernels import njit
from xct.segment.crofton import DIRECTIONS
from xct.segment.neighbors import mark_differing

GREY_STEP = 1e-4  # of the electrolyte's attenuation: what a grey value is rounded to
RECOVERY_STEP = 1e-4

# Columns of the sums.
COUNT, Z, Y, X, ZZ, YY, XX, ZY, ZX, YX = range(10)
GREY, CORE, CORE_GREY, CORE_GREY_2, CORE_RECOVERY = range(10, 15)
CORE_OWN, CORE_OWN_2 = range(15, 17)  # of what is left where the surroundings' part is taken off
BORDER, CAVITY, CAVITY_DARK, AT_STEEL = range(17, 21)
BESIDE, FIELDS = range(21, 23)  # BESIDE: grey values of the voxels above and below, two a voxel

# What is on the other side of a crossing.
ELECTROLYTE, PARTICLE, DARK, ELSE, KINDS = range(5)

_DIRECTIONS = DIRECTIONS.astype(np.int64)
_DARK, _SE, _OUTSIDE = int(Label.LOW_GREY), int(Label.ELECTROLYTE), int(Label.OUTSIDE)
_FACE_PX = 4.0  # blurred steel over a gap in the lithium looks like a particle
REACH = 4  # voxels over which a cavity is looked across, along each axis


def new_sums(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give empty sums, (particle, field), and crossings, (particle, direction, kind)."""
    return (
        np.zeros((count + 1, FIELDS), np.int64),
        np.zeros((count + 1, len(_DIRECTIONS), KINDS), np.int32),
    )


@njit(cache=True, nogil=True)
def add_voxels(
    particles: np.ndarray,
    ratios: np.ndarray,
    recovery: np.ndarray,
    least_recovery: float,
    first: int,
    before: int,
    stop: int,
    whole: int,
    sign: int,
    steel: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add the voxels of each particle: place, grey value, core; whether it lies on the steel.

    Slices `before` … `stop` of the arrays are counted; the volume's slice `first` is their
    slice `before`, and the first of `recovery`; the volume has `whole` slices. The core is where
    the point spread takes at least `least_recovery` from active material.
    """
    _, height, width = particles.shape
    for z in range(before, stop):
        w = first + z - before
        for y in range(height):
            for x in range(width):
                p = particles[z, y, x]
                if p == 0:
                    continue
                row = sums[p]
                row[COUNT] += 1
                row[Z] += w
                row[Y] += y
                row[X] += x
                row[ZZ] += w * w
                row[YY] += y * y
                row[XX] += x * x
                row[ZY] += w * y
                row[ZX] += w * x
                row[YX] += y * x
                grey = np.int64(np.rint(ratios[z, y, x] / GREY_STEP))
                row[GREY] += grey
                above = z - 1 if z > 0 else z + 1
                below = z + 1 if z + 1 < len(ratios) else z - 1
                beside = ratios[above, y, x] + ratios[below, y, x]
                row[BESIDE] += np.int64(np.rint(beside / GREY_STEP))
                if recovery[z - before, y, x] >= least_recovery:
                    row[CORE] += 1
                    row[CORE_GREY] += grey
                    row[CORE_GREY_2] += grey * grey // 10000
                    steps = recovery[z - before, y, x] / RECOVERY_STEP
                    row[CORE_RECOVERY] += np.int64(np.rint(steps))
                    part = np.float64(recovery[z - before, y, x])
                    own = np.int64(np.rint(((ratios[z, y, x] - 1) / part + 1) / GREY_STEP))
                    row[CORE_OWN] += own
                    row[CORE_OWN_2] += own * own // 10000
                if sign * w < steel[y, x] + _FACE_PX:
                    row[AT_STEEL] = 1
                if w == 0 or w == whole - 1 or y in (0, height - 1) or x in (0, width - 1):
                    row[BORDER] = 1


@njit(cache=True, nogil=True)
def add_crossings(
    particles: np.ndarray,
    labels: np.ndarray,
    before: int,
    stop: int,
    sums: np.ndarray,
    crossings: np.ndarray,
) -> None:
    """Count along 13 directions where a line leaves a particle, and into what.

    Between a particle and a pore a blurred voxel has the electrolyte's grey value: what lies
    behind it decides.
    """
    depth, height, width = particles.shape
    differs = np.empty(width, np.bool_)
    for z in range(before, stop):
        for y in range(height):
            mark_differing(particles, z, y, True, differs)
            for x in range(width):
                p = particles[z, y, x]
                if p == 0 or not differs[x]:
                    continue
                for k in range(2 * len(_DIRECTIONS)):
                    d = _DIRECTIONS[k // 2]
                    turn = 1 - 2 * (k % 2)
                    w, v, u = z + turn * d[0], y + turn * d[1], x + turn * d[2]
                    if w < 0 or w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                        continue
                    q = particles[w, v, u]
                    if q == p:
                        continue
                    kind = ELSE
                    label = labels[w, v, u]
                    if q:
                        kind = PARTICLE
                    elif label == _DARK:
                        kind = DARK
                    elif label == _OUTSIDE:
                        sums[p, BORDER] = 1
                    elif label == _SE:
                        kind = ELECTROLYTE
                        w, v, u = w + turn * d[0], v + turn * d[1], u + turn * d[2]
                        inside = 0 <= w < depth and 0 <= v < height and 0 <= u < width
                        if inside and labels[w, v, u] == _DARK:
                            kind = DARK
                    crossings[p, k // 2, kind] += 1


@njit(cache=True, nogil=True)
def add_cavities(
    particles: np.ndarray,
    labels: np.ndarray,
    ratios: np.ndarray,
    level: float,
    before: int,
    stop: int,
    sums: np.ndarray,
) -> None:
    """Count the voxels that one particle encloses along at least two axes, and how dark they are.

    `level` is the particles' grey value; darkness counts in thousandths of it.
    """
    depth, height, width = particles.shape
    hit = np.zeros(3, np.uint32)
    for z in range(before, stop):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if particles[z, y, x] or (label != _DARK and label != _SE):
                    continue
                for axis in range(3):
                    hit[axis] = 0
                    sides = np.uint32(0)
                    for turn in (-1, 1):
                        found = np.uint32(0)
                        for step in range(1, REACH + 1):
                            w = z + turn * step * (axis == 0)
                            v = y + turn * step * (axis == 1)
                            u = x + turn * step * (axis == 2)
                            if w < 0 or w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                                break
                            if particles[w, v, u]:
                                found = particles[w, v, u]
                                break
                        if found == 0 or (turn == 1 and found != sides):
                            break
                        if turn == 1:
                            hit[axis] = found
                        sides = found
                p = np.uint32(0)
                if hit[0] and (hit[0] == hit[1] or hit[0] == hit[2]):
                    p = hit[0]
                elif hit[1] and hit[1] == hit[2]:
                    p = hit[1]
                if p:
                    sums[p, CAVITY] += 1
                    dark = 1 - ratios[z, y, x] / level
                    sums[p, CAVITY_DARK] += np.int64(np.rint(1000 * min(max(dark, 0.0), 1.0)))
