"""Least total variation that explains the line integrals. In: a model of a row; out: its slice.

Minimized is half the squared difference from what was seen, filtered by the ramp as in FBP, plus
`weight` times the sum of the lengths of all gradients [1]_. With that filter the problem is close
to denoising the slice of FBP, so a dozen steps are enough [2]_. Steps are FISTA's [3]_.

References
----------
.. [1] Sidky & Pan (2008), Phys. Med. Biol. 53, 4777. doi:10.1088/0031-9155/53/17/021
.. [2] Clinthorne, Pan, Chiao, Rogers & Stamos (1993), IEEE Trans. Med. Imaging 12, 78.
   doi:10.1109/42.222670
.. [3] Beck & Teboulle (2009), IEEE Trans. Image Process. 18, 2419.
   doi:10.1109/TIP.2009.2028250
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.reconstruct.solvers.models import Model
from xct.reconstruct.solvers.stopping import Stopping

_ROUNDS = 10  # of denoising in each step; its state is kept from step to step


def least_variation(
    model: Model,
    start: np.ndarray,
    inside: np.ndarray,
    stopping: Stopping,
    *,
    weight: float,
    norm: float,
    nonnegative: bool,
) -> np.ndarray:
    """Find the slice of least total variation.

    Parameters
    ----------
    model : Model
        The row.
    start : ndarray of float32, shape (y, x)
        Where to start.
    inside : ndarray of bool, shape (y, x)
        Pixels that are not zero.
    stopping : Stopping
        When to end.
    weight : float
        Weight of the total variation, per pixel.
    norm : float
        Bound of the filtered model.
    nonnegative : bool
        Allow no value below zero.

    Returns
    -------
    ndarray of float32, shape (y, x)
    """
    picture, ahead, momentum = start, start, 1.0
    denoising = Denoising(inside, weight / norm, nonnegative)
    while True:
        moved = denoising(ahead + model.filtered_residual(ahead) / np.float32(norm))
        step = moved - picture
        done = stopping.reached(step, moved)
        if float(np.vdot(ahead - moved, step)) > 0:
            momentum = 1.0  # it overshot: begin anew from here
        after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, picture = moved + np.float32((momentum - 1) / after) * step, moved
        momentum = after
        if done:
            return picture


class Denoising:
    """Denoises pictures by total variation, each from where the one before ended.

    Parameters
    ----------
    inside : ndarray of bool, shape (y, x)
        Pixels that are not zero.
    weight : float
        Weight of the total variation.
    nonnegative : bool
        Allow no value below zero.
    """

    def __init__(self, inside: np.ndarray, weight: float, nonnegative: bool) -> None:
        self._inside = inside
        self._weight = np.float32(weight)
        self._least = np.float32(0 if nonnegative else -np.inf)
        self._dual = np.zeros((2, *inside.shape), np.float32)

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Denoise one picture."""
        ahead, smooth, momentum = self._dual.copy(), np.empty_like(noisy), 1.0
        rows = noisy.shape[0]
        for _ in range(_ROUNDS):
            self._from_dual(noisy, ahead, smooth)
            after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            inertia, momentum = np.float32((momentum - 1) / after), after

            def ascend(first: int, stop: int, inertia: np.float32 = inertia) -> None:
                _ascend(smooth, self._weight, inertia, self._dual, ahead, first, stop)

            over_ranges(ascend, rows, least=64)
        self._from_dual(noisy, self._dual, smooth)
        return smooth

    def _from_dual(self, noisy: np.ndarray, dual: np.ndarray, smooth: np.ndarray) -> None:
        def descend(first: int, stop: int) -> None:
            _descend(noisy, dual, self._weight, self._least, self._inside, smooth, first, stop)

        over_ranges(descend, noisy.shape[0], least=64)


@njit(cache=True, nogil=True)
def _descend(
    noisy: np.ndarray,
    dual: np.ndarray,
    weight: np.float32,
    least: np.float32,
    inside: np.ndarray,
    smooth: np.ndarray,
    first: int,
    stop: int,
) -> None:
    for y in range(first, stop):
        for x in range(noisy.shape[1]):
            divergence = dual[0, y, x] + dual[1, y, x]
            if y > 0:
                divergence -= dual[0, y - 1, x]
            if x > 0:
                divergence -= dual[1, y, x - 1]
            value = max(noisy[y, x] + weight * divergence, least)
            smooth[y, x] = value if inside[y, x] else np.float32(0)


@njit(cache=True, nogil=True)
def _ascend(
    smooth: np.ndarray,
    weight: np.float32,
    inertia: np.float32,
    dual: np.ndarray,
    ahead: np.ndarray,
    first: int,
    stop: int,
) -> None:
    height, width = smooth.shape
    step = np.float32(1) / (np.float32(8) * weight)
    for y in range(first, stop):
        for x in range(width):
            value = smooth[y, x]
            down = ahead[0, y, x] + step * (smooth[min(y + 1, height - 1), x] - value)
            right = ahead[1, y, x] + step * (smooth[y, min(x + 1, width - 1)] - value)
            length = max(np.sqrt(down * down + right * right), np.float32(1))
            down, right = down / length, right / length
            ahead[0, y, x] = down + inertia * (down - dual[0, y, x])
            ahead[1, y, x] = right + inertia * (right - dual[1, y, x])
            dual[0, y, x], dual[1, y, x] = down, right
