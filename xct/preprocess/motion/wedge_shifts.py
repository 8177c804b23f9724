"""Shifts of single views by the double wedge. In: a prepared sample; out: how far each stands off.

Over a full turn, a sample has no angular harmonics beyond a double wedge in the spectrum of its
sinogram [1]_; what jumps from view to view has. The shifts are those that leave least outside.

.. [1] Vo, Drakopoulos, Atwood & Reinhard (2014), Opt. Express 22, 19078.
   doi:10.1364/OE.22.019078
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

import numpy as np
import scipy

from xct.preprocess.center.double_wedge import half_turns, on_circle
from xct.preprocess.center.mirror_symmetry import spectra, window
from xct.preprocess.center.sample import Sample, median_step, sample_cut

_HIGHEST, _FREQUENCIES = 1.0, 96  # radians a pixel; how many of them are compared
_ROUNDS, _STEPS = 3, 30
_LEAST_VIEWS = 8  # of half a turn
_LARGEST_PX = 1.0  # shifts are expected to scatter by so much at most
_SLOPE_OF_VIEWS = np.array([1, 2, 3, 2, 1]) / 9
_OUTSIDE = 0.7  # of the harmonics, which the wedge must leave free


class Shifts(NamedTuple):
    """How far the sample stands off in each view, along rows and (binned) columns."""

    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True)
class _Turn:
    """Half a turn in Fourier space.

    Attributes
    ----------
    spectrum : ndarray of complex, shape (view, pair, frequency)
        Of the mean of two rows, about the axis: a mirrored view is the complex conjugate.
    slopes : tuple of ndarray
        How it changes with a shift along rows, and along columns.
    circle : sparse array, shape (grid angle, view), or None
        Puts half a turn on an even grid over the full circle.
    kappa : ndarray, shape (frequency,)
        Radians per pixel.
    first : ndarray of int, shape (frequency,)
        First harmonic outside of the wedge.
    """

    spectrum: np.ndarray
    slopes: tuple[np.ndarray, np.ndarray]
    circle: scipy.sparse.csr_array | None
    kappa: np.ndarray
    first: np.ndarray

    def only(self, part: slice, theta_deg: np.ndarray | None = None) -> _Turn:
        """Give some of the views; with their angles, on a circle."""
        rows, columns = (slope[part] for slope in self.slopes)
        circle = None if theta_deg is None else on_circle(theta_deg)
        return replace(self, spectrum=self.spectrum[part], slopes=(rows, columns), circle=circle)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Complete values of half a turn by their mirror image; keep what lies outside."""
        assert self.circle is not None
        flat = self.circle @ values.reshape(len(values), -1)
        full = (flat + np.roll(flat.conj(), len(flat) // 2, axis=0)).reshape(-1, *values.shape[1:])
        return self._kept(full)

    def _kept(self, full: np.ndarray) -> np.ndarray:
        harmonics = scipy.fft.fft(full, axis=0)
        number = np.abs(np.rint(np.fft.fftfreq(len(full)) * len(full))).astype(int)
        harmonics *= (number[:, None] >= self.first)[:, None, :]
        return np.asarray(scipy.fft.ifft(harmonics, axis=0))

    def moved(self, shifts: np.ndarray) -> np.ndarray:
        """Give what shifts, (kind, view), change of the spectrum."""
        (rows, columns), (of_rows, of_columns) = shifts, self.slopes
        moved: np.ndarray = rows[:, None, None] * of_rows + columns[:, None, None] * of_columns
        return moved

    def steadied(self, shifts: np.ndarray) -> _Turn:
        """Take shifts, (kind, view), out of the spectrum."""
        rows, columns = shifts[:, :, None, None]
        back = np.exp(1j * self.kappa * columns)
        spectrum = (self.spectrum + rows * self.slopes[0]) * back
        return replace(
            self, spectrum=spectrum, slopes=(self.slopes[0] * back, 1j * self.kappa * spectrum)
        )

    def weighted(self, weight: np.ndarray) -> _Turn:
        """Weigh the pairs of rows."""
        slopes = tuple(slope * weight[:, None] for slope in self.slopes)
        return replace(self, spectrum=self.spectrum * weight[:, None], slopes=slopes)

    def gathered(self, outside: np.ndarray) -> np.ndarray:
        """Project what lies outside on the slopes: the transpose of `outside(moved(…))`."""
        assert self.circle is not None
        kept = self._kept(outside)
        shape = self.spectrum.shape
        own = (self.circle.T @ kept.reshape(len(kept), -1)).reshape(shape)
        back = np.roll(kept, -(len(kept) // 2), axis=0).reshape(len(kept), -1)
        mirrored = (self.circle.T @ back).reshape(shape)
        return np.array(
            [
                np.sum((slope.conj() * own + slope * mirrored).real, axis=(1, 2))
                for slope in self.slopes
            ]
        )


def find_shifts(sample: Sample, pairs: np.ndarray, center_px: np.ndarray) -> Shifts:
    """Find how far each view stands off.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    pairs : ndarray of int, shape (pair,)
        Rows that are followed by their neighbor in the frame.
    center_px : ndarray, shape (pair,)
        Axis of each, in binned columns.

    Returns
    -------
    Shifts
        In ascending order of the angle. What a shift of the sample on the stage, or of the axis,
        does as well is not contained.
    """
    theta = sample.theta_deg
    whole = _whole(sample, pairs, center_px)
    found = np.zeros((2, len(theta)))
    turns = [part for part in half_turns(theta) if part.stop - part.start >= _LEAST_VIEWS]
    for part in turns:
        found[:, part] = _solved(whole.only(part, theta[part]))
    for view in range(turns[-1].stop if turns else len(theta), len(theta)):
        found[:, view] = _by_mirror(whole, found, theta, view)
    for part in turns:
        position = _position(found[1, part], theta[part])
        stop = len(theta) if part is turns[-1] else part.stop
        found[1, part.start : stop] -= _design(theta[part.start : stop]) @ position
    found[0] -= found[0].mean()
    return Shifts(*found)


def _whole(sample: Sample, pairs: np.ndarray, center_px: np.ndarray) -> _Turn:
    """Transform all views; they are not on a circle yet."""
    columns, views = sample.columns, sample.free
    middle = (columns - 1) / 2
    weight = window(columns, middle, 0.54 * columns)
    reach_px = columns / 2 + float(np.max(np.abs(center_px - middle)))
    if any(sample_cut(sample.views)):
        reach_px *= 2  # what is beyond the view moves faster
    in_half_turn = 180.0 / median_step(sample.theta_deg)
    kappa, upper = spectra(views[:, pairs], weight)
    first = np.ceil(kappa * reach_px + 3 * np.cbrt(kappa * reach_px) + 5).astype(int)
    good = np.flatnonzero((kappa > 0) & (kappa < _HIGHEST) & (first < _OUTSIDE * in_half_turn))
    good = good[:: max(1, ceil(good.size / _FREQUENCIES))]
    kappa = kappa[good]
    about = np.exp(1j * kappa * center_px[:, None])
    upper = upper[:, :, good] * about
    lower = spectra(views[:, pairs + 1], weight)[1][:, :, good] * about
    mean = ((upper + lower) / 2).astype(np.complex128)
    # Noise in the slope would make shifts along rows come out too small.
    slope = scipy.ndimage.convolve1d(lower - upper, _SLOPE_OF_VIEWS, axis=0, mode="nearest")
    return _Turn(mean, (slope, 1j * kappa * mean), None, kappa, first[good])


def _solved(turn: _Turn) -> np.ndarray:
    """Find the shifts that leave least outside, step by step; (kind, view)."""
    shifts = np.zeros((2, len(turn.spectrum)))
    for _ in range(_ROUNDS):
        steady = turn.steadied(shifts)
        # Rows in which most is left, such as those at a face, where shifts do more than a slope
        # says, count least.
        left = np.mean(np.abs(steady.outside(steady.spectrum)) ** 2, axis=(0, 2))
        steady = steady.weighted(np.maximum(left, 1e-30) ** -0.5)
        shifts += _conjugate_gradient(steady, _LARGEST_PX**-2)
    return shifts


def _by_mirror(whole: _Turn, found: np.ndarray, theta_deg: np.ndarray, view: int) -> np.ndarray:
    """Find the shifts of a view beyond the last half turn: against its mirror image."""
    mirror = int(np.argmin(np.abs(theta_deg - theta_deg[view] + 180.0)))
    pair = whole.only(slice(mirror, mirror + 1)).steadied(found[:, mirror : mirror + 1])
    own = whole.only(slice(view, view + 1))
    shifts = np.zeros((2, 1))
    for _ in range(_ROUNDS):
        steady = own.steadied(shifts)
        away = steady.spectrum - pair.spectrum.conj()
        slopes = [slope.ravel() for slope in steady.slopes]
        normal = np.array([[np.sum((a.conj() * b).real) for b in slopes] for a in slopes])
        right = np.array([np.sum((a.conj() * away.ravel()).real) for a in slopes])
        shifts[:, 0] -= np.linalg.lstsq(normal, right, rcond=1e-6)[0]
    return shifts[:, 0]


def _conjugate_gradient(turn: _Turn, weight: float) -> np.ndarray:
    """Minimize what is left outside, plus `weight` times the square of the shifts."""

    def normal(x: np.ndarray) -> np.ndarray:
        return turn.gathered(turn.outside(turn.moved(x))) + weight * x

    rest = -turn.gathered(turn.outside(turn.spectrum))
    x = np.zeros_like(rest)
    step, square = rest.copy(), float(np.sum(rest**2))
    aim = 1e-6 * square
    for _ in range(_STEPS):
        if square <= aim:
            break
        bent = normal(step)
        far = square / float(np.sum(step * bent))
        x += far * step
        rest -= far * bent
        before, square = square, float(np.sum(rest**2))
        step = rest + square / before * step
    return x


def _design(theta_deg: np.ndarray) -> np.ndarray:
    theta = np.deg2rad(theta_deg)
    return np.column_stack([np.ones_like(theta), np.cos(theta), np.sin(theta)])


def _position(columns: np.ndarray, theta_deg: np.ndarray) -> np.ndarray:
    """Fit what is not the stage's: where the axis is, and where the sample stands on it."""
    return np.asarray(np.linalg.lstsq(_design(theta_deg), columns, rcond=None)[0])
