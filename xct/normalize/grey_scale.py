"""The grey scale: air, electrolyte, and a straight line. In: a volume; out: grey values, lazily.

Multiples of the electrolyte, `Ratios`, are the grey scale from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from xct.errors import DataError
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize.reference import ElectrolyteReference, Reference
from xct.parallel.blocks import Voxels
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.quantity import GreyVolume, Quantity, declare

Method = Literal["factor", "offset", "two_point"]

_PER_VOXEL = 2.0  # entries of the table over the radius per voxel
_LEAST_NOISE = 2e-4  # of the electrolyte


@dataclass(frozen=True)
class _Line:
    """What the electrolyte's value at a height and radius makes of a voxel's, on a grey scale."""

    method: Method
    scale: GreyScale
    peak: float
    second: tuple[float, float]

    def __call__(self, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give factor and offset: grey = factor · (value above air) + offset."""
        zero, step = self.scale.zero, self.scale.step
        if self.method == "factor":
            return step / model, np.full_like(model, zero)
        if self.method == "offset":
            factor = np.full_like(model, step / self.peak)
            return factor, zero + step * (1 - model / self.peak)
        value, grey = self.second
        factor = (self.scale.reference_value - grey) / (model - value)
        return factor, grey - factor * value


class GreyValues:
    """Normalized grey values of a volume, computed when they are read; float32.

    Attributes
    ----------
    volume : Voxels
        What is normalized.
    cell : CellGeometry
        Where the axis lies.
    reference : ElectrolyteReference
        The electrolyte's value by height and radius.
    shape : tuple of int
        Voxels along z, y and x.
    dtype : dtype
        float32.
    """

    _no_value = np.float32("nan")  # what stands for values that are not finite: themselves

    def __init__(
        self, volume: Voxels, cell: CellGeometry, reference: ElectrolyteReference, line: _Line
    ) -> None:
        self.volume, self.cell, self.reference = volume, cell, reference
        self.shape = volume.shape
        self.dtype = np.dtype(np.float32)
        self._line = line

    def __eq__(self, other: object) -> bool:
        """Whether both are the same scale of the same volume."""
        return (
            isinstance(other, GreyValues)
            and type(other) is type(self)
            and all(
                getattr(self, name) is getattr(other, name)
                for name in ("volume", "cell", "reference")
            )
            and self._line == other._line
        )

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part: slices along z, y, x, as of an array."""
        return self.normalized(self.volume[self._parts(index)], index)

    def normalized(self, values: np.ndarray, index: Any = slice(None)) -> np.ndarray:
        """Turn what the volume holds in a part, read before, into grey values.

        Parameters
        ----------
        values : ndarray
            What the volume holds there.
        index : slices
            Which part it is.
        """
        return self._mapped(values, index, inverse=False)

    def inverse(self, grey: np.ndarray, index: Any = slice(None)) -> np.ndarray:
        """Turn grey values of a part back into what the volume holds there.

        Parameters
        ----------
        grey : ndarray
            Grey values of the part.
        index : slices
            Which part it is.
        """
        return self._mapped(grey, index, inverse=True)

    def axes(self, first: int, stop: int) -> np.ndarray:
        """Give y and x of the bore's axis in slices, in µm, shape (z, 2)."""
        return self._axes(np.arange(first, stop))

    def _axes(self, z: np.ndarray) -> np.ndarray:
        step = self.cell.voxel_size_um[0]
        return np.array([self.cell.axis_at(k * step) for k in z], float).reshape(-1, 2)

    def _parts(self, index: Any) -> tuple[slice, slice, slice]:
        full = [*_whole(index), *[slice(None)] * (3 - len(_whole(index)))]
        if len(full) != 3:
            raise IndexError(f"{len(full)} indices for a volume with 3 axes")
        return tuple(_as_slice(part, n) for part, n in zip(full, self.shape, strict=True))  # type: ignore[return-value]

    def _mapped(self, values: np.ndarray, index: Any, *, inverse: bool) -> np.ndarray:
        z, y, x = (
            np.arange(n)[part] for n, part in zip(self.shape, self._parts(index), strict=True)
        )
        mapped = np.array(values, np.float32, order="C").reshape(z.size, y.size, x.size)
        picked = [n for n, part in enumerate(_whole(index)) if not isinstance(part, slice)]
        if not mapped.size:
            return mapped.squeeze(axis=tuple(picked))
        size = self.cell.voxel_size_um
        table = _Table(
            *self._factors(z),
            self._axes(z),
            y * size[1],
            x * size[2],
            _PER_VOXEL / min(size[1:]),
            np.float32(self.reference.air),
            self._no_value,
        )
        over_ranges(lambda a, b: _map(mapped, table, inverse, a, b), len(mapped))
        return mapped.squeeze(axis=tuple(picked))

    def _factors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factor and offset by slice and radius, (z, half voxel)."""
        lines = [self._line(row) for row in self._models(z)]
        factor, offset = (np.array(part, np.float32) for part in zip(*lines, strict=True))
        return factor, offset

    def _models(self, z: np.ndarray) -> list[np.ndarray]:
        """Give the electrolyte's value by slice and radius, one slice at a time."""
        step, *across = self.cell.voxel_size_um
        corner = np.linalg.norm((np.array(self.cell.shape[1:]) + 1) * across)
        radii = np.arange(int(_PER_VOXEL * corner / min(across)) + 2) * min(across) / _PER_VOXEL
        return [np.broadcast_to(self.reference.mu_per_cm(k * step, radii), radii.shape) for k in z]


