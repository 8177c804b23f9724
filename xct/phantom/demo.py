"""Demo scan: a little virtual cell before an imperfect detector. Out: one NXtomo file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.io.atomic import written_whole
from xct.io.convert import convert
from xct.io.frames import View
from xct.phantom.discs import project_discs
from xct.scan import Scan
from xct.threads import over_ranges

# Rows, columns, angles.
_SIZES: dict[str, tuple[int, int, int]] = {"small": (96, 320, 400), "medium": (256, 640, 900)}

PIXEL_SIZE_UM = 1.3
ENERGY_KEV = 25.0
# At 25 keV: pressed LPSCl with carbon, NCM811, polyimide, and a void that might be lithium.
MU_PER_CM = {"electrolyte": 5.6, "active_material": 48.0, "tube": 0.5, "void": 0.0}
_CM_PER_PIXEL = PIXEL_SIZE_UM * 1e-4
_OFF_MIDDLE_PX = 4.37

_DARKS, _FLATS = 10, 5
_BEAM_COUNTS = 30_000
_OFFSET_COUNTS, _READ_NOISE_COUNTS = 100.0, 4.0
_DEAD_PER_MILLION = 300
_ZINGERS_PER_PROJECTION = 2


def write_demo_scan(file: Path | str, *, size: str = "small", seed: int = 0) -> dict[str, Any]:
    """Write the raw scan of a little virtual cell, with everything that raw scans suffer from.

    A tube holds an electrolyte with round particles of active material and one void. Photons
    are counted (Poisson) and read with noise; the beam drifts, so that flats are taken before,
    amid and after the projections; pixels differ in gain, some are not linear, which makes
    rings, some are dead; stray photons leave zingers.

    Parameters
    ----------
    file : path
        NXtomo file to write; it appears when it is whole, and replaces one that is there.
    size : {"small", "medium"}, optional
        96 rows × 320 columns × 400 angles, or 256 × 640 × 900.
    seed : int, optional
        The same seed gives the same bytes.

    Returns
    -------
    dict
        The truth: `center_px`, `mu_per_cm` by material, and how many `dead_pixels` and
        `zingers` there are.

    Raises
    ------
    ValueError
        If `size` is not known.
    """
    if size not in _SIZES:
        raise ValueError(f"size = {size!r}; expected one of {', '.join(_SIZES)}")
    rows, columns, angles = _SIZES[size]
    rng = np.random.default_rng(seed)
    spheres = _spheres(rows, columns, rng)
    detector = _Detector.draw(rows, columns, rng)
    plan = _Plan.of(angles, columns)
    counts = np.empty((len(plan.keys), rows, columns), np.uint16)

    def measure(first: int, stop: int) -> None:
        for row in range(first, stop):
            discs = _cut(spheres, row, columns)
            # A stream of its own for each row: threads do not change the answer.
            counts[:, row] = _measured(
                discs, detector, plan, row, np.random.default_rng((seed, row))
            )

    over_ranges(measure, rows)
    zingers = _add_zingers(counts, detector, plan, rng)
    with written_whole(Path(file)) as temporary:
        convert(_scan(counts, plan), temporary, "nxtomo")
    return {
        "center_px": plan.center_px,
        "mu_per_cm": dict(MU_PER_CM),
        "dead_pixels": int(detector.dead.sum()),
        "zingers": zingers,
    }


@dataclass(frozen=True)
class _Plan:
    """In which order frames are taken: darks, flats, half the projections, flats, ….

    `keys` are NXtomo's (0 projection, 1 flat, 2 dark); `time` runs from 0 to 1 over the scan.
    """

    keys: np.ndarray
    theta_deg: np.ndarray
    center_px: float

    @classmethod
    def of(cls, angles: int, columns: int) -> _Plan:
        order = ((2, _DARKS), (1, _FLATS), (0, angles // 2), (1, _FLATS),
                 (0, angles - angles // 2), (1, _FLATS))  # fmt: skip
        keys = np.concatenate([np.full(count, key) for key, count in order])
        # 0° and 180° are both there, mirror images of each other.
        return cls(keys, np.linspace(0, 180, angles), (columns - 1) / 2 + _OFF_MIDDLE_PX)

    @property
    def time(self) -> np.ndarray:
        return np.linspace(0, 1, len(self.keys))


@dataclass(frozen=True)
class _Detector:
    """What differs from pixel to pixel; each an array (row, column)."""

    gain: np.ndarray
    bend: np.ndarray
    offset: np.ndarray
    dead: np.ndarray

    @classmethod
    def draw(cls, rows: int, columns: int, rng: np.random.Generator) -> _Detector:
        shape = (rows, columns)
        # A gain alone is divided out with the flat; what bends with intensity stays, as rings.
        bend = rng.normal(0, 0.003, shape)
        bent = rng.random(shape) < 0.02
        bend[bent] = rng.normal(0, 0.04, bent.sum())
        dead = np.zeros(shape, bool)
        count = max(3, round(rows * columns * _DEAD_PER_MILLION * 1e-6))
        dead.flat[rng.choice(dead.size, count, replace=False)] = True
        gain = np.where(dead, 0, rng.normal(1, 0.02, shape))
        return cls(gain, bend, rng.normal(_OFFSET_COUNTS, 2, shape), dead)


def _spheres(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Place a void and particles that do not touch: columns x, y, z, radius (px) and step of μ."""
    bore = _bore_px(columns)
    # A fifth of the volume is tried; the largest particles choose their place first.
    mean_volume = 400
    count = round(0.2 * rows * np.pi * bore**2 / mean_volume)
    radii = np.sort(np.clip(rng.lognormal(np.log(4), np.log(1.35), count), 2, 9))[::-1]
    radii = np.concatenate([[0.2 * bore], radii])
    distance = (bore - radii - 1) * np.sqrt(rng.random(len(radii)))
    azimuth = rng.uniform(0, 2 * np.pi, len(radii))
    z = rng.uniform(0, rows - 1, len(radii))
    z[0] = (rows - 1) / 2
    points = np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth), z, radii])
    kept = np.empty((0, 4))
    for point in points:
        apart = np.linalg.norm(kept[:, :3] - point[:3], axis=1)
        if (apart > kept[:, 3] + point[3]).all():
            kept = np.vstack([kept, point])
    material = np.where(np.arange(len(kept)) == 0, MU_PER_CM["void"], MU_PER_CM["active_material"])
    return np.column_stack([kept, material - MU_PER_CM["electrolyte"]])


