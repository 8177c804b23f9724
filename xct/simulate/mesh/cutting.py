"""A triangulation made to follow a boundary. In: triangles, a level; out: triangles on its sides.

Nodes near the boundary are moved onto it, edges that still cross it are cut there, as in isosurface
stuffing (Labelle, Shewchuk, ACM Trans. Graph. 26, 57 (2007)), in two dimensions. No edge ever ends
within another, whatever the level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xct.simulate.mesh.mesh import areas, facets_of

# Positive inside of a material, negative outside, µm: (node, 2) → (node,)
Level = Callable[[np.ndarray], np.ndarray]

_SNAP = 0.3  # of an edge: a node as near to the boundary as that is moved onto it
_NEGLIGIBLE = 0.08  # of an edge: what lies nearer counts as on the boundary, where it is not moved


@dataclass
class Cut:
    """Triangles while they are cut.

    Attributes
    ----------
    points : ndarray, shape (node, 2)
        Positions, µm.
    triangles : ndarray of int, shape (triangle, 3)
        Their nodes.
    material : ndarray of uint8, shape (triangle,)
        What has been found so far.
    held : ndarray of bool, shape (node,)
        Nodes on a boundary that was found before: they stay.
    """

    points: np.ndarray
    triangles: np.ndarray
    material: np.ndarray
    held: np.ndarray


def cut(
    mesh: Cut, level: Level, code: int, base: int, box: tuple[float, float] | None = None
) -> Cut:
    """Make triangles follow the boundary of a material, and mark what lies inside.

    Parameters
    ----------
    mesh : Cut
        Before.
    level : callable
        Positive inside of the material.
    code : int
        Of the material.
    base : int
        The material that it is cut out of: others stay.
    box : tuple of float, optional
        Width and height of the rectangle: nodes on its sides stay on them.
    """
    values = level(mesh.points)
    if not (values > 0).any():
        return mesh
    points, values = _snapped(mesh, values, level, box)
    points, triangles, material, values, held = _split(mesh, points, values, level)
    inside = _is_inside(points, triangles, values, level)
    material = np.where(inside & (material == base), code, material).astype(np.uint8)
    return Cut(points, triangles, material, held)


def _snapped(
    mesh: Cut, values: np.ndarray, level: Level, box: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Move nodes near the boundary onto it, along the edge on which it is nearest."""
    points, edges = mesh.points, facets_of(mesh.triangles).nodes
    a, b = edges[values[edges[:, 0]] * values[edges[:, 1]] < 0].T
    part = values[a] / (values[a] - values[b])
    place = _on_level(points[a], points[b], part, level)
    length = np.linalg.norm(points[b] - points[a], axis=1)
    node, far = np.concatenate([a, b]), np.concatenate([part, 1 - part])
    where, other = np.concatenate([place, place]), np.concatenate([b, a])
    length = np.concatenate([length, length])
    sides = _sides(points, box)
    # A node on a side of the rectangle moves along that side only, and a corner never.
    may = (sides[node] & ~sides[other]) == 0
    moves = may & ~mesh.held[node] & (far < _SNAP)
    order = np.flatnonzero(moves)[np.argsort((far * length)[moves], kind="stable")]
    chosen = order[np.unique(node[order], return_index=True)[1]]
    points, values = points.copy(), values.copy()
    points[node[chosen]] = where[chosen]
    values[node[chosen]] = 0.0
    stays = (mesh.held[node] | ~may) & (far < _NEGLIGIBLE)
    values[node[stays]] = 0.0
    return points, values


def _sides(points: np.ndarray, box: tuple[float, float] | None) -> np.ndarray:
    """Say by a bit for each on which sides of the rectangle points lie."""
    width, height = box if box is not None else (np.inf, np.inf)
    near = 1e-9 * max(np.ptp(points, axis=0))
    x, y = points.T
    on = (x <= near, x >= width - near, y <= near, y >= height - near)
    return np.asarray(sum(bit.astype(np.uint8) << k for k, bit in enumerate(on)))


def _on_level(a: np.ndarray, b: np.ndarray, part: np.ndarray, level: Level) -> np.ndarray:
    """Find where the level is zero between two points, by a secant and two more steps."""
    low, high = np.zeros_like(part), np.ones_like(part)
    start, end = level(a), level(b)
    for _ in range(2):
        value = level(a + part[:, None] * (b - a))
        same = value * start > 0
        low, high = np.where(same, part, low), np.where(same, high, part)
        start, end = np.where(same, value, start), np.where(same, end, value)
        difference = np.where(start == end, 1.0, start - end)
        part = np.clip(low + (high - low) * start / difference, low, high)
    return np.asarray(a + part[:, None] * (b - a))


