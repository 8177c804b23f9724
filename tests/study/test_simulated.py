"""Simulated current beside lost lithium: correlations that are there, and those that are not."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
import zarr

from tests.study.drawn import draw_cell_result
from xct.errors import XctError
from xct.io.tables import write_table
from xct.result import open_result
from xct.result.checksum import result_checksum
from xct.study.cells import Cell
from xct.study.codependence.maps import lithium_lost
from xct.study.comparing import compare
from xct.study.settings import load_study
from xct.study.simulated.lines import Simulated, lines_figure
from xct.study.simulated.maps import maps_figure
from xct.study.simulated.part import (
    AllSimulated,
    read_simulated,
    simulated_part,
    simulated_table,
)


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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "cell"
    return draw_cell_result(folder, name="a", cycles=50, absent=0.1)


@pytest.fixture
def cell(drawn, tmp_path):
    folder = tmp_path / "cell"
    shutil.copytree(drawn, folder)
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
    return described(folder, {"slice": {"result": str(cell.result.path), "lithium": face}})


def described(folder, simulated, **summary):
    """Write which simulation a folder holds."""
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump({"simulate": simulated})
    (folder / "simulation.yaml").write_text(text, encoding="utf-8")
    written = {"cases": [{"name": "all active"}], **summary}
    (folder / "summary.json").write_text(json.dumps(written), encoding="utf-8")
    return str(folder)


def block(cell, folder, focusing, *, first_um, edge_um, face="flat", **summary):
    """Write a simulated block that has this map."""
    group = zarr.open_group(folder / "cases" / "all_active" / "fields.zarr", mode="w")
    array = group.create_array("focusing", data=focusing.astype("f4"))
    array.attrs["voxel_size_um"], array.attrs["first_um"] = [edge_um] * 2, list(first_um)
    described(folder, {"block": {"result": str(cell.result.path), "lithium": face}}, **summary)
    return str(folder)


def test_a_simulation_is_compared_with_the_lithium_of_its_columns(cell, tmp_path):
    folder = simulation(cell, tmp_path / "plane")
    [found] = read_simulated([cell], [[folder]]).lines
    assert abs(found.lost_um.mean()) < 1e-9
    assert found.focusing[0] == pytest.approx(0.5, abs=0.05)
    [row] = simulated_table(AllSimulated([found])).to_dict("records")
    assert row["columns"] == len(found.along_um) >= 20
    assert found.r < -0.5  # lithium is absent at small x, where the current is low
    assert found.p_value > 0
    assert lines_figure([found]) is not None


def test_on_the_face_as_measured_no_p_value_is_given(cell, tmp_path):
    folder = simulation(cell, tmp_path / "plane", face="measured")
    [found] = read_simulated([cell], [[folder]]).lines
    assert np.isfinite(found.r)
    assert np.isnan(found.p_value)


def test_lithium_that_is_the_same_everywhere_correlates_with_nothing(cell, tmp_path):
    flat = Simulated("a", "b", np.arange(30.0), np.linspace(0, 1, 30), np.zeros(30))
    assert np.isnan(flat.r)
    assert np.isnan(flat.p_value)
    assert lines_figure([flat]) is not None


def test_a_simulation_of_another_cell_or_of_none_is_refused(cell, tmp_path):
    elsewhere = simulation(cell, tmp_path / "other", x_um=1e6)
    with pytest.raises(XctError, match="lies outside of it: it is of another cell"):
        read_simulated([cell], [[elsewhere]])
    with pytest.raises(XctError, match=r"nowhere: holds no simulation, or a damaged one"):
        read_simulated([cell], [[str(tmp_path / "nowhere")]])
    ideal = described(tmp_path / "ideal", {"ideal": {}})
    with pytest.raises(XctError, match="no simulation of a plane or a block of a"):
        read_simulated([cell], [[ideal]])
    shutil.rmtree(tmp_path / "other" / "tables")
    with pytest.raises(XctError, match="no such table"):
        read_simulated([cell], [[elsewhere]])


def lost_map(cell, count, edge_um):
    """Give the lithium that is lost in a block about the axis, as the drawn cell has it."""
    geometry = cell.geometry
    first = [axis - (count - 1) / 2 * edge_um for axis in (geometry.axis_y_um, geometry.axis_x_um)]
    samples = lithium_lost(cell.surfaces, geometry)
    places = (np.arange(count) - (count - 1) / 2) * edge_um
    y, x = np.meshgrid(places, places, indexing="ij")
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(np.column_stack([samples.y_um, samples.x_um])).query(
        np.column_stack([y.ravel(), x.ravel()])
    )
    return samples.value[nearest].reshape(count, count), first


def test_the_map_of_a_block_is_compared_with_the_lithium_below_it(cell, tmp_path):
    edge = 4 * cell.result.voxel_size_um
    count = int(1.9 * cell.geometry.bore_radius_um / edge)
    lost, first = lost_map(cell, count, edge)
    same, turned = (
        block(cell, tmp_path / name, 1 + 0.02 * values, first_um=first, edge_um=edge)
        for name, values in (("same", lost), ("turned", np.rot90(lost, 2)))
    )
    found, other = read_simulated([cell], [[same, turned]]).maps
    # What was drawn from the lithium's own map agrees with it, in its place and no other.
    assert found.found.strongest.seen > 0.9
    assert found.p_value < 0.02
    assert np.nanmean(found.lost_um[:8, :8]) > 10 > np.nanmean(found.lost_um[-8:, -8:])
    assert other.found.strongest.seen < 0.3
    rows = simulated_table(AllSimulated(maps=[found, other]))
    assert set(rows["of"]) == {"block"}
    assert (rows["columns"] == count**2).all()
    assert rows["r"].max() == pytest.approx(found.found.strongest.seen, abs=0.1)
    figure = maps_figure([found, other])
    assert [axis.get_ylabel().split("\n")[0] for axis in figure.axes[:6:3]] == ["a, all active"] * 2


def test_a_block_on_the_measured_face_has_no_p_and_one_too_small_says_so(cell, tmp_path):
    edge = 4 * cell.result.voxel_size_um
    count = int(1.9 * cell.geometry.bore_radius_um / edge)
    lost, first = lost_map(cell, count, edge)
    given = {"first_um": first, "edge_um": edge}
    measured = block(cell, tmp_path / "measured", 1 + 0.02 * lost, face="measured", **given)
    small = block(cell, tmp_path / "small", np.linspace(0.9, 1.1, 64).reshape(8, 8), **given)
    even = block(cell, tmp_path / "even", np.ones_like(lost), **given)
    one, two, three = read_simulated([cell], [[measured, small, even]]).maps
    assert np.isfinite(one.found.strongest.seen)
    assert np.isnan(one.p_value)
    assert two.found is None
    assert "is too narrow for maps at 25 µm" in two.reason
    assert three.reason == "one of both is the same everywhere"
    assert maps_figure([one, two, three]) is not None
    beside = block(cell, tmp_path / "beside", lost, first_um=(9e5, 0), edge_um=edge)
    with pytest.raises(XctError, match="lies outside of it"):
        read_simulated([cell], [[beside]])


def test_simulations_that_lie_with_a_result_are_found_and_stale_ones_are_left_out(cell, tmp_path):
    now = result_checksum(cell.result.path)
    edge = cell.result.voxel_size_um
    place = {"first_um": (0.0, 0.0), "edge_um": edge}
    field = np.ones(cell.result.stored_volume.shape[1:])
    block(cell, tmp_path / "here", field, result_checksum=now, **place)
    block(cell, tmp_path / "stale", field, result_checksum="0" * 16, **place)
    (tmp_path / "elsewhere").mkdir()
    described(tmp_path / "other", {"block": {"result": str(tmp_path / "elsewhere")}})
    described(tmp_path / "ideal", {"ideal": {}})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "simulation.yaml").write_text("[", encoding="utf-8")
    assert read_simulated([cell], [[]]).maps == []  # a study that wants none
    found = read_simulated([cell], [None])
    assert len(found.maps) == 1
    assert found.lines == []
    [said] = found.warnings
    assert said.startswith(str(tmp_path / "stale"))
    assert "a was measured anew since it was simulated; run `xct simulate` again: left out" in said
    # Moved with its simulation, a result is known by what was measured in it.
    moved = tmp_path / "moved" / "cell"
    shutil.copytree(cell.result.path, moved)
    shutil.copytree(tmp_path / "here", tmp_path / "moved" / "here")
    shutil.rmtree(tmp_path / "here")
    again = Cell("a", "NCM", 50, open_result(moved))
    assert len(read_simulated([again], [None]).maps) == 1
    # One that is named is used, and what is odd about it said.
    named = read_simulated([cell], [[str(tmp_path / "stale")]])
    assert len(named.maps) == 1
    assert "run `xct simulate` again" in named.warnings[0]


def test_a_study_takes_what_lies_with_its_results_and_shows_the_maps(cell, tmp_path):
    edge = 4 * cell.result.voxel_size_um
    lost, first = lost_map(cell, int(1.9 * cell.geometry.bore_radius_um / edge), edge)
    block(cell, tmp_path / "flat", 1 + 0.02 * lost, first_um=first, edge_um=edge)
    found = compare([cell.result])
    assert {"r", "r_low", "r_high", "p_value"} <= set(found.tables["simulated"])
    part = simulated_part(found.simulated, found.tables)
    assert list(part.figures) == ["simulated_maps"]
    assert list(part.tables) == ["simulated"]
    named = load_study({"study": {"cells": [{"result": "a", "simulation": ["b", "c"]}]}})
    assert len(named.study.cells[0].simulations) == 2
