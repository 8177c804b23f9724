"""Profiles through what is drawn: a tilted plate, and the layers of a cell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.plugin.drawn import MU, SHAPE, VOXEL_UM
from tests.study.drawn import draw_cell_result
from xct.errors import ConfigError
from xct.geometry import STANDARD_SCALE, Label
from xct.study.cells import open_cells
from xct.study.line_profiles import (
    _of_inclusions,
    measure_profiles,
    profile_numbers,
    profiles_figure,
    profiles_table,
)
from xct.study.settings import load_study

PLATE_UM = (8.0, 40.0, 80.0)  # short, middle, long


def plate_cell(tilt_deg=30.0, edge=2.0):
    """A cell that holds one plate of air in electrolyte, tilted about y."""
    rng = np.random.default_rng(0)
    shape = (80, 80, 80)
    place = np.stack(np.mgrid[: shape[0], : shape[1], : shape[2]], axis=-1) * edge
    middle = np.array([81.0, 77.0, 85.0])  # between voxels, so that 8 µm are four of them
    turn = np.radians(tilt_deg)
    axes = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    along = np.abs((place - middle) @ axes.T)
    inside = (along <= np.array(PLATE_UM) / 2).all(axis=-1)
    grey = np.where(inside, 20_000.0, 22_100.0) + rng.normal(0, 100, shape)
    labels = np.where(inside, Label.LOW_GREY, Label.ELECTROLYTE).astype(np.uint8)
    labels[2:5, 2:5, 2:5] = Label.LOW_GREY  # another one, which is not looked for
    z, y, x = middle
    table = pd.DataFrame({"inclusion": [7], "z_um": [z], "y_um": [y], "x_um": [x],
                          "volume_um3": [inside.sum() * edge**3], "feret_um": [90.0],
                          "thickness_um": [8.0]})  # fmt: skip
    cell = SimpleNamespace(
        name="A", grey_values=grey, table=lambda name: table,
        result=SimpleNamespace(labels=lambda name: labels, grey_scale=STANDARD_SCALE),
    )  # fmt: skip
    return cell, SimpleNamespace(voxel_size_um=(edge,) * 3, shape=shape)


@pytest.mark.parametrize("tilt_deg", [0.0, 30.0, 75.0])
def test_lines_go_along_and_across_an_inclusion_whichever_way_it_lies(tilt_deg):
    found = {each.way: each for each in _of_inclusions(*plate_cell(tilt_deg))}
    dark = {way: (each.table["grey_value"] < 21_050).sum() * 2.0 for way, each in found.items()}
    assert dark["across"] == pytest.approx(PLATE_UM[0], abs=2.5)
    assert dark["along"] == pytest.approx(PLATE_UM[2], abs=6)
    across = found["across"]
    assert across.name == "inclusion 7"
    assert across.opening_um == pytest.approx(PLATE_UM[0], abs=0.8)
    assert across.opening_um_sd < 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("cells")
    draw_cell_result(made / "fresh", name="A-0")
    return made


def profiles_of(folder, **lines):
    study = load_study({"study": {"cells": [{"result": str(folder / "fresh")}], "profiles": lines}})
    cells, _ = open_cells(study)
    return cells, *measure_profiles(cells, study.study.profiles)


def test_a_line_of_the_study_goes_from_steel_through_lithium_into_the_electrolyte(folder):
    line = {"surface": "lithium_electrolyte", "from_um": [-60, 40, 40], "to_um": [60, 40, 40],
            "width_um": 12.0}  # fmt: skip
    cells, found, said = profiles_of(folder, through=line)
    assert said == []
    table = profiles_table(found)
    assert list(table)[:4] == ["cell", "profile", "way", "distance_um"]
    at = [table.loc[(table["distance_um"] - s).abs().idxmin(), "grey_value"] for s in (8, 44, 100)]
    expected = [20_000 + 2100 * MU[label] / MU[2] for label in (4, 1, 2)]
    assert at == pytest.approx(expected, abs=200)
    numbers = profile_numbers(found).iloc[0]
    assert numbers["length_um"] == pytest.approx(120, abs=VOXEL_UM)
    assert profiles_figure(found, cells[0]) is not None


def test_a_line_that_leaves_the_volume_is_left_out_and_said(folder):
    far = {"surface": "lithium_electrolyte", "from_um": [0, 0, 0], "to_um": [SHAPE[0] * 9, 0, 0]}
    _, found, [said] = profiles_of(folder, far=far)
    assert found == []
    assert "A-0: profile far: a part of it lies outside of the volume; it is left out" in said


def test_a_mistake_in_a_line_is_said_with_its_key(folder):
    wrong = {"surface": "lithium_electrolyte", "from_um": [0, 0], "to_um": [1, 0, 0]}
    with pytest.raises(ConfigError, match=r"study.profiles.a.from_um"):
        profiles_of(folder, a=wrong)
    same = {"surface": "lithium_electrolyte", "from_um": [0, 0, 0], "to_um": [0, 0, 0]}
    with pytest.raises(ConfigError, match="the line ends where it starts"):
        profiles_of(folder, a=same)
