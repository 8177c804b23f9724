"""Rough faces, eaten lithium, dead cathode. In: a layout and a state; out: maps (y, x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.phantom.fields import correlated, detrended, gaussian_field, standardized
from xct.phantom.layout import Layout
from xct.phantom.states import State

# Sq and correlation length (µm) of faces that cycling does not change.
_STEEL = (0.5, 50.0)
_COLLECTOR = (1.0, 40.0)
_FRONT_LENGTH_UM = 30.0
_ANODE_LENGTH_UM = 40.0
_PATCH_LENGTH_UM = 120.0
_MOST_SQ = 0.3  # of the layer's mean thickness: a thin layer cannot be rougher
_EDGE = 0.3  # steepness of a patch's edge, in sd of the field that it is cut from
MEAN_DEAD, _SD_DEAD = 0.4, 0.12


@dataclass(frozen=True)
class Interfaces:
    """Faces and maps over the voxels, shape (y, x), lengths in µm.

    Attributes
    ----------
    faces : ndarray of float32, shape (6, y, x)
        Steel, void above it, lithium's top, the cathode's filling, collector, steel.
    lithium_um : ndarray of float32
        Thickness of lithium.
    eaten_um : ndarray of float32
        What the pristine layer had more.
    dead : ndarray of float32
        Share of the cathode that takes no part.
    inside : ndarray of bool
        In the bore.
    """

    faces: np.ndarray
    lithium_um: np.ndarray
    eaten_um: np.ndarray
    dead: np.ndarray
    inside: np.ndarray


def draw_interfaces(layout: Layout, state: State, seed: int) -> Interfaces:
    """Draw the faces and maps of a cell; equal seeds share all fields between states."""
    inside = layout.in_bore()
    streams = iter(np.random.default_rng((seed, 1, k)) for k in range(10))

    def field(length_um: float, *, flat: bool = False) -> np.ndarray:
        # A small bore has room for short waves only.
        length = min(length_um, layout.bore_radius_um / 3)
        drawn = gaussian_field(layout.shape[1:], max(length / layout.voxel_um, 0.5), next(streams))
        return standardized(detrended(drawn, inside) if flat else drawn, inside)

    steel = layout.plane_um(0) + _STEEL[0] * field(_STEEL[1], flat=True)
    rough = field(_ANODE_LENGTH_UM, flat=True)
    patches = field(_PATCH_LENGTH_UM)
    front = layout.plane_um(2) + np.float32(state.front_sq_um) * field(_FRONT_LENGTH_UM, flat=True)
    collector = layout.plane_um(3) + _COLLECTOR[0] * field(_COLLECTOR[1], flat=True)
    pin = layout.plane_um(4) + _STEEL[0] * field(_STEEL[1], flat=True)
    other = field(_PATCH_LENGTH_UM)
    pristine = np.maximum(layout.plane_um(1) + 3 * rough - steel, 2 * layout.voxel_um)
    lithium, void = _lithium(pristine, rough, patches, state, inside)
    eaten = np.where(inside, pristine - lithium, 0).astype(np.float32)
    dead = np.zeros_like(eaten)
    if state.correlation is not None:
        mixed = correlated(state.correlation, eaten, other, inside)
        dead = np.clip(MEAN_DEAD + _SD_DEAD * mixed, 0, 1)
    top = steel + np.where(lithium > 0, lithium, void)
    faces = np.stack([steel, steel + void, top, front, collector, pin]).astype(np.float32)
    faces[1] = np.minimum(faces[1], faces[2])
    return Interfaces(faces, lithium, eaten, dead.astype(np.float32), inside)


def _lithium(
    pristine: np.ndarray,
    rough: np.ndarray,
    patches: np.ndarray,
    state: State,
    inside: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the thickness of lithium, and of the void where it is gone."""
    mean = float(pristine[inside].mean()) * (1 - state.lithium_lost)
    zero = np.zeros_like(pristine)
    if state.lithium_lost == 0:
        return pristine, zero
    present = mean / (1 - 0.9 * state.absent_area)
    sq = min(state.anode_sq_um, _MOST_SQ * present)
    full = np.maximum(present + np.float32(sq) * rough, 0.2 * present)
    kept, void = np.ones_like(pristine), zero
    if state.absent_area > 0:
        limit = np.quantile(patches[inside], 1 - state.absent_area)
        kept = np.sqrt(np.clip((limit - patches) / _EDGE, 0, 1))
        if state.voids:
            void = 0.6 * mean * np.sqrt(np.clip((patches - limit) / _EDGE, 0, 1))
    thickness = full * kept
    thickness *= mean / thickness[inside].mean()
    return thickness.astype(np.float32), void.astype(np.float32)
