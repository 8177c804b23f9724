"""The cathode's particles. In: interfaces and a state; out: bodies, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.phantom.cell.bodies import (
    GAP,
    PARTICLE,
    SHAPES,
    Bodies,
    FacetLibrary,
    directions,
    plain_bodies,
    rotations,
    turned_to,
)
from xct.phantom.cell.interfaces import MEAN_DEAD, Interfaces
from xct.phantom.cell.layout import Layout, at, in_bore
from xct.phantom.cell.makes import Make
from xct.phantom.cell.packing import Domain, pack_spheres
from xct.phantom.cell.scattering import scatter_spheres
from xct.phantom.cell.states import State
from xct.phantom.cell.substances import END
from xct.physics.materials import delta, mu_per_cm

# Sizes and shapes of particles. In: a median diameter; out: diameters, half axes, cracks.

SIGMA_G = 1.35
DIAMETERS = (1 / 3, 2.0)  # smallest and largest, to the median: 3 and 18 µm for 9
_FLATTEST = 0.90  # of a particle's half axes, to its longest


@dataclass(frozen=True)
class Sizes:
    """Equivalent diameter, longest half axis, axis ratios (n, 3) and row of the facet library."""

    diameter: np.ndarray
    longest: np.ndarray
    ratio: np.ndarray
    shape: np.ndarray

    def times(self, scale: np.ndarray) -> Sizes:
        """Scale each particle."""
        return replace(self, diameter=self.diameter * scale, longest=self.longest * scale)


def lognormal_um(
    count: int, d50_um: float, rng: np.random.Generator, sizes: tuple[float, ...] = (1.0,)
) -> np.ndarray:
    """Draw diameters from a third to twice of their median; `sizes` are medians to that."""
    low, high = (limit * d50_um for limit in DIAMETERS)
    found = np.empty(0)
    while len(found) < count:
        drawn = d50_um * SIGMA_G ** rng.standard_normal(count + 50)
        drawn *= np.resize(sizes, len(drawn))
        found = np.append(found, drawn[(drawn > low) & (drawn < high)])
    return found[:count]


def filling_um(
    volume_um3: float, d50_um: float, rng: np.random.Generator, sizes: tuple[float, ...] = (1.0,)
) -> np.ndarray:
    """Draw diameters until their volumes add up."""
    mean = np.pi / 6 * d50_um**3 * np.exp(4.5 * np.log(SIGMA_G) ** 2)
    drawn = lognormal_um(int(1.3 * volume_um3 / mean) + 100, d50_um, rng, sizes)
    filled = np.cumsum(np.pi / 6 * drawn**3)
    return drawn[: int(np.searchsorted(filled, volume_um3)) + 1]


def shaped(
    diameter: np.ndarray,
    library: FacetLibrary,
    rng: np.random.Generator,
    flattest: float = _FLATTEST,
) -> Sizes:
    """Give each particle a shape of its volume: a flattened and turned row of the library."""
    count = len(diameter)
    shape = rng.integers(0, SHAPES, count)
    ratio = np.column_stack([np.ones(count), rng.uniform(flattest, 1, (count, 2))])
    unit = library.volume[shape] * ratio.prod(axis=1)
    return Sizes(diameter, np.cbrt(np.pi / 6 * diameter**3 / unit), ratio, shape)


def ellipsoid_sphericity(ratio: np.ndarray) -> np.ndarray:
    """Sphericity of ellipsoids; area by Knud Thomsen's formula, within 1.1 %."""
    a, b, c = ratio.T**1.6075
    area = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075)
    sphere = 4 * np.pi * ratio.prod(axis=1) ** (2 / 3)
    return np.asarray(sphere / area)


