"""Inclusions in the electrolyte that are darker than it. In: volume, labels; out: a table.

Lithium and void have the same grey value to X-rays of 25 keV: an inclusion is called low grey,
never lithium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from xct.analyze.low_grey_sums import FIELDS, Extent, Total, add_low_grey, joined
from xct.analyze.low_grey_table import inclusion_table
from xct.geometry import CellGeometry, Surface
from xct.labels import Label
from xct.segment.columns import find_columns
from xct.segment.edges import blur_um
from xct.segment.labeling import components
from xct.segment.normalized import Ratios
from xct.stages import stage
from xct.voxels import Voxels

if TYPE_CHECKING:
    import pandas as pd

_OVERLAP = 2  # slices: an electrolyte voxel beside an inclusion, and what is around that


@stage(gives="inclusions", measures=True)
def inclusions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: Any,
    *,
    least_spreads: Annotated[float, Ge(0)] = 3.0,
    zero: float = 20_000.0,
    reference_value: float = 22_100.0,
) -> pd.DataFrame:
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
    least_spreads : float, optional
        Least volume, in spheres as wide as the point spread (FWHM).
    zero, reference_value : float, optional
        Grey values of air and of electrolyte.

    Returns
    -------
    DataFrame
        One row for each inclusion, in the order of their first voxels: inclusion, z_um, y_um,
        x_um, volume_um3, thickness_um (shortest axis of an ellipsoid), distance_to_anode_um,
        enclosed (nothing but electrolyte around it); beyond the contract dark_volume_um3 (what
        would be missing if it were empty, with its rim: right also below the resolution),
        long_um, middle_um, short_um (of the ellipsoid with the same moments), feret_um,
        surface_um2, mean_grey, at_lithium, kind (always ``low_grey``).
    """
    total = low_grey_regions(volume, labels, cell, surfaces, reference)
    blur = blur_um(reference, cell.voxel_size_um)
    return inclusion_table(
        total,
        cell,
        find_columns(cell, surfaces),
        least_um3=least_spreads * np.pi / 6 * blur**3,
        noise=Ratios(volume, cell, reference).noise(volume.shape[0] / 2),
        zero=zero,
        reference_value=reference_value,
    )


def low_grey_regions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: Any,
    *,
    rows: int | None = None,
) -> Total:
    """Sum over each low-grey region of the electrolyte, in slabs on which no sum depends."""
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    depth = volume.shape[0]
    sums: list[np.ndarray] = []
    crossings: list[np.ndarray] = []
    extents: list[np.ndarray] = []

    def region(first: int, stop: int) -> np.ndarray:
        part: np.ndarray = np.asarray(labels[first:stop]) == Label.LOW_GREY
        for k in np.flatnonzero(part.any(axis=(1, 2))).tolist():
            height = columns.height(first + k)
            part[k] &= (height >= columns.lithium) & (height < columns.front)
        return part

    def visit(first: int, pieces: np.ndarray, count: int, before: int) -> None:
        new = np.zeros((count + 1, FIELDS), np.int64)
        crossed = np.zeros((count + 1, 13), np.int64)
        extent = Extent.of(count, cell.voxel_size_um)
        if count:
            low, high = max(first - _OVERLAP, 0), min(first + len(pieces) + _OVERLAP, depth)
            around = np.asarray(labels[low:high])
            values = ratios.read(low, high)
            inside = region(low, high)
            start = first - low
            add_low_grey(pieces, inside, around, values, first, start, new, crossed)
            extent.add(pieces, first)
        sums.append(new[1:])
        crossings.append(crossed[1:])
        extents.append(extent.values[1:])

    joiner, _ = components(region, volume.shape, visit=visit, rows=rows)
    numbers, count = joiner.numbers()
    return joined(numbers[1:], count, sums, crossings, extents)
