"""The ramp filter and its windows. In: a length and a name; out: factors by frequency."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

import numpy as np
import scipy

from xct.errors import DataError

Window = Literal["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"]


def ramp(length: int) -> np.ndarray:
    """Frequency response of the band-limited ramp, as the DFT of its kernel [1]_.

    A ramp sampled in frequency would lose the mean of the object: 3.6 % inside a disc.

    Parameters
    ----------
    length : int
        Length of the padded projection, even.

    Returns
    -------
    ndarray of float64, shape (length,)
        Response at the frequencies of `scipy.fft.fft`, for a pixel length of 1. Zero at the
        Nyquist frequency, whose sign is unknown.

    References
    ----------
    .. [1] Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, ch. 3.
       doi:10.1137/1.9780898719277
    """
    lag = np.abs(scipy.fft.fftfreq(length, 1 / length))
    kernel = np.where(lag % 2 == 1, -1 / (np.pi * np.maximum(lag, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    response: np.ndarray = scipy.fft.fft(kernel).real
    response[length // 2] = 0
    return response


def window_response(window: str, length: int, cutoff: float = 1.0) -> np.ndarray:
    """Factor by which a window lowers each frequency.

    Parameters
    ----------
    window : {"ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"}
        Name of the window; ``ramp`` is none at all.
    length : int
        Length of the padded projection.
    cutoff : float, optional
        Frequency beyond which nothing passes, as a fraction of the Nyquist frequency; the
        window is stretched to end there.

    Returns
    -------
    ndarray of float64, shape (length,)
        Factors at the frequencies of `scipy.fft.fft`.

    Raises
    ------
    DataError
        If there is no such window.
    """
    check_window(window)
    x = np.abs(scipy.fft.fftfreq(length, 0.5)) / cutoff
    if window == "shepp-logan":
        response = np.sinc(x / 2)
    elif window == "cosine":
        response = np.cos(np.pi * x / 2)
    elif window == "hamming":
        response = 0.54 + 0.46 * np.cos(np.pi * x)
    elif window == "hann":
        response = 0.5 + 0.5 * np.cos(np.pi * x)
    elif window == "parzen":
        response = np.where(x <= 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)
    else:
        response = np.ones_like(x)
    return np.where(x <= 1, response, 0.0)


def check_window(window: str) -> None:
    """Refuse a window that does not exist, naming the nearest that does."""
    known = get_args(Window)
    if window not in known:
        near = get_close_matches(str(window).lower(), known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"window={window!r} is unknown{hint} There are: {', '.join(known)}")


# Weights of the angles. In: angles in any order; out: the fraction of the half circle of each.

# A gap is a missing wedge when it is this many times the usual gap, and its neighbors too.
FAR_BEYOND = 5.0
# Projections closer than this fraction of the usual gap are one direction measured twice.
SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Directions:
    """Distinct directions modulo 180°, in rising order from behind the largest gap.

    Attributes
    ----------
    member : ndarray of int, shape (angle,)
        The direction that each projection belongs to.
    at_deg : ndarray, shape (direction,)
        Rising; the first is 0 … 180, later ones may exceed 180.
    gap_deg : ndarray, shape (direction,)
        Gap from each direction to the next; the last one leads back to the first.
    """

    member: np.ndarray
    at_deg: np.ndarray
    gap_deg: np.ndarray


def angle_weights(theta_deg: np.ndarray) -> np.ndarray:
    """Weight each projection by half the gaps to its neighbors modulo 180°, in radians.

    Projections of the same direction (0° and 180°, or both halves of a full turn) share one
    weight. The neighbors of a missing wedge do not get the wedge: it counts like the gaps
    beside it, and all weights are scaled so that they add up to π, which keeps the mean of
    the object.

    Parameters
    ----------
    theta_deg : ndarray, shape (angle,)
        Angles in degrees, in any order and from any start.

    Returns
    -------
    ndarray of float64, shape (angle,)
        Weights; their sum is π.

    Warns
    -----
    UserWarning
        If a wedge is missing, with its first and last angle; it points to who called `fbp`.
    """
    directions = find_directions(np.asarray(theta_deg, dtype=np.float64))
    gaps = directions.gap_deg.copy()
    wedges = missing_wedges(gaps)
    for wedge in wedges:
        gaps[wedge] = (gaps[wedge - 1] + gaps[(wedge + 1) % gaps.size]) / 2
    if wedges.size:
        warnings.warn(_wedge_message(directions, wedges, theta_deg), UserWarning, stacklevel=4)
    of_direction = (gaps + np.roll(gaps, 1)) / 2
    of_direction *= np.pi / of_direction.sum()
    count = np.bincount(directions.member)
    weights: np.ndarray = (of_direction / count)[directions.member]
    return weights


def find_directions(theta_deg: np.ndarray) -> Directions:
    """Fold angles modulo 180° and join those that are one direction."""
    folded = np.mod(theta_deg, 180.0)
    order = np.argsort(folded, kind="stable")
    gaps = np.diff(folded[order], append=folded[order[0]] + 180.0)
    # Begin behind the largest gap, so that no direction lies on both ends of the list.
    first = (int(np.argmax(gaps)) + 1) % order.size
    order, gaps = np.roll(order, -first), np.roll(gaps, -first)
    distinct = np.flatnonzero(gaps > SAME_DIRECTION * np.median(gaps[gaps > 1e-6]))
    member = np.empty(order.size, dtype=np.intp)
    member[order] = np.searchsorted(distinct, np.arange(order.size))
    gaps = np.add.reduceat(gaps, np.concatenate([[0], distinct[:-1] + 1]))
    start = folded[order[0]]
    at = start + np.concatenate([[0.0], np.cumsum(gaps)[:-1]])
    return Directions(member, at, gaps)


def missing_wedges(gap_deg: np.ndarray) -> np.ndarray:
    """Find the gaps in which projections are missing, as indices.

    A wedge stands alone: in a scan whose step changes, the coarse gaps have equals beside
    them. The usual gap is the one that most of the half circle lies in, the largest aside.
    """
    if gap_deg.size < 3:
        return np.empty(0, dtype=np.intp)
    usual = usual_gap(gap_deg)
    beside = np.maximum(np.roll(gap_deg, 1), np.roll(gap_deg, -1))
    return np.flatnonzero((gap_deg > FAR_BEYOND * usual) & (gap_deg > FAR_BEYOND * beside))


def usual_gap(gap_deg: np.ndarray) -> float:
    """Gap that 60 % of the half circle does not exceed, the largest gap set aside."""
    rising = np.sort(gap_deg)[:-1]
    covered = np.cumsum(rising)
    return float(rising[np.searchsorted(covered, 0.6 * covered[-1])])


def _wedge_message(directions: Directions, wedges: np.ndarray, theta_deg: np.ndarray) -> str:
    first = directions.at_deg[wedges]
    ranges = [
        f"{a % 180:.5g}° to {a % 180 + gap:.5g}°"
        for a, gap in zip(first, directions.gap_deg[wedges], strict=True)
    ]
    message = (
        f"a wedge is missing: no projection (modulo 180°) from {', from '.join(ranges[:3])}"
        f"{' and more' if len(ranges) > 3 else ''}; edges along it will be blurred"
    )
    turn = np.ptp(theta_deg)
    if any(abs(turn - whole) < 0.01 * whole for whole in (np.pi, 2 * np.pi)):
        message += f". The angles span {turn:.4g}: are they in radians? Degrees are expected"
    return message
