"""Chips and cracks in the electrolyte. In: interfaces and a state; out: flat ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.phantom.cell.bodies import LITHIUM_CHIP, VOID_CHIP, Bodies, joined, plain_bodies, turned_to
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


@dataclass(frozen=True)
class Inclusions:
    """Bodies, numbered from 1, and what is known about each (arrays of shape (n,))."""

    bodies: Bodies
    facts: dict[str, np.ndarray]


def draw_inclusions(layout: Layout, interfaces: Interfaces, state: State, seed: int) -> Inclusions:
    """Place chips of lithium (or void) and cracks in the electrolyte."""
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
    return Inclusions(
        bodies,
        {
            "kind": np.repeat(["crack", "chip"], [len(flat), len(sizes)]),
            "volume_um3": np.pi / 6 * both.prod(axis=1),
            "thickness_um": both[:, 0],
            "width_um": both[:, 1:].max(axis=1, initial=0),
        },
    )


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
