"""Voxels of which nothing is known. In: a volume, its labels; out: labels, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.geometry import Label
from xct.io.overview import overview_of
from xct.parallel.blocks import GRANULE, Block, Voxels, cut
from xct.parallel.executors import map_blocks


def mark_unknown(volume: Voxels, labels: Any) -> None:
    """Label as unknown what has no value, inside the bore.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        NaN where data are missing.
    labels : array, shape (z, y, x)
        `Label`, to be changed in place.
    """
    missing = overview_of(volume).missing
    blocks = [
        block
        for block in cut(volume.shape[0], GRANULE)
        if np.any(missing[block.first : block.stop])
    ]
    map_blocks(_mark, blocks, volume, labels)


def _mark(block: Block, volume: Voxels, labels: Any) -> None:
    empty = ~np.isfinite(np.asarray(volume[block.first : block.stop]))
    if not empty.any():
        return
    part = np.asarray(labels[block.first : block.stop])
    inside = (part != Label.OUTSIDE) & (part != Label.TUBE)
    labels[block.first : block.stop] = np.where(empty & inside, int(Label.UNKNOWN), part).astype(
        part.dtype
    )
