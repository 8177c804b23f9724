"""Ionic current through the electrolyte. In: a mesh and what carries current; out: potential, flux.

∇·(κ∇φ) = 0 with linear elements. Lithium is at 0 V. What flows through an electrode is taken from
the reactions of its nodes, K φ, and not from gradients: so what goes in comes out to rounding,
however coarse the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xct.errors import XctError
from xct.simulate.electric.kinetics import Kinetics
from xct.simulate.geometry.domain import ELECTRODES, Material
from xct.simulate.mesh.mesh import Mesh, pieces


@dataclass(frozen=True)
class Electrode:
    """Edges of the electrolyte at lithium, or at active particles.

    Attributes
    ----------
    facets : ndarray of int, shape (facet, 2)
        Nodes of each.
    particle : ndarray of int, shape (facet,)
        Number of the particle behind it; 0 for none.
    """

    facets: np.ndarray
    particle: np.ndarray

    def lengths_um(self, points: np.ndarray) -> np.ndarray:
        """Give the length of each edge, µm."""
        return np.asarray(np.linalg.norm(np.diff(points[self.facets], axis=1)[:, 0], axis=1))

    def node_lengths_um(self, points: np.ndarray) -> np.ndarray:
        """Give the length of electrode that belongs to each node, µm; 0 away from it."""
        half = np.repeat(self.lengths_um(points) / 2, 2)
        return np.bincount(self.facets.ravel(), half, minlength=len(points))


@dataclass(frozen=True)
class Circuit:
    """The electrolyte between both electrodes.

    Attributes
    ----------
    mesh : Mesh
        The whole mesh.
    carries : ndarray of bool, shape (triangle,)
        Electrolyte that is joined to both electrodes.
    lithium, cathode : Electrode
        Where current leaves the electrolyte, and where it enters.
    islands : int
        Pieces of electrolyte that touch one electrode or none, left out.
    island_fraction : float
        Their part of all electrolyte.
    shorted : frozenset of int
        Active particles that touch lithium: taken for inactive.
    """

    mesh: Mesh
    carries: np.ndarray
    lithium: Electrode
    cathode: Electrode
    islands: int
    island_fraction: float
    shorted: frozenset[int]


def circuit(mesh: Mesh, inactive: frozenset[int] = frozenset()) -> Circuit:
    """Find what carries current between lithium and active particles.

    Parameters
    ----------
    mesh : Mesh
        Materials and particles.
    inactive : frozenset of int, optional
        Particles without reaction.

    Raises
    ------
    XctError
        If there is no lithium, no active particle, or no way between them.
    """
    electrolyte = mesh.material == Material.ELECTROLYTE
    shorted = _touching_lithium(mesh) - inactive
    dead = inactive | shorted
    lithium, cathode = _electrodes(mesh, electrolyte, dead)
    _say_what_is_missing(lithium, cathode, len(shorted))
    count, piece = pieces(mesh, electrolyte)
    sides = [_pieces_at(mesh, each, piece, count) for each in (lithium, cathode)]
    joined = sides[0] & sides[1]
    if not joined.any():
        raise XctError(
            "there is no way through the electrolyte between lithium and active particles: "
            "look at the labels of this plane, or choose another"
        )
    carries = electrolyte & joined[np.maximum(piece, 0)]
    lithium, cathode = _electrodes(mesh, carries, dead)
    area = mesh.area_um2
    fraction = 1 - area[carries].sum() / area[electrolyte].sum()
    return Circuit(
        mesh, carries, lithium, cathode, int(count - joined.sum()), float(fraction), shorted
    )


def _touching_lithium(mesh: Mesh) -> frozenset[int]:
    """List particles that share a node with lithium: they would be a short circuit."""
    at_lithium = np.zeros(len(mesh.points), bool)
    at_lithium[mesh.triangles[np.isin(mesh.material, ELECTRODES)]] = True
    touching = at_lithium[mesh.triangles].any(axis=1) & (mesh.material == Material.PARTICLE)
    return frozenset(np.unique(mesh.particle[touching]).tolist())


def _electrodes(
    mesh: Mesh, carries: np.ndarray, inactive: frozenset[int]
) -> tuple[Electrode, Electrode]:
    facets = mesh.facets
    inner = (facets.sides >= 0).all(axis=1)
    nodes, (one, other) = facets.nodes[inner], facets.sides[inner].T
    edge = carries[one] != carries[other]
    nodes, behind = nodes[edge], np.where(carries[one], other, one)[edge]
    material, particle = mesh.material[behind], mesh.particle[behind]
    anode = np.isin(material, ELECTRODES)
    dead = np.isin(particle, sorted(inactive))
    cathode = (material == Material.PARTICLE) & ~dead
    return (
        Electrode(nodes[anode], np.zeros(anode.sum(), int)),
        Electrode(nodes[cathode], particle[cathode]),
    )


def _say_what_is_missing(lithium: Electrode, cathode: Electrode, shorted: int) -> None:
    if not len(lithium.facets):
        raise XctError(
            "there is no lithium beside electrolyte: choose a plane, or a range of depths, with "
            "lithium"
        )
    if not len(cathode.facets):
        why = f" ({shorted} touch lithium)" if shorted else ""
        raise XctError(
            f"no active particle touches electrolyte{why}: nothing drives a current; choose "
            "another plane, or fewer inactive particles"
        )


def _pieces_at(mesh: Mesh, electrode: Electrode, piece: np.ndarray, count: int) -> np.ndarray:
    """Say which pieces of electrolyte touch an electrode by an edge."""
    found = np.zeros(count, bool)
    facets = mesh.facets
    size = np.int64(len(mesh.points))
    keys = facets.nodes[:, 0] * size + facets.nodes[:, 1]  # ascending, as they were found
    at = np.searchsorted(keys, electrode.facets[:, 0] * size + electrode.facets[:, 1])
    found[piece[facets.sides[at]].max(axis=1)] = True
    return found


@dataclass(frozen=True)
class Conduction:
    """Potential and current.

    Attributes
    ----------
    circuit : Circuit
        What carries it.
    conductivity_s_m : ndarray, shape (triangle,)
        κ of every triangle of the mesh.
    potential_v : ndarray, shape (node,)
        φ of the electrolyte; NaN elsewhere.
    reaction_a_m : ndarray, shape (node,)
        Current into the electrolyte at each node of an electrode, A per metre of depth.
    cathode_v : float
        Potential of the active particles against lithium, beyond that at rest.
    """

    circuit: Circuit
    conductivity_s_m: np.ndarray
    potential_v: np.ndarray
    reaction_a_m: np.ndarray
    cathode_v: float

    @cached_property
    def lithium_a_m2(self) -> np.ndarray:
        """Current density of each edge at lithium, from the electrolyte, A/m²."""
        return self._density(self.circuit.lithium, -1.0)

    @cached_property
    def cathode_a_m2(self) -> np.ndarray:
        """Current density of each edge at active particles, into the electrolyte, A/m²."""
        return self._density(self.circuit.cathode, 1.0)

    def _density(self, electrode: Electrode, sign: float) -> np.ndarray:
        length = electrode.node_lengths_um(self.circuit.mesh.points) * 1e-6
        with np.errstate(invalid="ignore", divide="ignore"):
            density = sign * self.reaction_a_m / length
        return np.asarray(density[electrode.facets].mean(axis=1))

    @cached_property
    def node_lithium_a_m2(self) -> np.ndarray:
        """Current density at nodes of the lithium, A/m²; NaN elsewhere."""
        length = self.circuit.lithium.node_lengths_um(self.circuit.mesh.points) * 1e-6
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(length > 0, -self.reaction_a_m / length, np.nan))

    @cached_property
    def current_a_m2(self) -> np.ndarray:
        """Current density in each triangle, A/m², shape (triangle, 2); NaN where none flows."""
        mesh = self.circuit.mesh
        corner = mesh.points[mesh.triangles] * 1e-6
        sides = np.roll(corner, -2, axis=1) - np.roll(corner, -1, axis=1)  # opposite to each node
        turned = np.stack([-sides[..., 1], sides[..., 0]], axis=-1)
        values = self.potential_v[mesh.triangles]
        gradient = (values[..., None] * turned).sum(axis=1) / (2e-12 * mesh.area_um2[:, None])
        flux = -self.conductivity_s_m[:, None] * gradient
        return np.where(self.circuit.carries[:, None], flux, np.nan)

    @property
    def balance(self) -> float:
        """Current in less current out, over their mean: 0 but for rounding."""
        into = self.reaction_a_m[np.unique(self.circuit.cathode.facets)].sum()
        out = -self.reaction_a_m[np.unique(self.circuit.lithium.facets)].sum()
        return float(2 * (into - out) / (into + out))


def conduct(
    found: Circuit,
    conductivity_s_m: np.ndarray,
    current_a_m: float,
    kinetics: Kinetics | None = None,
) -> Conduction:
    """Solve for the potential at a given total current.

    Parameters
    ----------
    found : Circuit
        What carries current.
    conductivity_s_m : ndarray, shape (triangle,)
        κ of every triangle.
    current_a_m : float
        Current from the particles to lithium, A per metre of depth.
    kinetics : Kinetics, optional
        Law of the reaction at the particles; without, they are at one potential with the
        electrolyte beside them.
    """
    mesh = found.mesh
    nodes, triangles = np.unique(mesh.triangles[found.carries], return_inverse=True)
    matrix = stiffness(
        mesh.points[nodes] * 1e-6, triangles.reshape(-1, 3), conductivity_s_m[found.carries]
    )
    at_lithium = np.isin(nodes, found.lithium.facets)
    if kinetics is None:
        at_cathode = np.isin(nodes, found.cathode.facets)
        values = _between_electrodes(matrix, at_lithium, at_cathode)
        reaction = matrix @ values
        scale = current_a_m / reaction[at_cathode].sum()
        values, reaction, voltage = values * scale, reaction * scale, float(scale)
    else:
        length = found.cathode.node_lengths_um(mesh.points)[nodes] * 1e-6
        values, voltage = kinetics.solve(matrix, at_lithium, length, current_a_m)
        reaction = matrix @ values
    potential = np.full(len(mesh.points), np.nan)
    potential[nodes] = values
    everywhere = np.zeros(len(mesh.points))
    everywhere[nodes] = reaction
    return Conduction(found, conductivity_s_m, potential, everywhere, voltage)


def stiffness(points_m: np.ndarray, triangles: np.ndarray, conductivity: np.ndarray) -> Any:
    """Assemble ∫ κ ∇u·∇v over linear triangles, a sparse matrix (node, node)."""
    from skfem import Basis, BilinearForm, ElementTriP0, ElementTriP1, MeshTri, asm
    from skfem.helpers import dot, grad

    mesh = MeshTri(np.ascontiguousarray(points_m.T), np.ascontiguousarray(triangles.T))
    basis = Basis(mesh, ElementTriP1(), intorder=1)
    kappa = basis.with_element(ElementTriP0()).interpolate(np.ascontiguousarray(conductivity))
    form = BilinearForm(lambda u, v, w: w["kappa"] * dot(grad(u), grad(v)))
    return asm(form, basis, kappa=kappa).tocsr()


def _between_electrodes(matrix: Any, at_lithium: np.ndarray, at_cathode: np.ndarray) -> np.ndarray:
    """Solve with lithium at 0 V and particles at 1 V."""
    from scipy.sparse.linalg import splu

    values = at_cathode.astype(float)
    free = ~(at_lithium | at_cathode)
    if free.any():
        inner = matrix[free][:, free].tocsc()
        factors = splu(inner, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        values[free] = factors.solve(-(matrix[free] @ values))
    return values
