"""Voids by distance from a surface. In: a labelled image or stack; out: void fractions, ± sd."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xct.analyze.block_grid import BlockGrid
from xct.analyze.distances import Near, Side, as_stack, stack_size
from xct.errors import DataError
from xct.geometry import Label, Surface
from xct.parallel.blocks import Block
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.segment.connected import Pieces, join_slabs, label_pieces
from xct.statistics.bootstrap import interval, resample

if TYPE_CHECKING:
    import pandas as pd

_BLOCKS = 100  # about as many, so that the bootstrap sees the scatter


def void_fraction(
    labels: Any,
    of: int | Sequence[int] | Surface,
    *,
    voxel_size_um: float | Sequence[float],
    void: int | Sequence[int] = Label.LOW_GREY,
    within: int | Sequence[int] = Label.ELECTROLYTE,
    step_um: float,
    farthest_um: float,
    side: Side = "low_z",
    block_um: float | None = None,
    resamples: int = 200,
    seed: int = 0,
    rows: int | None = None,
) -> pd.DataFrame:
    """Measure the part of the matrix that is void by distance from any surface.

    For any labelled image or stack in any pixel size: tomograms, or sections in an electron
    microscope. Everything that is neither `void` nor `within` is left out, the object too.

    Parameters
    ----------
    labels : Voxels, shape (z, y, x), or ndarray, shape (y, x)
        Integer labels.
    of : int, sequence of int or Surface
        What the distance is measured from: labels (all around them), or a surface (from one side).
    voxel_size_um : float or sequence of float
        Edge of a pixel or voxel, or edges along (z,) y and x.
    void, within : int or sequence of int, optional
        Labels of voids, and of the matrix that they lie in.
    step_um, farthest_um : float
        Width of the bins of distance, and where they end.
    side : {"low_z", "high_z"}, optional
        The side of a `Surface` that counts as the object.
    block_um : float, optional
        Edge of the blocks of the bootstrap; unless given, there are about a hundred.
    resamples : int, optional
        Draws of the bootstrap.
    seed : int, optional
        Of its chance.
    rows : int, optional
        Slices of a slab; the answer does not depend on it.

    Returns
    -------
    DataFrame
        A row for each bin that holds voxels: ``distance_um`` (its center), ``void_fraction`` with
        ``_sd``, ``_low`` and ``_high`` (95 %, block bootstrap), ``n`` voxels, ``blocks``.

    Raises
    ------
    DataError
        If there is no such object, or no voxel within reach of it.
    """
    stack, size = as_stack(labels), stack_size(voxel_size_um)
    if not 0 < step_um <= farthest_um:
        raise DataError(f"steps of {step_um:g} µm up to {farthest_um:g} µm make no bins")
    near = Near(stack, _codes(of), size, farthest_um, side)
    grid = BlockGrid.of(stack.shape, _block_edges(stack.shape, size, block_um))
    wanted = _Wanted(_table(void), _table(within), step_um, round(farthest_um / step_um))
    slabs = near.blocks(rows)
    found = map_blocks(_count_slab, slabs, near, grid, wanted)
    counts = grid.combined(zip(slabs, found, strict=True))
    if not counts.any():
        raise DataError(
            f"no voxel of the labels {_shown(void, within)} lies within {farthest_um:g} µm of "
            f"the object {'surface' if isinstance(of, Surface) else of!r}"
        )
    return _fractions(counts, step_um, resamples, np.random.default_rng(seed))


def _fractions(
    counts: np.ndarray, step_um: float, resamples: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Turn counts (block, bin, [void, all]) into fractions."""
    import pandas as pd

    held = counts[counts.any(axis=(1, 2))]
    sums = resample(held.reshape(len(held), -1), resamples, rng).reshape(-1, *held.shape[1:])
    total = held.sum(axis=0)
    rows = []
    for number in np.flatnonzero(total[:, 1]):
        voids, whole = total[number]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = interval(float(voids / whole), sums[:, number, 0] / sums[:, number, 1])
        rows.append(
            {
                "distance_um": (number + 0.5) * step_um,
                "void_fraction": found.value,
                "void_fraction_sd": found.sd,
                "void_fraction_low": found.low,
                "void_fraction_high": found.high,
                "n": int(whole),
                "blocks": int((held[:, number, 1] > 0).sum()),
            }
        )
    return pd.DataFrame(rows)


def _block_edges(
    shape: Sequence[int], size: Sequence[float], block_um: float | None
) -> tuple[int, int, int]:
    if block_um is None:
        axes = [n * s for n, s in zip(shape, size, strict=True) if n > 1]
        block_um = float(prod(axes) / _BLOCKS) ** (1 / max(1, len(axes)))
    z, y, x = (max(1, round(block_um / edge)) for edge in size)
    return z, y, x


