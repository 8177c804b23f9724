"""Materials of single slices, to choose settings by. In: a measured cell; out: a slice's labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xct.errors import DataError
from xct.geometry import CellGeometry, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.segment.denoise import Denoising
from xct.segment.material.columns import find_columns
from xct.segment.material.labels import Labeling, resolve
from xct.segment.material.rules import WEAK, Layout, classify
from xct.segment.material.sharpened import edges_of
from xct.segment.material.thresholds import find_thresholds
from xct.segment.surface.steel_behind import find_back

_AROUND = 4  # slices on each side in which a weak low-grey voxel may have a certain neighbour


class SliceLabels:
    """Labels single slices as `materials` labels the volume, and keeps what does not change.

    In noise so strong that low grey must be connected to a certain voxel, only the nearest slices
    are looked through for it.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius, and the noise.
    surfaces : mapping of str to Surface
        Height maps.
    denoising : {"none", "bilateral", "gaussian", "non_local_means", "total_variation"}, optional
        As for `materials`.
    sigma_px : float, optional
        As for `materials`.
    """

    def __init__(
        self,
        volume: Voxels,
        cell: CellGeometry,
        reference: ElectrolyteReference,
        surfaces: Mapping[str, Surface],
        *,
        denoising: Denoising = "none",
        sigma_px: float = 1.0,
    ) -> None:
        self._ratios = Ratios(volume, cell, reference)
        self._columns = find_columns(cell, surfaces)
        self._denoising, self._sigma_px = denoising, sigma_px
        self._layout: Layout | None = None
        self._jobs: dict[int, Labeling] = {}
        self._ready: tuple[tuple[int, int], np.ndarray, np.ndarray] | None = None

    def label(self, z: int, *, sharpening: int = 3, shift: float = 0.0) -> np.ndarray:
        """Label one slice.

        Parameters
        ----------
        z : int
            Its index.
        sharpening : int, optional
            As for `materials`.
        shift : float, optional
            As for `materials`.

        Returns
        -------
        ndarray of uint8, shape (y, x)
            Codes of `xct.geometry.Label`.

        Raises
        ------
        DataError
            If the volume has no such slice.
        """
        depth = self._ratios.shape[0]
        if not 0 <= z < depth:
            raise DataError(f"slice {z}: the volume has slices 0 to {depth - 1}")
        job, first = self._job(sharpening), max(0, z - _AROUND)
        edge, smooth = self._made_ready(job, z, sharpening)
        axes = self._ratios.axes(first, first + len(edge))
        labels = classify(edge, smooth, first, job.layout, axes, job.thresholds.shifted(shift))
        if (labels == WEAK).any():
            resolve(labels, None)
        return np.asarray(labels[z - first])

    def _job(self, sharpening: int) -> Labeling:
        """Find the thresholds, which depend on the sharpening, once."""
        if self._layout is None:
            back = find_back(self._ratios, self._columns)
            self._layout = Layout(self._ratios.cell, self._columns, back)
        if sharpening not in self._jobs:
            edges = edges_of(self._ratios, self._denoising, self._sigma_px, sharpening)
            thresholds = find_thresholds(self._ratios, self._columns, edges)
            self._jobs[sharpening] = Labeling(self._ratios, self._layout, thresholds, edges)
        return self._jobs[sharpening]

    def _made_ready(self, job: Labeling, z: int, sharpening: int) -> tuple[np.ndarray, np.ndarray]:
        """Sharpen and smooth the slices around one; kept until another is asked for."""
        if self._ready is None or self._ready[0] != (z, sharpening):
            depth = self._ratios.shape[0]
            first, stop = max(0, z - _AROUND), min(depth, z + _AROUND + 1)
            edge, smooth = job.prepared().planes(first, stop)
            self._ready = (z, sharpening), edge, smooth
        return self._ready[1:]
