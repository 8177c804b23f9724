"""Who reconstructs slices. In: a problem; out: calls that solve it, each package in its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
import scipy.fft

from xct.bench.problem import PIXEL_SIZE_UM, Problem
from xct.parallel.threads import thread_count
from xct.reconstruct import fbp
from xct.reconstruct.filters import ramp
from xct.reconstruct.gridding.engine import PADDING
from xct.reconstruct.gridding.polar import fast_even

# Gives the slices of one call, shape (z, y, x).
Solve = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Contender:
    """A package, or one of its methods.

    Attributes
    ----------
    name : str
        As it is shown.
    package : str
        As it is installed.
    prepare : callable
        Makes a call that solves the problem; what all slices share may be done here.
    slices : int
        Slices of one call.
    runs : int
        How often it is timed.
    slow : bool
        Whether it takes so long that fewer angles must do at large sizes.
    axis_px : callable
        Where it has the axis of a slice of so many columns.
    """

    name: str
    package: str
    prepare: Callable[[Problem], Solve]
    slices: int = 1
    runs: int = 5
    slow: bool = False
    axis_px: Callable[[int], float] = lambda columns: (columns - 1) / 2


def _xct(problem: Problem, *, rows: int, engine: str) -> Solve:
    slab = problem.slab(rows)

    def solve() -> np.ndarray:
        return fbp(
            slab,
            problem.theta_deg,
            problem.axis_px,
            pixel_size_um=PIXEL_SIZE_UM,
            engine=engine,
        )

    return solve


def _finufft(problem: Problem, *, eps: float, upsampling: float, real: type) -> Solve:
    """Filter as xct does, then sum the spectrum with a plan whose points are set once.

    Two real slices are packed as one complex, as many pairs at a time as there are threads.
    """
    import finufft

    columns, pairs, cores = problem.columns, thread_count(), thread_count()
    length = fast_even(ceil(PADDING * columns))
    kind: type = np.complex64 if real is np.float32 else np.complex128
    k = scipy.fft.fftfreq(length, 1 / length)
    theta = np.deg2rad(problem.theta_deg)[:, None]
    # Modes are whole numbers: an even slice, whose axis is between pixels, is shifted by ½ pixel.
    half = 0.5 * ((columns + 1) % 2) * (np.cos(theta) - np.sin(theta))
    turn = np.exp(2j * np.pi * k / length * (problem.axis_px + half))
    factor = (ramp(length) * turn * np.pi / theta.size / length).astype(kind)
    plan = finufft.Plan(
        1, (columns, columns), n_trans=pairs, eps=eps, isign=1, dtype=np.dtype(kind).name,
        upsampfac=upsampling, nthreads=cores, spread_thread=2,
    )  # fmt: skip
    points = [2 * np.pi / length * k * f for f in (-np.sin(theta), np.cos(theta))]
    plan.setpts(*(np.ascontiguousarray(p.ravel(), real) for p in points))
    slab: np.ndarray = problem.slab(2 * pairs).astype(real)

    def solve() -> np.ndarray:
        packed = np.zeros((pairs, theta.size, length), kind)
        packed.real[..., :columns] = slab[:, ::2].transpose(1, 0, 2)
        packed.imag[..., :columns] = slab[:, 1::2].transpose(1, 0, 2)
        spectrum = scipy.fft.fft(packed, axis=2, overwrite_x=True, workers=cores)
        spectrum *= factor
        summed = plan.execute(spectrum.reshape(pairs, -1) if pairs > 1 else spectrum.ravel())
        summed = summed.reshape(pairs, columns, columns)
        return np.stack([summed.real, summed.imag], axis=1).reshape(-1, columns, columns)

    return solve


def _algotom(problem: Problem) -> Solve:
    from algotom.rec.reconstruction import fbp_reconstruction

    sinogram, count = problem.sinogram, problem.theta_deg.size
    settings = {"ratio": None, "filter_name": None, "apply_log": False, "gpu": False}

    def solve() -> np.ndarray:
        picture = fbp_reconstruction(
            sinogram,
            problem.axis_px,
            angles=np.deg2rad(problem.theta_deg),
            ncore=thread_count(),
            **settings,
        )
        # It takes both 0° and 180° to be there; here 180° is not.
        return np.asarray(picture)[None] * ((count - 1) / count)

    return solve


def _iradon(problem: Problem) -> Solve:
    from skimage.transform import iradon

    sinogram = np.ascontiguousarray(problem.sinogram.T)

    def solve() -> np.ndarray:
        picture = iradon(sinogram, problem.theta_deg, filter_name="ramp")  # type: ignore[no-untyped-call]
        return np.asarray(picture)[None]

    return solve


XCT = "xct"
FINUFFT = "FINUFFT, eps 1e-3, σ 1.25"
FINUFFT_EXACT = "FINUFFT, eps 1e-6, σ 2"
ALGOTOM = "algotom FBP"

CONTENDERS = (
    Contender(XCT, "xct", partial(_xct, rows=16, engine="fourier"), slices=16),
    Contender(
        FINUFFT, "finufft", partial(_finufft, eps=1e-3, upsampling=1.25, real=np.float32),
        slices=2 * thread_count(),
    ),
    Contender(
        FINUFFT_EXACT, "finufft", partial(_finufft, eps=1e-6, upsampling=2.0, real=np.float64),
        slices=2 * thread_count(), runs=3,
    ),
    Contender(ALGOTOM, "algotom", _algotom, slow=True),
    Contender(
        "ASTRA CPU, linear, one core", "astra-toolbox", partial(_xct, rows=1, engine="astra"),
        slow=True,
    ),
    # The axis of iradon is on a pixel, also where the width is even. ASTRA and iradon use one
    # core, however many there are.
    Contender(
        "scikit-image iradon, one core", "scikit-image", _iradon, slow=True,
        axis_px=lambda n: float(n // 2),
    ),
)  # fmt: skip
