"""What is inside the layers. In: interfaces and a state; out: particles, gaps, chips, cracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.phantom.bodies import (
    GAP,
    LITHIUM_CHIP,
    PARTICLE,
    SHAPES,
    VOID_CHIP,
    Bodies,
    directions,
    joined,
    plain_bodies,
    rotations,
    turned_to,
)
from xct.phantom.interfaces import Interfaces
from xct.phantom.layout import Layout
from xct.phantom.materials import delta, mu_per_cm
from xct.phantom.packing import Domain, pack_spheres
from xct.phantom.raster import END
from xct.phantom.states import State

SIGMA_G = 1.35
DIAMETERS_UM = (3.0, 18.0)
_FLATTEST = 0.90  # of a particle's half axes, to its longest
_DENSEST = 0.56  # of the spheres about particles; random packings jam near 0.64
_ELBOW = 1.06
_CAVITIES = 0.15
_CAVITY = (0.25, 0.45)
_DEAD_STEP = 0.25  # of Li content between a live and a dead cathode
_SCATTER = 0.02
_DRIFT = (1.35, 6.0)  # particle diameters from the front


@dataclass(frozen=True)
class Particles:
    """Particles: bodies, and what is known about each (arrays of shape (n,))."""

    bodies: Bodies
    gaps: Bodies
    facts: dict[str, np.ndarray]


def _diameters(count: int, d50_um: float, rng: np.random.Generator) -> np.ndarray:
    found = np.empty(0)
    while len(found) < count:
        drawn = d50_um * SIGMA_G ** rng.standard_normal(count + 50)
        found = np.append(found, drawn[(drawn > DIAMETERS_UM[0]) & (drawn < DIAMETERS_UM[1])])
    return found[:count]


def _enough(volume_um3: float, d50_um: float, rng: np.random.Generator) -> np.ndarray:
    """Draw diameters until their volumes add up."""
    mean = np.pi / 6 * d50_um**3 * np.exp(4.5 * np.log(SIGMA_G) ** 2)
    drawn = _diameters(int(1.3 * volume_um3 / mean) + 100, d50_um, rng)
    filled = np.cumsum(np.pi / 6 * drawn**3)
    count = int(np.searchsorted(filled, volume_um3)) + 1
    return drawn[:count]


def draw_particles(
    layout: Layout,
    interfaces: Interfaces,
    state: State,
    *,
    fraction: float,
    d50_um: float,
    energy_kev: float,
    library: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> Particles:
    """Pack the cathode and let some particles drift into the electrolyte.

    Raises
    ------
    ValueError
        If the particles do not fit.
    """
    streams = [np.random.default_rng((seed, 2, k)) for k in range(6)]
    faces, inside = interfaces.faces, interfaces.inside
    area = layout.voxel_um**2
    room = float((faces[4] - faces[3])[inside].sum(dtype=np.float64)) * area
    room *= np.pi * layout.bore_radius_um**2 / max(area * inside.sum(), 1e-9)
    packed = _enough(fraction * room, d50_um, streams[0])
    if len(packed) < 25:
        raise ValueError(
            f"the cathode has room for {len(packed)} particles of {d50_um:g} µm only; a cell needs "
            "25: take a larger shape or bore"
        )
    drifted = round(state.drifted_per_mm2 * np.pi * layout.bore_radius_um**2 * 1e-6)
    if state.drifted_per_mm2:
        drifted = max(drifted, 2)
    loose = _diameters(drifted, d50_um, streams[1])
    size = np.concatenate([packed, loose])
    shape = streams[2].integers(0, SHAPES, len(size))
    ratio = np.column_stack([np.ones(len(size)), streams[2].uniform(_FLATTEST, 1, (len(size), 2))])
    longest = np.cbrt(np.pi / 6 * size**3 / (library[1][shape] * ratio.prod(axis=1)))
    dense = float((4 / 3 * np.pi * longest[: len(packed)] ** 3).sum()) / room
    if dense > _DENSEST:
        raise ValueError(
            f"a volume fraction of {fraction:g} cannot be packed: with the room that their shape "
            f"needs, particles would fill {dense:.2f}, more than {_DENSEST:g}; ask for at most "
            f"{fraction * _DENSEST / dense:.2f}"
        )
    # Elbow room spreads them more evenly than chance would, and leaves electrolyte between them.
    room = min(_ELBOW, float(np.cbrt(_DENSEST / dense)))
    center, scale = pack_spheres(longest[: len(packed)] * room, _domain(layout, faces), streams[3])
    scale = np.minimum(scale * room, 1)
    away = _drift(longest[len(packed) :], layout, interfaces, d50_um, streams[4])
    center = np.vstack([center, away])
    scale = np.append(scale, np.ones(len(away)))
    size, longest = size[: len(center)] * scale, longest[: len(center)] * scale
    return _finish(
        center, size, longest, ratio[: len(center)], shape[: len(center)], len(packed),
        layout, interfaces, state, energy_kev, streams[5],
    )  # fmt: skip


def _domain(layout: Layout, faces: np.ndarray) -> Domain:
    axis = (float(layout.axis[0]), float(layout.axis[1]), float(layout.axis[2]),
            float(layout.axis[3]))  # fmt: skip
    return Domain(faces[3], faces[4], layout.voxel_um, axis, layout.bore_radius_um)


def at(field: np.ndarray, center: np.ndarray, voxel_um: float) -> np.ndarray:
    """Read a map (y, x) at the columns of points (n, 3)."""
    row, column = (
        np.clip(np.rint(center[:, k + 1] / voxel_um).astype(int), 0, field.shape[k] - 1)
        for k in range(2)
    )
    values: np.ndarray = field[row, column].astype(np.float64)
    return values


def in_disc(
    count: int, layout: Layout, z_um: np.ndarray, margin_um: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw points evenly over the bore at given heights, shape (count, 3)."""
    radius = np.maximum(layout.bore_radius_um - margin_um, 0) * np.sqrt(rng.random(count))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    y = layout.axis[0] + layout.axis[2] * z_um + radius * np.sin(azimuth)
    x = layout.axis[1] + layout.axis[3] * z_um + radius * np.cos(azimuth)
    return np.column_stack([z_um, y, x])


