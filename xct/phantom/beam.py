"""The beam of a virtual scan, when no sample is in it. In: a seed; out: quanta, ring current."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

# Standard deviation of the beam's height over the detector's; loss and tilt over a scan.
_HEIGHT, _TILT = 0.6, 0.02
# Stripes of the monochromator: their amplitude, and their height in pixels.
_STRIPES, _STRIPE_PX = 0.02, 8.0
_RING_MA = 100.0
# Decay of the ring current from one top-up to the next, and when in the scan the next one is.
_DECAY, _TOP_UP_AT = 0.008, 0.43


@dataclass(frozen=True)
class Beam:
    """Beam that moves, tilts and fades while a scan lasts; times run from 0 to 1.

    Attributes
    ----------
    shape : (rows, columns)
    quanta : float
        Quanta that a pixel detects where the beam is brightest.
    drift_px : float
        Rows that the beam moves during the scan; 0: a beam that does not change at all.
    stripes : ndarray, shape (row,)
        Relative brightness of every row of the beam, at the beginning.
    """

    shape: tuple[int, int]
    quanta: float
    drift_px: float
    stripes: np.ndarray

    @classmethod
    def draw(
        cls, shape: tuple[int, int], quanta: float, drift_px: float, rng: np.random.Generator
    ) -> Beam:
        """Draw the stripes of a beam."""
        noise = gaussian_filter1d(rng.normal(size=shape[0]), _STRIPE_PX, mode="wrap")
        return cls(shape, quanta, drift_px, 1 + _STRIPES * noise / max(noise.std(), 1e-9))

    def frame(self, time: float) -> np.ndarray:
        """Give the quanta in each pixel at a time 0 … 1, float32, shape (row, column)."""
        rows, columns = self.shape
        at = np.arange(rows) - self.drift_px * time
        height = (at + 0.5) / rows - 0.5
        upright = np.exp(-0.5 * (height / _HEIGHT) ** 2) * np.interp(
            at, np.arange(rows), self.stripes
        )
        across = np.ones(columns)
        if self.drift_px:
            across += _TILT * time * np.linspace(-0.5, 0.5, columns)
        level = self.quanta * self.current_ma(np.array([time]))[0] / _RING_MA
        return np.asarray(level * upright[:, None] * across, np.float32)

    def current_ma(self, times: np.ndarray) -> np.ndarray:
        """Tell the ring current: it decays, and jumps back with a top-up during the scan."""
        times = np.asarray(times, np.float64)
        if not self.drift_px:
            return np.full(times.shape, _RING_MA)
        since = (times - _TOP_UP_AT) % 1.0
        return np.asarray(_RING_MA * (1 + _DECAY * (0.5 - since)))
