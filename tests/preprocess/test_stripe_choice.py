"""measure_stripes and auto: what is picked fits the stripes, and is never worse than the noise."""

import numpy as np
import pytest
from scipy.io import loadmat

from tests.preprocess.test_bad_columns import (
    CENTER_PX,
    COLUMNS,
    NOISE,
    SAMPLES,
    SEEDS,
    SHELLS,
    sinogram,
    usual_sample,
)
from xct.bench.stripes.ring_energy import edge_change, ring_reduction
from xct.bench.stripes.sinograms import read_real
from xct.preprocess import measure_stripes, stripes
from xct.preprocess.stripe_choice import Taken, Weighed, choose, mirrored_part
from xct.reconstruct import fbp
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


@pytest.mark.parametrize("turn", [180, 360])
@pytest.mark.parametrize("sample", [*SAMPLES, "shells"])
def test_with_hardly_any_noise_auto_still_changes_less(sample, turn):
    noise = 1e-3
    discs = SHELLS if sample == "shells" else SAMPLES[sample]
    _, values = sinogram(discs, 26, noise, turn=turn)
    assert np.std(auto(values) - values) < noise


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
    assert found.way in ("profile", "weak")
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


def test_weak_rings_of_the_tooth_go_and_its_edges_stay(test_data):
    test_data("aps_tooth/tooth.h5")
    tooth = read_real(test_data("aps_tooth").parent)["aps_tooth"]
    slab = tooth.sinogram[:, None]
    assert measure_stripes(slab).way == "weak"
    before, after = (
        fbp(values, tooth.theta_deg, tooth.center_px, pixel_size_um=1e4)[0]
        for values in (slab, stripes(slab, method="auto"))
    )
    # algotom's remove_all_stripe: 3.34 times weaker, and edges 2.7 % less steep.
    assert ring_reduction(before, after, tooth.radius_px) > 3.34
    assert abs(edge_change(before, after, tooth.radius_px)) < 0.005


def test_what_is_mirrored_about_the_axis_is_told_from_stripes():
    rng = np.random.default_rng(0)
    column = np.arange(COLUMNS)
    stripe = rng.normal(size=COLUMNS)
    other = np.rint(2 * CENTER_PX - column).astype(int)
    there = (other >= 0) & (other < COLUMNS)
    sample = np.where(there, stripe + stripe.take(other, mode="clip"), 0)
    near = COLUMNS // 16
    kept = np.abs(column - CENTER_PX) > near
    expected = np.sum(sample[kept] ** 2) / np.sum(sample**2)
    assert mirrored_part(sample, sample, CENTER_PX) == pytest.approx(expected, rel=0.02)
    assert mirrored_part(stripe, stripe, CENTER_PX) < 0.3
    assert mirrored_part(sample, sample, np.nan) == 0
    # Shells about an axis a little beside the middle: each part fits at another place.
    shifted = np.where(column > CENTER_PX, np.roll(sample, 3 * (column[-1] > 0)), sample)
    shifted[column > CENTER_PX + 90] = np.roll(sample, -4)[column > CENTER_PX + 90]
    assert mirrored_part(shifted, shifted, CENTER_PX) > 0.5


def test_a_wide_stripe_is_no_mirror_image_of_what_is_weak():
    rng = np.random.default_rng(1)
    stripe = rng.normal(0, 0.01, COLUMNS)
    stripe[100:128] += 1
    assert mirrored_part(stripe, np.abs(stripe), CENTER_PX) < 0.1


def weighed(profile, weak, both=1.0, change=1.0, noise=1.0):
    """Squares, mistaken, mirrored and left of two ways; of sorting what is left and changed."""
    return Weighed(Taken(*profile), Taken(*weak), 4.0, both, 9.0, change, noise)


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (weighed((1, 0.01, 0, 3), (2, 0.1, 0, 2), both=3), "weak"),
        (weighed((1, 0.01, 0, 3), (2, 0.9, 0, 2), both=3), "profile"),  # weak takes the sample
        (weighed((1, 0.2, 0, 3), (2, 0.9, 0, 2), both=3), "none"),  # so do both
        (weighed((1, 0.01, 0.6, 3), (2, 0.1, 0.6, 2), both=3), "none"),  # mirrored
        (weighed((1, 0.01, 0, 3), (2, 0.1, 0, 2), change=0.5, noise=10.0), "both"),
        (weighed((1, 0.2, 0, 3), (2, 0.9, 0, 2), change=0.5, noise=10.0), "none"),
    ],
)
def test_a_way_is_picked_where_it_takes_off_more_than_by_mistake(found, way):
    picked = choose([found])
    assert picked.way == way
    left = {"none": 4, "profile": 3, "weak": 2, "both": 1}[way]
    assert picked.left_sd == pytest.approx(np.sqrt(left))


def test_one_layer_that_would_lose_its_detail_decides_for_the_whole_scan():
    plain = weighed((1, 0.01, 0, 3), (2, 0.1, 0, 2), both=3)
    dense = weighed((2, 0.04, 0, 3), (4, 3.0, 0, 2), both=3, noise=10.0)  # 0.3 of the noise
    assert choose([plain, plain, plain]).way == "weak"
    assert choose([plain, plain, dense]).way == "profile"
    noisy = weighed((2, 0.04, 0, 3), (4, 3.0, 0, 2), both=3, noise=100.0)
    assert choose([plain, plain, noisy]).way == "weak"
    many = weighed((2, 0.04, 0, 3), (4, 15.0, 0, 2), both=3, noise=80.0)  # loses more than it gains
    hardly = weighed((1, 0.01, 0, 3), (2, 0.1, 0, 2), both=3, noise=20.0)
    assert choose([hardly, hardly, hardly, many]).way == "profile"


def test_what_was_picked_for_the_scan_is_done_in_every_row():
    _, values = sinogram(usual_sample(20))
    rows = slab(values + np.where(np.arange(values.shape[1]) % 40 == 7, 0.05, 0))
    for way in ("profile", "weak", "both"):
        np.testing.assert_array_equal(stripes(rows, way, method="auto"), stripes(rows, method=way))
    np.testing.assert_array_equal(stripes(rows, "none", method="auto"), rows)
    np.testing.assert_array_equal(stripes(rows, "none", method="profile"), stripes(rows))


def test_the_summary_says_what_was_picked_and_what_is_left():
    _, values = sinogram(usual_sample(20))
    stage = STAGES["measure_stripes"]
    entry = stage.estimate(measure_stripes(slab(values)), 3).entry()
    assert entry["value"] in ("none", "profile", "weak", "both")
    assert entry["n"] == 3
    assert {"stripes_sd", "left_sd", "noise_sd"} < set(entry)
