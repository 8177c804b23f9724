"""A cell is found in a volume: bore, axis, order of layers, side of the anode, planes."""

import warnings

import numpy as np
import pytest

from tests.normalize.layered_cell import LayeredCell
from tests.parallel.pickling import Pickling
from xct.errors import DataError
from xct.geometry import CellGeometry
from xct.io import overview
from xct.parallel.blocks import cut
from xct.parallel.executors import executed_by
from xct.segment import find_cell
from xct.segment.cell import coarse
from xct.segment.cell.bore_estimate import refuse_two_bores, slice_groups
from xct.segment.cell.layer_order import order_layers

CELL = LayeredCell()
VOXEL = (2.0, 2.0, 2.0)
PLAIN = ("steel_lithium", "lithium_electrolyte")
GRAINY = ("electrolyte_cathode", "cathode_collector")


def found(cell: LayeredCell, **given) -> CellGeometry:
    return find_cell(cell.draw(), voxel_size_um=VOXEL, **{"anode": None, **given})


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


@pytest.mark.parametrize("upside_down", [False, True])
def test_bore_axis_planes_and_anode_are_found(upside_down):
    cell = CELL.but(upside_down=upside_down, tilt=(0.012, -0.008), lean=(0.01, -0.012))
    geometry = found(cell)
    assert geometry.anode == ("high_z" if upside_down else "low_z")
    center = np.array([geometry.axis_y_um, geometry.axis_x_um]) / 2
    np.testing.assert_allclose(center, cell.center, atol=0.05)
    np.testing.assert_allclose(geometry.bore_radius_um / 2, cell.radius, atol=0.05)
    assert 0 < geometry.bore_radius_sd_um < 0.1
    np.testing.assert_allclose(geometry.tube_radius_um / 2, cell.radius + cell.wall, atol=0.3)
    lean = geometry.axis_slope_y, geometry.axis_slope_x
    np.testing.assert_allclose(lean, cell.lean, atol=3e-3)
    for name, height in cell.heights().items():
        plane = geometry.planes[name]
        close = 0.1 if name in PLAIN else 0.7
        assert abs(plane.height_um / 2 - height) < close, name
        slopes = (plane.slope_y, plane.slope_x)
        np.testing.assert_allclose(slopes, cell.tilt, atol=0.002 if name in PLAIN else 0.04)


def test_two_cells_side_by_side_are_refused_and_one_of_any_outline_is_not():
    y, x = np.mgrid[:60, :140]
    one, other = (np.hypot(y - 30, x - middle) < 25 for middle in (30, 84))
    refuse_two_bores(one)
    refuse_two_bores(one[:, :20])  # a part of it
    refuse_two_bores(np.ones((40, 140), bool))  # all in view
    refuse_two_bores(one | (np.hypot(y - 30, x - 70) < 8))  # a wire beside it
    for two in (one | other, one | np.roll(other, -4, axis=1)):
        with pytest.raises(DataError, match="two bores"):
            refuse_two_bores(two)


def test_heavy_noise_and_blur_change_little():
    cell = CELL.but(noise=3.0, blur=1.3)
    geometry = found(cell)
    np.testing.assert_allclose(geometry.bore_radius_um / 2, cell.radius, atol=0.08)
    for name, height in cell.heights().items():
        assert abs(geometry.planes[name].height_um / 2 - height) < 1.0, name


def test_a_thin_wall_does_not_shift_the_bore():
    geometry = found(CELL.but(wall=3.5))
    np.testing.assert_allclose(geometry.bore_radius_um / 2, CELL.radius, atol=0.05)
    np.testing.assert_allclose(geometry.tube_radius_um / 2, CELL.radius + 3.5, atol=0.4)


def test_any_linear_scale_gives_the_same_cell(volume):
    geometry = find_cell(volume, voxel_size_um=VOXEL, anode=None)
    codes = np.rint(volume * 40 + 20_000).astype(np.uint16)
    scaled = find_cell(codes, voxel_size_um=VOXEL, anode=None)
    assert scaled.bore_radius_um == pytest.approx(geometry.bore_radius_um, abs=0.02)
    for name, plane in geometry.planes.items():
        assert scaled.planes[name].height_um == pytest.approx(plane.height_um, abs=0.1)


def test_streaks_darker_than_nothing_beside_opaque_steel_do_not_hide_the_bore(volume):
    streaked = volume.copy()
    streaked[:10, :48, :48] = -4 * float(np.quantile(volume, 0.9))
    geometry = find_cell(streaked, voxel_size_um=VOXEL, anode=None)
    np.testing.assert_allclose(geometry.bore_radius_um / 2, CELL.radius, atol=0.1)


