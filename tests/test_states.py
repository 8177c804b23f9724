"""A small virtual cell of each state, from raw scan to score: nothing below its limit."""

import pytest

from xct.bench.accuracy import TARGETS
from xct.bench.demo import STATES, one_cell

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", STATES)
def test_every_number_of_a_small_cell_is_as_good_as_the_worst_that_is_allowed(state, tmp_path):
    cell = one_cell(state, tmp_path / state, "small", seed=0)
    judged = 0
    for target in TARGETS:
        if target.worst is None:
            continue
        for found in target.values(state, cell.scores, cell.truth.voxel_size_um):
            good = found <= target.worst if target.low else found >= target.worst
            assert good, f"{target.name}: {found:.4g}, allowed {target.worst:g}"
            judged += 1
    assert judged >= 15
