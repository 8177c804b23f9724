"""Each voxel's material from its place and its grey value. In: a slab; out: labels.

The order of the layers decides first; grey value only parts what lies in one layer: active
material, electrolyte and low grey between lithium and collector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.geometry import CellGeometry, Label
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.material.columns import Columns
from xct.segment.material.thresholds import Limits, Thresholds

WEAK = 9  # low grey only if connected to a voxel that certainly is; not left in the result

_OUTSIDE, _LITHIUM, _ELECTROLYTE = int(Label.OUTSIDE), int(Label.LITHIUM), int(Label.ELECTROLYTE)
_ACTIVE, _STEEL, _COLLECTOR = int(Label.ACTIVE_MATERIAL), int(Label.STEEL), int(Label.COLLECTOR)
_TUBE, _LOW_GREY, _UNKNOWN = int(Label.TUBE), int(Label.LOW_GREY), int(Label.UNKNOWN)
_FACE_PX = 2.0  # half steel, half lithium has the grey value of active material


@dataclass(frozen=True)
class Layout:
    """Where things are, as the kernels need it.

    Attributes
    ----------
    cell : CellGeometry
        Bore and tube.
    columns : Columns
        Faces of the layers.
    back : ndarray of float32, shape (y, x)
        Height of the collector's back, where steel begins again.
    row : int
        The volume's row (along y) with which these maps begin.
    """

    cell: CellGeometry
    columns: Columns
    back: np.ndarray
    row: int = 0

    def strip(self, first: int, stop: int) -> Layout:
        """Give the part between two rows."""
        c, rows = self.columns, slice(first, stop)
        columns = replace(
            c,
            steel=c.steel[rows],
            lithium=c.lithium[rows],
            front=c.front[rows],
            collector=c.collector[rows],
            front_sd=c.front_sd[rows],
        )
        return Layout(self.cell, columns, self.back[rows], self.row + first)

    def rows_by_value(self, depth: int) -> tuple[int, int]:
        """Give the slices in which values decide; before and behind them all is steel or metal."""
        behind = np.minimum(self.columns.collector, self.back)
        return self.columns.rows(self.columns.lithium, behind, depth)


def without_foreign(
    ratios: np.ndarray, first: int, layout: Layout, axes: np.ndarray, top: float
) -> np.ndarray:
    """Give a copy in which all but electrolyte and low grey counts as electrolyte.

    So that smoothing does not mix other materials in.

    Parameters
    ----------
    ratios : ndarray of float32, shape (z, y, x)
        Multiples of the electrolyte.
    first : int
        The volume's slice that the slab begins with.
    layout : Layout
        Where things are.
    axes : ndarray, shape (z, 2)
        The bore's axis in each slice, µm.
    top : float
        Brighter voxels are not electrolyte alone.
    """
    clean = np.empty_like(ratios)
    c, size = layout.columns, np.array(layout.cell.voxel_size_um, float)
    radius = layout.cell.bore_radius_um - size[1] / 2

    def kernel(a: int, b: int) -> None:
        _clean(
            ratios, clean, first, layout.row, c.sign, axes, size, radius, c.lithium, c.collector,
            top, a, b,
        )  # fmt: skip

    over_ranges(kernel, len(ratios))
    return clean


def classify(
    edge: np.ndarray,
    smooth: np.ndarray,
    first: int,
    layout: Layout,
    axes: np.ndarray,
    thresholds: Thresholds,
) -> np.ndarray:
    """Label a slab.

    Parameters
    ----------
    edge : ndarray of float32, shape (z, y, x)
        Multiples of the electrolyte, denoised so that edges stay.
    smooth : ndarray of float32, shape (z, y, x)
        What `without_foreign` gave, smoothed.
    first : int
        The volume's slice that the slab begins with.
    layout : Layout
        Where things are.
    axes : ndarray, shape (z, 2)
        The bore's axis in each slice, µm.
    thresholds : Thresholds
        Where one material ends and another begins.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        `Label`, and `WEAK`.
    """
    labels = np.empty(edge.shape, np.uint8)
    cell, c = layout.cell, layout.columns
    size = np.array(cell.voxel_size_um, float)
    pixel = size[1:].min()
    seen = (np.array(cell.shape[1:]) / 2 * size[1:]).min()
    tube = min(cell.tube_radius_um or np.inf, seen)
    radii = np.array([cell.bore_radius_um, tube, cell.bore_radius_um - pixel])
    limits = thresholds.limits(first, first + len(edge))
    per_um = limits.low.shape[1] / cell.bore_radius_um

    def kernel(a: int, b: int) -> None:
        _classify(
            edge, smooth, labels, first, layout.row, c.sign, axes, size, radii,
            c.steel, c.lithium, c.front, c.collector, layout.back, limits, per_um, a, b,
        )  # fmt: skip

    over_ranges(kernel, len(edge))
    return labels


@njit(cache=True, nogil=True)
def _clean(
    ratios: np.ndarray,
    clean: np.ndarray,
    first: int,
    row: int,
    sign: int,
    axes: np.ndarray,
    size: np.ndarray,
    radius: float,
    lithium: np.ndarray,
    collector: np.ndarray,
    top: float,
    start: int,
    stop: int,
) -> None:
    _, height, width = ratios.shape
    for z in range(start, stop):
        level = sign * (first + z)
        for y in range(height):
            off_y = (row + y) * size[1] - axes[z, 0]
            for x in range(width):
                off_x = x * size[2] - axes[z, 1]
                value = ratios[z, y, x]
                inside = off_y * off_y + off_x * off_x <= radius * radius
                between = level >= lithium[y, x] and level < collector[y, x]
                clean[z, y, x] = value if inside and between and value < top else np.float32(1)


@njit(cache=True, nogil=True)
def _classify(
    edge: np.ndarray,
    smooth: np.ndarray,
    labels: np.ndarray,
    first: int,
    row: int,
    sign: int,
    axes: np.ndarray,
    size: np.ndarray,
    radii: np.ndarray,
    steel: np.ndarray,
    lithium: np.ndarray,
    front: np.ndarray,
    collector: np.ndarray,
    back: np.ndarray,
    limits: Limits,
    per_um: float,
    start: int,
    stop: int,
) -> None:
    _, height, width = edge.shape
    squared, last = radii * radii, limits.low.shape[1] - 1
    for z in range(start, stop):
        level = np.float32(sign * (first + z))
        for y in range(height):
            off_y = (row + y) * size[1] - axes[z, 0]
            for x in range(width):
                off_x = x * size[2] - axes[z, 1]
                away = off_y * off_y + off_x * off_x
                if away > squared[0]:
                    labels[z, y, x] = _TUBE if away <= squared[1] else _OUTSIDE
                elif level < steel[y, x]:
                    labels[z, y, x] = _STEEL
                elif level < lithium[y, x]:
                    labels[z, y, x] = _LITHIUM
                elif level >= back[y, x]:
                    labels[z, y, x] = _STEEL
                elif level >= collector[y, x]:
                    labels[z, y, x] = _COLLECTOR
                else:
                    value, ring = edge[z, y, x], min(int(np.sqrt(away) * per_um), last)
                    label = _ELECTROLYTE
                    inside = level >= front[y, x]
                    if level < steel[y, x] + _FACE_PX:
                        pass
                    elif inside and limits.unknown[z, ring]:
                        label = _UNKNOWN
                    elif value > (limits.active if inside else limits.drifted[z, ring]):
                        label = _ACTIVE
                    elif away <= squared[2]:
                        dark = smooth[z, y, x]
                        if inside:
                            if np.float32(0.5) * (dark + value) < limits.pore[z, ring]:
                                label = _LOW_GREY
                        elif dark < limits.low[z, ring]:
                            label = _LOW_GREY if dark < limits.certain[z, ring] else WEAK
                    labels[z, y, x] = label
