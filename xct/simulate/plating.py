"""Lithium that is plated. In: currents at its face; out: thickness, and a face that moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from xct.physics.lithium import FARADAY_C_MOL
from xct.simulate.constants import LITHIUM_MOLAR_CM3_MOL
from xct.simulate.electric.conduction import Conduction, Electrode
from xct.simulate.geometry.domain import Domain, Material
from xct.simulate.mesh.cutting import Level

# A face of plated lithium, µm for each C/m²: V_m / F.
THICKNESS_UM_M2_C = LITHIUM_MOLAR_CM3_MOL / FARADAY_C_MOL
C_M2_PER_UAH_CM2 = 36.0
_NEAR = 6  # edges of the old face that a point is compared with


@dataclass(frozen=True)
class Face:
    """The face of the lithium, edge by edge.

    Attributes
    ----------
    ends_um : ndarray, shape (edge, 2, 2)
        Both ends of each edge.
    density_a_m2 : ndarray, shape (edge,)
        Current density, A/m².
    thickness_um : ndarray, shape (edge,)
        Lithium plated so far.
    """

    ends_um: np.ndarray
    density_a_m2: np.ndarray
    thickness_um: np.ndarray

    @property
    def middle_um(self) -> np.ndarray:
        """Middle of each edge, µm."""
        return np.asarray(self.ends_um.mean(axis=1))

    @property
    def length_um(self) -> np.ndarray:
        """Length of each edge, µm."""
        return np.asarray(np.linalg.norm(np.diff(self.ends_um, axis=1)[:, 0], axis=1))

    @property
    def variation(self) -> float:
        """Standard deviation of the thickness over its mean, weighted by length."""
        return variation(self.thickness_um, self.length_um)


def variation(values: np.ndarray, weights: np.ndarray) -> float:
    """Give the coefficient of variation, weighted."""
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights)) / mean)


def face_of(found: Conduction) -> Face:
    """Give the face of the lithium with its currents; nothing is plated yet."""
    electrode, points = found.circuit.lithium, found.circuit.mesh.points
    density = found.lithium_a_m2
    return Face(points[electrode.facets], density, np.zeros(len(density)))


@dataclass(frozen=True)
class Plating:
    """Plating over time.

    Attributes
    ----------
    charge_uah_cm2 : ndarray, shape (step,)
        Charge passed after each step, over the width.
    faces : list of Face
        At each step, with what was plated by its end.
    stopped : str
        Why it ended before its time; empty if it did not.
    """

    charge_uah_cm2: np.ndarray
    faces: list[Face]
    stopped: str = ""


def plate(
    domain: Domain,
    charge_uah_cm2: float,
    steps: int,
    current_a_m2: float,
    solve: Callable[[Domain], Conduction],
) -> Plating:
    """Plate lithium in steps; after each its face has moved into the electrolyte.

    Each step passes as much charge. Lithium grows along the normal of its face, by V_m/F for each
    coulomb, and takes the place of electrolyte.

    Parameters
    ----------
    domain : Domain
        The cell at the start.
    charge_uah_cm2 : float
        Charge in all, over the width.
    steps : int
        How many.
    current_a_m2 : float
        Mean current density over the width.
    solve : callable
        Meshes a domain and solves for its current.
    """
    seconds = charge_uah_cm2 * C_M2_PER_UAH_CM2 / current_a_m2 / steps
    faces: list[Face] = []
    stopped, shorted = "", frozenset[int]()
    for step in range(steps):
        found = solve(domain)
        if step and found.circuit.shorted - shorted:
            passed = charge_uah_cm2 * step / steps
            stopped = f"plating ended after {passed:.3g} µAh/cm²: lithium reached active particles"
            break
        shorted = found.circuit.shorted
        face = face_of(found)
        before = _carried(faces[-1], face.middle_um) if faces else 0.0
        growth = np.maximum(face.density_a_m2, 0) * seconds * THICKNESS_UM_M2_C
        reached = _reach(face.ends_um, _at_ends(found.circuit.lithium, growth))
        ahead = found.circuit.mesh.points[np.unique(found.circuit.cathode.facets)]
        if (reached(ahead) > 0).any():
            passed = charge_uah_cm2 * step / steps
            stopped = (
                f"plating ended after {passed:.3g} µAh/cm²: in the next step of "
                f"{charge_uah_cm2 / steps:.3g} lithium would reach active particles; plate less, "
                "or in more steps (plating.steps)"
            )
            break
        faces.append(replace(face, thickness_um=before + growth))
        domain = _grown(domain, reached)
    charge = charge_uah_cm2 / steps * np.arange(1, len(faces) + 1)
    return Plating(charge, faces, stopped)


def _carried(before: Face, points: np.ndarray) -> np.ndarray:
    """Give what was plated before at points of the new face: that of the nearest old edge."""
    from scipy.spatial import KDTree

    return np.asarray(before.thickness_um[KDTree(before.middle_um).query(points)[1]])


def _at_ends(electrode: Electrode, growth: np.ndarray) -> np.ndarray:
    """Give the growth at both ends of each edge, shape (edge, 2): a mean of the edges there."""
    ends = electrode.facets.ravel()
    count = np.bincount(ends)
    total = np.bincount(ends, np.repeat(growth, 2))
    return np.asarray((total[ends] / count[ends]).reshape(-1, 2))


def _grown(domain: Domain, reached: Level) -> Domain:
    """Let lithium reach all points that are nearer to its old face than it grew there."""
    old = domain.level(Material.LITHIUM)
    obstacles = [level for code, level in domain.levels if code != Material.LITHIUM]

    def level(points: np.ndarray) -> np.ndarray:
        fresh = reached(points)
        for obstacle in obstacles:
            fresh = np.minimum(fresh, -obstacle(points))
        return np.asarray(fresh if old is None else np.maximum(old(points), fresh))

    levels = [(code, found) for code, found in domain.levels if code != Material.LITHIUM]

    def distance(points: np.ndarray) -> np.ndarray:
        return np.asarray(np.minimum(domain.distance_um(points), np.abs(reached(points))))

    return replace(domain, levels=[(Material.LITHIUM, level), *levels], distance_um=distance)


def _reach(ends_um: np.ndarray, growth_um: np.ndarray) -> Level:
    """Give the growth of the nearest edges less the distance from them, at points.

    Far from the face it is −∞: nothing grows there.
    """
    from scipy.spatial import KDTree

    start, along = ends_um[:, 0], np.diff(ends_um, axis=1)[:, 0]
    square = np.maximum((along**2).sum(axis=1), 1e-30)
    tree = KDTree(ends_um.mean(axis=1))
    near = min(_NEAR, len(start))
    farthest = 1.5 * growth_um.max() + 4 * np.sqrt(square.max())

    def reach(points: np.ndarray) -> np.ndarray:
        found = np.full(len(points), -np.inf)
        close = tree.query(points, distance_upper_bound=farthest)[1] < len(start)
        _, edge = tree.query(points[close], k=near)
        edge = edge.reshape(-1, near)
        away = points[close][:, None] - start[edge]
        part = np.clip((away * along[edge]).sum(axis=2) / square[edge], 0, 1)
        distance = np.linalg.norm(away - part[..., None] * along[edge], axis=2)
        grown = growth_um[edge, 0] * (1 - part) + growth_um[edge, 1] * part
        found[close] = (grown - distance).max(axis=1)
        return found

    return reach
