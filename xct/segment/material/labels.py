"""Materials of the cell. In: volume, cell, electrolyte, surfaces; out: a label for every voxel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels, cut, slabs
from xct.quantity import Labels, Quantity
from xct.segment.connected import components, label_pieces
from xct.segment.denoise import Denoising, gaussian
from xct.segment.material.columns import find_columns
from xct.segment.material.rules import WEAK, Layout, classify, without_foreign
from xct.segment.material.sharpened import Edges, edges_of
from xct.segment.material.thresholds import SMOOTH_PX, Thresholds, find_thresholds
from xct.segment.surface.collector import find_back
from xct.stages import stage
from xct.statistics.gaussian import reach_px

_STRIP = 320  # rows that are made ready at once: what is in between takes little memory
_SLICES = 48  # at least in a slab: it looks at some 30 beyond
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
    the grey value parts active material, electrolyte and low grey, by thresholds of a
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
        Move each threshold by this share of the step between the materials that it parts (δ).

    Returns
    -------
    array of uint8, shape (z, y, x)
        Codes of `xct.geometry.Label`: `into`, or a numpy array.

    Raises
    ------
    ValueError
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
        raise ValueError(
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
    weak = False
    for slab in slabs(volume.shape, overlap=job.overlap, rows=rows, least=_SLICES):
        part = job.label(slab.outer_first, slab.outer_stop)[slab.inner]
        labels[slab.first : slab.stop] = part
        weak = weak or bool((part == WEAK).any())
    if weak:
        resolve(labels, rows)
    return labels


class Labeling:
    """Labels slabs that are seen wider than they are."""

    def __init__(
        self, ratios: Ratios, layout: Layout, thresholds: Thresholds, edges: Edges
    ) -> None:
        self.ratios, self.layout, self.thresholds, self.edges = ratios, layout, thresholds, edges
        self.overlap = max(edges.overlap, reach_px(SMOOTH_PX))
        self.overlap_y = max(edges.overlap_y, reach_px(SMOOTH_PX))

    def ready(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Give slices as `classify` needs them; valid `overlap` away from where they were cut."""
        return self._ready(self.ratios.read(first, stop), first, self.layout)

    def _ready(
        self, values: np.ndarray, first: int, layout: Layout
    ) -> tuple[np.ndarray, np.ndarray]:
        axes = self.ratios.axes(first, first + len(values))
        top = 1 + _FOREIGN * self.edges.noise
        clean = without_foreign(values, first, layout, axes, top)
        smooth = gaussian(clean, SMOOTH_PX)
        del clean
        denoised = self.edges.denoised(values)
        del values
        return self.edges.sharpened(denoised), smooth

    def label(self, first: int, stop: int) -> np.ndarray:
        """Label slices; valid `overlap` away from where they were cut."""
        _, height, width = self.ratios.shape
        axes = self.ratios.axes(first, stop)
        labels = np.empty((stop - first, height, width), np.uint8)
        for strip in cut(height, _STRIP, self.overlap_y):
            layout = self.layout.strip(strip.outer_first, strip.outer_stop)
            seen = self.ratios.read(first, stop, strip.outer)
            part = classify(*self._ready(seen, first, layout), first, layout, axes, self.thresholds)
            labels[:, strip.first : strip.stop] = part[:, strip.inner]
        return labels


def resolve(labels: Any, rows: int | None) -> None:
    """Make weak voxels low grey where they are connected to certain ones, else electrolyte."""
    low, weak, electrolyte = int(Label.LOW_GREY), WEAK, int(Label.ELECTROLYTE)
    certain: list[np.ndarray] = []
    kept: list[tuple[np.ndarray, int]] = []

    def mask_of(first: int, stop: int) -> np.ndarray:
        part = np.asarray(labels[first:stop])
        kept[:] = [(part, first)]
        mask: np.ndarray = (part == low) | (part == weak)
        return mask

    def visit(first: int, pieces: np.ndarray, count: int, before: int) -> None:
        sure = np.zeros(count + 1, bool)
        sure[pieces[kept[0][0] == low]] = True
        certain.append(sure[1:])

    joiner, before = components(mask_of, labels.shape, visit=visit, rows=rows)
    numbers, count = joiner.numbers()
    sure = np.zeros(count + 1, bool)
    sure[numbers[1:][np.concatenate(certain)]] = True
    for slab, offset in zip(slabs(labels.shape, rows=rows), before, strict=True):
        part = np.asarray(labels[slab.first : slab.stop])
        if not (part == weak).any():
            continue
        pieces, found = label_pieces((part == low) | (part == weak))
        chosen = np.append(False, sure[numbers[1 + offset : 1 + offset + found]])
        labels[slab.first : slab.stop] = np.where(
            part == weak, np.where(chosen[pieces], low, electrolyte), part
        ).astype(np.uint8)