def _bore_px(columns: int) -> float:
    return 0.38 * columns


def _cut(spheres: np.ndarray, row: int, columns: int) -> np.ndarray:
    """Cut the cell at a row: discs (x, y, radius, value per pixel length) for `project_discs`."""
    squared = spheres[:, 3] ** 2 - (row - spheres[:, 2]) ** 2
    seen = spheres[squared > 0]
    step = MU_PER_CM["electrolyte"] - MU_PER_CM["tube"]
    discs = np.vstack(
        [
            [0, 0, 0.43 * columns, MU_PER_CM["tube"]],
            [0, 0, _bore_px(columns), step],
            np.column_stack([seen[:, :2], np.sqrt(squared[squared > 0]), seen[:, 4]]),
        ]
    )
    discs[:, 3] *= _CM_PER_PIXEL
    return discs


def _measured(
    discs: np.ndarray, detector: _Detector, plan: _Plan, row: int, rng: np.random.Generator
) -> np.ndarray:
    """Measure one row in every frame: counts, shape (frame, column)."""
    rows, columns = detector.gain.shape
    transmission = np.ones((len(plan.keys), columns))
    transmission[plan.keys == 0] = np.exp(
        -project_discs(discs, plan.theta_deg, columns, plan.center_px)
    )
    bent = 1 + detector.bend[row] * (1 - transmission)
    light = _beam(plan, (row + 0.5) / rows - 0.5, columns) * transmission * bent
    photons = rng.poisson(np.maximum(light * detector.gain[row], 0))
    counts = photons + rng.normal(detector.offset[row], _READ_NOISE_COUNTS, photons.shape)
    # A dead pixel says the same whatever comes.
    counts = np.where(detector.dead[row], detector.offset[row], counts)
    digits: np.ndarray = np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
    return digits


def _beam(plan: _Plan, height: float, columns: int) -> np.ndarray:
    """Tell the counts without a sample at a height (-0.5 … 0.5 of the detector), by frame.

    The beam's profile is a Gaussian along the height; it moves, tilts and fades.
    """
    time = plan.time[:, None]
    across = np.linspace(-0.5, 0.5, columns)
    profile = np.exp(-0.5 * ((height - 0.02 * time) / 0.6) ** 2)
    fading = 1 - 0.03 * time + 0.03 * time * across
    return np.where(plan.keys[:, None] == 2, 0, _BEAM_COUNTS * profile * fading)


def _add_zingers(
    counts: np.ndarray, detector: _Detector, plan: _Plan, rng: np.random.Generator
) -> int:
    """Let stray photons hit single pixels of projections; return how many are seen."""
    projections = np.flatnonzero(plan.keys == 0)
    _, rows, columns = counts.shape
    hits = rng.choice(
        len(projections) * rows * columns,
        len(projections) * _ZINGERS_PER_PROJECTION,
        replace=False,
        shuffle=False,
    )
    number, row, column = np.unravel_index(hits, (len(projections), rows, columns))
    live = ~detector.dead[row, column]
    place = (projections[number[live]], row[live], column[live])
    bright = counts[place] + rng.integers(10_000, 30_000, live.sum())
    counts[place] = np.minimum(bright, 65535)
    return int(live.sum())


@dataclass(frozen=True)
class _Held:
    """Frames that are held in memory."""

    counts: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        frames, rows, columns = self.counts.shape
        return frames, rows, columns

    @property
    def dtype(self) -> np.dtype:
        return self.counts.dtype

    @property
    def whole_frames(self) -> bool:
        return False

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        return self.counts[frames, rows, columns]


def _scan(counts: np.ndarray, plan: _Plan) -> Scan:
    held = _Held(counts)
    _, rows, columns = counts.shape
    index = [np.flatnonzero(plan.keys == key) for key in range(3)]
    projections, flats, darks = (View(held, part, (0, rows), (0, columns)) for part in index)
    return Scan(
        projections,
        flats,
        darks,
        plan.theta_deg,
        layout="nxtomo",
        files=(),
        projection_time=index[0].astype(float),
        flat_time=index[1].astype(float),
        pixel_size_um=PIXEL_SIZE_UM,
        energy_kev=ENERGY_KEV,
        distance_mm=None,
        origin={"projection_time": "order of frames"},
    )
