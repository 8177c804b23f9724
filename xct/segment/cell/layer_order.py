"""What lies along the axis. In: a coarse volume, its bore; out: the order of its layers.

Nothing but ratios to the electrolyte is used, whose own value is found: any linear scale serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.errors import DataError
from xct.segment.cell.bore_estimate import BoreEstimate
from xct.segment.cell.coarse import Coarse, known_quantile

# From the anode on, and between which multiples of the electrolyte's grey value (over the tube's)
# each layer lies. Composite is what NCM's fraction makes it. Steel is clipped, or saturated where
# no light passes it: from 5 on it may be steel then, if nothing else in view is brighter.
LAYERS = ("anode_steel", "lithium", "electrolyte", "cathode", "collector", "cathode_steel")
_RANGES = ((9.0, 60.0), (-0.25, 0.03), (0.85, 1.2), (1.8, 8.0), (0.65, 1.3), (9.0, 60.0))
_STEEL = (0, 5)  # of the layers
_SATURATED, _LEAST_STEEL = 0.9, 5.0  # of the brightest slices; of the electrolyte
# What it costs, in slices that fit nothing, to say that a layer between two others is missing.
_MISSING = (0.0, 0.3, 6.0, 4.0, 0.5, 0.0)
# Each slice of collector costs: what is as thick as an electrolyte is one.
_THICK_COLLECTOR = 0.08
# What it costs to say that a layer is there at all: short ones are not invented.
_ENTERED = (1.2, 0.5, 1.0, 0.0, 0.0, 1.2)
# Grey values vary across a slice by this many times the electrolyte's, at most in electrolyte and
# at least in composite.
_EVEN, _GRAINY = 0.2, 0.6
# Steel varies by this part of its own value, at most.
_FLECKED = 0.2
# What it costs a slice of lithium to be brighter than the tube by once the electrolyte.
_DARK_SLOPE = 8.0
_NCM_RATIO = (3.0, 3.7, 4.5, 5.4)
_STEEL_RATIO = (15.0, 20.0, 25.0)


@dataclass(frozen=True)
class LayerOrder:
    """Layers along z.

    Attributes
    ----------
    layers : dict of str to tuple of int
        First slice and the one behind the last, by name (`LAYERS`), of those that are there.
    anode_low : bool
        The anode lies at small z.
    margin : float
        By how many slices that fit nothing the other direction is worse; under 3 it is a guess.
    electrolyte : float
        Grey value of the electrolyte above that of the tube.
    cost : float
        Slices that fit nothing.
    """

    layers: dict[str, tuple[int, int]]
    anode_low: bool
    margin: float
    electrolyte: float
    cost: float


def order_layers(level: np.ndarray, texture: np.ndarray) -> LayerOrder:
    """Find the order of layers that explains the grey values best.

    For every possible grey value of the electrolyte, and either direction, the cheapest order is
    found by dynamic programming; the cheapest of all is taken.

    Parameters
    ----------
    level : ndarray, shape (z,)
        Median grey value of the bore in each slice, above that of the tube or of air.
    texture : ndarray, shape (z,)
        Its variation across the slice, as a standard deviation.

    Returns
    -------
    LayerOrder

    Raises
    ------
    DataError
        If no slice is brighter than the tube.
    """
    candidates = _candidates(level)
    found = {
        True: _cheapest(_costs(level, texture, candidates)),
        False: _cheapest(_costs(level[::-1], texture[::-1], candidates)),
    }
    anode_low = found[True][0] <= found[False][0]
    _, which, path = found[anode_low]
    path = path if anode_low else path[::-1]
    layers = {
        name: (int(rows[0]), int(rows[-1]) + 1)
        for number, name in enumerate(LAYERS)
        if (rows := np.flatnonzero(path == number)).size
    }
    margin = abs(found[True][0] - found[False][0])
    return LayerOrder(layers, anode_low, margin, float(candidates[which]), found[anode_low][0])


def _candidates(level: np.ndarray) -> np.ndarray:
    """Possible grey values of the electrolyte: what is seen, or a fraction of it."""
    seen = np.quantile(level, np.linspace(0.02, 0.98, 49))
    seen = seen[seen > 0]
    if not seen.size:
        raise DataError(
            "nothing inside the bore is brighter than what lies around it; is the volume inverted?"
        )
    scales = (1.0, *_NCM_RATIO, *_STEEL_RATIO)
    return np.unique(np.concatenate([seen / scale for scale in scales]))


def _costs(level: np.ndarray, texture: np.ndarray, electrolyte: np.ndarray) -> np.ndarray:
    """Cost of calling a slice a layer, 0 … 1, shape (z, candidate, layer)."""
    ratio = level[:, None] / electrolyte
    scaled = np.arcsinh(2 * ratio)
    costs = np.empty((*ratio.shape, len(LAYERS)))
    brightest = _SATURATED * np.quantile(level, 0.98) / electrolyte
    for number, (low, high) in enumerate(_RANGES):
        least = np.clip(brightest, _LEAST_STEEL, low) if number in _STEEL else low
        below = np.arcsinh(2 * least) - scaled
        above = scaled - np.arcsinh(2 * high)
        costs[..., number] = np.maximum(np.maximum(below, above), 0) * 2
    uneven = np.log(np.maximum(texture[:, None] / electrolyte, 1e-6))
    costs[..., 2] += 0.5 * np.clip(uneven - np.log(_EVEN), 0, 1)
    costs[..., 3] += 0.5 * np.clip(np.log(_GRAINY) - uneven, 0, 1)
    # Else everything could be steel, or everything lithium, of a suitable electrolyte.
    flecked = 0.5 * np.clip(uneven - np.log(_FLECKED * np.maximum(ratio, 1e-6)), 0, 1)
    costs[..., 0] += flecked
    costs[..., 5] += flecked
    costs[..., 1] += _DARK_SLOPE * np.maximum(ratio - _RANGES[1][1], 0)
    costs = np.minimum(costs, 1.0)
    costs[..., 4] += _THICK_COLLECTOR
    return costs


def _cheapest(costs: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Cheapest path that only goes forward through the layers: its cost, candidate and layers."""
    length, candidates, count = costs.shape
    skipped = np.array([
        [_way(a, b) for b in range(count)]
        for a in range(count)
    ])  # fmt: skip
    total = costs[0] + np.array(_ENTERED)
    came = np.zeros((length, candidates, count), np.int8)
    for z in range(1, length):
        ways = total[:, :, None] + skipped
        came[z] = ways.argmin(axis=1)
        total = ways.min(axis=1) + costs[z]
    which = int(total.min(axis=1).argmin())
    path = np.empty(length, np.int64)
    path[-1] = int(total[which].argmin())
    for z in range(length - 1, 0, -1):
        path[z - 1] = came[z, which, path[z]]
    return float(total[which].min()), which, path


