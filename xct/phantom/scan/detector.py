"""The detector of a virtual scan: quanta in, digits out. Pixels differ, some are dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

# The beam of a virtual scan, when no sample is in it. In: a seed; out: quanta, ring current.

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
        """Give the ring current: it decays, and jumps back with a top-up during the scan."""
        times = np.asarray(times, np.float64)
        if not self.drift_px:
            return np.full(times.shape, _RING_MA)
        since = (times - _TOP_UP_AT) % 1.0
        return np.asarray(_RING_MA * (1 + _DECAY * (0.5 - since)))


OFFSET_COUNTS = 100.0
_DEAD_PER_MILLION = 200
_ZINGERS_PER_MILLION = 20.0
# Fraction of pixels that are far from linear; standard deviation of the bend, most and those.
_BENT, _BENDS = 0.02, (0.003, 0.03)
_STREAMS = {"photons": 1, "zingers": 2}


@dataclass(frozen=True)
class Detector:
    """What a frame goes through; arrays are (row, column).

    Attributes
    ----------
    gain : ndarray
        Digits of a quantum, relative; 0 where a pixel is dead.
    bend : ndarray
        How much a pixel gives too much where there is little light: what a flat cannot repair.
    offset : ndarray
        Counts without light.
    dead : ndarray of bool
        Pixels that always say the same.
    quanta_per_count : float
        Digits are as coarse as that.
    most : int
        Largest digit.
    read_noise : float
        Standard deviation, in quanta; 0 with `ideal`.
    ideal : bool
        No noise, no defects, no digits: counts are the quanta, floats.
    seed : int
        Every frame has random numbers of its own, whoever asks for it, in whichever order.
    """

    gain: np.ndarray
    bend: np.ndarray
    offset: np.ndarray
    dead: np.ndarray
    quanta_per_count: float
    most: int
    read_noise: float
    ideal: bool
    seed: int

    @classmethod
    def draw(
        cls, shape: tuple[int, int], *, quanta: float, bits: int, read_noise: float, seed: int
    ) -> Detector:
        """Draw a detector whose brightest pixels fill most of its range."""
        rng = np.random.default_rng((seed, 0))
        bend = rng.normal(0, _BENDS[0], shape)
        bent = rng.random(shape) < _BENT
        bend[bent] = rng.normal(0, _BENDS[1], bent.sum())
        dead = np.zeros(shape, bool)
        count = max(3, round(dead.size * _DEAD_PER_MILLION * 1e-6))
        dead.flat[rng.choice(dead.size, min(count, dead.size), replace=False)] = True
        gain = np.where(dead, 0, rng.normal(1, 0.02, shape))
        most = 2**bits - 1
        # A tenth is left above the brightest pixels of 1.06 times the mean.
        coarse = max(1.0, quanta * 1.17 / (most - 2 * OFFSET_COUNTS))
        offset = rng.normal(OFFSET_COUNTS, 2, shape)
        fields = {"gain": gain, "bend": bend, "offset": offset}
        single = {name: np.asarray(field, np.float32) for name, field in fields.items()}
        return cls(
            **single,
            dead=dead,
            quanta_per_count=coarse,
            most=most,
            read_noise=read_noise,
            ideal=False,
            seed=seed,
        )

    @classmethod
    def perfect(cls, shape: tuple[int, int]) -> Detector:
        """Give the detector that counts quanta without fault."""
        even = np.ones(shape, np.float32)
        offset = np.full(shape, OFFSET_COUNTS, np.float32)
        return cls(even, 0 * even, offset, np.zeros(shape, bool), 1.0, 0, 0.0, True, 0)

    @property
    def dtype(self) -> np.dtype:
        """Type of the digits."""
        return np.dtype(np.float32 if self.ideal else np.uint16)

    def read(self, light: np.ndarray, beam: np.ndarray, number: int) -> np.ndarray:
        """Take a frame.

        Parameters
        ----------
        light : ndarray of float32, shape (row, column)
            Quanta that arrive.
        beam : ndarray, shape (row, column)
            Quanta that would arrive without a sample; 0 in a dark.
        number : int
            Number of the frame in the scan.

        Returns
        -------
        ndarray, shape (row, column)
            Counts.
        """
        if self.ideal:
            return np.asarray(light + self.offset)
        rng = self._stream("photons", number)
        relative = np.divide(light, beam, out=np.zeros_like(light), where=beam > 0)
        expected = light * self.gain * (1 + self.bend * (1 - relative))
        quanta = rng.poisson(np.maximum(expected, 0)).astype(np.float32)
        quanta += np.float32(self.read_noise) * rng.standard_normal(light.shape, np.float32)
        counts = quanta / np.float32(self.quanta_per_count) + self.offset
        if beam.any():  # without beam nothing strays
            row, column, hits = self._zingers(number)
            counts[row, column] += hits
        counts[self.dead] = self.offset[self.dead]
        return np.asarray(np.clip(np.rint(counts), 0, self.most), np.uint16)

    def zingers(self, number: int) -> int:
        """Count the stray photons that are seen in a frame taken with beam."""
        return 0 if self.ideal else len(self._zingers(number)[0])

    def _zingers(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw rows, columns and counts of stray photons in a frame; dead pixels see none."""
        rng = self._stream("zingers", number)
        size = self.dead.size
        places = np.unique(rng.integers(0, size, rng.poisson(size * _ZINGERS_PER_MILLION * 1e-6)))
        row, column = np.unravel_index(places, self.dead.shape)
        hits = rng.uniform(0.15, 0.45, len(places)) * self.most
        live = ~self.dead[row, column]
        return row[live], column[live], hits[live]

    def _stream(self, what: str, number: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, _STREAMS[what], number))
