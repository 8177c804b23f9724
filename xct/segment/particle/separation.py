"""Both passes over the volume that part particles: basins, then numbers and sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block, Voxels, cut, slabs
from xct.parallel.threads import thread_count
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.denoise import gaussian
from xct.segment.material.columns import Columns
from xct.segment.material.sharpened import blur_um
from xct.segment.particle.pieces import LEAST_BRIGHT, Faces, Facing
from xct.segment.particle.specks import NEAR, THOUSANDTHS, specks
from xct.segment.particle.sums import (
    REACH,
    add_cavities,
    add_crossings,
    add_voxels,
    new_sums,
)
from xct.segment.particle.watershed import Basins, Graph
from xct.statistics.gaussian import reach_px

HEIGHT_STEP = 0.01  # voxels: what heights are rounded to
_SMOOTH_PX = 0.85
_GREY_WEIGHT_PX = 2.0  # what the grey value of a pure particle counts, beside its distance
_CORE_SHARE = 0.85  # of what the point spread takes from active material
_LEAST_BLUR_PX = 1.3  # FWHM: voxels of a face are partly of something else, however sharp
_SAMPLES = 16
_STRIP = 320  # rows whose heights are made at once: what is in between takes little memory
_SLICES = 32  # at least in a slab: it looks at as many beyond
_FALLBACK_LEVEL = 8.6


@dataclass(frozen=True)
class Pieces:
    """What the first pass found.

    Attributes
    ----------
    graph : Graph
        Basins and the saddles between them.
    voxels : ndarray of int64, shape (1 + provisional,)
        Voxels of each provisional number.
    held : ndarray of float64, shape (1 + provisional,)
        Volume in voxels of specks, by their grey values; 0 for others.
    faces : Faces
        How pieces face each other.
    """

    graph: Graph
    voxels: np.ndarray
    held: np.ndarray
    faces: Faces


class Parting:
    """Parts the active material of a volume, and sums over each particle."""

    def __init__(self, ratios: Ratios, labels: Voxels, largest_um: float, rows: int | None) -> None:
        self.ratios, self.labels, self.rows = ratios, labels, rows
        self.size = np.array(ratios.cell.voxel_size_um, float)
        pixel = float(self.size.min())
        self.pixel = pixel
        self.clip_px = largest_um / 2 / pixel
        blur = blur_um(ratios.reference, ratios.cell.voxel_size_um)
        self.blur_px = blur / pixel
        self.sigma = _triple(max(blur, _LEAST_BLUR_PX * pixel) / FWHM_PER_SIGMA / self.size)
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

    def part(self, numbers: Any) -> Pieces:
        """Fill `numbers` with provisional ones, and tell what is known of each."""
        basins, facing = Basins(), Facing(self.size)
        voxels = [np.zeros(1, np.int64)]
        held: list[tuple[np.ndarray, np.ndarray]] = []
        overlap = self.reach + reach_px(self.smooth[0]) + 1
        for slab in slabs(self.ratios.shape, overlap, self.rows, least=_SLICES):
            before, after = int(slab.first > 0), int(slab.stop < self.ratios.shape[0])
            heights, values, inner = self._heights(slab)
            index, volume = specks(heights > 0, values, inner, self.level)
            bright = values[inner] > np.float32(LEAST_BRIGHT * self.level)
            del values
            heights = heights[inner.start - before : inner.stop + after].copy()
            tree = basins.add(heights, before, after, slab.first)
            numbers[slab.first : slab.stop] = tree
            facing.add(tree, bright, basins.count)
            held.append((tree.reshape(-1)[index], volume))
            done = sum(len(v) for v in voxels)
            new = basins.count + 1 - done
            part = tree[tree > 0].astype(np.int64) - done
            voxels.append(np.bincount(part, minlength=new).astype(np.int64))
            del heights, bright, tree, part
        return Pieces(
            basins.graph(), np.concatenate(voxels), _held(held, basins.count), facing.faces()
        )

    def _heights(self, slab: Block) -> tuple[np.ndarray, np.ndarray, slice]:
        """Distance and grey value as whole numbers, 0 outside of particles; the grey values.

        Both reach a few slices beyond the slab; the slice tells where it lies in them.
        """
        _, height, width = self.ratios.shape
        first = max(slab.first - NEAR, slab.outer_first)
        stop = min(slab.stop + NEAR, slab.outer_stop)
        near = slice(first - slab.outer_first, stop - slab.outer_first)
        heights = np.zeros((stop - first, height, width), np.uint16)
        grey = np.zeros(heights.shape, np.float32)
        outer = slice(slab.outer_first, slab.outer_stop)
        for strip in cut(height, _STRIP, self.reach_y):
            mask = np.asarray(self.labels[outer, strip.outer]) == Label.ACTIVE_MATERIAL
            if not mask.any():
                continue
            values = self.ratios.read(outer.start, outer.stop, strip.outer)
            rows = slice(strip.first, strip.stop)
            grey[:, rows] = values[near, strip.inner]
            heights[:, rows] = self._rounded(mask, values)[near, strip.inner]
        return heights, grey, slice(slab.first - first, slab.stop - first)

    def _rounded(self, mask: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Heights of a strip, valid `reach_y` away from where it was cut."""
        distance = self._distance_px(mask)
        values = np.clip(values, 0, self.level)
        values *= np.float32(_GREY_WEIGHT_PX / self.level)
        values += distance
        del distance
        heights = gaussian(values, self.smooth)
        del values
        heights /= np.float32(HEIGHT_STEP)
        np.rint(heights, out=heights)
        np.clip(heights, 1, 65535, out=heights)
        heights *= mask
        return heights.astype(np.uint16)

    def _distance_px(self, mask: np.ndarray) -> np.ndarray:
        """Distance from the edge of a mask, at most half of `largest_um`."""
        import edt

        size = tuple(self.size / self.pixel)
        distance: np.ndarray = edt.edt(mask, anisotropy=size, parallel=thread_count())
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


def _held(parts: list[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """Add up the volumes of each number; whole thousandths, so that their order is nothing."""
    numbers, volumes = (np.concatenate(some) for some in zip(*parts, strict=True))
    return np.bincount(numbers, volumes, minlength=count + 1) / THOUSANDTHS


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return z, y, x
