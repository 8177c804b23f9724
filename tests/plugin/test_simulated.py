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
    return simulate({"simulate": settings}, out=out).cases[0].solved


@pytest.fixture(scope="module")
def simulated(cell_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "plane"
    return out, plane_of(cell_folder, out)


def lies_where_it_was_found(layer, solved):
    """Whether a layer's potential at the places of nodes is that of the nodes."""
    mesh, potential = solved.conduction.circuit.mesh, solved.conduction.potential_v
    inside = (mesh.points > 10).all(axis=1) & (mesh.points < mesh.points.max(axis=0) - 10).all(
        axis=1
    )
    chosen = np.flatnonzero(np.isfinite(potential) & inside)[::7]
    world = solved.domain.frame.volume_um(mesh.points[chosen])
    seen = np.array([layer.get_value(tuple(at), world=True) for at in world], float)
    differences = np.abs(seen - 1e3 * potential[chosen])
    known = np.isfinite(differences)  # beside a particle the pixel may be the particle's
    return known.mean() > 0.6 and np.percentile(differences[known], 90) < 1.0


def value_at(layer, z, y, x):
    """Read a layer's value at a place in the world, with no window."""
    data, settings = layer[:2]
    index = (np.array([z, y, x]) - settings["translate"]) / settings["scale"]
    return data[tuple(np.rint(index).astype(int))]


def by_name(path):
    return {settings["name"]: (data, settings) for data, settings, _ in read(path)}


def test_a_plane_lies_over_its_slice_with_potential_current_and_stress(
    viewer, cell_folder, simulated
):
    folder, solved = simulated
    fill([folder, cell_folder], lambda **_: viewer)
    layers = {layer.name: layer for layer in viewer.layers}
    named = ["current density (A/m²)", "von Mises stress (MPa)", "current, arrows"]
    assert list(layers)[-4:] == [POTENTIAL, *(f"all active: {name}" for name in named)]
    assert {str(unit) for layer in layers.values() for unit in layer.units} == {"micrometer"}
    at = 190.0 + 20
    assert viewer.dims.order == (1, 0, 2)
    assert viewer.dims.point[1] == pytest.approx(at, abs=VOXEL_UM / 2)
    potential = layers[POTENTIAL]
    assert lies_where_it_was_found(potential, solved)
    # One voxel thick, so that other slices do not show it.
    assert (potential.data.shape[1], potential.scale[1]) == (1, VOXEL_UM)
    arrows = layers["all active: current, arrows"]
    assert np.mean(arrows.data[:, 1, 0]) < 0  # Li⁺ goes to the anode, which lies at low z
    with_it = picture(viewer)
    potential.visible = arrows.visible = False
    changed = np.abs(with_it - picture(viewer)).sum(axis=-1) > 60
    assert 0.05 < changed.mean() < 0.8


def test_a_plane_across_the_other_axis_of_a_cell_that_stands_on_its_head_lies_there(
    viewer, other_folder, tmp_path
):
    solved = plane_of(other_folder, tmp_path / "plane", along="y")
    layers = open_with_xct(viewer, tmp_path / "plane", slices=False)
    assert viewer.dims.order == (2, 0, 1)
    assert viewer.dims.point[2] == pytest.approx(210, abs=VOXEL_UM / 2)
    assert lies_where_it_was_found(layers[POTENTIAL], solved)
    arrows = layers["all active: current, arrows"]
    assert np.mean(arrows.data[:, 1, 0]) > 0  # its anode is at large z


def test_a_block_fills_its_part_of_the_cell(other_folder, tmp_path):
    settings = {"block": {"result": str(other_folder), "voxels": 32, "width_um": 120}}
    [found] = simulate({"simulate": settings}, out=tmp_path / "block").blocks
    layers = by_name(tmp_path / "block")
    face = VOXEL_UM * (59 - HEIGHTS["lithium_electrolyte"])
    block, (down, rows, columns) = found.block, np.nonzero(np.isfinite(found.potential_v))
    for n in range(0, len(down), len(down) // 20):
        index = np.array([down[n], rows[n], columns[n]])
        # Planes of a block begin at the anode, which is at large z.
        at = np.array(block.first_um) + np.array([-1, 1, 1]) * index * block.voxel_um
        expected = 1e3 * found.potential_v[tuple(index)]
        assert value_at(layers[POTENTIAL], *at) == pytest.approx(expected, rel=1e-5)
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
