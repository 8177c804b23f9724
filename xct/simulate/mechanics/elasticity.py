"""Linear elasticity in plane strain. In: a mesh, moduli, loads; out: displacement and stress.

Displacements are quadratic in each triangle (or linear, where a mesh is large); nothing is
displaced along the direction that the plane does not show, so σ_zz there is a part of von Mises'
stress.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from xct.simulate.geometry.domain import Material
from xct.simulate.mesh.mesh import Mesh


@dataclass(frozen=True)
class Moduli:
    """Young's modulus and Poisson's ratio of every triangle.

    Attributes
    ----------
    young_gpa, poisson : ndarray, shape (triangle,)
        E and ν.
    """

    young_gpa: np.ndarray
    poisson: np.ndarray

    @property
    def lame_mpa(self) -> tuple[np.ndarray, np.ndarray]:
        """Give Lamé's λ and μ, MPa."""
        young = 1000 * self.young_gpa
        mu = young / (2 * (1 + self.poisson))
        return 2 * mu * self.poisson / (1 - 2 * self.poisson), mu


@dataclass(frozen=True)
class Loads:
    """What deforms the body.

    Attributes
    ----------
    eigenstrain : ndarray, shape (triangle, 4)
        Strain without stress: along x, along y, along z (out of the plane), and shear ε_xy.
    fixed : ndarray of bool, shape (dof,)
        Degrees of freedom, of `Body.dof_um`, that are given.
    displacement_um : ndarray, shape (dof,)
        Their values.
    lifted : ndarray, shape (dof,), optional
        How given ones move with the stack, µm for a µm: its height is such that the force on them
        is `force_n_m`. None where the stack's height is fixed.
    force_n_m : float
        Force on what is lifted, along it, N per metre of depth.
    """

    eigenstrain: np.ndarray
    fixed: np.ndarray
    displacement_um: np.ndarray
    lifted: np.ndarray | None = None
    force_n_m: float = 0.0


@dataclass(frozen=True)
class Body:
    """Triangles that deform.

    Attributes
    ----------
    mesh : Mesh
        The body alone: no triangle of another.
    moduli : Moduli
        Its elasticity.
    order : int
        1 or 2: linear or quadratic displacements.
    """

    mesh: Mesh
    moduli: Moduli
    order: int = 2

    @cached_property
    def basis(self) -> Any:
        """Basis of scikit-fem, lengths in µm."""
        from skfem import Basis, ElementTriP1, ElementTriP2, ElementVector, MeshTri

        points = np.ascontiguousarray(self.mesh.points.T)
        triangles = np.ascontiguousarray(self.mesh.triangles.T)
        element = ElementTriP2() if self.order == 2 else ElementTriP1()
        # Strains are linear in a triangle at most: their product needs no more than order 2.
        return Basis(
            MeshTri(points, triangles, sort_t=False),
            ElementVector(element),
            intorder=2 if self.order == 2 else 1,
        )

    @property
    def dof_um(self) -> np.ndarray:
        """Where each degree of freedom lies, µm, shape (dof, 2)."""
        return np.asarray(self.basis.doflocs.T)

    @property
    def dof_axis(self) -> np.ndarray:
        """Direction of each degree of freedom: 0 across, 1 along the height."""
        axis = np.zeros(self.basis.N, np.int8)
        dofs = self.basis.dofs
        for table in (dofs.nodal_dofs, dofs.facet_dofs):
            if len(table):
                axis[table[1::2].ravel()] = 1
        return axis

    def dofs_of_facets(self, facets: np.ndarray) -> np.ndarray:
        """Mark the degrees of freedom on edges, given by their nodes (facet, 2)."""
        marked = np.zeros(self.basis.N, bool)
        dofs, mesh = self.basis.dofs, self.basis.mesh
        marked[dofs.nodal_dofs[:, np.unique(facets)]] = True
        if self.order == 2 and len(facets):
            size = np.int64(len(self.mesh.points))
            known = np.sort(mesh.facets, axis=0).astype(np.int64)
            wanted = np.sort(facets, axis=1).astype(np.int64)
            here = np.isin(known[0] * size + known[1], wanted[:, 0] * size + wanted[:, 1])
            marked[dofs.facet_dofs[:, here]] = True
        return marked


