"""ROIs: the same voxels after drawing, saving and loading; the same place in another cell."""

import numpy as np
import pytest

from xct.analyze.roi.files import parse_rois, read_rois, write_rois
from xct.analyze.roi.shapes import (
    BoxRoi,
    LineRoi,
    SectorRoi,
    roi_from_box,
    roi_from_line,
    roi_from_polygon,
)
from xct.geometry import CellGeometry, Plane


def cell_of(anode="low_z", voxel=(1.3, 1.3, 1.3), shape=(90, 120, 110), height=40.0):
    front = {"low_z": height, "high_z": shape[0] * voxel[0] - height}[anode]
    return CellGeometry(
        shape,
        voxel,
        axis_y_um=shape[1] * voxel[1] * 0.51,
        axis_x_um=shape[2] * voxel[2] * 0.48,
        axis_slope_y=0.01,
        axis_slope_x=-0.02,
        bore_radius_um=60,
        anode=anode,
        planes={
            "lithium_electrolyte": Plane(front, 0.015, -0.01),
            "electrolyte_cathode": Plane(shape[0] * voxel[0] * 0.6, 0.01, 0.003),
        },
    )


BOX = (slice(31, 58), slice(20, 33), slice(77, 101))


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
@pytest.mark.parametrize("surface", ["nearest", "lithium_electrolyte", None])
@pytest.mark.parametrize("voxel", [(1.3, 1.3, 1.3), (0.65, 1.0, 2.0), (1 / 3, 0.1, 7.77)])
def test_a_box_drawn_saved_and_loaded_holds_the_same_voxels(anode, surface, voxel, tmp_path):
    cell = cell_of(anode, voxel)
    write_rois(tmp_path / "rois.yaml", [roi_from_box(cell, "C-1", BOX, surface)])
    (loaded,) = read_rois(tmp_path / "rois.yaml")
    region = loaded.region(cell)
    assert region.slices == BOX
    assert region.is_box
    assert region.in_view == 1
    assert region.mask().all()


def test_every_kind_of_roi_is_the_same_after_saving_to_the_last_digit(tmp_path):
    cell = cell_of()
    rois = [
        roi_from_box(cell, "C-1", BOX),
        SectorRoi("ring", None, (0, 20), (30 / 7, 50), (350, 400)),
        roi_from_polygon(cell, "é: 1", [(20, 30), (60.5, 33), (41, 70 / 3)], slice(30, 40)),
        roi_from_polygon(cell, "null", [(20, 30), (60, 33), (41, 70)], slice(30, 40), "y"),
        roi_from_line(cell, "yes", (10, 20, 30), (50, 60.25, 70), 1e-3 + 8),
    ]
    write_rois(tmp_path / "rois.yaml", rois)
    assert read_rois(tmp_path / "rois.yaml") == rois


def test_a_box_is_at_the_same_depth_in_a_cell_that_lies_otherwise():
    roi = BoxRoi("E", "lithium_electrolyte", (13.0, 39.0), (-13.0, 13.0), (0.0, 26.0))
    up, down = cell_of("low_z"), cell_of("high_z")
    for cell in (up, down):
        z, y, x = roi.region(cell).slices
        z_um = (np.arange(z.start, z.stop)) * cell.voxel_size_um[0]
        middle_y, middle_x = ((part.start + part.stop - 1) / 2 * 1.3 for part in (y, x))
        depth = cell.depth_um("lithium_electrolyte", z_um, middle_y, middle_x)
        assert depth.min() == pytest.approx(13, abs=1.4)
        assert depth.max() == pytest.approx(39, abs=1.4)
        assert (depth >= 13 - 0.05).all()
        assert (depth < 39 + 0.05).all()
        y_axis, _ = cell.axis_at(z_um.mean())
        assert y.start * 1.3 - y_axis >= -13
        assert (y.stop - y.start, x.stop - x.start) == (20, 20)


def test_a_line_is_a_cylinder():
    cell = cell_of()
    roi = LineRoi("L", "electrolyte_cathode", (-30.0, -20, -20), (20.0, 25, 20), 16.0)
    region = roi.region(cell)
    volume = np.pi * 8**2 * roi.length_um
    assert region.mask().sum() * 1.3**3 == pytest.approx(volume, rel=0.02)
    np.testing.assert_allclose(
        roi.corners(cell), [[*_index(cell, roi, end)] for end in (roi.from_um, roi.to_um)]
    )


def _index(cell, roi, point):
    frame = roi.frame(cell)
    return [float(frame.to_index(axis, point[axis])) for axis in range(3)]


