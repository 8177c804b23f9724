"""Blocks of one exact value are data that are missing; voids and clipped values are not."""

import numpy as np
import pytest

from xct.io.volume_files.blank_blocks import (
    constant_cells,
    find_boxes,
    outlined,
    packed,
    unpacked,
)

SHAPE = (48, 96, 104)
TOP = 255.0


@pytest.fixture(params=["circle", "full"])
def volume(request):
    """Noise inside a circle, as a reconstruction leaves it; or all over."""
    values = np.random.default_rng(5).normal(100, 10, SHAPE).astype(np.float32)
    if request.param == "circle":
        y, x = np.mgrid[: SHAPE[1], : SHAPE[2]] - np.array([47.5, 51.5])[:, None, None]
        values[:, np.hypot(y, x) > 47.5] = 0
    return values


def found(values, saturated=TOP):
    cells = constant_cells(values, saturated=saturated)
    return list(outlined(find_boxes(cells), values.__getitem__))


def extent(box, place):
    rows, columns = place
    return (box.first, box.stop, rows.start, rows.stop, columns.start, columns.stop)


def test_a_whole_volume_holds_no_blocks(volume):
    assert found(volume) == []


@pytest.mark.parametrize("value", [0.0, -1.0, 100.0])
@pytest.mark.parametrize("z", [(10, 26), (0, 16), (32, 48), (7, 12)])
def test_a_lost_chunk_is_found_to_the_voxel(volume, value, z):
    volume[slice(*z), 29:67, 34:71] = value
    ((box, place),) = found(volume)
    assert extent(box, place) == (*z, 29, 67, 34, 71)
    assert box.value == value


def test_slices_that_a_volume_was_padded_with_are_blank(volume):
    padded = np.pad(volume, ((6, 9), (16, 16), (16, 16)))
    boxes = found(padded)
    assert {(box.first, box.stop) for box, _ in boxes} == {(0, 6), (54, 63)}


@pytest.mark.parametrize("z", [(20, 30), (20, 21), (0, 4), (40, 48)])
def test_blank_slices_are_found(volume, z):
    volume[slice(*z)] = 0
    boxes = found(volume)
    assert {(box.first, box.stop) for box, _ in boxes} == {z}
    inside = volume.copy()
    for box, place in boxes:
        inside[(slice(box.first, box.stop), *place)] = np.nan
    assert np.isnan(inside[slice(*z), 20:76, 20:76]).all()


def test_two_blocks_side_by_side_in_time_are_both_found(volume):
    volume[5:15, 16:48, 24:56] = 0
    volume[25:35, 40:72, 40:72] = 0
    assert [extent(*one) for one in found(volume)] == [
        (5, 15, 16, 48, 24, 56),
        (25, 35, 40, 72, 40, 72),
    ]


def test_voids_and_clipped_values_are_no_lost_data(volume):
    z, y, x = np.indices(SHAPE) - np.array([24, 48, 52])[:, None, None, None]
    volume[np.sqrt(z**2 + y**2 + x**2) < 20] = 0  # a sphere of clipped air
    volume[:6][:, np.hypot(y[0], x[0]) < 40] = 0  # a disc of clipped lithium with a flat face
    assert found(volume) == []


@pytest.mark.parametrize("size", [(10, 24, 23), (4, 31, 23)])
def test_a_small_block_is_found_wherever_it_begins(volume, size):
    for shift in (0, 3, 7):
        values = volume.copy()
        z, y, x = (slice(20 + shift, 20 + shift + n) for n in size)
        values[z, y, x] = 0
        ((box, place),) = found(values)
        assert extent(box, place) == (z.start, z.stop, y.start, y.stop, x.start, x.stop)


@pytest.mark.parametrize("radius", [8, 12, 16, 20])
def test_clipped_pills_of_every_size_are_no_lost_data(radius):
    rng = np.random.default_rng(8)
    values = rng.normal(100, 10, (20, 96, 104)).astype(np.float32)
    y, x = np.indices(values.shape[1:])
    for first in (0, 6, 12):
        b, a = rng.uniform(30, 70, 2)
        values[first : first + 5, np.hypot(y - b, x - a) < radius] = 0
    assert found(values) == []


def test_saturated_steel_is_no_lost_data(volume):
    volume[30:] = TOP
    assert found(volume) == []
    assert len(found(volume, saturated=None)) == 1


def test_the_answer_does_not_depend_on_the_cut_and_survives_the_journal(volume):
    volume[10:26, 29:67, 34:71] = 0
    whole = constant_cells(volume, saturated=TOP)
    parts = [unpacked(packed(constant_cells(volume[a : a + 7], saturated=TOP)))
             for a in range(0, 48, 7)]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_volume_without_noise_says_nothing_of_what_is_lost():
    layers = np.repeat(np.arange(4.0, dtype=np.float32), 12)[:, None, None]
    assert found(np.broadcast_to(layers, SHAPE)) == []


@pytest.mark.parametrize("low", [90, 96])
def test_layers_that_are_clipped_over_the_first_slices_are_no_lost_data(low):
    rng = np.random.default_rng(2)
    height = 12 + 3 * np.sin(np.arange(96) / 9)[:, None] * np.cos(np.arange(104) / 7)
    dark = np.arange(48)[:, None, None] < height
    values = np.where(dark, 40, 110) + rng.normal(0, 10, SHAPE)
    clipped = np.clip(values - low, 0, None).astype(np.float32)
    assert np.mean(~np.isnan(constant_cells(clipped))) > 0.1
    assert found(clipped) == []
