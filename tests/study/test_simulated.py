"""Simulated current beside lost lithium: correlations that are there, and those that are not."""

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.study.drawn import draw_cell_result
from xct.errors import XctError
from xct.io.tables import write_table
from xct.result import open_result
from xct.study.cells import Cell
from xct.study.simulated import Simulated, read_simulated, simulated_figure, simulated_table


def smooth(rng, n=400):
    return np.convolve(rng.normal(size=n + 40), np.hanning(41), mode="valid")[:n]


def test_lines_that_belong_together_are_told_from_those_that_do_not():
    together, apart = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        line, other = smooth(rng), smooth(rng)
        place = np.arange(400.0)
        together.append(Simulated("a", "b", place, 1 + line, 2 * line + 0.3 * other).p_value)
        apart.append(Simulated("a", "b", place, 1 + line, other).p_value)
    assert np.median(together) < 0.01
    assert np.mean(np.array(apart) < 0.05) < 0.2
    assert 0.3 < np.median(apart) < 0.7


@pytest.fixture
def cell(tmp_path):
    folder = draw_cell_result(tmp_path / "cell", name="a", cycles=50, absent=0.1)
    return Cell("a", "NCM", 50, open_result(folder))


def simulation(cell, folder, face="flat", **columns):
    _, y, x = cell.result.stored_volume.shape
    edge = cell.result.voxel_size_um
    count = x - 20
    table = pd.DataFrame(
        {
            "case": "all active",
            "z_um": 10.0,
            "y_um": (y // 2 - 5) * edge,
            "x_um": (10 + np.arange(count)) * edge,
            "length_um": edge,
            "focusing": np.linspace(0.5, 1.5, count),
        }
    )
    write_table(folder / "tables" / "lithium.csv", table.assign(**columns))
    settings = {"simulate": {"slice": {"result": "cell", "lithium": face}}}
    (folder / "simulation.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return str(folder)


def test_a_simulation_is_compared_with_the_lithium_of_its_columns(cell, tmp_path):
    folder = simulation(cell, tmp_path / "plane")
    [found] = read_simulated([cell], [folder])
    assert abs(found.lost_um.mean()) < 1e-9
    assert found.focusing[0] == pytest.approx(0.5, abs=0.05)
    [row] = simulated_table([found]).to_dict("records")
    assert row["columns"] == len(found.along_um) >= 20
    assert found.r < -0.5  # lithium is absent at small x, where the current is low
    assert found.p_value > 0
    assert simulated_figure([found]) is not None
    assert read_simulated([cell], [None]) == []


def test_on_the_face_as_measured_no_p_value_is_given(cell, tmp_path):
    [found] = read_simulated([cell], [simulation(cell, tmp_path / "plane", face="measured")])
    assert np.isfinite(found.r)
    assert np.isnan(found.p_value)


def test_lithium_that_is_the_same_everywhere_correlates_with_nothing(cell, tmp_path):
    flat = Simulated("a", "b", np.arange(30.0), np.linspace(0, 1, 30), np.zeros(30))
    assert np.isnan(flat.r)
    assert np.isnan(flat.p_value)
    assert simulated_figure([flat]) is not None


def test_a_simulation_of_another_cell_or_of_none_is_refused(cell, tmp_path):
    elsewhere = simulation(cell, tmp_path / "other", x_um=1e6)
    with pytest.raises(XctError, match="lies outside of it: it is of another cell"):
        read_simulated([cell], [elsewhere])
    with pytest.raises(XctError, match=r"no such table"):
        read_simulated([cell], [str(tmp_path / "nowhere")])
    ideal = tmp_path / "ideal"
    write_table(ideal / "tables" / "lithium.csv", pd.DataFrame({"case": ["a"], "x_um": [1.0]}))
    with pytest.raises(XctError, match="no simulation of a plane of a"):
        read_simulated([cell], [str(ideal)])
