"""A virtual scan: a sample turned in a beam. In: slabs of μ; out: a Scan whose frames are computed.

Line integrals are computed once, slab by slab, and kept; frames are made from them when they are
asked for, whole, since blur, glare, fringes and a tilted axis reach across rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from xct.io.frames import View
from xct.phantom.beam import Beam
from xct.phantom.detector import Detector
from xct.phantom.optics import propagate, spread, turn
from xct.phantom.projector import project
from xct.scan import Scan
from xct.threads import over_ranges
from xct.voxels import slabs

_DARKS, _FLATS = 10, 10
_SLAB_ROWS = 32  # at least, as many as the projector takes at once
# Line integrals that are kept in memory; more are kept on disk.
_IN_MEMORY_BYTES = 2**28
_FRAME_SECONDS = 0.1
DARK, FLAT, PROJECTION = 2, 1, 0


class Sample(Protocol):
    """What is scanned: a volume, read slab by slab, the rotation axis in the middle of its slices.

    Attributes
    ----------
    shape : tuple of int
        Voxels along z (detector rows), y and x (detector columns).
    voxel_um : float
        Edge of a voxel, and width of a detector pixel.
    energy_kev : float
        Energy that μ and δ are meant for.
    """

    shape: tuple[int, int, int]
    voxel_um: float
    energy_kev: float

    def mu(self, first: int, stop: int) -> np.ndarray:
        """Give some slices of μ, 1/cm."""
        ...

    def delta(self, first: int, stop: int) -> np.ndarray:
        """Give some slices of δ, dimensionless."""
        ...


@dataclass(frozen=True)
class Setup:
    """How a sample is scanned.

    Attributes
    ----------
    angles : int
        Projections from 0° to 180°, both included.
    axis_offset_px : float
        Columns from the middle of the detector to the rotation axis, in the middle row.
    axis_tilt_deg : float
        Tilt of the axis within the plane of the detector.
    quanta : float
        Quanta that a pixel detects in a frame without sample, where the beam is brightest.
    read_noise : float
        Standard deviation of the read noise, quanta.
    bits : int
        Of the camera: 12 or 16.
    blur_um : float
        Full width at half maximum of the point spread's core.
    glare : float
        Fraction of the light that the point spread's long tail takes.
    glare_range_um : float
        Standard deviation of that tail.
    distance_mm : float
        Sample to detector; 0: no propagation, absorption only.
    drift_px : float
        Rows that the beam moves during the scan; with it, the beam tilts and fades.
    ideal : bool
        A perfect detector and a steady beam: no noise, no defects; frames are floats.
    torlon_um : float or None
        Outer radius of a housing about the axis, which begins inside of the field of view.
    torlon_per_cm : float
        Its attenuation.
    seed : int
        Of the random numbers.
    """

    angles: int = 400
    axis_offset_px: float = 0.0
    axis_tilt_deg: float = 0.0
    quanta: float = 48_000.0
    read_noise: float = 16.0
    bits: int = 16
    blur_um: float = 2.2
    glare: float = 0.003
    glare_range_um: float = 300.0
    distance_mm: float = 0.0
    drift_px: float = 1.0
    ideal: bool = False
    torlon_um: float | None = None
    torlon_per_cm: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for complaint in _impossible(self):
            raise ValueError(complaint)

    def center_px(self, columns: int) -> float:
        """Tell the column of the axis in the middle row."""
        return (columns - 1) / 2 + self.axis_offset_px

    @property
    def theta_deg(self) -> np.ndarray:
        """Angle of each projection."""
        return np.linspace(0, 180, self.angles)

    @property
    def keys(self) -> np.ndarray:
        """What is taken one after the other: darks, flats, half the projections, flats, …."""
        half = self.angles // 2
        order = ((DARK, _DARKS), (FLAT, _FLATS), (PROJECTION, half), (FLAT, _FLATS),
                 (PROJECTION, self.angles - half), (FLAT, _FLATS))  # fmt: skip
        return np.concatenate([np.full(count, key) for key, count in order])


def _impossible(setup: Setup) -> Iterator[str]:
    if setup.angles < 2:
        yield f"angles = {setup.angles}; expected 2 or more"
    if setup.bits not in (12, 16):
        yield f"bits = {setup.bits}; expected 12 or 16"
    if not 0 <= setup.glare < 1:
        yield f"glare = {setup.glare:g}; expected a fraction from 0, such as 0.003"
    for name in ("quanta", "glare_range_um"):
        if not getattr(setup, name) > 0:
            yield f"{name} = {getattr(setup, name):g}; expected a positive number"
    for name in ("blur_um", "distance_mm", "read_noise"):
        if getattr(setup, name) < 0:
            yield f"{name} = {getattr(setup, name):g}; expected 0 or more"


def virtual_scan(sample: Sample, setup: Setup, workspace: Path) -> Scan:
    """Turn a sample in the beam.

    Parameters
    ----------
    sample : Sample
        Read once, slab by slab.
    setup : Setup
        Beam, optics, detector.
    workspace : path
        Folder for line integrals that are too large for memory; they must stay there as long as
        frames are read.

    Returns
    -------
    Scan
        Its frames are computed when they are read, each the same whenever that is.

    Raises
    ------
    OSError
        If the disk cannot hold the line integrals.
    """
    frames = VirtualFrames.of(sample, setup, workspace)
    keys = setup.keys
    _, rows, columns = frames.shape
    index = [np.flatnonzero(keys == key) for key in range(3)]
    projections, flats, darks = (View(frames, part, (0, rows), (0, columns)) for part in index)
    current = frames.beam.current_ma(frames.times)
    seconds = np.arange(len(keys)) * _FRAME_SECONDS
    return Scan(
        projections,
        flats,
        darks,
        setup.theta_deg,
        layout="nxtomo",
        files=(),
        projection_time=seconds[index[PROJECTION]],
        flat_time=seconds[index[FLAT]],
        pixel_size_um=sample.voxel_um,
        energy_kev=sample.energy_kev,
        distance_mm=setup.distance_mm or None,
        ring_current_ma=None if setup.ideal else current[index[PROJECTION]],
        flat_ring_current_ma=None if setup.ideal else current[index[FLAT]],
        origin={"projection_time": "clock of the virtual scan"},
    )


@dataclass(frozen=True)
class VirtualFrames:
    """All frames of a scan in order of time, computed when they are read.

    Attributes
    ----------
    setup, beam, detector
        What the light goes through.
    line_integrals : ndarray, shape (angle, row, column)
        Of μ; in memory or mapped from disk.
    phase_integrals : ndarray or None
        Of δ, µm; None without propagation.
    pixel_um, energy_kev : float
        Of the sample.
    """

    setup: Setup
    beam: Beam
    detector: Detector
    line_integrals: np.ndarray
    phase_integrals: np.ndarray | None
    pixel_um: float
    energy_kev: float

    @classmethod
    def of(cls, sample: Sample, setup: Setup, workspace: Path) -> VirtualFrames:
        """Project a sample."""
        integrals, phase = _integrals(sample, setup, workspace)
        frame = (integrals.shape[1], integrals.shape[2])
        drift = 0.0 if setup.ideal else setup.drift_px
        beam = Beam.draw(frame, setup.quanta, drift, np.random.default_rng((setup.seed, 3)))
        detector = Detector.perfect(frame)
        if not setup.ideal:
            detector = Detector.draw(
                frame,
                quanta=setup.quanta,
                bits=setup.bits,
                read_noise=setup.read_noise,
                seed=setup.seed,
            )
        return cls(setup, beam, detector, integrals, phase, sample.voxel_um, sample.energy_kev)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        _, rows, columns = self.line_integrals.shape
        return len(self.setup.keys), rows, columns

    @property
    def dtype(self) -> np.dtype:
        """Type of the counts."""
        return self.detector.dtype

    @property
    def whole_frames(self) -> bool:
        """A few rows cost as much as the frame."""
        return True

    @property
    def times(self) -> np.ndarray:
        """When each frame is taken, from 0 to 1."""
        return np.linspace(0, 1, self.shape[0])

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Take some frames, cut to rows and columns."""
        numbers = np.arange(self.shape[0])[frames]
        cut = [len(range(n)[part]) for n, part in zip(self.shape[1:], (rows, columns), strict=True)]
        counts = np.empty((len(numbers), *cut), self.dtype)

        def some(begin: int, end: int) -> None:
            for place in range(begin, end):
                counts[place] = self._take(int(numbers[place]))[rows, columns]

        over_ranges(some, len(numbers), pieces=4)
        return counts

    def _take(self, number: int) -> np.ndarray:
        keys, setup = self.setup.keys, self.setup
        if keys[number] == DARK:
            nothing = np.zeros(self.shape[1:], np.float32)
            return self.detector.read(nothing, nothing, number)
        beam = self.beam.frame(float(self.times[number]))
        light = beam
        if keys[number] == PROJECTION:
            light = beam * self._transmission(int(np.sum(keys[:number] == PROJECTION)))
        blur_px, range_px = setup.blur_um / self.pixel_um, setup.glare_range_um / self.pixel_um
        return self.detector.read(spread(light, blur_px, setup.glare, range_px), beam, number)

    def _transmission(self, angle: int) -> np.ndarray:
        """Tell what the sample lets through, before scintillator and lens."""
        _, rows, columns = self.shape
        about = ((rows - 1) / 2, self.setup.center_px(columns))
        integrals = turn(self.line_integrals[angle], self.setup.axis_tilt_deg, about)
        if self.phase_integrals is None:
            return np.asarray(np.exp(-integrals))
        return propagate(
            integrals,
            turn(self.phase_integrals[angle], self.setup.axis_tilt_deg, about),
            energy_kev=self.energy_kev,
            pixel_um=self.pixel_um,
            distance_mm=self.setup.distance_mm,
        )