def _codes(of: int | Sequence[int] | Surface) -> Sequence[int] | Surface:
    return of if isinstance(of, Surface) else [int(code) for code in np.atleast_1d(of)]


def _table(codes: int | Sequence[int]) -> np.ndarray:
    return np.array([int(code) for code in np.atleast_1d(codes)], np.int64)


def _shown(*codes: int | Sequence[int]) -> str:
    return " and ".join(str([int(code) for code in np.atleast_1d(each)]) for each in codes)


class _Wanted(NamedTuple):
    """Which labels are counted, and in which bins of distance."""

    void: np.ndarray
    within: np.ndarray
    step_um: float
    bins: int


def _count_slab(slab: Block, near: Near, grid: BlockGrid, wanted: _Wanted) -> np.ndarray:
    """Count (block, bin, [void, all]) in the blocks that a slab touches."""
    labels, distance = near.read(slab)
    counts = np.zeros((len(grid.touched(slab)), wanted.bins, 2), np.int64)
    _count(labels[slab.inner], distance[slab.inner], slab.first, grid, wanted, counts)
    return counts


@njit(cache=True, nogil=True)
def _count(
    labels: np.ndarray,
    distance: np.ndarray,
    first: int,
    grid: BlockGrid,
    wanted: _Wanted,
    counts: np.ndarray,
) -> None:
    edge_z, edge_y, edge_x = grid.edges
    _, blocks_y, blocks_x = grid.blocks
    for z in range(labels.shape[0]):
        block_z = ((first + z) // edge_z - first // edge_z) * blocks_y
        for y in range(labels.shape[1]):
            block_y = (block_z + y // edge_y) * blocks_x
            for x in range(labels.shape[2]):
                away = distance[z, y, x]
                if not 0 < away < wanted.bins * wanted.step_um:
                    continue
                is_void, is_matrix = False, False
                for code in wanted.void:
                    is_void |= labels[z, y, x] == code
                for code in wanted.within:
                    is_matrix |= labels[z, y, x] == code
                if is_void or is_matrix:
                    number = min(int(away / wanted.step_um), wanted.bins - 1)
                    counts[block_y + x // edge_x, number, 1] += 1
                    if is_void:
                        counts[block_y + x // edge_x, number, 0] += 1


# Sizes of voids in core, shell and rest. In: a labelled image or stack; out: a table of voids.

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
    near = Near(stack, _table(of).tolist(), size, shell_um)
    found = map_blocks(_find_pieces, near.blocks(rows), near, _table(void))
    joiner, _ = join_slabs([part.pieces for part in found])
    owner, count = joiner.numbers()
    whole = np.zeros((count, _FACTS))
    np.add.at(whole, owner[1:] - 1, np.concatenate([part.facts for part in found]))
    return _table_of_voids(whole, size, is_image=len(labels.shape) == 2)


class _Part(NamedTuple):
    """Pieces of voids in a slab, and facts of each."""

    facts: np.ndarray
    pieces: Pieces


def _find_pieces(slab: Block, near: Near, void: np.ndarray) -> _Part:
    labels, distance = near.read(slab)
    seen = _Seen(np.isin(labels, void), near.object_in(labels, slab), distance)
    numbers, count = label_pieces(seen.is_void[slab.inner])
    facts = np.zeros((count, _FACTS))
    _measure(numbers, seen, slab.inner.start, slab.first, near.farthest_um, facts)
    return _Part(facts, Pieces.of(numbers, count))


def _table_of_voids(whole: np.ndarray, size: Sequence[float], *, is_image: bool) -> pd.DataFrame:
    import pandas as pd

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


class _Seen(NamedTuple):
    """A slab and what lies around it."""

    is_void: np.ndarray
    is_object: np.ndarray
    distance: np.ndarray


@njit(cache=True, nogil=True)
def _measure(
    numbers: np.ndarray, seen: _Seen, inner: int, first: int, shell: float, facts: np.ndarray
) -> None:
    """Add the facts of the voxels of a slab; it begins with slice `inner` of what is seen."""
    steps = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
    depth, height, width = seen.is_void.shape
    for z in range(numbers.shape[0]):
        for y in range(height):
            for x in range(width):
                if numbers[z, y, x] == 0:
                    continue
                fact = facts[numbers[z, y, x] - 1]
                fact[0] += 1
                fact[1] += first + z
                fact[2] += y
                fact[3] += x
                if seen.distance[inner + z, y, x] <= shell:
                    fact[4] += 1
                for step in steps:
                    k, j, i = inner + z + step[0], y + step[1], x + step[2]
                    if 0 <= k < depth and 0 <= j < height and 0 <= i < width:
                        if seen.is_object[k, j, i]:
                            fact[5] += 1
                        elif not seen.is_void[k, j, i]:
                            fact[6] += 1
