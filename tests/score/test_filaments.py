"""Filaments of a result against true ones, by tables made by hand."""

from types import SimpleNamespace

import pandas as pd
import pytest

from xct.score.filaments import score_filaments
from xct.score.numbers import _bounds

TRUE = pd.DataFrame({
    "z_um": [50.0, 50.0, 50.0], "y_um": [20.0, 80.0, 140.0], "x_um": [30.0, 30.0, 30.0],
    "class": ["bridging", "at_lithium", "enclosed"], "filament": [True, True, False],
    "length_um": [100.0, 60.0, float("nan")], "thickness_um": [8.0, 8.0, 5.0],
    "tortuosity": [1.1, 1.2, float("nan")],
})  # fmt: skip


def result_of(table):
    return SimpleNamespace(tables={} if table is None else {"inclusions": table})


def found(**changed):
    mine = TRUE.iloc[:2].assign(
        mean_diameter_um=[8.8, 8.8], length_um=[90.0, 54.0], tortuosity=[1.1, 1.1]
    )
    return mine.assign(**changed)


def test_filaments_that_were_found_count_with_their_errors():
    scores = score_filaments(result_of(found()), result_of(TRUE))
    assert scores["filament_recall"]["value"] == 1
    assert scores["filament_false"]["value"] == 0
    assert scores["bridges_error"]["value"] == 0
    assert scores["filament_class"]["value"] == 1
    assert scores["filament_length_bias_percent"]["value"] == pytest.approx(-10)
    assert scores["filament_thickness_bias_percent"]["value"] == pytest.approx(10)
    assert scores["filament_tortuosity_bias"]["value"] == pytest.approx(-0.05)


def test_a_filament_elsewhere_is_false_and_the_true_one_is_missed():
    scores = score_filaments(result_of(found(z_um=[50.0, 66.0])), result_of(TRUE))
    assert scores["filament_recall"]["value"] == pytest.approx(0.5)
    assert scores["filament_false"]["value"] == 1


def test_a_bridge_that_is_severed_is_counted_as_missing():
    scores = score_filaments(result_of(found(**{"class": "at_lithium"})), result_of(TRUE))
    assert scores["bridges_error"]["value"] == -1
    assert scores["filament_class"]["value"] == pytest.approx(0.5)


def test_without_a_table_nothing_is_scored():
    assert score_filaments(result_of(None), result_of(TRUE)) == {}


@pytest.mark.parametrize(("found", "holds"), [(5.0, 0.5), (11.0, 1.0)])
def test_a_bound_holds_if_the_truth_lies_on_its_side(found, holds):
    mine = {
        "thickness_um.lithium": {"value": found, "bound": "upper", "sd": 0.5},
        "inclusions": {"value": 3, "bound": "lower"},
        "particles": {"value": 0},
    }
    true = {"thickness_um.lithium": {"value": 10.0}, "inclusions": {"value": 4}}
    assert _bounds(mine, true)["bounds_hold"]["value"] == pytest.approx(holds)


def test_without_a_bound_nothing_holds():
    assert _bounds({"particles": {"value": 3}}, {"particles": {"value": 4}}) == {}