@dataclass(frozen=True)
class Elasticity:
    """Displacement and stress.

    Attributes
    ----------
    body : Body
        What deforms.
    displacement_um : ndarray, shape (dof,)
        Of every degree of freedom.
    stress_mpa : ndarray, shape (triangle, corner, 4)
        σ_xx, σ_yy, σ_zz and σ_xy at the corners of each triangle.
    reaction_n_m : ndarray, shape (dof,)
        Forces that hold what is given, N per metre of depth.
    lift_um : float
        By how much the stack grew.
    """

    body: Body
    displacement_um: np.ndarray
    stress_mpa: np.ndarray
    reaction_n_m: np.ndarray
    lift_um: float = 0.0
    dropped_fraction: float = field(default=0.0)

    @property
    def node_displacement_um(self) -> np.ndarray:
        """Displacement of each node, µm, shape (node, 2)."""
        return np.asarray(self.displacement_um[self.body.basis.dofs.nodal_dofs].T)

    @cached_property
    def node_stress_mpa(self) -> np.ndarray:
        """Stress at the corners as the mean of the triangles of one material that meet there."""
        mesh = self.body.mesh
        key = mesh.triangles.astype(np.int64) * 16 + mesh.material[:, None]
        _, where = np.unique(key, return_inverse=True)
        where, weight = where.ravel(), np.repeat(mesh.area_um2, 3)
        total = np.bincount(where, weight)
        columns = [
            np.bincount(where, weight * self.stress_mpa[..., k].ravel()) / total for k in range(4)
        ]
        return np.stack(columns, axis=-1)[where].reshape(*mesh.triangles.shape, 4)

    @cached_property
    def von_mises_mpa(self) -> np.ndarray:
        """Von Mises' stress at the corners of each triangle, MPa, with σ_zz."""
        return von_mises(self.node_stress_mpa)


