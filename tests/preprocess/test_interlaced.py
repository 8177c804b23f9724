"""Projections taken in several passes are told from those that are taken in one."""

import numpy as np
import pytest

from tests.preprocess.test_angles import CENTER, COLUMNS, ROWS, STATED, VIEWS, seen
from xct.phantom.discs import project_discs
from xct.preprocess.angles.answer import angle_messages, angle_number, angles_unfit
from xct.preprocess.angles.check import check_angles
from xct.preprocess.angles.interlaced import interlaced_passes
from xct.preprocess.center.sample import prepared


@pytest.mark.parametrize("passes", [2, 3])
def test_interlaced_projections_with_angles_of_one_pass_are_said(passes):
    order = np.concatenate([np.arange(n, VIEWS, passes) for n in range(passes)])
    found = check_angles(seen(STATED[order], passes), STATED, CENTER)
    [message] = angle_messages(found)
    assert f"in {passes} passes over the range (interlaced)" in message
    with pytest.warns(UserWarning, match="interlaced"):
        entry = angle_number(found, ROWS).entry()
    assert "not those of the projections" in angles_unfit({"angle_jumps": entry})
    told = check_angles(seen(STATED[order], passes), STATED[order], CENTER)
    assert list(angle_messages(told)) == []


def test_what_looks_alike_twice_in_half_a_turn_is_not_interlaced():
    square = np.array([[x, y, 9, 0.05] for x, y in ((20, 0), (0, 20), (-20, 0), (0, -20))])
    exact = project_discs(square, STATED, COLUMNS, CENTER)
    noise = np.random.default_rng(3).normal(0, 0.005, (VIEWS, ROWS, COLUMNS))
    views = (exact[:, None] / exact.max() + noise).astype(np.float32)
    assert interlaced_passes(prepared(views, STATED)) == 1
