"""Scenes of a cell drawn by hand: bodies lie where the materials are, in world coordinates."""

import numpy as np
import pytest

from tests.plugin.drawn import HEIGHTS, RADIUS_UM, SHAPE, VOXEL_UM
from tests.study.drawn import draw_cell_result
from xct.analyze.roi.files import read_rois, roi_set_file
from xct.render.building import scene_of
from xct.render.particles import coarseness
from xct.render.scene import World
from xct.result import open_result


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    for anode in ("low_z", "high_z"):
        draw_cell_result(folder / anode, name=anode, absent=0.2, anode=anode)
    return {anode: open_result(folder / anode) for anode in ("low_z", "high_z")}


def body(scene, name):
    return next(each for each in scene.bodies if each.name == name)


def volume_um3(body):
    """Volume by the divergence theorem; the sign says which way the triangles are turned."""
    a, b, c = body.points[body.triangles].astype(float).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def middle_um():
    ends = [(HEIGHTS[name] - 0.5) * VOXEL_UM for name in ("steel_lithium", "cathode_collector")]
    return sum(ends) / 2


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
def test_layers_lie_on_top_of_each_other_with_the_anode_on_top(results, anode):
    scene = scene_of(results[anode], "a", across=60)
    lithium, glass = body(scene, "lithium"), body(scene, "electrolyte")
    steel = (HEIGHTS["steel_lithium"] - 0.5) * VOXEL_UM - middle_um()
    assert lithium.points[:, 2].max() == pytest.approx(-steel, abs=1e-3)
    thickness = (HEIGHTS["lithium_electrolyte"] - HEIGHTS["steel_lithium"]) * VOXEL_UM
    assert np.ptp(lithium.points[:, 2]) == pytest.approx(thickness, abs=1e-3)
    assert glass.points[:, 2].min() == pytest.approx(steel, abs=1e-3)
    assert scene.radius_um == RADIUS_UM


def test_the_volume_of_lithium_is_that_of_three_quarters_less_the_hole(results):
    """The drawing has no lithium in a quarter of the volume, which holds a quarter of the bore."""
    scene = scene_of(results["low_z"], "a", across=200)
    lithium, gone = body(scene, "lithium"), body(scene, "absent_lithium")
    radius = RADIUS_UM - 1.5 * VOXEL_UM
    quarter = np.pi / 4 * radius**2
    thickness = (HEIGHTS["lithium_electrolyte"] - HEIGHTS["steel_lithium"]) * VOXEL_UM
    assert abs(volume_um3(lithium)) == pytest.approx(2 * quarter * thickness, rel=0.03)
    assert abs(volume_um3(gone)) == pytest.approx(quarter * 1.0, rel=0.1)


@pytest.mark.parametrize("name", ["lithium", "electrolyte", "active_material", "drifted"])
def test_bodies_are_closed(results, name):
    """Every edge belongs to as many triangles in one direction as in the other."""
    found = body(scene_of(results["low_z"], "a", across=60), name)
    _, place = np.unique(np.round(found.points, 2), axis=0, return_inverse=True)
    corners = place.ravel()[found.triangles]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]  # triangles at the axis have no area
    count = len(found.points)
    forth = np.bincount(edges[:, 0] * count + edges[:, 1], minlength=1)
    back = np.bincount(edges[:, 1] * count + edges[:, 0], minlength=1)
    assert len(edges)
    assert np.array_equal(np.flatnonzero(forth), np.flatnonzero(back))


