"""Materials of the cell. In: volume, cell, electrolyte, surfaces; out: a label for every voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.errors import DataError
from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import CHUNK_SLICES, GRANULE, Block, Voxels, cut, slabs
from xct.parallel.executors import map_blocks, worker_count
from xct.parallel.rolling import Rolling, runs
from xct.quantity import Labels, Quantity
from xct.segment.connected import Pieces, join_slabs, label_pieces
from xct.segment.denoise import Denoising, gaussian
from xct.segment.material.columns import find_columns
from xct.segment.material.rules import WEAK, Layout, classify, without_foreign
from xct.segment.material.sharpened import Edges, edges_of
from xct.segment.material.thresholds import Thresholds, find_thresholds
from xct.segment.material.unknown import mark_unknown
from xct.segment.surface.steel_behind import find_back
from xct.stages import stage
from xct.statistics.gaussian import reach_px

_RUN_BYTES = 2**30  # what is in between in a run of one worker
_PLANES = 100  # that a run holds at a time, besides six for each slice that it looks at beyond
_FOREIGN = 3.0  # sd of the noise above the electrolyte: holds something else


@stage(
    gives=Quantity("labels", ("z", "y", "x"), "material", store=Labels("materials", "uint8")),
    measures=True,
)
def materials(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
    into: Any = None,
    *,
    denoising: Denoising = "none",
    sigma_px: Annotated[float, Gt(0), Le(5)] = 1.0,
    sharpening: Annotated[int, Ge(0), Le(10)] = 3,
    shift: Annotated[float, Ge(-0.4), Le(0.4)] = 0.0,
) -> Any:
    """Label every voxel of a cell with its material.

    Bore, tube and the order of the layers decide first; within the electrolyte and the cathode
    the grey value separates active material, electrolyte and low grey, by thresholds of a
    partial-volume mixture fitted to the whole cell. A low-grey region needs a voxel that is
    certainly darker than electrolyte.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius, and the noise.
    surfaces : mapping of str to Surface
        Height maps; what is missing is taken from the planes of `cell`.
    into : array, shape (z, y, x), optional
        What to fill with the labels, slab by slab; a new array unless given.
    denoising : {"none", "bilateral", "gaussian", "non_local_means", "total_variation"}, optional
        Filter before thresholds; grey values are never measured on what it gives.
    sigma_px : float, optional
        Its width in voxels.
    sharpening : int, optional
        Rounds of `sharpen` by the point spread of the reference; 0: none.
    shift : float, optional
        Move each threshold by this fraction of the step between its two materials (δ).

    Returns
    -------
    array of uint8, shape (z, y, x)
        Codes of `xct.geometry.Label`: `into`, or a numpy array.

    Raises
    ------
    DataError
        If volume and cell do not have the same shape.
    """
    return label_slabs(
        volume,
        cell,
        reference,
        surfaces,
        into,
        denoising=denoising,
        sigma_px=sigma_px,
        sharpening=sharpening,
        shift=shift,
    )


def label_slabs(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
    into: Any = None,
    *,
    denoising: Denoising = "none",
    sigma_px: float = 1.0,
    sharpening: int = 3,
    shift: float = 0.0,
    thresholds: Thresholds | None = None,
    rows: int | None = None,
) -> Any:
    """Label as `materials` does, in slabs of a given height, on which no label depends."""
    if tuple(volume.shape) != tuple(cell.shape):
        raise DataError(
            f"volume has shape {tuple(volume.shape)}, but the cell was found in one of shape "
            f"{tuple(cell.shape)} (z, y, x); give the volume that find_cell was given"
        )
    labels = np.empty(volume.shape, np.uint8) if into is None else into
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    edges = edges_of(ratios, denoising, sigma_px, sharpening)
    if thresholds is None:
        thresholds = find_thresholds(ratios, columns, edges)
    layout = Layout(cell, columns, find_back(ratios, columns))
    job = Labeling(ratios, layout, thresholds.shifted(shift), edges)
    if any(map_blocks(_label_run, job.runs(labels), job, labels, rows or GRANULE)):
        resolve(labels, rows)
    mark_unknown(volume, labels)
    return labels


@dataclass(frozen=True)
class Run:
    """Slices of a strip of rows, which one worker labels from the first to the last."""

    first: int
    stop: int
    strip: Block


def _label_run(run: Run, job: Labeling, labels: Any, rows: int) -> bool:
    """Label a run; return whether a label in it is weak."""
    layout = job.layout.strip(run.strip.outer_first, run.strip.outer_stop)
    prepared, weak = Prepared(job, run.strip), False
    low, high = layout.rows_by_value(job.ratios.shape[0])
    for first in range(run.first, run.stop, rows):
        stop = min(first + rows, run.stop)
        axes = job.ratios.axes(first, stop)
        if first < high and stop > low:
            edge, smooth = prepared.planes(first, stop)
        else:  # no value decides here: none is read
            height, width = layout.back.shape
            edge = smooth = np.ones((stop - first, height, width), np.float32)
        part = classify(edge, smooth, first, layout, axes, job.thresholds)[:, run.strip.inner]
        labels[first:stop, run.strip.first : run.strip.stop] = part
        weak = weak or bool((part == WEAK).any())
    return weak


@dataclass(frozen=True)
class Labeling:
    """What is known of a cell before its voxels are labelled."""

    ratios: Ratios
    layout: Layout
    thresholds: Thresholds
    edges: Edges

    @property
    def overlap_y(self) -> int:
        """Rows along y beyond a strip that its labels depend on."""
        return max(self.edges.overlap_y, reach_px(self.thresholds.smooth_px))

    def prepared(self) -> Prepared:
        """Give slices of full height, ready to be labelled."""
        return Prepared(self, cut(self.ratios.shape[1], self.ratios.shape[1])[0])

    def runs(self, labels: Any) -> list[Run]:
        """Cut the volume into runs: strips that share no chunk on disk, and parts along z."""
        depth, height, width = self.ratios.shape
        chunk = getattr(labels, "chunks", (1, 1))[1]
        planes = _PLANES + 6 * self.edges.overlap
        most = _RUN_BYTES // (4 * planes * width) - 2 * self.overlap_y
        strips = cut(height, min(height, max(most // chunk, 1) * chunk), self.overlap_y)
        parts = runs(depth, -(-worker_count() // len(strips)))
        return [Run(part.first, part.stop, strip) for part in parts for strip in strips]


class Prepared:
    """Slices of a strip of rows as `classify` needs them, made once each as they are asked for."""

    def __init__(self, job: Labeling, strip: Block) -> None:
        ratios, smooth_px = job.ratios, job.thresholds.smooth_px
        near = reach_px(smooth_px)
        depth = ratios.shape[0]
        layout = job.layout.strip(strip.outer_first, strip.outer_stop)
        top = 1 + _FOREIGN * job.edges.noise
        raw = Rolling(lambda a, b: ratios.read(a, b, strip.outer), depth, CHUNK_SLICES)
        self._edge = job.edges.sharpened(job.edges.denoised(raw))
        raw.keep(job.edges.overlap + near)

        def clean(first: int, stop: int) -> np.ndarray:
            axes = ratios.axes(first, stop)
            return without_foreign(raw.planes(first, stop), first, layout, axes, top)

        def smooth(first: int, stop: int) -> np.ndarray:
            before = first - max(first - near, 0)
            inner = slice(before, before + stop - first)
            return gaussian(cleaned.planes(first - near, stop + near), smooth_px, inner)

        cleaned = Rolling(clean, depth)
        self._smooth = Rolling(smooth, depth)

    def planes(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Give slices, sharpened and smoothed."""
        return self._edge.planes(first, stop), self._smooth.planes(first, stop)


