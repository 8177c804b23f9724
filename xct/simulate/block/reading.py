"""A block of a result as materials. In: labels and surfaces; out: voxels, the anode first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import XctError
from xct.result import Result
from xct.simulate.geometry.density import density_at
from xct.simulate.geometry.domain import ELECTRODES, Material
from xct.simulate.geometry.labels import materials_of
from xct.simulate.geometry.plane import open_measured

if TYPE_CHECKING:
    from xct.simulate.settings import BlockSection

_SLICES = 32  # read at a time


@dataclass(frozen=True)
class Block:
    """Materials of a block, the anode first.

    Attributes
    ----------
    material : ndarray of uint8, shape (z, y, x)
        `Material` of each voxel.
    particle : ndarray of int, shape (z, y, x)
        Number of the particle; 0 for none.
    voxel_um : tuple of float
        Edges of a voxel.
    first_um : tuple of float
        z, y and x of the middle of the first voxel in the result.
    composite : int
        First plane of the composite cathode.
    sign : int
        1 where z of the result grows from the anode, −1 where it falls.
    density : ndarray, shape (z, y, x), optional
        Of the electrolyte, over that of which κ is known; NaN where it is not known.
    """

    material: np.ndarray
    particle: np.ndarray
    voxel_um: tuple[float, float, float]
    first_um: tuple[float, float, float]
    composite: int
    sign: int = 1
    density: np.ndarray | None = None

    def coarser(self, factor: int) -> Block:
        """Join voxels: of the material that fills most of them."""
        if factor == 1:
            return self
        shape = tuple(length // factor for length in self.material.shape)
        cut = tuple(slice(0, length * factor) for length in shape)
        blocks = [part for length in shape for part in (length, factor)]
        material = self.material[cut].reshape(blocks)
        counts = [(material == each).sum(axis=(1, 3, 5), dtype=np.int32) for each in Material]
        middle = tuple(slice(factor // 2, length * factor, factor) for length in shape)
        z, y, x = (factor * edge for edge in self.voxel_um)
        shift = (factor - 1) / 2
        steps = self.sign * self.voxel_um[0], self.voxel_um[1], self.voxel_um[2]
        first = tuple(at + shift * step for at, step in zip(self.first_um, steps, strict=True))
        most = np.argmax(counts, axis=0).astype(np.uint8)
        composite = self.composite // factor
        return Block(
            most, self.particle[middle], (z, y, x), (first[0], first[1], first[2]), composite,
            self.sign, _mean(self.density, cut, blocks),
        )  # fmt: skip


def _mean(
    density: np.ndarray | None, cut: tuple[slice, ...], blocks: list[int]
) -> np.ndarray | None:
    """Join voxels by the mean of what is known."""
    if density is None:
        return None
    known = np.isfinite(density[cut])
    counts = known.reshape(blocks).sum(axis=(1, 3, 5))
    total = np.where(known, density[cut], 0).reshape(blocks).sum(axis=(1, 3, 5))
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan).astype(np.float32)


def read_block(wanted: BlockSection, *, density: bool = False) -> Block:
    """Read a block of a result, from its lithium to the end of its cathode.

    Parameters
    ----------
    wanted : BlockSection
        Which block.
    density : bool, optional
        Whether to read the electrolyte's density from grey values, too.

    Raises
    ------
    XctError
        If it leaves the bore, or surfaces are missing.
    """
    result = open_measured(wanted.result)
    cell = result.cell
    dz, dy, dx = cell.voxel_size_um
    reach = np.hypot(*wanted.center_um)
    if reach + 8 * max(dy, dx) > cell.bore_radius_um:
        raise XctError(
            f"block.center_um: {list(wanted.center_um)} lies {reach:.0f} µm from the bore's axis: "
            f"no block fits there, as the bore's radius is {cell.bore_radius_um:.0f} µm"
        )
    widest = np.sqrt(2.0) * (cell.bore_radius_um - reach - 2 * max(dy, dx))
    width = widest if wanted.width_um is None else wanted.width_um
    if width > widest * 1.02 or width < 8 * max(dy, dx):
        raise XctError(
            f"block.width_um: {width:.0f} µm about {list(wanted.center_um)}; between "
            f"{8 * max(dy, dx):.0f} and {max(widest, 0):.0f} µm fit into the bore there"
        )
    spans = []
    for middle, edge, count in (
        (cell.axis_y_um + wanted.center_um[0], dy, cell.shape[1]),
        (cell.axis_x_um + wanted.center_um[1], dx, cell.shape[2]),
    ):
        first = max(0, round((middle - width / 2) / edge))
        spans.append(slice(first, min(count, first + round(width / edge))))
    rows = _rows(result, spans)
    longest = max(part.stop - part.start for part in (rows, *spans))
    factor = -(-longest // wanted.voxels)
    front = result.surfaces.get("electrolyte_cathode")
    height = np.nan if front is None else float(np.nanmedian(front.height_um[tuple(spans)])) / dz
    composite = height - rows.start if cell.sign > 0 else rows.stop - 1 - height
    block = _read_coarser(result, rows, spans, factor, composite, density=density)
    if wanted.lithium == "measured":
        return block
    return with_flat_lithium(block, _mean_face_um(result, spans))


def _mean_face_um(result: Result, spans: list[slice]) -> float:
    """Give z of the lithium's face, its mean within a block, µm."""
    face = result.surfaces.get("lithium_electrolyte")
    height = np.full(1, np.nan) if face is None else face.height_um[tuple(spans)]
    if not np.isfinite(height).any():
        raise XctError(
            f"block.lithium: flat: the lithium's face is not known in this block of {result.path}; "
            "leave it out, or choose another block"
        )
    return float(np.nanmean(height))


