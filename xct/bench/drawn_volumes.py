"""Volumes as a scan would give them, drawn without one. In: a virtual cell; out: ``volume.zarr``.

Drawing takes a fraction of the time of scanning and reconstructing: μ of the cell is blurred by the
point spread, and noise is added whose spectrum is that of filtered back-projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.ndimage import gaussian_filter

from xct.geometry import Label
from xct.io.atomic import made_whole
from xct.io.volumes import Coding, create_volume, write_slab
from xct.parallel.blocks import GRANULE, Block, cut
from xct.physics.materials import mu_per_cm

if TYPE_CHECKING:
    from xct.phantom.cell.cell import VirtualCell

_BLUR_SD = 0.6  # of the point spread, voxels
_OVERLAP = 4  # voxels that the blur reaches
_ROWS = 2 * GRANULE
_RANGE_PER_CM = (-25.0, 160.0)  # what uint16 holds


@dataclass(frozen=True)
class Drawing:
    """A volume to be drawn.

    Attributes
    ----------
    name : str
        Of its folder.
    state : str
        State of the virtual cell.
    shape : tuple of int
        Voxels (z, y, x).
    voxel_um : float
        Edge of a voxel.
    bore_um : float or None
        Diameter of the bore; None: it fits the field of view.
    noise_per_cm : float
        Standard deviation of a voxel.
    dtype : {"float32", "uint16"}
        How the volume is stored.
    seed, noise_seed : int
        Of the cell, and of the noise: equal seeds give equal ones.
    """

    name: str
    state: str
    shape: tuple[int, int, int]
    voxel_um: float
    bore_um: float | None = None
    noise_per_cm: float = 1.5
    dtype: str = "float32"
    seed: int = 0
    noise_seed: int = 7


def draw_volume(drawing: Drawing, folder: Path) -> Path:
    """Draw a volume, unless it is there.

    Parameters
    ----------
    drawing : Drawing
        What is drawn.
    folder : path
        In which ``NAME/volume.zarr`` appears once it is whole.

    Returns
    -------
    Path
        The ``volume.zarr``.
    """
    target = folder / drawing.name
    if target.exists():
        return target / "volume.zarr"
    cell = drawn_cell(drawing)
    in_circle = _circle(drawing.shape[1])
    coding = Coding() if drawing.dtype == "float32" else Coding.for_range(*_RANGE_PER_CM)
    with made_whole(target) as partial:
        path = partial / "volume.zarr"
        create_volume(path, drawing.shape, drawing.voxel_um, coding, drawing.state)
        for block in cut(drawing.shape[0], _ROWS, _OVERLAP):
            mu = _blurred(cell, block)
            mu += fbp_noise(block.first, mu.shape, drawing.noise_per_cm, seed=drawing.noise_seed)
            codes, _ = coding.encode(np.where(in_circle, mu, np.float32(0)), in_circle)
            write_slab(path, block.first, codes)
    return target / "volume.zarr"


def drawn_cell(drawing: Drawing) -> VirtualCell:
    """Draw the cell of a volume, of which everything is known."""
    from xct.phantom.cell.cell import draw_cell

    return draw_cell(
        drawing.state, shape=drawing.shape, voxel_um=drawing.voxel_um, bore_um=drawing.bore_um,
        seed=drawing.seed,
    )  # fmt: skip


def _circle(columns: int) -> np.ndarray:
    offset = np.arange(columns) - (columns - 1) / 2
    return np.asarray(np.hypot(offset[:, None], offset) <= columns / 2)


def _blurred(cell: VirtualCell, block: Block) -> np.ndarray:
    """Blur μ; steel, which hardly passes light, in light: its edge moves into the steel."""
    slab = cell.slab(block.outer_first, block.outer_stop)
    is_steel = slab.labels == Label.STEEL
    mu = gaussian_filter(np.where(is_steel, np.float32(0), slab.mu), _BLUR_SD, mode="nearest")
    steel = gaussian_filter(is_steel.astype(np.float32), _BLUR_SD, mode="nearest")
    mu += opaque(
        steel, float(mu_per_cm("steel", cell.energy_kev)), 2e-4 * cell.geometry.bore_radius_um
    )
    return np.asarray(mu[block.inner])


def opaque(fraction: np.ndarray, mu: float, path_cm: float) -> np.ndarray:
    """Give the μ that voxels seem to have where a part of the light passes beside the steel.

    Parameters
    ----------
    fraction : ndarray
        Fraction of the light that meets the steel.
    mu : float
        Of steel, 1/cm.
    path_cm : float
        Length of the rays through the steel.

    Returns
    -------
    ndarray of float32
        ``-ln(1 - fraction · (1 - exp(-mu · path))) / path``.
    """
    passed = 1 - fraction.astype(np.float64) * -np.expm1(-mu * path_cm)
    passed = np.maximum(passed, np.exp(-mu * path_cm))
    return np.asarray(-np.log(passed) / path_cm, np.float32)


def fbp_noise(first: int, shape: tuple[int, ...], sd: float, *, seed: int = 7) -> np.ndarray:
    """Draw noise as filtered back-projection makes it: in a slice, power that grows with frequency.

    Parameters
    ----------
    first : int
        Number of the first slice: equal numbers give equal noise.
    shape : tuple of int
        Slices, rows, columns.
    sd : float
        Standard deviation of a voxel.
    seed : int, optional
        Of the chance.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Independent from slice to slice.
    """
    rows, columns = shape[1:]
    # Power of the ramp up to the highest frequency that the pixels of the detector have.
    k = np.hypot(fftfreq(rows)[:, None], rfftfreq(columns)).astype(np.float32)
    amplitude = np.sqrt(np.where(k <= 0.5, k, 0))
    full = np.hypot(fftfreq(rows)[:, None], fftfreq(columns))
    amplitude *= sd / np.sqrt(np.where(full <= 0.5, full, 0).mean())
    noise = np.empty(shape, np.float32)
    for number in range(shape[0]):
        rng = np.random.default_rng((seed, first + number))
        white = rng.standard_normal((rows, columns), np.float32)
        noise[number] = irfft2(rfft2(white, workers=-1) * amplitude, (rows, columns), workers=-1)
    return noise
