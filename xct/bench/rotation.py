"""How long `find_center` takes, and how far off it is, on noisy discs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xct.bench.timing import Task, in_turns
from xct.phantom import project_discs, random_discs
from xct.preprocess import find_center

# For the time: angles, rows, columns. For the error: how many cases, angles, rows, columns.
_TIMED: Mapping[str, tuple[int, int, int]] = {"quick": (600, 20, 640), "full": (2400, 20, 2560)}
_CASES: Mapping[str, tuple[int, int, int, int]] = {
    "quick": (10, 400, 6, 320),
    "full": (50, 901, 6, 1024),
}
_BEAM = 10_000.0


def measure_axis(size: str) -> dict[str, Any]:
    """Time `find_center`, and find its errors on many cases.

    Returns
    -------
    dict
        `seconds` with the size that they belong to; `cases`, with the median and the largest
        error in pixels.
    """
    angles, rows, columns = _TIMED[size]
    theta_deg, integrals, _ = draw_case(0, angles, rows, columns)
    timing = in_turns({"": Task(lambda: find_center(integrals, theta_deg))})[""]
    count, *shape = _CASES[size]
    errors = [error_of_case(number, *shape) for number in range(count)]
    return {
        "shape": [angles, rows, columns],
        "seconds": timing.seconds,
        "runs": timing.runs,
        "first_call_seconds": timing.first_call,
        "cases": count,
        "shape_of_a_case": shape,
        "median_error_px": float(np.median(errors)),
        "largest_error_px": float(max(errors)),
    }


def error_of_case(number: int, angles: int, rows: int, columns: int) -> float:
    """Distance of the axis that is found from the true one, in pixels."""
    theta_deg, integrals, axis_px = draw_case(number, angles, rows, columns)
    return abs(find_center(integrals, theta_deg).center_px - axis_px)


def draw_case(
    seed: int, angles: int, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw discs with counting noise and stripes, the axis up to 5 % off the middle.

    Returns
    -------
    theta_deg : ndarray, shape (angle,)
        Angles.
    line_integrals : ndarray of float32, shape (angle, row, column)
        What a detector would give.
    axis_px : float
        Where the axis is.
    """
    rng = np.random.default_rng((1, seed))
    axis_px = (columns - 1) / 2 + rng.uniform(-0.05, 0.05) * columns
    theta_deg = np.arange(angles) * 180.0 / angles
    discs = random_discs(100, columns, seed=seed, fill=0.85)
    exact = project_discs(discs, theta_deg, columns, axis_px)
    exact *= 2.0 / exact.max()
    line_integrals = np.empty((angles, rows, columns), np.float32)
    for row in range(rows):
        own = exact * (1 + 0.02 * row)
        noise = rng.standard_normal((angles, columns), dtype=np.float32)
        line_integrals[:, row] = own + noise * np.sqrt(np.exp(own) / _BEAM)
        line_integrals[:, row] += rng.normal(0, 0.01, columns)
    return theta_deg, line_integrals, axis_px
