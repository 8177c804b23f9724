"""The spreading kernel of the gridding. In: its width; out: its values and its transform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# After a change here, delete the __pycache__ folders: compiled code that uses these numbers is
# cached by the files that it stands in.
# Width in grid cells and oversampling of the grid: together they set the accuracy.
WIDTH = 5
OVERSAMPLING = 1.25
# Positions between two cells for which the kernel is tabulated; the nearest one is used.
STEP_BITS = 11
STEPS = 2**STEP_BITS

_BETA = 0.976 * np.pi * WIDTH * (1 - 1 / (2 * OVERSAMPLING))


def spreading_kernel(distance: np.ndarray) -> np.ndarray:
    """Exponential of a semicircle [1]_, 1 in the middle, at distances in grid cells.

    References
    ----------
    .. [1] Barnett, Magland & af Klinteberg (2019), SIAM J. Sci. Comput. 41, C479.
       doi:10.1137/18M120885X
    """
    circle = np.maximum(1 - (2 * np.asarray(distance, dtype=np.float64) / WIDTH) ** 2, 0)
    values: np.ndarray = np.exp(_BETA * (np.sqrt(circle) - 1))
    return values


@lru_cache(maxsize=1)
def kernel_table() -> np.ndarray:
    """Weights of the `WIDTH` cells around a sample, by its position between two cells.

    Returns
    -------
    ndarray of float32, shape (STEPS + 1, WIDTH)
        Row f: the first cell lies f / STEPS behind the start of the kernel.
    """
    fraction = np.arange(STEPS + 1)[:, None] / STEPS
    table = spreading_kernel(fraction + np.arange(WIDTH) - WIDTH / 2).astype(np.float32)
    table.flags.writeable = False
    return table


def kernel_transform(position_px: np.ndarray, cells: int) -> np.ndarray:
    """Transform of the kernel, by Gauss-Legendre quadrature.

    Parameters
    ----------
    position_px : ndarray
        Positions in the picture, from its middle.
    cells : int
        Size of the grid.

    Returns
    -------
    ndarray of float64
        What gridding multiplied the picture with, at each position.
    """
    node, weight = np.polynomial.legendre.leggauss(16 + 4 * WIDTH)
    node, weight = node * WIDTH / 2, weight * WIDTH / 2
    phase = 2 * np.pi / cells * np.asarray(position_px)[..., None] * node
    transform: np.ndarray = (weight * spreading_kernel(node) * np.cos(phase)).sum(axis=-1)
    return transform
