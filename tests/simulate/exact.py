"""Domains of which the answer is known."""

import numpy as np

from xct.simulate.electric.conduction import circuit, conduct
from xct.simulate.geometry.domain import Domain, Material
from xct.simulate.mesh.building import build_mesh


def domain_of(width, height, levels, *, composite_um=0.0, centers=None, detail=None, finest=0.0):
    """Give a domain of levels; the first particle is everywhere the nearest one."""

    def distance(points):
        return np.min([np.abs(level(points)) for _, level in levels], axis=0)

    return Domain(
        "exact", width, height, levels, distance,
        lambda points: np.ones(len(points), int), centers or {1: np.zeros(2)}, composite_um,
        detail_um=detail, finest_um=finest,
    )  # fmt: skip


def slab(height=50.0, width=30.0, *, lithium_um=40.0, particle_um=10.0, **more):
    """Give flat lithium above `lithium_um`, and one flat particle below `particle_um`."""
    levels = [
        (Material.LITHIUM, lambda p: p[:, 1] - lithium_um),
        (Material.PARTICLE, lambda p: particle_um - p[:, 1]),
    ]
    return domain_of(width, height, levels, **more)


def solved(domain, *, kappa=0.3, current_a_m2=100.0, boundary_um=1.0, coarsest_um=8.0, **more):
    """Mesh a domain and solve for its current; `kappa` is a number or a function of points."""
    mesh = build_mesh(domain, boundary_um, coarsest_um)
    values = kappa(mesh.center_um) if callable(kappa) else np.full(len(mesh.triangles), kappa)
    found = circuit(mesh, more.pop("inactive", frozenset()))
    return conduct(found, values, current_a_m2 * domain.width_um * 1e-6, **more)
