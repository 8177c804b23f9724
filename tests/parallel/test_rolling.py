"""A window that moves along z: planes are made once, and are the same wherever it begins."""

from itertools import pairwise

import numpy as np
import pytest

from xct.parallel.rolling import Rolling, runs

DEPTH = 37


class Source:
    """Planes that hold their own number, and how often each of them was made."""

    def __init__(self, step=1):
        self.made = np.zeros(DEPTH, int)
        self.window = Rolling(self.make, DEPTH, step)

    def make(self, first, stop):
        self.made[first:stop] += 1
        return np.arange(first, stop)


@pytest.mark.parametrize("rows", [1, 5, 16, 40])
@pytest.mark.parametrize("step", [1, 8])
def test_planes_that_blocks_share_are_made_once(rows, step):
    source = Source(step)
    for first in range(0, DEPTH, rows):
        stop = min(first + rows, DEPTH)
        found = source.window.planes(first - 3, stop + 3)
        np.testing.assert_array_equal(found, np.arange(max(first - 3, 0), min(stop + 3, DEPTH)))
    np.testing.assert_array_equal(source.made, 1)


def test_what_is_kept_behind_is_not_made_again():
    source = Source()
    source.window.keep(4)
    source.window.planes(0, 10)
    source.window.planes(10, 20)
    np.testing.assert_array_equal(source.window.planes(6, 12), np.arange(6, 12))
    np.testing.assert_array_equal(source.made[:20], 1)
    source.window.planes(2, 12)  # given up
    assert (source.made[2:12] == 2).all()


def test_a_window_that_jumps_makes_nothing_in_between():
    source = Source()
    source.window.planes(0, 3)
    source.window.planes(20, 23)
    assert source.made.sum() == 6


def test_planes_that_somebody_holds_do_not_change_when_the_window_moves_on():
    source = Source()
    held = [source.window.planes(first, first + 8) for first in range(0, DEPTH - 8, 4)]
    for first, planes in zip(range(0, DEPTH - 8, 4), held, strict=True):
        np.testing.assert_array_equal(planes, np.arange(first, first + 8))


def test_what_somebody_else_owns_is_not_written_into():
    volume = np.arange(DEPTH)
    window = Rolling(lambda first, stop: volume[first:stop], DEPTH)
    for first in range(0, DEPTH - 8, 4):
        np.testing.assert_array_equal(window.planes(first, first + 8), volume[first : first + 8])
    np.testing.assert_array_equal(volume, np.arange(DEPTH))


def test_a_window_moves_within_its_memory():
    window = Source().window
    places = set()
    for first in range(0, DEPTH - 8, 4):
        places.add(window.planes(first, first + 8).__array_interface__["data"][0])
    assert len(places) <= 2  # what was made first, and may be its maker's


@pytest.mark.parametrize(("depth", "count"), [(400, 2), (37, 5), (5, 3), (160, 10)])
def test_runs_cover_everything_and_begin_where_chunks_do(depth, count):
    cut = runs(depth, count)
    assert cut[0].first == 0
    assert cut[-1].stop == depth
    assert all(a.stop == b.first for a, b in pairwise(cut))
    assert all(run.first % 16 == 0 for run in cut)
    assert len(cut) <= count
