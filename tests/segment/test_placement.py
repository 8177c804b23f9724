"""A volume is read as if it had been stored upright."""

from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest

from tests.normalize.layered_cell import LayeredCell
from xct.geometry import CellGeometry
from xct.segment.cell.layer_tilt import layer_tilt
from xct.segment.cell.orientation import layer_axis, sample_volume
from xct.segment.cell.placement import AS_STORED, PlacedVoxels, Placement
from xct.segment.cell.slice_spacing import OF_A_STEP, slice_excess

VOXEL = (2.0, 2.0, 2.0)
CELL = LayeredCell(
    shape=(64, 64, 64), radius=26.0, wall=3.0, center=(31.0, 32.0), steel=6, lithium=8,
    electrolyte=26, cathode=16, collector=4,
)  # fmt: skip
TURNED = {(0, 1, 2): 0, (1, 2, 0): 2, (2, 0, 1): 1}  # by where z went


@pytest.fixture(scope="module")
def upright():
    return CELL.draw()


@pytest.fixture(scope="module")
def leaning():
    """A cell whose layers and axis lean by the same 7°: dz/dy of layers is −dy/dz of the axis."""
    lean = np.tan(np.radians(7))
    return CELL.but(lean=(lean, 0.0), tilt=(-lean, 0.0), radius=22.0).draw()


@pytest.mark.parametrize(("order", "axis"), TURNED.items())
def test_layers_are_found_along_any_axis_on_any_scale(upright, order, axis):
    turned = upright.transpose(order)
    assert layer_axis(sample_volume(1000 - 40 * turned, VOXEL)).axis == axis


@pytest.mark.parametrize(
    "part", [np.s_[:, 16:46, 16:46], np.s_[::4], np.s_[:, :, 26:], np.s_[3:46], np.s_[:, 14:, 20:]]
)
def test_a_part_of_a_cell_is_neither_turned_nor_tilted(upright, part):
    values = upright[part]
    size = (8.0 if len(values) == 16 else 2.0, 2.0, 2.0)
    sample = sample_volume(values, size)
    assert layer_axis(sample).axis in (0, None)
    tilt = layer_tilt(sample)
    assert tilt.degrees == 0 or tilt.explained - tilt.upright < 0.003


def test_noise_alone_has_no_axis():
    noise = np.random.default_rng(0).normal(5, 1, (40, 40, 40))
    assert layer_axis(sample_volume(noise, VOXEL)).axis is None


def test_a_lean_is_found_to_some_tenths_of_a_degree(upright, leaning):
    assert layer_tilt(sample_volume(upright, VOXEL)).degrees == 0
    little = np.tan(np.radians(3))
    leans = [
        (3, CELL.but(lean=(little, 0.0), tilt=(-little, 0.0), radius=22.0).draw(), 0.3),
        (7, leaning, 0.3),
        (7, leaning[10:-10], 0.3),  # hardly any steel
        (7, leaning[:, :32], 0.5),  # half of the bore
    ]
    for degrees, values, within in leans:
        tilt = layer_tilt(sample_volume(values, VOXEL))
        assert np.degrees(np.arctan(tilt.slope_y)) == pytest.approx(degrees, abs=within)
        assert np.degrees(np.arctan(tilt.slope_x)) == pytest.approx(0, abs=0.3)
        np.testing.assert_allclose(tilt.rotation @ tilt.rotation.T, np.eye(3), atol=1e-12)


def test_put_upright_the_lean_is_gone(leaning):
    placement = Placement.along(AS_STORED, leaning.shape, VOXEL)
    tilt = layer_tilt(sample_volume(leaning, VOXEL))
    placed = PlacedVoxels(leaning, placement.leaning(tilt.rotation))
    assert layer_tilt(sample_volume(np.nan_to_num(placed[0 : len(leaning)]), VOXEL)).degrees == 0
    assert "upright" in placed.placement.describe()


@pytest.mark.parametrize("cut", [5, 3])
def test_each_turn_and_mirror_moves_voxels_as_its_matrix_says(cut):
    stored = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    edges = np.array([2.0, 3.0, 4.0])
    for names, signs in product(permutations(AS_STORED), product(("", "-"), repeat=3)):
        axes = tuple(sign + name for sign, name in zip(signs, names, strict=True))
        placement = Placement.along(axes, stored.shape, tuple(edges))
        placed = PlacedVoxels(stored, placement)
        whole = np.concatenate(
            [placed[z : min(z + cut, placed.shape[0])] for z in range(0, placed.shape[0], cut)]
        )
        at = np.array([1, 2, 3])
        position = np.append(at * placement.voxel_size_um, 1.0)
        seen = np.rint(placement.matrix @ position / edges).astype(int)
        assert whole[tuple(at)] == stored[tuple(seen)]
        assert placement.mirrored == bool(np.linalg.det(placement.matrix[:, :3]) < 0)


