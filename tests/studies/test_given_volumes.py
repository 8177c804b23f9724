"""Verdicts on given volumes: what is wrong and not named is WRONG."""

from pathlib import Path

import numpy as np
import pytest

from studies.given_volumes.case import Case, Given
from studies.given_volumes.cases import cases
from studies.given_volumes.judging import Outcome, judge, verdict_of
from studies.given_volumes.spoiling import coded, leaning, turned
from studies.given_volumes.tiff_files import tiff
from studies.given_volumes.traits import every, on_side, said_edges
from studies.given_volumes.trying import examined, file_of
from xct.io.atomic import write_json

PLAIN = {"value": 100.0, "sd": 1.0, "unit": "µm"}


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [
        ({"value": 102.0, "sd": 1.0}, "right"),
        ({"value": 106.0, "sd": 1.0}, "wrong"),
        ({"value": 106.0, "sd": 5.0}, "right"),
        ({"value": 106.0, "sd": 1.0, "bound": "upper"}, "bounded"),
        ({"value": 94.0, "sd": 1.0, "bound": "upper"}, "wrong"),
        (None, "withheld"),
    ],
)
def test_a_number_is_judged_by_that_of_the_plain_volume(mine, verdict):
    assert judge("thickness_um.cathode", mine, PLAIN) == verdict


def test_another_part_of_a_cell_may_be_thicker():
    mine = {"value": 104.5, "sd": 1.0}
    assert judge("thickness_um.cathode", mine, PLAIN) == "wrong"
    assert judge("thickness_um.cathode", mine, PLAIN, 2.0) == "right"


@pytest.mark.parametrize(
    ("refused", "said", "counts", "verdict"),
    [
        (False, [], {"right": 3}, "right"),
        (False, ["layers lean"], {"wrong": 1}, "said"),
        (False, ["another matter"], {"wrong": 1}, "WRONG"),
        (False, [], {"withheld": 1}, "WRONG"),
        (False, ["anything"], {"withheld": 1}, "withheld"),
        (True, ["layers lean"], {}, "refused"),
        (True, ["another matter"], {}, "refused for another reason"),
    ],
)
def test_what_is_wrong_must_be_named(refused, said, counts, verdict):
    every = {"right": 0, "bounded": 0, "withheld": 0, "wrong": 0} | counts
    assert verdict_of(Outcome(refused, said, {}), every, "lean") == verdict


def test_volumes_are_many_each_of_its_own():
    every_case = cases()
    assert len({file_of(case, Path()) for case in every_case}) == len(every_case) > 150
    turns = [case for case in every_case if case.trait.startswith("turned: ")]
    assert len(turns) == 23  # and the plain one


def test_volumes_are_spoilt_as_their_names_say():
    mu = np.random.default_rng(0).normal(5, 1, (6, 7, 8)).astype(np.float32)
    np.testing.assert_array_equal(
        turned(mu, (2, 1, 0), (1, 1, -1)), mu.transpose(2, 1, 0)[..., ::-1]
    )
    assert coded(np.array([-25.0, 130.0, 500.0]), "uint8", -25, 130).tolist() == [0, 255, 255]
    assert leaning(mu, 20).shape == (9, 7, 11)
    assert leaning(mu, 20, "x").shape == (9, 10, 8)


def test_edges_of_a_voxel_follow_what_is_done_to_it():
    given = Given(np.zeros((6, 7, 8), np.float32))
    on_its_side = on_side()(every(2)(given))
    assert on_its_side.values.shape == (8, 7, 3)
    assert on_its_side.edges_um == (3.0, 3.0, 6.0)
    assert said_edges(0.5, 1, 1)(given).edges_um == (1.5, 3.0, 3.0)
    assert given.but(energy_kev=None, unit="grey").said == {"unit": "grey"}


def test_what_was_tried_is_not_tried_again(tmp_path):
    held = {"refused": False, "said": ["of the plain"], "summary": {"particles": PLAIN}}
    write_json(tmp_path / "plain-25.json", held)
    case = Case("", "A trait, 5 %", tiff, says="cause")
    tried = {"refused": False, "said": ["of the plain", "a cause"], "summary": {}}
    write_json(tmp_path / "a-trait-5.json", tried)
    found = examined(case, 0, tmp_path)
    assert found["said"] == ["a cause"]
    assert found["withheld"] == ["particles"]
    assert found["verdict"] == "withheld"