def von_mises(stress: np.ndarray) -> np.ndarray:
    """Give von Mises' stress of (…, 4): σ_xx, σ_yy, σ_zz, σ_xy."""
    xx, yy, zz, xy = np.moveaxis(stress, -1, 0)
    parts = (xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2 + 6 * xy**2
    return np.asarray(np.sqrt(parts / 2))


def principal(stress: np.ndarray) -> np.ndarray:
    """Give the largest principal stress of (…, 4), positive in tension."""
    xx, yy, zz, xy = np.moveaxis(stress, -1, 0)
    in_plane = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    return np.asarray(np.maximum(in_plane, zz))


def notch_intensity(found: Elasticity, tip_um: np.ndarray, radius_um: float) -> float:
    """Give the stress intensity of a slender notch, MPa √m.

    K = σ √(π ρ) / 2, with σ the largest principal stress of the electrolyte within two radii ρ of
    the tip (Creager, Paris, Int. J. Fract. Mech. 3, 247 (1967)). Of an ellipse it is 1 + b/(2a)
    times that of a crack as long.

    Parameters
    ----------
    found : Elasticity
        Stress.
    tip_um : ndarray, shape (2,)
        Where the tip is.
    radius_um : float
        ρ, its radius of curvature.
    """
    mesh = found.body.mesh
    near = np.linalg.norm(mesh.points[mesh.triangles] - tip_um, axis=2) < 2 * radius_um
    near &= (mesh.material == Material.ELECTROLYTE)[:, None]
    largest = principal(found.node_stress_mpa)[near].max()
    return float(largest * np.sqrt(np.pi * radius_um * 1e-6) / 2)


Solve = Callable[[np.ndarray], np.ndarray]


def deform(body: Body, loads: Loads, body_force: np.ndarray | None = None) -> Elasticity:
    """Solve for the displacement.

    Parameters
    ----------
    body : Body
        Mesh and moduli.
    loads : Loads
        Eigenstrains and what is given.
    body_force : ndarray, shape (dof,), optional
        Further forces, N per metre of depth.
    """
    matrix, force = _assemble(body, loads.eigenstrain)
    if body_force is not None:
        force = force + body_force
    solve = _factorized(matrix, loads.fixed)
    moved = solve(matrix, force, loads.displacement_um)
    lift = 0.0
    if loads.lifted is not None:
        raised = solve(matrix, np.zeros_like(force), loads.lifted)
        before, each = (
            loads.lifted @ (matrix @ field - part)
            for field, part in ((moved, force), (raised, 0 * force))
        )
        lift = float((loads.force_n_m - before) / each)
        moved = moved + lift * raised
    stress = _stresses(body, moved, loads.eigenstrain)
    return Elasticity(body, moved, stress, matrix @ moved - force, lift)


def _assemble(body: Body, eigenstrain: np.ndarray) -> tuple[Any, np.ndarray]:
    """Give ∫ σ(u):ε(v) and ∫ σ(ε*):ε(v); lengths in µm and moduli in MPa give N/m."""
    from skfem import BilinearForm, ElementTriP0, LinearForm, asm
    from skfem.helpers import ddot, sym_grad, trace

    basis = body.basis
    flat = basis.with_element(ElementTriP0())
    lame, mu = (flat.interpolate(np.ascontiguousarray(v)) for v in body.moduli.lame_mpa)

    def stiffness(u: Any, v: Any, w: Any) -> Any:
        strain, other = sym_grad(u), sym_grad(v)
        return w["lame"] * trace(strain) * trace(other) + 2 * w["mu"] * ddot(strain, other)

    stress = _stress(body.moduli, eigenstrain)
    xx, yy, _, xy = (flat.interpolate(np.ascontiguousarray(column)) for column in stress.T)

    def load(v: Any, w: Any) -> Any:
        strain = sym_grad(v)
        return w["xx"] * strain[0, 0] + w["yy"] * strain[1, 1] + 2 * w["xy"] * strain[0, 1]

    matrix = asm(BilinearForm(stiffness), basis, lame=lame, mu=mu).tocsr()
    return matrix, asm(LinearForm(load), basis, xx=xx, yy=yy, xy=xy)


def _factorized(matrix: Any, fixed: np.ndarray) -> Callable[..., np.ndarray]:
    """Factorize what is free; give a function (matrix, force, given) → displacement."""
    from scipy.sparse.linalg import splu

    free = np.flatnonzero(~fixed)
    inner = matrix[free][:, free].tocsc()
    factors = splu(inner, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})

    def solve(matrix: Any, force: np.ndarray, given: np.ndarray) -> np.ndarray:
        moved = np.where(fixed, given, 0.0)
        moved[free] = factors.solve((force - matrix @ moved)[free])
        return moved

    return solve


def _stress(moduli: Moduli, strain: np.ndarray) -> np.ndarray:
    """Give the stress of strains (triangle, …, 4) by Hooke's law, MPa."""
    shape = (-1, *[1] * (strain.ndim - 2))
    lame, mu = (value.reshape(shape) for value in moduli.lame_mpa)
    trace = strain[..., :3].sum(axis=-1)
    normal = [lame * trace + 2 * mu * strain[..., k] for k in range(3)]
    return np.stack([*normal, 2 * mu * strain[..., 3]], axis=-1)


def _stresses(body: Body, moved: np.ndarray, eigenstrain: np.ndarray) -> np.ndarray:
    """Give the stress at the corners of every triangle."""
    from skfem import Basis

    corners = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    basis = body.basis
    at = Basis(basis.mesh, basis.elem, quadrature=(corners, np.ones(3) / 6), dofs=basis.dofs)
    gradient = at.interpolate(moved).grad  # (component, direction, triangle, corner)
    zero = np.zeros_like(gradient[0, 0])
    shear = (gradient[0, 1] + gradient[1, 0]) / 2
    strain = np.stack([gradient[0, 0], gradient[1, 1], zero, shear], axis=-1)
    return _stress(body.moduli, strain - eigenstrain[:, None, :])
