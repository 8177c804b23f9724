"""Particles, one by one. In: volume, labels; out: a number for every voxel, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.blocks import cut
from xct.geometry import CellGeometry, Surface
from xct.labels import Label
from xct.segment.basins import Basins, Graph, groups, merge
from xct.segment.columns import Columns, find_columns
from xct.segment.denoise import gaussian, reach_px
from xct.segment.edges import FWHM, blur_um
from xct.segment.normalized import Ratios
from xct.segment.particle_faces import LEAST_BRIGHT, Faces, Facing
from xct.segment.particle_pieces import joined
from xct.segment.particle_sums import (
    REACH,
    add_cavities,
    add_crossings,
    add_voxels,
    new_sums,
)
from xct.segment.particle_table import Measured, particle_table
from xct.stages import stage
from xct.voxels import Voxels, slabs

if TYPE_CHECKING:
    import pandas as pd

_SMOOTH_PX = 0.85
_HEIGHT_STEP = 0.01  # voxels: what heights are rounded to
_GREY_WEIGHT_PX = 2.0  # what the grey value of a pure particle counts, beside its distance
_LEAST_VOXELS = 4
_CORE_SHARE = 0.85  # of what the point spread takes from active material
_LEAST_BLUR_PX = 1.3  # FWHM: voxels of a face are partly of something else, however sharp
_SAMPLES = 16
_STRIP = 320  # rows whose heights are made at once: what is in between takes little memory
_FALLBACK_LEVEL = 8.6


@stage(gives="particles", measures=True)
def particles(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: Any,
    into: Any = None,
    *,
    rise_px: Annotated[float, Ge(0), Le(5)] = 0.1,
    largest_um: Annotated[float, Gt(0)] = 30.0,
    zero: float = 20_000.0,
    reference_value: float = 22_100.0,
) -> tuple[Any, pd.DataFrame]:
    """Tell the particles of active material apart, and measure each.

    A watershed on the distance from the particles' surface plus their smoothed grey value, which
    dips between particles that touch; basins that rise less than `rise_px` above their saddle
    are one. So are pieces on both sides of a crack: those that, together, are about as round as
    the rounder of them. Numbers and table do not depend on where the volume was cut.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    labels : Voxels, shape (z, y, x)
        What `materials` gave.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    into : array of uint32, shape (z, y, x), optional
        What to fill with the particles' numbers; a new array unless given.
    rise_px : float, optional
        Least rise from saddle to peak, in voxels of distance, that parts two particles.
    largest_um : float, optional
        Diameter up to which the distance from the surface counts.
    zero, reference_value : float, optional
        Grey values of air and of electrolyte.

    Returns
    -------
    numbers : array of uint32, shape (z, y, x)
        `into`, or a numpy array: column `particle` of the table, 0 where there is none.
    table : DataFrame
        One row for each particle; see `particle_table`.
    """
    return particles_in_slabs(
        volume,
        labels,
        cell,
        surfaces,
        reference,
        into,
        rise_px=rise_px,
        largest_um=largest_um,
        zero=zero,
        reference_value=reference_value,
    )


def particles_in_slabs(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: Any,
    into: Any = None,
    *,
    rise_px: float = 0.1,
    largest_um: float = 30.0,
    zero: float = 20_000.0,
    reference_value: float = 22_100.0,
    rows: int | None = None,
) -> tuple[Any, pd.DataFrame]:
    """Part and measure as `particles` does, in slabs of a given height, which changes nothing."""
    numbers = np.empty(volume.shape, np.uint32) if into is None else into
    job = _Parting(Ratios(volume, cell, reference), labels, largest_um, rows)
    graph, voxels, faces = job.part(numbers)
    merged = merge(graph, rise_px / _HEIGHT_STEP)
    merged = joined(merged[graph.number], voxels, faces)[merged]
    final, group = _chosen(graph, merged, voxels)
    columns = find_columns(cell, surfaces)
    sums, crossings = job.measure(numbers, final, int(final.max(initial=0)), columns)
    grey = Measured(sums, crossings, group, zero, reference_value)
    return numbers, particle_table(grey, cell, columns, job.blur_px, job.noise)


def _chosen(graph: Graph, merged: np.ndarray, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each provisional number its final one, and tell what hangs together.

    Returns
    -------
    final : ndarray of uint32, shape (1 + provisional,)
        0 for what is too small to be a particle.
    attached : ndarray of bool, shape (1 + particle,)
        Whether a particle is part of the largest group of touching ones.
    """
    basin = graph.number
    size = np.bincount(merged[basin], voxels, minlength=int(merged.max(initial=0)) + 1)
    kept = size >= _LEAST_VOXELS
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    group = groups(graph)
    weight = np.bincount(group[basin], voxels, minlength=2)
    weight[0] = 0
    main = int(weight.argmax())
    attached = np.zeros(int(number.max(initial=0)) + 1, bool)
    of_basin = number[merged]
    attached[of_basin[group == main]] = True
    attached[0] = False
    return of_basin[basin], attached


