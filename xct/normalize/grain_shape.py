"""Whether slices lie as far apart as is said, by grains of the cathode. In: a volume; out: a ratio.

Nothing in a volume says how far apart its slices are. But grains of a cathode are about as high as
they are wide: grey values are alike over the same length along z as across, whether grains touch,
are only a few voxels wide, or melt into one. That length is where the autocovariance falls to half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.given.continuity import broken, slice_moves
from xct.normalize.sampling import Span
from xct.parallel.blocks import Voxels

_FACES = ("electrolyte_cathode", "cathode_collector")
Bound = Literal["lower", "upper"] | None

# Drawn volumes of seeds 3 and 11, in which grains are 2 to 7 voxels wide, with up to eight times
# the noise of a scan: 0.86 to 1.1 (once 0.77, of grains of 2 voxels and twice the blur). Every
# second slice of them, said to be all: 0.33 to 0.61; means of two: 0.44 to 0.68. Slices of six
# scans: 0.93. Pressed cathodes are flatter by a fifth at most.
FLATTEST, TALLEST = 0.72, 1.4
# Voxels across, below which particles melt into one: at 1.3 their number was right, at 0.9 to 1.0,
# after binning by two, 15 of 600 were left.
RESOLVED_PX = 1.1
# Width of grains along x over that along y: 0.986 to 1.024 (eight cells of both makes, also of 8
# bits, with four times the noise, or turned), 1.67 to 1.91 where half of the slices moved by four
# voxels.
SMEARED = 1.2
_SLICES, _WIDTH = 32, 192  # voxels that are looked at, at most
_LEAST_SLICES, _LEAST_WIDTH, _AMPLE = 4, 24, 12
_FURTHEST = 24  # voxels, beyond which nothing is looked for
_RESOLVED = 0.8  # slices of the file: what is alike over less may be flatter than it looks
_MARGIN_VOXELS = 2.0  # from the cathode's faces
# Where planes do not say where the cathode lies: slices that are looked at, voxels in the middle of
# each, at most half of its width, and slices that must be grainy.
_LOOKED_AT, _MIDDLE, _GRAINY_SLICES = 32, 192, 5
# Standard deviation of grains over the range of all values that are looked at: electrolyte, with
# rings of a tenth, has less than 0.01, cathodes 0.06 and more.
_GRAINY = 0.02
_THINNED = 3  # every so manieth value tells the range
_ENDS = 0.2  # of the grainy slices at either end: faces
_INSCRIBED = 0.65  # half of a square's edge over the radius of the bore that it lies in


@dataclass(frozen=True)
class GrainShape:
    """How far grey values of the cathode are alike.

    Attributes
    ----------
    height_um, width_um : float
        Where their autocovariance falls to half, along z and across.
    slices_um : float
        Distance of the file's slices, as it is said.
    pixel_um : float
        Shorter edge of a pixel.
    stretch : float
        Width along x over that along y, where pixels are square.
    seams : tuple of (str, int)
        Axis and first row or column of a part whose grains do not continue those before.
    """

    height_um: float
    width_um: float
    slices_um: float
    pixel_um: float
    stretch: float = 1.0
    seams: tuple[tuple[str, int], ...] = ()

    @property
    def ratio(self) -> float:
        """Height over width."""
        return self.height_um / self.width_um

    @property
    def smeared(self) -> bool:
        """Whether grains are wider along one axis of the slices than along the other."""
        return not 1 / SMEARED < self.stretch < SMEARED

    @property
    def coarse(self) -> bool:
        """Whether grains are too few voxels wide to be told apart."""
        return self.width_um < RESOLVED_PX * self.pixel_um

    @property
    def bounds(self) -> Bound:
        """What a length along z is, of the true one, if the distance of slices is said wrongly."""
        if self.ratio < FLATTEST:
            return "lower"
        resolved = self.height_um >= _RESOLVED * self.slices_um
        return "upper" if resolved and self.ratio > TALLEST else None

    @property
    def of_lengths(self) -> Bound:
        """What any length is: of coarse voxels, whose size may be that before binning, too."""
        return self.bounds or ("lower" if self.coarse else None)


def look_at_grains(volume: Voxels, cell: CellGeometry, steps: dict[str, Any]) -> GrainShape | None:
    """Measure how far grey values are alike in the middle of the cathode.

    Where its faces were not found, it is looked for by its grains.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where bore and layers lie.
    steps : mapping
        Settings of the steps that led to the volume, by name.

    Returns
    -------
    GrainShape or None
        None for a volume that xct reconstructed, whose voxels are cubes, and where the cathode is
        not in view or its grains are too small or too large to tell.
    """
    if "fbp" in steps:
        return None
    placement = getattr(volume, "placement", None) or {}
    slices_um = placement.get("slice_um", cell.voxel_size_um[0])
    if not set(_FACES) <= set(cell.planes):
        return grains_anywhere(
            lambda part: np.asarray(volume[part], np.float32),
            cell.shape, cell.voxel_size_um, slices_um,
        )  # fmt: skip
    block = _middle(cell)
    if block is None:
        return None
    values = np.asarray(volume[block], np.float32)
    found = grain_shape(values, cell.voxel_size_um, slices_um)
    return None if found is None else replace(found, seams=_seams(values, block))


def _seams(values: np.ndarray, block: tuple[slice, slice, slice]) -> tuple[tuple[str, int], ...]:
    """Find where rows or columns do not continue those before, as where tiles were joined."""
    found: list[tuple[str, int]] = []
    for axis, name in ((1, "y"), (2, "x")):
        moves = slice_moves(np.ascontiguousarray(np.moveaxis(values, axis, 0)), 0)[1:]
        found += [(name, block[axis].start + at) for at, *_ in broken(moves)]
    return tuple(found)


def grains_anywhere(
    read: Callable[[Any], np.ndarray],
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
    slices_um: float,
) -> GrainShape | None:
    """Look for grains in the middle of slices, and measure their shape; None without any.

    Parameters
    ----------
    read : callable
        Gives a part of the volume, float32.
    shape : tuple of int
        Of the volume, z first.
    voxel_um : tuple of float
        Edges of a voxel.
    slices_um : float
        Distance of the file's slices.
    """
    middle = [
        slice(n // 2 - min(_MIDDLE, n // 2) // 2, n // 2 + min(_MIDDLE, n // 2) // 2)
        for n in shape[1:]
    ]
    step = -(-shape[0] // _LOOKED_AT)
    planes = [read((slice(z, z + 1), *middle))[0] for z in range(0, shape[0], step)]
    first, stop = _longest(_grainy(np.array(planes)))
    ends = _ENDS * (stop - first)
    first, stop = round((first + ends) * step), round((stop - ends) * step)
    skipped = max(stop - first - _SLICES, 0) // 2
    if stop - first < _GRAINY_SLICES:
        return None
    block = read((slice(first + skipped, stop - skipped), *middle))
    return grain_shape(block, voxel_um, slices_um)


def _grainy(planes: np.ndarray) -> np.ndarray:
    """Mark slices that vary from pixel to pixel, beyond noise."""
    if not np.isfinite(planes).any():
        return np.zeros(len(planes), bool)
    # Not the least and the largest: steel that hardly any light passed scatters far beyond its own.
    low, high = np.nanquantile(planes[:, ::_THINNED, ::_THINNED], (0.05, 0.95))
    apart = apart_from_mean(planes)
    beside = alike(apart[:, :, 1:], apart[:, :, :-1], by_slice=True)
    return np.asarray(beside > (_GRAINY * (high - low)) ** 2)


def _longest(marked: np.ndarray) -> tuple[int, int]:
    """Give the longest run of what is marked, half open."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    first, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(first), int(stop)


