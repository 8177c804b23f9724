"""Which low-grey regions are filaments, how long and how bent. In: their nodes; out: a table.

A node is the part of a region in a cube of voxels. The way through the nodes of a region from one
end to the other is its length; how far the rest of it lies from that way, its width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

if TYPE_CHECKING:
    import pandas as pd

CUBE = 4  # voxels along the edge of a node's cube
# Fields of a node: its region and cube, then sums over its voxels.
REGION, CZ, CY, CX, COUNT, Z, Y, X, ZZ, YY, XX, FIELDS = range(12)
_BESIDE = 1.8  # cubes: those that share a face, an edge or a corner

# A filament is that many times as long as it is wide, and hardly wider than what it holds allows;
# plates and lumps are not. Chosen on cells of the make "pressed".
SLENDER, FLAT, BRANCHES = 3.0, 1.5, 3
# What is seen of a thin crack may be a strip: slender, but wider than it is thick by more than
# this. Strips: 1.35 to 2.5; filaments, bent ones too: 0.4 to 1.03.
_ROUND = 1.2
# A rod is as thick at its ends as in its middle, so that the distance of its ends is 0.77 of the
# long axis of an ellipsoid with its moments (0.75 to 0.80 in three virtual cells, on two of which
# this was set); two cracks that meet hold most where they do (0.95).
_EVEN = 0.88
_LEAST_CUBES = 3.0  # of length: of what is shorter the shape is not known, such as a bit of a crack


def nodes_of(numbers: np.ndarray, first: int) -> np.ndarray:
    """Give the nodes of the pieces in a slab.

    Parameters
    ----------
    numbers : ndarray of uint32, shape (z, y, x)
        Of the pieces, from 1.
    first : int
        Slice of the volume with which the slab begins.

    Returns
    -------
    ndarray of int64, shape (node, field)
        `REGION` counts from 0. Sums are whole numbers, so that they do not depend on the cut.
    """
    place = np.argwhere(numbers)
    z, y, x = (place + np.array([first, 0, 0])).T
    piece = numbers[tuple(place.T)].astype(np.int64) - 1
    rows = (piece, z // CUBE, y // CUBE, x // CUBE, np.ones_like(z), z, y, x, z * z, y * y, x * x)
    return joined_nodes(np.stack(rows, axis=1))


def joined_nodes(nodes: np.ndarray) -> np.ndarray:
    """Add up the nodes of one region in one cube, shape (node, field); in a fixed order."""
    nodes = nodes.reshape(-1, FIELDS)
    order = np.lexsort(nodes[:, CX::-1].T)
    nodes = nodes[order]
    if not len(nodes):
        return nodes
    new = np.any(nodes[1:, : CX + 1] != nodes[:-1, : CX + 1], axis=1)
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    sums = np.add.reduceat(nodes, starts, axis=0)
    sums[:, : CX + 1] = nodes[starts, : CX + 1]
    return sums


def filament_table(
    nodes: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    volume_um3: np.ndarray,
    feret_um: np.ndarray,
    axes_um: np.ndarray,
    sign: int,
) -> pd.DataFrame:
    """Measure the way through each region.

    Parameters
    ----------
    nodes : ndarray of int64, shape (node, field)
        Of `nodes_of`, `REGION` from 0 to the number of regions.
    voxel_size_um : tuple of float
        z, y, x.
    volume_um3, feret_um : ndarray, shape (region,)
        Volume of each, with its rim, and its widest extent.
    axes_um : ndarray, shape (region, 3)
        Axes of the ellipsoid with the same moments, ascending.
    sign : int
        +1 where the anode lies at small z.

    Returns
    -------
    DataFrame
        A row for each region: ``filament`` (slender, neither a plate nor a strip of one, nor
        thicker in its middle than a rod is),
        ``length_um`` (along the way from end to end), ``mean_diameter_um`` (of a cylinder of that
        length and volume), ``tortuosity`` (of the way, over the distance of its ends),
        ``tilt_deg`` (of the line between the ends, to the axis), ``azimuth_deg`` (of its end away
        from the anode, from +x to +y), ``branches`` (off that way). NaN where a region is too
        stout to have a way.
    """
    import pandas as pd

    rows = np.full((len(volume_um3), 6), np.nan)
    filament = np.zeros(len(volume_um3), bool)
    thick = np.sqrt(4 * volume_um3 / (np.pi * np.maximum(feret_um, 1e-9)))
    starts = np.searchsorted(nodes[:, REGION], np.arange(len(volume_um3) + 1))
    for region in np.flatnonzero(feret_um >= SLENDER * thick):
        own = nodes[starts[region] : starts[region + 1]]
        if len(own) > 2:
            rows[region], filament[region] = _measured(
                own, np.asarray(voxel_size_um), float(volume_um3[region]), sign
            )
    length, diameter, tortuosity, branches = rows[:, [0, 1, 2, 5]].T
    filament &= ~(diameter > _ROUND * axes_um[:, 0])
    filament &= ~((length > _EVEN * tortuosity * axes_um[:, 2]) & (branches == 0))
    names = ("length_um", "mean_diameter_um", "tortuosity", "tilt_deg", "azimuth_deg", "branches")
    return pd.DataFrame({"filament": filament, **dict(zip(names, rows.T, strict=True))})


def _measured(
    nodes: np.ndarray, size: np.ndarray, volume_um3: float, sign: int
) -> tuple[tuple[float, ...], bool]:
    """Measure one region: the numbers of `filament_table`, and whether it is a filament."""
    count = nodes[:, COUNT].astype(float)
    middle = nodes[:, Z : X + 1] / count[:, None] * size
    ways = _ways(_graph(nodes[:, CZ : CX + 1], middle), volume_um3)
    lengths = [float(np.linalg.norm(np.diff(middle[way], axis=0), axis=1).sum()) for way in ways]
    way = ways[0]
    # The way ends in the middles of two nodes, half of whose voxels lie beyond.
    beyond = 1 / (1 - 0.5 * count[way[[0, -1]]].sum() / count.sum())
    length, total = lengths[0] * beyond, sum(lengths) * beyond
    diameter = float(np.sqrt(4 * volume_um3 / (np.pi * total)))
    width = _width(nodes, middle, ways, size)
    line = middle[way[-1]] - middle[way[0]]
    if sign * line[0] < 0:
        line = -line
    straight = float(np.linalg.norm(line))
    tilt = float(np.rad2deg(np.arccos(min(abs(line[0]) / straight, 1.0))))
    azimuth = float(np.rad2deg(np.arctan2(line[1], line[2])))
    slender = length >= SLENDER * max(width, diameter) and width <= FLAT * diameter
    slender = slender and length >= _LEAST_CUBES * CUBE * float(size.mean())
    return (length, diameter, lengths[0] / straight, tilt, azimuth, len(ways) - 1), slender


def _graph(cubes: np.ndarray, middle: np.ndarray) -> Any:
    """Join the nodes of cubes that touch, by the distance of their middles."""
    pairs = scipy.spatial.cKDTree(cubes).query_pairs(_BESIDE, output_type="ndarray")
    weight = np.linalg.norm(middle[pairs[:, 0]] - middle[pairs[:, 1]], axis=1)
    shape = (len(cubes), len(cubes))
    return scipy.sparse.coo_matrix((weight, (pairs[:, 0], pairs[:, 1])), shape).tocsr()


def _ways(graph: Any, volume_um3: float) -> list[np.ndarray]:
    """Find the longest of the shortest ways through a region, then slender branches off it.

    From any node the farthest is an end, and the farthest from that the other, which is exact
    where nothing runs in circles.
    """
    end, _, _ = _farthest(graph, np.zeros(1, int))
    end, total, way = _farthest(graph, np.array([end]))
    ways = [way]
    for _ in range(BRANCHES):
        _, length, way = _farthest(graph, np.concatenate(ways))
        if length < SLENDER * np.sqrt(4 * volume_um3 / (np.pi * (total + length))):
            break
        ways.append(way)
        total += length
    return ways


def _farthest(graph: Any, start: np.ndarray) -> tuple[int, float, np.ndarray]:
    """Find the node farthest from some others, how far it is, and the way from there to it."""
    distance, before, _ = scipy.sparse.csgraph.dijkstra(
        graph, directed=False, indices=start, return_predecessors=True, min_only=True
    )
    end = int(np.argmax(np.where(np.isfinite(distance), distance, -1)))
    way = [end]
    while before[way[-1]] >= 0:
        way.append(int(before[way[-1]]))
    return end, float(distance[end]), np.array(way[::-1])


def _width(
    nodes: np.ndarray, middle: np.ndarray, ways: list[np.ndarray], size: np.ndarray
) -> float:
    """Give the diameter of a cylinder whose voxels lie as far from its axis as these, in µm."""
    count = nodes[:, COUNT].astype(float)
    start = np.concatenate([middle[way[:-1]] for way in ways])
    along = np.concatenate([np.diff(middle[way], axis=0) for way in ways])
    square = (along**2).sum(axis=1)
    off = np.empty(len(nodes))
    for node in range(len(nodes)):
        part = ((middle[node] - start) * along).sum(axis=1) / square
        nearest = start + np.clip(part, 0, 1)[:, None] * along
        off[node] = ((middle[node] - nearest) ** 2).sum(axis=1).min()
    spread = nodes[:, ZZ : XX + 1] / count[:, None] * size**2 - middle**2 + size**2 / 12
    # Of a node's own extent a cube's edge lies along the way.
    across = np.maximum(spread.sum(axis=1) - (CUBE * size.mean()) ** 2 / 12, 0)
    return float(np.sqrt(8 * np.average(off + across, weights=count)))