@pytest.fixture(scope="module")
def whole(volume):
    return find_cell(volume, voxel_size_um=VOXEL, anode=None)


@pytest.mark.parametrize("height", [5, 48])
def test_the_answer_does_not_depend_on_the_slabs(volume, whole, height, monkeypatch):
    for module in (coarse, overview):
        monkeypatch.setattr(module, "slabs", lambda shape, rows=None: cut(shape[0], height))
    with executed_by(workers=2):
        assert find_cell(volume, voxel_size_um=VOXEL, anode=None) == whole


def test_blocks_may_be_sent_to_another_process(volume, whole):
    with executed_by(Pickling()):
        assert find_cell(volume, voxel_size_um=VOXEL, anode=None) == whole


class Counted:
    """A volume that counts the voxels that are read."""

    def __init__(self, volume):
        self.volume, self.shape, self.dtype, self.read = volume, volume.shape, volume.dtype, 0

    def __getitem__(self, index):
        part = self.volume[index]
        self.read += part.size
        return part


def test_the_volume_is_read_once_and_some_slices_twice_more(volume):
    counted = Counted(volume)
    find_cell(counted, voxel_size_um=VOXEL, anode=None)
    slices = counted.read / volume[0].size
    groups = len(slice_groups(24, 66)) * 8  # of the electrolyte
    assert volume.shape[0] < slices <= volume.shape[0] + 3 + 2 * groups


def test_voxels_may_be_longer_along_one_axis(volume):
    cell = find_cell(volume[:, ::2], voxel_size_um=(2.0, 4.0, 2.0), anode=None)
    assert cell.bore_radius_um == pytest.approx(2 * CELL.radius, abs=0.2)
    assert cell.axis_y_um == pytest.approx(2 * CELL.center[0], abs=0.2)
    flat = find_cell(volume[::2], voxel_size_um=(4.0, 2.0, 2.0), anode=None)
    height = 2 * CELL.heights()["lithium_electrolyte"]
    assert flat.planes["lithium_electrolyte"].height_um == pytest.approx(height, abs=1.0)


def test_a_contradicting_side_is_said_and_a_right_one_is_not(volume):
    with pytest.warns(UserWarning, match=r"anode is high_z.* say low_z, which is taken"):
        assert find_cell(volume, voxel_size_um=VOXEL, anode="high_z").anode == "low_z"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_cell(volume, voxel_size_um=VOXEL, anode="low_z").anode == "low_z"


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"lithium": 0}, {"lithium_electrolyte"}),
        ({"electrolyte": 0}, {"lithium_electrolyte", "electrolyte_cathode"}),
        ({"cathode": 0, "collector": 0}, {"electrolyte_cathode", "cathode_collector"}),
        ({"steel": 0}, {"steel_lithium"}),
    ],
)
def test_missing_layers_are_said(changes, missing):
    with pytest.warns(UserWarning, match="not in view: the surfaces") as said:
        geometry = found(CELL.but(**changes), anode="low_z")
    assert set(CELL.heights()) - set(geometry.planes) == missing
    assert any(all(name in str(w.message) for name in missing) for w in said)
    assert geometry.bore_radius_um == pytest.approx(2 * CELL.radius, abs=0.2)


@pytest.mark.filterwarnings("ignore:not in view")
@pytest.mark.filterwarnings("ignore:no layer but a cathode")
def test_a_cathode_alone_does_not_show_the_anode():
    cell = CELL.but(steel=0, lithium=0, electrolyte=0, cathode=112)
    with pytest.warns(UserWarning, match=r"\(cathode\) do not show on which side the anode lies"):
        geometry = found(cell)
    assert not geometry.planes
    assert geometry.bore_radius_um == pytest.approx(2 * cell.radius, abs=0.6)


@pytest.mark.filterwarnings("ignore:not in view")
@pytest.mark.filterwarnings("ignore:no layer but a cathode")
def test_a_guess_follows_what_is_given():
    cell = CELL.but(steel=0, lithium=0, electrolyte=0, cathode=112)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*do not show")
        assert found(cell, anode="high_z").anode == "high_z"


@pytest.mark.parametrize("circle", [True, False])
def test_a_field_of_view_inside_the_bore_is_said_and_its_layers_are_found(circle):
    cell = CELL.but(radius=140.0, circle=circle)
    with pytest.warns(UserWarning, match="the wall of the bore is not in view"):
        geometry = found(cell)
    assert np.isnan(geometry.bore_radius_sd_um)
    inside = geometry.in_bore(40)
    assert inside[64, 4:-4].all()
    assert inside.all() != circle
    for name, height in cell.heights().items():
        assert abs(geometry.planes[name].height_um / 2 - height) < 0.7, name