class Ratios(GreyValues):
    """A volume divided by the electrolyte's value at the same height and radius.

    Air is 0 and electrolyte 1 everywhere; what is not finite becomes 1: whatever smooths
    makes neither voids nor grains of it.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the cell lies.
    reference : ElectrolyteReference
        The electrolyte's attenuation, and the noise.
    """

    def __init__(self, volume: Voxels, cell: CellGeometry, reference: ElectrolyteReference) -> None:
        super().__init__(volume, cell, reference, _Line("factor", GreyScale(0, 1), 1.0, (0.0, 0.0)))
        self._no_value = np.float32(1)

    def read(self, first: int, stop: int, strip: slice = slice(None)) -> np.ndarray:
        """Read slices, or a strip of rows of them."""
        return self[first:stop, strip]

    def noise(self, z_index: float) -> float:
        """Give the noise of a slice as a ratio."""
        noise = np.atleast_1d(self.reference.noise_per_cm)
        value = float(noise[min(round(z_index), noise.size - 1)])
        if not np.isfinite(value):
            value = float(np.nanmedian(noise)) if np.isfinite(noise).any() else 0.0
        z_um = z_index * self.cell.voxel_size_um[0]
        level = float(np.asarray(self.reference.mu_per_cm(z_um, 0)))
        return max(value / level, _LEAST_NOISE)

    def _factors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = np.array(self._models(z), np.float32)
        return np.float32(1) / model, np.zeros_like(model)


def grey_values(
    volume: Voxels,
    reference: Reference,
    cell: CellGeometry,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    method: Method = "factor",
    second: tuple[float, float] | None = None,
) -> GreyValues:
    """Put a volume on the electrolyte's grey scale; nothing is computed before it is read.

    ``factor`` is ``g = zero + (reference_value - zero) v / m(z, r)``: air, of which there is
    nothing, is the second point. ``offset`` shifts: the scale of the mean electrolyte everywhere,
    plus what is missing to its local peak. ``two_point`` takes the second point from `second`.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm; or what `reference` was found in.
    reference : Reference
        The electrolyte's value by height and radius.
    cell : CellGeometry
        Where the axis lies.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    method : {"factor", "offset", "two_point"}, optional
        How values are mapped.
    second : tuple of float, optional
        For ``two_point``: the value of another material in the volume above that of air (lithium,
        say), and the grey value that it shall have. Never of steel, which is photon-starved.

    Returns
    -------
    GreyValues
        A `Voxels` of float32; `GreyValues.inverse` leads back.

    Raises
    ------
    DataError
        If both grey values are equal, `second` is missing, or the second material has the value
        of electrolyte.
    """
    if (second is None) == (method == "two_point"):
        raise DataError(
            "method two_point needs `second`, a value and its grey value; other methods take none"
        )
    if second is not None:
        _refuse_equal_points(reference, second[0])
    line = _Line(method, grey_scale, reference.peak_per_cm, second or (0.0, grey_scale.zero))
    return GreyValues(volume, cell, reference, line)


def _refuse_equal_points(reference: Reference, value: float) -> None:
    model = reference.model
    heights, radii = np.linspace(model.z_low_um, model.z_high_um, 65), np.linspace(0, 1, 17)
    found = reference.mu_per_cm(heights[:, None], model.r_high_um * radii)
    if np.any(np.abs(found - value) < 0.05 * np.abs(found)):
        raise DataError(
            f"the second material's value {value:.4g} is that of electrolyte ({found.mean():.4g}); "
            "two points must differ"
        )


def _as_slice(part: Any, length: int) -> slice:
    if isinstance(part, slice):
        return part
    number = int(part)
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of range for {length} slices")
    number %= length
    return slice(number, number + 1)


def _whole(index: Any) -> tuple[Any, ...]:
    """Write out an ellipsis."""
    given = index if isinstance(index, tuple) else (index,)
    if Ellipsis not in given:
        return given
    at = given.index(Ellipsis)
    return given[:at] + (slice(None),) * (4 - len(given)) + given[at + 1 :]


class _Table(NamedTuple):
    """A line for each slice and radius, and where the voxels of a part lie."""

    factor: np.ndarray
    offset: np.ndarray
    axes_um: np.ndarray
    y_um: np.ndarray
    x_um: np.ndarray
    per_um: float
    air: np.float32
    no_value: np.float32


@njit(cache=True, nogil=True)
def _map(values: np.ndarray, table: _Table, inverse: bool, first: int, stop: int) -> None:
    y_um, x_um, per_um = table.y_um, table.x_um, table.per_um
    air, no_value = table.air, table.no_value
    last, replaced = table.factor.shape[1] - 1, np.isfinite(table.no_value)
    for k in range(first, stop):
        factors, offsets = table.factor[k], table.offset[k]
        axis_y, axis_x = table.axes_um[k]
        for j in range(y_um.size):
            off_y = y_um[j] - axis_y
            for i in range(x_um.size):
                off_x = x_um[i] - axis_x
                at = min(int(np.sqrt(off_y * off_y + off_x * off_x) * per_um + 0.5), last)
                value = values[k, j, i]
                if inverse:
                    values[k, j, i] = (value - offsets[at]) / factors[at] + air
                else:
                    mapped = factors[at] * (value - air) + offsets[at]
                    missing = replaced and not np.isfinite(value)
                    values[k, j, i] = no_value if missing else mapped


declare(
    Quantity(
        "normalized",
        ("z", "y", "x"),
        "normalized grey values",
        derive=grey_values,
        store=GreyVolume(),
    )
)
