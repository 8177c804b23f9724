"""Rings in a slice. In: slices before and after; out: how much weaker, and edges changed or not."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_FINE_PX = 5.0  # a ring is finer than what a Gaussian of this width leaves
_DEGREES = 0.25
_EDGES, _STRONGEST = 0.05, 0.02  # part of a slice that is strong edges, and the strongest of them


def ring_reduction(before: np.ndarray, after: np.ndarray, radius_px: int) -> float:
    """Give the power of rings before over that after.

    In polar coordinates about the axis in the middle of the slices: the mean over the azimuth,
    outside of strong edges, less what is smooth along the radius.

    Parameters
    ----------
    before, after : ndarray, shape (y, x)
        Slices.
    radius_px : int
        Up to which they are looked at.
    """
    edges = ndimage.binary_dilation(_strongest(before, radius_px, _EDGES), iterations=4)
    return _ring_power(before, edges, radius_px) / _ring_power(after, edges, radius_px)


def edge_change(before: np.ndarray, after: np.ndarray, radius_px: int) -> float:
    """Give the relative change of the slope across the strongest edges; a ring has no part in it.

    Parameters
    ----------
    before, after, radius_px
        As of `ring_reduction`.
    """
    edges = _strongest(before, radius_px, _STRONGEST)
    old, new = _slope_along_circles(before)[edges], _slope_along_circles(after)[edges]
    return float(np.sum(new * old) / np.sum(old * old) - 1)


def ring_sd(difference: np.ndarray, radius_px: int) -> float:
    """Give the standard deviation of rings in the difference of two slices.

    Parameters
    ----------
    difference : ndarray, shape (y, x)
        A slice less the same without rings.
    radius_px : int
        Up to which it is looked at.
    """
    nothing = np.zeros(difference.shape, np.bool_)
    return float(np.sqrt(_ring_power(difference, nothing, radius_px)))


def distance_to_axis(picture: np.ndarray) -> np.ndarray:
    """Give the distance of each pixel from the middle, shape (y, x)."""
    offset = np.arange(len(picture)) - (len(picture) - 1) / 2
    return np.asarray(np.hypot(offset[:, None], offset))


def _slope_along_circles(picture: np.ndarray) -> np.ndarray:
    """Change of the picture along circles about the axis, to which a full ring adds nothing."""
    offset = np.arange(len(picture)) - (len(picture) - 1) / 2
    down = ndimage.gaussian_filter(picture, 1.5, order=(1, 0))
    right = ndimage.gaussian_filter(picture, 1.5, order=(0, 1))
    along = down * offset - right * offset[:, None]
    return np.asarray(along / np.maximum(distance_to_axis(picture), 1))


def _strongest(picture: np.ndarray, radius_px: float, part: float) -> np.ndarray:
    """Where the slope along circles is among the largest `part` of the slice."""
    distance = distance_to_axis(picture)
    inside = (distance > 20) & (distance < radius_px)
    slope = np.abs(_slope_along_circles(picture))
    return np.asarray(inside & (slope > np.quantile(slope[inside], 1 - part)))


def _ring_power(picture: np.ndarray, edges: np.ndarray, radius_px: int) -> float:
    """Power of the fine structure of the mean over the azimuth, outside strong edges.

    Radii on edges almost all around are bridged.
    """
    azimuth = np.deg2rad(np.arange(0, 360, _DEGREES))
    radius = np.arange(radius_px)[:, None] + 0.5
    middle = (len(picture) - 1) / 2
    place = [middle + radius * np.sin(azimuth), middle + radius * np.cos(azimuth)]
    free = ndimage.map_coordinates(edges.astype(float), place, order=1) < 0.5
    values = ndimage.map_coordinates(picture, place, order=1)
    mean = np.sum(values * free, axis=1) / np.maximum(free.sum(axis=1), 1)
    usable = np.flatnonzero(free.mean(axis=1) > 0.25)
    mean = np.interp(np.arange(radius_px), usable, mean[usable])
    return float(np.mean((mean - ndimage.gaussian_filter1d(mean, _FINE_PX))[10:-10] ** 2))
