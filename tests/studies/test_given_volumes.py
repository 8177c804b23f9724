"""Verdicts on given volumes: what is wrong and not named is WRONG."""

import numpy as np
import pytest

from studies.given_volumes.cases import cases
from studies.given_volumes.judging import Outcome, judge, verdict_of
from studies.given_volumes.spoiling import coded, leaning, turned

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


def test_there_are_more_than_eighty_volumes_each_of_its_own():
    traits = [case.trait for case in cases()]
    assert len(traits) == len(set(traits)) > 80


def test_volumes_are_spoilt_as_their_names_say():
    mu = np.random.default_rng(0).normal(5, 1, (6, 7, 8)).astype(np.float32)
    np.testing.assert_array_equal(
        turned(mu, (2, 1, 0), (1, 1, -1)), mu.transpose(2, 1, 0)[..., ::-1]
    )
    assert coded(np.array([-25.0, 130.0, 500.0]), "uint8", -25, 130).tolist() == [0, 255, 255]
    leant = leaning(mu, 20)
    assert leant.shape == (9, 7, 11)
