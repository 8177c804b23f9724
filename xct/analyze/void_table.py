"""Sizes of voids in core, shell and rest. In: a labelled image or stack; out: a table of voids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xct.analyze.distances import Near, as_stack, stack_size
from xct.compiling import njit
from xct.labels import Label

# Of each piece: voxels, sums of z, y and x, voxels within the shell, faces to the object, to else.
_COUNT, _Z, _SHELL, _TO_OBJECT, _TO_OTHER = 0, 1, 4, 5, 6
_FACTS = 7
_ENCLOSED = 0.9  # of the faces, for a void inside of a particle


def void_sizes(
    labels: Any,
    of: int | Sequence[int],
    *,
    voxel_size_um: float | Sequence[float],
    shell_um: float,
    void: int | Sequence[int] = Label.LOW_GREY,
    rows: int | None = None,
) -> pd.DataFrame:
    """List the voids, and whether they lie in particles, in a shell around them, or elsewhere.

    Parameters
    ----------
    labels : Voxels, shape (z, y, x), or ndarray, shape (y, x)
        Integer labels.
    of : int or sequence of int
        Labels of the particles.
    voxel_size_um : float or sequence of float
        Edge of a pixel or voxel, or edges along (z,) y and x.
    shell_um : float
        Thickness of the shell around the particles.
    void : int or sequence of int, optional
        Labels of voids.
    rows : int, optional
        Slices of a slab; the answer does not depend on it.

    Returns
    -------
    DataFrame
        A row for each void: ``void, z_um, y_um, x_um``, ``volume_um3`` (``area_um2`` in an image),
        ``equivalent_diameter_um``, ``region``: ``core`` (enclosed by particles), ``shell`` (more
        than half of it within the shell), ``rest``. Voids that touch by a corner are one.
    """
    stack, size = as_stack(labels), stack_size(voxel_size_um)
    codes = np.array([int(code) for code in np.atleast_1d(void)], np.int64)
    near = Near(stack, [int(code) for code in np.atleast_1d(of)], size, shell_um)
    facts, owner = _pieces(near, codes, rows)
    count = int(owner.max()) + 1 if owner.size else 0
    whole = np.zeros((count, _FACTS))
    np.add.at(whole, owner, facts)
    return _table(whole, size, is_image=len(labels.shape) == 2)


def _pieces(near: Near, void: np.ndarray, rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Facts of the pieces of voids in each slab, and the void that each of them belongs to."""
    from cc3d import connected_components as label_pieces

    facts, pairs = [np.zeros((0, _FACTS))], [np.zeros((0, 2), np.int64)]
    before: np.ndarray | None = None
    known = 0
    for block, labels, distance in near.slabs(rows):
        is_void = np.isin(labels[block.inner], void)
        pieces, count = label_pieces(is_void, connectivity=26, return_N=True)
        numbers = pieces.astype(np.int64)
        numbers[is_void] += known
        is_object = near.object_in(labels, block)
        part = np.zeros((count, _FACTS))
        _measure(
            np.isin(labels, void), is_object, distance, numbers, block.inner.start, block.first,
            known, near.farthest_um, part,
        )  # fmt: skip
        facts.append(part)
        if before is not None:
            pairs.append(_touching(before, numbers[0]))
        before = numbers[-1]
        known += count
    joined = np.concatenate(pairs) - 1
    graph = coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(known, known))
    _, owner = connected_components(graph, directed=False) if known else (0, np.zeros(0, np.int64))
    return np.concatenate(facts), owner


def _touching(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Pairs of pieces that touch across two neighboring slices, by face, edge or corner."""
    found = []
    height, width = after.shape
    padded = np.pad(before, 1)
    for dy in range(3):
        for dx in range(3):
            other = padded[dy : dy + height, dx : dx + width]
            both = (other > 0) & (after > 0)
            found.append(np.stack([other[both], after[both]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _table(whole: np.ndarray, size: Sequence[float], *, is_image: bool) -> pd.DataFrame:
    count = whole[:, _COUNT]
    content = count * np.prod(size[1:] if is_image else size)
    diameter = 2 * np.sqrt(content / np.pi) if is_image else (6 * content / np.pi) ** (1 / 3)
    faces = whole[:, _TO_OBJECT] + whole[:, _TO_OTHER]
    enclosed = (whole[:, _TO_OBJECT] >= _ENCLOSED * faces) & (faces > 0)
    in_shell = whole[:, _SHELL] > count / 2
    middle = whole[:, _Z : _Z + 3] / np.maximum(count, 1)[:, None] * np.asarray(size)
    return pd.DataFrame(
        {
            "void": np.arange(1, count.size + 1),
            "z_um": middle[:, 0],
            "y_um": middle[:, 1],
            "x_um": middle[:, 2],
            "area_um2" if is_image else "volume_um3": content,
            "equivalent_diameter_um": diameter,
            "region": np.select([enclosed, in_shell], ["core", "shell"], "rest"),
        }
    )


@njit(cache=True, nogil=True)
def _measure(
    is_void: np.ndarray,
    is_object: np.ndarray,
    distance: np.ndarray,
    numbers: np.ndarray,
    inner: int,
    first: int,
    known: int,
    shell: float,
    facts: np.ndarray,
) -> None:
    """Add the facts of the voxels of a slab; `is_void` … `distance` are seen wider than it."""
    steps = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
    depth, height, width = is_void.shape
    for z in range(numbers.shape[0]):
        for y in range(height):
            for x in range(width):
                if numbers[z, y, x] == 0:
                    continue
                fact = facts[numbers[z, y, x] - known - 1]
                fact[0] += 1
                fact[1] += first + z
                fact[2] += y
                fact[3] += x
                if distance[inner + z, y, x] <= shell:
                    fact[4] += 1
                for step in steps:
                    k, j, i = inner + z + step[0], y + step[1], x + step[2]
                    if 0 <= k < depth and 0 <= j < height and 0 <= i < width:
                        if is_object[k, j, i]:
                            fact[5] += 1
                        elif not is_void[k, j, i]:
                            fact[6] += 1
