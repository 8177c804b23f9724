"""The bench of mishaps shows what they do to slices, and that they do less than they would."""

import json

from xct.bench.beams.slices import MISHAPS, bench_mishaps


def test_a_lost_frame_costs_little_and_is_said(tmp_path):
    some = [one for one in MISHAPS if one.name in ("none", "one lost frame in a hundred")]
    text = bench_mishaps(tmp_path, "quick", some)
    usual, lost = json.loads((tmp_path / "beams.json").read_text())["mishaps"]
    assert usual["blind"] == usual["default"]
    assert usual["said"] == "–"
    assert lost["default"] < 1.005 * usual["default"]
    assert lost["blind"] > 1.02 * usual["default"]
    assert "are left out: hardly any light" in lost["said"]
    assert "one lost frame in a hundred" in text
