"""Kernels of basins: climbing to peaks, pairs of neighbors, merging. In: heights; out: numbers."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit

NUMBER_BITS = 24  # of a provisional number within a slab, when pairs are packed to be sorted


@njit(cache=True, nogil=True)
def climb(
    heights: np.ndarray, first: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tell of each voxel to which peak, or way out of the slab, it climbs."""
    depth, height, width = heights.shape
    plane = height * width
    flat = heights.reshape(-1)
    tree = np.zeros((stop - first, height, width), np.uint32)
    number = tree.reshape(-1)
    base = first * plane
    room = 1024
    peak, place = np.empty(room, np.uint16), np.empty(room, np.int64)
    down, up = np.empty((room, 2), np.int64), np.empty((room, 2), np.int64)
    count = downs = ups = 0
    path = np.empty(4096, np.int64)
    for start in range(base, stop * plane):
        if flat[start] == 0 or number[start - base]:
            continue
        at, steps, found = start, 0, np.uint32(0)
        while True:
            if steps == path.size:
                longer = np.empty(2 * steps, np.int64)
                longer[:steps] = path
                path = longer
            path[steps] = at
            steps += 1
            upward = _steepest(flat, at, depth, height, width)
            if upward != at and base <= upward < stop * plane:
                found = number[upward - base]
                if found:
                    break
                at = upward
                continue
            if count == peak.size:
                peak, place = _longer(peak), _longer(place)
            peak[count] = flat[at] if upward == at else 0
            place[count] = at
            count += 1
            found = np.uint32(count)
            if upward < base:
                if downs == len(down):
                    down = _taller(down)
                down[downs, 0], down[downs, 1] = found, upward - base + plane
                downs += 1
            elif upward >= stop * plane:
                if ups == len(up):
                    up = _taller(up)
                up[ups, 0], up[ups, 1] = found, upward - stop * plane
                ups += 1
            break
        for step in range(steps):
            number[path[step] - base] = found
    return tree, peak[:count].copy(), place[:count].copy(), down[:downs].copy(), up[:ups].copy()


@njit(cache=True, nogil=True)
def _longer(values: np.ndarray) -> np.ndarray:
    longer = np.empty(2 * values.size, values.dtype)
    longer[: values.size] = values
    return longer


@njit(cache=True, nogil=True)
def _taller(pairs: np.ndarray) -> np.ndarray:
    taller = np.empty((2 * len(pairs), 2), np.int64)
    taller[: len(pairs)] = pairs
    return taller


@njit(cache=True, nogil=True)
def _steepest(flat: np.ndarray, at: int, depth: int, height: int, width: int) -> int:
    """Voxel that it goes up to most steeply from here; of equal ones the last; itself on a peak."""
    plane = height * width
    z, rest = at // plane, at % plane
    y, x = rest // width, rest % width
    here = np.float64(flat[at])
    best, slope = at, 0.0
    for dz in range(-1, 2):
        if z + dz < 0 or z + dz >= depth:
            continue
        for dy in range(-1, 2):
            if y + dy < 0 or y + dy >= height:
                continue
            for dx in range(-1, 2):
                if x + dx < 0 or x + dx >= width:
                    continue
                other = at + dz * plane + dy * width + dx
                rise = flat[other] - here
                if rise < 0 or (rise == 0 and other <= at):
                    continue
                steep = rise / np.sqrt(np.float64(dz * dz + dy * dy + dx * dx))
                if steep >= slope:
                    best, slope = other, steep
    return best


@njit(cache=True, nogil=True)
def pairs_within(heights: np.ndarray, tree: np.ndarray) -> np.ndarray:
    """Pack every pair of neighboring voxels of two trees: both numbers, the lower height."""
    depth, height, width = heights.shape
    pairs, used = np.empty(4096, np.uint64), 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                a = np.uint64(tree[z, y, x])
                if a == 0:
                    continue
                for step in range(14, 27):
                    w, v, u = z + step // 9 - 1, y + step // 3 % 3 - 1, x + step % 3 - 1
                    if w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                        continue
                    b = np.uint64(tree[w, v, u])
                    if b == 0 or a == b:
                        continue
                    if used == pairs.size:
                        pairs = _longer(pairs)
                    saddle = np.uint64(min(heights[z, y, x], heights[w, v, u]))
                    low, high = min(a, b), max(a, b)
                    pairs[used] = (
                        (low << np.uint64(16 + NUMBER_BITS)) | (high << np.uint64(16)) | saddle
                    )
                    used += 1
    return pairs[:used].copy()


@njit(cache=True, nogil=True)
def pairs_across(
    under: np.ndarray, last: np.ndarray, over: np.ndarray, next_: np.ndarray, base: int
) -> np.ndarray:
    """As `pairs_within`, between the last plane of a slab and the first of the next."""
    height, width = under.shape
    pairs, used = np.empty(4096, np.uint64), 0
    for y in range(height):
        for x in range(width):
            if last[y, x] == 0:
                continue
            a = np.uint64(last[y, x] - base)
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    b = np.uint64(next_[v, u])
                    if b == 0:
                        continue
                    if used == pairs.size:
                        pairs = _longer(pairs)
                    saddle = np.uint64(min(under[y, x], over[v, u]))
                    pairs[used] = (a << np.uint64(16 + NUMBER_BITS)) | (b << np.uint64(16)) | saddle
                    used += 1
    return pairs[:used].copy()


@njit(cache=True, nogil=True)
def merge_over_saddles(
    peak: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    saddle: np.ndarray,
    rise: float,
    share: float,
) -> np.ndarray:
    """Join over the saddles from the highest down; the higher peak is the root."""
    parents = np.arange(peak.size)
    for edge in range(first.size):
        a, b = first[edge], second[edge]
        while parents[a] != a:
            parents[a] = parents[parents[a]]
            a = parents[a]
        while parents[b] != b:
            parents[b] = parents[parents[b]]
            b = parents[b]
        if a == b:
            continue
        if peak[a] < peak[b] or (peak[a] == peak[b] and a > b):
            a, b = b, a
        above = peak[b] - saddle[edge]
        if above < rise or above < share * peak[b]:
            parents[b] = a
    for basin in range(parents.size):
        root = basin
        while parents[root] != root:
            root = parents[root]
        parents[basin] = root
    return parents
