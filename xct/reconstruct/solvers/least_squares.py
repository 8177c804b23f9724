"""Least squares, ended before noise is fitted: CGLS and SIRT. In: a model of a row; out: its slice.

Both start smooth and add detail with every iteration; noise comes last. They end where what they
leave unexplained is as large as the noise of the line integrals [1]_.

References
----------
.. [1] Morozov (1966), Soviet Math. Dokl. 7, 414; Hansen (2010), Discrete Inverse Problems, ch. 5.
   doi:10.1137/1.9780898718836
"""

from __future__ import annotations

import numpy as np

from xct.reconstruct.solvers.models import Model, RayModel
from xct.reconstruct.solvers.stopping import Stopping


def conjugate_gradients(
    model: Model, start: np.ndarray, inside: np.ndarray, stopping: Stopping, *, noise: float
) -> np.ndarray:
    """Solve for the slice by conjugate gradients on the normal equations (CGLS) [2]_.

    Parameters
    ----------
    model : Model
        The row.
    start : ndarray of float32, shape (y, x)
        Where to start.
    inside : ndarray of bool, shape (y, x)
        Pixels that are not zero.
    stopping : Stopping
        When to end, if not before.
    noise : float
        Sum of squares that may be left unexplained: it ends there.

    Returns
    -------
    ndarray of float32, shape (y, x)

    References
    ----------
    .. [2] Björck (1996), Numerical Methods for Least Squares Problems, ch. 7.
       doi:10.1137/1.9781611971484
    """
    picture: np.ndarray = start * inside
    image = model.normal(picture)
    residual = (model.back_projected - image) * inside
    left = unexplained(model, picture, image)
    direction, square = residual, _square(residual)
    while square > 0 and left > noise:
        image = model.normal(direction) * inside
        length = square / float(np.vdot(direction, image))
        step = np.float32(length) * direction
        picture = picture + step
        residual = residual - np.float32(length) * image
        left -= length * square
        before, square = square, _square(residual)
        direction = residual + np.float32(square / before) * direction
        if stopping.reached(step, picture):
            break
    return picture


def unexplained(model: Model, picture: np.ndarray, image: np.ndarray) -> float:
    """Sum of the squares of what a slice does not explain; `image` is ``model.normal(picture)``."""
    explained = 2 * model.back_projected - image
    return _square(model.sinogram) - float(np.vdot(picture.astype(np.float64), explained))


def simultaneous(
    model: RayModel,
    start: np.ndarray,
    inside: np.ndarray,
    stopping: Stopping,
    *,
    noise: float,
    nonnegative: bool,
) -> np.ndarray:
    """Solve for the slice by simultaneous iterations (SIRT) [3]_.

    Parameters are those of `conjugate_gradients`; with `nonnegative`, values below zero are set
    to zero after each iteration.

    References
    ----------
    .. [3] Gregor & Benson (2008), IEEE Trans. Med. Imaging 27, 918.
       doi:10.1109/TMI.2008.923696
    """
    lengths = model.project(inside.astype(np.float32))
    of_rays = np.where(lengths > 0.1, 1 / np.maximum(lengths, 0.1), 0).astype(np.float32)
    seen = model.backproject(np.ones_like(lengths))
    of_pixels = np.where(inside, 1 / np.maximum(seen, 0.1), 0).astype(np.float32)
    picture: np.ndarray = start * inside
    while True:
        left = model.sinogram - model.project(picture)
        if _square(left) <= noise:
            return picture
        moved = picture + of_pixels * model.backproject(of_rays * left)
        moved = np.maximum(moved, np.float32(0)) if nonnegative else moved
        done = stopping.reached(moved - picture, moved)
        picture = moved
        if done:
            return picture


def _square(values: np.ndarray) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))
