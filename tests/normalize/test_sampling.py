"""Samples of a volume: what is read of it."""

from xct.normalize.sampling import thin_group


def test_wide_slices_are_taken_from_the_middle_of_a_group():
    assert thin_group(40, 48, 512) == (40, 48)
    assert thin_group(40, 48, 1280) == (42, 46)
    assert thin_group(40, 48, 2560) == (43, 45)
    assert thin_group(40, 43, 2560) == (41, 42)
