"""Stress of a block in three dimensions. In: materials, plated lithium, settings; out: stress.

As in a plane (`xct.simulate.mechanics.loads`): sides slide without friction, the cathode's end
rests on the collector, plated lithium presses into what lies below it or swells within the lithium,
and active particles shrink. What is plated on a column presses along the normal of the lithium's
face, that of the voxels after their steps are evened out; what swells does so along z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import XctError
from xct.quantity import Number
from xct.simulate.block.solid import Deformed, Held, Solid, deform, principal, von_mises
from xct.simulate.geometry.domain import ELECTRODES, Material
from xct.simulate.mechanics.loads import content_change, shrinking

if TYPE_CHECKING:
    from xct.simulate.block.reading import Block
    from xct.simulate.settings import MechanicsSection

_STEPS_PX = 1.5  # standard deviation of the Gaussian that evens out steps of voxels
MOST_VOXELS = 300_000  # 64³ and some: a minute and 2 GiB


@dataclass(frozen=True)
class BlockStress:
    """Stress of a block.

    Attributes
    ----------
    block : Block
        Materials, of voxels that may be coarser than those of the current.
    deformed : Deformed
        Displacement and stress of what is solid.
    solid : Solid
        Moduli, 0 where nothing deforms.
    von_mises_mpa : ndarray, shape (z, y, x)
        NaN where nothing deforms.
    loose_fraction : float
        Part of what is solid that hangs on nothing, left out.
    unplaced_fraction : float
        Part of the plated lithium above which there is none that could swell.
    """

    block: Block
    deformed: Deformed
    solid: Solid
    von_mises_mpa: np.ndarray
    loose_fraction: float
    unplaced_fraction: float

    def numbers(self, strength_mpa: float) -> dict[str, Number]:
        """Give the numbers of the electrolyte's stress, named as those of a plane."""
        where = (self.block.material == Material.ELECTROLYTE) & (self.solid.young_gpa > 0)
        values = self.von_mises_mpa[where]
        largest = principal(self.deformed.stress_mpa[:, where])
        return {
            "von_mises_mpa.max": Number(float(values.max()), "MPa"),
            "von_mises_mpa.p99": Number(float(np.percentile(values, 99)), "MPa"),
            "principal_stress_mpa.max": Number(float(largest.max()), "MPa"),
            "beyond_strength_fraction": Number(float((values > strength_mpa).mean()), "1"),
            "stack_growth_um": Number(-self.deformed.lift_um, "µm"),
        }


