"""Cell coordinates, defined once: depth from a surface, radius and azimuth about the bore.

Lengths are in µm. A position is index × voxel size, from the center of voxel 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from math import isnan, nan
from typing import Any, Literal

import numpy as np

from xct.errors import DataError

# Labels: which number stands for which material in every labelled volume.


class Label(IntEnum):
    """What a voxel is made of; a truth voxel is of the material that fills most of it."""

    OUTSIDE = 0
    LITHIUM = 1
    ELECTROLYTE = 2
    ACTIVE_MATERIAL = 3
    STEEL = 4
    COLLECTOR = 5
    TUBE = 6
    LOW_GREY = 7
    UNKNOWN = 8  # light did not reach there, or data are missing: left out of fractions


MATERIALS: Mapping[str, int] = {
    label.name.lower(): int(label) for label in Label if label not in (Label.OUTSIDE, Label.UNKNOWN)
}


@dataclass(frozen=True)
class GreyScale:
    """The normalized grey scale: a straight line through air and the electrolyte.

    Attributes
    ----------
    zero : float
        Grey value of air.
    reference_value : float
        Grey value of the electrolyte.
    """

    zero: float = 20_000.0
    reference_value: float = 22_100.0

    def __post_init__(self) -> None:
        if self.zero == self.reference_value:
            raise DataError(
                f"zero and reference_value are both {self.zero:g}; grey values need two points"
            )

    @property
    def step(self) -> float:
        """Grey values between air and the electrolyte."""
        return self.reference_value - self.zero

    def grey_value(self, ratio: Any) -> Any:
        """Give the grey value of an attenuation, as a multiple of the electrolyte's."""
        return self.zero + self.step * ratio

    def ratio(self, grey_value: Any) -> Any:
        """Give the attenuation of a grey value, as a multiple of the electrolyte's."""
        return (grey_value - self.zero) / self.step


STANDARD_SCALE = GreyScale()

# From the anode to the collector.
SURFACES = ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector")

Anode = Literal["low_z", "high_z"]


@dataclass(frozen=True)
class Surface:
    """A surface as a height map.

    Attributes
    ----------
    height_um : ndarray of float32, shape (y, x)
        Position along z; NaN where the surface is missing or could not be measured.
    sd_um : ndarray of float32, shape (y, x)
        Standard deviation of the height; NaN where it could not be measured.
    definition : str
        What was taken as the surface.
    """

    height_um: np.ndarray
    sd_um: np.ndarray
    definition: str


@dataclass(frozen=True)
class Plane:
    """The mean plane of a surface: its height where it meets the axis, and its slopes.

    Attributes
    ----------
    height_um : float
        z on the axis.
    slope_y, slope_x : float
        dz/dy and dz/dx.
    """

    height_um: float
    slope_y: float = 0.0
    slope_x: float = 0.0


