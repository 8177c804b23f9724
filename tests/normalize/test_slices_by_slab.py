"""Slices that are looked at lie in few slabs."""

import pytest

from xct.normalize.sampling import slices_by_slab


@pytest.mark.parametrize(("first", "last"), [(3, 3), (3, 30), (13, 61), (41, 300)])
def test_slices_are_spread_over_the_range_and_read_slab_by_slab(first, last):
    groups = slices_by_slab(first, last, 12)
    every = [z for group in groups for z in group]
    assert every == sorted(set(every))
    assert first <= every[0]
    assert every[-1] <= last
    assert len(every) == min(12, last - first + 1)
    for group in groups:
        assert group[0] // 8 == group[-1] // 8
    if last - first > 48:
        assert len(groups) == 6
    else:
        assert every[0] == first
        assert every[-1] - every[0] > 0.8 * (last - first) - 8
