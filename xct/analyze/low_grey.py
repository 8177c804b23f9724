"""Inclusions in the electrolyte that are darker than it. In: volume, labels; out: a table.

Lithium and void have the same grey value to X-rays of 25 keV: an inclusion is called low grey,
never lithium. Sums over their voxels are whole numbers, so that they do not depend on where the
volume was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from annotated_types import Ge

from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Block, Voxels
from xct.parallel.kernels import njit
from xct.parallel.sweeps import Asking, Sweep, sweeping
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.connected import Pieces, join_slabs, label_pieces
from xct.segment.crofton import DIRECTIONS, crofton_weights
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.sharpened import blur_um
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_GREY_STEP = 1e-4  # of the electrolyte's attenuation
_OVERLAP = 2  # slices: an electrolyte voxel beside an inclusion, and what is around that

# Sums over the voxels of a region.
COUNT, Z, Y, X, ZZ, YY, XX, ZY, ZX, YX, GREY, DARK, OPEN, LITHIUM, FIELDS = range(15)

_DIRECTIONS = DIRECTIONS.astype(np.int64)
_SE, _LI = int(Label.ELECTROLYTE), int(Label.LITHIUM)


def inclusion_numbers(inclusions: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the count of inclusions, and their volume."""
    yield "inclusions", Number(len(inclusions), "inclusions")
    volume = inclusions["volume_um3"].sum()
    yield "inclusion_volume_um3", Number(volume, "µm³", n=len(inclusions))


@stage(
    gives=Quantity(
        "inclusions",
        unit="table of low-grey inclusions",
        store=Table(),
        numbers=inclusion_numbers,
    ),
    measures=True,
)
@sweeping
def inclusions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    grey_scale: GreyScale = STANDARD_SCALE,
    uncorrected_fringes: str | None = None,
    *,
    least_psf_volumes: Annotated[float, Ge(0)] = 3.0,
) -> Asking[pd.DataFrame]:
    """Measure the low-grey regions of the electrolyte between lithium and cathode.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    labels : Voxels, shape (z, y, x)
        What `materials` gave: its low-grey regions are kept by hysteresis.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    least_psf_volumes : float, optional
        Least volume, in spheres as wide as the point spread function (FWHM): smaller regions may
        be noise. 0 keeps all.

    Returns
    -------
    DataFrame
        One row for each inclusion, in the order of their first voxels: inclusion, z_um, y_um,
        x_um, volume_um3, thickness_um (shortest axis of an ellipsoid), distance_to_anode_um,
        enclosed (nothing but electrolyte around it); beyond the contract dark_volume_um3 (what
        would be missing if it were empty, with its rim: right also below the resolution),
        long_um, middle_um, short_um (of the ellipsoid with the same moments), feret_um,
        surface_um2, mean_grey, at_lithium, kind (always ``low_grey``).

    Raises
    ------
    ValueError
        If there are fringes.
    """
    refuse_fringes(uncorrected_fringes)
    total = yield from low_grey_regions.asking(volume, labels, cell, surfaces, reference)
    blur = blur_um(reference, cell.voxel_size_um)
    return inclusion_table(
        total,
        cell,
        find_columns(cell, surfaces),
        least_um3=least_psf_volumes * np.pi / 6 * blur**3,
        noise=Ratios(volume, cell, reference).noise(volume.shape[0] / 2),
        grey_scale=grey_scale,
    )