def test_a_part_of_the_wall_is_enough(volume):
    geometry = find_cell(volume[:, :72, :72], voxel_size_um=VOXEL, anode=None)
    center = (geometry.axis_y_um / 2, geometry.axis_x_um / 2)
    np.testing.assert_allclose(center, CELL.center, atol=0.3)
    np.testing.assert_allclose(geometry.bore_radius_um / 2, CELL.radius, atol=0.3)


def test_voxels_without_value_are_counted_and_left_out(volume):
    gaps = volume.copy()
    gaps[40:42, 50:60, 50:60] = np.nan
    gaps[:, :12] = np.inf
    with pytest.warns(UserWarning, match=r"9\.[34]\d% of the volume's voxels hold no finite value"):
        geometry = find_cell(gaps, voxel_size_um=VOXEL, anode=None)
    assert geometry.bore_radius_um == pytest.approx(2 * CELL.radius, abs=0.1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((40, 64, 64), np.float32), "every voxel of the volume is 0"),
        (np.full((40, 64, 64), np.nan, np.float32), "no voxel of the volume holds a finite value"),
        (np.zeros((64, 64), np.float32), r"shape \(64, 64\)"),
        (np.zeros((4, 64, 64), np.float32), r"shape \(4, 64, 64\)"),
        (
            np.random.default_rng(0).normal(size=(48, 64, 64)).astype(np.float32),
            "no layer stands out from the noise",
        ),
    ],
)
def test_what_holds_no_cell_is_refused_in_plain_words(bad, message):
    with pytest.raises(ValueError, match=message):
        find_cell(bad, voxel_size_um=VOXEL, anode=None)


@pytest.mark.parametrize("edges", [(2.0, 0.0, 2.0), (2.0, 2.0), (2.0, np.nan, 2.0)])
def test_a_voxel_without_size_is_refused(volume, edges):
    with pytest.raises(ValueError, match="three positive numbers"):
        find_cell(volume, voxel_size_um=edges, anode=None)


@pytest.mark.filterwarnings("ignore:not in view", "ignore:the layers in view")
def test_the_can_of_a_real_cylindrical_cell_is_found(test_data):
    import tifffile

    volume = tifffile.imread(test_data("cell_cylindrical_grey/cell_vol_061_100.tif"))
    geometry = find_cell(volume, voxel_size_um=(33.97, 33.97, 33.97), anode=None)
    assert 2 * geometry.tube_radius_um == pytest.approx(21_200, abs=100)
    assert geometry.bore_radius_um < geometry.tube_radius_um - 100


@pytest.mark.parametrize("anode_low", [True, False])
@pytest.mark.parametrize("steel", [5.2, 6.3, 20.0])
def test_steel_that_no_light_passes_is_steel_as_the_brightest_in_view(steel, anode_low):
    """Behind 1 % of the light steel reads as its noise floor does: six times the electrolyte."""
    layers = {
        "anode_steel": (8, steel, 0.15 * steel), "lithium": (11, 0.0, 0.0),
        "electrolyte": (40, 1.0, 0.01), "cathode": (23, 4.1, 1.4), "collector": (7, 0.95, 0.01),
        "cathode_steel": (7, steel, 0.15 * steel),
    }  # fmt: skip
    rows = [rows for rows, _, _ in layers.values()]
    level, texture = (
        22.0 * np.repeat([one[which] for one in layers.values()], rows) for which in (1, 2)
    )
    stops = np.cumsum(rows)
    turn = slice(None) if anode_low else slice(None, None, -1)
    order = order_layers(level[turn], texture[turn])
    assert order.anode_low == anode_low
    assert order.electrolyte == pytest.approx(22.0, rel=0.2)
    for name, stop, thick in zip(layers, stops, rows, strict=True):
        ends = (stop - thick, stop) if anode_low else (96 - stop, 96 - stop + thick)
        assert order.layers[name] == ends


def test_a_cathode_is_no_steel_because_it_is_the_brightest_in_view():
    level = np.repeat([0.0, 22.0, 130.0], [15, 50, 31])
    texture = np.repeat([0.0, 0.3, 20.0], [15, 50, 31])
    assert list(order_layers(level, texture).layers) == ["lithium", "electrolyte", "cathode"]