def _split(
    mesh: Cut, points: np.ndarray, values: np.ndarray, level: Level
) -> tuple[np.ndarray, ...]:
    """Cut every triangle that the boundary crosses along it."""
    triangles, material = mesh.triangles, mesh.material
    sign = np.sign(values)[triangles].astype(int)
    crossed = (sign.max(axis=1) > 0) & (sign.min(axis=1) < 0)
    edges = facets_of(triangles[crossed]).nodes
    a, b = edges[values[edges[:, 0]] * values[edges[:, 1]] < 0].T
    part = np.clip(values[a] / (values[a] - values[b]), 0.05, 0.95)
    added = np.clip(_on_level(points[a], points[b], part, level), *_between(points[a], points[b]))
    keys = np.minimum(a, b) * np.int64(len(points)) + np.maximum(a, b)
    order = np.argsort(keys)
    lookup = _Middles(keys[order], len(points) + order, len(points))
    fresh, source = _sub_triangles(triangles[crossed], sign[crossed], lookup)
    kept = np.flatnonzero(~crossed)
    source = np.flatnonzero(crossed)[source]
    on_edge = np.concatenate([mesh.held | (values == 0), np.ones(len(added), bool)])
    return (
        np.concatenate([points, added]),
        np.concatenate([triangles[kept], fresh]),
        np.concatenate([material[kept], material[source]]),
        np.concatenate([values, np.zeros(len(added))]),
        on_edge,
    )


def _between(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(a, b), np.maximum(a, b)


@dataclass(frozen=True)
class _Middles:
    """Nodes in the middle of edges that are cut."""

    keys: np.ndarray
    nodes: np.ndarray
    count: int

    def of(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        key = np.minimum(a, b) * np.int64(self.count) + np.maximum(a, b)
        return np.asarray(self.nodes[np.searchsorted(self.keys, key)])


def _sub_triangles(
    triangles: np.ndarray, sign: np.ndarray, middles: _Middles
) -> tuple[np.ndarray, np.ndarray]:
    """Give the triangles that crossed ones are cut into, and which each comes from."""
    found, source = [], []
    with_node = (sign == 0).any(axis=1)
    for which in np.flatnonzero(with_node), np.flatnonzero(~with_node):
        if not len(which):
            continue
        # The node on the boundary comes first; or the one that is alone on its side.
        alone = sign[which] == 0 if with_node[which[0]] else _alone(sign[which])
        first = alone.argmax(axis=1)
        p, q, r = (triangles[which, (first + k) % 3] for k in range(3))
        if with_node[which[0]]:
            m = middles.of(q, r)
            parts = [(p, q, m), (p, m, r)]
        else:
            m, n = middles.of(p, q), middles.of(p, r)
            parts = [(p, m, n), (m, q, r), (m, r, n)]
        found += [np.stack(part, axis=1) for part in parts]
        source += [which] * len(parts)
    if not found:
        return np.empty((0, 3), int), np.empty(0, int)
    return np.concatenate(found), np.concatenate(source)


def _alone(sign: np.ndarray) -> np.ndarray:
    return np.asarray(sign == -np.sign(sign.sum(axis=1))[:, None])


def _is_inside(
    points: np.ndarray, triangles: np.ndarray, values: np.ndarray, level: Level
) -> np.ndarray:
    """Say on which side of the boundary triangles lie; by the middle where all nodes are on it."""
    corner = values[triangles]
    total = np.where((corner >= 0).all(axis=1), 1, -1)
    on_it = (corner == 0).all(axis=1)
    total[on_it] = np.sign(level(points[triangles[on_it]].mean(axis=1)))
    return total > 0


def without_slivers(mesh: Cut) -> Cut:
    """Leave out triangles without area: three nodes of a straight boundary."""
    area = areas(mesh.points, mesh.triangles)
    good = np.abs(area) > 1e-12 * np.abs(area).max()
    triangles = mesh.triangles[good]
    turned = area[good] < 0
    triangles[turned] = triangles[turned][:, [0, 2, 1]]
    return Cut(mesh.points, triangles, mesh.material[good], mesh.held)
