"""A small kernel that those of another file call."""

from xct.parallel.kernels import njit


@njit()
def squared(value: float) -> float:
    """Give the square."""
    return value * value
