"""What is done to a volume on its way to a file. In: a volume; out: the changed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from studies.given_volumes import spoiling
from studies.given_volumes.case import Given, Trait

# A window that holds all of 25 keV, and one that ends a little above the particles.
WIDE, NARROW = (-25.0, 126.5), (-8.0, 70.0)


def on(change: Callable[..., np.ndarray], *settings: Any) -> Trait:
    """Change the values alone."""
    return lambda given: replace(given, values=change(given.values, *settings))


def noisy(times: float) -> Trait:
    """Have so many times the usual noise."""
    return on(spoiling.with_noise, times)


def scaled(slope: float, offset: float = 0.0) -> Trait:
    """Lie on another straight line, as real numbers."""
    return on(lambda mu: (slope * mu + offset).astype(np.float32))


def coded(dtype: str, low: float = WIDE[0], high: float = WIDE[1]) -> Trait:
    """Be whole numbers of a window, said to be grey values."""
    return lambda given: replace(given, values=spoiling.coded(given.values, dtype, low, high)).but(
        unit="grey"
    )


def but(**said: Any) -> Trait:
    """Have the configuration say something else; None: nothing."""
    return lambda given: given.but(**said)


def turned(order: Sequence[int], signs: Sequence[int]) -> Trait:
    """Have its axes in another order, some of them run against."""

    def turn(given: Given) -> Given:
        a, b, c = (given.edges_um[axis] for axis in order)
        return replace(
            given, values=spoiling.turned(given.values, order, signs), edges_um=(a, b, c)
        )

    return turn


on_side = partial(turned, (2, 1, 0), (1, 1, -1))


def leaning(degrees: float, about: str = "y") -> Trait:
    """Lean about an axis of the slices, within a larger volume."""
    return on(spoiling.leaning, degrees, about)


def every(step: int, axis: int = 0) -> Trait:
    """Keep one of so many slices, rows or columns."""
    return _longer(lambda mu: mu[(slice(None),) * axis + (slice(None, None, step),)], step, axis)


def means(step: int) -> Trait:
    """Keep the means of so many slices."""
    return _longer(spoiling.means, step, 0, step)


def said_edges(*factors: float) -> Trait:
    """Have edges along z, y and x that are said to be so many times what they are."""

    def slip(given: Given) -> Given:
        z, y, x = (edge * f for edge, f in zip(given.edges_um, factors, strict=True))
        return replace(given, edges_um=(z, y, x))

    return slip


def _longer(change: Callable[..., np.ndarray], step: int, axis: int, *settings: Any) -> Trait:
    def lengthen(given: Given) -> Given:
        z, y, x = (edge * (step if n == axis else 1) for n, edge in enumerate(given.edges_um))
        values = np.ascontiguousarray(change(given.values, *settings))
        return replace(given, values=values, edges_um=(z, y, x))

    return lengthen
