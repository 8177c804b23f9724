"""Numbers of a ROI, each saying of what it is. In: a cell, a ROI, its histogram; out: a table."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts
from xct.analyze.roi.grey_statistics import Known
from xct.analyze.roi.shapes import Roi
from xct.analyze.roi.tables import known_of, statistics_table
from xct.errors import XctError
from xct.geometry import MATERIALS, Label
from xct.io.labels import open_labels
from xct.parallel.blocks import slabs
from xct.plugin.data.cells import Cell
from xct.plugin.roi.live import Histogram, values_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("quantity", "value", "low", "high", "pristine", "unit", "of")
_RESAMPLES = 100
_NORMAL_95 = 1.96  # standard deviations on each side
_PERCENTILES = (5, 25, 50, 75, 95)
_OF = {
    "mean": "all voxels of the ROI",
    "sd": "all voxels of the ROI; noise and material together",
    "skewness": "all voxels of the ROI",
    "peak": "the mode: where the histogram is highest",
    "width": "standard deviation of the peak alone",
    "tail_fraction": "voxels more than 3 sd of the noise below the electrolyte",
    "shift": "mean less the mean of the same ROI in {pristine}",
    "wasserstein": "mean way from the histogram of the same ROI in {pristine}",
}
_NAMES = {"peak": "mode (peak)", "tail_fraction": "tail", "wasserstein": "Wasserstein distance"}
_FIRST = ("N", "mean", "sd", "mode (peak)", "min", "max")
_BEYOND = 0.001  # of the voxels outside of the bins: what bins give is withheld then
_OF_BINS = ("skewness", "shift", "wasserstein")
_BEYOND_TEXT = (
    "voxels outside of the histogram's range: no intervals, no shift; leave steel out of the ROI"
)
_PURE = ("skewness", "tail_fraction")


def numbers_of(
    cell: Cell, roi: Roi, histogram: Histogram, pristine: Cell | None = None
) -> pd.DataFrame:
    """Measure a ROI: a row for each number, with its 95 % interval and the pristine cell's.

    Parameters
    ----------
    cell, roi, histogram
        What was counted.
    pristine : Cell, optional
        The cell whose counts the histogram holds beside.

    Returns
    -------
    DataFrame
        ``quantity, value, low, high, pristine, unit, of``; no rows where the ROI holds no value.
    """
    import pandas as pd

    own = _statistics(cell, histogram.counts, histogram)
    other: Mapping[str, Any] = {}
    if pristine is not None and histogram.pristine is not None:
        other = _statistics(pristine, histogram.pristine, replace(histogram, pristine=None))
    if not own:
        return pd.DataFrame(columns=list(COLUMNS))
    whole = _Whole.of(cell, roi, histogram)
    beyond = max(own["beyond_fraction"], other.get("beyond_fraction", 0.0)) > _BEYOND
    _take_exact(own, whole, beyond=beyond)
    rows = [_row("N", own["n"], unit="voxels", of="with a value", pristine=other.get("n"))]
    for key, meaning in _OF.items():
        if np.isfinite(own.get(key, np.nan)) and not (beyond and key in _OF_BINS):
            interval = {"low": own[f"{key}_low"], "high": own[f"{key}_high"]}
            unit = "1" if key in _PURE else histogram.unit
            meaning = meaning.format(pristine=histogram.pristine_name)
            beside = None if beyond and key in ("mean", "sd") else other.get(key)
            rows.append(_row(_NAMES.get(key, key), own[key], **interval, unit=unit, of=meaning,
                             pristine=beside))  # fmt: skip
    if "shift" not in own and other and not beyond:
        rows.append(_shift(own, other, histogram))
    rows += _percentile_rows(histogram) + whole.rows(histogram.unit)
    if beyond:
        rows.append(_row("beyond", own["beyond_fraction"], unit="1", of=_BEYOND_TEXT))
    if own["in_view"] < 0.999:
        rows.append(_row("in view", own["in_view"], unit="1", of="the ROI that lies in the volume"))
    rows.sort(key=lambda row: _FIRST.index(row["quantity"]) if row["quantity"] in _FIRST else 99)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def texts_of(row: Mapping[str, Any]) -> list[str]:
    """Write a row as the table shows it: quantity, value, 95 % interval, pristine, of what."""
    form = _form(row["quantity"], str(row["unit"]))
    value, low, high, pristine = (
        "" if row[key] is None or not np.isfinite(row[key]) else form.format(row[key])
        for key in ("value", "low", "high", "pristine")
    )
    interval = f"{low} … {high}" if low and high else ""
    return [str(row["quantity"]), value, interval, pristine, str(row["of"])]


def _form(quantity: str, unit: str) -> str:
    if quantity == "skewness":
        return "{:.2f}"
    if unit == "1":
        return "{:.2%}"
    return "{:,.0f}" if unit in ("voxels", "grey value") else "{:.3f}"


def _row(quantity: str, value: Any, **rest: Any) -> dict[str, Any]:
    filled = {name: np.nan if rest.get(name) is None else rest[name] for name in COLUMNS[2:]}
    return {"quantity": quantity, "value": float(value), **filled}


def _statistics(cell: Cell, counts: RoiCounts, histogram: Histogram) -> dict[str, Any]:
    known = _known(cell, counts, histogram)
    table = statistics_table(
        [counts], histogram.bins, {counts.name: known}, resamples=_RESAMPLES, mixture=False
    )
    return {str(key): value for key, value in table.iloc[0].items()} if len(table) else {}


def _known(cell: Cell, counts: RoiCounts, histogram: Histogram) -> Known | None:
    result = cell.result
    if histogram.unit != "grey value" or result is None:
        return None
    known = known_of(counts, result.cell, result.reference, result.grey_scale)
    before = None if histogram.pristine is None else histogram.pristine.total
    return None if known is None else replace(known, pristine=before)


def _shift(
    own: Mapping[str, Any], other: Mapping[str, Any], histogram: Histogram
) -> dict[str, Any]:
    """Give the shift where no noise of the electrolyte is known: from both means alone."""
    shift = own["mean"] - other["mean"]
    reach = _NORMAL_95 * float(np.hypot(own["mean_sd"], other["mean_sd"]))
    of = _OF["shift"].format(pristine=histogram.pristine_name)
    return _row("shift", shift, low=shift - reach, high=shift + reach, unit=histogram.unit, of=of)


def _percentile_rows(histogram: Histogram) -> list[dict[str, Any]]:
    own = _percentiles(histogram.counts.total, histogram.bins)
    other = [np.nan] * len(own)
    if histogram.pristine is not None:
        other = _percentiles(histogram.pristine.total, histogram.bins)
    return [
        _row(
            "median (50 %)" if percent == 50 else f"{percent} %",
            value,
            pristine=beside,
            unit=histogram.unit,
            of="percentile: so many of the voxels are below",
        )
        for percent, value, beside in zip(_PERCENTILES, own, other, strict=True)
    ]


def _percentiles(counts: np.ndarray, bins: GreyBins) -> list[float]:
    """Interpolate within bins; NaN where a percentile lies beyond the bins."""
    below = np.concatenate([[0], np.cumsum(counts)]) / max(int(counts.sum()), 1)
    edges = bins.low + np.arange(bins.count + 1) * bins.width
    found = np.interp(np.array(_PERCENTILES) / 100, below, edges)
    beyond = (found < edges[1]) | (found > edges[-2])
    return [float(value) for value in np.where(beyond, np.nan, found)]


@dataclass
class _Whole:
    """What is counted voxel by voxel, not by bins."""

    n: int = 0
    sums: float = 0.0
    squares: float = 0.0
    least: float = np.inf
    most: float = -np.inf
    materials: np.ndarray = field(default_factory=lambda: np.zeros(len(Label), np.int64))

    @classmethod
    def of(cls, cell: Cell, roi: Roi, histogram: Histogram) -> _Whole:
        """Read a ROI, slab by slab."""
        whole, region = cls(), roi.region(cell.frame)
        values = values_of(cell, normalized=histogram.unit == "grey value")
        labels = _labels(cell)
        z, y, x = region.slices
        for slab in slabs(region.shape):
            rows = slice(z.start + slab.first, z.start + slab.stop)
            mask = region.mask(slab.first, slab.stop)
            whole.add(np.asarray(values[rows, y, x])[mask])
            if labels is not None:
                found = np.asarray(labels[rows, y, x])[mask]
                whole.materials += np.bincount(found, minlength=len(Label))
        return whole

    def add(self, values: np.ndarray) -> None:
        """Add values; those that are none are left out."""
        part = values[np.isfinite(values)].astype(np.float64)
        if part.size:
            self.n += part.size
            self.sums += float(part.sum())
            self.squares += float(np.square(part).sum())
            self.least = min(self.least, float(part.min()))
            self.most = max(self.most, float(part.max()))

    @property
    def mean(self) -> float:
        """Mean of all values."""
        return self.sums / self.n if self.n else np.nan

    @property
    def sd(self) -> float:
        """Standard deviation of all values."""
        return float(np.sqrt(max(self.squares / self.n - self.mean**2, 0))) if self.n else np.nan

    def rows(self, unit: str) -> list[dict[str, Any]]:
        """Give least and largest value, and the part of each material."""
        found = []
        if self.n:
            for name, value in (("min", self.least), ("max", self.most)):
                found.append(_row(name, value, unit=unit, of="any voxel of the ROI"))
        known = self.materials.sum() - self.materials[Label.UNKNOWN]
        for name, code in MATERIALS.items():
            if self.materials[code]:
                of = "labelled voxels of the ROI, of unknown material left out"
                part = self.materials[code] / known
                found.append(_row(name.replace("_", " "), part, unit="1", of=of))
        return found


def _take_exact(own: dict[str, Any], whole: _Whole, *, beyond: bool) -> None:
    """Take mean and sd of the voxels in place of those of the bins, which end somewhere."""
    for key, exact in (("mean", whole.mean), ("sd", whole.sd)):
        moved = exact - own[key]
        own[key] = exact
        for end in ("low", "high"):
            own[f"{key}_{end}"] = np.nan if beyond else own[f"{key}_{end}"] + moved


def _labels(cell: Cell) -> Any:
    """Open the materials; None where there are none, or none that are whole."""
    with suppress(XctError):
        return open_labels(cell.volume_path, "materials")
    return None
