"""A layered cell with known faces, drawn column by column: truth for surfaces, in no time."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from xct.geometry import CellGeometry, Plane, Surface

STEEL, LITHIUM, ELECTROLYTE, COMPOSITE, COLLECTOR = 114.0, 0.1, 5.0, 22.0, 4.95


@dataclass
class FlatReference:
    """The same electrolyte everywhere."""

    blur_um: float = 1.7
    noise_per_cm: float = 1.5

    def mu_per_cm(self, z_um, r_um):
        return np.full(np.broadcast(z_um, r_um).shape, ELECTROLYTE)


def relief(shape, sq, length, rng):
    field = gaussian_filter(rng.standard_normal(shape), length, mode="wrap")
    return sq * (field - field.mean()) / field.std()


def layered_cell(
    shape=(150, 96, 96), voxel_um=2.0, anode="low_z", noise=1.5, absent=0.0, blur_px=0.85, seed=0
):
    """Draw μ; return it with its geometry and the true surfaces."""
    rng = np.random.default_rng(seed)
    depth = shape[0]
    y, x = np.indices(shape[1:]) - (np.array(shape[1:]) - 1)[:, None, None] / 2
    radius = np.hypot(y, x)
    bore = 0.46 * min(shape[1:])
    steel = 20.3 + 0.01 * y - 0.006 * x
    thickness = np.maximum(18 + relief(shape[1:], 4, 8, rng), 0)
    if absent:
        patches = relief(shape[1:], 1, 8, rng)
        inside = radius <= bore
        level = np.quantile(patches[inside], absent)
        thickness *= np.clip((patches - level) / 0.4, 0, 1)
    faces = {
        "steel_lithium": steel,
        "lithium_electrolyte": steel + thickness,
        "electrolyte_cathode": 75.4 + 0.008 * x + relief(shape[1:], 1.0, 8, rng),
        "cathode_collector": 115.2 - 0.005 * y,
    }
    levels = (STEEL, LITHIUM, ELECTROLYTE, COMPOSITE, COLLECTOR)
    s = np.arange(depth)[:, None, None]
    mu = np.full(shape, levels[0])
    for face, low, high in zip(faces.values(), levels[:-1], levels[1:], strict=True):
        mu += (high - low) * 0.5 * (1 + erf((s - face) / (np.sqrt(2) * blur_px)))
    mu = np.where(radius <= bore, mu, 0.5)
    mu = (mu + noise * rng.standard_normal(shape)).astype(np.float32)
    known = {}
    for name, face in faces.items():
        known[name] = np.where(radius <= bore, face, np.nan)
    known["lithium_electrolyte"][thickness == 0] = np.nan
    if anode == "high_z":
        mu = mu[::-1].copy()
        known = {name: depth - 1 - face for name, face in known.items()}
        faces = {name: depth - 1 - face for name, face in faces.items()}
    planes = {}
    for name, face in faces.items():
        inside = radius <= bore
        design = np.column_stack([np.ones(inside.sum()), y[inside], x[inside]])
        a, b, c = np.linalg.lstsq(design, face[inside])[0]
        planes[name] = Plane((a + 1.5) * voxel_um, b, c)
    center = (np.array(shape[1:]) - 1) / 2 * voxel_um
    cell = CellGeometry(
        shape, (voxel_um,) * 3, *center, bore * voxel_um, anode=anode, planes=planes
    )
    truth = {
        name: Surface((face * voxel_um).astype(np.float32), np.zeros_like(face), "drawn")
        for name, face in known.items()
    }
    return mu, cell, truth