class _Parting:
    """Both passes over the volume: basins, then numbers and sums."""

    def __init__(self, ratios: Ratios, labels: Voxels, largest_um: float, rows: int | None) -> None:
        self.ratios, self.labels, self.rows = ratios, labels, rows
        self.size = np.array(ratios.cell.voxel_size_um, float)
        pixel = float(self.size.min())
        self.pixel = pixel
        self.clip_px = largest_um / 2 / pixel
        blur = blur_um(ratios.reference, ratios.cell.voxel_size_um)
        self.blur_px = blur / pixel
        self.sigma = _triple(max(blur, _LEAST_BLUR_PX * pixel) / FWHM / self.size)
        self.smooth = _triple(_SMOOTH_PX * pixel / self.size)
        self.reach_y = int(np.ceil(largest_um / 2 / self.size[1])) + 2 + reach_px(self.smooth[1])
        self.reach = int(np.ceil(largest_um / 2 / self.size[0])) + 1
        self.level = self._level()
        self.noise = ratios.noise(ratios.shape[0] / 2)

    def _level(self) -> float:
        """Grey value of the particles, to weigh them: from slices over the whole volume."""
        depth = self.ratios.shape[0]
        values = []
        for z in np.unique(np.linspace(0, depth - 1, _SAMPLES + 2)[1:-1].astype(int)).tolist():
            active = np.asarray(self.labels[z : z + 1]) == Label.ACTIVE_MATERIAL
            if active.any():
                values.append(self.ratios.read(z, z + 1)[active])
        return float(np.percentile(np.concatenate(values), 75)) if values else _FALLBACK_LEVEL

    def part(self, numbers: Any) -> tuple[Graph, np.ndarray, Faces]:
        """Fill `numbers` with provisional ones; give the graph, and voxels and faces of each."""
        basins, facing = Basins(), Facing(self.size)
        voxels = [np.zeros(1, np.int64)]
        overlap = self.reach + reach_px(self.smooth[0]) + 1
        for slab in slabs(self.ratios.shape, overlap=overlap, rows=self.rows):
            before, after = int(slab.first > 0), int(slab.stop < self.ratios.shape[0])
            heights, bright = self._heights(slab.outer_first, slab.outer_stop)
            inner = slice(slab.inner.start - before, slab.inner.stop + after)
            heights = heights[inner].copy()
            tree = basins.add(heights, before, after, slab.first)
            numbers[slab.first : slab.stop] = tree
            facing.add(tree, bright[slab.inner], basins.count)
            done = sum(len(v) for v in voxels)
            new = basins.count + 1 - done
            part = tree[tree > 0].astype(np.int64) - done
            voxels.append(np.bincount(part, minlength=new).astype(np.int64))
            del heights, bright, tree, part
        return basins.graph(), np.concatenate(voxels), facing.faces()

    def _heights(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Distance and grey value as whole numbers, 0 outside of particles; what is bright."""
        mask = np.asarray(self.labels[first:stop]) == Label.ACTIVE_MATERIAL
        heights = np.zeros(mask.shape, np.uint16)
        if not mask.any():
            return heights, mask
        values = self.ratios.read(first, stop)
        for strip in cut(mask.shape[1], _STRIP, self.reach_y):
            seen = (np.ascontiguousarray(some[:, strip.outer]) for some in (mask, values))
            heights[:, strip.first : strip.stop] = self._rounded(*seen)[:, strip.inner]
        return heights, values > np.float32(LEAST_BRIGHT * self.level)

    def _rounded(self, mask: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Heights of a strip, valid `reach_y` away from where it was cut."""
        distance = self._distance_px(mask)
        values = np.clip(values, 0, self.level)
        values *= np.float32(_GREY_WEIGHT_PX / self.level)
        values += distance
        del distance
        heights = gaussian(values, self.smooth)
        del values
        heights /= np.float32(_HEIGHT_STEP)
        np.rint(heights, out=heights)
        np.clip(heights, 1, 65535, out=heights)
        heights *= mask
        return heights.astype(np.uint16)

    def _distance_px(self, mask: np.ndarray) -> np.ndarray:
        """Distance from the edge of a mask, at most half of `largest_um`."""
        import edt

        distance: np.ndarray = edt.edt(mask, anisotropy=tuple(self.size / self.pixel))
        np.minimum(distance, np.float32(self.clip_px), out=distance)
        return distance

    def measure(
        self, numbers: Any, final: np.ndarray, count: int, columns: Columns
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make the numbers final, and sum over each particle's voxels."""
        sums, crossings = new_sums(count)
        overlap = max(REACH, reach_px(self.sigma[0]))
        behind = np.zeros((0, *self.ratios.shape[1:]), np.uint32)
        for slab in slabs(self.ratios.shape, overlap=overlap, rows=self.rows):
            ahead = final[np.asarray(numbers[slab.first : slab.outer_stop])]
            size = slab.stop - slab.first
            numbers[slab.first : slab.stop] = ahead[:size]
            part = np.concatenate([behind[len(behind) - slab.inner.start :], ahead])
            del ahead
            behind = part[: slab.inner.stop][-overlap:].copy()
            if not part.any():
                continue
            labels = np.asarray(self.labels[slab.outer_first : slab.outer_stop])
            ratios = self.ratios.read(slab.outer_first, slab.outer_stop)
            mask = labels == Label.ACTIVE_MATERIAL
            share = gaussian(mask.astype(np.float32), self.sigma)
            del mask
            start, stop = slab.inner.start, slab.inner.stop
            add_voxels(
                part, ratios, share, _CORE_SHARE, slab.first, start, stop, self.ratios.shape[0],
                columns.sign, columns.steel, sums,
            )  # fmt: skip
            add_crossings(part, labels, start, stop, sums, crossings)
            add_cavities(part, labels, ratios, self.level, start, stop, sums)
            del part, labels, ratios, share
        return sums, crossings


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return z, y, x
