"""Voxels counted by grey value. In: a volume, a cell, a reference; out: counts by slice and bin.

Whole numbers, and sums over whole slices: no answer depends on where the volume was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le

from xct.errors import DataError
from xct.figures import canvas
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize import GreyValues, Reference, grey_values
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.sweeps import Asking, Sweep, sweeping
from xct.parallel.threads import over_ranges
from xct.quantity import Counts, Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from xarray import DataArray

_UM_PER_CM = 1e4


@dataclass(frozen=True)
class GreyBins:
    """Equal bins; the first and the last also hold what lies beyond.

    Attributes
    ----------
    low, high : float
        Lower edge of the first and upper edge of the last bin.
    count : int
        Number of bins.
    """

    low: float = 10_000.0
    high: float = 60_000.0
    count: int = 1000

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise DataError(
                f"bins from {self.low:g} to {self.high:g} are empty; low must be below high"
            )
        if self.count < 3:
            raise DataError(f"{self.count} bins are too few; a histogram needs at least 3")

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (self.high - self.low) / self.count

    @property
    def grey_value(self) -> np.ndarray:
        """Centers of the bins."""
        return self.low + (np.arange(self.count) + 0.5) * self.width


class SliceCounts(NamedTuple):
    """What one pass over a volume counts.

    Attributes
    ----------
    depth_histogram : DataArray, dimensions (z_um, grey_value)
        Voxels by height of the slice and center of the bin.
    plane_transmission : DataFrame or None
        ``z_um, transmission``: the fraction of the beam that each plane transmits; None where the
        reference does not know μ.
    """

    depth_histogram: DataArray
    plane_transmission: DataFrame | None


def depth_histogram_figure(depth_histogram: DataArray) -> Figure:
    """Draw how often each grey value occurs at each depth, on a logarithmic scale."""
    figure, axes = canvas(1, 1, (8, 6))
    grey, z = depth_histogram["grey_value"].values, depth_histogram["z_um"].values
    counts = depth_histogram.values
    image = np.full(counts.shape, np.nan)
    image[counts > 0] = np.log10(counts[counts > 0])
    shown = axes[0].pcolormesh(grey, z, image, cmap="magma", shading="nearest", rasterized=True)
    axes[0].invert_yaxis()
    axes[0].set(xlabel="grey value", ylabel="z (µm)", title="Grey values by depth")
    figure.colorbar(shown, ax=axes[0], label="log₁₀ voxels")
    return figure


@stage(
    gives=(
        Quantity(
            "depth_histogram",
            ("z_um", "grey_value"),
            "voxels",
            store=Counts(),
            figures={"depth_histogram": depth_histogram_figure},
        ),
        Quantity("plane_transmission", unit="table of planes", store=Table()),
    ),
    measures=True,
)
@sweeping
def depth_histogram(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    low: float = 10_000.0,
    high: float = 80_000.0,
    bins: Annotated[int, Ge(3), Le(100_000)] = 700,
    margin_um: Annotated[float, Ge(0)] = 5.0,
) -> Asking[SliceCounts]:
    """Count the voxels of each slice inside the bore by normalized grey value, undenoised.

    The same pass finds the transmission of each plane, small where it is photon-starved.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the bore lies.
    reference : Reference
        The electrolyte's μ by depth and radius.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    low, high : float, optional
        Range of the bins; the first and last bin hold what lies beyond. Steel, above 60,000, is
        within the range unless given.
    bins : int, optional
        Their number; 100 grey values wide unless given, a fraction of the noise.
    margin_um : float, optional
        Voxels nearer to the bore's wall are left out: blur mixes them with the tube.

    Returns
    -------
    SliceCounts
        ``depth_histogram``, a DataArray of dimensions (z_um, grey_value): voxels by height of the
        slice and center of the bin; ``plane_transmission``, a table: z_um, transmission; None
        where values are not known to be μ.
    """
    edges = GreyBins(low, high, bins)
    return (
        yield from count_planes.asking(
            volume, cell, reference, edges, grey_scale, margin_um=margin_um
        )
    )


@sweeping
def count_planes(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    bins: GreyBins,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    margin_um: float = 0.0,
    rows: int | None = None,
) -> Asking[SliceCounts]:
    """Count grey values by slice, and find the transmission of each plane, in one pass.

    Parameters
    ----------
    volume, cell, reference, grey_scale
        As for `depth_histogram`.
    bins : GreyBins
        Bins.
    margin_um : float, optional
        Voxels nearer to the bore's wall are not counted.
    rows : int, optional
        Slices read at a time; the answer does not depend on it.
    """
    grey = grey_values(volume, reference, cell, grey_scale)
    found = yield Sweep(volume, _count_slab, (grey, cell, bins, margin_um), rows=rows)
    counts, means = (np.concatenate(parts) for parts in zip(*found, strict=True))
    transmission = _transmission(means - reference.air, cell) if reference.mu_known else None
    return SliceCounts(_by_depth(counts, cell, bins), transmission)


def count_slices(
    grey: Voxels,
    cell: CellGeometry,
    bins: GreyBins,
    *,
    margin_um: float = 0.0,
    rows: int | None = None,
) -> DataArray:
    """Count the voxels of each slice inside the bore by value.

    Parameters
    ----------
    grey : Voxels, shape (z, y, x)
        Values; NaN are left out.
    cell : CellGeometry
        Where the bore lies.
    bins : GreyBins
        Bins.
    margin_um : float, optional
        Voxels nearer to the bore's wall are left out.
    rows : int, optional
        Slices read at a time; the answer does not depend on it.
    """
    blocks = slabs(grey.shape, rows=rows)
    counts = map_blocks(_count_grey, blocks, grey, cell, bins, margin_um)
    return _by_depth(np.concatenate(counts), cell, bins)


def plane_transmission(volume: Voxels, cell: CellGeometry, *, rows: int | None = None) -> DataFrame:
    """Give the fraction of the beam that each plane transmits along a diameter of the bore.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the bore is.
    rows : int, optional
        Slices read at a time; the answer does not depend on it.

    Returns
    -------
    DataFrame
        ``z_um, transmission``, exp(−mean μ · diameter).
    """
    means = map_blocks(_read_means, slabs(volume.shape, rows=rows), volume, cell)
    return _transmission(np.concatenate(means), cell)


def _count_slab(
    block: Block,
    values: np.ndarray,
    grey: GreyValues,
    cell: CellGeometry,
    bins: GreyBins,
    margin_um: float,
) -> tuple[np.ndarray, np.ndarray]:
    means = _plane_means(values, block.first, cell)
    counts = _counts(grey.normalized(values, block.outer), block.first, cell, bins, margin_um)
    return counts, means


def _count_grey(
    block: Block, grey: Voxels, cell: CellGeometry, bins: GreyBins, margin_um: float
) -> np.ndarray:
    return _counts(np.asarray(grey[block.outer]), block.first, cell, bins, margin_um)


def _read_means(block: Block, volume: Voxels, cell: CellGeometry) -> np.ndarray:
    return _plane_means(np.asarray(volume[block.outer]), block.first, cell)


def _counts(
    values: np.ndarray, start: int, cell: CellGeometry, bins: GreyBins, margin_um: float
) -> np.ndarray:
    """Count slices that begin with the volume's slice `start`, shape (z, bin)."""
    counts = np.zeros((len(values), bins.count), np.int64)
    radius = cell.bore_radius_um - margin_um

    def count(first: int, stop: int) -> None:
        for row in range(first, stop):
            disc = _disc(cell, start + row, radius)
            _count_disc(values[row], disc, bins.low, bins.width, counts[row])

    over_ranges(count, len(values))
    return counts


