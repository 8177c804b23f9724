"""A small virtual cell of each state, from raw scan to score: nothing below its limit."""

import numpy as np
import pytest

import xct
from tests.recorded import numbers_of, recorded
from xct.bench.demo import SIZES, STATES
from xct.bench.targets import TARGETS
from xct.phantom.writing import write_phantom
from xct.score import score

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", STATES)
def test_every_number_of_a_small_cell_is_as_good_as_the_worst_that_is_allowed(state, tmp_path):
    shape, angles = SIZES["small"]
    config = write_phantom(state, tmp_path, seed=0, shape=shape, angles=angles)
    with config.open("a", encoding="utf-8") as file:
        file.write("run: {figures: none}\n")  # numbers are looked at
    result, truth = xct.run(config), xct.open_result(tmp_path / "truth")
    assert changes(recorded("cells")[state], numbers_of(result)) == []
    scores = score(result.path, truth.path)
    judged = 0
    for target in TARGETS:
        if target.worst is None:
            continue
        for found in target.values(state, scores, truth.voxel_size_um):
            good = found <= target.worst if target.low else found >= target.worst
            assert good, f"{target.name}: {found:.4g}, allowed {target.worst:g}"
            judged += 1
    assert judged >= 15


def changes(before: dict, now: dict) -> list[str]:
    """List what is not as it was: numbers to 1e-6, tables by their shape and their sums."""
    found = [
        f"{key}: {value!r} was {before['summary'].get(key)!r}"
        for key, value in now["summary"].items()
        if not alike(before["summary"].get(key), value)
    ]
    found += [f"{key} is gone" for key in sorted(before["summary"].keys() - now["summary"].keys())]
    for name, table in before["tables"].items():
        today = now["tables"].get(name)
        if today is None:
            found.append(f"tables/{name}.csv is gone")
            continue
        if table["shape"] != today["shape"]:
            found.append(f"tables/{name}.csv: {today['shape']} was {table['shape']}")
        found += [
            f"tables/{name}.csv, sum of {column}: {today['sums'].get(column)} was {total}"
            for column, total in table["sums"].items()
            if not alike(total, today["sums"].get(column))
        ]
    return found


def alike(before: object, now: object) -> bool:
    """Compare numbers to 1e-6, anything else as it is."""
    if isinstance(before, float | int) and isinstance(now, float | int):
        return bool(np.isclose(now, before, rtol=1e-6, atol=1e-9, equal_nan=True))
    return before == now
