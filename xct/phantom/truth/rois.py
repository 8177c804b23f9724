"""ROIs of a virtual cell and their true histograms. In: a cell; out: boxes, counts by grey value.

C-1 … C-4 lie across the cathode, g1 … g3 at its front, middle and back, E-1 … E-4 across the
electrolyte near the anode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xct.analyze.roi.shapes import Roi, roi_from_box

if TYPE_CHECKING:
    from xct.phantom.cell.cell import VirtualCell

# Bins are centered on multiples of their width: air and electrolyte fall into the middle of one.
BIN_GREY, LOWEST_GREY, HIGHEST_GREY = 100.0, 18_950.0, 45_050.0
_OFFSET = 0.5  # of the bore's radius: distance of the middle of a box from the axis
_WIDTH = 0.45  # of the bore's radius


@dataclass
class TrueRois:
    """Boxes of voxels, and what has been counted in them.

    Attributes
    ----------
    boxes : dict of str to tuple of slice
        Voxels along z, y and x.
    counts : dict of str to ndarray
        Voxels by bin of grey value; the first and last bin hold what lies beyond.
    """

    boxes: dict[str, tuple[slice, slice, slice]]
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, cell: VirtualCell) -> TrueRois:
        """Place the boxes; those that would be thinner than two slices are left out."""
        inside, faces = cell.interfaces.inside, cell.interfaces.faces
        # Between these heights there is nothing but the one layer, over the whole bore.
        lithium = float(faces[2][inside].max())
        front = float(faces[3][inside].max())
        filled = float(faces[3][inside].min())
        sheet = float(faces[4][inside].min())
        third = (sheet - front) / 3
        radius = cell.layout.bore_radius_um
        boxes = {}
        for k in range(4):
            azimuth = np.deg2rad(45 + 90 * k)
            offset = _OFFSET * radius * np.array([np.sin(azimuth), np.cos(azimuth)])
            boxes[f"C-{k + 1}"] = (front, sheet, offset)
            boxes[f"E-{k + 1}"] = (lithium, lithium + 0.4 * (filled - lithium), offset)
        for k in range(3):
            boxes[f"g{k + 1}"] = (front + k * third, front + (k + 1) * third, np.zeros(2))
        found = {name: _box(cell, *where, _WIDTH * radius) for name, where in boxes.items()}
        return cls({n: box for n, box in sorted(found.items()) if box[0].stop > box[0].start + 1})

    def count(self, first: int, grey: np.ndarray) -> None:
        """Count the grey values of a slab that starts at slice `first`."""
        bins = round((HIGHEST_GREY - LOWEST_GREY) / BIN_GREY)
        for name, (z, y, x) in self.boxes.items():
            part = grey[max(z.start - first, 0) : max(z.stop - first, 0), y, x]
            place = np.clip((part - LOWEST_GREY) / BIN_GREY, 0, bins - 1).astype(np.int64)
            counted = np.bincount(place.ravel(), minlength=bins)
            self.counts[name] = self.counts.get(name, 0) + counted

    def table(self) -> pd.DataFrame:
        """Give the histograms as the contract's table."""
        centers = np.arange(LOWEST_GREY, HIGHEST_GREY, BIN_GREY) + BIN_GREY / 2
        return pd.concat(
            [
                pd.DataFrame({"roi": name, "grey_value": centers, "count": counts})
                for name, counts in self.counts.items()
            ],
            ignore_index=True,
        )

    def rois(self, cell: VirtualCell) -> list[Roi]:
        """Give the boxes in cell coordinates."""
        return [roi_from_box(cell.geometry, name, box) for name, box in self.boxes.items()]


def _box(
    cell: VirtualCell, low_um: float, high_um: float, off_um: np.ndarray, width_um: float
) -> tuple[slice, slice, slice]:
    heights = np.sort(cell.turned_um(np.array([low_um, high_um])))
    axis = np.array(cell.geometry.axis_at(float(heights.mean())))
    sides = []
    for center, length in zip(axis + off_um, cell.shape[1:], strict=True):
        first, stop = np.rint((center + np.array([-0.5, 0.5]) * width_um) / cell.voxel_um)
        sides.append(slice(max(int(first), 0), min(int(stop), length)))
    first, stop = int(np.ceil(heights[0] / cell.voxel_um)), int(heights[1] / cell.voxel_um)
    return slice(max(first, 0), min(stop, cell.shape[0])), sides[0], sides[1]