def grain_shape(
    values: np.ndarray, voxel_um: tuple[float, float, float], slices_um: float
) -> GrainShape | None:
    """Measure how far values are alike along z and across.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        Of one layer; NaN does not count.
    voxel_um : tuple of float
        Edges of a voxel.
    slices_um : float
        Distance of the file's slices, where values between them were interpolated.

    Returns
    -------
    GrainShape or None
        None where values do not vary, or are alike over more than can be seen.
    """
    found = apart_from_mean(values).astype(np.float64)
    by_axis = [_autocovariance(found, axis) for axis in range(3)]
    # Noise that no neighbor shares counts at lag 0 only: without it, that is where the next two
    # lead to. Where one axis is too coarse for that, it is known from another.
    variance = min(float(alike(found, found)[()]), max(2 * one - two for one, two, *_ in by_axis))
    height, *widths = (
        _half(variance, lags) * edge for lags, edge in zip(by_axis, voxel_um, strict=True)
    )
    # Where one edge across is longer than is good, grains look too wide along it.
    width = min(widths)
    if not (np.isfinite(height) and width > 0):
        return None
    square = np.isclose(*voxel_um[1:], rtol=1e-3) and np.isfinite(widths).all()
    stretch = widths[1] / widths[0] if square else 1.0
    return GrainShape(height, width, slices_um, min(voxel_um[1:]), stretch)


