"""measure_stripes and auto: what is picked fits the stripes, and is never worse than the noise."""

import numpy as np
import pytest
from scipy.io import loadmat

from tests.preprocess.test_bad_columns import NOISE, SAMPLES, SEEDS, sinogram, usual_sample
from xct.preprocess import measure_stripes, stripes
from xct.stages import STAGES


def auto(values):
    return stripes(np.asarray(values, np.float32)[:, None], method="auto")[:, 0]


def slab(values, rows=3):
    return np.repeat(np.asarray(values, np.float32)[:, None], rows, axis=1)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("noise", [NOISE, 0.1])
def test_without_stripes_auto_changes_less_than_the_noise(sample, noise):
    _, values = sinogram(SAMPLES[sample], 24, noise)
    assert np.std(auto(values) - values) < 0.35 * noise


@pytest.mark.parametrize("sample", ["discs", "particles"])
def test_without_stripes_none_are_measured(sample):
    _, values = sinogram(SAMPLES[sample], 25)
    found = measure_stripes(slab(values, 1))
    assert found.way in ("none", "profile")
    assert found.left_sd <= 0.5 * found.noise_sd


@pytest.mark.parametrize("seed", SEEDS)
def test_stripes_of_known_height_are_measured_and_go(seed):
    _, values = sinogram(usual_sample(seed), seed)
    rng = np.random.default_rng(seed)
    added = np.where(rng.random(values.shape[1]) < 0.1, rng.normal(0, 0.1, values.shape[1]), 0)
    found = measure_stripes(slab(values + added))
    assert found.way == "profile"
    assert found.stripes_sd == pytest.approx(np.std(added), rel=0.3)
    assert found.left_sd < 0.4 * found.stripes_sd
    assert NOISE < found.noise_sd < 2 * NOISE  # with what stripes and sample add
    left = (auto(values + added) - auto(values)).mean(axis=0)
    assert np.std(left) < 0.35 * np.std(added)


def test_where_noise_hides_the_stripes_of_real_data_both_ways_are_picked(test_data):
    file = loadmat(test_data("dls_dendrite_sino/RealDataDend.mat"))
    found = measure_stripes(file["sinoRD"].T[:, None].astype(np.float32) / 1000)
    assert found.way == "both"
    assert found.left_sd < 0.3 * found.stripes_sd < found.noise_sd


def test_what_was_picked_for_the_scan_is_done_in_every_row():
    _, values = sinogram(usual_sample(20))
    rows = slab(values + np.where(np.arange(values.shape[1]) % 40 == 7, 0.05, 0))
    for way in ("profile", "both"):
        np.testing.assert_array_equal(stripes(rows, way, method="auto"), stripes(rows, method=way))
    np.testing.assert_array_equal(stripes(rows, "none", method="auto"), rows)
    np.testing.assert_array_equal(stripes(rows, "none", method="profile"), stripes(rows))


def test_the_summary_says_what_was_picked_and_what_is_left():
    _, values = sinogram(usual_sample(20))
    stage = STAGES["measure_stripes"]
    entry = stage.estimate(measure_stripes(slab(values)), 3).entry()
    assert entry["value"] in ("none", "profile", "both")
    assert entry["n"] == 3
    assert {"stripes_sd", "left_sd", "noise_sd"} < set(entry)
