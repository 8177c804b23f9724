"""Grey values by depth. In: a volume, a cell, a reference; out: counts by slice and grey value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Le

from xct.analyze.grey_bins import GreyBins, count_disc
from xct.figures import canvas
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize import Reference, grey_values
from xct.parallel.blocks import Voxels, slabs
from xct.parallel.threads import over_ranges
from xct.quantity import Counts, Quantity
from xct.stages import stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from xarray import DataArray


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
    gives=Quantity(
        "depth_histogram",
        ("z_um", "grey_value"),
        "voxels",
        store=Counts(),
        figures={"depth_histogram": depth_histogram_figure},
    ),
    measures=True,
)
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
) -> DataArray:
    """Count the voxels of each slice inside the bore by normalized grey value, undenoised.

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
        Range of the bins; the first and last bin hold what lies beyond.
    bins : int, optional
        Their number.
    margin_um : float, optional
        Distance to keep off the bore's wall.

    Returns
    -------
    DataArray, dimensions (z_um, grey_value)
        Voxels by height of the slice and center of the bin.
    """
    grey = grey_values(volume, reference, cell, grey_scale)
    edges = GreyBins(low, high, bins)
    return count_slices(grey, cell, edges, margin_um=margin_um)


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
        Distance to keep off the bore's wall.
    rows : int, optional
        Slices read at a time; the answer does not depend on it.
    """
    import xarray as xr

    counts = np.zeros((grey.shape[0], bins.count), np.int64)
    radius = cell.bore_radius_um - margin_um
    for block in slabs(grey.shape, rows=rows):
        values = np.asarray(grey[block.outer])

        def count(
            first: int, stop: int, values: np.ndarray = values, start: int = block.first
        ) -> None:
            for row in range(first, stop):
                y, x = cell.offsets_um(start + row)
                count_disc(
                    values[row], y[:, 0], x[0], radius, bins.low, bins.width, counts[start + row]
                )

        over_ranges(count, len(values))
    z_um = np.arange(grey.shape[0]) * cell.voxel_size_um[0]
    coords = {"z_um": z_um, "grey_value": bins.grey_value}
    return xr.DataArray(counts, coords=coords, dims=("z_um", "grey_value"), name="counts")
