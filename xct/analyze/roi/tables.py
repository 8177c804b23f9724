"""Histograms of ROIs. In: a volume, a cell, a reference, ROIs; out: tables with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.comparison import compare_rois, comparison_numbers, roi_slopes
from xct.analyze.roi.coordinates import Roi
from xct.analyze.roi.counts import RoiCounts, count_rois
from xct.analyze.roi.figure import histograms_figure
from xct.analyze.roi.grey_statistics import Known, statistics_of
from xct.analyze.roi.homogeneity_test import grouped, homogeneity, variance_factors
from xct.analyze.roi.lines import line_tables, profiles_figure
from xct.analyze.roi.scaled import on_cell
from xct.errors import XctError
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale, Surface
from xct.normalize import Reference, grey_values
from xct.parallel.blocks import Voxels
from xct.quantity import Quantity, Tables
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd


class WithTables(Protocol):
    """A result that holds tables."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables by name."""
        ...

    @property
    def cell(self) -> CellGeometry:
        """Where its layers lie."""
        ...

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """Its height maps."""
        ...

    @property
    def grey_values(self) -> Voxels:
        """Its grey values, normalized."""
        ...


@stage(
    gives=Quantity(
        "histograms",
        unit="tables of grey values by ROI",
        store=Tables(),
        numbers=comparison_numbers,
        figures={"histograms": histograms_figure, "roi_profiles": profiles_figure},
    ),
    measures=True,
)
def histograms(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    rois: Sequence[Roi],
    pristine: WithTables | None = None,
    grey_scale: GreyScale = STANDARD_SCALE,
    surfaces: Mapping[str, Surface] | None = None,
    *,
    low: float = 10_000.0,
    high: float = 60_000.0,
    bins: Annotated[int, Ge(3), Le(100_000)] = 1000,
    block_um: Annotated[float, Gt(0)] = 40.0,
    resamples: Annotated[int, Ge(20), Le(100_000)] = 200,
    seed: Annotated[int, Ge(0)] = 0,
) -> dict[str, pd.DataFrame]:
    """Measure the grey values of every ROI, on the electrolyte's scale, undenoised.

    Intervals are of a block bootstrap, since neighbors share noise and particles, widened by
    `variance_factors` of ROIs that are named alike but for a number, for clusters of particles
    wider than a block (a ROI two or three clusters wide: the mean of the packing lies in 80 % of
    its intervals, of 42 % without). The tail is
    what lies more than three times the noise below the electrolyte: the noise of the electrolyte's
    own slices, as among particles blur scatters grey values more. The partial-volume mixture is
    fitted with the electrolyte's grey value held, and its scatter in the ROI's slice. Its ``b`` is
    not a reliable value of the pure material: blur, cracks and cavities leave hardly a voxel of a
    small particle pure, and fractions between are not all as likely. With the scatter held b
    comes out low (by 800 to 1,450 grey values in virtual cells, where b is 16,000 above the
    electrolyte), with the noise alone high (by 550 to 1,250): the intervals of ``b`` and
    ``fraction_b`` reach from one to the other. That is a bracket of two models, not chance; b is
    the material with its cracks, and no bound where particles are hardly wider than the blur.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the layers lie.
    reference : Reference
        The electrolyte's μ by depth and radius.
    rois : sequence of Roi
        What is measured.
    pristine : Result, optional
        The pristine cell, measured with the same ROIs and bins: gives shift, with the uncertainty
        of both means, and Wasserstein distance.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    surfaces : mapping of str to Surface, optional
        Height maps, for ROIs that follow one.
    low, high : float, optional
        Range of the bins; the first and last bin hold what lies beyond. Steel, above 60,000, is
        beyond unless given.
    bins : int, optional
        Their number; 50 grey values wide unless given, a fraction of the noise.
    block_um : float, optional
        Edge of a block of the bootstrap: several particles wide, so that blocks are independent.
        Smaller where a ROI holds fewer than 24 of them.
    resamples : int, optional
        Draws of the bootstrap: 200 know a standard deviation within 5 %.
    seed : int, optional
        Of the bootstrap's random numbers: the same seed gives the same intervals.

    Returns
    -------
    dict of str to DataFrame
        ``histograms`` (roi, grey_value, count), ``grey_statistics`` (a row for each ROI),
        ``homogeneity`` (a row for each group of ROIs), ``roi_slopes`` (grey value with depth, by
        group); with a pristine cell that holds its volume ``roi_changes`` and ``roi_test``; of
        lines, which are cylinders to these, also ``roi_profiles`` and ``roi_edges``.

    Raises
    ------
    DataError
        If a ROI holds no voxel.
    """
    edges = GreyBins(low, high, bins)
    grey = grey_values(volume, reference, cell, grey_scale)
    placed = [on_cell(roi, cell, surfaces) for roi in rois]
    tables = measure_rois(
        count_rois(grey, cell, placed, edges, block_um=block_um),
        cell,
        reference,
        pristine,
        grey_scale,
        bins=edges,
        resamples=resamples,
        seed=seed,
        before=_pristine_counts(pristine, rois, edges, block_um),
    )
    return tables | line_tables(grey, cell, placed)