@pytest.mark.parametrize("across", [400, 40])  # own voxels, and coarse ones
def test_particles_are_where_the_table_says_and_the_quarter_is_empty(results, across):
    result = results["low_z"]
    scene = scene_of(result, "a", across=across)
    drifted, active = body(scene, "drifted"), body(scene, "active_material")
    row = result.tables["particles"].query("drifted").iloc[0]
    world = World(result.cell, middle_um())
    expected = world.points(*(np.array([row[f"{axis}_um"]]) for axis in "zyx"))[0]
    assert drifted.points.mean(axis=0) == pytest.approx(expected, abs=1.0)
    assert abs(volume_um3(drifted)) == pytest.approx(row["volume_um3"], rel=0.15)
    x, y, z = active.points.T
    step = coarseness(result.cell, across) * VOXEL_UM
    assert not ((x > step) & (y < -step)).any()
    front = -((HEIGHTS["electrolyte_cathode"] - 0.5) * VOXEL_UM - middle_um())
    assert z.max() < front + step  # the particle that drifted is no part of it
    shown = result.tables["particles"].query("not drifted")
    y_um, x_um = shown["y_um"] - result.cell.axis_y_um, shown["x_um"] - result.cell.axis_x_um
    outside = ~((x_um > 0) & (y_um > 0))
    whole = shown.loc[outside & (x_um.abs() > 24) & (y_um.abs() > 24), "volume_um3"].sum()
    assert abs(volume_um3(active)) > 0.8 * whole


def test_both_sides_of_the_cut_show_what_lies_there(results):
    """White particles, dark lithium; the steel is left out. Faces begin at the axis."""
    scene = scene_of(results["low_z"], "a")
    along_x, along_y = scene.faces
    assert np.argmax(np.abs(along_x.along)) == 0
    assert np.argmax(np.abs(along_y.along)) == 1
    assert along_y.along[1] < 0
    for face in scene.faces:
        alpha, rows = face.rgba[..., 3], len(face.rgba)
        steel = round(HEIGHTS["steel_lithium"] / SHAPE[0] * rows)
        collector = round(HEIGHTS["cathode_collector"] / SHAPE[0] * rows)
        assert not alpha[: steel - 8].any()
        assert not alpha[collector + 8 :].any()
        assert alpha[steel + 8 : collector - 8].all()
    lithium = along_x.rgba[round(12 / SHAPE[0] * rows), :, 0].mean()
    electrolyte = along_x.rgba[round(26 / SHAPE[0] * rows), :, 0].mean()
    assert lithium < 0.8 * electrolyte
    pink = (along_x.rgba[..., 0] > 200) & (along_x.rgba[..., 1] < 60)
    assert np.flatnonzero(pink.any(axis=1)).mean() == pytest.approx(16 / 64 * rows, abs=4)


def test_turning_is_no_mirroring():
    """x, y and z of the volume become a right-handed system whichever way the cell lay."""
    from tests.plugin.drawn import geometry

    for anode in ("low_z", "high_z"):
        world = World(geometry(HEIGHTS, anode), 0.0)
        zero, z, y, x = (
            world.points(*np.array([[v] for v in place], float))[0]
            for place in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
        )
        assert np.linalg.det(np.stack([x - zero, y - zero, z - zero])) == pytest.approx(1.0)


def test_rois_are_outlined_where_they_lie_and_what_lies_elsewhere_is_said(results):
    from xct.analyze import BoxRoi

    rois = read_rois(roi_set_file("zheng2023"))
    far = BoxRoi("far", "electrolyte_cathode", (900.0, 940.0), (-20.0, 20.0), (0.0, 40.0))
    scene = scene_of(results["low_z"], "a", rois=[*rois, far], across=60)
    assert [outline.name for outline in scene.outlines] == [roi.name for roi in rois]
    assert "ROI far: " in scene.missing[-1]
    box = next(outline for outline in scene.outlines if outline.name == "C-1")
    thickness = (HEIGHTS["cathode_collector"] - HEIGHTS["electrolyte_cathode"]) * VOXEL_UM
    assert np.ptp(box.body.points[:, 2]) == pytest.approx(0.7 * thickness, rel=0.01)
    assert box.body.points[:, 0].min() == pytest.approx(-0.75 * RADIUS_UM, abs=0.1)


def test_the_bore_sets_how_coarse_it_is_seen():
    from tests.plugin.drawn import geometry

    cell = geometry(HEIGHTS)  # 80 voxels across the bore
    assert [coarseness(cell, across) for across in (400, 80, 79, 40, 20)] == [1, 1, 2, 2, 4]
