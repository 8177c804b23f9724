"""Small kernels that call each other."""

import numpy as np

from tests.parallel import kernel_samples_inner as inner
from tests.parallel.kernel_samples_inner import squared
from xct.parallel.kernels import njit


@njit()
def sum_of_squares(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += squared(value)
    return total


@njit()
def through_a_module(value: float) -> float:
    return inner.squared(value)


@njit()
def factorial(number: int) -> int:
    return 1 if number < 2 else number * factorial(number - 1)


@njit()
def cubed(value: float) -> float:
    return value * squared(value)


@njit()
def never_called(value: float) -> float:
    return value
