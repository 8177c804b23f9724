"""Old names work for one version, and say what they are called now."""

import pytest

from xct.config import aliases
from xct.config.loading import load_config, read_config
from xct.config.recipe import load_recipe
from xct.errors import ConfigError
from xct.geometry import STANDARD_SCALE, GreyScale


@pytest.fixture
def write(tmp_path):
    def write(text, recipe=None):
        path = tmp_path / "c.yaml"
        path.write_text("scan: {file: a.h5}\noutput: out\n" + text, encoding="utf-8")
        if recipe is not None:
            (tmp_path / "own.yaml").write_text(recipe, encoding="utf-8")
        return path

    return write


def test_the_grey_scale_is_set_once_for_the_cell(write):
    assert load_config(write("")).cell.grey_scale.scale() == STANDARD_SCALE
    config = load_config(write("cell: {grey_scale: {zero: 0, reference_value: 1000}}\n"))
    assert config.cell.grey_scale.scale() == GreyScale(0, 1000)
    with pytest.raises(ConfigError, match=r":3: cell\.grey_scale: .*both 5; grey values need two"):
        load_config(write("cell: {grey_scale: {zero: 5, reference_value: 5}}\n"))


def test_a_grey_scale_of_a_step_becomes_that_of_the_cell_with_a_warning(write):
    text = "pipeline: analyze\nsteps:\n  histograms: {bins: 50, zero: 100}\n"
    text += "  inclusions:\n    zero: 100\n"
    config = load_config(write(text))
    assert config.cell.grey_scale.scale() == GreyScale(100, STANDARD_SCALE.reference_value)
    assert config.steps == {"histograms": {"bins": 50}, "inclusions": {}}
    for line, stage in ((5, "histograms"), (7, "inclusions")):
        assert any(
            f"c.yaml:{line}: steps.{stage}.zero is called cell.grey_scale.zero now" in warning
            for warning in config.warnings
        )
    recipe = load_recipe(config)
    assert recipe.warnings == config.warnings
    assert {s.name: s.settings for s in recipe.steps}["histograms"]["bins"] == 50


@pytest.mark.parametrize(
    "text",
    [
        "steps: {histograms: {zero: 1}, inclusions: {zero: 2}}\n",
        "cell: {grey_scale: {zero: 1}}\nsteps: {inclusions: {zero: 2}}\n",
    ],
)
def test_steps_that_contradict_each_other_or_the_cell_are_refused(write, text):
    message = r"steps\.inclusions\.zero: 2 contradicts .* = 1; set cell\.grey_scale\.zero once"
    with pytest.raises(ConfigError, match=message):
        load_config(write(text))


def test_a_wrong_value_under_an_old_name_has_the_line_of_the_old_name(write):
    _, errors = read_config(write("steps:\n  particles:\n    zero: high\n"))
    (error,) = errors
    assert ":5: cell.grey_scale.zero: 'high' is not accepted: it should be a number" in error


RECIPE = "- find_cell\n- electrolyte_reference\n- depth_histogram: {zero: 10, bins: 20}\n"


def test_a_grey_scale_of_a_recipe_becomes_that_of_the_cell_with_a_warning(write):
    config = load_config(write("pipeline: own.yaml\n", RECIPE))
    recipe = load_recipe(config)
    assert recipe.config.cell.grey_scale.zero == 10
    assert config.cell.grey_scale == load_config(write("")).cell.grey_scale
    assert recipe.steps[-1].settings["bins"] == 20
    (warning,) = recipe.warnings
    assert "own.yaml:3, step 3 (depth_histogram): steps.depth_histogram.zero is called" in warning


def test_a_recipe_that_contradicts_the_configuration_is_refused(write):
    config = load_config(write("pipeline: own.yaml\ncell: {grey_scale: {zero: 11}}\n", RECIPE))
    with pytest.raises(ConfigError, match=r"depth_histogram\.zero: 10 contradicts .* = 11"):
        load_recipe(config)


def test_a_wrong_value_in_a_recipe_is_refused_with_its_place(write):
    config = load_config(write("pipeline: own.yaml\n", RECIPE.replace("10", "high")))
    message = r"own\.yaml:3, step 3 .*: cell\.grey_scale\.zero: 'high' is not accepted"
    with pytest.raises(ConfigError, match=message):
        load_recipe(config)


def test_a_stage_works_under_its_old_name_in_recipe_and_configuration(write, monkeypatch):
    monkeypatch.setattr(aliases, "STAGES", {"find_axes": "find_center", "gone": "not_there_yet"})
    recipe = "- flat_field\n- line_integrals\n- find_axes: {search_px: 9}\n- fbp\n"
    config = load_config(write("pipeline: own.yaml\nsteps: {find_axes: {search_px: 8}}\n", recipe))
    found = load_recipe(config)
    assert [step.name for step in found.steps][2] == "find_center"
    assert found.steps[2].settings["search_px"] == 8
    assert [w.partition(": ")[2] for w in found.warnings] == [
        "find_axes is called find_center now; the old name will be refused by the next version",
        "steps.find_axes is called steps.find_center now; the old name will be refused by the "
        "next version",
    ]
    assert aliases.stage_name("gone", {"gone": ...}) == "gone"


@pytest.mark.parametrize("where", ["configuration", "recipe"])
@pytest.mark.parametrize(
    ("stage", "old", "new", "value"),
    [
        ("inclusions", "least_spreads", "least_psf_volumes", 7),
        ("material_table", "threshold_doubt", "threshold_uncertainty", 0.1),
    ],
)
def test_a_renamed_setting_keeps_its_value_with_a_warning(write, where, stage, old, new, value):
    step = f"{stage}: {{{old}: {value}}}"
    if where == "recipe":
        config = load_config(write("pipeline: ./own.yaml\n", f"- {step}\n"))
    else:
        config = load_config(write(f"pipeline: analyze\nsteps: {{{step}}}\n"))
    recipe = load_recipe(config)
    assert {s.name: s.settings for s in recipe.steps}[stage][new] == value
    [warning] = recipe.warnings
    assert f"steps.{stage}.{old} is called steps.{stage}.{new}" in warning
