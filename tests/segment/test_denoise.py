import numpy as np
import pytest

from xct.segment.denoise import denoise, gaussian, overlap_rows, sharpen, sharpen_rows

METHODS = ["none", "gaussian", "bilateral", "non_local_means", "total_variation"]
SIGMA = (0.6, 0.6, 0.6)


@pytest.fixture(scope="module")
def step():
    truth = np.zeros((60, 12, 16), np.float32)
    truth[:, :, 8:] = 10
    noise = np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    return truth, truth + noise


@pytest.mark.parametrize("method", METHODS)
def test_cutting_does_not_change_a_voxel(step, method):
    whole = denoise(step[1], method, noise=1.0)
    reach = overlap_rows(method)
    cut = denoise(step[1][28 - reach : 33 + reach], method, noise=1.0)
    np.testing.assert_array_equal(cut[reach : len(cut) - reach], whole[28:33])


@pytest.mark.parametrize("method", METHODS[1:])
def test_noise_becomes_less_and_the_level_stays(step, method):
    smooth = denoise(step[1], method, noise=1.0)[5:-5, 2:-2, 2:5]
    raw = step[1][5:-5, 2:-2, 2:5]
    assert smooth.std() < 0.5 * raw.std()
    assert smooth.mean() == pytest.approx(raw.mean(), abs=0.1)


@pytest.mark.parametrize("method", ["bilateral", "non_local_means", "total_variation"])
def test_edges_stay_sharper_than_with_a_gaussian(step, method):
    truth, noisy = step
    beside = np.s_[:, :, 7:9]
    error = np.abs(denoise(noisy, method, noise=1.0) - truth)[beside].mean()
    assert error < 0.7 * np.abs(denoise(noisy, "gaussian", noise=1.0) - truth)[beside].mean()


def test_sharpening_brings_a_blurred_ball_back_and_depends_on_no_cut():
    z, y, x = np.indices((60, 17, 17))
    ball = (10.0 * (np.hypot(np.hypot(z - 30, y - 8), x - 8) <= 2.5)).astype(np.float32)
    blurred = gaussian(ball, SIGMA)
    sharp = sharpen(blurred, SIGMA, rounds=3, top=10)
    assert np.abs(sharp - ball).sum() < 0.75 * np.abs(blurred - ball).sum()
    assert sharp.max() <= 10
    reach = sharpen_rows(SIGMA, 3)
    cut = sharpen(blurred[28 - reach : 33 + reach], SIGMA, rounds=3, top=10)
    np.testing.assert_array_equal(cut[reach : len(cut) - reach], sharp[28:33])
