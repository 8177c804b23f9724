"""Verdicts on numbers: right, bounded, withheld or wrong, and what was said of them."""

import json
from dataclasses import replace

from xct.bench.beams.levels import Effect, _level, _mildest, _tried, bench_levels
from xct.bench.targets import Judged, verdicts


def run_with(value, said=(), **summary):
    scores = {"thickness_error_um.lithium": {"value": value}, "dice.steel": {"value": 0.99}}
    true = {"thickness_um.lithium": {"value": 20.0}}
    summary.setdefault("volume_fraction.steel", {"value": 0.2})
    return Judged("ncm-50", scores, summary, true, list(said))


BOUND = {"thickness_um.lithium": {"value": 24.0, "bound": "upper"}}
NO_BOUND = {"thickness_um.lithium": {"value": 24.0, "bound": "lower"}}


def verdict(run):
    return dict(verdicts(run))["layer thickness (voxel)"]


def test_a_number_beyond_the_limit_is_wrong_unless_it_is_stated_as_a_bound_that_holds():
    assert verdict(run_with(0.4)) == "right"
    assert verdict(run_with(4.0)) == "wrong"
    assert verdict(run_with(4.0, **BOUND)) == "bounded"
    assert verdict(run_with(4.0, **NO_BOUND)) == "wrong"
    assert dict(verdicts(run_with(0.4)))["particles: recall"] == "withheld"


def test_a_map_of_which_no_number_is_given_is_withheld():
    ragged = replace(run_with(0.4), scores={"dice.steel": {"value": 0.5}}, summary={})
    assert dict(verdicts(ragged))["Dice: steel"] == "withheld"
    read = replace(ragged, summary={"volume_fraction.steel": {"value": 0.2}})
    assert dict(verdicts(read))["Dice: steel"] == "wrong"


def judged(name, summary=(), true=(), **scores):
    given = {"volume_fraction.steel": {"value": 0.2}, "volume_fraction.electrolyte": {"value": 0.5},
             "thickness_um.lithium": {"value": 20.0}}  # fmt: skip
    values = {key.replace("__", "."): {"value": value} for key, value in scores.items()}
    return dict(verdicts(Judged("ncm-50", values, given | dict(summary), dict(true), [])))[name]


def test_labels_below_the_limit_are_bounded_by_the_agreement_that_the_run_gives_of_them():
    assert judged("Dice: steel", dice__steel=0.97, dice_at_least__steel=0.96) == "bounded"
    assert judged("Dice: steel", dice__steel=0.95, dice_at_least__steel=0.96) == "wrong"
    assert judged("Dice: steel", dice__steel=0.97) == "wrong"


def test_a_face_is_bounded_by_a_map_whose_intervals_hold():
    face = {
        "surface_rmse_um__lithium_electrolyte": 1.0, "surface_bias_um__lithium_electrolyte": 0.1,
        "surface_sd_um__lithium_electrolyte": 0.7,
        "coverage_95__surface__lithium_electrolyte": 0.92,
    }  # fmt: skip
    assert judged("Li/SE RMSE (voxel)", **face) == "bounded"
    too_few = face | {"coverage_95__surface__lithium_electrolyte": 0.85}
    assert judged("Li/SE RMSE (voxel)", **too_few) == "wrong"
    gap = {"gap_at_lithium_um": {"value": 3.0, "bound": "upper"}}
    there, none = ({"gap_at_lithium_um": {"value": value}} for value in (1.2, 0.0))
    assert judged("Li/SE RMSE (voxel)", gap, there, **too_few) == "bounded"
    assert judged("Li/SE RMSE (voxel)", gap, none, **too_few) == "wrong"
    assert judged("Li/SE RMSE (voxel)", {}, there, **too_few) == "wrong"


def test_a_band_of_the_reference_is_bounded_by_its_own_uncertainty():
    bands = {"grey_bias__electrolyte__band_1": -15.0, "grey_bias__electrolyte__band_2": 3.0,
             "grey_sd__electrolyte__band_1": 8.0, "grey_sd__electrolyte__band_2": 1.0}  # fmt: skip
    name = "grey value of the electrolyte by band (%)"
    assert judged(name, **bands) == "bounded"
    assert judged(name, **bands | {"grey_sd__electrolyte__band_1": 7.0}) == "wrong"


def test_what_counts_in_voxels_counts_in_those_of_the_scan():
    assert verdict(run_with(1.3)) == "wrong"
    assert verdict(replace(run_with(1.3), voxel_um=3.2)) == "right"


def test_only_numbers_that_a_plain_scan_gives_right_are_counted_and_only_new_warnings():
    plain = run_with(0.4, ["blur is 2.1 µm"])
    usual = {name: v for name, v in verdicts(plain) if v == "right"}
    effect = Effect("glare", "glare", (0.01,))
    found = _level(effect, 0.01, run_with(4.0, ["blur is 2.2 µm", "dark 3 is lit"]), plain, usual)
    assert found["count"] == {"right": 1, "bounded": 0, "withheld": 0, "wrong": 1}
    assert found["said"] == ["dark 3 is lit"]


def test_the_mildest_level_at_which_something_is_said_withheld_or_wrong_without_a_word():
    effect = Effect("glare", "glare", (1, 2, 3))
    counts = ({"wrong": 0, "withheld": 0}, {"wrong": 1, "withheld": 0}, {"wrong": 2, "withheld": 4})
    found = [
        {"effect": "glare", "level": level, "count": count, "said": said}
        for level, count, said in zip((1, 2, 3), counts, ([], [], ["lit"]), strict=True)
    ]
    assert _mildest([effect], found) == [["glare", "3", "3", "2"]]


def test_a_scan_without_light_is_refused_and_nothing_counts_as_right(tmp_path, monkeypatch):
    """The plain scan, whose whole run would show nothing else, is one by hand."""
    monkeypatch.setattr("xct.bench.beams.levels._SHAPE", (48, 96, 96))
    monkeypatch.setattr("xct.bench.beams.levels._ANGLES", 120)

    def tried(out, seed, change):
        return _tried(out, seed, change) if change else run_with(0.4)

    monkeypatch.setattr("xct.bench.beams.levels._tried", tried)
    text = bench_levels(tmp_path, [Effect("lost frames", "lost_frames", (120,))])
    assert "refused" in text
    [level] = json.loads((tmp_path / "levels.json").read_text(encoding="utf-8"))["levels"]
    assert level["count"]["right"] == level["count"]["wrong"] == 0
    assert level["count"]["withheld"] > 0
    assert not (tmp_path / "levels").exists()