def _drift(
    radii: np.ndarray,
    layout: Layout,
    interfaces: Interfaces,
    d50_um: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Place loose particles in the electrolyte, more of them above a dead cathode."""
    kept = np.empty((0, 3))
    apart = 4 * layout.voxel_um
    for radius in radii:
        for _ in range(200):
            z = np.array([layout.heights_um[2]])
            point = in_disc(1, layout, z, np.array([radius + apart]), rng)
            lowest = at(interfaces.faces[2], point, layout.voxel_um)[0] + radius + apart
            front = at(interfaces.faces[3], point, layout.voxel_um)[0]
            farthest = min(_DRIFT[1] * d50_um, front - lowest)
            nearest = max(_DRIFT[0] * d50_um, radius + 0.75 * d50_um + apart)
            dead = at(interfaces.dead, point, layout.voxel_um)[0]
            if farthest <= nearest or rng.random() > np.exp(8 * (dead - 0.7)):
                continue
            point[0, 0] = front - rng.uniform(nearest, farthest)
            gaps = np.linalg.norm(kept - point, axis=1) - radius - radii[: len(kept)]
            if (gaps > apart).all():
                kept = np.vstack([kept, point])
                break
        else:
            raise ValueError(
                "the electrolyte is too thin for particles that drifted; take more rows"
            )
    return kept


def _finish(
    center: np.ndarray,
    size: np.ndarray,
    longest: np.ndarray,
    ratio: np.ndarray,
    shape: np.ndarray,
    attached: int,
    layout: Layout,
    interfaces: Interfaces,
    state: State,
    energy_kev: float,
    rng: np.random.Generator,
) -> Particles:
    count = len(center)
    front = at(interfaces.faces[3], center, layout.voxel_um)
    back = at(interfaces.faces[4], center, layout.voxel_um)
    share = np.clip((center[:, 0] - front) / (back - front), 0, 1)
    dead = at(interfaces.dead, center, layout.voxel_um)
    lithium = _between(state.lithium_content, share)
    scatter = rng.normal(0, _SCATTER, count)
    if state.lithium_content != (1.0, 1.0):
        lithium = np.clip(lithium - _DEAD_STEP * (dead - 0.4) + scatter, 0.1, 1)
    mean_porosity = _between(state.crack_porosity, share)
    porosity = mean_porosity * rng.uniform(0.5, 1.5, count)
    hollow = rng.random(count) < _CAVITIES
    cavity = np.where(hollow, rng.uniform(*_CAVITY, count), 0)
    gap = state.gap_um * rng.uniform(0.7, 1.3, count)
    turn = rotations(count, rng)
    bodies = plain_bodies(PARTICLE, center, longest[:, None] * ratio, turn)
    bodies = Bodies(
        **{
            **vars(bodies),
            "facets": shape.astype(np.int16),
            "number": np.arange(1, count + 1, dtype=np.uint32),
            "mu": np.asarray(mu_per_cm("ncm811", energy_kev, lithium=lithium), np.float32),
            "delta": np.asarray(delta("ncm811", energy_kev, lithium=lithium), np.float32),
            "cavity": cavity.astype(np.float32),
            "slits": _slits(porosity, rng),
        }
    )
    shift = directions(count, rng) * gap[:, None]
    gaps = plain_bodies(GAP, center + shift, longest[:, None] * ratio, turn)
    if state.gap_um == 0:
        gaps = gaps[np.empty(0, np.intp)]
    facts = {
        "equivalent_diameter_um": size,
        "volume_um3": np.pi / 6 * size**3,
        "li_content": lithium,
        "cavity_um3": 4 / 3 * np.pi * cavity**3 * longest**3 * ratio.prod(axis=1),
        "crack_porosity": porosity,
        "gap_um": gap,
        "dead": dead,
        "released": np.arange(count) >= attached,
    }
    return Particles(bodies, gaps, facts)


def _slits(porosity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw two cracks through each particle that together open a share of its volume."""
    count = len(porosity)
    slits = np.zeros((count, 2, 8), np.float32)
    first = rng.uniform(0.5, 1, count)
    for number, share in enumerate((first, 1 - first)):
        turn = turned_to(directions(count, rng), rng)
        off = rng.uniform(-0.4, 0.4, count)
        # The crack is a disc whose far segment, beyond END, stays closed.
        radius = np.sqrt(1 - off**2)
        end = END / radius
        area = radius**2 * (np.pi - np.arccos(end) + end * np.sqrt(1 - end**2))
        slits[:, number, :3] = turn[:, :, 0]
        slits[:, number, 3] = off
        slits[:, number, 4] = porosity * share * (4 / 3 * np.pi) / (2 * area)
        slits[:, number, 5:] = turn[:, :, 1]
    return slits


def _between(ends: tuple[float, float], share: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * share


def draw_inclusions(
    layout: Layout, interfaces: Interfaces, state: State, seed: int
) -> tuple[Bodies, dict[str, np.ndarray]]:
    """Place chips of lithium (or void) and cracks in the electrolyte.

    Returns
    -------
    bodies : Bodies
        Chips and cracks.
    facts : dict of ndarray
        ``kind``, ``thickness_um``, ``volume_um3`` and ``width_um`` of each.
    """
    faces, inside = interfaces.faces, interfaces.inside
    thick = (faces[3] - faces[2])[inside]
    volume = float(thick.mean()) * np.pi * layout.bore_radius_um**2
    rng_chips, rng_cracks = (np.random.default_rng((seed, 3, k)) for k in range(2))
    chips = _chip_sizes(state.chips * volume, layout, rng_chips)
    cracks = round(state.cracks_per_mm3 * volume * 1e-9)
    flat = np.column_stack(
        [rng_cracks.uniform(1, 4, cracks), *rng_cracks.uniform(15, 60, (2, cracks))]
    )
    flat[:, 1:] = np.minimum(flat[:, 1:], 0.3 * float(thick.mean()))
    parts = []
    chip = VOID_CHIP if state.voids else LITHIUM_CHIP
    for sizes, kind, near, tilt, rng in (
        (flat, VOID_CHIP, 2.0, 2.0, rng_cracks),
        (chips, chip, 0.25, 0.3, rng_chips),
    ):
        parts.append(_placed(sizes, kind, near, tilt, layout, interfaces, rng))
    bodies = joined(parts[0], parts[1])
    half = 1 / np.linalg.norm(bodies.to_unit.astype(np.float64), axis=2)
    facts: dict[str, Any] = {
        "kind": np.where(np.arange(len(bodies)) < len(flat), "crack", "chip"),
        "thickness_um": 2 * half[:, 0],
        "width_um": 2 * half[:, 1:].max(axis=1, initial=0),
        "volume_um3": 4 / 3 * np.pi * half.prod(axis=1),
    }
    return bodies, facts


def _chip_sizes(volume_um3: float, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Draw thickness and two widths of chips until their volume is as wanted."""
    sizes = np.empty((0, 3))
    while np.pi / 6 * sizes.prod(axis=1).sum() < volume_um3:
        chip = np.array([[rng.uniform(5, 15), *rng.uniform(40, 150, 2)]])
        chip[0, 1:] = np.minimum(chip[0, 1:], 0.5 * layout.bore_radius_um)
        sizes = np.vstack([sizes, chip])
    if len(sizes):
        sizes *= np.cbrt(volume_um3 / (np.pi / 6 * sizes.prod(axis=1).sum()))
    return sizes


def _placed(
    sizes: np.ndarray,
    kind: int,
    near: float,
    tilt: float,
    layout: Layout,
    interfaces: Interfaces,
    rng: np.random.Generator,
) -> Bodies:
    """Place flat ellipsoids inside the electrolyte; `near` is how far from the anode."""
    count = len(sizes)
    normal = np.column_stack([np.ones(count), rng.normal(0, tilt, (count, 2))])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    turn = turned_to(normal, rng)
    half = sizes / 2
    extent = np.sqrt(((turn[:, 0, :] * half) ** 2).sum(axis=1))
    wide = half.max(axis=1, initial=0)
    point = in_disc(count, layout, np.full(count, layout.heights_um[1]), wide, rng)
    low = at(interfaces.faces[2], point, layout.voxel_um) + extent + 2 * layout.voxel_um
    high = at(interfaces.faces[3], point, layout.voxel_um) - extent - 4 * layout.voxel_um
    depth = np.minimum(-near * np.log(rng.random(count)), 1) if near < 1 else rng.random(count)
    point[:, 0] = low + depth * np.maximum(high - low, 0)
    return plain_bodies(kind, point, half, turn)
