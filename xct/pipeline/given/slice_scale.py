"""Slices that each have a scale of their own. In: levels of slices; out: an error.

Steel, electrolyte and cathode do not attenuate alike, and noise alone makes means of slices differ.
Where all have one mean, each was put on a scale of its own, by its mean and standard deviation or
by its histogram, and a grey value means something else in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xct.errors import DataError
from xct.io.volume_files.blank_blocks import unpacked

# Of the standard deviation of voxels: where slices were put on one mean they are 1e-6 apart, in
# 8 bits 1e-4; slices of one material, as noise alone leaves them, 5e-4 at 2048 pixels squared.
_ONE_MEAN = 2e-4
_LEAST = 8  # slices
_EVERY = 4  # pixels, of what the standard deviation is taken from


def slice_levels(values: np.ndarray) -> np.ndarray:
    """Give mean and standard deviation of each slice, float32, shape (z, 2).

    Parameters
    ----------
    values : ndarray of float32, shape (z, y, x)
        Slices; NaN does not count.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        means = values.mean(axis=(1, 2), dtype=np.float64)
        some = values[:, ::_EVERY, ::_EVERY]
        spreads = some.std(axis=(1, 2), dtype=np.float64)
        for z in np.flatnonzero(~np.isfinite(means)):
            held = values[z][np.isfinite(values[z])]
            means[z], spreads[z] = (held.mean(), held.std()) if held.size else (np.nan, np.nan)
        return np.stack([means, spreads], axis=1).astype(np.float32)


def check_scales(notes: Mapping[int, Any]) -> None:
    """Refuse slices that each have a scale of their own.

    Parameters
    ----------
    notes : mapping
        What the journal holds of each slab, by its first slice.

    Raises
    ------
    DataError
        If all have one mean.
    """
    if not all("levels" in note for note in notes.values()):
        return  # of an earlier version
    levels = [unpacked(note["levels"]) for _, note in sorted(notes.items())]
    means, spreads = np.concatenate(levels).astype(np.float64).T
    varied = spreads > 0  # neither NaN nor padding
    if np.count_nonzero(varied) < _LEAST:
        return
    apart = float(np.ptp(means[varied]) / np.median(spreads[varied]))
    if apart < _ONE_MEAN:
        raise DataError(
            f"all slices have one mean ({means[varied][0]:.6g}, at most {apart:.1g} of their "
            "standard deviation apart), as no cell has, of steel, electrolyte and cathode: each "
            "slice was put on a scale of its own, by its mean or its histogram, and a grey value "
            "means another material in each. Take the volume as it was reconstructed, or put all "
            "slices on one scale"
        )
