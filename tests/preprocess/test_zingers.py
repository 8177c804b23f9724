"""outliers: zingers go, the sample and every other value stay bit by bit."""

import numpy as np
import pytest

from xct.preprocess import outliers


def noisy(rows=24, columns=30, frames=3, sd=0.01, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(0.6, sd, (frames, rows, columns)).astype(np.float32)


CLUSTERS = {
    "one": [(10, 10)],
    "two": [(10, 10), (10, 11)],
    "three in a row": [(10, 10), (11, 10), (12, 10)],
    "three in a corner": [(10, 10), (10, 11), (11, 10)],
    "in the corner of the frame": [(0, 0)],
    "at the edge": [(0, 12), (1, 12)],
    "last row and column": [(23, 29)],
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS.keys())
@pytest.mark.parametrize("height", [1.5, -0.5])
def test_zingers_become_like_their_neighborhood(cluster, height):
    clean = noisy()
    hit = clean.copy()
    for row, column in cluster:
        hit[1, row, column] += height
    answer = outliers(hit)
    changed = answer != hit
    assert set(zip(*np.nonzero(changed[1]), strict=True)) == set(cluster)
    assert not changed[[0, 2]].any()
    np.testing.assert_allclose(answer[changed], 0.6, atol=0.04)


def test_clusters_of_pixels_of_different_heights_go():
    hit = noisy()
    hit[0, 8, 8:11] = 5.0, 1.4, 0.9
    answer = outliers(hit)
    np.testing.assert_allclose(answer[0, 8, 8:11], 0.6, atol=0.04)


@pytest.mark.parametrize(("kind", "gone"), [("bright", [True, False]), ("dark", [False, True])])
def test_only_the_kind_that_was_asked_for_goes(kind, gone):
    hit = noisy()
    hit[0, 5, 5], hit[0, 15, 15] = 2.0, -1.0
    answer = outliers(hit, kind=kind)
    assert [answer[0, 5, 5] != 2.0, answer[0, 15, 15] != -1.0] == gone


@pytest.mark.parametrize(
    "shape",
    [np.s_[:, 8:, :12], np.s_[:, :, 13], np.s_[:, 7, :], np.s_[:, 5:8, 5:8]],
    ids=["corner", "column of one pixel", "row of one pixel", "particle"],
)
@pytest.mark.parametrize("value", [0.1, 1.1])
def test_edges_corners_and_lines_of_the_sample_stay(shape, value):
    sample = noisy()
    sample[shape] += np.float32(value - 0.6)
    np.testing.assert_array_equal(outliers(sample), sample)


def test_below_the_threshold_nothing_is_an_outlier():
    hit = noisy(sd=0.0)
    hit[0, 10, 10] += 0.09
    np.testing.assert_array_equal(outliers(hit, threshold=0.1), hit)
    assert outliers(hit, threshold=0.08)[0, 10, 10] == np.float32(0.6)


def test_nan_is_left_alone_and_does_not_hide_a_zinger():
    hit = noisy()
    hit[0, 9, 9:12] = np.nan
    hit[0, 10, 10] = 3.0
    answer = outliers(hit)
    np.testing.assert_array_equal(np.isnan(answer), np.isnan(hit))
    assert answer[0, 10, 10] == pytest.approx(0.6, abs=0.04)
    assert np.count_nonzero(answer[np.isfinite(hit)] != hit[np.isfinite(hit)]) == 1


def test_noise_well_below_the_threshold_is_no_zinger():
    frames = noisy(200, 200, 5, sd=0.02)
    assert np.count_nonzero(outliers(frames) != frames) <= 2e-5 * frames.size
