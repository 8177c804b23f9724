"""The block bootstrap: its standard deviation is the scatter, its interval holds the truth."""

import numpy as np
import pytest

from xct.statistics.bootstrap import LEVEL, interval, median_sd, resample

GREY = np.linspace(-5.9, 5.9, 60)


def mean_of(histograms):
    return histograms @ GREY / histograms.sum(axis=-1)


def test_the_standard_deviation_is_the_scatter_where_voxels_of_a_block_are_alike():
    z, held = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        values = rng.normal(rng.normal(0, 0.5, (60, 1)), 1, (60, 50))  # a block shares its offset
        blocks = np.stack([np.histogram(row, GREY.size, (-6, 6))[0] for row in values])
        found = interval(float(mean_of(blocks.sum(axis=0))), mean_of(resample(blocks, 200, rng)))
        z.append(found.value / found.sd)
        held.append(found.low < 0 < found.high)
    assert np.std(z) == pytest.approx(1, abs=0.2)
    assert np.mean(held) == pytest.approx(LEVEL, abs=0.05)


def test_what_could_not_be_drawn_is_left_out_and_too_little_gives_no_interval():
    assert interval(1.0, np.array([0.0, 2.0, np.nan])).sd == pytest.approx(np.sqrt(2))
    assert np.isnan(interval(1.0, np.array([0.0, np.nan, np.nan, np.nan])).sd)


@pytest.mark.parametrize("count", [15, 120, 1001])
@pytest.mark.parametrize("drawn", ["normal", "lognormal", "rounded"])
def test_the_median_scatters_over_samples_as_its_standard_deviation_says(count, drawn):
    rng = np.random.default_rng(7)
    values = rng.standard_normal((400, count))
    truth = 0.0
    if drawn == "lognormal":
        values, truth = np.exp(values), 1.0
    if drawn == "rounded":
        values = np.round(values, 1)
    sd = np.array([median_sd(sample) for sample in values])
    z = (np.median(values, axis=1) - truth) / sd
    assert z.std() == pytest.approx(1, abs=0.15)
    assert abs(z.mean()) < 0.25


def test_one_value_has_no_standard_deviation_of_its_median():
    assert np.isnan(median_sd(np.array([3.0, np.nan])))
