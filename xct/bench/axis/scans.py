"""Virtual scans whose axis is known. In: a kind and a seed; out: line integrals of some rows.

Samples are of three makes, in turn: grains, a tube with grains in it, a texture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from xct.phantom.discs import project_discs, random_discs
from xct.phantom.scan.shadows import project

GOOD = ("plain", "full turn", "off the middle")
KINDS = (*GOOD, "truncated", "starved", "ringed", "few angles", "jitter")
_ROWS = 3


class AxisScan(NamedTuple):
    """Some rows of a virtual scan.

    Attributes
    ----------
    line_integrals : ndarray of float32, shape (angle, row, column)
    theta_deg : ndarray, shape (angle,)
    center_px : float
        Where the axis is.
    """

    line_integrals: np.ndarray
    theta_deg: np.ndarray
    center_px: float


def draw_scan(kind: str, seed: int) -> AxisScan:
    """Draw a scan.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    seed : int
        Of the sample and of all that goes wrong.
    """
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    columns = int(rng.integers(128, 321))
    theta = _angles(kind, rng)
    middle = (columns - 1) / 2
    away = rng.uniform(0.1, 0.2) if kind == "off the middle" else rng.uniform(0, 0.05)
    center = middle + away * columns * rng.choice([-1, 1])
    size = columns - 2 * abs(center - middle) - 4
    if kind == "truncated":
        size = columns * rng.uniform(1.1, 4)
    steps = rng.normal(0, rng.uniform(0.3, 1.5), theta.size) if kind == "jitter" else 0.0
    exact = np.stack([_row(seed, int(size), theta, columns, center, rng) for _ in range(_ROWS)], 1)
    peak = rng.uniform(5, 10) if kind == "starved" else rng.uniform(0.5, 3)
    exact *= peak / exact.max()
    if kind == "jitter":
        exact = _shifted(exact, np.broadcast_to(steps, theta.shape))
    counts = rng.uniform(500, 5000) if kind == "starved" else rng.uniform(5000, 40_000)
    gain = 1 + rng.normal(0, 0.003, exact.shape[1:])
    if kind == "ringed":
        gain += rng.normal(0, rng.uniform(0.02, 0.15), exact.shape[1:])
    seen = np.maximum(rng.poisson(counts * gain * np.exp(-exact)), 0.5) / counts
    return AxisScan((-np.log(seen)).astype(np.float32), theta, center + float(np.mean(steps)))


def _angles(kind: str, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(12, 80) if kind == "few angles" else rng.integers(150, 500))
    span = 360.0 if kind == "full turn" else 180.0
    return rng.uniform(-90, 90) + np.linspace(0, span, count, endpoint=bool(rng.integers(2)))


def _row(
    seed: int,
    size: int,
    theta: np.ndarray,
    columns: int,
    center: float,
    rng: np.random.Generator,
) -> np.ndarray:
    make = (_grains, _tube, _texture)[seed % 3]
    return make(size, theta, columns, center, rng)


def _grains(
    size: int, theta: np.ndarray, columns: int, center: float, rng: np.random.Generator
) -> np.ndarray:
    discs = random_discs(int(rng.integers(8, 60)), size, seed=int(rng.integers(2**31)))
    return project_discs(discs, theta, columns, center)


def _tube(
    size: int, theta: np.ndarray, columns: int, center: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a wall about a bore that is filled with a powder, a little off the axis."""
    outer = 0.46 * size
    x, y = rng.uniform(-0.03, 0.03, 2) * size
    inner = outer * rng.uniform(0.75, 0.95)
    filling = rng.uniform(0.3, 1.0)
    grains = random_discs(
        int(rng.integers(40, 150)), int(1.9 * inner), seed=int(rng.integers(2**31)),
        radius=(0.008, 0.03),
    )  # fmt: skip
    grains[:, :2] += x, y
    discs = np.vstack([[[x, y, outer, 1.0], [x, y, inner, filling - 1.0]], grains])
    return project_discs(discs, theta, columns, center)


def _texture(
    size: int, theta: np.ndarray, columns: int, center: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw an ellipse of a sponge-like texture."""
    noise = gaussian_filter(rng.normal(size=(size, size)), rng.uniform(1.5, 5))
    mu = 1 + np.clip(noise / noise.std(), -2, 2) * rng.uniform(0.05, 0.4)
    y, x = (part - (size - 1) / 2 for part in np.ogrid[:size, :size])
    long, short = 0.48 * size, rng.uniform(0.3, 0.48) * size
    turn = rng.uniform(0, np.pi)
    across, along = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inside = (across / long) ** 2 + (along / short) ** 2 < 1
    slices = np.where(inside, mu, 0.0).astype(np.float32)[None]
    return project(slices, theta, center, 1e4, columns=columns)[:, 0].astype(np.float64)


def _shifted(exact: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Move each view along columns by its own step."""
    place = np.arange(exact.shape[2])
    moved = np.empty_like(exact)
    for angle, step in enumerate(steps):
        for row in range(exact.shape[1]):
            moved[angle, row] = np.interp(place - step, place, exact[angle, row])
    return moved
