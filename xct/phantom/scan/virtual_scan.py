"""A virtual scan: a sample turned in a beam. In: slabs of μ; out: a Scan whose frames are computed.

Line integrals are computed once, slab by slab, and kept; frames are made from them when they are
asked for, whole, since blur, glare, fringes and a tilted axis reach across rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.io.frames import View
from xct.parallel.threads import over_ranges
from xct.phantom.scan.detector import Beam, Detector
from xct.phantom.scan.mishaps import exposure, stage_shift
from xct.phantom.scan.optics import propagate, spread, turn
from xct.phantom.scan.setup import FLAT, PROJECTION, Sample, Setup
from xct.phantom.scan.shadows import cast_shadows
from xct.scan import Scan

_FRAME_SECONDS = 0.1


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
        integrals, phase = cast_shadows(sample, setup, workspace)
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
        setup, exposed = self.setup, exposure(self.setup, number)
        if not exposed.light:
            nothing = np.zeros(self.shape[1:], np.float32)
            return self.detector.read(nothing, nothing, number)
        beam = self.beam.frame(float(self.times[number])) * np.float32(exposed.light)
        light = beam
        if exposed.angle is not None:
            light = beam * self._transmission(exposed.angle)
        blur_px, range_px = setup.blur_um / self.pixel_um, setup.glare_range_um / self.pixel_um
        return self.detector.read(spread(light, blur_px, setup.glare, range_px), beam, number)

    def _transmission(self, angle: int) -> np.ndarray:
        """Give what the sample lets through, before scintillator and lens."""
        _, rows, columns = self.shape
        about = ((rows - 1) / 2, self.setup.center_px(columns))
        how = (self.setup.axis_tilt_deg, about, stage_shift(self.setup, angle))
        integrals = turn(self.line_integrals[angle], *how)
        if self.phase_integrals is None:
            return np.asarray(np.exp(-integrals))
        return propagate(
            integrals,
            turn(self.phase_integrals[angle], *how),
            energy_kev=self.energy_kev,
            pixel_um=self.pixel_um,
            distance_mm=self.setup.distance_mm,
        )
