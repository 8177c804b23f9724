"""Twins in which only one thing happened: a run does not report what did not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import xct
from xct.geometry import Label
from xct.io.volumes import Coding, create_volume, write_slab
from xct.phantom.cell.cell import draw_cell

SHAPE, VOXEL_UM = (128, 192, 192), 2.0

pytestmark = pytest.mark.slow


@pytest.fixture
def measured(tmp_path):
    """Draw a state, and measure it blurred and with noise."""

    def run(state):
        cell = draw_cell(state, shape=SHAPE, voxel_um=VOXEL_UM, seed=1)
        noise = np.random.default_rng(0).normal(0, 1, SHAPE)
        mu = gaussian_filter(cell.mu(0, SHAPE[0]), 0.6) + noise
        create_volume(tmp_path / "volume.zarr", SHAPE, VOXEL_UM, Coding(), state)
        write_slab(tmp_path / "volume.zarr", 0, mu.astype(np.float32))
        volume = {"file": str(tmp_path / "volume.zarr"), "energy_kev": cell.energy_kev}
        output = {"output": str(tmp_path / "out"), "run": {"figures": "none"}}
        return cell, xct.run({"volume": volume, "pipeline": "analyze", **output})

    return run


def test_voids_are_not_reported_as_lithium(measured):
    cell, result = measured("ncm-100-voids")
    chips = result.tables["inclusions"]
    assert len(chips) > 3
    assert set(chips["kind"]) == {"low_grey"}
    true = cell.labels(0, SHAPE[0])
    above_steel = cell.geometry.planes["steel_lithium"].height_um / VOXEL_UM + 12
    enclosed = true == Label.LOW_GREY
    enclosed[: int(above_steel)] = False
    found = np.asarray(result.labels("materials")[:])[enclosed]
    assert (found == Label.LITHIUM).mean() < 0.1
    for name, bound in (
        ("thickness_um.lithium", "upper"),
        ("volume_fraction.lithium", "upper"),
        ("absent_area_fraction", "lower"),
    ):
        assert result.summary[name]["bound"] == bound
        assert "void" in result.summary[name]["note"]


def test_drift_without_a_change_of_lithium_content_is_not_reported_as_delithiation(measured):
    _, result = measured("ncm-100-drift-only")
    assert result.summary["drifted_particles"]["value"] > 0
    verdict = result.summary["drifted_charge"]["value"]
    assert verdict in ("no_change", "undecidable")
