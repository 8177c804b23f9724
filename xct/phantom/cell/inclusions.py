"""Chips, cracks, filaments, gaps in the electrolyte. In: interfaces, a state; out: ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.phantom.cell.bodies import (
    FILAMENT,
    LITHIUM_CHIP,
    VOID_CHIP,
    Bodies,
    directions,
    joined,
    plain_bodies,
    turned_to,
)
from xct.phantom.cell.interfaces import Interfaces
from xct.phantom.cell.layout import Layout, at, in_bore
from xct.phantom.cell.states import State

_CHIP_THICKNESS_UM, _CHIP_WIDTH_UM = (5.0, 15.0), (40.0, 150.0)
_CRACK_THICKNESS_UM, _CRACK_WIDTH_UM = (1.0, 4.0), (15.0, 60.0)
_MOST_WIDTH = 0.5  # of a chip, to the bore's radius
_MOST_CRACK = 0.3  # of a crack's width, to the electrolyte's thickness
# Chips lie flat and near the anode, cracks anywhere.
_CHIP_TILT, _CHIP_DEPTH = 0.3, 0.25
_CRACK_TILT = 2.0
_FROM_LITHIUM, _FROM_FRONT = 2, 4  # voxels that stay between
_FILAMENT_UM, _BENDING, _CLIMBING = (6.0, 10.0), 0.3, 0.12
_STEP = 0.3  # of its thickness, between the spheres of a filament
_INTO_CATHODE_UM = 8.0
_APART_UM = 20.0  # of a filament from another, and from drifted particles
_TRIES = 200
_GAP_UM, _GAP_WIDTH_UM = (3.0, 8.0), (40.0, 120.0)  # of a lens that came off the lithium


@dataclass(frozen=True)
class Inclusions:
    """Bodies, and what is known about each inclusion (arrays of shape (n,)), numbered from 1.

    The number of a body is that of the inclusion of which it is a part.
    """

    bodies: Bodies
    facts: dict[str, np.ndarray]


def draw_inclusions(
    layout: Layout, interfaces: Interfaces, state: State, seed: int, away_from: np.ndarray
) -> Inclusions:
    """Place chips of lithium (or void), cracks, filaments and gaps in the electrolyte.

    Filaments keep away from the points `away_from`, shape (n, 3): drifted particles.
    """
    chip_rng, crack_rng = (np.random.default_rng((seed, 3, k)) for k in range(2))
    faces = interfaces.faces
    # Of the layout, not of these faces: twins have the same chips and cracks.
    steel, lithium, front = layout.heights_um[:3]
    thickness = front - lithium + state.lithium_lost * (lithium - steel)
    volume = thickness * np.pi * layout.bore_radius_um**2
    sizes = _chip_sizes(state.chips * volume, layout, chip_rng)
    count = round(state.cracks_per_mm3 * volume * 1e-9)
    wide = np.minimum(crack_rng.uniform(*_CRACK_WIDTH_UM, (count, 2)), _MOST_CRACK * thickness)
    flat = np.column_stack([crack_rng.uniform(*_CRACK_THICKNESS_UM, count), wide])
    depth = np.minimum(-_CHIP_DEPTH * np.log(chip_rng.random(len(sizes))), 1)
    kind = VOID_CHIP if state.voids else LITHIUM_CHIP
    bodies = joined(
        _placed(flat, VOID_CHIP, crack_rng.random(count), _CRACK_TILT, layout, faces, crack_rng),
        _placed(sizes, kind, depth, _CHIP_TILT, layout, faces, chip_rng),
    )
    bodies.number[:] = np.arange(1, len(bodies) + 1)
    both = np.concatenate([flat, sizes])
    kinds = np.repeat(["crack", "chip"], [len(flat), len(sizes)])
    found = Inclusions(bodies, _facts(kinds, bodies.center, both, kind == LITHIUM_CHIP))
    wires, gaps = (np.random.default_rng((seed, 3, k)) for k in (2, 3))
    count = round(state.filaments_per_mm2 * np.pi * (1e-3 * layout.bore_radius_um) ** 2)
    count = max(count, 3 if state.filaments_per_mm2 else 0)
    clear = np.asarray(away_from, float).reshape(-1, 3)
    for number in range(count):
        wire, clear = _filament(number, layout, faces, clear, wires)
        found = _with(found, *wire)
    wanted = state.gap_area * np.pi * layout.bore_radius_um**2
    while wanted > 0:
        gap, area = _gap(layout, faces, gaps)
        found, wanted = _with(found, *gap), wanted - area
    return found


def _facts(
    kind: np.ndarray, center: np.ndarray, sizes: np.ndarray, chips_are_lithium: bool
) -> dict[str, np.ndarray]:
    """Give what is known of ellipsoids with three axes, the shortest first."""
    return {
        "kind": np.asarray(kind, "<U8"),
        "center": center,
        "volume_um3": np.pi / 6 * sizes.prod(axis=1),
        "thickness_um": sizes[:, 0],
        "width_um": sizes[:, 1:].max(axis=1, initial=0),
        "length_um": np.full(len(sizes), np.nan),
        "tortuosity": np.full(len(sizes), np.nan),
        "class": np.full(len(sizes), "enclosed", "<U10"),
        "lithium": (kind == "chip") & chips_are_lithium,
    }


def _with(found: Inclusions, bodies: Bodies, facts: dict[str, np.ndarray]) -> Inclusions:
    """Add one inclusion that may be made of several bodies."""
    bodies.number[:] = len(found.facts["kind"]) + 1
    both = {name: np.concatenate([found.facts[name], facts[name]]) for name in facts}
    return Inclusions(joined(found.bodies, bodies), both)


def _filament(
    number: int, layout: Layout, faces: np.ndarray, clear: np.ndarray, rng: np.random.Generator
) -> tuple[tuple[Bodies, dict[str, np.ndarray]], np.ndarray]:
    """Grow a filament by steps that bend, and climb towards the cathode."""
    thick = rng.uniform(*_FILAMENT_UM)
    for _ in range(_TRIES):
        path = _path(number, thick, layout, faces, rng)
        away = np.linalg.norm(path[:, None] - clear[None], axis=2)
        if away.min(initial=np.inf) > _APART_UM + thick and len(path) > 3:
            break
    low, front = (at(faces[k], path, layout.voxel_um) for k in (2, 3))
    between = path[(path[:, 0] >= low) & (path[:, 0] <= front)]
    length = float(np.linalg.norm(np.diff(between, axis=0), axis=1).sum())
    straight = float(np.linalg.norm(between[-1] - between[0]))
    half = np.full((len(path), 3), thick / 2)
    facts = _facts(np.array(["filament"]), between.mean(axis=0)[None], 2 * half[:1], True)
    facts |= {
        "volume_um3": np.array([np.pi / 4 * thick**2 * length]),
        "width_um": np.array([straight]),
        "length_um": np.array([length]),
        "tortuosity": np.array([length / straight]),
        "class": np.array([("bridging", "at_lithium", "enclosed")[number % 3]]),
        "lithium": np.array([True]),
    }
    return (plain_bodies(FILAMENT, path, half), facts), np.vstack([clear, path])


def _path(
    number: int, thick: float, layout: Layout, faces: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give points of a filament's middle, shape (point, 3)."""
    middle = np.array([layout.heights_um[1]])
    point = in_bore(middle, layout, 0.4 * layout.bore_radius_um, rng)[0]
    lithium, front = (float(at(faces[k], point[None], layout.voxel_um)[0]) for k in (2, 3))
    thickness = front - lithium
    point[0] = lithium + (0.25 * thickness if number % 3 == 2 else -0.5 * thick)
    stop = lithium + (0.6 if number % 3 else 2.0) * thickness
    towards, points = np.array([1.0, 0.0, 0.0]), [point]
    while point[0] < min(stop, front + _INTO_CATHODE_UM):
        towards = towards + _BENDING * directions(1, rng)[0] + (_CLIMBING, 0, 0)
        towards[0] = max(towards[0], 0.1)
        towards /= np.linalg.norm(towards)
        point = point + _STEP * thick * towards
        front = float(at(faces[3], point[None], layout.voxel_um)[0])
        points.append(point)
    return np.array(points)


