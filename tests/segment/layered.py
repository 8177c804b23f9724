"""A layered cell with known faces, drawn column by column: truth for surfaces, in no time."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from xct.geometry import SURFACES, CellGeometry, Plane, Surface

VOXEL_UM = 2.0
LEVELS = (114.0, 0.1, 5.0, 22.0, 4.95)  # steel, lithium, electrolyte, composite, aluminium
BLUR_PX = 0.6


@dataclass(frozen=True)
class FlatReference:
    """The same electrolyte everywhere."""

    air, per_cm, mu_known = 0.0, 1.0, True

    def mu_per_cm(self, z_um, r_um):
        return np.full(np.broadcast(z_um, r_um).shape, LEVELS[2])


def relief(shape, sq, length, seed):
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), length, mode="wrap")
    return sq * (field - field.mean()) / field.std()


@dataclass
class Layered:
    """A drawn cell: its volume, geometry and true surfaces."""

    mu: np.ndarray
    cell: CellGeometry
    truth: dict
    bore: np.ndarray

    def error_px(self, found, name):
        """Errors in voxels away from the anode, where both have a height."""
        error = (found[name].height_um - self.truth[name].height_um) / VOXEL_UM
        return self.cell.sign * error[np.isfinite(error)]


def layered_cell(
    shape=(140, 72, 72),
    *,
    anode="low_z",
    noise=1.0,
    absent=0.0,
    plane_offset_um=3.0,
    lithium=16.0,
    seed=0,
):
    """Draw μ, its faces tilted and rough; `absent` is the fraction of the area without lithium."""
    size = shape[1:]
    y, x = np.indices(size) - (np.array(size) - 1)[:, None, None] / 2
    bore = np.hypot(y, x) <= 0.46 * min(size)
    thickness = np.maximum(lithium + relief(size, min(2.0, lithium / 6), 8, 1 + 10 * seed), 0)
    if absent:
        patches = relief(size, 1, 10, 2)
        level = np.quantile(patches[bore], absent)
        thickness *= np.sqrt(np.clip((patches - level) / 0.3, 0, 1))
    steel = 18.3 + 0.01 * y - 0.006 * x
    faces = dict(zip(SURFACES, (
        steel,
        steel + thickness,
        70.4 + 0.008 * x + relief(size, 0.7, 10, 3 + 10 * seed),
        110.2 - 0.005 * y,
    ), strict=True))  # fmt: skip
    s = np.arange(shape[0])[:, None, None]
    mu = np.full(shape, LEVELS[0])
    for face, low, high in zip(faces.values(), LEVELS[:-1], LEVELS[1:], strict=True):
        mu += (high - low) * 0.5 * (1 + erf((s - face) / (np.sqrt(2) * BLUR_PX)))
    mu = np.where(bore, mu, 0.5) + noise * np.random.default_rng(4 + 10 * seed).standard_normal(
        shape
    )
    known = {name: np.where(bore, face, np.nan) for name, face in faces.items()}
    known["lithium_electrolyte"][thickness == 0] = np.nan
    if anode == "high_z":
        mu = mu[::-1]
        known, faces = (
            {name: shape[0] - 1 - face for name, face in some.items()} for some in (known, faces)
        )
    design = np.stack([np.ones(size), y, x], axis=-1)[bore]
    planes = {}
    for name, face in faces.items():
        at_axis, slope_y, slope_x = np.linalg.lstsq(design, face[bore])[0]
        planes[name] = Plane(at_axis * VOXEL_UM + plane_offset_um, slope_y, slope_x)
    center = (np.array(size) - 1) / 2 * VOXEL_UM
    cell = CellGeometry(
        shape, (VOXEL_UM,) * 3, *center, 0.46 * min(size) * VOXEL_UM, anode=anode, planes=planes
    )
    truth = {
        name: Surface((face * VOXEL_UM).astype(np.float32), np.zeros(size, np.float32), "drawn")
        for name, face in known.items()
    }
    return Layered(np.ascontiguousarray(mu, np.float32), cell, truth, bore)
