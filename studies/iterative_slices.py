"""How near to the truth slices come: FBP at its best window, and iterations; a table.

``python -m studies.iterative_slices [FOLDER …]``: a phantom of ellipses, which no other part of
xct draws, and rows of virtual cells below the folders that ``xct phantom`` made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import xct
from xct.bench.machine import installed
from xct.io.volumes import open_volume
from xct.pipeline.preview import Preview
from xct.reconstruct import fbp, iterative

WINDOWS = ("ramp", "shepp-logan", "cosine", "hann", "parzen")
CUTOFFS = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3)
COLUMNS, ANGLES = 512, 300
LARGEST = 3.0  # line integral of the ellipses
# Value, half axes, middle (in half widths), turn: a head as Shepp and Logan drew it (1974), with
# the contrasts of Toft (1996).
ELLIPSES = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)


@dataclass(frozen=True)
class Case:
    """A row to reconstruct, and its truth."""

    name: str
    sinogram: np.ndarray
    theta_deg: np.ndarray
    center_px: float
    pixel_size_um: float
    truth: np.ndarray
    blur_px: float  # known point spread of the optics, the pixel's own width included

    def rms(self, picture: np.ndarray) -> float:
        """RMS error within 0.95 of the circle."""
        position = np.arange(len(picture)) - (len(picture) - 1) / 2
        seen = np.hypot(position, position[:, None]) <= 0.95 * len(picture) / 2
        return float(np.sqrt(np.mean((picture - self.truth)[seen] ** 2)))


def ellipses(noise: float, seed: int, fine: int = 4) -> Case:
    """Draw the ellipses, and project them exactly, with the noise of counted photons."""
    theta_deg = np.arange(ANGLES) * 180.0 / ANGLES
    theta, half = np.deg2rad(theta_deg)[:, None], 0.95 * COLUMNS / 2
    place = (np.arange(COLUMNS * fine) - (COLUMNS * fine - 1) / 2) / fine
    sums = np.zeros((ANGLES, place.size))
    picture = np.zeros((place.size, place.size))
    for value, wide, high, x, y, turn in ELLIPSES:
        phi = np.deg2rad(turn)
        square = (half * wide * np.cos(theta + phi)) ** 2 + (half * high * np.sin(theta + phi)) ** 2
        off = place - half * (x * np.cos(theta) - y * np.sin(theta))
        chord = 2 * np.sqrt(np.maximum(square - off**2, 0)) * half**2 * wide * high / square
        sums += value * chord
        dx, dy = place - half * x, place[:, None] - half * y
        along, across = dx * np.cos(phi) + dy * np.sin(phi), dy * np.cos(phi) - dx * np.sin(phi)
        picture[(along / (half * wide)) ** 2 + (across / (half * high)) ** 2 <= 1] += value
    exact = sums.reshape(ANGLES, COLUMNS, fine).mean(axis=2)
    truth = picture.reshape(COLUMNS, fine, COLUMNS, fine).mean(axis=(1, 3))
    scale, photons = LARGEST / exact.max(), 1 / noise**2
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-scale * exact))
    sinogram = -np.log(np.maximum(counts, 1) / photons) / scale
    name = f"ellipses, noise {noise:g}, seed {seed}"
    center = (COLUMNS - 1) / 2
    return Case(name, sinogram.astype(np.float32), theta_deg, center, 1e4, truth, 0.7)


def rows_of(folder: Path, rows: tuple[int, ...]) -> Iterator[Case]:
    """Prepare rows of a virtual cell as a run does."""
    scan = xct.read_scan(next((folder / "raw").iterdir()))
    preview, truth = Preview(scan), open_volume(folder / "truth" / "volume.zarr")
    center = preview.find_center(rows[0]).center_px
    assert scan.theta_deg is not None
    assert scan.voxel_size_um is not None
    for row in rows:
        yield Case(
            f"{folder.name}, row {row}",
            preview.sinogram(row),
            scan.theta_deg,
            center,
            scan.voxel_size_um,
            truth.read(slice(row, row + 1))[0],
            1.3,
        )


def best_fbp(case: Case) -> tuple[float, str]:
    """Find the window and cut-off with the least error, knowing the truth."""
    return min(
        (case.rms(_direct(case, window=window, cutoff=cutoff)), f"{window}, {cutoff:g}")
        for window in WINDOWS
        for cutoff in CUTOFFS
    )


def _direct(case: Case, **settings: Any) -> np.ndarray:
    values = (case.sinogram, case.theta_deg, case.center_px)
    return np.asarray(fbp(*values, pixel_size_um=case.pixel_size_um, **settings)[0])


def ways(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """List what is compared."""
    yield "tv", {}
    yield "tv, strength 0.5", {"strength": 0.5}
    if case.blur_px > 0.7:
        yield f"tv, blur_px {case.blur_px:g}", {"blur_px": case.blur_px}
        known = {"blur_px": case.blur_px, "strength": 0.5}
        yield f"tv, blur_px {case.blur_px:g}, strength 0.5", known
        known = {"blur_px": case.blur_px, "strength": 0.2}
        yield f"tv, blur_px {case.blur_px:g}, strength 0.2", known
    yield "cgls", {"method": "cgls"}
    if installed("astra-toolbox"):
        yield "tv, astra", {"engine": "astra"}
        yield "cgls, astra", {"method": "cgls", "engine": "astra"}
        yield "sirt, astra, 12 iterations", {"method": "sirt", "iterations": 12}


def compare(case: Case) -> None:
    """Print the rows of a case."""
    best, window = best_fbp(case)
    plain = case.rms(_direct(case))
    print(f"| {case.name} | fbp | {plain:.4g} | {plain / best:.2f} | |", flush=True)
    print(f"| | fbp ({window}) | {best:.4g} | 1 | |", flush=True)
    for name, settings in ways(case):
        values = (case.sinogram, case.theta_deg, case.center_px)
        start = time.perf_counter()
        picture = iterative(*values, pixel_size_um=case.pixel_size_um, **settings)[0]
        seconds = time.perf_counter() - start
        error = case.rms(picture)
        print(f"| | {name} | {error:.4g} | {error / best:.2f} | {seconds:.2g} |", flush=True)


def main(folders: list[str]) -> None:
    """Compare on ellipses, and on cells if any are named."""
    iterative(*_warm_up(), pixel_size_um=1e4)  # kernels are compiled
    print("| slice | way | RMSE | of FBP's best | s |\n|---|---|---|---|---|")
    for noise, seed in ((0.02, 0), (0.01, 5), (0.04, 6)):
        compare(ellipses(noise, seed))
    for folder in folders:
        for case in rows_of(Path(folder), (26, 40)):
            compare(case)


def _warm_up() -> tuple[np.ndarray, np.ndarray, float]:
    sinogram = np.zeros((20, 32), np.float32)
    sinogram[:, 12:20] = 1
    return sinogram, np.arange(20) * 9.0, 15.5


if __name__ == "__main__":
    main(sys.argv[1:])
