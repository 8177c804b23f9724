"""Orders of steps that give wrong values, and settings that do not go together, before a run."""

import re

import pytest
import yaml

from tests.scans import write_dxchange
from xct.config.loading import read_config
from xct.config.recipe import load_recipe
from xct.errors import ConfigError
from xct.pipeline.checks.steps import RIGHT_ORDER, check_order
from xct.pipeline.plan import make_plan
from xct.stages import STAGES, load_stages

ORDER = [name for name in RIGHT_ORDER if name not in ("phase_retrieval", "measure_stripes", "fbp")]
PHASE = {"phase_retrieval": {"material": "ncm811", "within": "lpscl"}}


@pytest.fixture
def plan(tmp_path):
    """Plan a run of a recipe on a small scan."""
    write_dxchange(tmp_path / "scan.h5")

    def plan(*steps, **scan):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(list(steps)), encoding="utf-8")
        configuration = {
            "scan": {"file": str(tmp_path / "scan.h5"), **scan},
            "pipeline": str(tmp_path / "own.yaml"),
            "output": str(tmp_path / "out"),
        }
        return make_plan(configuration)

    return plan


def moved(name, before):
    """The right order, with one step before another."""
    steps = [step for step in [*ORDER[:-1], "fbp"] if step != name]
    steps.insert(steps.index(before), name)
    return steps


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("low_signal", "glare"),
        ("stripes", "fill_nonpositive"),
        ("find_center", "fill_nonpositive"),
    ],
)
def test_a_wrong_order_is_refused_with_the_right_one(plan, name, before):
    with pytest.raises(ConfigError) as caught:
        plan(*moved(name, before))
    [message] = [text for text in caught.value.errors if "Right order" in text]
    assert f"({name}): stands before " in message
    assert "Right order: flat_field → fill_dead_pixels → outliers → glare → low_signal" in message
    assert message.endswith("find_tilt → find_center → check_angles → align → fbp")


RIGHT = "Right order: flat_field → fill_dead_pixels → outliers → line_integrals → fill_nonpositive"


@pytest.mark.parametrize(
    ("name", "before", "message"),
    [
        ("line_integrals", "fill_dead_pixels", r"outliers\).*; move it before line_integrals"),
        ("fbp", "stripes", r"fbp\): needs center_px, .*\(move it behind find_center\)$"),
        ("flat_field", None, r"fill_dead_pixels\): needs .*move it behind flat_field"),
    ],
)
def test_steps_that_do_not_meet_are_told_in_which_order_they_would(plan, name, before, message):
    steps = ["flat_field", "fill_dead_pixels", "outliers", "line_integrals", "fill_nonpositive",
             "stripes", "find_center", "fbp"]  # fmt: skip
    steps.remove(name)
    steps.insert(steps.index(before) if before else len(steps), name)
    with pytest.raises(ConfigError) as caught:
        plan(*steps)
    said = [text.split(". Right")[0] for text in caught.value.errors]
    assert any(re.search(message, text) for text in said), said
    [told] = [text for text in caught.value.errors if "Right order" in text]
    assert RIGHT in told
    assert told.endswith("stripes → find_center → fbp")
    assert not any("Here there are" in text for text in said)


def test_who_looks_for_a_stage_that_denoises_is_told_where_it_is(plan):
    with pytest.raises(ConfigError, match=r"\(denoise\).*`denoising` of materials.*keep denoised"):
        plan(*ORDER[:-1], "fbp", "denoise")


def test_phase_retrieval_before_dead_pixels_are_filled_or_after_the_logarithm_is_refused(plan):
    after_log = ["flat_field", "fill_dead_pixels", "line_integrals", PHASE, "fill_nonpositive",
                 "find_center", "fbp"]  # fmt: skip
    too_early = ["flat_field", PHASE, "fill_dead_pixels", *after_log[2:3], *after_log[4:]]
    known = {"energy_kev": 20.0, "distance_mm": 40.0}
    with pytest.raises(ConfigError, match=r"phase_retrieval.*move it before line_integrals"):
        plan(*after_log, **known)
    with pytest.raises(ConfigError, match=r"phase_retrieval\): stands before fill_dead_pixels"):
        plan(*too_early, **known)


