"""Where surfaces are looked for: bands about the planes of a cell. In: cell, volume; out: bands."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from xct.errors import DataError
from xct.geometry import CellGeometry, Surface
from xct.parallel.blocks import Voxels
from xct.segment.surface.bands import Band, Span, Stored, span_between

_WALL_VOXELS = 1.5  # voxels of the bore next to its wall, which are mixed with it
_FRACTION = 0.75  # of the way to the next surface that a band goes at most


class Electrolyte(Protocol):
    """What is asked of a reference: the electrolyte's value by height and radius, and the scale."""

    @property
    def air(self) -> float:
        """Value of air in the volume."""
        ...

    @property
    def per_cm(self) -> float:
        """What turns values above air into 1/cm."""
        ...

    def mu_per_cm(self, z_um: Any, r_um: Any) -> np.ndarray:
        """Give the electrolyte's value above air."""
        ...


@dataclass(frozen=True)
class _Scaled:
    """A volume on another scale, turned into 1/cm where it is read."""

    volume: Voxels
    air: np.float32
    factor: np.float32

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of what is read."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part."""
        return self._scaled(np.asarray(self.volume[index], np.float32))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((values - self.air) * self.factor)


class _ScaledCodes(_Scaled):
    """Such a volume, of one whose values can be had as they are stored."""

    volume: Any

    @property
    def code_bytes(self) -> int:
        """Bytes of a stored value."""
        return int(self.volume.code_bytes)

    def codes(self, index: Any = ...) -> np.ndarray:
        """Read a part as it is stored."""
        return np.asarray(self.volume.codes(index))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Give stored values in 1/cm."""
        return self._scaled(self.volume.decode(codes))


@dataclass(frozen=True)
class Search:
    """A cell, and how far from its planes its surfaces may lie.

    Attributes
    ----------
    volume : Voxels
        μ in 1/cm, or any linear scale.
    cell : CellGeometry
        Where the planes are.
    reference : Electrolyte
        What the electrolyte attenuates, and what the scale is.
    search_um : float
        Farthest that a surface lies from its plane.
    """

    volume: Voxels
    cell: CellGeometry
    reference: Electrolyte
    search_um: float

    @cached_property
    def attenuation(self) -> Voxels:
        """The volume in 1/cm above air; about, where the reference knows its scale only about."""
        air, factor = float(self.reference.air), float(self.reference.per_cm)
        middle = 0.5 * self.cell.voxel_size_um[0] * (self.cell.shape[0] - 1)
        level = float(self.reference.mu_per_cm(middle, 0.0))
        if not level > 0:
            raise DataError(
                f"the reference gives the electrolyte a value of {level:g} above air; surfaces "
                "need one that attenuates: look at what electrolyte_reference found"
            )
        if air == 0 and factor == 1:
            return self.volume
        kind = _ScaledCodes if isinstance(self.volume, Stored) else _Scaled
        return kind(self.volume, np.float32(air), np.float32(factor))

    @property
    def factor(self) -> float:
        """Give by what the volume's values above air become 1/cm."""
        return float(self.reference.per_cm)

    @property
    def pixel_um(self) -> float:
        """Edge of a voxel across."""
        return float(np.sqrt(self.cell.voxel_size_um[1] * self.cell.voxel_size_um[2]))

    def knows(self, name: str) -> bool:
        """Return whether the plane of a surface is in view."""
        return name in self.cell.planes

    def height_um(self, name: str) -> float:
        """Give the height of a plane on the axis."""
        return self.cell.planes[name].height_um

    def columns(self, z_um: float) -> tuple[np.ndarray, np.ndarray]:
        """Give the columns of the bore at a height, and those that are clear of its wall."""
        z = z_um / self.cell.voxel_size_um[0]
        margin = _WALL_VOXELS * max(self.cell.voxel_size_um[1:])
        return self.cell.in_bore(z), self.cell.in_bore(z, margin)

    def electrolyte(self, z_um: float) -> np.ndarray:
        """Give the electrolyte's μ in a plane, 1/cm, shape (y, x)."""
        radius = self.cell.radius_um(z_um / self.cell.voxel_size_um[0])
        values = self.factor * self.reference.mu_per_cm(z_um, radius)
        return np.asarray(np.broadcast_to(values, radius.shape), np.float64)

    def span(self, near: str | None, far: str | None, *, near_um: float, far_um: float) -> Span:
        """Take the slices from ahead of one plane to behind another; None: the volume's end."""
        ends = [0.0, (self.cell.shape[0] - 1) * self.cell.voxel_size_um[0]]
        if self.cell.sign < 0:
            ends.reverse()
        if near is not None:
            ends[0] = self._edge(near, -1) - self.cell.sign * near_um
        if far is not None:
            ends[1] = self._edge(far, 1) + self.cell.sign * far_um
        return span_between(self.cell, *ends)

    def room_um(self, name: str, towards: str) -> float:
        """Give how far to look from one plane towards another: not up to it."""
        if not (self.knows(name) and self.knows(towards)):
            return self.search_um
        gap = abs(self.height_um(towards) - self.height_um(name))
        return min(self.search_um, _FRACTION * gap)

    def band(self, span: Span, bore: np.ndarray, reach: int) -> Band:
        """Take the columns of a span, strip by strip."""
        return Band.about(self.attenuation, span, bore, reach)

    def _edge(self, name: str, direction: int) -> float:
        """Give the outermost point of a plane in the bore, towards (-1) or away from the anode."""
        plane = self.cell.planes[name]
        lean = float(np.hypot(plane.slope_y, plane.slope_x)) * self.cell.bore_radius_um
        return plane.height_um + direction * self.cell.sign * lean


def as_surface(span: Span, s: np.ndarray, sd: np.ndarray, definition: str) -> Surface:
    """Make a surface of heights in voxels along s."""
    height = span.z_um(s).astype(np.float32)
    return Surface(height, (sd * span.voxel_um).astype(np.float32), definition)


def say_absent(names: str, why: str) -> dict[str, Surface]:
    """Warn that surfaces are not given; give none."""
    warnings.warn(f"{names}: not given, since {why}", UserWarning, stacklevel=4)
    return {}
