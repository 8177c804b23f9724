"""ROIs by parts of the bore and of a layer, on cells whose geometry is written by hand."""

import numpy as np
import pytest

from xct.analyze.roi.files import parse_rois, read_rois, roi_set_file, write_rois
from xct.analyze.roi.scaled import ScaledRoi, flat_on_cell, on_cell
from xct.errors import XctError
from xct.geometry import CellGeometry, Plane, Surface

FRONT, BACK = "electrolyte_cathode", "cathode_collector"


def cell(scale=1, anode="low_z"):
    """A bore of 40 µm radius and a cathode from 30 to 50 µm, or so many times as large."""
    heights = {"lithium_electrolyte": 10.0, FRONT: 30.0, BACK: 50.0}
    if anode == "high_z":
        heights = {name: 60.0 - height for name, height in heights.items()}
    planes = {name: Plane(scale * height) for name, height in heights.items()}
    shape = (61 * scale, 101 * scale, 101 * scale)
    middle = 50.0 * scale
    return CellGeometry(shape, (1.0,) * 3, middle, middle, 40.0 * scale, anode=anode, planes=planes)


BOX = ScaledRoi(
    "g1", FRONT, depth_of_layer=(0.25, 0.75), y_of_bore=(-0.5, 0.5), x_of_bore=(0.0, 0.5)
)


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
def test_a_box_is_the_same_part_of_a_cell_of_any_size(anode):
    for scale in (1, 2):
        z, y, x = BOX.region(cell(scale, anode)).slices
        assert z.stop - z.start == 10 * scale
        assert (y.start, y.stop, x.start, x.stop) == (
            30 * scale,
            70 * scale,
            50 * scale,
            70 * scale,
        )
        assert abs((z.start + z.stop) / 2 - (40 if anode == "low_z" else 20) * scale) <= 1


def test_a_semicircle_holds_half_of_a_circle():
    whole = ScaledRoi("f1", FRONT, depth_um=(2.0, 4.0), radius_of_bore=(0.0, 0.9))
    half = ScaledRoi(
        "f2", FRONT, depth_um=(2.0, 4.0), radius_of_bore=(0.0, 0.9), azimuth_deg=(0, 180)
    )
    count = [int(roi.region(cell()).mask().sum()) for roi in (whole, half)]
    assert count[1] / count[0] == pytest.approx(0.5, abs=0.02)
    assert count[0] / 2 == pytest.approx(np.pi * 36**2, rel=0.01)


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
def test_a_roi_that_follows_a_surface_lies_at_one_depth_below_it(anode):
    here = cell(1, anode)
    sign = here.sign
    bumps = 6.0 * np.sin(np.arange(101) / 8.0)[None, :] + np.zeros((101, 1))
    height = here.planes[FRONT].height_um + sign * bumps
    height[45:47, 52:54] = np.nan
    surfaces = {FRONT: Surface(height, np.zeros_like(height), "")}
    roi = ScaledRoi(
        "f1", FRONT, depth_um=(3.0, 8.0), y_of_bore=(-0.4, 0.4), x_of_bore=(-0.4, 0.4), follow=True
    )
    region = on_cell(roi, here, surfaces).region(here)
    z, y, x = region.slices
    mask = region.mask()
    depth = sign * (np.arange(z.start, z.stop)[:, None, None] - height[None, y, x])
    assert np.array_equal(mask, (depth >= 3.0) & (depth < 8.0))  # NaN holds nothing
    assert mask.any()
    cut = np.concatenate([region.mask(a, a + 3) for a in range(0, region.shape[0], 3)])
    assert np.array_equal(cut, mask)


def test_a_roi_of_a_layer_without_its_far_face_says_which_is_missing():
    bare = cell()
    bare = CellGeometry(**{**vars(bare), "planes": {FRONT: bare.planes[FRONT]}})
    with pytest.raises(XctError, match="is not in view"):
        flat_on_cell(BOX, bare)
    with pytest.raises(
        ValueError, match=r"g1 is a part of the layer .* cathode_collector is not in view"
    ):
        BOX.region(bare)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (
            "depth_um: [0, 9], depth_of_layer: [0, 1], radius_of_bore: [0, 1]",
            "give one of depth_um",
        ),
        ("depth_um: [0, 9], radius_of_bore: [0, 1], x_of_bore: [0, 1]", "give radius_of_bore, or"),
        ("depth_um: [9, 0], radius_of_bore: [0, 1]", "low below high"),
        ("depth_um: [0, 9], radius_of_bore: [0, 1], follow: 3", "not true or false"),
    ],
)
def test_mistakes_are_named_with_their_line(facts, error):
    text = f"rois:\n  a: {{shape: scaled, surface: {FRONT}, {facts}}}\n"
    with pytest.raises(XctError, match=rf"set:2: rois\.a.*{error}"):
        parse_rois(text, "set")


def test_the_set_of_the_study_has_its_fourteen_regions_and_survives_writing(tmp_path):
    rois = read_rois(roi_set_file("zheng2023"))
    names = [f"{kind}-{n}" for kind in "CE" for n in (1, 2, 3, 4)]
    assert [roi.name for roi in rois] == [*names, "f1", "f2", "f3", "g1", "g2", "g3"]
    write_rois(tmp_path / "again.yaml", rois)
    assert read_rois(tmp_path / "again.yaml") == rois
    with pytest.raises(XctError, match="did you mean zheng2023"):
        roi_set_file("zheng203")


def test_a_viewer_draws_a_scaled_roi_flat_and_in_um():
    follows = ScaledRoi("f1", FRONT, depth_um=(2, 4), radius_of_bore=(0, 0.5), follow=True)
    drawn = flat_on_cell(follows, cell())
    assert (drawn.shape, drawn.radius_um, drawn.depth_um) == ("sector", (0.0, 20.0), (2, 4))