def draw_slits(porosity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw two cracks through each particle that together open a fraction of its volume."""
    count = len(porosity)
    slits = np.zeros((count, 2, 8), np.float32)
    first = rng.uniform(0.5, 1, count)
    for number, part in enumerate((first, 1 - first)):
        area = _place_slits(slits[:, number], rng)
        slits[:, number, 4] = porosity * part * (4 / 3 * np.pi) / (2 * area)
    return slits


def draw_wide_slits(width: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one crack of a given width, of the unit sphere, through each particle.

    Every other one goes all through; give the cracks, and the fraction of the volume they open.
    """
    count = len(width)
    slits = np.zeros((count, 2, 8), np.float32)
    area = _place_slits(slits[:, 0], rng)
    through = np.arange(count) % 2 == 0
    slits[through, 0, 5:] = 0
    area = np.where(through, np.pi * (1 - slits[:, 0, 3].astype(float) ** 2), area)
    slits[:, 0, 4] = width / 2
    return slits, width * area / (4 / 3 * np.pi)


def _place_slits(slits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill in where cracks (n, 8) lie, but not how wide; give their areas."""
    turn = turned_to(directions(len(slits), rng), rng)
    offset = rng.uniform(-0.4, 0.4, len(slits))
    # The crack is a disc whose far segment, beyond END, stays closed.
    radius = np.sqrt(1 - offset**2)
    end = END / radius
    slits[:, :3] = turn[:, :, 0]
    slits[:, 3] = offset
    slits[:, 5:] = turn[:, :, 1]
    return np.asarray(radius**2 * (np.pi - np.arccos(end) + end * np.sqrt(1 - end**2)))


_LEAST_PARTICLES = 25
_DENSEST = 0.56  # of the spheres about particles; random packings jam near 0.64
# Room about them places particles more evenly than chance, and leaves electrolyte between them.
_ROOM = 1.06
_OWN_ROOM = 1.04  # of scattered particles, to spheres of their volume
_CAVITY = (0.25, 0.45)  # radius of a cavity to that of its particle
_DEAD_STEP = 0.25  # of Li content between a live and a dead cathode
_SCATTER = 0.02
_LEAST_CONTENT = 0.1
_DRIFT = (1.35, 6.0)  # particle diameters from the front
_APART = 4  # voxels between a drifted particle and what else there is
_TRIES = 400


@dataclass(frozen=True)
class Particles:
    """Particles numbered from 1, their gaps, and what is known of each (arrays of shape (n,))."""

    bodies: Bodies
    gaps: Bodies
    facts: dict[str, np.ndarray]


def draw_particles(
    layout: Layout,
    interfaces: Interfaces,
    state: State,
    *,
    fraction: float,
    d50_um: float,
    energy_kev: float,
    make: Make,
    seed: int,
) -> Particles:
    """Pack the cathode and let some particles drift into the electrolyte.

    Parameters
    ----------
    layout, interfaces, state
        The cell.
    fraction : float
        Volume fraction of NCM between the cathode's faces.
    d50_um : float
        Median diameter; the distribution is lognormal.
    energy_kev : float
        Photon energy.
    make : Make
        Shapes, sizes, and how they are packed.
    seed : int
        Seed of the cell.

    Raises
    ------
    ValueError
        If the particles do not fit, or there is room for a few only.
    """
    streams = [np.random.default_rng((seed, 2, k)) for k in range(7)]
    room = _room_um3(layout, interfaces)
    packed = filling_um(fraction * room, d50_um, streams[0], make.sizes)
    if len(packed) < _LEAST_PARTICLES:
        raise ValueError(
            f"the cathode has room for {len(packed)} particles of {d50_um:g} µm only; a cell needs "
            f"{_LEAST_PARTICLES}: take a larger shape or bore"
        )
    detached = lognormal_um(_drifted(layout, state), d50_um, streams[1])
    library = make.library()
    sizes = shaped(np.concatenate([packed, detached]), library, streams[2], make.flattest)
    attached = len(packed)
    domain = _domain(layout, interfaces.faces)
    if make.scattered:
        center, sizes = _scattered(sizes, attached, domain, streams[3])
    else:
        center, sizes = _pressed(sizes, attached, domain, room, fraction, streams[3])
    away = _drift(sizes.longest[attached:], layout, interfaces, d50_um, streams[4])
    return _finished(
        np.vstack([center, away]), sizes, attached, layout, interfaces, state, energy_kev,
        library, streams[5:],
    )  # fmt: skip


def _pressed(
    sizes: Sizes,
    attached: int,
    domain: Domain,
    room: float,
    fraction: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Sizes]:
    """Let the first particles push each other apart until they fit."""
    dense = float((4 / 3 * np.pi * sizes.longest[:attached] ** 3).sum()) / room
    if dense > _DENSEST:
        raise ValueError(
            f"a volume fraction of {fraction:g} cannot be packed: with the room that their shape "
            f"needs, particles would fill {dense:.2f}, more than {_DENSEST:g}; ask for at most "
            f"{fraction * _DENSEST / dense:.2f}"
        )
    room_factor = min(_ROOM, float(np.cbrt(_DENSEST / dense)))
    center, scale = pack_spheres(sizes.longest[:attached] * room_factor, domain, rng)
    rest = np.ones(len(sizes.diameter) - attached)
    return center, sizes.times(np.append(np.minimum(scale * room_factor, 1), rest))


def _scattered(
    sizes: Sizes, attached: int, domain: Domain, rng: np.random.Generator
) -> tuple[np.ndarray, Sizes]:
    """Put the first particles where chance wants them; corners may touch, and hardly overlap."""
    radii = _OWN_ROOM * 0.5 * sizes.diameter[:attached]
    return scatter_spheres(radii, domain, rng), sizes


def _room_um3(layout: Layout, interfaces: Interfaces) -> float:
    thickness = (interfaces.faces[4] - interfaces.faces[3])[interfaces.inside]
    return float(thickness.mean(dtype=np.float64)) * np.pi * layout.bore_radius_um**2


def _drifted(layout: Layout, state: State) -> int:
    area_mm2 = np.pi * layout.bore_radius_um**2 * 1e-6
    # A small cell shows at least two where the state has any.
    return max(round(state.drifted_per_mm2 * area_mm2), 2 if state.drifted_per_mm2 else 0)


def _domain(layout: Layout, faces: np.ndarray) -> Domain:
    y, x, slope_y, slope_x = (float(value) for value in layout.axis)
    axis = (y, x, slope_y, slope_x)
    return Domain(faces[3], faces[4], layout.voxel_um, axis, layout.bore_radius_um)


def _drift(
    radii: np.ndarray,
    layout: Layout,
    interfaces: Interfaces,
    d50_um: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Place detached particles in the electrolyte, more of them above a dead cathode."""
    kept = np.empty((0, 3))
    apart = _APART * layout.voxel_um
    faces = interfaces.faces
    start = np.array([layout.heights_um[2]])
    for radius in radii:
        for _ in range(_TRIES):
            point = in_bore(start, layout, radius + apart, rng)
            front, lithium, dead = (
                at(field, point, layout.voxel_um)[0]
                for field in (faces[3], faces[2], interfaces.dead)
            )
            farthest = min(_DRIFT[1] * d50_um, front - lithium - radius - apart)
            nearest = max(_DRIFT[0] * d50_um, radius + 0.75 * d50_um + apart)
            # A scattered few above a live cathode, several times more above a dead one.
            if farthest <= nearest or rng.random() > np.exp(8 * (dead - 0.7)):
                continue
            point[0, 0] = front - rng.uniform(nearest, farthest)
            between = np.linalg.norm(kept - point, axis=1) - radius - radii[: len(kept)]
            if (between > apart).all():
                kept = np.vstack([kept, point])
                break
        else:
            raise ValueError(
                f"the electrolyte is too thin for {len(radii)} particles that drifted; take more "
                "rows or another state"
            )
    return kept


def _finished(
    center: np.ndarray,
    sizes: Sizes,
    attached: int,
    layout: Layout,
    interfaces: Interfaces,
    state: State,
    energy_kev: float,
    library: FacetLibrary,
    streams: list[np.random.Generator],
) -> Particles:
    count, (rng, of_cracks) = len(center), streams
    front, back, dead = (
        at(field, center, layout.voxel_um)
        for field in (interfaces.faces[3], interfaces.faces[4], interfaces.dead)
    )
    depth = np.clip((center[:, 0] - front) / (back - front), 0, 1)
    lithium = _between(state.lithium_content, depth)
    scatter = rng.normal(0, _SCATTER, count)
    if state.lithium_content != (1.0, 1.0):
        lithium = np.clip(lithium - _DEAD_STEP * (dead - MEAN_DEAD) + scatter, _LEAST_CONTENT, 1)
    porosity = _between(state.crack_porosity, depth) * rng.uniform(0.5, 1.5, count)
    hollow = rng.random(count) < state.hollow
    cavity = np.where(hollow, rng.uniform(*_CAVITY, count), 0)
    gap = state.gap_um * rng.uniform(0.7, 1.3, count)
    half = sizes.longest[:, None] * sizes.ratio
    turn = rotations(count, rng)
    slits = draw_slits(porosity, rng)
    if state.cracked:
        cracked = np.flatnonzero(of_cracks.random(count) < state.cracked)
        width = of_cracks.uniform(*state.slit_um, cracked.size) / np.cbrt(
            half[cracked].prod(axis=1)
        )
        slits[cracked], porosity[cracked] = draw_wide_slits(width, of_cracks)
    bodies = replace(
        plain_bodies(PARTICLE, center, half, turn),
        facets=sizes.shape.astype(np.int16),
        number=np.arange(1, count + 1, dtype=np.uint32),
        mu=np.asarray(mu_per_cm("ncm811", energy_kev, lithium=lithium), np.float32),
        delta=np.asarray(delta("ncm811", energy_kev, lithium=lithium), np.float32),
        cavity=cavity.astype(np.float32),
        slits=slits,
    )
    # The particle sticks to its electrolyte on one side and opens a crescent on the other.
    gaps = plain_bodies(GAP, center + directions(count, rng) * gap[:, None], half, turn)
    none = np.empty(0, np.intp)
    solid = np.pi / 6 * sizes.diameter**3
    facts = {
        "equivalent_diameter_um": sizes.diameter,
        "outer_volume_um3": solid,
        "cavity_um3": 4 / 3 * np.pi * cavity**3 * half.prod(axis=1),
        "sphericity": library.sphericity[sizes.shape] * ellipsoid_sphericity(sizes.ratio),
        "li_content": lithium,
        "crack_porosity": porosity,
        "gap_um": gap,
        "dead": dead,
        "released": np.arange(count) >= attached,
    }
    return Particles(bodies, gaps if state.gap_um else gaps[none], facts)


def _between(ends: tuple[float, float], depth: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * depth
