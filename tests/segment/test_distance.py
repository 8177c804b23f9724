"""Distances up to a limit are those of a library, wherever the window begins."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from xct.parallel.rolling import Rolling
from xct.segment.particle.distance import distances

SHAPE = (30, 34, 40)


@pytest.fixture(scope="module")
def mask():
    field = gaussian_filter(np.random.default_rng(3).random(SHAPE), 2)
    return field > np.median(field)


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (1.5, 1.0, 1.25)])
@pytest.mark.parametrize("limit", [2.5, 40.0])
@pytest.mark.parametrize("rows", [1, 8, 30])
def test_distances_up_to_a_limit_are_those_of_scipy(mask, size, limit, rows):
    truth = np.minimum(distance_transform_edt(mask, size), limit)
    found = distances(Rolling(lambda a, b: mask[a:b], len(mask)), np.array(size), limit)
    parts = [found(first, min(first + rows, len(mask))) for first in range(0, len(mask), rows)]
    np.testing.assert_allclose(np.concatenate(parts), truth, rtol=1e-6)


def test_without_an_outside_every_distance_is_the_limit():
    full = np.ones((6, 5, 4), bool)
    found = distances(Rolling(lambda a, b: full[a:b], 6), np.ones(3), 2.0)
    np.testing.assert_array_equal(found(0, 6), 2.0)
