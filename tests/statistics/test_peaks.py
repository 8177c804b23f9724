"""Peaks of samples: their position in spite of tails, and how sure it is."""

import numpy as np
import pytest

from xct.statistics.peaks import half_sample_mode, mean_about, sample_peak


def test_the_half_sample_mode_of_a_handful_is_found_by_hand():
    # Halves of 7 are 4 values: 2, 2.1, 2.2, 2.4 is the narrowest; then 2, 2.1; their mean.
    assert half_sample_mode(np.array([0.0, 2.0, 2.1, 2.2, 2.4, 5.0, 9.0])) == pytest.approx(2.05)


def test_a_tail_does_not_move_the_peak():
    rng = np.random.default_rng(0)
    sample = np.concatenate([rng.normal(5.0, 0.2, 4000), rng.uniform(0, 5, 800)])
    peak = sample_peak(sample)
    assert peak.position == pytest.approx(5.0, abs=0.02)
    assert peak.width == pytest.approx(0.2, rel=0.1)
    assert sample.mean() < 4.7


@pytest.mark.parametrize("n", [60, 1500])
def test_the_standard_deviation_is_the_scatter(n):
    peaks = [sample_peak(np.random.default_rng(k).normal(5, 0.3, n)) for k in range(100)]
    z = np.array([(p.position - 5) / p.sd for p in peaks])
    assert 0.65 < z.std() < 1.5


def test_equal_values_and_too_few():
    assert sample_peak(np.full(50, 3.0)).position == 3.0
    with pytest.raises(ValueError, match="at least 30 values; there are 12"):
        sample_peak(np.arange(12.0))


def test_the_mean_about_a_peak_is_surer_than_its_top_and_as_sure_as_stated():
    z, error, of_top = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sample = np.concatenate([rng.normal(5, 0.2, 400), rng.uniform(0, 4, 20)])
        top = sample_peak(sample, seed=seed)
        mean = mean_about(sample, top)
        of_top.append(top.position - 5)
        error.append(mean.position - 5)
        z.append(error[-1] / mean.sd)
    assert np.std(error) < 0.6 * np.std(of_top)
    assert abs(np.mean(error)) < 0.005
    assert 0.7 < np.std(z) < 1.4


def test_a_sample_without_a_width_keeps_its_value():
    assert mean_about(np.full(50, 3.0), sample_peak(np.full(50, 3.0))).position == 3.0
