"""What a picture in 3-D holds. In: bodies of one cell; out: a scene that any renderer can show.

World coordinates in µm: the axis of the bore is x = y = 0, z points from the collector to the
anode, so the anode is on top. They are turned, not mirrored, against those of the volume. The
quarter x > 0, y < 0 is cut out, and looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xct.geometry import CellGeometry

# What can be shown, with colours that differ for the colour-blind too, and how much covers what
# lies behind: 0 is not drawn, 1 is solid. Interfaces are as in the cross-sections.
COLORS: Mapping[str, tuple[float, float, float]] = {
    "lithium": (0.93, 0.78, 0.42),
    "absent_lithium": (0.95, 0.90, 0.15),
    "electrolyte": (0.62, 0.74, 0.86),
    "active_material": (0.80, 0.82, 0.86),
    "drifted": (0.90, 0.16, 0.10),
    "section": (1.0, 1.0, 1.0),
    "rois": (0.10, 0.65, 0.45),
}
OPACITIES: Mapping[str, float] = {
    "lithium": 0.85,
    "absent_lithium": 0.9,
    "electrolyte": 0.14,
    "active_material": 1.0,
    "drifted": 1.0,
    "section": 1.0,
    "rois": 0.1,
}


EDGED = ("lithium", "absent_lithium", "electrolyte", "rois")  # have edges, others are smooth
_RIM = 1.5  # voxels


@dataclass(frozen=True)
class Body:
    """A surface of triangles.

    Attributes
    ----------
    name : str
        What it is, as in `COLORS`.
    points : ndarray of float32, shape (point, 3)
        x, y, z in world coordinates, µm.
    triangles : ndarray of int32, shape (triangle, 3)
        Indices of points.
    """

    name: str
    points: np.ndarray
    triangles: np.ndarray


@dataclass(frozen=True)
class Face:
    """A rectangle that carries a picture.

    Attributes
    ----------
    origin, along, up : ndarray, shape (3,)
        A corner, and both edges from it, in world coordinates, µm.
    rgba : ndarray of uint8, shape (row, column, 4)
        Rows run against `up`, columns with `along`; where alpha is 0, nothing is drawn.
    """

    origin: np.ndarray
    along: np.ndarray
    up: np.ndarray
    rgba: np.ndarray


@dataclass(frozen=True)
class Outline:
    """A ROI: a closed line, and the name beside it.

    Attributes
    ----------
    name : str
        Of the ROI.
    body : Body
        Its surface.
    edges : list of ndarray, shape (point, 3)
        Lines, in world coordinates, µm.
    """

    name: str
    body: Body
    edges: list[np.ndarray]


@dataclass(frozen=True)
class Scene:
    """A cell in world coordinates.

    Attributes
    ----------
    name : str
        Of the cell.
    radius_um, height_um : float
        Of the cylinder that holds everything.
    bodies : list of Body
        Materials.
    faces : list of Face
        Grey values where it is cut.
    outlines : list of Outline
        ROIs.
    missing : list of str
        What could not be shown, and why.
    """

    name: str
    radius_um: float
    height_um: float
    bodies: list[Body] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """Turns positions in a volume into world coordinates.

    Attributes
    ----------
    cell : CellGeometry
        Where the axis lies, and the anode.
    middle_um : float
        Height in the volume that becomes z = 0.
    """

    cell: CellGeometry
    middle_um: float

    @property
    def radius_um(self) -> float:
        """Radius of what is shown: the rim of the bore is blurred with its wall."""
        return self.cell.bore_radius_um - _RIM * max(self.cell.voxel_size_um[1:])

    def points(self, z_um: np.ndarray, y_um: np.ndarray, x_um: np.ndarray) -> np.ndarray:
        """Give world coordinates, float32, shape (point, 3)."""
        y = -self.cell.sign * (np.asarray(y_um) - self.cell.axis_y_um)
        x = np.asarray(x_um) - self.cell.axis_x_um
        return np.stack([x, y, self.heights(z_um)], axis=-1).astype(np.float32)

    def heights(self, z_um: np.ndarray) -> np.ndarray:
        """Give the height above the middle, µm."""
        return np.asarray(-self.cell.sign * (np.asarray(z_um) - self.middle_um))

    def positions_um(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give y and x in the volume of world coordinates, µm."""
        return -self.cell.sign * y + self.cell.axis_y_um, x + self.cell.axis_x_um


def is_cut_out(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mark the quarter that is cut out, by world coordinates."""
    return np.asarray((x > 0) & (y < 0))
