"""Displacement is compared with the difference of two true states, by hand."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from xct.cli.virtual_cells import score as score_command
from xct.errors import XctError
from xct.geometry import SURFACES, CellGeometry, Surface
from xct.io.stores import write_object
from xct.io.surfaces import write_surfaces
from xct.result import open_result
from xct.score import score
from xct.score.surfaces import score_displacement

STEEL, LITHIUM, FRONT = SURFACES[:3]
SHAPE = (24, 30)
VOXEL = (2.0, 2.0, 2.0)


def level(height_um, sd_um=0.0):
    height = np.broadcast_to(np.float32(height_um), SHAPE).copy()
    sd = np.broadcast_to(np.float32(sd_um), SHAPE).copy()
    return Surface(height, np.where(np.isfinite(height), sd, np.nan).astype(np.float32), "by hand")


def state(folder, anode="low_z", **surfaces):
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"warnings": []}), "utf-8")
    cell = CellGeometry((80, *SHAPE), VOXEL, 23.0, 29.0, 0.0, 0.0, 20.0, 0.1, None, anode, {})
    write_object(folder / "cell.json", cell)
    write_surfaces(folder / "surfaces.zarr", surfaces, VOXEL)
    return folder


@pytest.fixture
def truths(tmp_path):
    """Lithium 3 µm thinner and gone in a corner, the front bent; the pin as it was."""
    lithium = level(57.0)
    lithium.height_um[:6, :6] = np.nan
    bent = level(100.0 + np.linspace(0, 2, SHAPE[1]))
    before = state(tmp_path / "before", **{STEEL: level(20), LITHIUM: level(60), FRONT: level(100)})
    now = state(tmp_path / "now", **{STEEL: level(20), LITHIUM: lithium, FRONT: bent})
    return now, before


@pytest.fixture
def result(tmp_path):
    """Half a µm too little; the front right but for its noise."""
    folder = state(tmp_path / "result", **{STEEL: level(20)})
    sd = np.where(np.arange(SHAPE[0])[:, None] < 12, 0.1, 1.0)
    noise = np.where(np.indices(SHAPE).sum(axis=0) % 2, 0.3, -0.3)
    maps = {LITHIUM: level(-3.5, sd), FRONT: level(np.linspace(0, 2, SHAPE[1]) + noise, 0.2)}
    write_surfaces(folder / "displacement.zarr", maps, VOXEL)
    return folder


def test_bias_rmse_and_coverage_are_those_put_in(result, truths):
    found = score(result, truths[0], pristine_truth=truths[1])
    count = SHAPE[0] * SHAPE[1]
    assert found[f"displacement_bias_um.{LITHIUM}"]["value"] == pytest.approx(-0.5)
    assert found[f"displacement_rmse_um.{LITHIUM}"]["value"] == pytest.approx(0.5)
    assert found[f"displacement_rmse_um.{LITHIUM}"]["n"] == count - 36  # none where it is gone
    covered = found[f"coverage_95.displacement.{LITHIUM}"]["value"]
    assert covered == pytest.approx(12 * 30 / (count - 36))
    assert found[f"displacement_bias_um.{FRONT}"]["value"] == pytest.approx(0, abs=1e-5)
    assert found[f"displacement_rmse_um.{FRONT}"]["value"] == pytest.approx(0.3, abs=1e-5)
    assert found[f"coverage_95.displacement.{FRONT}"]["value"] == 1


def test_off_the_anode_is_positive_whichever_side_it_is_on(tmp_path, result):
    before = state(tmp_path / "b", "high_z", **{STEEL: level(80), LITHIUM: level(40)})
    now = state(tmp_path / "n", "high_z", **{STEEL: level(80), LITHIUM: level(43.5)})
    found = score_displacement(open_result(result), open_result(now), open_result(before))
    assert found[f"displacement_bias_um.{LITHIUM}"]["value"] == pytest.approx(0, abs=1e-5)


def test_without_displacement_or_pristine_truth_there_is_nothing_to_compare(result, truths):
    assert not any("displacement" in name for name in score(result, truths[0]))
    found = score(truths[0], truths[0], pristine_truth=truths[1])
    assert not any("displacement" in name for name in found)


def test_truths_of_different_cells_are_refused(tmp_path, result, truths):
    other = state(tmp_path / "other", **{STEEL: level(20.2), LITHIUM: level(60)})
    with pytest.raises(XctError, match=r"not one cell: their pins differ by up to 0\.2 µm"):
        score(result, truths[0], pristine_truth=other)


def test_the_command_takes_the_pristine_truth(result, truths):
    words = [str(result), str(truths[0]), "--pristine-truth", str(truths[1]), "--json"]
    made = CliRunner().invoke(score_command, words)
    assert made.exit_code == 0
    found = json.loads(made.output)
    assert found[f"displacement_bias_um.{LITHIUM}"]["value"] == pytest.approx(-0.5)