@dataclass(frozen=True)
class CellGeometry:
    """Where a cell lies in a volume.

    Attributes
    ----------
    shape : tuple of int
        Voxels along z, y and x.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    axis_y_um, axis_x_um : float
        The bore's axis in the middle slice.
    axis_slope_y, axis_slope_x : float
        dy/dz and dx/dz of that axis.
    bore_radius_um, bore_radius_sd_um : float
        Radius of the bore and its standard deviation.
    tube_radius_um : float or None
        Outer radius of the tube; None where it is out of view.
    anode : {"low_z", "high_z"}
        The side of the anode.
    planes : mapping of str to Plane
        Mean planes of the surfaces that are in view, by name.
    lens_at_wall : float
        By which part frames are magnified more at the bore's wall than in their middle, as the
        bore's radius over the height shows it; 0 where it shows nothing.
    only : {"cathode", "electrolyte"} or None
        The layer that fills the volume from end to end, where no surface is in view; None where
        surfaces are, or where the layer is not known.
    """

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]
    axis_y_um: float
    axis_x_um: float
    bore_radius_um: float
    axis_slope_y: float = 0.0
    axis_slope_x: float = 0.0
    bore_radius_sd_um: float = 0.0
    tube_radius_um: float | None = None
    anode: Anode = "low_z"
    planes: Mapping[str, Plane] = field(default_factory=dict)
    lens_at_wall: float = 0.0
    only: Literal["cathode", "electrolyte"] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON; NaN becomes "unknown"."""
        values = asdict(self)
        return {k: "unknown" if isinstance(v, float) and isnan(v) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> CellGeometry:
        """Make a geometry from what `to_dict` gave."""
        values: dict[str, Any] = {k: nan if v == "unknown" else v for k, v in plain.items()}
        planes = {name: Plane(**plane) for name, plane in values.pop("planes").items()}
        shape, size = (tuple(values.pop(key)) for key in ("shape", "voxel_size_um"))
        return cls(shape=shape, voxel_size_um=size, planes=planes, **values)

    def in_level(
        self, shape: tuple[int, int, int], voxel_size_um: tuple[float, float, float]
    ) -> CellGeometry:
        """Give the geometry in a coarser level of the volume, whose voxel 0 lies elsewhere."""
        shift = [(c - f) / 2 for c, f in zip(voxel_size_um, self.voxel_size_um, strict=True)]
        return replace(
            self,
            shape=shape,
            voxel_size_um=voxel_size_um,
            axis_y_um=self.axis_y_um - shift[1],
            axis_x_um=self.axis_x_um - shift[2],
        )

    @property
    def sign(self) -> int:
        """Direction away from the anode: +1 towards large z, −1 towards small z."""
        return 1 if self.anode == "low_z" else -1

    def from_rotation_axis_um(self, y_um: np.ndarray, x_um: np.ndarray) -> np.ndarray:
        """Give the distance to the middle of the slices, where the axis of rotation is, µm."""
        middle = [(n - 1) / 2 * s for n, s in zip(self.shape, self.voxel_size_um, strict=True)]
        return np.asarray(np.hypot(y_um - middle[1], x_um - middle[2]))

    def axis_at(self, z_um: float) -> tuple[float, float]:
        """Give y and x of the bore's axis at a height, µm."""
        offset = z_um - (self.shape[0] - 1) / 2 * self.voxel_size_um[0]
        return (
            self.axis_y_um + self.axis_slope_y * offset,
            self.axis_x_um + self.axis_slope_x * offset,
        )

    def offsets_um(self, z_index: float) -> tuple[np.ndarray, np.ndarray]:
        """Give y and x of every column of voxels from the axis in a slice, µm: (y, 1), (1, x)."""
        y_axis, x_axis = self.axis_at(z_index * self.voxel_size_um[0])
        y = np.arange(self.shape[1]) * self.voxel_size_um[1] - y_axis
        x = np.arange(self.shape[2]) * self.voxel_size_um[2] - x_axis
        return y[:, None], x[None, :]

    def radius_um(self, z_index: float) -> np.ndarray:
        """Give the distance from the bore's axis in a slice, µm, shape (y, x)."""
        y, x = self.offsets_um(z_index)
        return np.asarray(np.hypot(y, x))

    def azimuth_deg(self, z_index: float) -> np.ndarray:
        """Give the azimuth about the axis in a slice, degrees from +x to +y, shape (y, x)."""
        y, x = self.offsets_um(z_index)
        return np.asarray(np.rad2deg(np.arctan2(y, x)))

    def in_bore(self, z_index: float, margin_um: float = 0.0) -> np.ndarray:
        """Mark the voxels of a slice that lie in the bore, at least `margin_um` from its wall."""
        return self.radius_um(z_index) <= self.bore_radius_um - margin_um

    def plane_um(self, surface: str) -> np.ndarray:
        """Give the height of a surface's mean plane, µm, shape (y, x).

        Raises
        ------
        ValueError
            If that surface is not in view.
        """
        plane = self._plane(surface)
        y, x = self.offsets_um((self.shape[0] - 1) / 2)
        return plane.height_um + plane.slope_y * y + plane.slope_x * x

    def depth_um(
        self,
        surface: str,
        z_um: np.ndarray | float,
        y_um: np.ndarray | float,
        x_um: np.ndarray | float,
    ) -> np.ndarray:
        """Give the depth of positions from a surface's mean plane, positive away from the anode.

        Raises
        ------
        ValueError
            If that surface is not in view.
        """
        plane = self._plane(surface)
        y = np.asarray(y_um) - self.axis_y_um
        x = np.asarray(x_um) - self.axis_x_um
        height = plane.height_um + plane.slope_y * y + plane.slope_x * x
        return np.asarray(self.sign * (np.asarray(z_um) - height))

    def _plane(self, surface: str) -> Plane:
        if surface not in self.planes:
            raise DataError(
                f"surface {surface!r} is not in view; there are {', '.join(self.planes) or 'none'}"
            )
        return self.planes[surface]


def lost_faces(
    cell: CellGeometry | None,
    surfaces: Mapping[str, Surface] | None,
    *,
    upright: bool = False,
) -> frozenset[str]:
    """Name the faces of layers that are in view, or may be, and could not be given.

    Parameters
    ----------
    cell : CellGeometry or None
        Where the cell lies; without it nothing is lost.
    surfaces : mapping of str to Surface, or None
        Those that were given.
    upright : bool, optional
        Whether the volume was put upright: its ends are oblique, and the lithium's face, where it
        was not found, may be in view in a part of it.
    """
    if cell is None or surfaces is None:
        return frozenset()
    seen = {*cell.planes, "lithium_electrolyte"} if upright else {*cell.planes}
    return frozenset(seen - surfaces.keys())
