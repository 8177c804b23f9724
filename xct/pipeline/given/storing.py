"""How a given volume is stored: the range of its values, what is shown. In: files; out: Coding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.io.ome_metadata import seen_window
from xct.io.volume_files.volume import ForeignVolume
from xct.io.volumes import Coding

_SHOWN, _RANGED = 5, 24  # slices that are looked at: for what viewers show, for the range
_MARGIN = 0.5  # of the range of some slices of real numbers, on each side
_STEPS = 65532  # of uint16, without code 0 and one at each end


def usual_window(source: ForeignVolume) -> tuple[float, float] | None:
    """Give what to show black and white, by a few slices as they lie in the file."""
    return seen_window(_slices(source, _SHOWN))


def coding_for(source: ForeignVolume) -> Coding:
    """Choose the range that uint16 covers: all that 8 or 16 bits hold; else as slices tell.

    0 is stored exactly where it lies in the range: programs write it where they have no value.
    What lies beyond the range of some slices, and half of it on each side, is counted by the run.
    """
    lowest, highest = _range(source)
    step = float(np.float32(max(highest - lowest, 1e-6) / _STEPS))
    first = np.floor(lowest / step) - 1 if lowest <= 0 <= highest else lowest / step - 1
    offset = -float(np.float32(-first) * np.float32(step))
    return Coding("uint16", step, offset, missing=float("nan"))


def _range(source: ForeignVolume) -> tuple[float, float]:
    if source.saturated is not None:
        few = np.iinfo(source.voxels.dtype)
        ends = sorted(source.slope * value + source.offset for value in (few.min, few.max))
        return ends[0], ends[1]
    finite = [plane[np.isfinite(plane)] for plane in _slices(source, _RANGED)]
    known = [values for values in finite if values.size]
    if not known:
        return 0.0, 1.0
    lowest, highest = min(v.min() for v in known), max(v.max() for v in known)
    margin = _MARGIN * float(highest - lowest)
    return float(lowest) - margin, float(highest) + margin


def _slices(source: ForeignVolume, count: int) -> list[np.ndarray]:
    """Read some slices, evenly spread, as they lie in the file: where they are placed, too."""
    stored = getattr(source.voxels, "voxels", source.voxels)
    as_stored = replace(source, voxels=stored)
    places = np.unique(np.linspace(0, stored.shape[0] - 1, count + 2).astype(int)[1:-1])
    return [as_stored.read(np.s_[z : z + 1]) for z in places.tolist()]
