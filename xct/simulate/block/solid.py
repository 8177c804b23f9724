"""Linear elasticity of voxels. In: moduli, what is given; out: displacement and stress.

Every solid voxel is a trilinear hexahedron. The matrix is made by shifting the one element's matrix
over the grid, and solved by conjugate gradients with algebraic multigrid, which is told how a rigid
body moves [1]_.

References
----------
.. [1] Vaněk, Mandel, Brezina, Computing 56, 179 (1996).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from xct.errors import RunError
from xct.simulate.block.voxels import import_pyamg

_TOLERANCE = 1e-8
_CORNERS = np.array(list(product((0, 1), repeat=3)))  # of a voxel: z, y, x

Voxel = tuple[float, float, float]


@dataclass(frozen=True)
class Solid:
    """Voxels that deform.

    Attributes
    ----------
    young_gpa, poisson : ndarray, shape (z, y, x)
        E, 0 where nothing is, and ν.
    voxel_um : tuple of float
        Edges of a voxel.
    """

    young_gpa: np.ndarray
    poisson: np.ndarray
    voxel_um: Voxel

    @property
    def lame_mpa(self) -> tuple[np.ndarray, np.ndarray]:
        """Give Lamé's λ and μ, MPa, shape (z, y, x)."""
        mu = 1000 * self.young_gpa / (2 * (1 + self.poisson))
        return 2 * mu * self.poisson / (1 - 2 * self.poisson), mu

    @property
    def grid(self) -> tuple[int, int, int]:
        """How many nodes there are along z, y and x."""
        z, y, x = (length + 1 for length in self.young_gpa.shape)
        return z, y, x

    @cached_property
    def held(self) -> np.ndarray:
        """Nodes of solid voxels, bool, shape `grid`."""
        found = np.zeros(self.grid, bool)
        for corner in _CORNERS:
            found[_shifted(corner, self.young_gpa.shape)] |= self.young_gpa > 0
        return found

    def stress_mpa(self, strain: np.ndarray) -> np.ndarray:
        """Give the stress of strains by Hooke's law.

        Parameters
        ----------
        strain : ndarray, shape (6, z, y, x)
            ε_zz, ε_yy, ε_xx, ε_yx, ε_zx, ε_zy (tensor's, not twice of it).
        """
        lame, mu = self.lame_mpa
        found = 2 * mu * strain
        found[:3] += lame * strain[:3].sum(axis=0)
        return np.asarray(found)


@dataclass(frozen=True)
class Held:
    """What is known of nodes before.

    Attributes
    ----------
    fixed : ndarray of bool, shape (3, *grid)
        Displacements that are given, along z, y and x.
    displacement_um : ndarray, shape (3, *grid)
        Their values.
    lifted : ndarray, shape (3, *grid), optional
        How given ones move with the stack, µm for a µm: its height is such that the force on them
        is `force_un`. None where the stack's height is fixed.
    force_un : float
        Force on what is lifted, along it, µN.
    """

    fixed: np.ndarray
    displacement_um: np.ndarray
    lifted: np.ndarray | None = None
    force_un: float = 0.0


@dataclass(frozen=True)
class Deformed:
    """Displacement and stress.

    Attributes
    ----------
    displacement_um : ndarray, shape (3, *grid)
        Of every node along z, y and x; 0 where nothing is.
    stress_mpa : ndarray, shape (6, z, y, x)
        In the middle of every voxel: zz, yy, xx, yx, zx, zy.
    lift_um : float
        By how much what is lifted moved.
    """

    displacement_um: np.ndarray
    stress_mpa: np.ndarray
    lift_um: float


def deform(solid: Solid, eigenstrain: np.ndarray, held: Held) -> Deformed:
    """Solve for the displacement.

    Parameters
    ----------
    solid : Solid
        Moduli.
    eigenstrain : ndarray, shape (3, z, y, x)
        Strain without stress along z, y and x.
    held : Held
        What is given.

    Raises
    ------
    RunError
        If it does not converge.
    """
    free_strain = np.concatenate([eigenstrain, np.zeros_like(eigenstrain)])
    force = _force(solid, solid.stress_mpa(free_strain))
    matrix = _Matrix(solid)
    solve = _solver(matrix, held.fixed[:, solid.held].T)
    given = held.displacement_um[:, solid.held].T
    moved = solve(force, given)
    lift = 0.0
    if held.lifted is not None:
        along = held.lifted[:, solid.held].T
        raised = solve(np.zeros_like(force), along)
        before = float((along * (matrix @ moved - force)).sum())
        lift = (held.force_un - before) / float((along * (matrix @ raised)).sum())
        moved = moved + lift * raised
    displacement = np.zeros((3, *solid.grid))
    displacement[:, solid.held] = moved.T
    stress = solid.stress_mpa(_strain(solid, displacement) - free_strain)
    return Deformed(displacement, stress, lift)


