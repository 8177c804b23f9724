"""The ideal cell of the study. In: a few lengths; out: its materials as levels.

Lithium above, electrolyte, and particles in rows below (Zheng et al., Sci. Bull. 2023,
doi 10.1016/j.scib.2023.03.021, Fig. 4c–f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xct.simulate.geometry.domain import Domain, Material
from xct.simulate.mesh.cutting import Level

Inactive = Literal["none", "center", "sides"]


@dataclass(frozen=True)
class IdealCell:
    """Lengths of the ideal cell, µm; the defaults are those of the study.

    Attributes
    ----------
    width_um, height_um : float
        The cell.
    lithium_um : float
        Height of the flat lithium's face.
    particle_um, pitch_um : float
        Diameter of a particle, and the distance from one to the next.
    first_row_um : float
        Height of the lowest row's middles.
    rows, columns : int
        How many particles; none of them where one is 0.
    """

    width_um: float = 420.0
    height_um: float = 250.0
    lithium_um: float = 175.0
    particle_um: float = 10.0
    pitch_um: float = 15.0
    first_row_um: float = 7.5
    rows: int = 5
    columns: int = 28

    @property
    def centers_um(self) -> np.ndarray:
        """Middles of the particles, row after row from below, shape (particle, 2)."""
        x = self.width_um / 2 + (np.arange(self.columns) - (self.columns - 1) / 2) * self.pitch_um
        y = self.first_row_um + np.arange(self.rows) * self.pitch_um
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    @property
    def composite_um(self) -> float:
        """Height of the composite cathode: half a pitch above the highest row."""
        if not self.rows * self.columns:
            return 0.0
        return self.first_row_um + (self.rows - 0.5) * self.pitch_um


@dataclass(frozen=True)
class Deposit:
    """Lithium that has grown into the electrolyte: half an ellipse on the flat face.

    Attributes
    ----------
    height_um : float
        How far it reaches.
    half_width_um : float
        Half its width at the flat face.
    center_um : float
        Where it is, across.
    """

    height_um: float
    half_width_um: float
    center_um: float


def inactive_particles(cell: IdealCell, which: Inactive) -> frozenset[int]:
    """List the particles of the middle third of the width, or of both outer thirds."""
    if which == "none":
        return frozenset()
    x = cell.centers_um[:, 0]
    central = np.abs(x - cell.width_um / 2) < cell.width_um / 6
    return frozenset((np.flatnonzero(central == (which == "center")) + 1).tolist())


def ideal_domain(cell: IdealCell, deposit: Deposit | None = None) -> Domain:
    """Give the materials of the ideal cell.

    Parameters
    ----------
    cell : IdealCell
        Its lengths.
    deposit : Deposit, optional
        Lithium beyond the flat face; its tip gets triangles of an eighth of its radius.
    """
    centers = cell.centers_um

    def lithium(points: np.ndarray) -> np.ndarray:
        flat = points[:, 1] - cell.lithium_um
        deposited = flat if deposit is None else np.maximum(flat, _ellipse(points, cell, deposit))
        return np.asarray(deposited)

    def particles(points: np.ndarray) -> np.ndarray:
        if not len(centers):
            return np.full(len(points), -np.inf)
        away = points - centers[_nearest(cell, points)]
        return np.asarray(cell.particle_um / 2 - np.hypot(*away.T))

    def distance(points: np.ndarray) -> np.ndarray:
        return np.asarray(np.minimum(np.abs(lithium(points)), np.abs(particles(points))))

    def particle_at(points: np.ndarray) -> np.ndarray:
        return _nearest(cell, points) + 1

    finest = 0.0 if deposit is None else _tip_radius(deposit) / 8
    return Domain(
        name="ideal cell",
        width_um=cell.width_um,
        height_um=cell.height_um,
        levels=((Material.LITHIUM, lithium), (Material.PARTICLE, particles)),
        distance_um=distance,
        particle_at=particle_at,
        centers_um={number + 1: center for number, center in enumerate(centers)},
        composite_um=cell.composite_um,
        detail_um=None if deposit is None else _near_tip(cell, deposit, finest),
        finest_um=_FINEST_FOR_UM if deposit is not None else 0.0,
    )


def _nearest(cell: IdealCell, points: np.ndarray) -> np.ndarray:
    """Give the index of the particle whose middle is nearest."""
    across = points[:, 0] - cell.width_um / 2 + (cell.columns - 1) / 2 * cell.pitch_um
    column = np.clip(np.rint(across / cell.pitch_um), 0, cell.columns - 1)
    row = np.clip(np.rint((points[:, 1] - cell.first_row_um) / cell.pitch_um), 0, cell.rows - 1)
    return np.asarray(row * cell.columns + column, int)


_FINEST_FOR_UM = 1.0  # boundary_um at which a tip has eight triangles a radius


def _tip_radius(deposit: Deposit) -> float:
    """Give the radius of curvature at the tip of an ellipse, b²/a."""
    return deposit.half_width_um**2 / deposit.height_um


def _ellipse(points: np.ndarray, cell: IdealCell, deposit: Deposit) -> np.ndarray:
    """Give the distance to an ellipse's outline as its level over its slope: exact near by."""
    a, b = deposit.height_um, deposit.half_width_um
    x = (points[:, 0] - deposit.center_um) / b
    y = (points[:, 1] - cell.lithium_um) / a
    radius = np.hypot(x, y)
    slope = np.hypot(x / b, y / a) / np.maximum(radius, 1e-12)
    return np.asarray((1 - radius) / np.maximum(slope, 1 / max(a, b)))


def _near_tip(cell: IdealCell, deposit: Deposit, finest_um: float) -> Level:
    tip = np.array([deposit.center_um, cell.lithium_um - deposit.height_um])

    def detail(points: np.ndarray) -> np.ndarray:
        away = np.linalg.norm(points - tip, axis=1)
        return np.asarray(finest_um + 0.25 * np.maximum(away - _tip_radius(deposit), 0))

    return detail
