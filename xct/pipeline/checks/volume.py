"""Are the values of a volume grey values? In: a volume that is given; out: errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xct.io.volume_files.volume import ForeignVolume

_LOOKED_AT = 5  # slices
_MOST_LABELS = 16  # whole numbers that differ: more are grey values of few bits


def looks_like_labels(volume: ForeignVolume, file: str, stages: Sequence[str]) -> list[str]:
    """Say that a volume holds labels, whatever their type: numbers of materials.

    Parameters
    ----------
    volume : ForeignVolume
        A few of its slices are read.
    file : str
        Its name, for the message.
    stages : sequence of str
        Names of the stages that will run: only those that need grey values object.
    """
    if "electrolyte_reference" not in stages:
        return []
    found: set[float] = set()
    most = 0
    for z in np.unique(np.linspace(0, volume.voxels.shape[0] - 1, _LOOKED_AT).astype(int)):
        values = volume.read(np.s_[int(z) : int(z) + 1])
        seen = np.unique(values[np.isfinite(values)])
        if len(seen) > _MOST_LABELS or (seen != np.rint(seen)).any():
            return []
        found.update(seen.tolist())
        most = max(most, len(seen))
    if most < 2 or len(found) > _MOST_LABELS:
        return []
    shown = ", ".join(f"{value:g}" for value in sorted(found))
    return [
        f"volume.file: {file}: holds nothing but {shown} in {_LOOKED_AT} of its slices: these are "
        "labels of materials, not grey values; name the volume that they were made of"
    ]
