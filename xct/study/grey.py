"""Grey values of one ROI set in every cell. In: cells, ROIs; out: tables, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.coordinates import Region, Roi
from xct.analyze.roi.counts import RoiCounts, count_labels, count_rois
from xct.analyze.roi.grey_statistics import wasserstein
from xct.analyze.roi.scaled import on_cell
from xct.analyze.roi.tables import measure_rois
from xct.errors import XctError
from xct.geometry import CellGeometry, Label
from xct.study.cells import Cell

if TYPE_CHECKING:
    from pandas import DataFrame

_BINS = GreyBins()
_RESAMPLES = 100  # know a standard deviation within 7 %
_IN_BORE = 0.98  # of the voxels of a ROI, at least
_FOREIGN = 0.02  # of the voxels of a ROI, at most, without a word
_EXPECTED = (Label.ELECTROLYTE, Label.ACTIVE_MATERIAL, Label.LOW_GREY)
# What the table of a study shows of each ROI.
NUMBERS = ("peak", "width", "mean", "skewness", "tail_fraction", "shift", "wasserstein")


@dataclass(frozen=True)
class GreyCell:
    """What was measured in the ROIs of one cell.

    Attributes
    ----------
    cell : Cell
        The cell.
    rois : list of Roi
        In µm, as they lie in it.
    tables : dict of str to DataFrame
        ``histograms, grey_statistics, homogeneity``; empty where nothing could be measured.
    left_out : list of str
        ROIs that do not lie in this cell, and why; ROIs that hold something else.
    materials : dict of str to ndarray
        By ROI: fractions of its voxels by label; empty where there are no labels.
    """

    cell: Cell
    rois: list[Roi]
    tables: dict[str, DataFrame]
    left_out: list[str]
    materials: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """Histogram of each ROI that was measured, by its name."""
        table = self.tables.get("histograms")
        if table is None:
            return {}
        by_roi = table.groupby("roi", sort=False)["count"]
        return {str(roi): counts.to_numpy(float) for roi, counts in by_roi}


def kind_of(roi: str) -> str:
    """Give the kind of a ROI: its name without the number at the end."""
    return re.sub(r"[-_ ]*\d+$", "", roi) or roi


def measure_grey(cells: Sequence[Cell], rois: Sequence[Roi]) -> list[GreyCell]:
    """Measure the ROIs in every cell, each against the pristine cell of its group.

    Parameters
    ----------
    cells : sequence of Cell
        In the order of the study.
    rois : sequence of Roi
        One set for all; in a cell without the place of a ROI it is left out, and that is said.
    """
    found: dict[str, GreyCell] = {}
    counts: dict[str, list[RoiCounts]] = {}  # of pristine cells, which several are compared with
    for cell in sorted(cells, key=lambda cell: not cell.is_pristine):
        placed, left_out = _placed(cell, rois)
        if not placed or cell.geometry is None:
            found[cell.name] = GreyCell(cell, [], {}, left_out)
            continue
        counted = count_rois(cell.grey_values, cell.geometry, placed, _BINS)
        if cell.is_pristine:
            counts[cell.name] = counted
        name = None if cell.pristine is None else cell.pristine.name
        before = counts.get(name, []) if name else []
        pristine = SimpleNamespace(tables=found[name].tables) if name and before else None
        tables = measure_rois(
            counted, cell.geometry, cell.result.reference, pristine, cell.result.grey_scale,
            resamples=_RESAMPLES, mixture=False, before=before, bins=_BINS,
        )  # fmt: skip
        materials = _fractions(cell, placed, cell.geometry)
        left_out += [text for roi, part in materials.items() for text in _foreign(cell, roi, part)]
        found[cell.name] = GreyCell(cell, placed, tables, left_out, materials)
    return [found[cell.name] for cell in cells]


def _placed(cell: Cell, rois: Sequence[Roi]) -> tuple[list[Roi], list[str]]:
    """Give the ROIs as they lie in a cell, and say which are left out, and why."""
    geometry = cell.geometry
    if geometry is None:
        return [], [f"{cell.name}: no ROI: the cell was not found in it"]
    try:
        _ = cell.grey_values, cell.result.reference
    except XctError as error:
        return [], [f"{cell.name}: no ROI: grey values are missing: {error}"]
    placed, left_out = [], []
    for roi in rois:
        try:
            here = on_cell(roi, geometry, cell.surfaces)
            part = _in_bore(here.region(geometry), geometry)
            if part < _IN_BORE:
                raise ValueError(f"ROI {roi.name}: {1 - part:.0%} of it lies outside of the bore")
        except ValueError as error:
            left_out.append(f"{cell.name}: {error}; it is left out")
            continue
        placed.append(here)
    return placed, left_out


def _in_bore(region: Region, geometry: CellGeometry) -> float:
    """Part of a region, in its middle slice, that lies within the bore."""
    z, y, x = region.slices
    middle = (z.stop - z.start) // 2
    mask = region.mask(middle, middle + 1)[0]
    inside = geometry.in_bore(z.start + middle)[y, x]
    return float(inside[mask].mean()) if mask.any() else 1.0


def _fractions(cell: Cell, rois: Sequence[Roi], geometry: CellGeometry) -> dict[str, np.ndarray]:
    """Give the fractions of ROIs by label, by name; nothing where there are no labels."""
    try:
        labels = cell.result.labels("materials")
    except XctError:
        return {}
    counts = count_labels(labels, [roi.region(geometry) for roi in rois])
    return {
        roi.name: np.asarray(own / max(int(own.sum()), 1))
        for roi, own in zip(rois, counts, strict=True)
    }


def _foreign(cell: Cell, roi: str, fractions: np.ndarray) -> list[str]:
    """Say what a ROI holds besides what a cathode and an electrolyte are made of."""
    return [
        f"{cell.name}: ROI {roi}: {fractions[label]:.0%} of it is {label.name.lower()}; "
        "its grey values are not those of one layer"
        for label in Label
        if label not in _EXPECTED and fractions[label] > _FOREIGN
    ]


def statistics(cells: Sequence[GreyCell]) -> DataFrame:
    """Join the numbers of all ROIs: ``cell, group, cycles, roi, n``, and X with X_low, X_high."""
    return _joined(cells, "grey_statistics")


def histograms_of(cells: Sequence[GreyCell]) -> DataFrame:
    """Join the histograms: ``cell, group, cycles, roi, grey_value, count``."""
    return _joined(cells, "histograms")


def _joined(cells: Sequence[GreyCell], name: str) -> DataFrame:
    import pandas as pd

    parts = [
        each.tables[name].assign(
            cell=each.cell.name, group=each.cell.group, cycles=each.cell.cycles
        )
        for each in cells
        if name in each.tables
    ]
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    first = ["cell", "group", "cycles"]
    return table[[*first, *(column for column in table if column not in first)]]


def homogeneity_table(cells: Sequence[GreyCell]) -> DataFrame:
    """Say for each kind of ROI in each cell whether its ROIs hold the same.

    Returns
    -------
    DataFrame
        ``cell, kind, rois, distance`` (mean Wasserstein distance of a ROI from all together),
        ``distance_by_chance, p_value, largest_difference, largest_difference_sd`` (of means).
    """
    import pandas as pd

    parts = [
        each.tables["homogeneity"].rename(columns={"group": "kind"}).assign(cell=each.cell.name)
        for each in cells
        if "homogeneity" in each.tables
    ]
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    return table[["cell", *(column for column in table if column != "cell")]]


def same_kind_distance(cell: GreyCell) -> dict[str, float]:
    """Give the largest distance between two ROIs of one kind: what sameness looks like.

    Returns
    -------
    dict of str to float
        Wasserstein distance in grey values, by kind.
    """
    counts: dict[str, list[np.ndarray]] = {}
    for roi, own in cell.counts.items():
        counts.setdefault(kind_of(roi), []).append(own[None])
    return {
        kind: max(
            float(wasserstein(a, b, _BINS.width)[0])
            for number, a in enumerate(several)
            for b in several[number + 1 :]
        )
        for kind, several in counts.items()
        if len(several) > 1
    }