def with_flat_lithium(block: Block, face_um: float) -> Block:
    """Let lithium end at one height, to the next voxel; below it electrolyte takes its place.

    Parameters
    ----------
    block : Block
        As it was measured.
    face_um : float
        z of the face in the result.
    """
    planes = (face_um - block.first_um[0]) * block.sign / block.voxel_um[0] + 0.5
    count = int(np.clip(round(planes), 1, len(block.material) - 1))
    material = block.material.copy()
    above, below = material[:count], material[count:]
    above[above != Material.STEEL] = Material.LITHIUM
    below[np.isin(below, ELECTRODES)] = Material.ELECTROLYTE
    particle = np.where(material == Material.PARTICLE, block.particle, 0)
    return replace(block, material=material, particle=particle)


def _read_coarser(
    result: Result, rows: slice, spans: list[slice], factor: int, composite: float, *,
    density: bool,
) -> Block:  # fmt: skip
    """Read a block some slices at a time, each coarsened at once; the anode's end first."""
    cell = result.cell
    dz, dy, dx = cell.voxel_size_um
    parts = []
    count = (rows.stop - rows.start) // factor * factor
    step = max(1, _SLICES // factor) * factor
    for start in range(0, count, step):
        stop = min(start + step, count)
        low, high = rows.start + start, rows.start + stop
        if cell.sign < 0:
            low, high = rows.stop - stop, rows.stop - start
        index = (slice(low, high), *spans)
        labels, particle = (np.asarray(result.labels(n)[index]) for n in ("materials", "particles"))
        dense = density_at(result, (index[0], index[1], index[2])) if density else None
        if cell.sign < 0:
            labels, particle = labels[::-1], particle[::-1]
            dense = None if dense is None else dense[::-1]
        anode_um = (low if cell.sign > 0 else high - 1) * dz
        first = anode_um, spans[0].start * dy, spans[1].start * dx
        part = Block(
            materials_of(labels), particle, cell.voxel_size_um, first, 0, int(cell.sign), dense
        )
        parts.append(part.coarser(factor))
    material = np.concatenate([part.material for part in parts])
    particle = np.concatenate([part.particle for part in parts])
    begins = int(np.ceil(composite / factor)) if np.isfinite(composite) else len(material)
    one = parts[0]
    dense = np.concatenate([part.density for part in parts]) if density else None
    return Block(material, particle, one.voxel_um, one.first_um, begins, one.sign, dense)


def _rows(result: Result, spans: list[slice]) -> slice:
    """Choose the slices from the lithium to the collector."""
    cell, surfaces = result.cell, result.surfaces
    edge = cell.voxel_size_um[0]
    heights = [
        surfaces[name].height_um[tuple(spans)] if name in surfaces else np.full(1, np.nan)
        for name in ("steel_lithium", "cathode_collector")
    ]
    if not all(np.isfinite(height).any() for height in heights):
        raise XctError(
            f"{result.path}: the faces of steel and collector are not both known here: a block "
            "reaches from one to the other; take a slice with depth_um"
        )
    start = np.nanpercentile(cell.sign * heights[0], 1) / edge - 1
    end = np.nanpercentile(cell.sign * heights[1], 2) / edge - 2
    low, high = sorted((cell.sign * start, cell.sign * end))
    return slice(max(0, int(np.floor(low))), min(cell.shape[0], int(np.ceil(high))))
