"""Histograms: every voxel once, numbers with intervals that hold, the same however it is read."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.parallel.pickling import Pickling
from xct.analyze.grey_counts import GreyBins, count_slices
from xct.analyze.roi.counts import RoiCounts, count_labels, count_rois
from xct.analyze.roi.grey_statistics import Known, statistics_of, wasserstein
from xct.analyze.roi.homogeneity_test import homogeneity
from xct.analyze.roi.shapes import BoxRoi, SectorRoi, roi_from_box
from xct.analyze.roi.tables import histogram_table, statistics_table
from xct.geometry import CellGeometry
from xct.parallel.executors import executed_by
from xct.statistics.bootstrap import interval, resample
from xct.statistics.peaks import find_peak

BINS = GreyBins(10_000, 60_000, 500)
SHAPE = (48, 96, 96)
WHOLE = (slice(0, 48), slice(0, 96), slice(0, 96))


def cell_of(shape=SHAPE, voxel=2.0):
    _, y, x = shape
    axis_y, axis_x = ((n - 1) / 2 * voxel for n in (y, x))
    return CellGeometry(shape, (voxel,) * 3, axis_y, axis_x, bore_radius_um=min(y, x) * voxel / 2)


def noisy(seed, mean=22_100.0, sd=900.0, shape=SHAPE, correlated=1.0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), correlated)
    return (mean + sd * noise / noise.std()).astype(np.float32)


def test_every_voxel_is_counted_once_and_what_lies_beyond_too():
    volume = np.random.default_rng(0).uniform(0, 70_000, SHAPE).astype(np.float32)
    volume[3, 4, 5] = np.nan
    cell = cell_of()
    (counts,) = count_rois(volume, cell, [roi_from_box(cell, "all", WHOLE, None)], BINS)
    expected, _ = np.histogram(np.clip(volume, 10_001, 59_999), BINS.count, (10_000, 60_000))
    assert counts.total.sum() == volume.size - 1
    assert counts.missing == 1
    np.testing.assert_allclose(counts.total, expected, atol=2)
    table = histogram_table([counts], BINS)
    assert list(table.columns) == ["roi", "grey_value", "count"]
    assert table["grey_value"].iloc[[0, -1]].tolist() == [10_050, 59_950]


@pytest.mark.parametrize("rows", [1, 7, 48])
def test_the_answer_does_not_depend_on_how_it_is_read(rows):
    volume, cell = noisy(1), cell_of()
    rois = [
        BoxRoi("b", None, (9, 70), (-50, 31), (-20, 60)),
        SectorRoi("s", None, (5, 80), (9, 70)),
    ]
    volume[5, 40:50, 40:50] = np.nan
    whole = count_rois(volume, cell, rois, BINS)
    depth = count_slices(volume, cell, BINS)
    with executed_by(Pickling()):
        parts = count_rois(volume, cell, rois, BINS, rows=rows)
        again = count_slices(volume, cell, BINS, rows=rows)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.blocks, other.blocks)
        assert (one.missing, one.middle) == (other.missing, other.middle)
    assert whole[0].missing > 0
    np.testing.assert_array_equal(depth, again)


class Seen:
    """A volume that notes which slices are read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.read = values, values.shape, values.dtype, []

    def __getitem__(self, index):
        self.read.append((index[0].start, index[0].stop))
        return self.values[index]


def test_what_rois_share_is_read_once_and_their_labels_are_counted():
    cell = cell_of()
    rois = [
        BoxRoi("b", None, (9, 70), (-50, 31), (-20, 60)),
        SectorRoi("s", None, (36, 60), (9, 70)),
    ]
    regions = [roi.region(cell) for roi in rois]
    volume = Seen(noisy(3))
    count_rois(volume, cell, rois, BINS, rows=16)
    assert sorted(volume.read) == [(5, 16), (16, 32), (32, 35)]
    labels = Seen(np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8))
    for region, counts in zip(regions, count_labels(labels, regions, rows=16), strict=True):
        within = labels.values[region.slices][region.mask()]
        np.testing.assert_array_equal(counts, np.bincount(within, minlength=256))
    assert len(labels.read) == 3


def test_the_depth_histogram_holds_the_bore_slice_by_slice():
    volume, cell = np.zeros(SHAPE, np.float32), cell_of()
    volume += 20_000 + 100 * np.arange(48)[:, None, None]
    counts = count_slices(volume, cell, BINS, margin_um=10)
    inside = cell.in_bore(0, 10).sum()
    assert counts.dims == ("z_um", "grey_value")
    assert (counts.sum("grey_value") == inside).all()
    peak = counts.grey_value[counts.argmax("grey_value").values]
    np.testing.assert_allclose(peak, 20_050 + 50 * counts.z_um)


@pytest.mark.parametrize("tail", [0.0, 0.3])
def test_the_peak_is_found_whatever_the_tail(tail):
    rng = np.random.default_rng(2)
    values = rng.normal(22_100, 700, 100_000)
    far = rng.random(values.size) < tail
    values[far] += rng.exponential(8000, far.sum())
    counts, _ = np.histogram(values, BINS.count, (BINS.low, BINS.high))
    peak = find_peak(counts, BINS.grey_value)
    assert peak.position == pytest.approx(22_100, abs=40)
    assert peak.width == pytest.approx(700, rel=0.06)


def test_a_histogram_without_a_peak_has_no_width():
    assert np.isnan(find_peak(np.zeros(9), np.arange(9.0)).position)
    assert np.isnan(find_peak(np.array([0, 0, 5, 0, 0]), np.arange(5.0)).width)


