"""The bench of mishaps shows what they do to slices, and that they do less than they would."""

import json

from xct.bench.beams.slices import MISHAPS, SIZES, bench_mishaps
from xct.phantom.writing import write_phantom
from xct.pipeline.plan import make_plan


def test_each_remedy_is_a_configuration_that_can_be_run(tmp_path):
    config = write_phantom("ncm-0", tmp_path / "cell", angles=20, shape=(48, 64, 64), voxel_um=8.0,
                           pipeline="reconstruct", distance_mm=40.0)  # fmt: skip
    remedied = [one for one in MISHAPS if one.remedy]
    assert "detector 40 mm behind" in {one.name for one in remedied}
    for one in remedied:
        changes = [f"{key}={json.dumps(value)}" for key, value in one.remedy.items()]
        plan = make_plan(config, [f"output={tmp_path / 'out'}", *changes], until="fbp")
        assert plan.steps[-1].name == "fbp"


def test_a_lost_frame_costs_little_and_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, "quick", (32, 96, 96, 200))
    some = [one for one in MISHAPS if one.name in ("none", "one lost frame in a hundred")]
    text = bench_mishaps(tmp_path, "quick", some)
    usual, lost = json.loads((tmp_path / "beams.json").read_text(encoding="utf-8"))["mishaps"]
    assert usual["blind"] == usual["default"]
    assert usual["said"] == "–"
    assert lost["default"] < 1.005 * usual["default"]
    assert lost["blind"] > 1.02 * usual["default"]
    assert "are left out: hardly any light" in lost["said"]
    assert "one lost frame in a hundred" in text
