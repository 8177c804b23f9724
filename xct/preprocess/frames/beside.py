"""Light beside the sample. In: coarse transmission of all frames; out: that of the air, by frame.

Where nothing absorbs the transmission is 1, if flats and projections were exposed alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_EDGE = 1 / 16  # of the columns, on either side
_EVEN = 0.01  # change of the transmission over them, in the mean of all frames
_BRIGHTEST = 0.98  # of the brightest columns: air is not darker
_DARKER = 0.97  # … and a sample is
_ALIKE = 0.01  # both sides at all angles
_ABOVE, _ABOVE_PART = 1.15, 0.02  # times the air, in that part of all frames: no absorption
_TOGETHER = 5  # frames: noise is not that bright
_DARK = 0.5  # of the usual light
_STEADY = 0.02  # scatter over frames beside slow drift: a sample that turns into view is no air


@dataclass(frozen=True)
class LightBeside:
    """Transmission beside the sample.

    Attributes
    ----------
    by_frame : ndarray of float64, shape (angle,)
        Mean of the columns that show air.
    sides : tuple of str
        "left", "right": where they lie.
    """

    by_frame: np.ndarray
    sides: tuple[str, ...]

    @property
    def lit(self) -> np.ndarray:
        """Of frames that have light: what the user keeps without says nothing of the flats."""
        return np.asarray(self.by_frame[self.by_frame > _DARK * np.median(self.by_frame)])

    @property
    def mean(self) -> float:
        """Of all frames that have light."""
        return float(np.mean(self.lit))

    @property
    def drift(self) -> float:
        """By how much it changes over the scan, as a fraction: a twentieth of it at a time."""
        parts = np.array_split(self.lit, min(20, self.lit.size))
        means = [float(part.mean()) for part in parts]
        return (max(means) - min(means)) / self.mean


def over_rows(transmission: np.ndarray) -> np.ndarray:
    """Give the median over rows, (angle, cell); NaN in cells that are dark in all of them."""
    lit = np.isfinite(transmission).all(axis=0).any(axis=0)
    found = np.full((len(transmission), lit.size), np.nan)
    found[:, lit] = np.nanmedian(transmission[:, :, lit], axis=1)
    return found


def light_beside(transmission: np.ndarray) -> LightBeside | None:
    """Find columns at the left and the right that show air, and their transmission.

    A sample that is wider than the view has none: there the transmission falls towards the
    middle from the first column on.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only.

    Returns
    -------
    LightBeside or None
        None where no column shows air at all angles.
    """
    by_cell = over_rows(transmission)
    mean = by_cell.mean(axis=0)
    known = np.flatnonzero(np.isfinite(mean))
    count = max(2, round(known.size * _EDGE))
    if known.size < 4 * count:
        return None
    brightest = float(np.percentile(mean[known], 98))
    if np.percentile(mean[known], 10) > _DARKER * brightest:
        return None  # no sample stands out, so that nothing says what is beside it
    sides = {}
    for side, cells in (("left", known[:count]), ("right", known[-count:])):
        level = mean[cells]
        even = np.ptp(level) < _EVEN * brightest and level.mean() > _BRIGHTEST * brightest
        if even:
            sides[side] = by_cell[:, cells].mean(axis=1)
    # What both sides share is the light: it may flicker, as no sample that turns does on both.
    shared = np.mean(list(sides.values()), axis=0) if len(sides) == 2 else 1.0
    shared = shared / np.mean(shared)
    found = {
        side: light
        for side, light in sides.items()
        if np.std(np.diff(light / shared)) / np.sqrt(2) < _STEADY * brightest
    }
    if not found or np.std(list(found.values()), axis=0).mean() > _ALIKE * brightest:
        return None
    by_frame = np.mean(np.stack(list(found.values())), axis=0, dtype=np.float64)
    return LightBeside(np.asarray(by_frame), tuple(found))


def part_above_air(transmission: np.ndarray, beside: LightBeside | None) -> float:
    """Give the part of all frames that is far brighter than the air; 0 where it is negligible.

    A sample only absorbs. Flats that hold its shadow, or a beam that stood elsewhere when they
    were taken, make projections brighter than air.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only.
    beside : LightBeside or None
        The light beside the sample; where it is not known, air is 1.
    """
    count = max(1, len(transmission) // _TOGETHER)
    parts = np.array_split(transmission, count)
    level = np.stack([part.mean(axis=0) for part in parts])
    if beside is not None:  # at that time: the light may change
        air = np.array([part.mean() for part in np.array_split(beside.by_frame, count)])
        level = level / np.maximum(air, _DARK * beside.mean)[:, None, None]
    known = np.isfinite(level)
    part = float(np.mean(level[known] > _ABOVE)) if known.any() else 0.0
    return part if part > _ABOVE_PART else 0.0