def _integrals(
    sample: Sample, setup: Setup, workspace: Path
) -> tuple[np.ndarray, np.ndarray | None]:
    """Project μ and, where waves are to propagate, δ in µm, slab by slab."""
    rows, _, columns = sample.shape
    shape = (setup.angles, rows, columns)
    absorbed = _room(shape, workspace / ".mu.tmp")
    delayed = _room(shape, workspace / ".delta.tmp") if setup.distance_mm else None
    height = max(_SLAB_ROWS, slabs(sample.shape)[0].stop)
    for first in range(0, rows, height):
        part = slice(first, min(first + height, rows))
        _project_slab(sample.mu, part, sample.voxel_um, setup, absorbed)
        if delayed is not None:
            # The projector's unit is a quantity per cm; δ has no unit, its integral is in µm.
            _project_slab(sample.delta, part, sample.voxel_um * 1e4, setup, delayed)
    if setup.torlon_um is not None:
        absorbed += _housing(setup, columns, sample.voxel_um)
    return absorbed, delayed


def _project_slab(
    read: Callable[[int, int], np.ndarray],
    part: slice,
    voxel_um: float,
    setup: Setup,
    integrals: np.ndarray,
) -> None:
    slab, columns = read(part.start, part.stop), integrals.shape[2]
    if setup.torlon_um is not None:
        # Beyond the field of view the housing is a ring, which is added in one piece.
        offset = (np.arange(n) - (n - 1) / 2 for n in slab.shape[1:])
        y, x = np.meshgrid(*offset, indexing="ij")
        slab = np.where(np.hypot(y, x) < columns / 2, slab, np.float32(0))
    center = setup.center_px(columns)
    project(slab, setup.theta_deg, center, voxel_um, into=integrals[:, part])


def _room(shape: tuple[int, int, int], file: Path) -> np.ndarray:
    """Make room for line integrals: in memory, or on disk where they are many."""
    size = 4 * int(np.prod(shape))
    if size <= _IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    with file.open("wb") as opened:
        # A full disk is told now; later, a page that cannot be written would end the program.
        os.posix_fallocate(opened.fileno(), 0, size)
    mapped: Any = np.memmap(file, np.float32, "r+", shape=shape)
    return np.asarray(mapped)


def _housing(setup: Setup, columns: int, pixel_um: float) -> np.ndarray:
    """Integrate the housing beyond the field of view over each column; alike at every angle."""
    assert setup.torlon_um is not None
    finer = 8
    across = (np.arange(columns * finer) + 0.5) / finer - 0.5 - setup.center_px(columns)
    inner, outer = (
        2 * np.sqrt(np.maximum(radius**2 - (across * pixel_um) ** 2, 0))
        for radius in (columns / 2 * pixel_um, setup.torlon_um)
    )
    per_column = (outer - inner).reshape(columns, finer).mean(axis=1)
    return np.asarray(per_column * 1e-4 * setup.torlon_per_cm, np.float32)
