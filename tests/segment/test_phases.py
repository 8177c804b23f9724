"""Phases of stacks without a cell: drawn ones come back; of real ones it is said what is unsure."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu

from xct.segment.material.phase_levels import find_levels
from xct.segment.material.phases import phases, phases_in_slabs

SIZE = (1.0, 0.5, 0.5)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def drawn(seed, noise=0.1, shape=(32, 60, 60), levels=(0.0, 0.45, 1.0)):
    """Bright spheres and a few small voids in a matrix, blurred and noisy."""
    rng = np.random.default_rng(seed)
    places = np.indices(shape)
    truth = np.full(shape, 2, np.uint8)
    for code, count, low, high in ((3, 14, 4, 10), (1, 16, 2.5, 4)):
        for _ in range(count):
            center = rng.uniform(0, shape)[:, None, None, None]
            truth[((places - center) ** 2).sum(axis=0) < rng.uniform(low, high) ** 2] = code
    grey = np.array([0, *levels], np.float32)[truth]
    noisy = gaussian_filter(grey, 0.9) + noise * rng.normal(size=shape)
    return noisy.astype(np.float32), truth


@pytest.mark.parametrize("noise", [0.05, 0.15])
@pytest.mark.parametrize("seed", [11, 12])
def test_three_phases_of_which_one_is_rare_come_back(seed, noise):
    volume, truth = drawn(seed, noise)
    labels, table = phases(volume, SIZE)
    plain = np.digitize(volume, threshold_multiotsu(volume, 3)) + 1
    for code, least in ((1, 0.8), (2, 0.97), (3, 0.95)):
        found = dice(labels == code, truth == code)
        assert found > max(least, dice(plain == code, truth == code))
    fractions = np.bincount(truth.ravel(), minlength=4)[1:] / truth.size
    np.testing.assert_allclose(table["volume_fraction"], fractions, atol=0.02)
    np.testing.assert_allclose(table["level"], (0, 0.45, 1), atol=0.12)
    assert table["volume_um3"].sum() == pytest.approx(truth.size / 4)


def test_edges_are_no_phase_of_their_own():
    """Two blurred spheres in a dark background, and slabs of a third phase far from them."""
    volume, truth = drawn(3, 0.03, levels=(0.0, 0.0, 1.0))
    volume[:, :6] += 0.5 - volume[:, :6]
    volume[:, :6] += 0.03 * np.random.default_rng(0).normal(size=volume[:, :6].shape)
    labels, _ = phases(volume, SIZE)
    assert dice(labels[:, 10:] == 3, truth[:, 10:] == 3) > 0.95
    assert (labels[:, 10:] == 2).mean() < 0.01
    assert (labels[:, :5] == 2).mean() > 0.99


@pytest.mark.parametrize("rows", [1, 7])
def test_slabs_do_not_change_the_answer(rows):
    volume, _ = drawn(5, shape=(40, 30, 30))
    whole, table = phases_in_slabs(volume, SIZE)
    parts, again = phases_in_slabs(volume, SIZE, rows=rows)
    np.testing.assert_array_equal(whole, parts)
    assert table.equals(again)


def test_images_of_a_series_are_smoothed_one_by_one():
    volume, truth = drawn(6, 0.2)
    series, _ = phases(volume, SIZE, frame_interval_s=1.0)
    alone, table = phases(volume[16:17], SIZE)
    assert dice(series == 3, truth == 3) > 0.9
    assert dice(alone[0] == 3, truth[16] == 3) > 0.9
    assert "area_um2" in table


def test_labels_stay_what_they_are():
    _, truth = drawn(0)
    labels, table = phases(truth - 1.0, SIZE, labelled=True)
    np.testing.assert_array_equal(labels, truth - 1)
    assert table["phase"].tolist() == [0, 1, 2]
    assert table["level"].isna().all()
    with pytest.raises(ValueError, match=r"hold 1\.5; labels are whole numbers"):
        phases(truth - 0.5, SIZE, labelled=True)


def test_missing_values_have_no_phase():
    volume, _ = drawn(7)
    volume[3, 5:9, 5:9] = np.nan
    labels, _ = phases(volume, SIZE)
    assert not labels[3, 5:9, 5:9].any()
    assert np.count_nonzero(labels == 0) == 16


def test_the_active_material_of_real_electrodes_is_found_and_what_is_unsure_is_said(test_data):
    folder = test_data("nmc_nanoct_labelled")
    for number in (200,):
        image = tifffile.imread(folder / f"{number}.tif").astype(np.float32)[None]
        truth = tifffile.imread(folder / f"{number}_label.tif") == 0
        with pytest.warns(UserWarning, match="hardly told apart by their grey values"):
            labels, _ = phases(image, SIZE)
        assert dice(labels[0] == 3, truth) > 0.93


def test_fewer_phases_than_asked_for_are_refused():
    values = np.repeat([1.0, 2.0], 500)
    with pytest.raises(ValueError, match=r"phases, not 4|do not fall into 4"):
        find_levels(values + 1e-3 * np.random.default_rng(0).normal(size=1000), 4)
    with pytest.raises(ValueError, match="no slice is whole"):
        phases(np.ones((4, 9, 9)), SIZE)
