"""Filtered spectra of a batch of rows. In: line integrals; out: spectra, rows side by side.

Up to 16 rows are worked on at once, rows innermost: an even row is the real part of a complex
number, the row after it the imaginary part.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xct.reconstruct.transforms import forward
from xct.reconstruct.vectors import multiply_line, turn_block
from xct.reconstruct.workspace import borrowed
from xct.threads import over_ranges

# Padded projections that are worked on at a time, within the L2 cache.
CHUNK_BYTES = 2**19


def edge_columns(columns: int) -> int:
    """Columns at either edge whose mean continues the projection beyond the detector."""
    return max(1, min(4, columns // 16))


def pad_rows(line_integrals: np.ndarray, out: np.ndarray) -> None:
    """Copy rows side by side, and continue each projection beyond the detector.

    The padding leads smoothly from the right edge to the left one, so the projection is
    continuous where it repeats; behind an object that fits the detector it is zero.

    Parameters
    ----------
    line_integrals : ndarray of float32, shape (angle, row, column)
        At most as many rows as `out` has lanes; columns one behind the other in memory.
    out : ndarray of float32, shape (angle, position, lane)
        Padded projections; lanes without a row are zero.
    """
    columns, length = line_integrals.shape[2], out.shape[1]
    ramp = np.arange(1, length - columns + 1) / (length - columns + 1)
    blend = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    lanes = (0,) * out.shape[2]
    _pad(line_integrals, blend, edge_columns(columns), lanes, out.reshape(out.shape[0], -1))


def filter_spectra(
    spectra: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    shift_px: np.ndarray,
    out: np.ndarray,
) -> None:
    """Multiply spectra by the filter, the angle's weight and the shift of the axis.

    Parameters
    ----------
    spectra : ndarray of complex64, shape (angle, frequency, pair of rows)
        Transforms of padded rows, in the order of `scipy.fft.fft`.
    response : ndarray of float64, shape (frequency,)
        Real and even response of the filter.
    weights : ndarray, shape (angle,)
        Weights of the angles.
    shift_px : ndarray, shape (angle, row)
        Shift of each row to the left, pixels.
    out : ndarray of float32, shape (angle, 2 * highest + 1, row)
        Frequencies from -highest to highest, complex numbers as in `spectra`.
    """
    turn = np.exp(2j * np.pi * shift_px / spectra.shape[1])
    if (shift_px == shift_px[:, :1]).all():
        angles, lanes = out.shape[0], (0,) * out.shape[2]
        flat = spectra.view(np.float32).reshape(angles, -1), out.reshape(angles, -1)
        _filter_together(*flat, response, weights, turn, lanes)
    else:
        _filter_apart(spectra, response, weights, turn, out.view(np.complex64))


def filtered_spectra(
    line_integrals: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    shift_px: np.ndarray,
    out: np.ndarray,
) -> None:
    """Pad, transform, filter, weight and shift a batch of rows.

    Worked on some angles at a time, which stay in the cache between the steps.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Real numbers of any type.
    response, weights, shift_px, out : ndarray
        As in `filter_spectra`; the padded length is that of `response`.
    """
    angles, _, lanes = out.shape
    together = max(1, min(angles, CHUNK_BYTES // (4 * lanes * response.size)))
    chunks = -(-angles // together)

    def work(first: int, stop: int) -> None:
        with borrowed(together, response.size, lanes) as padded:
            for chunk in range(first, stop):
                part = slice(chunk * together, min((chunk + 1) * together, angles))
                rows = readable(line_integrals[part])
                here = padded[: rows.shape[0]]
                pad_rows(rows, here)
                spectra = forward(here.view(np.complex64))
                filter_spectra(spectra, response, weights[part], shift_px[part], out[part])

    over_ranges(work, chunks, pieces=4)


def readable(values: np.ndarray) -> np.ndarray:
    """Copy to float32 if it is not, or if the columns do not follow each other."""
    if values.dtype == np.float32 and values.strides[2] == 4:
        return values
    return np.ascontiguousarray(values, dtype=np.float32)


@njit(cache=True, nogil=True)
def _pad(
    rows: np.ndarray, blend: np.ndarray, edge: int, lanes: tuple[int, ...], out: np.ndarray
) -> None:
    angles, count, columns = rows.shape
    wide = len(lanes)
    step = rows.strides[1] // 4
    ones = np.ones(wide, dtype=np.float32)
    blocks = columns // wide if count == wide else 0
    for i in range(angles):
        line = out[i]
        for block in range(blocks):
            first = block * wide
            turn_block(rows[i], first, step, line, first * wide, wide, ones, 0, lanes)
        for r in range(count):
            for c in range(blocks * wide, columns):
                line[c * wide + r] = rows[i, r, c]
        for r in range(count, wide):
            for c in range(columns + blend.size):
                line[c * wide + r] = 0
        for r in range(count):
            left = np.float32(rows[i, r, :edge].mean())
            right = np.float32(rows[i, r, columns - edge :].mean())
            for c in range(blend.size):
                line[(columns + c) * wide + r] = right + (left - right) * blend[c]


@njit(cache=True, nogil=True)
def _filter_together(
    spectra: np.ndarray,
    out: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    turn: np.ndarray,
    lanes: tuple[int, ...],
) -> None:
    """All rows shifted alike: one factor for each frequency."""
    wide = len(lanes)
    length, highest = response.size, (out.shape[1] // wide - 1) // 2
    for i in range(out.shape[0]):
        line, target = spectra[i], out[i]
        phase = complex(weights[i])
        for k in range(highest + 1):
            z = np.complex64(phase * response[k])
            up, down = (highest + k) * wide, (highest - k) * wide
            multiply_line(line, k * wide, target, up, z.real, z.imag, lanes)
            if k > 0:
                multiply_line(line, (length - k) * wide, target, down, z.real, -z.imag, lanes)
            phase *= turn[i, 0]


@njit(cache=True, nogil=True)
def _filter_apart(
    spectra: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    turn: np.ndarray,
    out: np.ndarray,
) -> None:
    """Rows shifted each by its own amount: the two rows of a pair are told apart.

    With z = a + ib for the rows a and b, a and ib at frequency k are half the sum and half the
    difference of z(k) and the conjugate of z(-k).
    """
    angles, length, pairs = spectra.shape
    highest = out.shape[1] // 2
    for i in range(angles):
        for p in range(pairs):
            even, odd = complex(weights[i]), complex(weights[i])
            for k in range(highest + 1):
                up = np.complex128(spectra[i, k, p])
                down = np.complex128(spectra[i, (length - k) % length, p])
                a = 0.5 * response[k] * even * (up + np.conj(down))
                b = 0.5 * response[k] * odd * (up - np.conj(down))
                out[i, highest + k, p] = np.complex64(a + b)
                if k > 0:
                    out[i, highest - k, p] = np.complex64(np.conj(a) - np.conj(b))
                even *= turn[i, 2 * p]
                odd *= turn[i, 2 * p + 1]
