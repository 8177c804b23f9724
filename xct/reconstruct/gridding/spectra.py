"""Filtered spectra of a batch of rows. In: line integrals; out: spectra, rows side by side.

Up to 16 rows are worked on at once, rows innermost: an even row is the real part of a complex
number, the row after it the imaginary part.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.reconstruct.gridding.fft import plan, transform
from xct.reconstruct.gridding.vectors import multiply_line, turn_block
from xct.reconstruct.gridding.workspace import borrowed

# Line integrals that a thread converts to float32 at a time.
CHUNK_BYTES = 2**19


def edge_columns(columns: int) -> int:
    """Columns at either edge whose mean continues the projection beyond the detector."""
    return max(1, min(4, columns // 16))


def filtered_spectra(
    line_integrals: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    shift_px: np.ndarray,
    out: np.ndarray,
) -> None:
    """Pad, transform, filter, weight and shift a batch of rows.

    One projection after the other, which stays in the cache between the steps.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Real numbers of any type; at most as many rows as `out` has.
    response : ndarray of float64, shape (frequency,)
        Real and even response of the filter, as long as the padded projection.
    weights : ndarray, shape (angle,)
        Weights of the angles.
    shift_px : ndarray, shape (angle, row)
        Shift of each row to the left, pixels.
    out : ndarray of float32, shape (angle, 2 * highest + 1, row)
        Frequencies from -highest to highest; pairs of rows are complex numbers.
    """
    angles, columns = line_integrals.shape[0], line_integrals.shape[2]
    lanes, passes = (0,) * out.shape[2], plan(response.size)
    blend = blend_factors(columns, response.size)
    turn = np.exp(2j * np.pi * shift_px / response.size)
    together = bool((shift_px == shift_px[:, :1]).all())
    at_once = max(1, CHUNK_BYTES // line_integrals[0].nbytes)

    def work(first: int, stop: int) -> None:
        with borrowed(2, response.size * len(lanes)) as spare:
            for begin in range(first, stop, at_once):
                part = slice(begin, min(begin + at_once, stop))
                _filter_angles(
                    readable(line_integrals[part]),
                    blend,
                    edge_columns(columns),
                    (passes.radices, passes.twiddles),
                    response,
                    weights[part],
                    turn[part],
                    together,
                    spare,
                    lanes,
                    out[part],
                )

    over_ranges(work, angles, pieces=4)


def blend_factors(columns: int, length: int) -> np.ndarray:
    """Weight of the left edge in the padding, which leads there from the right edge.

    So the projection is continuous where it repeats; behind an object that fits the detector
    the padding is zero.
    """
    ramp = np.arange(1, length - columns + 1) / (length - columns + 1)
    return (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)


def readable(values: np.ndarray) -> np.ndarray:
    """Copy to float32 if it is not, or if the columns do not follow each other."""
    if values.dtype == np.float32 and values.strides[2] == 4:
        return values
    return np.ascontiguousarray(values, dtype=np.float32)


@njit(cache=True, nogil=True)
def _filter_angles(
    rows: np.ndarray,
    blend: np.ndarray,
    edge: int,
    passes: tuple[np.ndarray, np.ndarray],
    response: np.ndarray,
    weights: np.ndarray,
    turn: np.ndarray,
    together: bool,
    spare: np.ndarray,
    lanes: tuple[int, ...],
    out: np.ndarray,
) -> None:
    for i in range(rows.shape[0]):
        values, other = spare[0], spare[1]
        pad(rows[i], blend, edge, lanes, values)
        if transform(values, other, 1, passes[0], passes[1], lanes):
            values = other
        target = out[i].reshape(-1)
        if together:
            _filter_together(values, response, weights[i], turn[i, 0], lanes, target)
        else:
            _filter_apart(values, response, weights[i], turn[i], lanes, target)


@njit(cache=True, nogil=True)
def pad(
    rows: np.ndarray, blend: np.ndarray, edge: int, lanes: tuple[int, ...], out: np.ndarray
) -> None:
    """Copy the rows of a projection side by side and continue them beyond the detector."""
    count, columns = rows.shape
    wide, step = len(lanes), rows.strides[0] // 4
    ones = np.ones(wide, dtype=np.float32)
    turned = columns - columns % wide if count == wide else 0
    for c in range(0, turned, wide):
        turn_block(rows, c, step, out, c * wide, wide, ones, 0, lanes)
    for r in range(wide):
        if r >= count:
            out[r::wide] = 0
            continue
        for c in range(turned, columns):
            out[c * wide + r] = rows[r, c]
        left = np.float32(rows[r, :edge].mean())
        right = np.float32(rows[r, columns - edge :].mean())
        for c in range(blend.size):
            out[(columns + c) * wide + r] = right + (left - right) * blend[c]


@njit(cache=True, nogil=True)
def _filter_together(
    values: np.ndarray,
    response: np.ndarray,
    weight: float,
    turn: complex,
    lanes: tuple[int, ...],
    out: np.ndarray,
) -> None:
    """All rows shifted alike: one factor for each frequency. Frequency -k is value k."""
    wide, length = len(lanes), response.size
    highest = (out.size // wide - 1) // 2
    phase = complex(weight)
    for k in range(highest + 1):
        z = np.complex64(phase * response[k])
        up, down = (highest + k) * wide, (highest - k) * wide
        if k > 0:
            multiply_line(values, k * wide, out, down, z.real, -z.imag, lanes)
        multiply_line(values, (length - k) % length * wide, out, up, z.real, z.imag, lanes)
        phase *= turn


@njit(cache=True, nogil=True)
def _filter_apart(
    values: np.ndarray,
    response: np.ndarray,
    weight: float,
    turn: np.ndarray,
    lanes: tuple[int, ...],
    out: np.ndarray,
) -> None:
    """Rows shifted each by its own amount: the two rows of a pair are separated.

    With z = a + ib for the rows a and b, a and ib at frequency k are half the sum and half the
    difference of z(k) and the conjugate of z(-k). Frequency -k is value k.
    """
    wide, length = len(lanes), response.size
    highest = (out.size // wide - 1) // 2
    for p in range(0, wide, 2):
        even, odd = complex(weight), complex(weight)
        for k in range(highest + 1):
            here, mirrored = (length - k) % length * wide + p, k * wide + p
            up = complex(values[here], values[here + 1])
            down = complex(values[mirrored], -values[mirrored + 1])
            a = 0.5 * response[k] * even * (up + down)
            b = 0.5 * response[k] * odd * (up - down)
            place = (highest + k) * wide + p
            out[place], out[place + 1] = (a + b).real, (a + b).imag
            if k > 0:
                place = (highest - k) * wide + p
                out[place], out[place + 1] = (a - b).real, (b - a).imag
            even *= turn[p]
            odd *= turn[p + 1]
