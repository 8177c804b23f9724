"""What lies along the axis. In: a coarse volume, the bore's disc; out: the order of its layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.segment.coarse import Coarse
from xct.segment.disc import Disc
from xct.segment.layers_order import LayerOrder, order_layers
from xct.segment.quantiles import known_quantile

_THINNEST = 3  # slices
_LEAST_CONTRAST = 6.0  # a layer over the scatter of slices, where there is no bore
_COLUMN_UM = 10.0  # as wide as a particle
# Layers whose edge to the tube is sharp, the smoothest first.
_EDGE_LAYERS = ("electrolyte", "collector", "cathode", "cathode_steel", "anode_steel")


def order_along_axis(coarse: Coarse, disc: Disc) -> LayerOrder:
    """Find the order of layers from medians of columns as wide as particles, slice by slice.

    Raises
    ------
    ValueError
        If nothing stands out from the noise.
    """
    values, inside = _wide_columns(coarse, disc)
    known = np.isfinite(values[:, inside]).any(axis=1)
    columns = values[known][:, inside]
    at = np.arange(known.size)
    level, spread = (
        np.interp(at, at[known], v) for v in (known_quantile(columns, 0.5), _texture(columns))
    )
    zero = disc.outside if disc.outside is not None else min(0.0, float(level.min()))
    if not disc.seen:
        _refuse_noise(level, zero)
    order = order_layers(level - zero, spread)
    # What is no thicker than a blurred edge is one.
    thick = {name: rows for name, rows in order.layers.items() if rows[1] - rows[0] >= _THINNEST}
    return replace(order, layers=thick or order.layers)


def _refuse_noise(level: np.ndarray, zero: float) -> None:
    scatter = 1.05 * float(np.median(np.abs(np.diff(level)))) / np.sqrt(2)
    if np.median(level) - zero < _LEAST_CONTRAST * scatter and np.ptp(level) < 12 * scatter:
        raise ValueError(
            "there is no edge of a bore in view, and no layer stands out from the noise of its "
            f"slices ({scatter:.3g}); is there a sample in the volume?"
        )


def _wide_columns(coarse: Coarse, disc: Disc) -> tuple[np.ndarray, np.ndarray]:
    """Means over columns wider than particles, and which of these lie well inside."""
    size = max(1, round(_COLUMN_UM / max(coarse.edge_um)))
    size = max(1, min(size, min(coarse.values.shape[1:]) // 12))
    y, x = coarse.positions_um()
    inside = (np.hypot(y - disc.y_um, x - disc.x_um) < 0.8 * disc.radius_um) & coarse.in_field()
    rows, columns = (n // size for n in inside.shape)
    cropped = coarse.values[:, : rows * size, : columns * size]
    means = cropped.reshape(-1, rows, size, columns, size).mean(axis=(2, 4))
    held = inside[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return means, held.all(axis=(1, 3))


def _texture(columns: np.ndarray) -> np.ndarray:
    """Spread (as an sd) across each slice of what the next slice shows too: noise does not."""
    this, following = columns, np.concatenate([columns[1:], columns[-2:-1]])
    shared, own = (
        (known_quantile(v, 0.75) - known_quantile(v, 0.25)) / 1.349
        for v in (this + following, this - following)
    )
    return np.asarray(np.sqrt(np.maximum(shared**2 - own**2, 0)) / 2)


def edge_rows(order: LayerOrder) -> tuple[int, int]:
    """Slices of the layer whose edge to the tube is told best, less what is near other layers."""
    for name in _EDGE_LAYERS:
        if name in order.layers:
            first, stop = order.layers[name]
            if stop - first >= 6:
                margin = min(8, (stop - first) // 6)
                return first + margin, stop - margin
    first, stop = max(order.layers.values(), key=lambda rows: rows[1] - rows[0])
    return first, stop
