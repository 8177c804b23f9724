"""What is simulated: materials in a rectangle, as levels that are positive inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from xct.simulate.mesh.cutting import Level


class Material(IntEnum):
    """What a triangle is made of."""

    ELECTROLYTE = 0
    LITHIUM = 1
    PARTICLE = 2
    VOID = 3
    STEEL = 4


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
    plane_um : float
        Where the plane lies along the direction that it does not show.
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
    plane_um: float = 0.0
    notes: Sequence[str] = field(default_factory=tuple)

    def level(self, material: Material) -> Level | None:
        """Give the level of a material, or None where there is none of it."""
        return dict(self.levels).get(material)