def test_interpolation_keeps_what_is_straight_and_marks_what_lies_beyond():
    z, y, x = np.mgrid[:20, :24, :28].astype(np.float32)
    upright = Placement.along(AS_STORED, (20, 24, 28), VOXEL)
    angle = np.radians(9)
    rotation = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    placement = upright.leaning(rotation)
    found = PlacedVoxels(2 * z - 3 * y + x, placement)[0:20]
    place = np.mgrid[:20, :24, :28].reshape(3, -1) * 2.0
    seen = (placement.matrix[:, :3] @ place + placement.matrix[:, 3:]) / 2
    expected = (np.array([2, -3, 1]) @ seen).reshape(found.shape)
    inside = ((seen > 1) & (seen < np.array([[18], [22], [26]]))).all(axis=0).reshape(found.shape)
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4, atol=1e-3)
    beyond = ((seen < -0.6) | (seen > np.array([[19.6], [23.6], [27.6]]))).any(axis=0)
    assert np.isnan(found.ravel()[beyond]).all()
    assert beyond.any()


def test_slices_further_apart_than_pixels_are_interpolated_up_to_four_times():
    wide = Placement.along(AS_STORED, (9, 8, 8), (6.0, 2.0, 2.0)).with_even_voxels()
    assert (wide.shape, wide.voxel_size_um) == ((25, 8, 8), (2.0, 2.0, 2.0))
    heights = np.broadcast_to(np.arange(9.0)[:, None, None], (9, 8, 8))
    found = PlacedVoxels(heights, wide)[0:25]
    np.testing.assert_allclose(found[3:-3, 4, 4], np.arange(25)[3:-3] / 3, atol=1e-5)
    assert "6 µm apart" in wide.warning
    assert "interpolated" in wide.warning
    assert wide.to_dict()["slice_um"] == 6.0
    even = Placement.along(AS_STORED, (9, 8, 8), VOXEL)
    assert even.with_even_voxels() is even
    assert even.warning is None
    with pytest.raises(ValueError, match=r"9 × 2 × 2 µm .* longer than 4 times"):
        Placement.along(AS_STORED, (9, 8, 8), (9.0, 2.0, 2.0)).with_even_voxels()


def test_pixels_that_are_longer_than_wide_are_interpolated_and_said():
    oblong = Placement.along(AS_STORED, (9, 8, 5), (2.0, 2.0, 4.0)).with_even_voxels()
    assert oblong.voxel_size_um == (2.0, 2.0, 2.0)
    assert oblong.shape == (9, 8, 9)
    assert "pixels are 4 µm long and 2 µm wide" in oblong.warning
    x = np.broadcast_to(np.arange(5.0), (9, 8, 5))
    seen = PlacedVoxels(x.astype(np.float32), oblong)[0:9]
    np.testing.assert_allclose(seen[4, 4, 2:-2], np.arange(9)[2:-2] / 2, atol=1e-5)
    nearly = Placement.along(AS_STORED, (9, 8, 8), (2.0, 2.0, 2.3))
    assert nearly.with_even_voxels() is nearly
    assert nearly.warning is None


def test_slices_far_apart_of_oblong_pixels_become_as_close_as_these_are_wide():
    coarse = Placement.along(AS_STORED, (5, 8, 5), (8.0, 2.0, 4.0)).with_even_voxels()
    assert coarse.voxel_size_um == (2.0, 2.0, 2.0)
    assert coarse.shape == (17, 8, 9)
    assert coarse.slice_um == 8.0


@pytest.mark.parametrize(("step", "said"), [(2.3, False), (2.5, True), (3.0, True), (1.0, False)])
def test_slices_up_to_three_quarters_further_apart_are_kept_and_said(step, said):
    kept = Placement.along(AS_STORED, (9, 8, 8), (step, 2.0, 2.0))
    assert kept.with_even_voxels() is kept
    assert (kept.warning is not None) == said
    if said:
        assert "interpolated" not in kept.warning


def test_between_far_slices_a_face_may_lie_anywhere():
    volume = np.zeros((4, 4, 4))
    cell = CellGeometry((4, 4, 4), (5.0, 3.0, 3.0), 4.5, 4.5, 4.0)
    assert slice_excess(volume, cell) == 4.0
    cubes = CellGeometry((4, 4, 4), (3.0, 3.0, 3.0), 4.5, 4.5, 4.0)
    assert slice_excess(volume, cubes) == 0.0
    interpolated = SimpleNamespace(placement={"slice_um": 5.0})
    assert slice_excess(interpolated, cubes) == 4.0
    # Rounded to slices, faces anywhere in a step are off by what is stated.
    heights = np.random.default_rng(0).uniform(0, 50, 4000)
    assert (np.rint(heights / 5) * 5 - heights).std() == pytest.approx(5 * OF_A_STEP, rel=0.05)
