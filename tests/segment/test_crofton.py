import numpy as np
import pytest

from xct.segment.crofton import DIRECTIONS, crofton_weights


def surface(body, size):
    crossings = []
    for d in DIRECTIONS:
        moved = np.roll(body, tuple(d), (0, 1, 2))
        crossings.append(np.count_nonzero(moved != body))
    return crofton_weights(size) @ crossings


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.5, 1.0, 1.0)])
def test_surface_of_a_ball_is_right_within_two_percent(size):
    place = [np.arange(48) * s - 24 * s - 0.3 for s in size]
    z, y, x = np.meshgrid(*place, indexing="ij", sparse=True)
    radius = 12 * size[1]
    ball = z**2 + y**2 + x**2 <= radius**2
    assert surface(ball, size) == pytest.approx(4 * np.pi * radius**2, rel=0.02)


def test_weights_of_equal_axes_are_those_of_the_literature():
    weights = crofton_weights((1.0, 1.0, 1.0))
    weight = weights * np.linalg.norm(DIRECTIONS, axis=1) / 4
    lengths = np.abs(DIRECTIONS).sum(axis=1)
    for axes, expected in ((1, 0.045777895), (2, 0.036980674), (3, 0.035195587)):
        np.testing.assert_allclose(weight[lengths == axes], expected, rtol=1e-4)
