"""Sinograms with stripes, drawn and real. In: a kind and a seed, or a folder; out: sinograms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.phantom import project_discs, random_discs

KINDS = (
    "none",
    "full",
    "partial",
    "wide",
    "dead",
    "stuck",
    "unresponsive",
    "fluctuating",
)
SAMPLES = ("discs", "particles", "tube")
_BEAM = 10_000.0
_GREATEST = 2.0  # line integral


@dataclass(frozen=True)
class Striped:
    """Noisy line integrals, shape (angle, column), with and without stripes, and their noise."""

    clean: np.ndarray
    striped: np.ndarray
    noise_sd: float
    theta_deg: np.ndarray
    center_px: float


def draw(kind: str, sample: str, seed: int, angles: int, columns: int) -> Striped:
    """Draw a sinogram with stripes of one kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`: constants of columns (full), for some of the angles (partial), of bands of
        12 … 30 columns (wide); bands that are opaque (dead), stay at a value with little noise
        (stuck), follow the sample by a fifth (unresponsive), or have noise of their own.
    sample : str
        One of `SAMPLES`: few discs, many small dense ones, or both in a tube about the axis with
        a wire close to the axis.
    seed : int
        Of sample, noise and stripes.
    angles, columns : int
        Of the sinogram.

    Returns
    -------
    Striped
    """
    theta_deg = np.arange(angles) * 180 / angles
    center_px = (columns - 1) / 2 + 2.3
    exact = project_discs(_discs(sample, seed, columns), theta_deg, columns, center_px)
    exact *= _GREATEST / exact.max()
    rng = np.random.default_rng(seed)
    counts = np.maximum(rng.poisson(_BEAM * np.exp(-exact)), 1)
    clean = -np.log(counts / _BEAM).astype(np.float32)
    striped = clean.copy()
    _ADD[kind](striped, rng)
    return Striped(clean, striped, float(np.std(clean - exact)), theta_deg, center_px)


def _discs(sample: str, seed: int, columns: int) -> np.ndarray:
    if sample == "discs":
        return random_discs(40, columns, seed=seed)
    particles = random_discs(250, columns, seed=seed, radius=(0.006, 0.025), fill=0.8)
    if sample == "particles":
        return particles
    wall, value = 0.47 * columns, 0.2 * particles[:, 3].mean()
    tube = [[0, 0, wall, value], [0, 0, wall - 0.012 * columns, -value], [0.8, 0.5, 3.0, 1.0]]
    return np.concatenate([particles * [0.9, 0.9, 0.9, 1], tube])


def _band(sinogram: np.ndarray, rng: np.random.Generator) -> slice:
    columns = sinogram.shape[1]
    first = int(rng.integers(columns // 5, 4 * columns // 5 - 30))
    return slice(first, first + int(rng.integers(12, 31)))


def _add_full(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    columns = sinogram.shape[1]
    for first in rng.choice(columns - 3, columns // 40, replace=False):
        sinogram[:, first : first + rng.integers(1, 4)] += rng.normal(0, 0.06)


def _add_partial(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    angles, columns = sinogram.shape
    for column in rng.choice(columns, columns // 60, replace=False):
        begin = int(rng.integers(0, angles // 2))
        sinogram[begin : begin + int(angles * rng.uniform(0.2, 0.5)), column] += rng.normal(0, 0.12)


def _add_wide(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    sinogram[:, _band(sinogram, rng)] += rng.choice([-0.1, 0.1])


def _add_dead(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    sinogram[:, _band(sinogram, rng)] = np.log(_BEAM)


def _add_stuck(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    band = sinogram[:, _band(sinogram, rng)]
    band[:] = rng.uniform(0.3, 2) + rng.normal(0, 0.01, band.shape)


def _add_unresponsive(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    band = sinogram[:, _band(sinogram, rng)]
    band[:] = 0.8 * band.mean(axis=0) + 0.2 * band


def _add_fluctuating(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    band = sinogram[:, _band(sinogram, rng)]
    band += rng.normal(0, 0.3, band.shape)


def _add_none(sinogram: np.ndarray, rng: np.random.Generator) -> None:
    """Leave it as it is."""


_ADD: dict[str, Callable[[np.ndarray, np.random.Generator], None]] = {
    "none": _add_none,
    "full": _add_full,
    "partial": _add_partial,
    "wide": _add_wide,
    "dead": _add_dead,
    "stuck": _add_stuck,
    "unresponsive": _add_unresponsive,
    "fluctuating": _add_fluctuating,
}


@dataclass(frozen=True)
class Real:
    """A real sinogram, shape (angle, column), with its axis and the radius to look at."""

    sinogram: np.ndarray
    theta_deg: np.ndarray
    center_px: float
    radius_px: int


def read_real(folder: Path) -> dict[str, Real]:
    """Read the real sinograms that are there.

    Parameters
    ----------
    folder : Path
        Holds files of ToMoBAR (RealDataDend.mat, Diamond), of sarepy
        (sinogram_360_neutron_image.tif) and of TomoPy (tooth.h5, APS), in the folders
        dls_dendrite_sino, neutron_360_sino and aps_tooth.

    Returns
    -------
    dict of str to Real
    """
    readers = {
        "dls_dendrite_sino/RealDataDend.mat": _dendrites,
        "neutron_360_sino/sinogram_360_neutron_image.tif": _neutrons,
        "aps_tooth/tooth.h5": _tooth,
    }
    paths = {name: folder / name for name in readers}
    return {n.split("/")[0]: readers[n](path) for n, path in paths.items() if path.is_file()}


def _dendrites(path: Path) -> Real:
    from scipy.io import loadmat

    file = loadmat(path)
    sinogram = file["sinoRD"].T.astype(np.float32) / 1000
    return Real(sinogram, np.rad2deg(file["anglesRad"].ravel()), 629.5, 600)


def _neutrons(path: Path) -> Real:
    import tifffile

    counts = tifffile.imread(path)
    transmission = counts / counts[:, :30].mean()
    transmission[transmission <= 0] = transmission.mean()  # as the source of the data does
    sinogram = -np.log(transmission).astype(np.float32)
    return Real(sinogram, np.linspace(0, 360, len(sinogram)), 244.9, 200)


def _tooth(path: Path) -> Real:
    import h5py

    with h5py.File(path) as file:
        scan = file["exchange"]
        dark = scan["data_dark"][:, 0].mean(axis=0)
        white = scan["data_white"][:, 0].mean(axis=0)
        transmission = (scan["data"][:, 0] - dark) / (white - dark)
        theta_deg = scan["theta"][:]
    sinogram = -np.log(np.maximum(transmission, 1e-3)).astype(np.float32)
    return Real(sinogram, theta_deg, 296.0, 290)
