"""What is called sure is right: a small version of `xct bench axis`."""

import json

import numpy as np
import pytest

from xct.bench.axis import campaign
from xct.bench.axis.scans import GOOD, KINDS, draw_scan
from xct.preprocess.center.rotation_axis import find_center

SEEDS = range(2000, 2002)  # neither tuned on nor in the table of the docs


@pytest.fixture(scope="module")
def tried():
    return campaign.try_axes(SEEDS)


def test_what_is_called_sure_is_right_within_a_quarter_of_a_pixel(tried):
    sure = [one.error_px for one in tried if one.sure]
    assert len(sure) > len(tried) / 2
    assert max(sure) < campaign.RIGHT_PX


def test_good_scans_have_an_axis_that_is_sure(tried):
    good = [one for one in tried if one.kind in GOOD]
    assert sum(one.sure for one in good) >= 0.9 * len(good)


@pytest.mark.parametrize(("kind", "offset"), [("plain", 5.0), ("truncated", 0.3), ("ringed", -0.3)])
def test_an_offset_of_the_line_integrals_changes_neither_axis_nor_confidence(kind, offset):
    scan = draw_scan(kind, 2000)
    plain = find_center(scan.line_integrals, scan.theta_deg)
    raised = find_center(scan.line_integrals + np.float32(offset), scan.theta_deg)
    assert raised.center_px == pytest.approx(plain.center_px, abs=2e-3)
    assert raised.confidence == pytest.approx(plain.confidence, abs=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_scans_are_drawn_alike_from_equal_seeds(kind):
    one, again = draw_scan(kind, 3), draw_scan(kind, 3)
    np.testing.assert_array_equal(one.line_integrals, again.line_integrals)
    assert one.center_px == again.center_px
    assert len(one.theta_deg) == len(one.line_integrals)


def test_the_bench_says_how_many_are_right(tmp_path, monkeypatch, tried):
    monkeypatch.setattr(campaign, "try_axes", lambda _: tried)
    text = campaign.bench_axis(tmp_path, "quick")
    assert "sure and wrong" in text
    found = json.loads((tmp_path / "axis.json").read_text(encoding="utf-8"))
    assert found["first_seed"] == campaign.FIRST_SEED
    assert [target["met"] for target in found["targets"]] == [True, True]
