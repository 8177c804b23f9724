"""Histograms that are looked into in the report. In: cells; out: charts by region and by depth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.errors import XctError
from xct.report.chart import Chart
from xct.study.cells import Cell
from xct.study.grey import GreyCell

if TYPE_CHECKING:
    from xarray import DataArray

_JOINED = 2  # bins of a ROI's histogram: 100 grey values, a fraction of the noise
_TAILS = (0.0005, 0.9995)  # of the voxels of a curve, beyond which nothing is drawn
_SURFACE = "electrolyte_cathode"  # from which depth counts
_MOST_BANDS = 40
_BANDS_UM = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_DEPTH_STEP = 200.0  # grey values of a bin by depth
_MOST_GREY = 60_000.0  # steel lies beyond


def roi_chart(cells: Sequence[GreyCell]) -> Chart | None:
    """Give the histogram of every ROI in every cell, percent of its voxels."""
    shown = [each for each in cells if each.counts]
    if not shown:
        return None
    bins = GreyBins()
    rois = list(dict.fromkeys(roi for each in shown for roi in each.counts))
    every = [counts for each in shown for counts in each.counts.values()]
    first, stop = _used(every)
    first -= first % _JOINED
    stop += (first - stop) % _JOINED

    def curve(counts: np.ndarray | None) -> np.ndarray | None:
        if counts is None or not counts.any():
            return None
        joined = counts[first:stop].reshape(-1, _JOINED).sum(axis=1)
        return np.asarray(100 * joined / counts.sum())

    return Chart(
        name="histograms_by_region",
        caption="Histogram of one region in every cell; dashed: pristine.",
        place="Region",
        x_label="grey value",
        y_label=f"voxels (% per {_JOINED * bins.width:.0f} grey values)",
        first=bins.low + (first + _JOINED / 2) * bins.width,
        step=_JOINED * bins.width,
        series=[each.cell.name for each in shown],
        dashed=[each.cell.is_pristine for each in shown],
        places={roi: [curve(each.counts.get(roi)) for each in shown] for roi in rois},
    )


def _used(several: Sequence[np.ndarray]) -> tuple[int, int]:
    """Give the bins between which all but the tails of every histogram lie."""
    ends = []
    for counts in several:
        inner = np.concatenate([[0], counts[1:-1], [0]])  # the outermost hold what lies beyond
        below = np.cumsum(inner) / max(inner.sum(), 1)
        ends.append(np.searchsorted(below, _TAILS))
    first, last = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    return int(first), int(min(last + 1, len(several[0])))


def depth_chart(cells: Sequence[Cell]) -> Chart | None:
    """Give the histogram of every cell by depth from the cathode's face, percent of the voxels.

    Depth is that of flat slices from the mean plane of the face, positive into the cathode.
    """
    found = [(cell, counts) for cell in cells if (counts := _by_depth(cell)) is not None]
    found = [(c, counts) for c, counts in found if _same_bins(counts, found[0][1])]
    if not found:
        return None
    grey = found[0][1]["grey_value"].to_numpy()
    joined = max(1, round(_DEPTH_STEP / float(grey[1] - grey[0])))
    length = int((grey < _MOST_GREY).sum()) // joined * joined
    depths = [counts["depth_um"].to_numpy() for _, counts in found]
    low, high = min(d.min() for d in depths), max(d.max() for d in depths)
    fits = (width for width in _BANDS_UM if (high - low) / width < _MOST_BANDS - 1)
    width = next(fits, float(high - low) / (_MOST_BANDS - 2))
    edges = np.arange(np.floor(low / width), np.ceil((high + 1e-6) / width) + 1) * width
    bands = [
        _banded(counts.to_numpy(), d, edges) for (_, counts), d in zip(found, depths, strict=True)
    ]
    first, stop = _used([counts[:, :length].sum(axis=0) for counts in bands])
    first -= first % joined
    stop = min(stop + (first - stop) % joined, length)
    places = {}
    for number, (a, b) in enumerate(pairwise(edges)):
        curves = [_percent(counts[number], first, stop, joined) for counts in bands]
        if any(curve is not None for curve in curves):
            places[f"{a:.4g} to {b:.4g} µm".replace("-", "−")] = curves
    starts = list(places)
    zero = next((n for n, name in enumerate(starts) if not name.startswith("−")), 0)
    step = joined * float(grey[1] - grey[0])
    return Chart(
        name="histograms_by_depth",
        caption="Histogram of flat slices within the bore, by their depth from the mean plane of "
        "electrolyte | cathode; below 0: the electrolyte and the anode.",
        place="Depth",
        x_label="grey value",
        y_label=f"voxels (% per {step:.0f} grey values)",
        first=float(grey[first]) + (joined - 1) / 2 * float(grey[1] - grey[0]),
        step=step,
        series=[cell.name for cell, _ in found],
        dashed=[cell.is_pristine for cell, _ in found],
        places=places,
        in_order=True,
        begin=zero,
    )


def _by_depth(cell: Cell) -> DataArray | None:
    """Give counts by depth and grey value; None where they, or the face, were not found."""
    if cell.geometry is None or _SURFACE not in cell.geometry.planes:
        return None
    try:
        counts: DataArray = cell.result.quantity("depth_histogram")
    except XctError:
        return None
    face_um = cell.geometry.planes[_SURFACE].height_um
    return counts.assign_coords(depth_um=cell.geometry.sign * (counts["z_um"] - face_um))


def _same_bins(one: DataArray, other: DataArray) -> bool:
    a, b = one["grey_value"].to_numpy(), other["grey_value"].to_numpy()
    return a.shape == b.shape and np.allclose(a, b)


def _banded(counts: np.ndarray, depth_um: np.ndarray, edges: np.ndarray) -> np.ndarray:
    band = np.searchsorted(edges, depth_um, side="right") - 1
    summed = np.zeros((len(edges) - 1, counts.shape[1]))
    np.add.at(summed, np.clip(band, 0, len(summed) - 1), counts)
    return summed


def _percent(counts: np.ndarray, first: int, stop: int, joined: int) -> np.ndarray | None:
    if not counts.any():
        return None
    kept = counts[first:stop].reshape(-1, joined).sum(axis=1)
    return np.asarray(100 * kept / counts.sum())
