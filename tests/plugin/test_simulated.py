"""What was simulated lies over the cell that it is of, in its place and with its units."""

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import open_with_xct, picture
from tests.plugin.drawn import HEIGHTS, VOXEL_UM
from xct.errors import XctError
from xct.plugin.data.reader import read
from xct.plugin.view import fill
from xct.simulate import simulate

POTENTIAL = "all active: potential (mV)"


def plane_of(folder, out, **plane):
    settings = {
        "slice": {"result": str(folder), "offset_um": 20, **plane},
        "mesh": {"boundary_um": 12},
        "mechanics": {"charge_uah_cm2": 0.1},
    }
    return simulate({"simulate": settings}, out=out)


@pytest.fixture(scope="module")
def simulated(cell_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "plane"
    plane_of(cell_folder, out)
    return out


def value_at(layer, z, y, x):
    """Read a layer's value at a place in the world, with no window."""
    data, settings = layer[:2]
    index = (np.array([z, y, x]) - settings["translate"]) / settings["scale"]
    return data[tuple(np.rint(index).astype(int))]


def by_name(path):
    return {settings["name"]: (data, settings) for data, settings, _ in read(path)}


def test_a_plane_lies_over_its_slice_with_potential_current_and_stress(
    make_napari_viewer, cell_folder, simulated
):
    viewer = fill([simulated, cell_folder], lambda title: make_napari_viewer(show=True))
    layers = {layer.name: layer for layer in viewer.layers}
    named = ["current density (A/m²)", "von Mises stress (MPa)", "current, arrows"]
    assert list(layers)[-4:] == [POTENTIAL, *(f"all active: {name}" for name in named)]
    assert {str(unit) for layer in layers.values() for unit in layer.units} == {"micrometer"}
    at, x = 190.0 + 20, 260.0
    assert viewer.dims.order == (1, 0, 2)
    assert viewer.dims.point[1] == pytest.approx(at, abs=VOXEL_UM / 2)
    face, front = (VOXEL_UM * HEIGHTS[n] for n in ("lithium_electrolyte", "electrolyte_cathode"))
    potential = layers[POTENTIAL]
    near, far = (potential.get_value((z, at, x), world=True) for z in (face + 4, front - 4))
    # 100 A/m² over the electrolyte: a third of a millivolt for each µm.
    assert 0 < near < 4
    assert far - near == pytest.approx((front - face - 8) / 3, rel=0.1)
    assert potential.get_value((face + 4, at + 40, x), world=True) is None  # in that plane alone
    current = layers["all active: current density (A/m²)"]
    at_half = current.get_value(((face + front) / 2, at, x), world=True)
    assert at_half == pytest.approx(100, rel=0.1)
    arrows = layers["all active: current, arrows"]
    places, directions = np.moveaxis(arrows.data, 1, 0)
    between = np.abs(arrows.scale[0] * places[:, 0] + arrows.translate[0] - 104) < 20
    assert directions[between, 0].max() < 0  # Li⁺ goes to the anode, which lies at low z
    with_it = picture(viewer)
    potential.visible = arrows.visible = False
    changed = np.abs(with_it - picture(viewer)).sum(axis=-1) > 60
    assert 0.05 < changed.mean() < 0.8


def test_a_plane_across_the_other_axis_of_a_cell_that_stands_on_its_head_lies_there(
    viewer, other_folder, tmp_path
):
    plane_of(other_folder, tmp_path / "plane", along="y")
    layers = open_with_xct(viewer, tmp_path / "plane", slices=False)
    assert viewer.dims.order == (2, 0, 1)
    assert viewer.dims.point[2] == pytest.approx(210, abs=VOXEL_UM / 2)
    # Its anode is at large z, and its surfaces lie 5 slices lower.
    face, front = (VOXEL_UM * (59 - HEIGHTS[n]) for n in
                   ("lithium_electrolyte", "electrolyte_cathode"))  # fmt: skip
    potential = layers[POTENTIAL]
    near, far = (potential.get_value((z, 190, 210), world=True) for z in (face - 6, front + 6))
    assert 0 < near < 5
    assert far - near == pytest.approx((face - front - 12) / 3, rel=0.1)
    arrows = layers["all active: current, arrows"]
    places, directions = np.moveaxis(arrows.data, 1, 0)
    between = np.abs(arrows.scale[0] * places[:, 0] + arrows.translate[0] - 132) < 20
    assert directions[between, 0].min() > 0


def test_a_block_fills_its_part_of_the_cell(other_folder, tmp_path):
    settings = {"block": {"result": str(other_folder), "voxels": 32, "width_um": 120}}
    simulate({"simulate": settings}, out=tmp_path / "block")
    layers = by_name(tmp_path / "block")
    face = VOXEL_UM * (59 - HEIGHTS["lithium_electrolyte"])
    values = [value_at(layers[POTENTIAL], face - d, 190, 190) for d in (10, 50)]
    assert values[1] - values[0] == pytest.approx(40 / 3, rel=0.15)
    data, settings = layers["all active: current at the lithium over its mean"]
    # It lies at the anode's end, and is one slice thick.
    assert settings["translate"][0] > face
    assert data.shape[0] == 1


def test_an_ideal_cell_is_a_picture_and_a_damaged_one_is_said(tmp_path):
    ideal = {"width_um": 90, "columns": 6, "rows": 2, "height_um": 100, "lithium_um": 80}
    mesh = {"boundary_um": 6, "coarsest_um": 16}
    simulate({"simulate": {"ideal": ideal, "mesh": mesh}}, out=tmp_path / "ideal")
    data, settings = by_name(tmp_path / "ideal")[POTENTIAL]
    rows, columns = (round(at / settings["scale"][0]) for at in (25, 45))
    assert data[rows, columns] < data[round(60 / settings["scale"][0]), columns]
    assert np.array(data.shape) * settings["scale"] == pytest.approx([100, 90], rel=0.05)
    shutil.rmtree(tmp_path / "ideal" / "cases")
    with pytest.raises(XctError, match="run `xct simulate` again"):
        read(tmp_path / "ideal")