def measure_rois(
    counted: Sequence[RoiCounts],
    cell: CellGeometry,
    reference: Reference,
    pristine: WithTables | None = None,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    bins: GreyBins,
    resamples: int = 200,
    seed: int = 0,
    mixture: bool = True,
    before: Sequence[RoiCounts] = (),
) -> dict[str, pd.DataFrame]:
    """Measure the grey values of ROIs: what `histograms` does, of voxels that were counted.

    Parameters
    ----------
    counted : sequence of RoiCounts
        From `count_rois`.
    cell, reference, pristine, grey_scale, resamples, seed
        As for `histograms`.
    bins : GreyBins
        Bins of the histograms.
    mixture : bool, optional
        Whether to fit the partial-volume mixture: most of the time goes there.
    before : sequence of RoiCounts, optional
        The same ROIs of the pristine cell, in the same bins, where it lies; for ``roi_changes``
        and ``roi_test``.

    Returns
    -------
    dict of str to DataFrame
        As of `histograms`.
    """
    known = {
        each.name: _with_pristine(
            known_of(each, cell, reference, grey_scale=grey_scale), each.name, bins, pristine
        )
        for each in counted
    }
    tables = {
        "histograms": histogram_table(counted, bins),
        "grey_statistics": statistics_table(
            counted, bins, known, resamples=resamples, seed=seed, mixture=mixture
        ),
        "homogeneity": homogeneity(counted, bins, seed=seed),
        "roi_slopes": roi_slopes(counted, bins, cell.sign, seed=seed),
    }
    if before:
        limits = {name: None if one is None else one.tail_below for name, one in known.items()}
        tables["roi_changes"], tables["roi_test"] = compare_rois(
            counted, before, bins, limits, draws=resamples, seed=seed
        )
    return tables


def _pristine_counts(
    pristine: WithTables | None, rois: Sequence[Roi], bins: GreyBins, block_um: float
) -> list[RoiCounts]:
    """Count the same ROIs in the pristine cell, block by block; none where its volume is gone."""
    if pristine is None or getattr(pristine, "cell", None) is None:  # tables alone are no blocks
        return []
    try:
        cell, surfaces = pristine.cell, pristine.surfaces
        placed = [on_cell(roi, cell, surfaces) for roi in rois]
        return count_rois(pristine.grey_values, cell, placed, bins, block_um=block_um)
    except (XctError, OSError, ValueError) as error:
        warnings.warn(
            f"the ROIs are not compared with those of the pristine cell, whose grey values cannot "
            f"be read ({error}); run it again with the same ROIs, and keep its volume.zarr",
            stacklevel=2,
        )
        return []


def known_of(
    counts: RoiCounts,
    cell: CellGeometry,
    reference: Reference,
    grey_scale: GreyScale = STANDARD_SCALE,
) -> Known | None:
    """Give what is known of a ROI's grey values from the reference.

    Parameters
    ----------
    counts : RoiCounts
        Of the ROI.
    cell : CellGeometry
        Where the layers lie.
    reference : Reference
        The electrolyte's μ and noise by depth.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.

    Returns
    -------
    Known or None
        None where the noise is not known.
    """
    scale = grey_scale.step / reference.peak_per_cm
    row = min(int(counts.middle[0] / cell.voxel_size_um[0]), len(reference.noise_per_cm) - 1)
    scatter = float(reference.noise_per_cm[row]) * scale
    noise = _noise_per_cm(reference, cell, row) * scale
    wider = scatter if scatter > noise else None
    return Known(grey_scale.reference_value, noise, scatter=wider) if noise > 0 else None


