"""What the grey values of a volume cannot carry. In: a volume, roughly its cell; out: a refusal.

Values that were cut off at a window pile up at its ends; where contrast is inverted, the cell is a
cell once its values are turned over.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from xct.errors import DataError
from xct.io.overview import overview_of
from xct.parallel.blocks import Voxels
from xct.segment.cell.bore_estimate import BoreEstimate, estimate_bore
from xct.segment.cell.coarse import Coarse
from xct.segment.cell.layer_order import LayerOrder, order_along_axis

_CENTRAL = 0.8  # of the bore's radius: clear of its wall
_ALIKE = 1e-4  # of the range: values this close to an end are at it
# Of a slice's voxels at an end of the range: none, some of a mixture, or all of a layer. Noise
# leaves an end to single voxels.
_SOME, _MOST = 0.005, 0.6
_LEAST_SLICES, _LEAST_DARK = 4, 2
_LOOKED_AT = 16  # slices
# Of the usual value above the lowest: what a threshold leaves empty; steps of few bits are less.
_GAP = 0.3
_WHOLE = 4  # layers that make a cell


@dataclass(frozen=True)
class Clipping:
    """How many voxels of the bore lie at an end of the range of values, slice by slice.

    Attributes
    ----------
    lowest, highest : float
        The ends.
    at_lowest, at_highest : ndarray of float64, shape (z,)
        Fractions of the bore's voxels.
    above : float, optional
        The lowest value but for those at the lower end, where it is far above it; else NaN.
    """

    lowest: float
    highest: float
    at_lowest: np.ndarray
    at_highest: np.ndarray
    above: float = float("nan")

    @property
    def particles_cut(self) -> int:
        """Slices in which part of the voxels lie at the upper end: the bright part of a mixture.

        Next to a layer that lies there as a whole, a blurred edge does so too.
        """
        full = self.at_highest > _MOST
        near = np.convolve(full, np.ones(7), "same") > 0
        return int(np.count_nonzero((self.at_highest > _SOME) & ~near))

    @property
    def dark_cut(self) -> int:
        """Slices that lie at the lower end as a whole."""
        return int(np.count_nonzero(self.at_lowest > _MOST))

    @property
    def steel_cut(self) -> int:
        """Slices that lie at the upper end as a whole."""
        return int(np.count_nonzero(self.at_highest > _MOST))


def clipping_of(volume: Voxels, coarse: Coarse, bore: BoreEstimate) -> Clipping:
    """Count what lies at the ends of the range, in every few voxels of the bore.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any scale.
    coarse : Coarse
        Its coarse volume.
    bore : BoreEstimate
        Where the bore lies.
    """
    overview = coarse.overview or overview_of(volume)
    size = coarse.frame.voxel_size_um
    sparse = np.asarray(overview.sparse[:], np.float32)
    y, x = (
        np.arange(n) * overview.step * s for n, s in zip(sparse.shape[1:], size[1:], strict=True)
    )
    inside = np.hypot(y[:, None] - bore.y_um, x[None] - bore.x_um) < _CENTRAL * bore.radius_um
    values = sparse[:, inside]
    known = np.isfinite(values)
    if not known.any():
        return Clipping(0.0, 0.0, np.zeros(len(values)), np.zeros(len(values)))
    lowest, highest = float(values[known].min()), float(values[known].max())
    close = _ALIKE * (highest - lowest)
    count = np.maximum(known.sum(axis=1), 1)
    low = np.count_nonzero(values <= lowest + close, axis=1) / count
    high = np.count_nonzero(values >= highest - close, axis=1) / count
    if _without_noise(values[(low < _SOME) & (high < _SOME)]):
        return Clipping(lowest, highest, 0 * low, 0 * high)
    return Clipping(lowest, highest, low, high, _beyond_gap(values[known], lowest, close))


def _beyond_gap(values: np.ndarray, lowest: float, close: float) -> float:
    """Give the lowest value above those at the lower end, if none lie between; else NaN."""
    rest = values[values > lowest + close]
    above = float(rest.min()) if rest.size else float("nan")
    return above if above - lowest > _GAP * float(np.median(rest) - lowest) else float("nan")


def _without_noise(slices: np.ndarray) -> bool:
    """Whether slices hold one value for the most part: of drawn values, ends are no window's."""
    some = slices[:: max(1, len(slices) // _LOOKED_AT)]
    counts = [np.unique(row[np.isfinite(row)], return_counts=True)[1] for row in some]
    common = [count.max() / count.sum() for count in counts if count.size]
    return bool(common) and bool(np.median(common) > _MOST)


def refuse_clipped(clipping: Clipping, *, grey: bool) -> None:
    """Refuse a volume whose particles, or whose dark parts, were cut off; warn of clipped steel.

    Attenuation that ends at 0 was not cut off, but reconstructed without negative values, unless
    it begins again far above.

    Raises
    ------
    DataError
        With the values, and how many slices they fill.
    """
    if clipping.particles_cut >= _LEAST_SLICES:
        raise DataError(
            f"values are clipped at {clipping.highest:.6g}: in {clipping.particles_cut} slices "
            "part of the voxels have exactly this value, so active material is cut off there, and "
            "what its grey values tell is lost; give the volume with a wider window"
        )
    if not grey and np.isfinite(clipping.above) and clipping.dark_cut >= _LEAST_DARK:
        raise DataError(
            f"values between {clipping.lowest:.6g} and {clipping.above:.3g} do not occur, and "
            f"{clipping.dark_cut} slices consist of {clipping.lowest:.6g}: a threshold set "
            "lithium, pores and air to it, and what was dark cannot be told apart; give the "
            "volume as it was before"
        )
    if (grey or clipping.lowest > 0) and clipping.dark_cut >= _LEAST_DARK:
        raise DataError(
            f"values are clipped at {clipping.lowest:.6g}: {clipping.dark_cut} slices consist of "
            "exactly this value, so lithium, pores and air are cut off, and nothing shows where "
            "the scale begins; give the volume with a wider window"
        )
    if clipping.steel_cut >= _LEAST_SLICES:
        warnings.warn(
            f"steel is clipped at {clipping.highest:.6g}, in {clipping.steel_cut} slices: the "
            "faces beside it, and with them the volumes of lithium and collector, rest on how "
            "steep its edge is, and are less certain than is stated; a wider window helps",
            stacklevel=3,
        )


def refuse_inverted(coarse: Coarse, bore: BoreEstimate, order: LayerOrder) -> None:
    """Refuse a volume that makes a better cell with its values turned over.

    Parameters
    ----------
    coarse : Coarse
        The coarse volume.
    bore, order : BoreEstimate, LayerOrder
        What was found in it.

    Raises
    ------
    DataError
        If bright and dark are interchanged.
    """
    if bore.in_view or len(order.layers) >= _WHOLE:
        return
    turned = replace(coarse, values=-coarse.values)
    try:
        found = estimate_bore(turned)
        other = order_along_axis(turned, found, grey=True)
    except ValueError:
        return
    if found.in_view and len(other.layers) >= _WHOLE:
        raise DataError(
            "contrast is inverted: with bright and dark interchanged the layers are "
            f"{', '.join(other.layers).replace('_', ' ')}; give the volume with what attenuates "
            "more brighter (its highest value less each value)"
        )
