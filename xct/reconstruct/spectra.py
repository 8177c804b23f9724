"""Filtered spectra of a batch of rows. In: line integrals; out: spectra, rows side by side.

Up to 16 rows are worked on at once, rows innermost: an even row is the real part of a complex
number, the row after it the imaginary part.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numba import njit

from xct.threads import over_ranges, thread_count

# Columns that are turned from row by row to rows side by side at a time, within the L1 cache.
BLOCK = 64


def edge_columns(columns: int) -> int:
    """Columns at either edge whose mean continues the projection beyond the detector."""
    return max(1, min(4, columns // 16))


def padded_rows(line_integrals: np.ndarray, length: int, lanes: int) -> np.ndarray:
    """Copy rows side by side, and continue each projection beyond the detector.

    The padding leads smoothly from the right edge to the left one, so the projection is
    continuous where it repeats; behind an object that fits the detector it is zero.

    Parameters
    ----------
    line_integrals : ndarray of float32, shape (angle, row, column)
        At most `lanes` rows.
    length : int
        Padded length.
    lanes : int
        Rows to make room for, even.

    Returns
    -------
    ndarray of complex64, shape (angle, length, lanes / 2)
        Padded projections; lanes without a row are zero.
    """
    angles, _, columns = line_integrals.shape
    out = np.empty((angles, length, lanes), dtype=np.float32)
    ramp = np.arange(1, length - columns + 1) / (length - columns + 1)
    blend = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)

    def pad(first: int, stop: int) -> None:
        _pad(line_integrals[first:stop], blend, edge_columns(columns), out[first:stop])

    over_ranges(pad, angles)
    return out.view(np.complex64)


def filter_spectra(
    spectra: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    shift_px: np.ndarray,
    highest: int,
) -> None:
    """Multiply spectra by the filter, the angle's weight and the shift of the axis, in place.

    Parameters
    ----------
    spectra : ndarray of complex64, shape (angle, frequency, pair of rows)
        Transforms of `padded_rows`.
    response : ndarray, shape (frequency,)
        Real and even response of the filter.
    weights : ndarray, shape (angle,)
        Weights of the angles.
    shift_px : ndarray, shape (angle, row)
        Shift of each row to the left, pixels.
    highest : int
        Highest frequency that is used later.
    """
    length = spectra.shape[1]
    turn = np.exp(2j * np.pi * shift_px / length)
    together = bool((shift_px == shift_px[:, :1]).all())
    response = np.ascontiguousarray(response, dtype=np.float64)
    kernel = _filter_together if together else _filter_apart

    def multiply(first: int, stop: int) -> None:
        kernel(spectra[first:stop], response, weights[first:stop], turn[first:stop], highest)

    over_ranges(multiply, spectra.shape[0])


def filtered_spectra(
    line_integrals: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    shift_px: np.ndarray,
    highest: int,
) -> np.ndarray:
    """Pad, transform, filter, weight and shift a batch of rows.

    Parameters as in `padded_rows` and `filter_spectra`; the padded length is that of
    `response`, the lanes are those of `shift_px`.

    Returns
    -------
    ndarray of complex64, shape (angle, frequency, pair of rows)
        Spectra, in the order of `scipy.fft.fft`; valid up to `highest`.
    """
    padded = padded_rows(line_integrals, response.size, shift_px.shape[1])
    spectra: np.ndarray = scipy.fft.fft(padded, axis=1, overwrite_x=True, workers=thread_count())
    filter_spectra(spectra, response, weights, shift_px, highest)
    return spectra


@njit(cache=True, nogil=True)
def _pad(rows: np.ndarray, blend: np.ndarray, edge: int, out: np.ndarray) -> None:
    angles, count, columns = rows.shape
    for i in range(angles):
        out[i, :, count:] = 0
        for r in range(count):
            left = np.float32(rows[i, r, :edge].mean())
            right = np.float32(rows[i, r, columns - edge :].mean())
            for c in range(blend.size):
                out[i, columns + c, r] = right + (left - right) * blend[c]
        for first in range(0, columns, BLOCK):
            stop = min(first + BLOCK, columns)
            for r in range(count):
                for c in range(first, stop):
                    out[i, c, r] = rows[i, r, c]


@njit(cache=True, nogil=True)
def _filter_together(
    spectra: np.ndarray, response: np.ndarray, weights: np.ndarray, turn: np.ndarray, highest: int
) -> None:
    """All rows shifted alike: one factor for each frequency."""
    angles, length, pairs = spectra.shape
    for i in range(angles):
        phase = complex(weights[i])
        for k in range(highest + 1):
            factor = np.complex64(phase * response[k])
            mirrored = np.conj(factor)
            for p in range(pairs):
                spectra[i, k, p] *= factor
            if k > 0:
                for p in range(pairs):
                    spectra[i, length - k, p] *= mirrored
            phase *= turn[i, 0]


@njit(cache=True, nogil=True)
def _filter_apart(
    spectra: np.ndarray, response: np.ndarray, weights: np.ndarray, turn: np.ndarray, highest: int
) -> None:
    """Rows shifted each by its own amount: the two rows of a pair are told apart.

    With z = a + ib for the rows a and b, a and ib at frequency k are half the sum and half the
    difference of z(k) and the conjugate of z(-k).
    """
    angles, length, pairs = spectra.shape
    for i in range(angles):
        for p in range(pairs):
            even, odd = complex(weights[i]), complex(weights[i])
            for k in range(highest + 1):
                up = np.complex128(spectra[i, k, p])
                down = np.complex128(spectra[i, (length - k) % length, p])
                a = 0.5 * response[k] * even * (up + np.conj(down))
                b = 0.5 * response[k] * odd * (up - np.conj(down))
                spectra[i, k, p] = np.complex64(a + b)
                if k > 0:
                    spectra[i, length - k, p] = np.complex64(np.conj(a) - np.conj(b))
                even *= turn[i, 2 * p]
                odd *= turn[i, 2 * p + 1]
