"""fbp against the plain sum over angles and columns, on scans that hypothesis draws."""

import os
from dataclasses import dataclass

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as draw

from xct.parallel.kernels import njit
from xct.reconstruct import fbp
from xct.reconstruct.half_acquisition import is_half_acquisition

# RMS difference from the plain sum, as a fraction of the slice's RMS value.
TOLERANCE = 2e-3


@dataclass(frozen=True)
class Scan:
    line_integrals: np.ndarray  # (angle, row, column)
    theta_deg: np.ndarray
    weights: np.ndarray
    center_px: np.ndarray | float
    size: int


@njit(nogil=True)
def plain_sum(rows, theta, weights, center, size):
    """Filtered back-projection with the exact band-limited ramp: no transform, no grid.

    The ramp between the samples is sinc(t) / 2 - sinc(t / 2)² / 4 (Kak & Slaney, ch. 3).
    """
    picture = np.zeros((size, size))
    for i in range(theta.size):
        for j in range(size):
            for k in range(size):
                x, y = k - (size - 1) / 2, j - (size - 1) / 2
                s = center + x * np.cos(theta[i]) - y * np.sin(theta[i])
                sine, cosine = np.sin(np.pi * s), np.cos(np.pi * s)
                total = 0.0
                for c in range(rows.shape[1]):
                    t, sign = s - c, 1 - 2 * (c % 2)
                    if abs(t) < 1e-6:
                        total += 0.25 * rows[i, c]
                    else:
                        ramp = sign * sine / (2 * np.pi * t)
                        ramp -= (1 - sign * cosine) / (2 * (np.pi * t) ** 2)
                        total += ramp * rows[i, c]
                picture[j, k] += weights[i] * total
    return picture


def half_gaps(theta):
    """Weights of rising angles within a half turn, in radians."""
    gaps = np.diff(theta, append=theta[0] + 180)
    return np.deg2rad((gaps + np.roll(gaps, 1)) / 2)


@draw.composite
def angles(choose):
    count = choose(draw.integers(24, 70))
    start = choose(draw.floats(-400, 400))
    kind = choose(draw.sampled_from(["half turn", "full turn", "uneven", "descending"]))
    steps = np.arange(count)
    if kind == "uneven":
        theta = 180 * (steps + 0.4 * np.sin(steps)) / count
        return start + theta, half_gaps(theta)
    turn = 360 if kind == "full turn" else 180
    theta = start + turn * steps / count
    return theta[:: -1 if kind == "descending" else 1], np.full(count, np.pi / count)


@draw.composite
def scans(choose):
    columns = choose(draw.sampled_from([23, 31, 32, 37, 45, 48, 53, 64]))
    rows = choose(draw.sampled_from([1, 2, 5, 16, 17]))
    theta, weights = choose(angles())
    rng = np.random.default_rng(choose(draw.integers(0, 2**32)))
    # Nothing at the edges, where projections are continued, and nothing at the Nyquist
    # frequency, whose sign is not known.
    values = np.zeros((theta.size, rows, columns))
    values[..., 6:-6] = rng.uniform(0, 1, (theta.size, rows, columns - 12))
    for _ in range(2):
        values[..., 1:-1] = (values[..., :-2] + 2 * values[..., 1:-1] + values[..., 2:]) / 4
    dtype = choose(draw.sampled_from([np.float32, np.float64, np.uint16]))
    values = np.rint(values * 60_000).astype(dtype)
    middle = (columns - 1) * choose(draw.floats(0.02, 0.98))  # with its scatter on the detector
    center = middle + rng.uniform(-0.4, 0.4, rows) if choose(draw.booleans()) else middle
    size = choose(draw.one_of(draw.just(columns), draw.integers(8, 80)))
    return Scan(values, theta, weights, center, size)


@settings(max_examples=60, deadline=None, derandomize="CI" in os.environ, database=None)
@given(scans())
def test_any_scan_is_reconstructed_as_the_plain_sum_says(scan):
    assume(
        not is_half_acquisition(
            scan.theta_deg, np.mean(scan.center_px), scan.line_integrals.shape[-1]
        )
    )
    volume = fbp(
        scan.line_integrals, scan.theta_deg, scan.center_px, pixel_size_um=1e4, size=scan.size
    )
    rows = scan.line_integrals.shape[1]
    centers = np.broadcast_to(scan.center_px, rows)
    position = np.arange(scan.size) - (scan.size - 1) / 2
    distance = np.hypot(position, position[:, None])
    for row in {0, rows // 2, rows - 1}:
        expected = plain_sum(
            scan.line_integrals[:, row].astype(np.float64),
            np.deg2rad(scan.theta_deg),
            scan.weights,
            centers[row],
            scan.size,
        )
        farthest = max(centers[row], scan.line_integrals.shape[2] - 1 - centers[row]) + 0.5
        inside = distance <= min(scan.size / 2, farthest) - 1
        error = np.sqrt(np.mean((volume[row] - expected)[inside] ** 2))
        assert error < TOLERANCE * np.sqrt(np.mean(expected[inside] ** 2))