def _plane_means(values: np.ndarray, start: int, cell: CellGeometry) -> np.ndarray:
    """Mean of each slice inside the bore; 0 where it has no value."""
    means = np.zeros(len(values))

    def average(first: int, stop: int) -> None:
        for row in range(first, stop):
            means[row] = _mean_of_disc(values[row], _disc(cell, start + row, cell.bore_radius_um))

    over_ranges(average, len(values))
    return means


def _transmission(means: np.ndarray, cell: CellGeometry) -> DataFrame:
    import pandas as pd

    transmission = np.exp(-np.maximum(means, 0) * 2 * cell.bore_radius_um / _UM_PER_CM)
    z_um = np.arange(len(means)) * cell.voxel_size_um[0]
    return pd.DataFrame({"z_um": z_um, "transmission": transmission})


def _by_depth(counts: np.ndarray, cell: CellGeometry, bins: GreyBins) -> DataArray:
    import xarray as xr

    z_um = np.arange(len(counts)) * cell.voxel_size_um[0]
    coords = {"z_um": z_um, "grey_value": bins.grey_value}
    return xr.DataArray(counts, coords=coords, dims=("z_um", "grey_value"), name="counts")


class _Disc(NamedTuple):
    """The bore in one slice: y and x of the columns from the axis, and a radius, µm."""

    y_um: np.ndarray
    x_um: np.ndarray
    radius_um: float


def _disc(cell: CellGeometry, z_index: int, radius_um: float) -> _Disc:
    y, x = cell.offsets_um(z_index)
    return _Disc(y[:, 0], x[0], radius_um)


@njit(cache=True, nogil=True)
def _count_disc(
    plane: np.ndarray, disc: _Disc, low: float, width: float, counts: np.ndarray
) -> None:
    """Add the voxels of a slice within a disc to the counts (bin,); NaN are left out."""
    bins = counts.size
    inverse = 1.0 / width
    for y in range(plane.shape[0]):
        left = disc.radius_um * disc.radius_um - disc.y_um[y] * disc.y_um[y]
        if left < 0:
            continue
        for x in range(plane.shape[1]):
            if disc.x_um[x] * disc.x_um[x] > left:
                continue
            value = plane[y, x]
            if value == value:
                counts[int(min(max((value - low) * inverse, 0.0), bins - 1.0))] += 1


@njit(cache=True, nogil=True)
def _mean_of_disc(plane: np.ndarray, disc: _Disc) -> float:
    """Mean of the finite voxels of a slice within a disc; 0 where there are none."""
    total, count = 0.0, 0
    for y in range(plane.shape[0]):
        left = disc.radius_um * disc.radius_um - disc.y_um[y] * disc.y_um[y]
        if left < 0:
            continue
        for x in range(plane.shape[1]):
            value = plane[y, x]
            if disc.x_um[x] * disc.x_um[x] <= left and np.isfinite(value):
                total += value
                count += 1
    return total / count if count else 0.0
