"""Volumes that are not as they should be: a run says what it cannot do, and does the rest."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

import xct
from xct.geometry import Label
from xct.phantom.cell.cell import draw_cell

SHAPE, VOXEL_UM = (128, 160, 160), 2.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cell():
    return draw_cell("ncm-100", shape=SHAPE, voxel_um=VOXEL_UM, seed=1)


@pytest.fixture(scope="module")
def volume(cell):
    """What a scan would give: blurred, with noise, 0 outside of the circle."""
    rng = np.random.default_rng(0)
    mu = gaussian_filter(cell.mu(0, SHAPE[0]), 0.6) + rng.normal(0, 1, SHAPE)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]] - (SHAPE[1] - 1) / 2
    mu[:, np.hypot(y, x) > SHAPE[1] / 2] = 0
    return mu.astype(np.float32)


@pytest.fixture
def measure(tmp_path):
    def run(values, until=None, size=(VOXEL_UM,) * 3, **cell):
        """Run as far as the test looks; to the end, with figures, where that is not said."""
        tifffile.imwrite(tmp_path / "v.tif", values.astype(np.float32), photometric="minisblack")
        volume = {"file": str(tmp_path / "v.tif"), "voxel_size_um": list(size)}
        config = {
            "volume": volume, "pipeline": "analyze", "output": str(tmp_path / "out"), "cell": cell,
            "run": {} if until is None else {"figures": "none"},
        }  # fmt: skip
        return xct.run(config, until=until)

    return run


def value(result, name):
    return result.summary[name]["value"]


def said_by(result, step):
    return " ".join(w["message"] for w in result.warnings if w["step"] == step)


def slice_of(cell, name):
    return round(cell.geometry.planes[name].height_um / VOXEL_UM)


def test_a_cell_upside_down_is_the_same_cell(measure, volume, cell):
    result = measure(volume[::-1], "layer_thickness")
    assert value(result, "anode") == "high_z"
    true = cell.surfaces["lithium_electrolyte"].height_um - cell.surfaces["steel_lithium"].height_um
    gone = np.isfinite(cell.surfaces["steel_lithium"].height_um) & np.isnan(true)
    mean = np.nansum(true) / (np.isfinite(true) | gone).sum()
    assert value(result, "thickness_um.lithium") == pytest.approx(mean, abs=VOXEL_UM)


def test_the_other_side_of_the_anode_is_not_believed_against_the_image(measure, volume):
    result = measure(volume, "find_cell", anode="high_z")
    assert "anode" in said_by(result, "find_cell")


def test_voxels_without_a_value_are_counted_and_left_out(measure, volume):
    holes = volume.copy()
    holes[40, 60:70, 70] = np.nan
    result = measure(holes, "layer_thickness")
    assert "10 voxels of the volume are NaN" in said_by(result, "copy")
    assert np.isfinite(value(result, "thickness_um.lithium"))


def test_an_empty_volume_is_said_to_be_empty(measure, volume):
    result = measure(np.zeros_like(volume))
    assert "every voxel of the volume is 0" in said_by(result, "find_cell")
    assert "there is no cell" in said_by(result, "surfaces")
    assert "volume_fraction.lithium" not in result.summary


def test_without_electrolyte_there_is_no_grey_scale(measure, volume):
    result = measure(np.where(np.abs(volume - 5) < 3, 0, volume), "electrolyte_reference")
    assert "no electrolyte is in view" in said_by(result, "electrolyte_reference")


def test_without_lithium_the_cathode_is_measured_all_the_same(measure, volume, cell):
    result = measure(volume[slice_of(cell, "lithium_electrolyte") + 14 :], "layer_thickness")
    assert "thickness_um.lithium" not in result.summary
    assert "lithium_electrolyte" in said_by(result, "surfaces")
    true = cell.geometry.planes
    thickness = true["cathode_collector"].height_um - true["electrolyte_cathode"].height_um
    assert value(result, "thickness_um.cathode") == pytest.approx(thickness, abs=2 * VOXEL_UM)


def test_a_field_of_view_inside_the_bore_is_enough_for_layers(measure, volume):
    result = measure(volume[:, 40:120, 40:120], "layer_thickness")
    assert "the wall of the bore is not in view" in said_by(result, "find_cell")
    assert "bore_radius_um" not in result.summary
    whole = 123.4
    assert value(result, "thickness_um.electrolyte") == pytest.approx(whole, abs=3)


def test_slices_twice_as_far_apart_give_the_same_lengths(measure, volume):
    result = measure(volume[::2], "layer_thickness", (2 * VOXEL_UM, VOXEL_UM, VOXEL_UM))
    assert value(result, "thickness_um.electrolyte") == pytest.approx(123.4, abs=2)
    assert value(result, "bore_radius_um") == pytest.approx(137.6, abs=0.3)


def test_a_cathode_alone_gives_its_particles(measure, volume, cell):
    front = slice_of(cell, "electrolyte_cathode") + 8
    stop = slice_of(cell, "cathode_collector") - 4
    result = measure(volume[front:stop])
    assert "all that lies in the bore is taken to be cathode" in said_by(result, "find_cell")
    assert "neither plane is in view" in said_by(result, "surfaces")
    assert "thickness_um.cathode" not in result.summary
    mine, true = np.asarray(result.labels("particles")[:]), cell.particles(front, stop)
    assert value(result, "particles") > 0.8 * np.unique(true).size
    active = mine > 0, cell.labels(front, stop) == Label.ACTIVE_MATERIAL
    assert 2 * (active[0] & active[1]).sum() / (active[0].sum() + active[1].sum()) > 0.9
    wide = np.flatnonzero(np.bincount(true.ravel())[1:] > np.pi / 6 * 5**3) + 1
    assert found_again(true, mine, wide).mean() > 0.98
    assert np.isfinite(value(result, "median_diameter_um"))


def found_again(true, mine, numbers):
    """Determine which of the true particles share most of their voxels with one that was found."""
    sizes = np.bincount(true.ravel()), np.bincount(mine.ravel())
    both = (true > 0) & (mine > 0)
    (i, j), shared = np.unique(np.stack([true[both], mine[both]]), axis=1, return_counts=True)
    return np.isin(numbers, i[shared / (sizes[0][i] + sizes[1][j] - shared) >= 0.5])


@pytest.mark.parametrize("size", [(2, 1.7, 2), (2, 2, 1.7)])
def test_a_wrong_voxel_size_across_is_said_to_be_one(measure, volume, size):
    said = said_by(measure(volume, "find_cell", size), "find_cell")
    assert "the bore is not round" in said
    assert "voxel size of one of the axes is probably wrong" in said


def test_one_material_alone_is_no_cell(measure):
    rng = np.random.default_rng(2)
    result = measure(rng.normal(5, 0.5, SHAPE), "particles")
    assert "not in view" in said_by(result, "find_cell")
    assert value(result, "particles") == 0
