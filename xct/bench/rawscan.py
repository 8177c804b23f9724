"""A raw scan for benches. In: its size; out: an NXtomo file as a detector might have left it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.io.convert import convert
from xct.io.frames import View
from xct.phantom import project_discs, random_discs
from xct.preprocess import flat_field
from xct.scan import Scan

# Counts for benches: what a detector reads of a slab, with everything that raw scans suffer.

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


PIXEL_SIZE_UM = 0.65
_FLATS, _DARKS = 20, 20
_ZINGERS_PER_FRAME = 2
_RAWSCAN_DEAD_PER_MILLION = 300
_AXIS_OFFSET_PX = 14.6


@dataclass(frozen=True)
class Drawn:
    """Frames that are drawn when they are read; any range of them gives the same counts.

    Attributes
    ----------
    light : Light
        Detector and beam.
    transmission : ndarray of float32, shape (frame or 1, 1, column)
        What the sample lets through, the same in all rows.
    time : ndarray, shape (frame,)
        When each frame is taken.
    """

    light: Light
    transmission: np.ndarray
    time: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        rows, columns = self.light.gain.shape
        return len(self.time), rows, columns

    @property
    def dtype(self) -> np.dtype:
        """Counts of a camera."""
        return np.dtype(np.uint16)

    @property
    def whole_frames(self) -> bool:
        """Rows are not drawn by themselves."""
        return True

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Draw some frames, cut to rows and columns."""
        numbers = np.arange(len(self.time))[frames]
        drawn = np.empty((len(numbers), *self.shape[1:]), np.uint16)
        for place, number in enumerate(numbers):
            rng = np.random.default_rng((2, int(self.time[number])))
            part = self.transmission[[number % len(self.transmission)]]
            drawn[place] = self.light.frames(part, self.time[[number]], rng)[0]
            if len(self.transmission) > 1:
                hits = rng.integers(0, drawn[place].size, _ZINGERS_PER_FRAME)
                drawn[place].flat[hits] = 60_000
        return drawn[:, rows, columns]


def write_raw_scan(file: Path, angles: int, rows: int, columns: int) -> None:
    """Write a scan of discs: uint16, contiguous, flats before and after, a beam that fades.

    Parameters
    ----------
    file : Path
        NXtomo file to write; it appears when it is whole.
    angles, rows, columns : int
        Of the raw projections.
    """
    rng = np.random.default_rng(0)
    gain = rng.normal(1, 0.02, (rows, columns)).astype(np.float32)
    gain.flat[rng.choice(gain.size, gain.size * _RAWSCAN_DEAD_PER_MILLION // 10**6)] = 0
    first = _DARKS + _FLATS
    light = Light(gain, duration=float(first + angles + _FLATS))
    theta_deg = np.linspace(0, 180, angles, endpoint=False)
    discs = random_discs(100, columns, seed=0, fill=0.9)
    axis_px = (columns - 1) / 2 + _AXIS_OFFSET_PX
    sinogram = project_discs(discs, theta_deg, columns, axis_px)
    seen = np.exp(-2 * sinogram / sinogram.max()).astype(np.float32)[:, None]
    open_beam, dark = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    time = np.arange(first, first + angles, dtype=float)
    flat_time = np.concatenate([np.arange(_DARKS, first), time[-1] + 1 + np.arange(_FLATS)])

    def view(lit: np.ndarray, when: np.ndarray) -> View:
        return View(Drawn(light, lit, when), np.arange(len(when)), (0, rows), (0, columns))

    scan = Scan(
        view(seen, time),
        view(open_beam, flat_time),
        view(dark, np.arange(_DARKS, dtype=float)),
        theta_deg,
        layout="nxtomo",
        files=(),
        projection_time=time,
        flat_time=flat_time,
        pixel_size_um=PIXEL_SIZE_UM,
        origin={"projection_time": "order of frames"},
    )
    convert(scan, file, "nxtomo")


def forget(file: Path) -> None:
    """Write a file out to the disk and drop it from memory, so that it is read from the disk."""
    opened = os.open(file, os.O_RDONLY)
    try:
        os.fsync(opened)
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(opened)
