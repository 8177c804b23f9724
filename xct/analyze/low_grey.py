"""Inclusions in the electrolyte that are darker than it. In: volume, labels; out: a table.

Lithium and void have the same grey value to X-rays of 25 keV: an inclusion is called low grey,
never lithium.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from xct.analyze import low_grey_sums as of
from xct.analyze.low_grey_sums import FIELDS, Extent, Total, add_low_grey, joined
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.quantity import Number, Quantity, Table
from xct.segment.connected import components
from xct.segment.crofton import crofton_weights
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.sharpened import blur_um
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd


# The table of inclusions. In: sums over voxels; out: a row for each inclusion.


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
        by more than it allows is an artefact and left out.
    grey_scale : GreyScale
        Grey values of air and of electrolyte.
    """
    import pandas as pd

    size = np.array(cell.voxel_size_um)
    voxels = np.maximum(total.sums[:, of.COUNT], 1)
    mean = of.GREY_STEP * total.sums[:, of.GREY] / voxels
    # Within one slice lie only arcs of rings.
    deep = total.sums[:, of.COUNT] * total.sums[:, of.ZZ] > total.sums[:, of.Z] ** 2
    kept = deep & (voxels * size.prod() >= least_um3) & (mean > -3 * noise / np.sqrt(voxels))
    sums, crossings, extents = total.sums[kept], total.crossings[kept], total.extents[kept]
    count = sums[:, of.COUNT].astype(float)
    z, y, x = ((sums[:, k] / count) * s for k, s in zip((of.Z, of.Y, of.X), size, strict=True))
    surface = crossings @ crofton_weights(size)
    dark = np.maximum(sums[:, of.DARK] * of.GREY_STEP, 0) * size.prod()
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
            "enclosed": sums[:, of.OPEN] == 0,
            "dark_volume_um3": dark,
            "long_um": axes[:, 2],
            "middle_um": axes[:, 1],
            "short_um": axes[:, 0],
            "feret_um": feret,
            "surface_um2": surface,
            "mean_grey": grey_scale.grey_value(of.GREY_STEP * sums[:, of.GREY] / count),
            "at_lithium": sums[:, of.LITHIUM] > 0,
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
    mean = np.stack([sums[:, k] / count for k in (of.Z, of.Y, of.X)], axis=1)
    second = np.empty((len(sums), 3, 3))
    for i, j, k in (
        (0, 0, of.ZZ), (1, 1, of.YY), (2, 2, of.XX), (0, 1, of.ZY), (0, 2, of.ZX), (1, 2, of.YX)
    ):  # fmt: skip
        moment = (sums[:, k] / count - mean[:, i] * mean[:, j]) * size[i] * size[j]
        second[:, i, j] = second[:, j, i] = moment
    second += np.diag(size**2 / 12)
    return np.asarray(2 * np.sqrt(5 * np.linalg.eigvalsh(second)))


_OVERLAP = 2  # slices: an electrolyte voxel beside an inclusion, and what is around that


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
def inclusions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    least_spreads: Annotated[float, Ge(0)] = 3.0,
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
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    least_spreads : float, optional
        Least volume, in spheres as wide as the point spread (FWHM).

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
        grey_scale=grey_scale,
    )


def low_grey_regions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
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
