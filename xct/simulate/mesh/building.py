"""A mesh of a cell. In: its materials as levels; out: triangles that follow their boundaries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.simulate.geometry.domain import Domain, Material
from xct.simulate.geometry.pieces import Search
from xct.simulate.mesh.background import Size, graded
from xct.simulate.mesh.cutting import Cut, cut, without_slivers
from xct.simulate.mesh.mesh import Mesh

_FITS = 4  # times that boundaries are moved


def build_mesh(
    domain: Domain, boundary_um: float, coarsest_um: float, *, grading: float = 0.35
) -> Mesh:
    """Mesh a cell: fine at the boundaries of its materials, coarser with the distance.

    Parameters
    ----------
    domain : Domain
        The cell.
    boundary_um : float
        Longest side of a triangle at a boundary.
    coarsest_um : float
        Longest side anywhere.
    grading : float, optional
        By how much it grows with each µm of distance.
    """
    scale = boundary_um / domain.finest_um if domain.finest_um else 1.0
    size = _size(domain, boundary_um, coarsest_um, grading, min(1.0, scale))
    grid = graded(domain.width_um, domain.height_um, size, coarsest_um)
    held = np.zeros(grid.p.shape[1], bool)
    material = np.full(grid.t.shape[1], Material.ELECTROLYTE, np.uint8)
    parts = Cut(grid.p.T.copy(), grid.t.T.copy(), material, held)
    box = domain.width_um, domain.height_um
    for code, level in domain.levels:
        parts = cut(parts, level, code, Material.ELECTROLYTE, box)
    parts = without_slivers(parts)
    centers = parts.points[parts.triangles].mean(axis=1)
    is_particle = parts.material == Material.PARTICLE
    particle = np.zeros(len(parts.triangles), np.int32)
    particle[is_particle] = domain.particle_at(centers[is_particle])
    return Mesh(parts.points, parts.triangles, parts.material, particle)


def fit_mesh(domain: Domain, boundary_um: float, coarsest_um: float) -> tuple[Domain, Mesh]:
    """Mesh a cell whose labelled pieces keep their area.

    Parameters
    ----------
    domain : Domain
        The cell.
    boundary_um, coarsest_um : float
        As of `build_mesh`.

    Returns
    -------
    domain : Domain
        With the levels that it was meshed by.
    mesh : Mesh
        The mesh.
    """
    mesh, fitted = build_mesh(domain, boundary_um, coarsest_um), domain
    searches = {code: Search(pieces) for code, pieces in domain.pieces.items()}
    for number in range(_FITS if searches else 0):
        for code, search in searches.items():
            here = mesh.material == code
            search.learn(mesh.center_um[here], mesh.area_um2[here])
        last = number == _FITS - 1
        levels = [
            (code, searches[code].level(level, last=last) if code in searches else level)
            for code, level in domain.levels
        ]
        fitted = replace(domain, levels=levels)
        mesh = build_mesh(fitted, boundary_um, coarsest_um)
    return fitted, mesh


def _size(
    domain: Domain, boundary_um: float, coarsest_um: float, grading: float, scale: float
) -> Size:
    def size(points: np.ndarray) -> np.ndarray:
        wanted = boundary_um + grading * np.maximum(domain.distance_um(points) - boundary_um, 0)
        if domain.detail_um is not None:
            wanted = np.minimum(wanted, scale * domain.detail_um(points))
        return np.asarray(np.minimum(wanted, coarsest_um))

    return size
