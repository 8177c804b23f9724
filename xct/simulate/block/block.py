"""A block of a result in three dimensions. In: settings; out: currents, tortuosity, stress."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import XctError
from xct.quantity import Number
from xct.result import open_result
from xct.simulate.block.found import BlockFound
from xct.simulate.block.reading import Block, read_block
from xct.simulate.block.smooth import smooth_conductivity
from xct.simulate.block.stress import BlockStress, coarsening, stress_of_block
from xct.simulate.block.voxels import (
    Flow,
    current_density,
    effective_conductivity,
    faces_between,
    flow,
)
from xct.simulate.case import too_much
from xct.simulate.geometry.dead import dead_particles
from xct.simulate.geometry.density import density_note, known_density
from xct.simulate.geometry.domain import ELECTRODES, Material
from xct.simulate.mechanics.loads import BEYOND, beyond_strength
from xct.simulate.plating import C_M2_PER_UAH_CM2, THICKNESS_UM_M2_C

if TYPE_CHECKING:
    from xct.simulate.settings import CaseSection, SimulateSection

_STEPS_PX = 1.5  # standard deviation of the Gaussian that evens out steps of voxels
_NOTICED = 0.05  # of the whole: what is left out beyond that is said


def solve_block(case: CaseSection, wanted: SimulateSection) -> BlockFound:
    """Solve for the current through a block, and for what its composite conducts."""
    if wanted.block is None:
        raise ValueError("there is no block")
    by_density = wanted.electrolyte.density_exponent is not None
    block = read_block(wanted.block, density=by_density)
    inactive: frozenset[int] = frozenset()
    notes = _of_density(block)
    if case.dead is not None:
        inactive, said = dead_particles(open_result(wanted.block.result), case.dead)
        notes += said
    factor = coarsening(block.material.shape)
    fine, coarse = (_solved(each, inactive, wanted, factor) for each in (block, block.coarser(2)))
    numbers = {
        name: replace(number, sd=abs(number.value - coarse.numbers[name].value))
        if isinstance(number.value, float) and name in coarse.numbers
        else number
        for name, number in fine.numbers.items()
    }
    notes += _without_uncertainty(fine, coarse)
    return replace(fine, name=case.name, numbers=numbers, warnings=[*notes, *fine.warnings])


def _without_uncertainty(fine: BlockFound, coarse: BlockFound) -> list[str]:
    """Name the numbers of which larger voxels show nothing to compare with."""
    names = [
        name for name, number in fine.numbers.items()
        if isinstance(number.value, float) and name not in coarse.numbers
    ]  # fmt: skip
    if not names:
        return []
    return [
        f"no uncertainty is known of {', '.join(names)}, as voxels twice as large show too little "
        "of the composite; raise block.voxels"
    ]


def _solved(
    block: Block, inactive: frozenset[int], wanted: SimulateSection, factor: int
) -> BlockFound:
    electrolyte = block.material == Material.ELECTROLYTE
    lithium = np.isin(block.material, ELECTRODES)
    particles = block.material == Material.PARTICLE
    touching = faces_between(particles, lithium, block.voxel_um).one
    shorted = frozenset(np.unique(block.particle.ravel()[touching]).tolist()) - inactive - {0}
    dead = sorted(inactive | shorted)
    active = particles & ~np.isin(block.particle, dead)
    for present, what in ((lithium, "lithium"), (active, "active particle")):
        if not present.any():
            raise XctError(f"there is no {what} in this block; choose another")
    kappa = _kappa(block, wanted)
    found = flow(electrolyte, lithium, active, kappa, block.voxel_um)
    area = np.prod(electrolyte.shape[1:]) * block.voxel_um[1] * block.voxel_um[2] * 1e-12
    voltage = wanted.current_density_a_m2 * area / found.from_source_a
    focusing = _focusing(found, electrolyte.shape[1:])
    numbers = {
        "potential_drop_mv": Number(1e3 * voltage, "mV"),
        "focusing_variation": Number(float(focusing.std() / focusing.mean())),
        "focusing_max": Number(float(focusing.max())),
        "island_fraction": Number(found.left_out),
        "islands": Number(found.islands),
        "voxels": Number(int(electrolyte.size)),
        "inactive_particles": Number(len(set(dead) & set(np.unique(block.particle).tolist()))),
    }
    warnings = too_much(voltage)
    if shorted:
        warnings.append(f"{len(shorted)} active particles touch lithium: taken for inactive")
    numbers |= _composite(electrolyte, block, wanted, warnings)
    stress = _stress(block.coarser(factor), dead, focusing, wanted, warnings)
    if stress is not None and wanted.mechanics is not None:
        numbers |= stress.numbers(wanted.mechanics.strength_mpa)
        numbers["stress_voxels"] = Number(int(stress.block.material.size))
    ends = ((lithium, 0.0), (active, 1.0))
    current = voltage * current_density(found.potential_v, ends, kappa, block.voxel_um)
    return BlockFound(
        "", wanted.title, numbers, warnings, block, voltage * found.potential_v,
        current.astype(np.float32), focusing, stress,
    )  # fmt: skip


def _kappa(block: Block, wanted: SimulateSection) -> np.ndarray:
    """Give κ of every voxel if it were electrolyte, S/m."""
    settings = wanted.electrolyte
    kappa = np.full(block.material.shape, settings.conductivity_s_m)
    if settings.composite_s_m is not None:
        kappa[block.composite :] = settings.composite_s_m
    if settings.density_exponent is not None and block.density is not None:
        kappa *= known_density(block.density) ** settings.density_exponent
    return kappa


def _of_density(block: Block) -> list[str]:
    """Say where the density of the electrolyte is not known, if κ goes by it."""
    if block.density is None:
        return []
    notes = []
    for name, part in (
        ("separator", slice(0, block.composite)), ("composite", slice(block.composite, None))
    ):  # fmt: skip
        here = block.material[part] == Material.ELECTROLYTE
        notes += density_note(name, block.density[part][here]) if here.any() else []
    return notes


def _focusing(found: Flow, shape: tuple[int, ...]) -> np.ndarray:
    """Give the current at the lithium over its mean, shape (y, x)."""
    from scipy.ndimage import gaussian_filter

    columns = int(np.prod(shape))
    current = np.bincount(found.sink.one % columns, found.into_sink_a, minlength=columns)
    focusing = (current / (found.into_sink_a.sum() / columns)).reshape(shape)
    # Steps of voxels draw current to their edges: a mean of neighbors keeps the sum.
    return np.asarray(gaussian_filter(focusing, _STEPS_PX, mode="reflect"))


def _stress(
    block: Block, dead: list[int], focusing: np.ndarray, wanted: SimulateSection,
    warnings: list[str],
) -> BlockStress | None:  # fmt: skip
    """Solve for the stress, if it is asked for, of voxels that may be coarser."""
    mechanics = wanted.mechanics
    if mechanics is None:
        return None
    even = mechanics.charge_uah_cm2 * C_M2_PER_UAH_CM2 * THICKNESS_UM_M2_C
    shape = block.material.shape[1:]
    factor = focusing.shape[0] // shape[0]
    cut = focusing[: shape[0] * factor, : shape[1] * factor]
    mean = cut.reshape(shape[0], factor, shape[1], factor).mean(axis=(1, 3))
    found = stress_of_block(block, dead, even * mean, mechanics)
    beyond = found.numbers(mechanics.strength_mpa)["beyond_strength_fraction"].value
    if beyond > BEYOND:
        warnings.append(beyond_strength(mechanics.strength_mpa, beyond))
    if found.loose_fraction > _NOTICED:
        warnings.append(
            f"{found.loose_fraction:.0%} of what is solid hangs on nothing in this block: it bears "
            "no stress"
        )
    if found.unplaced_fraction > _NOTICED:
        warnings.append(
            f"{found.unplaced_fraction:.0%} of the plated lithium lies on bare steel, where no "
            "lithium can swell: left out; mechanics.lithium: displacement presses it in"
        )
    return found


def _composite(
    electrolyte: np.ndarray, block: Block, wanted: SimulateSection, warnings: list[str]
) -> dict[str, Number]:
    part = electrolyte[block.composite :]
    if part.shape[0] < 4:
        return {}
    kappa = _kappa(block, wanted)[block.composite :]
    try:
        found = effective_conductivity(part, block.voxel_um, 1.0)
    except XctError:
        warnings.append("no electrolyte leads through the composite: it has no tortuosity here")
        return {}
    conducts = found.ratio * float(kappa.flat[0])
    if np.ptp(kappa) > 0:
        conducts = effective_conductivity(part, block.voxel_um, kappa).ratio
    smooth = found.fraction / smooth_conductivity(part, block.voxel_um)
    numbers = {
        "composite_conductivity_s_m": Number(conducts, "S/m"),
        "composite_electrolyte_fraction": Number(found.fraction),
        "composite_tortuosity": Number(found.tortuosity),
        "composite_tortuosity_smooth": Number(smooth),
    }
    if smooth < 1:  # no material conducts more than straight channels of its volume
        del numbers["composite_tortuosity_smooth"]
        warnings.append(
            f"composite_tortuosity_smooth is left out: it would be {smooth:.3g}, less than 1, as "
            f"particles are hardly larger than a voxel of {max(block.voxel_um):.3g} µm; raise "
            "block.voxels"
        )
    return numbers
