"""The volume without its noise: for display, whatever part of it is read."""

from types import SimpleNamespace

import numpy as np
import pytest

from xct.segment import denoised


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(0)
    true = np.full((70, 30, 32), 5.0, np.float32)
    true[:, :, 16:] = 20.0
    seen = (true + rng.normal(0, 1, true.shape)).astype(np.float32)
    seen[40, 3, 5] = np.nan
    return true, seen, SimpleNamespace(noise_per_cm=np.array([np.nan, 1.0, 1.0]))


def test_noise_goes_and_edges_stay(noisy):
    _, seen, reference = noisy
    smooth = denoised(seen, reference)[:]
    flat = np.s_[5:35, 5:25, 3:13]
    assert smooth[flat].std() < 0.4 * seen[flat].std()
    step = smooth[5:35, 5:25, 17].mean() - smooth[5:35, 5:25, 14].mean()
    assert step > 0.95 * 15
    assert np.isnan(smooth[40, 3, 5])
    assert np.isfinite(smooth).sum() == smooth.size - 1


@pytest.mark.parametrize("part", [np.s_[0:7], np.s_[30:44], np.s_[69], np.s_[10:60:9, 4:9, ::3]])
def test_a_part_is_that_of_the_whole(noisy, part):
    _, seen, reference = noisy
    found = denoised(seen, reference)
    np.testing.assert_array_equal(found[part], found[:][part])
    assert found.shape == seen.shape
