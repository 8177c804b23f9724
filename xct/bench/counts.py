"""Counts for benches: what a detector reads of a slab, with everything that raw scans suffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.phantom import project_discs, random_discs
from xct.preprocess import flat_field

_BEAM, _OFFSET = 15_000.0, 100.0
_DEAD_PER_MILLION, _ZINGERS_PER_MILLION = 300, 20


@dataclass(frozen=True)
class Counts:
    """Frames of a slab, uint16, and when they were taken: flats before and after."""

    projections: np.ndarray
    flats: np.ndarray
    darks: np.ndarray
    projection_time: np.ndarray
    flat_time: np.ndarray

    @property
    def millions(self) -> float:
        """Values of the projections, in millions."""
        return self.projections.size / 1e6

    def flat_field(self) -> np.ndarray:
        """Transmission, with flats interpolated in time."""
        return flat_field(
            self.projections, self.flats, self.darks, self.projection_time, self.flat_time
        )


def draw_counts(shape: tuple[int, int, int], *, flats: int = 20, darks: int = 20) -> Counts:
    """Draw a slab of discs before a beam that fades, with dead pixels and zingers.

    Parameters
    ----------
    shape : (angle, row, column)
        Of the projections.
    flats, darks : int, optional
        Flats in each of two blocks, before and after; darks.
    """
    angles, rows, columns = shape
    rng = np.random.default_rng(0)
    theta_deg = np.arange(angles) * 180.0 / angles
    sinogram = project_discs(random_discs(100, columns, seed=0), theta_deg, columns, columns / 2)
    light = np.exp(-2 * sinogram / sinogram.max()).astype(np.float32)
    time = np.arange(angles, dtype=float) + flats
    flat_time = np.concatenate([np.arange(flats), np.arange(flats) + angles + flats]).astype(float)
    gain = rng.normal(1, 0.02, (rows, columns)).astype(np.float32)
    gain.flat[rng.choice(gain.size, gain.size * _DEAD_PER_MILLION // 10**6)] = 0
    lit = Light(gain, duration=float(angles + 2 * flats))
    projections = lit.frames(light[:, None, :], time, rng)
    hits = rng.choice(projections.size, projections.size * _ZINGERS_PER_MILLION // 10**6)
    projections.flat[hits] = 60_000
    return Counts(
        projections,
        lit.frames(np.ones((1, 1, 1), np.float32), flat_time, rng),
        lit.frames(np.zeros((1, 1, 1), np.float32), np.zeros(darks), rng),
        time,
        flat_time,
    )


@dataclass(frozen=True)
class Light:
    """A detector of unequal pixels before a beam that fades by 3 % and tilts.

    Attributes
    ----------
    gain : ndarray of float32, shape (row, column)
        0 where a pixel is dead.
    duration : float
        When the scan ends; it begins at 0.
    """

    gain: np.ndarray
    duration: float

    def frames(
        self, transmission: np.ndarray, time: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Read frames (frame, row, column), uint16, at these times.

        `transmission` may be one for all frames, rows or columns. The noise of counting comes
        out of a long line of normal numbers, from another place for each line of a frame.
        """
        rows, columns = self.gain.shape
        pool = rng.standard_normal(16 * columns + 65_536, dtype=np.float32)
        across = np.linspace(-0.5, 0.5, columns, dtype=np.float32)
        transmission = np.broadcast_to(transmission, (len(time), *transmission.shape[1:]))
        # A dead pixel says the same whatever comes.
        read_noise = np.where(self.gain > 0, np.float32(16), np.float32(0))
        answer = np.empty((len(time), rows, columns), np.uint16)
        for number, when in enumerate(time / self.duration):
            beam = np.float32(_BEAM) * (1 - np.float32(0.03 * when) * (1 - across))
            mean = transmission[number] * beam * self.gain
            starts = rng.integers(0, pool.size - columns, rows)
            noise = np.stack([pool[start : start + columns] for start in starts])
            noise *= np.sqrt(mean + read_noise)
            answer[number] = mean + noise + np.float32(_OFFSET + 0.5)
        return answer