def test_a_sector_has_its_area_and_its_azimuth():
    cell = cell_of()
    whole = SectorRoi("ring", "electrolyte_cathode", (-5, 5), (20, 50)).region(cell)
    quarter = SectorRoi("q", "electrolyte_cathode", (-5, 5), (20, 50), (-45, 45)).region(cell)
    rows = whole.shape[0]
    assert whole.mask().sum() / rows * 1.3**2 == pytest.approx(np.pi * (50**2 - 20**2), rel=0.01)
    assert quarter.mask().sum() == pytest.approx(whole.mask().sum() / 4, rel=0.02)
    middle = (quarter.slices[0].start + quarter.slices[0].stop) // 2
    azimuth = cell.azimuth_deg(middle)[quarter.slices[1:]]
    assert np.abs(azimuth[quarter.mask()[rows // 2]]).max() <= 45 + 0.5


@pytest.mark.parametrize("along", ["depth", "y", "x"])
def test_a_drawn_polygon_holds_the_voxels_within_its_edges(along):
    cell = cell_of("high_z")
    axis = ("depth", "y", "x").index(along)
    corners = np.array([(20.5, 30.5), (20.5, 50.5), (60.5, 50.5)])
    roi = roi_from_polygon(cell, "P", corners, slice(22, 31), along)
    region = roi.region(cell)
    assert (region.slices[axis].start, region.slices[axis].stop) == (22, 31)
    first, second = np.meshgrid(np.arange(21, 61), np.arange(31, 51), indexing="ij")
    expected = (second - 30.5) > (first - 20.5) / 2
    picture = np.moveaxis(region.mask(), axis, 0)[4]
    # Voxels on the long edge may be in or out.
    on_edge = np.isclose((second - 30.5), (first - 20.5) / 2, atol=1e-6)
    assert picture.shape == expected.shape
    assert (picture == expected)[~on_edge].all()
    others = [other for other in range(3) if other != axis]
    np.testing.assert_allclose(roi.corners(cell)[:, others], corners, atol=1e-9)


def test_a_mask_read_in_parts_is_the_whole_mask():
    region = LineRoi("L", None, (10, 0, 0), (70, 20, 20), 25).region(cell_of())
    rows = region.shape[0]
    parts = [region.mask(first, first + 7) for first in range(0, rows, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), region.mask())


def test_what_is_out_of_view_is_cut_off_and_said():
    cell = cell_of()
    region = BoxRoi("C", None, (-13, 13), (-20, 20), (-20, 20)).region(cell)
    assert region.slices[0] == slice(0, 10)
    assert region.in_view == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("roi", "error"),
    [
        (BoxRoi("far", None, (900, 990), (0, 9), (0, 9)), "far lies outside of the volume: along"),
        (BoxRoi("thin", None, (50.8, 51), (0, 9), (0, 9)), "thin lies between two voxels along z"),
        (BoxRoi("C", "steel_lithium", (0, 9), (0, 9), (0, 9)), "'steel_lithium' is not in view"),
    ],
)
def test_a_roi_without_voxels_says_why(roi, error):
    with pytest.raises(ValueError, match=error):
        roi.region(cell_of())


MISTAKES = """
rois:
  C-1: {surface: electrolite_cathode, depth_um: [80, 20], y_um: [0, 5], x_um: [0, 5]}
  C-2: {depth_um: [20, 80], y_um: [0, .nan], z_um: [0, 5]}
  C-3: {shape: sphere}
  C-4: {shape: polygon, span_um: [0, 5], corners_um: [[0, 0], [1, 1]], along: z}
  C-5: {shape: line, from_um: [0, 0, 0], to_um: [0, 0, 0], width_um: wide}
  C-6: 7
  C-7: {shape: sector, depth_um: 5, radius_um: [-3, 5], azimuth_deg: [0, 500]}
  C-8: {depth_um: [[1], 2], y_um: [0, 1], x_um: [0, 1]}
roi: 3
"""


def test_every_mistake_is_named_at_once_with_its_line():
    with pytest.raises(ValueError, match="C-1") as caught:
        parse_rois(MISTAKES, "rois.yaml")
    text = str(caught.value)
    for expected in (
        "rois.yaml:3: rois.C-1.surface: 'electrolite_cathode' is not one of steel_lithium",
        "rois.yaml:3: rois.C-1.depth_um: [80.0, 20.0] is not a span [low, high]",
        "rois.yaml:4: rois.C-2.z_um: unknown key (did you mean",
        "rois.yaml:4: rois.C-2: x_um is missing; a box needs depth_um, y_um, x_um",
        "rois.yaml:5: rois.C-3.shape: 'sphere' is not a shape; allowed: box, sector",
        "rois.yaml:6: rois.C-4.corners_um: a polygon has at least 3 corners, not 2",
        "rois.yaml:6: rois.C-4.along: 'z' is not one of depth, y, x",
        "rois.yaml:7: rois.C-5.width_um: 'wide' is not a number",
        "rois.yaml:8: rois.C-6: a ROI is a mapping",
        "rois.yaml:9: rois.C-7.depth_um: 5.0 is not a span",
        "rois.yaml:10: rois.C-8.depth_um: [[1.0], 2.0] is not a span",
        "rois.yaml:11: unknown key 'roi' (did you mean rois?)",
    ):
        assert expected in text


@pytest.mark.parametrize("text", ["", "- 1", "rois: [1]", "a: {"])
def test_a_file_without_rois_is_refused(text):
    with pytest.raises(ValueError, match=r"mapping|not valid YAML"):
        parse_rois(text)


def test_names_stand_once(tmp_path):
    roi = BoxRoi("C", None, (0, 9), (0, 9), (0, 9))
    with pytest.raises(ValueError, match="several ROIs are called C"):
        write_rois(tmp_path / "rois.yaml", [roi, roi])


def test_a_wrong_roi_cannot_be_made():
    with pytest.raises(ValueError, match=r"ROI C: depth_um: \[9, 0\] is not a span"):
        BoxRoi("C", None, (9, 0), (0, 9), (0, 9))
