"""ROIs against those of the pristine cell: changes with intervals that hold, one p-value."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.analyze.test_histograms import BINS, cell_of
from xct.analyze.roi.comparison import compare_rois, comparison_numbers, roi_slopes
from xct.analyze.roi.counts import count_rois
from xct.analyze.roi.shapes import roi_from_box

SHAPE = (32, 64, 64)
LIMIT = {"C-1": 22_100.0 - 2700, "C-2": None}


def roi_changes(*arguments, **settings):
    return compare_rois(*arguments, **settings)[0]


def roi_test(mine, theirs, bins, **settings):
    return compare_rois(mine, theirs, bins, LIMIT, **settings)[1]


PARTS = {"C-1": (slice(0, 32), slice(0, 32), slice(0, 64)),
         "C-2": (slice(0, 32), slice(32, 64), slice(0, 64))}  # fmt: skip


def counted(volume):
    cell = cell_of(SHAPE)
    rois = [roi_from_box(cell, name, box, None) for name, box in PARTS.items()]
    return count_rois(volume, cell, rois, BINS, block_um=20.0)


def drawn(seed, mean=22_100.0, sd=900.0):
    """Draw noise whose sd is known, not adjusted: cells of one kind scatter about each other."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.5, mode="wrap")
    return (mean + sd * (2 * np.pi**0.5 * 1.5) ** 1.5 * noise).astype(np.float32)


def with_tail(volume, fraction):
    rng = np.random.default_rng(9)
    return np.where(rng.random(volume.shape) < fraction, volume - 6000, volume)


@pytest.fixture(scope="module")
def pristine():
    return counted(drawn(100))


def test_peak_width_and_tail_change_by_what_was_put_in(pristine):
    cycled = with_tail(drawn(1, mean=22_400, sd=1170), 0.05)
    row = roi_changes(counted(cycled), pristine, BINS, LIMIT).set_index("roi").loc["C-1"]
    before, after = (v[PARTS["C-1"]] for v in (drawn(100), cycled))
    tail = (after < LIMIT["C-1"]).mean() - (before < LIMIT["C-1"]).mean()
    width = [np.diff(np.quantile(v, (0.158655, 0.841345)))[0] for v in (before, after)]
    assert row["peak_change"] == pytest.approx(300, abs=3 * row["peak_change_sd"])
    assert row["width_ratio"] == pytest.approx(width[1] / width[0], rel=0.02)
    assert row["tail_change"] == pytest.approx(tail, abs=2e-3)
    for name in ("peak_change", "width_ratio", "tail_change"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_intervals_end_where_their_ranges_do_and_an_unknown_tail_is_left_out(pristine):
    changes = roi_changes(pristine, pristine, BINS, LIMIT).set_index("roi")
    assert (changes["width_ratio_low"] > 0).all()
    assert changes.loc["C-1", "width_ratio"] == 1
    assert -1 <= changes.loc["C-1", "tail_change_low"] <= 0 <= changes.loc["C-1", "tail_change"]
    assert np.isnan(changes.loc["C-2", "tail_change"])
    assert "roi_tail_change.C-2" not in {
        name for name, n in comparison_numbers({"roi_changes": changes.reset_index()}) if n.is_known
    }


def test_errors_of_changes_are_as_large_as_stated():
    scores = {"peak_change": [], "width_ratio": []}
    for seed in range(8):
        mine, theirs = counted(drawn(2 * seed)), counted(drawn(2 * seed + 1))
        for row in roi_changes(mine, theirs, BINS, {}, draws=30).to_dict("records"):
            scores["peak_change"].append(row["peak_change"] / row["peak_change_sd"])
            scores["width_ratio"].append((row["width_ratio"] - 1) / row["width_ratio_sd"])
    for name, found in scores.items():
        assert 0.45 < np.std(found) < 1.4, name
        assert abs(np.mean(found)) < 3 / len(found) ** 0.5, name


def test_the_p_value_is_small_where_something_changed_and_even_where_nothing_did(pristine):
    changed = roi_test(counted(with_tail(drawn(1), 0.05)), pristine, BINS, draws=200)
    assert changed["p_value"].iloc[0] < 0.02
    assert changed["rois"].iloc[0] == 2
    same = [
        roi_test(counted(drawn(2 * seed)), counted(drawn(2 * seed + 1)), BINS, draws=100)
        for seed in range(8)
    ]
    p = np.array([one["p_value"].iloc[0] for one in same])
    assert (p < 0.05).sum() <= 1
    assert p.mean() > 0.2


def test_without_common_rois_nothing_is_tested(pristine):
    assert len(roi_test(pristine[:1], pristine[1:], BINS)) == 0
    assert len(roi_changes(pristine[:1], pristine[1:], BINS, {})) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_slope_with_depth_is_found_with_its_uncertainty(sign):
    errors = []
    for seed in range(8):
        volume = drawn(seed) + 5.0 * 2 * np.arange(32)[:, None, None].astype(np.float32)
        (row,) = roi_slopes(counted(volume), BINS, sign, draws=60).to_dict("records")
        assert row["group"] == "C"
        errors.append((row["slope_per_um"] - sign * 5.0) / row["slope_per_um_sd"])
    assert np.abs(errors).max() < 4
    assert 0.4 < np.std(errors) < 1.7


def test_the_summary_holds_one_p_value_and_every_change(pristine):
    cycled = counted(drawn(1, mean=22_400))
    tables = {
        "roi_changes": roi_changes(cycled, pristine, BINS, LIMIT),
        "roi_test": roi_test(cycled, pristine, BINS, draws=50),
        "roi_slopes": roi_slopes(cycled, BINS, 1),
    }
    numbers = {name: number.entry() for name, number in comparison_numbers(tables)}
    assert 0 < numbers["roi_p_value"]["value"] <= 1
    assert {"value", "sd", "low", "high"} <= set(numbers["roi_peak_change.C-1"])
    assert numbers["roi_peak_change.C-1"]["unit"] == "GV"
    assert "roi_slope_per_um.C" in numbers