def inclusion_table(
    total: Total,
    cell: CellGeometry,
    columns: Columns,
    *,
    least_um3: float,
    noise: float,
    grey_scale: GreyScale,
) -> pd.DataFrame:
    """Give the table of inclusions of at least `least_um3`.

    Parameters
    ----------
    total : Total
        Sums over voxels.
    cell : CellGeometry
        Voxel size and axis.
    columns : Columns
        Where lithium is.
    least_um3 : float
        Smaller regions are left out.
    noise : float
        Standard deviation of a voxel, as a multiple of the electrolyte. What is darker than air
        by more than three of these is an artefact and left out.
    grey_scale : GreyScale
        Grey values of air and of electrolyte.
    """
    import pandas as pd

    size = np.array(cell.voxel_size_um)
    voxels = np.maximum(total.sums[:, COUNT], 1)
    mean = _GREY_STEP * total.sums[:, GREY] / voxels
    # Within one slice lie only arcs of rings.
    deep = total.sums[:, COUNT] * total.sums[:, ZZ] > total.sums[:, Z] ** 2
    kept = deep & (voxels * size.prod() >= least_um3) & (mean > -3 * noise / np.sqrt(voxels))
    sums, crossings, extents = total.sums[kept], total.crossings[kept], total.extents[kept]
    count = sums[:, COUNT].astype(float)
    z, y, x = ((sums[:, k] / count) * s for k, s in zip((Z, Y, X), size, strict=True))
    surface = crossings @ crofton_weights(size)
    dark = np.maximum(sums[:, DARK] * _GREY_STEP, 0) * size.prod()
    axes = _axes_um(sums, count, size)
    feret = (-extents.sum(axis=2)).max(axis=1, initial=0) + size.mean()
    return pd.DataFrame(
        {
            "inclusion": np.arange(1, len(sums) + 1),
            "z_um": z,
            "y_um": y,
            "x_um": x,
            "volume_um3": count * size.prod(),
            # Of an ellipsoid; where it is bent or branched, its moments say too much.
            "thickness_um": np.minimum(axes[:, 0], 3 * dark / surface),
            "distance_to_anode_um": _distance_um(columns, cell, z, y, x),
            "enclosed": sums[:, OPEN] == 0,
            "dark_volume_um3": dark,
            "long_um": axes[:, 2],
            "middle_um": axes[:, 1],
            "short_um": axes[:, 0],
            "feret_um": feret,
            "surface_um2": surface,
            "mean_grey": grey_scale.grey_value(_GREY_STEP * sums[:, GREY] / count),
            "at_lithium": sums[:, LITHIUM] > 0,
            "kind": np.full(len(sums), "low_grey"),
        }
    )