def test_numbers_of_a_plain_histogram_are_those_of_its_values():
    volume, cell = noisy(3), cell_of()
    (counts,) = count_rois(volume, cell, [roi_from_box(cell, "E-1", WHOLE, None)], BINS)
    moved, _ = np.histogram(volume - 300, BINS.count, (BINS.low, BINS.high))
    row = statistics_of(counts, BINS, Known(22_500, 900, moved), resamples=16, seed=0)
    values = volume.astype(float)
    assert row["n"] == volume.size
    assert row["mean"] == pytest.approx(values.mean(), abs=1)
    assert row["sd"] == pytest.approx(900, rel=0.01)
    assert row["tail_fraction"] == pytest.approx((values < 22_500 - 2700).mean(), abs=2e-4)
    assert row["percentile_0_1"] == pytest.approx(np.quantile(values, 0.001), abs=20)
    assert row["percentile_99_9"] == pytest.approx(np.quantile(values, 0.999), abs=20)
    assert abs(row["skewness"]) < 0.03
    assert row["wasserstein"] == pytest.approx(300, abs=10)
    assert row["shift"] == pytest.approx(300, abs=10)
    assert (row["peak_low"], row["peak_high"]) < (row["peak_high"], 1e9)


def test_one_material_is_called_one_though_its_noise_is_correlated():
    cell = cell_of()
    (counts,) = count_rois(noisy(4), cell, [roi_from_box(cell, "E", WHOLE, None)], BINS)
    row = statistics_of(counts, BINS, None, resamples=16, seed=0)
    assert row["model"] == "one"
    assert row["model_a"] == pytest.approx(22_100, abs=40)
    table = statistics_table([counts], BINS, resamples=16)
    assert table["model"].tolist() == ["one"]


def test_intervals_hold_the_truth_though_noise_is_correlated():
    cell, held, naive = cell_of((32, 64, 64)), 0, 0
    box = roi_from_box(cell, "E", (slice(0, 32), slice(0, 64), slice(0, 64)), None)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        volume = 22_100 + 9000 * gaussian_filter(rng.normal(size=(32, 64, 64)), 1.5, mode="wrap")
        (counts,) = count_rois(volume, cell, [box], BINS, block_um=24)
        drawn = resample(counts.blocks, 100, rng)
        found = interval(float(volume.mean()), drawn @ BINS.grey_value / drawn.sum(axis=1))
        held += found.low <= 22_100 <= found.high
        naive += abs(volume.mean() - 22_100) <= 1.96 * volume.std() / np.sqrt(volume.size)
    assert held >= 34
    assert naive < 20


def test_rois_of_one_material_are_alike_and_of_two_are_not():
    cell, same = cell_of(), noisy(5)
    other = same.copy()
    other[:, 48:, 48:] += 300
    rois = [
        BoxRoi(f"C-{k + 1}", None, (0, 94), (-94 + 95 * (k // 2), 95 * (k // 2)),
               (-94 + 95 * (k % 2), 95 * (k % 2)))
        for k in range(4)
    ]  # fmt: skip
    rows = {}
    for name, volume in (("same", same), ("other", other)):
        table = homogeneity(count_rois(volume, cell, rois, BINS), BINS, draws=200)
        assert table["group"].tolist() == ["C"]
        rows[name] = table.iloc[0]
    assert rows["same"].p_value > 0.05
    assert rows["other"].p_value < 0.01
    assert rows["other"].largest_difference == pytest.approx(300, abs=60)
    assert rows["other"].largest_difference_sd < 40


def test_the_wasserstein_distance_is_the_way():
    one, far = np.zeros((1, 9)), np.zeros((1, 9))
    one[0, 2], far[0, 5], far[0, 7] = 4, 1, 1
    assert wasserstein(one, far, 100.0)[0] == pytest.approx(400)


def test_all_rois_out_of_view_are_named_at_once():
    rois = [BoxRoi(n, None, (900, 990), (0, 9), (0, 9)) for n in ("C-1", "C-2")]
    with pytest.raises(ValueError, match=r"C-1 lies outside(.|\n)*C-2 lies outside"):
        count_rois(noisy(0), cell_of(), rois, BINS)


@pytest.mark.parametrize("bins", [(5, 5, 100), (0, 9, 2), (0, float("nan"), 9)])
def test_bins_without_a_range_are_refused(bins):
    with pytest.raises(ValueError, match=r"empty|too few"):
        GreyBins(*bins)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.99])
def test_intervals_of_a_fraction_stay_between_0_and_1_and_hold_it(part):
    """Clusters wider than a block: intervals are widened fourfold."""
    bins, known = GreyBins(0, 100, 100), Known(80.0, 10.0)
    held = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        dark = rng.binomial(1000, rng.beta(part * 20, (1 - part) * 20, 40))
        blocks = np.zeros((40, 100), np.int64)
        blocks[:, 20], blocks[:, 79], blocks[:, 81] = dark, 500 - dark // 2, 500 - (dark + 1) // 2
        counts = RoiCounts("a", blocks, np.zeros((40, 3)), 0, 1.0, (0.0, 0.0, 0.0))
        row = statistics_of(counts, bins, known, factor=4.0, resamples=80, seed=0)
        low, high = row["tail_fraction_low"], row["tail_fraction_high"]
        assert 0 <= low <= row["tail_fraction"] <= high <= 1
        held += low <= part <= high
    assert held >= 8