def histogram_table(counted: Sequence[RoiCounts], bins: GreyBins) -> pd.DataFrame:
    """Write counts as the contract's table: roi, grey_value, count."""
    import pandas as pd

    return pd.DataFrame(
        {
            "roi": np.repeat([each.name for each in counted], bins.count),
            "grey_value": np.tile(bins.grey_value, len(counted)),
            "count": np.concatenate([each.total for each in counted] or [np.zeros(0, np.int64)]),
        }
    )


def statistics_table(
    counted: Sequence[RoiCounts],
    bins: GreyBins,
    known: Mapping[str, Known | None] | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
    mixture: bool = True,
) -> pd.DataFrame:
    """Measure the histograms of ROIs.

    Parameters
    ----------
    counted : sequence of RoiCounts
        From `count_rois`.
    bins : GreyBins
        Their bins.
    known : mapping of str to Known, optional
        By ROI: the electrolyte, and the ROI's histogram in the pristine cell.
    resamples : int, optional
        Draws of the block bootstrap.
    seed : int, optional
        Of its random numbers.
    mixture : bool, optional
        Whether to fit the partial-volume mixture (``model``, ``model_a``, …).

    Returns
    -------
    DataFrame
        A row for each ROI that holds voxels with a value: ``roi, n, missing, blocks, in_view,
        beyond_fraction, variance_factor, model``, and numbers ``X`` with ``X_sd, X_low, X_high``
        (95 %): ``peak, width, mean, sd, skewness, percentile_0_1, percentile_99_9, tail_fraction,
        wasserstein, shift, model_a, model_b, model_sd_a, model_weight_a, …``.
    """
    import pandas as pd

    factors: dict[str, float] = {}
    for group in grouped(counted).values():
        found, _ = variance_factors(group, np.random.default_rng(seed), draws=1)
        factors |= {each.name: found for each in group}
    rows = [
        statistics_of(
            each,
            bins,
            (known or {}).get(each.name),
            factor=factors[each.name],
            resamples=resamples,
            seed=seed,
            mixture=mixture,
        )
        for each in counted
        if len(each.blocks)
    ]
    return pd.DataFrame(rows)


def _noise_per_cm(reference: Reference, cell: CellGeometry, row: int) -> float:
    """Give the noise of a slice; of the electrolyte's slices, if those are in view and it is not.

    Among particles what is measured as noise is mostly blur.
    """
    noise = np.asarray(reference.noise_per_cm, float)
    ends = [cell.planes.get(name) for name in ("lithium_electrolyte", "electrolyte_cathode")]
    if ends[0] is None or ends[1] is None:
        return float(noise[row])
    low, high = sorted(plane.height_um for plane in ends if plane is not None)
    z_um = np.arange(len(noise)) * cell.voxel_size_um[0]
    inside = (z_um > low) & (z_um < high)
    known = noise[inside & (noise > 0)]
    return float(noise[row]) if inside[row] or not known.size else float(np.median(known))


def _with_pristine(
    known: Known | None, name: str, bins: GreyBins, pristine: WithTables | None
) -> Known | None:
    """Add the histogram of a ROI in the pristine cell, and how well its mean is known."""
    if known is None or pristine is None:
        return known
    counts = _in_bins(pristine.tables.get("histograms"), name, bins)
    measured = pristine.tables.get("grey_statistics")
    row = None if measured is None else measured[measured["roi"] == name]
    sd = float(row["mean_sd"].iloc[0]) if row is not None and len(row) else 0.0
    return replace(known, pristine=counts, pristine_mean_sd=sd if np.isfinite(sd) else 0.0)


def _in_bins(table: pd.DataFrame | None, name: str, bins: GreyBins) -> np.ndarray | None:
    """Find the counts of a ROI in another result, if measured there in the same bins."""
    if table is None:
        return None
    part = table[table["roi"] == name]
    if len(part) != bins.count or not np.allclose(part["grey_value"], bins.grey_value):
        return None
    counts = part["count"].to_numpy()
    return counts if counts.any() else None