def joined(bound: Bound, grain_shape: GrainShape | None) -> tuple[bool, Bound]:
    """Join the bound that a length along z has with that of the distance of slices.

    Returns
    -------
    known : bool
        Whether anything is known: not where one bounds it from above and one from below.
    bound : {"lower", "upper"} or None
        On which side.
    """
    other = None if grain_shape is None else grain_shape.of_lengths
    return bound is None or other in (None, bound), bound or other


def _middle(cell: CellGeometry) -> tuple[slice, slice, slice] | None:
    """Choose a block in the middle of the cathode; None where it is too small."""
    step, *across = cell.voxel_size_um
    reach = min(_INSCRIBED * cell.bore_radius_um, _WIDTH / 2 * min(across))
    ends = reach * np.array([-1.0, 1.0])
    low, high = Span(cell, *_FACES, _MARGIN_VOXELS * step).limits_um(
        cell.axis_y_um + ends[:, None], cell.axis_x_um + ends[None]
    )
    first = max(int(np.ceil(low.max() / step)), 0)
    stop = min(int(np.floor(high.min() / step)) + 1, cell.shape[0])
    spare = 1 if stop - first > _AMPLE else 0  # what is blurred more than is usual
    skipped = max(spare, (stop - first - _SLICES) // 2)
    first, stop = first + skipped, stop - skipped
    axis_y, axis_x = cell.axis_at(step * (first + stop - 1) / 2)
    box = [
        slice(max(int((axis - reach) / edge), 0), min(int((axis + reach) / edge) + 1, length))
        for axis, edge, length in zip((axis_y, axis_x), across, cell.shape[1:], strict=True)
    ]
    if stop - first < _LEAST_SLICES or min(s.stop - s.start for s in box) < _LEAST_WIDTH:
        return None
    return slice(first, stop), box[0], box[1]


def apart_from_mean(planes: np.ndarray) -> np.ndarray:
    """Subtract from every slice its mean; NaN stays NaN."""
    known = np.isfinite(planes)
    count = np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
    total = planes.sum(axis=(1, 2), keepdims=True, dtype=np.float64, where=known)
    with np.errstate(over="ignore", invalid="ignore"):  # bytes that were read wrongly
        return np.asarray(planes - (total / count).astype(planes.dtype))


def alike(one: np.ndarray, other: np.ndarray, *, by_slice: bool = False) -> np.ndarray:
    """Give the mean product of values, of those that are known; NaN where none is.

    Parameters
    ----------
    one, other : ndarray, shape (z, y, x)
        NaN does not count.
    by_slice : bool
        Whether each slice has a mean of its own, shape (z,), or all have one, shape ().
    """
    kept = "zyx,zyx->z" if by_slice else "zyx,zyx->"
    count = np.full(len(one) if by_slice else (), one[0].size * (1 if by_slice else len(one)))
    total = np.einsum(kept, one, other)
    if not np.isfinite(total).all():
        known = np.isfinite(one) & np.isfinite(other)
        total = np.einsum(kept, np.where(known, one, 0), np.where(known, other, 0))
        count = known.sum(axis=(1, 2) if by_slice else None)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _autocovariance(values: np.ndarray, axis: int) -> list[float]:
    """Give the autocovariance along an axis at lags 1, 2 … voxels, until it is hardly any."""
    along, found = np.moveaxis(values, axis, 0), []
    for lag in range(1, min(_FURTHEST, len(along) // 2) + 1):
        found.append(float(alike(along[lag:], along[:-lag])[()]))
        if lag > 1 and found[-1] < found[0] / 4:
            break
    return found


def _half(variance: float, lags: Sequence[float]) -> float:
    """Interpolate the lag at which a covariance falls to half, in voxels; NaN where it does not."""
    values, level = [variance, *lags], variance / 2
    for k, value in enumerate(values):
        if value < level:
            return k - 1 + (values[k - 1] - level) / (values[k - 1] - value)
    return float("nan")
