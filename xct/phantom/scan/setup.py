"""How a sample is scanned. In: wishes; out: a checked setup, its angles and order of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

_DARKS, _FLATS = 10, 10
_HALF_AT = 0.2  # of the detector's width: the axis of a half acquisition
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
        Projections from 0° to 180°, or to 360° in a half acquisition, both included.
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
    jitter_px : float
        Standard deviation of how far the stage stands off in a projection, along rows and along
        columns.
    half_acquisition : bool
        A full turn about an axis near the first column: at a fifth of the detector.
    lost_frames, blocked_flats, lit_darks : int
        Projections without light, flats with the sample in them, darks with light.
    flat_exposure : float
        Exposure of a flat over that of a projection; no file says it.
    dose_jump : float
        Light of the second half of the projections over that of the first.
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
    jitter_px: float = 0.0
    half_acquisition: bool = False
    lost_frames: int = 0
    blocked_flats: int = 0
    lit_darks: int = 0
    flat_exposure: float = 1.0
    dose_jump: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for error in _impossible(self):
            raise ValueError(error)

    def center_px(self, columns: int) -> float:
        """Give the column of the axis in the middle row."""
        middle = _HALF_AT * columns if self.half_acquisition else (columns - 1) / 2
        return middle + self.axis_offset_px

    @property
    def theta_deg(self) -> np.ndarray:
        """Angle of each projection."""
        return np.linspace(0, 360 if self.half_acquisition else 180, self.angles)

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
    for name in ("quanta", "glare_range_um", "flat_exposure", "dose_jump"):
        if not getattr(setup, name) > 0:
            yield f"{name} = {getattr(setup, name):g}; expected a positive number"
    struck = ("lost_frames", "blocked_flats", "lit_darks", "jitter_px")
    for name in ("blur_um", "distance_mm", "read_noise", *struck):
        if getattr(setup, name) < 0:
            yield f"{name} = {getattr(setup, name):g}; expected 0 or more"
