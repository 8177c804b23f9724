"""The grey scale: air, electrolyte, and a straight line. In: a volume; out: grey values, lazily."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize.reference import Reference
from xct.parallel.blocks import Voxels
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

Method = Literal["factor", "offset", "two_point"]

_PER_VOXEL = 2.0  # entries of the table over the radius per voxel


class GreyValues:
    """Normalized grey values of a volume, computed when they are read; float32.

    Attributes
    ----------
    volume : Voxels
        What is normalized.
    shape : tuple of int
        Voxels along z, y and x.
    dtype : dtype
        float32.
    """

    def __init__(
        self,
        volume: Voxels,
        cell: CellGeometry,
        factor: np.ndarray,
        offset: np.ndarray,
        per_um: float,
    ) -> None:
        self.volume = volume
        self.shape = volume.shape
        self.dtype = np.dtype(np.float32)
        self._cell = cell
        # grey = factor · value + offset, shape (z, radius).
        self._factor, self._offset, self._per_um = factor, offset, per_um

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

    def _parts(self, index: Any) -> tuple[slice, slice, slice]:
        given = index if isinstance(index, tuple) else (index,)
        if Ellipsis in given:
            at = given.index(Ellipsis)
            given = given[:at] + (slice(None),) * (4 - len(given)) + given[at + 1 :]
        full = [*given, *[slice(None)] * (3 - len(given))]
        if len(full) != 3:
            raise IndexError(f"{len(full)} indices for a volume with 3 axes")
        return tuple(_as_slice(part, n) for part, n in zip(full, self.shape, strict=True))  # type: ignore[return-value]

    def _mapped(self, values: np.ndarray, index: Any, *, inverse: bool) -> np.ndarray:
        z, y, x = (
            np.arange(n)[part] for n, part in zip(self.shape, self._parts(index), strict=True)
        )
        mapped = np.array(values, np.float32, order="C").reshape(z.size, y.size, x.size)
        size = self._cell.voxel_size_um
        axes = np.array([self._cell.axis_at(k * size[0]) for k in z], float).reshape(-1, 2)
        off_y, off_x = y * size[1], x * size[2]

        def part(first: int, stop: int) -> None:
            _map(
                mapped, z, off_y, off_x, axes, self._factor, self._offset, self._per_um, inverse,
                first, stop,
            )  # fmt: skip

        over_ranges(part, len(mapped))
        return _squeezed(mapped, index)


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
        say), and the grey value that it shall have. Never of steel, whose value is starved.

    Returns
    -------
    GreyValues
        A `Voxels` of float32; `GreyValues.inverse` leads back.

    Raises
    ------
    ValueError
        If both grey values are equal, `second` is missing, or the second material has the value
        of electrolyte.
    """
    if (second is None) == (method == "two_point"):
        raise ValueError(
            "method two_point needs `second`, a value and its grey value; other methods take none"
        )
    pixel = min(cell.voxel_size_um[1:])
    y_far, x_far = (
        (n + 1) * s for n, s in zip(cell.shape[1:], cell.voxel_size_um[1:], strict=True)
    )
    radii = np.arange(int(_PER_VOXEL * np.hypot(y_far, x_far) / pixel) + 2) * pixel / _PER_VOXEL
    heights = np.arange(cell.shape[0]) * cell.voxel_size_um[0]
    model = reference.mu_per_cm(heights[:, None], radii[None, :])
    zero, span = grey_scale.zero, grey_scale.step
    if method == "factor":
        factor, offset = span / model, np.full_like(model, zero)
    elif method == "offset":
        factor = np.full_like(model, span / reference.peak_per_cm)
        offset = zero + span * (1 - model / reference.peak_per_cm)
    else:
        factor, offset = _two_point(model, second or (0.0, zero), grey_scale.reference_value)
    offset = offset - factor * reference.air
    return GreyValues(
        volume, cell, factor.astype(np.float32), offset.astype(np.float32), _PER_VOXEL / pixel
    )


def _two_point(
    model: np.ndarray, second: tuple[float, float], reference_value: float
) -> tuple[np.ndarray, np.ndarray]:
    value, grey = second
    if np.any(np.abs(model - value) < 0.05 * np.abs(model)):
        raise ValueError(
            f"the second material's value {value:.4g} is that of electrolyte ({model.mean():.4g}); "
            "two points must differ"
        )
    factor = (reference_value - grey) / (model - value)
    return factor, grey - factor * value


def _as_slice(part: Any, length: int) -> slice:
    if isinstance(part, slice):
        return part
    number = int(part)
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of range for {length} slices")
    number %= length
    return slice(number, number + 1)


def _squeezed(values: np.ndarray, index: Any) -> np.ndarray:
    given = index if isinstance(index, tuple) else (index,)
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given = given[:at] + (slice(None),) * (4 - len(given)) + given[at + 1 :]
    picked = tuple(n for n, part in enumerate(given) if not isinstance(part, slice))
    return values.squeeze(axis=picked) if picked else values


@njit(cache=True, nogil=True)
def _map(
    values: np.ndarray,
    z: np.ndarray,
    y_um: np.ndarray,
    x_um: np.ndarray,
    axes: np.ndarray,
    factor: np.ndarray,
    offset: np.ndarray,
    per_um: float,
    inverse: bool,
    first: int,
    stop: int,
) -> None:
    last = factor.shape[1] - 1
    for k in range(first, stop):
        factors, offsets = factor[z[k]], offset[z[k]]
        for j in range(y_um.size):
            off_y = y_um[j] - axes[k, 0]
            for i in range(x_um.size):
                off_x = x_um[i] - axes[k, 1]
                at = min(int(np.sqrt(off_y * off_y + off_x * off_x) * per_um + 0.5), last)
                if inverse:
                    values[k, j, i] = (values[k, j, i] - offsets[at]) / factors[at]
                else:
                    values[k, j, i] = factors[at] * values[k, j, i] + offsets[at]
