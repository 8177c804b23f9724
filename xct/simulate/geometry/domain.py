"""What is simulated: materials in a rectangle, as levels that are positive inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from xct.simulate.geometry.pieces import Pieces
from xct.simulate.mesh.cutting import Level


class Material(IntEnum):
    """What a triangle is made of."""

    ELECTROLYTE = 0
    LITHIUM = 1
    PARTICLE = 2
    VOID = 3
    STEEL = 4


@dataclass(frozen=True)
class Frame:
    """Where a plane lies in a volume.

    Attributes
    ----------
    along : {"x", "y"}
        Direction across.
    plane_um : float
        Position along the other direction, µm from the middle of voxel 0.
    across_um, z_um : float
        Position of the lower left corner.
    sign : int
        1 where z grows with the height, −1 where it falls.
    edge_um : float
        Edge of a voxel across the plane.
    """

    along: str
    plane_um: float
    across_um: float
    z_um: float
    sign: int
    edge_um: float = 1.0

    def volume_um(self, points: np.ndarray) -> np.ndarray:
        """Give z, y and x of points (…, 2), µm, shape (…, 3)."""
        across = self.across_um + points[..., 0]
        z = self.z_um + self.sign * points[..., 1]
        plane = np.full_like(across, self.plane_um)
        pair = (plane, across) if self.along == "x" else (across, plane)
        return np.stack([z, *pair], axis=-1)


ELECTRODES = (Material.LITHIUM, Material.STEEL)  # lithium is plated on both


@dataclass(frozen=True)
class Domain:
    """A part of a cell, the anode on top: x from 0 across, y from 0 at the cathode's end, µm.

    Attributes
    ----------
    name : str
        What it is, for titles.
    width_um, height_um : float
        The rectangle.
    levels : sequence of (Material, Level)
        In the order in which they are cut out of the electrolyte.
    distance_um : callable
        Distance of points from the nearest boundary, for the size of triangles.
    particle_at : callable
        Number of the particle at points, from 1.
    centers_um : mapping of int to ndarray, shape (2,)
        Middle of each particle, by number.
    composite_um : float
        Height up to which the electrolyte is that of the composite cathode.
    detail_um : callable, optional
        Largest triangle at points where more is needed than at a boundary.
    finest_um : float, optional
        `boundary_um` that `detail_um` was made for.
    frame : Frame, optional
        Where it lies in a volume; None for an ideal cell.
    voxel_um : float
        Largest edge of a labelled voxel; 0 for an ideal cell.
    pieces : mapping of Material to Pieces
        Those of labelled materials that keep their area.
    labelled_um2 : mapping of Material to float
        Area of materials in the labels, before boundaries were smoothed.
    density : callable, optional
        Density of the electrolyte at points, over that of which κ is known; None where it is the
        same everywhere.
    notes : sequence of str
        What must be known of it.
    """

    name: str
    width_um: float
    height_um: float
    levels: Sequence[tuple[Material, Level]]
    distance_um: Callable[[np.ndarray], np.ndarray]
    particle_at: Callable[[np.ndarray], np.ndarray]
    centers_um: dict[int, np.ndarray]
    composite_um: float
    detail_um: Callable[[np.ndarray], np.ndarray] | None = None
    finest_um: float = 0.0
    frame: Frame | None = None
    voxel_um: float = 0.0
    pieces: dict[Material, Pieces] = field(default_factory=dict)
    labelled_um2: dict[Material, float] = field(default_factory=dict)
    density: Level | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def level(self, material: Material) -> Level | None:
        """Give the level of a material, or None where there is none of it."""
        return dict(self.levels).get(material)
