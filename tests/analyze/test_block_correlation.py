"""Clusters wider than a block: ROIs of one random packing are alike, however it clusters."""

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts, count_rois
from xct.analyze.roi.homogeneity_test import homogeneity, variance_factors
from xct.analyze.roi.shapes import BoxRoi
from xct.analyze.roi.tables import statistics_table
from xct.geometry import CellGeometry

BINS = GreyBins(10_000, 60_000, 200)
SHAPE, LARGE = (32, 96, 96), (96, 160, 160)
CELL = CellGeometry(SHAPE, (2.0,) * 3, 95.0, 95.0, bore_radius_um=95.0)
QUARTERS = [
    BoxRoi(f"C-{2 * j + k + 1}", None, (-1, 63), (96 * j - 96, 96 * j), (96 * k - 96, 96 * k))
    for j in range(2)
    for k in range(2)
]


@lru_cache(maxsize=16)
def packing(seed, clusters=2500.0):
    # Its clusters' correlation falls as exp(-distance / 35 µm), 17.5 voxels.
    rng = np.random.default_rng(seed)
    waves = np.sum(np.square(np.meshgrid(*map(np.fft.fftfreq, LARGE), indexing="ij")), axis=0)
    power = (1 + (2 * np.pi * 17.5) ** 2 * waves) ** -2
    power *= power.size / power.sum()
    wide = np.fft.ifftn(np.fft.fftn(rng.normal(size=LARGE)) * np.sqrt(power)).real
    wide = wide[:32, :96, :96]
    fine = rng.normal(0, 2500, SHAPE)
    return (28_000 + fine + clusters * wide).astype(np.float32)


@lru_cache(maxsize=16)
def counted_packing(seed):
    return counted(packing(seed))


def counted(volume):
    return count_rois(volume, CELL, QUARTERS, BINS)


def test_regions_of_one_clustered_packing_are_alike_as_often_as_chance_says():
    rows = [homogeneity(counted_packing(s), BINS, draws=99).iloc[0] for s in range(16)]
    p = np.array([row.p_value for row in rows])
    assert (p < 0.05).mean() <= 0.15
    assert 0.25 < np.median(p) < 0.75


def test_the_factor_is_that_by_which_means_of_regions_scatter_more():
    rng = np.random.default_rng(0)
    found, between, within = [], [], []
    for seed in range(16):
        rois = counted_packing(seed)
        found.append(variance_factors(rois, rng, draws=2)[0])
        blocks = [each.blocks @ BINS.grey_value / each.blocks.sum(axis=1) for each in rois]
        between += [np.mean(each) - 28_000 for each in blocks]
        within.append(np.concatenate(blocks).var(ddof=1) / len(blocks[0]))
    assert np.mean(found) == pytest.approx(np.mean(np.square(between)) / np.mean(within), rel=0.4)
    assert np.mean(found) > 2


def test_blocks_that_share_nothing_count_each():
    rng = np.random.default_rng(0)
    found = [variance_factors(counted(packing(s, 0.0)), rng, draws=50) for s in range(5)]
    assert np.median([factor for factor, _ in found]) < 2
    assert all(drawn.shape == (50,) and (drawn >= 1).all() for _, drawn in found)


def test_a_trend_with_depth_that_all_share_is_no_cluster():
    flat = packing(2, 0.0)
    leaning = flat + np.arange(-16, 16, dtype=np.float32)[:, None, None] * 200
    plain, _ = variance_factors(counted(flat), np.random.default_rng(0), draws=2)
    factor, _ = variance_factors(counted(leaning), np.random.default_rng(0), draws=2)
    assert factor <= plain


def test_a_region_of_another_material_is_found_though_the_packing_clusters():
    volume = packing(3).copy()
    volume[:, :48, :48] -= 6000
    row = homogeneity(counted(volume), BINS, draws=199).iloc[0]
    assert row.p_value < 0.05
    assert abs(row.largest_difference - 6000) < 2 * row.largest_difference_sd


def test_places_are_the_middles_of_blocks():
    (roi,) = count_rois(packing(0), CELL, QUARTERS[:1], BINS, block_um=32)
    weight = roi.blocks.sum(axis=1)
    assert roi.places_um.shape == (len(roi.blocks), 3)
    # Together the blocks are the box, whose middle is (n - 1) / 2 voxels from its first.
    np.testing.assert_allclose(weight @ roi.places_um / weight.sum(), [31, 47, 47], atol=1e-9)


def test_one_block_knows_nothing_of_clusters():
    one = RoiCounts("C-1", np.ones((1, BINS.count), np.int32), np.zeros((1, 3)), 0, 1.0, (0, 0, 0))
    factor, drawn = variance_factors([one, one], np.random.default_rng(0), draws=4)
    assert factor == 1
    assert drawn.tolist() == [1, 1, 1, 1]


def test_intervals_of_regions_hold_the_mean_of_the_packing():
    tables = [
        statistics_table(counted_packing(s), BINS, resamples=50, mixture=False) for s in range(16)
    ]
    table = pd.concat(tables)
    off, sd = (table["mean"] - 28_000).abs(), 1.96 * table["mean_sd"]
    assert (off < sd / np.sqrt(table["variance_factor"])).mean() < 0.5
    assert (off < sd).mean() > 0.75
