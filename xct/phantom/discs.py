"""Discs: a phantom known exactly, projections and picture. In: discs; out: arrays."""

from __future__ import annotations

from math import asin, ceil, copysign, floor, sqrt
from typing import Any

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges


def random_discs(
    count: int,
    size: int,
    *,
    seed: int,
    radius: tuple[float, float] = (0.01, 0.1),
    fill: float = 0.95,
) -> np.ndarray:
    """Draw discs at random inside a circle; where they overlap, their values add.

    Parameters
    ----------
    count : int
        Number of discs.
    size : int
        Width of the slice that they are meant for, pixels.
    seed : int
        Seed of the random numbers.
    radius : tuple of float, optional
        Smallest and largest radius as a fraction of `size`.
    fill : float, optional
        Every disc lies within `fill` times the inscribed circle.

    Returns
    -------
    ndarray, shape (disc, 4)
        Columns x, y, radius (pixels from the axis) and value per pixel length, 0.2 … 1.

    Raises
    ------
    ValueError
        If the largest disc does not fit into the circle.
    """
    circle = fill * size / 2
    if radius[1] * size > circle:
        raise ValueError(
            f"a disc of radius {radius[1] * size:.4g} px does not fit into the circle of "
            f"{circle:.4g} px; take radius[1] <= fill / 2 = {fill / 2:.4g}"
        )
    rng = np.random.default_rng(seed)
    radii = rng.uniform(*radius, count) * size
    # The square root makes the centers uniform over the area that each disc may take.
    distance = (circle - radii) * np.sqrt(rng.uniform(size=count))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    value = rng.uniform(0.2, 1.0, count)
    return np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth), radii, value])


def project_discs(
    discs: np.ndarray, theta_deg: np.ndarray, columns: int, center_px: float
) -> np.ndarray:
    """Line integrals through discs, averaged exactly over the width of each detector pixel.

    A point (x, y) falls on column ``center_px + x cos θ - y sin θ``.

    Parameters
    ----------
    discs : ndarray, shape (disc, 4)
        As `random_discs` gives them.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.
    columns : int
        Detector columns.
    center_px : float
        Column of the rotation axis.

    Returns
    -------
    ndarray of float64, shape (angle, column)
        Line integrals, dimensionless.
    """
    discs = _checked(discs)
    theta = np.deg2rad(np.asarray(theta_deg, dtype=np.float64))
    sinogram = np.zeros((theta.size, columns))

    def project(first: int, stop: int) -> None:
        _project(discs, theta[first:stop], float(center_px), sinogram[first:stop])

    over_ranges(project, theta.size)
    return sinogram


def draw_discs(discs: np.ndarray, size: int) -> np.ndarray:
    """Draw discs into a slice: each pixel holds its exact mean over the pixel's area.

    Parameters
    ----------
    discs : ndarray, shape (disc, 4)
        As `random_discs` gives them.
    size : int
        Width and height of the slice, pixels; the axis is at (size - 1) / 2.

    Returns
    -------
    ndarray of float64, shape (y, x)
        Value per pixel length.
    """
    discs = _checked(discs)
    picture = np.zeros((size, size))

    def draw(first: int, stop: int) -> None:
        _draw(discs, (size - 1) / 2, first, picture[first:stop])

    over_ranges(draw, size)
    return picture


def _checked(discs: Any) -> np.ndarray:
    array: np.ndarray = np.ascontiguousarray(discs, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 4 or not (array[:, 2] > 0).all():
        raise ValueError(
            f"discs has shape {array.shape}; it must be (disc, 4) with columns x, y, radius > 0, "
            "value"
        )
    return array


@njit(cache=True, nogil=True)
def _half_area(x: float, radius: float) -> float:
    """Area of a disc between its middle and `x`, upper half only; odd in x."""
    if abs(x) >= radius:
        return copysign(np.pi / 4 * radius * radius, x)
    return 0.5 * (x * sqrt(radius * radius - x * x) + radius * radius * asin(x / radius))


@njit(cache=True, nogil=True)
def _project(discs: np.ndarray, theta: np.ndarray, center: float, sinogram: np.ndarray) -> None:
    columns = sinogram.shape[1]
    for i in range(theta.size):
        cosine, sine = np.cos(theta[i]), np.sin(theta[i])
        for x, y, radius, value in discs:
            middle = center + x * cosine - y * sine
            first = max(0, floor(middle - radius))
            stop = min(columns, ceil(middle + radius) + 1)
            left = _half_area(first - 0.5 - middle, radius)
            for c in range(first, stop):
                right = _half_area(c + 0.5 - middle, radius)
                sinogram[i, c] += 2 * value * (right - left)
                left = right


@njit(cache=True, nogil=True)
def _corner_area(x: float, y: float, radius: float) -> float:
    """Area of the disc inside the rectangle from its middle to (x, y); odd in x and in y."""
    sign = copysign(1.0, x) * copysign(1.0, y)
    x, y = min(abs(x), radius), min(abs(y), radius)
    if x * x + y * y <= radius * radius:
        return sign * x * y
    cut = sqrt(radius * radius - y * y)
    return sign * (cut * y + _half_area(x, radius) - _half_area(cut, radius))


@njit(cache=True, nogil=True)
def _draw(discs: np.ndarray, middle: float, first_row: int, picture: np.ndarray) -> None:
    rows, columns = picture.shape
    for x, y, radius, value in discs:
        top = max(0, floor(middle + y - radius) - first_row)
        bottom = min(rows, ceil(middle + y + radius) + 1 - first_row)
        left = max(0, floor(middle + x - radius))
        right = min(columns, ceil(middle + x + radius) + 1)
        for j in range(top, bottom):
            v = j + first_row - middle - y
            for i in range(left, right):
                u = i - middle - x
                if (abs(u) + 0.5) ** 2 + (abs(v) + 0.5) ** 2 <= radius * radius:
                    picture[j, i] += value
                else:
                    picture[j, i] += value * (
                        _corner_area(u + 0.5, v + 0.5, radius)
                        - _corner_area(u - 0.5, v + 0.5, radius)
                        - _corner_area(u + 0.5, v - 0.5, radius)
                        + _corner_area(u - 0.5, v - 0.5, radius)
                    )