def _distance_um(
    columns: Columns, cell: CellGeometry, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    step, *pixel = cell.voxel_size_um
    v = np.clip(np.rint(y / pixel[0]).astype(int), 0, cell.shape[1] - 1)
    u = np.clip(np.rint(x / pixel[1]).astype(int), 0, cell.shape[2] - 1)
    lithium = columns.lithium[v, u]
    distance = columns.sign * z - lithium * step
    return np.asarray(np.where(np.isfinite(lithium), distance, np.nan))


def _axes_um(sums: np.ndarray, count: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Axes of the ellipsoid with the same second moments, ascending."""
    mean = np.stack([sums[:, k] / count for k in (Z, Y, X)], axis=1)
    second = np.empty((len(sums), 3, 3))
    for i, j, k in (
        (0, 0, ZZ), (1, 1, YY), (2, 2, XX), (0, 1, ZY), (0, 2, ZX), (1, 2, YX)
    ):  # fmt: skip
        moment = (sums[:, k] / count - mean[:, i] * mean[:, j]) * size[i] * size[j]
        second[:, i, j] = second[:, j, i] = moment
    second += np.diag(size**2 / 12)
    return np.asarray(2 * np.sqrt(5 * np.linalg.eigvalsh(second)))


@sweeping
def low_grey_regions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    *,
    rows: int | None = None,
) -> Asking[Total]:
    """Sum over each low-grey region of the electrolyte, slab by slab.

    Parameters
    ----------
    volume, labels, cell, surfaces, reference
        As for `inclusions`.
    rows : int, optional
        Height of a slab; the answer does not depend on it.
    """
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    task = (labels, columns, cell.voxel_size_um)
    return _joined((yield Sweep(ratios, _sum_slab, task, overlap=_OVERLAP, rows=rows)))


@dataclass(frozen=True)
class Total:
    """Sums over regions or pieces of them.

    Attributes
    ----------
    sums : ndarray of int64, shape (region, field)
        Over their voxels.
    crossings : ndarray of int64, shape (region, 13)
        How often lines along each of `DIRECTIONS` leave or enter them.
    extents : ndarray, shape (region, 13, 2)
        Lowest projection on each direction, µm, and the negative of the highest: both shrink as
        voxels are added.
    """

    sums: np.ndarray
    crossings: np.ndarray
    extents: np.ndarray

    @classmethod
    def of(cls, count: int) -> Total:
        """Start with nothing, for `count` regions."""
        return cls(
            np.zeros((count, FIELDS), np.int64),
            np.zeros((count, len(DIRECTIONS)), np.int64),
            np.full((count, len(DIRECTIONS), 2), np.inf),
        )


class _Part(NamedTuple):
    """Pieces of regions in a slab, and sums over each."""

    total: Total
    pieces: Pieces


def _sum_slab(
    slab: Block,
    ratios: np.ndarray,
    labels: Voxels,
    columns: Columns,
    voxel_size_um: Sequence[float],
) -> _Part:
    depth = labels.shape[0]
    low, high = columns.rows(columns.lithium, columns.front, depth)
    if slab.stop <= low or slab.first >= high:
        return _Part(Total.of(0), Pieces.of(np.zeros((1, *labels.shape[1:]), np.uint32), 0))
    around = np.asarray(labels[slab.outer])
    region = around == Label.LOW_GREY
    for k in np.flatnonzero(region.any(axis=(1, 2))).tolist():
        height = columns.height(slab.outer_first + k)
        region[k] &= (height >= columns.lithium) & (height < columns.front)
    numbers, count = label_pieces(region[slab.inner])
    total = Total.of(count)
    if count:
        seen = _Seen(region, around, ratios)
        _add(numbers, seen, slab.first, slab.inner.start, total.sums, total.crossings)
        _extend(total.extents, numbers, slab.first, voxel_size_um)
    return _Part(total, Pieces.of(numbers, count))


def _extend(
    extents: np.ndarray, numbers: np.ndarray, first: int, voxel_size_um: Sequence[float]
) -> None:
    """Extend pieces to their voxels; the slab begins with slice `first`."""
    size = np.asarray(voxel_size_um, float)
    along = DIRECTIONS * size
    steps = (along / np.linalg.norm(along, axis=1)[:, None] * size).T
    place = np.argwhere(numbers)
    number = numbers[tuple(place.T)] - 1
    z, y, x = place.T[:, :, None]
    projected = (z + first) * steps[0] + y * steps[1] + x * steps[2]
    np.minimum.at(extents[:, :, 0], number, projected)
    np.minimum.at(extents[:, :, 1], number, -projected)


def _joined(found: Sequence[_Part]) -> Total:
    """Add up the pieces of each region, in the order of their first voxels."""
    joiner, _ = join_slabs([part.pieces for part in found])
    numbers, count = joiner.numbers()
    region, total = numbers[1:].astype(np.int64) - 1, Total.of(count)
    np.add.at(total.sums, region, np.concatenate([part.total.sums for part in found]))
    flags = (OPEN, LITHIUM)
    total.sums[:, flags] = np.minimum(total.sums[:, flags], 1)
    np.add.at(total.crossings, region, np.concatenate([part.total.crossings for part in found]))
    np.minimum.at(total.extents, region, np.concatenate([part.total.extents for part in found]))
    return total


class _Seen(NamedTuple):
    """A slab and what lies around it: the regions, labels, and multiples of the electrolyte."""

    region: np.ndarray
    labels: np.ndarray
    ratios: np.ndarray


@njit(cache=True, nogil=True)
def _add(
    numbers: np.ndarray,
    seen: _Seen,
    first: int,
    start: int,
    sums: np.ndarray,
    crossings: np.ndarray,
) -> None:
    """Add each voxel of a slab: place, grey value, what is dark around it, and where it ends.

    The slab begins with the volume's slice `first`, `start` slices after what is seen.
    """
    region, labels, ratios = seen
    depth, height, width = region.shape
    for z in range(len(numbers)):
        for y in range(height):
            for x in range(width):
                if numbers[z, y, x] == 0:
                    continue
                p = numbers[z, y, x] - 1
                w = z + first
                row = sums[p]
                row[COUNT] += 1
                row[Z] += w
                row[Y] += y
                row[X] += x
                row[ZZ] += w * w
                row[YY] += y * y
                row[XX] += x * x
                row[ZY] += w * y
                row[ZX] += w * x
                row[YX] += y * x
                grey = np.int64(np.rint(ratios[z + start, y, x] / _GREY_STEP))
                row[GREY] += grey
                row[DARK] += np.int64(np.rint(1 / _GREY_STEP)) - grey
                for k in range(26):
                    d = _DIRECTIONS[k // 2]
                    turn = 1 - 2 * (k % 2)
                    c, b, a = z + start + turn * d[0], y + turn * d[1], x + turn * d[2]
                    if c < 0 or c >= depth or b < 0 or b >= height or a < 0 or a >= width:
                        row[OPEN] = 1
                        continue
                    if region[c, b, a]:
                        continue
                    crossings[p, k // 2] += 1
                    if labels[c, b, a] == _SE:
                        beside = _beside(region, c, b, a)
                        rest = (1 - ratios[c, b, a]) / beside
                        row[DARK] += np.int64(np.rint(rest / _GREY_STEP))
                    else:
                        row[OPEN] = 1
                        if labels[c, b, a] == _LI:
                            row[LITHIUM] = 1


@njit(cache=True, nogil=True)
def _beside(region: np.ndarray, z: int, y: int, x: int) -> int:
    """Count how many neighbors of a voxel belong to a region."""
    depth, height, width = region.shape
    found = 0
    for c in range(max(z - 1, 0), min(z + 2, depth)):
        for b in range(max(y - 1, 0), min(y + 2, height)):
            for a in range(max(x - 1, 0), min(x + 2, width)):
                found += region[c, b, a]
    return found