def coarsening(shape: tuple[int, ...]) -> int:
    """Choose by how much voxels are joined, so that what deforms has few enough of them."""
    factor = 1
    while np.prod([length // factor for length in shape]) > MOST_VOXELS:
        factor += 1
    return factor


def stress_of_block(
    block: Block, dead: list[int], thickness_um: np.ndarray, wanted: MechanicsSection
) -> BlockStress:
    """Solve for the stress of plated lithium and of particles that gave lithium up.

    Parameters
    ----------
    block : Block
        Materials.
    dead : list of int
        Particles that keep their lithium.
    thickness_um : ndarray, shape (y, x)
        Lithium plated above each column.
    wanted : MechanicsSection
        Moduli, charge and what gives way.

    Raises
    ------
    XctError
        If nothing solid reaches from lithium to the block's end.
    """
    swells = wanted.lithium == "eigenstrain"
    solid, loose = _solid(block, wanted, swells=swells)
    strain = _shrinking(block, dead, wanted)
    unplaced = 0.0
    if swells:
        strain[0], unplaced = _swelling(block, thickness_um, strain[0])
        upper = _touched(solid, block.material == Material.STEEL)
        upper[0] |= solid.held[0]
        pushed = np.stack([upper, np.zeros_like(upper), np.zeros_like(upper)])
        given = np.zeros((3, *solid.grid))
    else:
        upper = _touched(solid, np.isin(block.material, ELECTRODES))
        pushed = np.stack([upper] * 3)
        given = np.where(upper, _pressed(block, thickness_um), 0.0)
    if not upper.any() or not solid.held[-1].any():
        raise XctError(
            "nothing solid reaches from lithium to the end of this block, and bears stress: choose "
            "another block, or leave mechanics out"
        )
    fixed = _rollers(solid)
    given[fixed] = 0
    lifted = np.zeros((3, *solid.grid))
    lifted[0] = upper
    area = float(np.prod(thickness_um.shape)) * block.voxel_um[1] * block.voxel_um[2]
    held = Held(
        fixed | pushed, given, lifted if wanted.stack == "pressure" else None,
        wanted.stack_pressure_mpa * area,
    )  # fmt: skip
    deformed = deform(solid, strain, held)
    stress = np.where(solid.young_gpa > 0, von_mises(deformed.stress_mpa), np.nan)
    return BlockStress(block, deformed, solid, stress, loose, unplaced)


def _solid(block: Block, wanted: MechanicsSection, *, swells: bool) -> tuple[Solid, float]:
    """Give the largest piece of what is solid, and the part that hangs on nothing."""
    import cc3d

    kinds = {Material.ELECTROLYTE: wanted.electrolyte, Material.PARTICLE: wanted.particle}
    if swells:
        kinds[Material.LITHIUM] = wanted.lithium_metal
    young, poisson = np.zeros(block.material.shape), np.zeros(block.material.shape)
    for code, kind in kinds.items():
        here = block.material == code
        young[here], poisson[here] = kind.young_gpa, kind.poisson
    # By faces: what hangs on an edge alone would turn about it.
    pieces = cc3d.connected_components(young > 0, connectivity=6)
    counts = np.bincount(pieces.ravel())
    total, counts[0] = counts[1:].sum(), 0
    young[pieces != counts.argmax()] = 0
    return Solid(young, poisson, block.voxel_um), float(1 - counts.max() / max(total, 1))


def _shrinking(block: Block, dead: list[int], wanted: MechanicsSection) -> np.ndarray:
    """Give the strain of active particles that gave lithium up, shape (3, z, y, x)."""
    active = (block.material == Material.PARTICLE) & ~np.isin(block.particle, dead)
    z, y, x = (edge * 1e-6 for edge in block.voxel_um)
    area = float(np.prod(active.shape[1:])) * y * x
    strain = np.zeros((3, *active.shape))
    if not active.any():
        return strain
    volume = float(active.sum()) * z * y * x
    change = content_change(wanted.charge_uah_cm2, area, volume, wanted.lithium_mol_m3)
    strain[:, active] = shrinking(change, wanted.volume_change)
    return strain


def _swelling(
    block: Block, thickness_um: np.ndarray, strain: np.ndarray
) -> tuple[np.ndarray, float]:
    """Spread what was plated over the lithium of its column, as strain along z."""
    lithium = block.material == Material.LITHIUM
    height = lithium.sum(axis=0) * block.voxel_um[0]
    swelling = np.where(height > 0, thickness_um / np.maximum(height, 1e-9), 0.0)
    unplaced = thickness_um[height == 0].sum() / max(thickness_um.sum(), 1e-300)
    return np.where(lithium, swelling, strain), float(unplaced)


def _touched(solid: Solid, other: np.ndarray) -> np.ndarray:
    """Mark the nodes that what is solid shares with other voxels, shape `grid`."""
    neighbors = Solid(other.astype(float), solid.poisson, solid.voxel_um).held
    return np.asarray(solid.held & neighbors)


def _at_nodes(columns: np.ndarray) -> np.ndarray:
    """Give values of columns (y, x) at the nodes between them: the mean of the four around."""
    padded = np.pad(columns, 1, mode="edge")
    return np.asarray((padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]) / 4)


def _pressed(block: Block, thickness_um: np.ndarray) -> np.ndarray:
    """Give how far plated lithium presses, along the normal of its face, shape (3, *grid).

    As much lithium as lies on a column spreads over the slope in it: a face that leans by θ moves
    by cos θ of the thickness along z.
    """
    from scipy.ndimage import gaussian_filter

    lithium = np.isin(block.material, ELECTRODES).astype(float)
    smooth = np.pad(gaussian_filter(lithium, _STEPS_PX, mode="nearest"), 1, mode="edge")
    slopes = []
    for axis, edge in enumerate(block.voxel_um):
        found = -np.diff(smooth, axis=axis) / edge
        for other in {0, 1, 2} - {axis}:  # from the middles of faces to the nodes between them
            one, next_ = np.delete(found, -1, axis=other), np.delete(found, 0, axis=other)
            found = (one + next_) / 2
        slopes.append(found)
    normal = np.stack(slopes)
    length = np.sqrt((normal**2).sum(axis=0))
    normal = np.where(length > 0, normal / np.where(length > 0, length, 1.0), 0.0)
    normal[0] = np.where(length > 0, np.maximum(normal[0], 0.0), 1.0)  # nothing presses upwards
    return np.asarray(_at_nodes(thickness_um) * normal[0] * normal)


def _rollers(solid: Solid) -> np.ndarray:
    """Mark what the sides hold across, and the cathode's end along z, shape (3, *grid)."""
    fixed = np.zeros((3, *solid.grid), bool)
    fixed[0, -1] = True
    fixed[1, :, [0, -1]] = True
    fixed[2, :, :, [0, -1]] = True
    return fixed