def von_mises(stress: np.ndarray) -> np.ndarray:
    """Give von Mises' stress of (6, …): zz, yy, xx and the three shears."""
    first, second, third = stress[:3]
    normal = (first - second) ** 2 + (second - third) ** 2 + (third - first) ** 2
    return np.asarray(np.sqrt(normal / 2 + 3 * (stress[3:] ** 2).sum(axis=0)))


def principal(stress: np.ndarray) -> np.ndarray:
    """Give the largest principal stress of (6, voxel), positive in tension."""
    zz, yy, xx, yx, zx, zy = stress
    tensor = np.stack([zz, zy, zx, zy, yy, yx, zx, yx, xx], axis=-1).reshape(*zz.shape, 3, 3)
    return np.asarray(np.linalg.eigvalsh(tensor)[..., -1])


def _shifted(corner: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Give the nodes at one corner of every voxel, as a part of the grid."""
    return tuple(slice(int(c), int(c) + n) for c, n in zip(corner, shape, strict=True))


def _slopes(place: np.ndarray, voxel_um: Voxel) -> np.ndarray:
    """Give the slopes of the eight shapes at a place in a voxel (0 to 1), 1/µm, shape (8, 3)."""
    parts = np.where(_CORNERS, place, 1 - place)
    slopes = np.empty((8, 3))
    for axis in range(3):
        others = np.delete(parts, axis, axis=1).prod(axis=1)
        slopes[:, axis] = np.where(_CORNERS[:, axis], 1, -1) * others / voxel_um[axis]
    return slopes


def _element(voxel_um: Voxel) -> tuple[np.ndarray, np.ndarray]:
    """Give ∫ of λ's and of μ's part of the stiffness over a voxel, shape (8, 3, 8, 3) each."""
    lame, mu = np.zeros((8, 3, 8, 3)), np.zeros((8, 3, 8, 3))
    gauss = 0.5 + np.array([-1, 1]) / np.sqrt(12)
    for place in product(gauss, repeat=3):
        slopes = _slopes(np.array(place), voxel_um)
        lame += np.einsum("ai,bj->aibj", slopes, slopes)
        mu += np.einsum("aj,bi->aibj", slopes, slopes)
        mu += np.einsum("ak,bk,ij->aibj", slopes, slopes, np.eye(3))
    volume = float(np.prod(voxel_um))
    return lame * volume / 8, mu * volume / 8


def _strain(solid: Solid, displacement: np.ndarray) -> np.ndarray:
    """Give the strain in the middle of every voxel, shape (6, z, y, x)."""
    shape = solid.young_gpa.shape
    gradient = np.zeros((3, 3, *shape))  # component, direction
    for corner, slope in zip(_CORNERS, _slopes(np.full(3, 0.5), solid.voxel_um), strict=True):
        part = displacement[(slice(None), *_shifted(corner, shape))]
        for direction in range(3):
            gradient[:, direction] += slope[direction] * part
    shear = [(gradient[i, j] + gradient[j, i]) / 2 for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.stack([*(gradient[k, k] for k in range(3)), *shear])


def _force(solid: Solid, stress: np.ndarray) -> np.ndarray:
    """Give ∫ σ:ε(v) of a stress that is the same within each voxel, µN, shape (node, 3)."""
    zz, yy, xx, yx, zx, zy = stress
    rows = ((zz, zy, zx), (zy, yy, yx), (zx, yx, xx))
    shape = solid.young_gpa.shape
    total = np.zeros((3, *solid.grid))
    volume = float(np.prod(solid.voxel_um))
    for corner, slope in zip(_CORNERS, _slopes(np.full(3, 0.5), solid.voxel_um), strict=True):
        part = _shifted(corner, shape)
        for axis in range(3):
            total[axis][part] += volume * sum(
                s * value for s, value in zip(slope, rows[axis], strict=True)
            )
    return np.asarray(total[:, solid.held].T)


class _Matrix:
    """Stiffness of the nodes that are held by something solid: blocks of 3 × 3, N/m."""

    def __init__(self, solid: Solid) -> None:
        from scipy.sparse import bsr_array

        self.points_um = np.argwhere(solid.held) * np.array(solid.voxel_um)
        number = np.full(solid.grid, -1, np.int32)
        number[solid.held] = np.arange(len(self.points_um), dtype=np.int32)
        blocks = _stencil(solid)
        columns = _neighbors(number)
        present = columns >= 0
        starts = np.concatenate([[0], np.cumsum(present.sum(axis=1, dtype=np.int32))])
        size = 3 * len(self.points_um)
        self.blocks: Any = bsr_array(
            (blocks[present], columns[present], starts.astype(np.int32)), shape=(size, size)
        )

    def __matmul__(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(self.blocks @ values.ravel()).reshape(-1, 3)


def _stencil(solid: Solid) -> np.ndarray:
    """Give what each held node has to do with its 27 neighbors, shape (node, 27, 3, 3)."""
    shape = solid.young_gpa.shape
    lame, mu = solid.lame_mpa
    one, other = _element(solid.voxel_um)
    number = np.full(solid.grid, -1, np.int32)
    number[solid.held] = np.arange(int(solid.held.sum()), dtype=np.int32)
    there = solid.young_gpa > 0
    lame, mu = lame[there], mu[there]
    blocks = np.zeros((int(solid.held.sum()), 27, 3, 3))
    for a, here in enumerate(_CORNERS):
        rows = number[_shifted(here, shape)][there]
        for b, there_ in enumerate(_CORNERS):
            offset = int(np.dot(there_ - here + 1, (9, 3, 1)))
            for i, j in product(range(3), repeat=2):
                blocks[rows, offset, i, j] += lame * one[a, i, b, j] + mu * other[a, i, b, j]
    return blocks


def _neighbors(number: np.ndarray) -> np.ndarray:
    """List the 27 neighbors of every numbered node, ascending; −1 for none, shape (node, 27)."""
    padded = np.pad(number, 1, constant_values=-1)
    inside = number >= 0
    shifts = product(range(3), repeat=3)
    parts = [padded[tuple(slice(s, s + n) for s, n in zip(shift, number.shape, strict=True))]
             for shift in shifts]  # fmt: skip
    return np.stack([part[inside] for part in parts], axis=1)


Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _solver(matrix: _Matrix, fixed: np.ndarray) -> Solve:
    """Prepare for what is free; give a function (force, given) → displacement, (node, 3)."""
    pyamg = import_pyamg()
    inner, modes = _free(matrix, fixed), _rigid(matrix.points_um)
    modes[fixed.ravel()] = 0
    levels = pyamg.smoothed_aggregation_solver(
        inner, B=modes, strength=("symmetric", {"theta": 0.0}), max_coarse=500,
        smooth=("jacobi", {"omega": 4 / 3}), improve_candidates=None,
        presmoother=("block_gauss_seidel", {"sweep": "symmetric"}),
        postsmoother=("block_gauss_seidel", {"sweep": "symmetric"}),
    )  # fmt: skip

    def solve(force: np.ndarray, given: np.ndarray) -> np.ndarray:
        known = np.where(fixed, given, 0.0)
        right = np.where(fixed, 0.0, force - matrix @ known).ravel()
        if not right.any():
            return known
        residuals: list[float] = []
        found = levels.solve(right, tol=_TOLERANCE, maxiter=300, accel="cg", residuals=residuals)
        if not residuals[-1] <= 10 * _TOLERANCE * residuals[0]:
            raise RunError(
                f"the stress of the block did not converge: its residual is "
                f"{residuals[-1] / residuals[0]:.1g} of the first; a smaller block.voxels may help"
            )
        return np.asarray(known + np.asarray(found).reshape(-1, 3))

    return solve


def _free(matrix: _Matrix, fixed: np.ndarray) -> Any:
    """Give the matrix of what is free; what is fixed has a row of its own, apart from all."""
    blocks = matrix.blocks
    rows = np.repeat(np.arange(len(fixed)), np.diff(blocks.indptr))
    data = blocks.data * ~fixed[rows][:, :, None] * ~fixed[blocks.indices][:, None, :]
    diagonal = np.flatnonzero(rows == blocks.indices)
    for axis in range(3):
        own = blocks.data[diagonal, axis, axis]
        data[diagonal, axis, axis] = np.where(fixed[:, axis], own, data[diagonal, axis, axis])
    return type(blocks)((data, blocks.indices, blocks.indptr), shape=blocks.shape)


def _rigid(points_um: np.ndarray) -> np.ndarray:
    """Give how a rigid body moves: along and about each axis, shape (3 · node, 6)."""
    place = points_um - points_um.mean(axis=0)
    place = place / max(float(np.abs(place).max()), 1e-300)
    modes = np.zeros((len(place), 3, 6))
    modes[:, :, :3] = np.eye(3)
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        modes[:, one, 3 + axis], modes[:, other, 3 + axis] = -place[:, other], place[:, one]
    return modes.reshape(-1, 6)
