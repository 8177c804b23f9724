"""Noise of the line integrals, from themselves. In: a row; out: how large it is, and its trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.reconstruct.gridding.engine import FourierEngine
from xct.reconstruct.inputs import Request

_SD_OF_MEDIAN = 1.4826  # standard deviation of normal noise, in medians of its size


def noise_square(sinogram: np.ndarray) -> float:
    """Estimate the sum of the squares of the noise, from neighboring angles.

    Parameters
    ----------
    sinogram : ndarray, shape (angle, column)
        Line integrals, angles in the order in which they lie.

    Returns
    -------
    float
        Of every column as its median change says: where the sample has fine structure, and
        angles are few, it is too large.
    """
    if len(sinogram) < 3:
        return 0.0
    change = sinogram[:-2] - 2 * sinogram[1:-1] + sinogram[2:]
    sd = _SD_OF_MEDIAN * np.median(np.abs(change), axis=0) / np.sqrt(6)
    return float(len(sinogram) * np.sum(np.square(sd, dtype=np.float64)))


def noise_of_slice(request: Request, inside: np.ndarray) -> float:
    """Estimate the standard deviation of the noise that FBP gives, per pixel.

    Slices from every other angle differ by noise, and by what too few angles leave.

    Parameters
    ----------
    request : Request
        One row.
    inside : ndarray of bool, shape (y, x)
        Where to look.
    """
    order = np.argsort(np.mod(request.theta_deg, 180.0), kind="stable")
    if order.size < 4:
        return 0.0
    halves = []
    for first in (0, 1):
        chosen = np.sort(order[first::2])
        weights = request.weights[chosen]
        half = replace(
            request,
            line_integrals=request.line_integrals[chosen],
            theta_deg=request.theta_deg[chosen],
            weights=weights * np.pi / weights.sum(),
        )
        halves.append(FourierEngine().reconstruct(half)[0])
    difference = (halves[0] - halves[1])[inside] / 2
    return float(_SD_OF_MEDIAN * np.median(np.abs(difference)))
