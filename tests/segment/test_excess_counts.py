"""Quantiles of counts, against those of the values themselves."""

import numpy as np
import pytest

from xct.segment.surface.excess import ExcessCounts

VALUES = np.random.default_rng(0).normal(17.0, 3.0, 40_001)
BIN = 5.0 / 2000


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_a_quantile_is_right_within_a_bin(fraction):
    counts = ExcessCounts.of(VALUES, 5.0)
    assert counts.quantile(fraction) == pytest.approx(np.quantile(VALUES, fraction), abs=BIN)


def test_a_quantile_above_a_value_leaves_out_the_rest():
    expected = np.quantile(VALUES[VALUES > 18.0], 0.9)
    found = ExcessCounts.of(VALUES, 5.0).quantile(0.9, above=18.0)
    assert found == pytest.approx(expected, abs=3 * BIN)


def test_counts_of_parts_add_up_to_those_of_the_whole():
    whole = ExcessCounts.of(VALUES, 5.0)
    parts = ExcessCounts.of(VALUES[:7], 5.0).plus(ExcessCounts.of(VALUES[7:], 5.0))
    assert parts.quantile(0.5) == whole.quantile(0.5)


def test_there_is_no_quantile_of_nothing():
    assert np.isnan(ExcessCounts.of(np.array([np.nan]), 5.0).quantile(0.5))
    assert np.isnan(ExcessCounts.of(VALUES, 5.0).quantile(0.5, above=1e6))
