"""What goes wrong in a scan. In: a setup, a frame's number; out: its light, and what it shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.phantom.scan.setup import DARK, FLAT, PROJECTION, Setup

_STREAM, _JITTER = 7, 8  # of random numbers: which frames are struck, where the stage stands
_LEAK = 0.3  # of the light, in a dark that is lit


class Exposure(NamedTuple):
    """What a frame is exposed to.

    Attributes
    ----------
    light : float
        Of the beam; 0: none.
    angle : int or None
        Number of the angle at which the sample stands in it; None: no sample.
    """

    light: float
    angle: int | None


def exposure(setup: Setup, number: int) -> Exposure:
    """Say what frame `number` of a scan, in order of time, is exposed to."""
    keys = setup.keys
    key = int(keys[number])
    own = int(np.sum(keys[:number] == key))
    struck = own in _struck(setup, key)
    if key == DARK:
        return Exposure(_LEAK if struck else 0.0, None)
    if key == FLAT:
        return Exposure(setup.flat_exposure, 0 if struck else None)
    if struck:
        return Exposure(0.0, own)
    return Exposure(setup.dose_jump if own >= setup.angles // 2 else 1.0, own)


def stage_shift(setup: Setup, angle: int) -> tuple[float, float]:
    """Draw how far, in rows and columns, the sample stands off at an angle."""
    if not setup.jitter_px:
        return 0.0, 0.0
    rng = np.random.default_rng((setup.seed, _JITTER, angle))
    down, right = rng.normal(0, setup.jitter_px, 2)
    return float(down), float(right)


def _struck(setup: Setup, key: int) -> set[int]:
    """Draw which frames of a kind are lost, lit or blocked."""
    wanted = {PROJECTION: setup.lost_frames, FLAT: setup.blocked_flats, DARK: setup.lit_darks}[key]
    total = int(np.sum(setup.keys == key))
    rng = np.random.default_rng((setup.seed, _STREAM, key))
    return set(rng.choice(total, min(wanted, total), replace=False).tolist())
