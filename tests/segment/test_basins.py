from itertools import pairwise

import cc3d
import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.feature import peak_local_max
from skimage.measure import label
from skimage.morphology import h_maxima

from xct.segment.particle.watershed import Basins, groups, merge

SHAPE = (40, 32, 28)


@pytest.fixture(scope="module")
def heights():
    field = gaussian_filter(np.random.default_rng(0).random(SHAPE).astype(np.float32), 2)
    whole = np.rint((field - field.min()) / np.ptp(field) * 800).astype(np.uint16)
    whole[whole < 300] = 0
    return whole


def parted(heights, rows):
    basins, trees = Basins(), []
    for first in range(0, len(heights), rows):
        stop = min(first + rows, len(heights))
        before, after = int(first > 0), int(stop < len(heights))
        trees.append(basins.add(heights[first - before : stop + after], before, after, first))
    graph = basins.graph()
    return graph, graph.number[np.concatenate(trees)]


@pytest.mark.parametrize("rows", [1, 7, 16])
def test_basins_saddles_and_peaks_do_not_depend_on_the_cut(heights, rows):
    whole, truth = parted(heights, len(heights))
    graph, basin = parted(heights, rows)
    np.testing.assert_array_equal(basin, truth)
    for name in ("peak", "first", "second", "saddle"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(whole, name))


@pytest.mark.parametrize("rise", [1, 20, 60])
def test_basins_that_are_left_are_the_h_maxima_of_scikit_image(heights, rise):
    graph, _ = parted(heights, 16)
    expected = label(h_maxima(heights, rise)).max()
    assert merge(graph, rise).max() == expected


def test_every_basin_holds_its_peak(heights):
    graph, basin = parted(heights, 16)
    peaks = peak_local_max(heights, min_distance=1, exclude_border=False)
    assert len(np.unique(basin[tuple(peaks.T)])) == len(graph.peak) - 1


def test_groups_are_the_connected_components(heights):
    graph, basin = parted(heights, 16)
    truth, count = cc3d.connected_components(heights > 0, connectivity=26, return_N=True)
    group = groups(graph)[basin]
    assert group.max() == count
    assert len(np.unique(np.stack([group[heights > 0], truth[heights > 0]]), axis=1).T) == count


def test_two_touching_balls_are_parted_at_their_neck():
    z, y, x = np.indices((21, 21, 41))
    left, right = (np.hypot(np.hypot(z - 10, y - 10), x - c) for c in (12, 27))
    height = np.maximum(np.maximum(9 - left, 9 - right), 0)
    graph, basin = parted(np.rint(100 * height).astype(np.uint16), 6)
    number = merge(graph, 50)[basin]
    assert number.max() == 2
    np.testing.assert_array_equal(number[10, 10, 4:19], number[10, 10, 12])
    np.testing.assert_array_equal(number[10, 10, 21:35], number[10, 10, 27])
    assert merge(graph, 800).max() == 1


def test_pieces_of_a_real_cathode_are_those_of_connected_components_3d(test_data):
    mask = tifffile.imread(test_data("nmc_binary_volume") / "NMC_lr_input.tif") > 0
    assert mask.mean() == pytest.approx(0.4203, abs=1e-4)
    graph, basin = parted(mask.astype(np.uint16), 48)
    truth, count = cc3d.connected_components(mask, connectivity=26, return_N=True)
    group = groups(graph)[basin]
    assert group.max() == count
    np.testing.assert_array_equal(np.sort(np.bincount(group.ravel())[1:]),
                                  np.sort(np.bincount(truth.ravel())[1:]))  # fmt: skip


@pytest.mark.parametrize("runs", [(0, 16, 40), (0, 7, 8, 40)])
def test_basins_of_runs_that_are_appended_are_those_of_the_whole(heights, runs):
    whole, truth = parted(heights, len(heights))
    basins, trees = Basins(), []
    for start, end in pairwise(runs):
        part, local = Basins(), []
        for first in range(start, end, 5):
            stop = min(first + 5, end)
            before, after = int(first > 0), int(stop < len(heights))
            local.append(part.add(heights[first - before : stop + after], before, after, first))
        offset = basins.append(part)
        trees += [np.where(tree > 0, tree + offset, 0) for tree in local]
    graph = basins.graph()
    np.testing.assert_array_equal(graph.number[np.concatenate(trees)], truth)
    for name in ("peak", "first", "second", "saddle"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(whole, name))