def resolve(labels: Any, rows: int | None) -> None:
    """Make weak voxels low grey where they are connected to certain ones, else electrolyte."""
    blocks = slabs(labels.shape, rows=rows)
    found = map_blocks(_weak_pieces, blocks, labels)
    joiner, before = join_slabs([pieces for pieces, _ in found])
    numbers, count = joiner.numbers()
    sure = np.zeros(count + 1, bool)
    sure[numbers[1:][np.concatenate([some for _, some in found])]] = True
    chosen = [
        np.append(False, sure[numbers[1 + offset : 1 + offset + pieces.count]])
        for offset, (pieces, _) in zip(before, found, strict=True)
    ]
    map_blocks(_settle, list(zip(blocks, chosen, strict=True)), labels)


def _weak_pieces(slab: Block, labels: Any) -> tuple[Pieces, np.ndarray]:
    """Find connected low grey, weak or not; return which pieces hold a voxel that certainly is."""
    part = np.asarray(labels[slab.first : slab.stop])
    pieces, count = label_pieces((part == Label.LOW_GREY) | (part == WEAK))
    sure = np.zeros(count + 1, bool)
    sure[pieces[part == Label.LOW_GREY]] = True
    return Pieces.of(pieces, count), sure[1:]


def _settle(task: tuple[Block, np.ndarray], labels: Any) -> None:
    """Label the weak voxels of a slab, whose pieces are chosen or not."""
    slab, chosen = task
    part = np.asarray(labels[slab.first : slab.stop])
    weak = part == WEAK
    if not weak.any():
        return
    pieces, _ = label_pieces((part == Label.LOW_GREY) | weak)
    settled = np.where(chosen[pieces], int(Label.LOW_GREY), int(Label.ELECTROLYTE))
    labels[slab.first : slab.stop] = np.where(weak, settled, part).astype(np.uint8)