def _way(here: int, following: int) -> float:
    """Cost of going from one layer to another, or of staying."""
    if following <= here:
        return 0.0 if following == here else float("inf")
    return sum(_MISSING[here + 1 : following]) + _ENTERED[following]


_THINNEST = 3  # slices
_LEAST_CONTRAST = 6.0  # a layer over the scatter of slices, where there is no bore
_COLUMN_UM = 10.0  # as wide as a particle
# Layers whose edge to the tube is sharp, the smoothest first.
_EDGE_LAYERS = ("electrolyte", "collector", "cathode", "cathode_steel", "anode_steel")


def order_along_axis(coarse: Coarse, bore: BoreEstimate, *, grey: bool = False) -> LayerOrder:
    """Find the order of layers from medians of columns as wide as particles, slice by slice.

    Grey values may begin anywhere: where nothing beyond a bore shows it, at 0 or at the darkest
    layer, whichever explains the layers better.

    Raises
    ------
    DataError
        If nothing stands out from the noise, or nothing of the cell's inside is in view.
    """
    values, inside = _wide_columns(coarse, bore)
    known = np.isfinite(values[:, inside]).any(axis=1)
    columns = values[known][:, inside]
    if not known.any():
        raise DataError(
            "nothing of the inside of the cell is in view: the edge that was found belongs to a "
            f"circle of {2 * bore.radius_um:.4g} µm whose inside lies beyond the volume; give one "
            "that holds the bore"
        )
    at = np.arange(known.size)
    level, texture = (
        np.interp(at, at[known], v) for v in (known_quantile(columns, 0.5), _texture(columns))
    )
    if bore.outside is not None:
        order = order_layers(level - bore.outside, texture)
    else:
        darkest = float(level.min())
        zeros = {min(0.0, darkest), darkest} if grey else {min(0.0, darkest)}
        _refuse_noise(level, max(zeros) if grey else min(zeros))
        order = min((order_layers(level - z, texture) for z in zeros), key=lambda o: o.cost)
    # What is no thicker than a blurred edge is one.
    thick = {name: rows for name, rows in order.layers.items() if rows[1] - rows[0] >= _THINNEST}
    return replace(order, layers=thick or order.layers)


def _refuse_noise(level: np.ndarray, zero: float) -> None:
    scatter = 1.05 * float(np.median(np.abs(np.diff(level)))) / np.sqrt(2)
    if np.median(level) - zero < _LEAST_CONTRAST * scatter and np.ptp(level) < 12 * scatter:
        raise DataError(
            "there is no edge of a bore in view, and no layer stands out from the noise of its "
            f"slices ({scatter:.3g}); is there a sample in the volume?"
        )


def _wide_columns(coarse: Coarse, bore: BoreEstimate) -> tuple[np.ndarray, np.ndarray]:
    """Means over columns wider than particles, and which of these lie well inside."""
    size = max(1, round(_COLUMN_UM / max(coarse.frame.edge_um)))
    size = max(1, min(size, min(coarse.values.shape[1:]) // 12))
    y, x = coarse.positions_um()
    inside = (np.hypot(y - bore.y_um, x - bore.x_um) < 0.8 * bore.radius_um) & coarse.in_field()
    rows, columns = (n // size for n in inside.shape)
    cropped = coarse.values[:, : rows * size, : columns * size]
    means = cropped.reshape(-1, rows, size, columns, size).mean(axis=(2, 4))
    held = inside[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return means, held.all(axis=(1, 3))


def _texture(columns: np.ndarray) -> np.ndarray:
    """Give the sd across each slice of what the next slice shows too: noise does not."""
    this, following = columns, np.concatenate([columns[1:], columns[-2:-1]])
    shared, own = (
        (known_quantile(v, 0.75) - known_quantile(v, 0.25)) / 1.349
        for v in (this + following, this - following)
    )
    return np.asarray(np.sqrt(np.maximum(shared**2 - own**2, 0)) / 2)


def edge_rows(order: LayerOrder) -> tuple[int, int]:
    """Slices of the layer whose edge to the tube is seen best, less what is near other layers."""
    for name in _EDGE_LAYERS:
        if name in order.layers:
            first, stop = order.layers[name]
            if stop - first >= 6:
                margin = min(8, (stop - first) // 6)
                return first + margin, stop - margin
    first, stop = max(order.layers.values(), key=lambda rows: rows[1] - rows[0])
    return first, stop
