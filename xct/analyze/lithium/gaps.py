"""Gaps between lithium and electrolyte. In: faces, the volume; out: how thick they are at most.

Where electrolyte has come off, its face stands out of what is around; so it does where lithium is
thicker. A voxel of lithium is hardly brighter than one of nothing, but thousands of them are: what
stands out by more than the point spread reaches is compared with the lithium below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy

from xct.geometry import CellGeometry, Surface
from xct.normalize.reference import Reference
from xct.parallel.blocks import Block, Voxels, cut
from xct.parallel.executors import map_blocks

GAP_NOTE = (
    "mean over the area of how far lithium's face stands out, within 100 µm, of what is around: "
    "gaps to the electrolyte that are narrower than that are part of it, and so is roughness, "
    "less what is seen to hold lithium"
)
_GAP_UM, _GAP_STEP_UM = 100.0, 10.0  # width of a gap; of the columns that are taken together
_ELECTROLYTE_WIDTHS, _STEEL_WIDTHS = 1.5, 2.0  # of the point spread, that are left out at faces
_BLOCK_UM = 60.0  # edge of the blocks by which the comparison's uncertainty is known
_LEAST_BLOCKS = 10
_SEEN = 3.0  # standard uncertainties by which lithium must differ from nothing
_AT_MOST, _AT_LEAST = 1.645, 2.576  # standard uncertainties
_ROWS = 16


class Gaps(NamedTuple):
    """Mean thickness of gaps over the area, µm.

    Attributes
    ----------
    at_most : float
        NaN where the layer is narrower than a gap.
    at_least : float
        What the comparison with lithium shows; 0 where it shows nothing.
    """

    at_most: float
    at_least: float


def gaps_um(
    thickness_um: np.ndarray,
    pixel_um: tuple[float, float],
    empty: float = 1.0,
    sd: float = 0.0,
    clear_um: float = np.inf,
) -> Gaps:
    """Bound how much of a layer's thickness are gaps above it, narrower than 100 µm.

    What stands out is what an opening by a disc of that width takes away. A gap that is wider is
    not bounded.

    Parameters
    ----------
    thickness_um : ndarray, shape (y, x)
        Of low grey between steel and electrolyte; NaN where it is not known.
    pixel_um : tuple of float
        Edges of its pixels, y and x.
    empty, sd : float, optional
        Which part of what stands out by more than `clear_um` holds nothing, and its uncertainty.
    clear_um : float, optional
        Unless given, all of it may.
    """
    opened = _opened(thickness_um, pixel_um)
    if opened is None:
        return Gaps(float("nan"), 0.0)
    excess = thickness_um - opened
    excess = excess[np.isfinite(excess)].astype(np.float64)
    deep = float(np.maximum(excess - clear_um, 0).mean())
    shallow = float(excess.mean()) - deep
    most = min(max(empty, 0.0) + _AT_MOST * sd, 1.0)
    return Gaps(shallow + most * deep, max(empty - _AT_LEAST * sd, 0.0) * deep)


def find_gaps(
    lithium: Surface,
    steel: Surface,
    volume: Voxels | None,
    cell: CellGeometry,
    reference: Reference | None,
) -> Gaps:
    """Bound gaps by what stands out of the lithium's face, and by what is measured there.

    Parameters
    ----------
    lithium, steel : Surface
        Thickness of the lithium, and the steel's face.
    volume : Voxels, shape (z, y, x), or None
        Attenuation in any unit.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference or None
        For the width of the point spread and the value of air; nothing is compared with lithium
        where that width is a guess.
    """
    pixel = cell.voxel_size_um[1:]
    bound = gaps_um(lithium.height_um, pixel)
    known = reference is not None and not reference.blur_guessed and np.isfinite(bound.at_most)
    if volume is None or reference is None or not known:
        return bound
    blur_um = reference.blur_um
    columns = _columns(lithium.height_um, steel.height_um, cell, blur_um)
    compared = _compared(volume, columns, reference.air)
    if compared is None:
        return bound
    return gaps_um(lithium.height_um, pixel, *compared, _ELECTROLYTE_WIDTHS * blur_um)


def _opened(thickness_um: np.ndarray, pixel_um: tuple[float, float]) -> np.ndarray | None:
    """Give the thickness without what is narrower than a gap, (y, x); None where all of it is."""
    steps = [max(1, round(_GAP_STEP_UM / edge)) for edge in pixel_um]
    y, x = (n // step for n, step in zip(thickness_um.shape, steps, strict=True))
    blocks = thickness_um[: y * steps[0], : x * steps[1]].reshape(y, steps[0], x, steps[1])
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    mean = np.where(known, blocks, 0).sum(axis=(1, 3), dtype=np.float64) / np.maximum(count, 1)
    radius = [0.5 * _GAP_UM / (step * edge) for step, edge in zip(steps, pixel_um, strict=True)]
    v, u = (np.arange(-int(r), int(r) + 1) / r for r in radius)
    disc = v[:, None] ** 2 + u**2 <= 1
    if (count > 0).sum() < 4 * disc.sum():
        return None
    low = np.where(count > 0, mean, np.inf)
    # Beyond the bore is nothing that could hold a disc up.
    low = scipy.ndimage.grey_erosion(low, footprint=disc, mode="constant", cval=np.inf)
    low = np.where(count > 0, low, -np.inf)
    opened = scipy.ndimage.grey_dilation(low, footprint=disc, mode="constant", cval=-np.inf)
    opened[count == 0] = np.nan
    whole = np.full(thickness_um.shape, np.nan)
    whole[: y * steps[0], : x * steps[1]] = opened.repeat(steps[0], 0).repeat(steps[1], 1)
    return whole


@dataclass(frozen=True)
class _Columns:
    """In slices along the cell's sign, arrays (y, x): between which heights what is looked at.

    Lithium lies from `low` to `opened`, what stands out from there to `high`, which the blurred
    electrolyte does not reach, above or beside. `block` numbers the blocks, -1 where nothing is
    known.
    """

    low: np.ndarray
    opened: np.ndarray
    high: np.ndarray
    block: np.ndarray
    sign: int

    @property
    def rows(self) -> tuple[int, int]:
        """Slices that hold any of it."""
        inside = self.block >= 0
        ends = self.sign * np.array([self.low[inside].min(), self.high[inside].max()])
        return max(int(np.floor(ends.min())), 0), int(np.ceil(ends.max())) + 1


def _columns(
    thickness_um: np.ndarray, steel_um: np.ndarray, cell: CellGeometry, blur_um: float
) -> _Columns | None:
    step, *pixel = cell.voxel_size_um
    opened = _opened(thickness_um, (pixel[0], pixel[1]))
    if opened is None:
        return None
    clear_um = _ELECTROLYTE_WIDTHS * blur_um
    reach = [int(np.ceil(clear_um / edge)) for edge in pixel]
    v, u = (np.arange(-n, n + 1) * edge for n, edge in zip(reach, pixel, strict=True))
    disc = v[:, None] ** 2 + u**2 <= (clear_um + max(pixel)) ** 2
    steel = cell.sign * steel_um
    face = steel + thickness_um
    lowest = scipy.ndimage.grey_erosion(np.where(np.isfinite(face), face, np.inf), footprint=disc)
    known = np.isfinite(face) & np.isfinite(opened) & cell.in_bore(cell.shape[0] / 2)
    if not known.any():
        return None
    y, x = (
        (np.arange(n) * edge / _BLOCK_UM).astype(int)
        for n, edge in zip(face.shape, pixel, strict=True)
    )
    block = np.where(known, y[:, None] * (x.max() + 1) + x, -1)
    low = (steel + _STEEL_WIDTHS * blur_um) / step
    return _Columns(low, (steel + opened) / step, (lowest - clear_um) / step, block, cell.sign)


def _compared(volume: Voxels, columns: _Columns | None, air: float) -> tuple[float, float] | None:
    """Give the empty part of what stands out and its uncertainty; None where nothing tells."""
    if columns is None:
        return None
    first, stop = columns.rows
    stop = min(stop, volume.shape[0])
    if stop <= first:
        return None
    parts = map_blocks(_sums, cut(stop - first, _ROWS), volume, first, columns, air)
    out, inside = np.concatenate(parts).sum(axis=0)
    means, sds = zip(*(_mean(*some) for some in (out, inside)), strict=True)
    if not means[1] > _SEEN * sds[1]:
        return None
    ratio = means[0] / means[1]
    sd = float(np.hypot(sds[0], ratio * sds[1]) / means[1])
    return (1 - ratio, sd) if np.isfinite(sd) else None


def _sums(part: Block, volume: Voxels, start: int, columns: _Columns, air: float) -> np.ndarray:
    """Add up voxels, block by block: (slice, [what stands out, lithium], [sum, count], block)."""
    first, stop = start + part.first, start + part.stop
    values = np.asarray(volume[first:stop], np.float64)
    blocks = int(columns.block.max()) + 1
    found = np.zeros((stop - first, 2, 2, blocks))
    for row, (image, z) in enumerate(zip(values, range(first, stop), strict=True)):
        height = columns.sign * z
        usable = (columns.block >= 0) & (columns.low < height) & (height < columns.high)
        usable &= np.isfinite(image)
        for kind, place in enumerate(
            (height > columns.opened + 0.5, height < columns.opened - 0.5)
        ):
            chosen = usable & place
            number = columns.block[chosen]
            found[row, kind, 0] = np.bincount(number, image[chosen] - air, blocks)
            found[row, kind, 1] = np.bincount(number, minlength=blocks)
    return found


def _mean(total: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Give a mean over blocks, and its uncertainty as they differ; NaN where they are few."""
    if np.count_nonzero(count) < _LEAST_BLOCKS:
        return float("nan"), float("nan")
    mean = total.sum() / count.sum()
    return float(mean), float(np.sqrt(np.sum((total - mean * count) ** 2)) / count.sum())