@pytest.mark.parametrize(
    ("name", "before", "message"),
    [
        ("find_center", "stripes", "stripes may decide where the axis is found"),
        ("outliers", "fill_dead_pixels", "zingers beside dead pixels"),
    ],
)
def test_an_order_that_is_only_worse_is_warned_of(plan, name, before, message):
    [told] = [text for text in plan(*moved(name, before)).warnings if "Right order" in text]
    assert message in told


def test_two_steps_that_both_give_the_volume_are_refused(plan):
    with pytest.raises(ConfigError, match=r"fbp and iterative both give the volume; keep one"):
        plan(*ORDER[:-1], "fbp", "iterative")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "sirt", "engine": "fourier"}, "use engine: astra, or method: cgls"),
        ({"method": "cgls", "nonnegative": True}, "cannot keep values from falling below zero"),
        ({"method": "cgls", "strength": 0.5}, "strength is a setting of method: tv"),
    ],
)
def test_check_knows_settings_of_iterations_that_do_not_go_together(plan, settings, message):
    with pytest.raises(ConfigError, match=message):
        plan(*ORDER[:-1], {"iterative": settings})


def test_check_says_how_astra_is_installed(plan, monkeypatch):
    monkeypatch.setattr("xct.reconstruct.iterative_engine.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"step 14 \(iterative\).*pip install xct\[astra\]"):
        plan(*ORDER[:-1], {"iterative": {"engine": "astra"}})


def test_check_promises_more_time_for_iterations_than_for_fbp(plan):
    quick = plan(*ORDER[:-1], "fbp").resources.seconds
    slow = plan(*ORDER[:-1], {"iterative": {"method": "sirt", "iterations": 10000}})
    assert slow.resources.seconds > quick
    assert slow.resources.workers == 1


def test_grey_values_of_particles_on_smoothed_slices_are_warned_of(plan):
    cell = ["find_cell", "electrolyte_reference", "surfaces", "materials", "particles"]
    told = plan(*ORDER[:-1], "iterative", *cell).warnings
    assert any("takes contrast from what is small" in text for text in told)
    told = plan(*ORDER[:-1], {"iterative": {"method": "cgls"}}, *cell).warnings
    assert not any("contrast" in text for text in told)


@pytest.mark.parametrize(
    "recipe", ["reconstruct", "tomo_cell", "ssrf", "p05", "generic", "iterative"]
)
def test_recipes_that_xct_brings_are_in_order(recipe, tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    text = {"scan": {"file": str(tmp_path / "scan.h5")}, "output": "out", "pipeline": recipe}
    config, errors = read_config(text)
    assert errors == []
    assert check_order(load_recipe(config).steps) == ([], [])


def test_grey_values_of_particles_on_sharpened_slices_are_warned_of(plan):
    cell = ["find_cell", "electrolyte_reference", "surfaces", "materials", "particles"]
    for amount, warned in ((0.5, True), (0.0, False)):
        sharp = {"phase_retrieval": {"delta_over_beta": 300, "unsharp_amount": amount}}
        place = ORDER.index("low_signal")
        steps = [*ORDER[:place], sharp, *ORDER[place:-1], "fbp", *cell]
        told = plan(*steps, energy_kev=20.0, distance_mm=40.0).warnings
        assert any("unsharp_amount: 0.5 makes" in text for text in told) == warned


def test_the_right_order_names_every_stage_before_the_volume():
    own = [s for s in load_stages().values() if s.function.__module__.startswith("xct.")]
    assert {s.name for s in own if not s.measures} == set(RIGHT_ORDER)
    assert set(RIGHT_ORDER) <= set(STAGES)