def _gap(
    layout: Layout, faces: np.ndarray, rng: np.random.Generator
) -> tuple[tuple[Bodies, dict[str, np.ndarray]], float]:
    """Open a void between lithium and electrolyte, which it takes half of a lens from."""
    wide = np.minimum(rng.uniform(*_GAP_WIDTH_UM, 2), 0.5 * layout.bore_radius_um)
    size = np.array([[2 * rng.uniform(*_GAP_UM), *wide]])
    middle = np.array([layout.heights_um[1]])
    point = in_bore(middle, layout, 0.5 * wide.max(), rng)
    point[:, 0] = at(faces[2], point, layout.voxel_um)
    facts = _facts(np.array(["gap"]), point, size, False)
    facts["volume_um3"] /= 2
    facts["thickness_um"] /= 2
    facts["class"] = np.array(["at_lithium"])
    return (plain_bodies(VOID_CHIP, point, size / 2), facts), float(np.pi / 4 * wide.prod())


def _chip_sizes(volume_um3: float, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Draw thickness and two widths of chips until their volume is as wanted, shape (n, 3)."""
    sizes = np.empty((0, 3))
    while np.pi / 6 * sizes.prod(axis=1).sum() < volume_um3:
        chip = np.array([[rng.uniform(*_CHIP_THICKNESS_UM), *rng.uniform(*_CHIP_WIDTH_UM, 2)]])
        chip[0, 1:] = np.minimum(chip[0, 1:], _MOST_WIDTH * layout.bore_radius_um)
        sizes = np.vstack([sizes, chip])
    if len(sizes):
        sizes *= np.cbrt(volume_um3 / (np.pi / 6 * sizes.prod(axis=1).sum()))
    return sizes


def _placed(
    sizes: np.ndarray,
    kind: int,
    depth: np.ndarray,
    tilt: float,
    layout: Layout,
    faces: np.ndarray,
    rng: np.random.Generator,
) -> Bodies:
    """Place flat ellipsoids at fractions of the electrolyte's depth, first axis roughly along z."""
    count = len(sizes)
    normal = np.column_stack([np.ones(count), rng.normal(0, tilt, (count, 2))])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    turn = turned_to(normal, rng)
    half = sizes / 2
    extent = np.sqrt(((turn[:, 0, :] * half) ** 2).sum(axis=1))
    widest = half.max(axis=1, initial=0)
    point = in_bore(np.full(count, layout.heights_um[1]), layout, widest, rng)
    low = at(faces[2], point, layout.voxel_um) + extent + _FROM_LITHIUM * layout.voxel_um
    high = at(faces[3], point, layout.voxel_um) - extent - _FROM_FRONT * layout.voxel_um
    point[:, 0] = low + depth * np.maximum(high - low, 0)
    return plain_bodies(kind, point, half, turn)
