"""What voids take from neighbors in the mean: scatter of cores drawn by hand, no volume."""

import numpy as np
import pytest

from xct.analyze.lithium.void_level import void_level
from xct.segment.particle.unresolved import Unresolved

NOISE, SLOPE, COUNT, VOXELS = 0.05, 1.0, 1200, 25


def drawn(open_part, wrong=1.0, seed=1):
    """Scatter of cores with voids that open a fraction of each, by noise stated `wrong` times."""
    rng = np.random.default_rng(seed)
    voids = np.broadcast_to(np.asarray(open_part) / SLOPE, COUNT)
    variance = NOISE**2 + voids**2
    variance = variance * rng.chisquare(VOXELS - 1, COUNT) / (VOXELS - 1)
    stated = np.full(COUNT, wrong * NOISE**2)
    nothing = np.zeros(COUNT)
    seen = Unresolved(
        nothing, nothing, nothing, variance - stated, stated, np.full(COUNT, SLOPE)
    )  # fmt: skip
    place = rng.uniform(0, 100, (COUNT, 3))
    return seen, place


def found(open_part, wrong=1.0, seed=1):
    seen, place = drawn(open_part, wrong, seed)
    return void_level(seen, np.full(COUNT, float(VOXELS)), place), place


@pytest.mark.parametrize("open_part", [0.03, 0.05])
def test_voids_that_hardly_a_core_shows_alone_are_known_of_many(open_part):
    level, _ = found(open_part)
    assert level.typical.mean() == pytest.approx(open_part, rel=0.15)
    assert np.mean((level.low <= open_part) & (open_part <= level.high)) > 0.95


def test_where_cores_scatter_as_noise_does_none_are_read_but_what_noise_may_hide_is_bounded():
    level, _ = found(0.0)
    assert np.median(level.typical) < 0.004
    assert (level.low == 0).all()
    assert np.median(level.high) == pytest.approx(NOISE * np.sqrt(0.196), rel=0.2)


@pytest.mark.parametrize("wrong", [0.9, 1.1])
@pytest.mark.parametrize("open_part", [0.0, 0.02, 0.04])
def test_the_interval_holds_what_is_taken_where_noise_is_stated_a_little_wrong(open_part, wrong):
    level, _ = found(open_part, wrong)
    assert np.mean((level.low <= open_part) & (open_part <= level.high)) > 0.9


def test_a_region_with_more_cracks_has_a_level_of_its_own():
    rng = np.random.default_rng(2)
    seen, place = drawn(np.where(np.arange(COUNT) < COUNT // 2, 0.0, 0.06))
    place[: COUNT // 2, 0] = rng.uniform(0, 100, COUNT // 2)
    place[COUNT // 2 :, 0] = rng.uniform(200, 300, COUNT // 2)
    level = void_level(seen, np.full(COUNT, float(VOXELS)), place)
    assert level.typical[: COUNT // 2].mean() < 0.006
    assert level.typical[COUNT // 2 :].mean() == pytest.approx(0.06, rel=0.1)


def test_too_few_cores_tell_no_level():
    seen, place = drawn(0.05)
    voxels = np.where(np.arange(COUNT) < 19, VOXELS, 4.0)
    level = void_level(seen, voxels, place)
    assert not np.concatenate(level).any()
