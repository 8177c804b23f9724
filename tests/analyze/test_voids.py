"""Voids by distance: drawn ones come back, in images and stacks, however they are cut."""

import numpy as np
import pytest

from tests.parallel.pickling import Pickling
from xct.analyze.voids import void_fraction, void_sizes
from xct.geometry import Label, Surface
from xct.parallel.executors import executed_by

SE, NCM, VOID = int(Label.ELECTROLYTE), int(Label.ACTIVE_MATERIAL), int(Label.LOW_GREY)


def decaying(shape=(40, 48, 48), seed=0):
    """A wall of NCM at low z, and electrolyte whose voids become rarer with the distance."""
    labels = np.full(shape, SE, np.uint8)
    depth = np.arange(shape[0]) - 9.5
    chance = 0.4 * np.exp(-np.maximum(depth, 0) / 10)
    labels[np.random.default_rng(seed).random(shape) < chance[:, None, None]] = VOID
    labels[:10] = NCM
    return labels, depth, chance


def test_void_fractions_of_a_plane_are_those_of_its_slices():
    labels, _, chance = decaying()
    table = void_fraction(labels, NCM, voxel_size_um=2.0, step_um=2.0, farthest_um=40)
    assert len(table) == 20
    np.testing.assert_allclose(table["distance_um"], np.arange(20) * 2 + 1)
    exact = (labels[10:30] == VOID).mean(axis=(1, 2))
    np.testing.assert_allclose(table["void_fraction"], exact)
    inside = table["void_fraction_low"].le(chance[10:30]) & table["void_fraction_high"].ge(
        chance[10:30]
    )
    assert inside.sum() >= 17
    assert table["n"].eq(48 * 48).all()


def test_the_bootstrap_can_be_repeated_and_resamples_blocks_as_large_as_they_are_said_to_be():
    labels, _, _ = decaying()
    asked = {"voxel_size_um": 2.0, "step_um": 4.0, "farthest_um": 8.0, "block_um": 16.0}
    table = void_fraction(labels, NCM, **asked, seed=3, resamples=400)
    assert table.equals(void_fraction(labels, NCM, **asked, seed=3, resamples=400))
    other = void_fraction(labels, NCM, **asked, seed=4, resamples=400)
    np.testing.assert_array_equal(other["void_fraction"], table["void_fraction"])
    np.testing.assert_allclose(other["void_fraction_sd"], table["void_fraction_sd"], rtol=0.2)
    assert not other["void_fraction_sd"].equals(table["void_fraction_sd"])
    # 48 voxels of 2 µm are six blocks of 16 µm along y and along x; two slices lie in one.
    assert table["blocks"].tolist() == [6 * 6, 6 * 6]
    wide = void_fraction(labels, NCM, **{**asked, "block_um": 48.0})
    assert wide["blocks"].tolist() == [2 * 2, 2 * 2]


def test_a_surface_serves_as_well_as_labels():
    labels, _, _ = decaying()
    flat = Surface(np.full((48, 48), 9.4 * 2, np.float32), np.zeros((48, 48), np.float32), "drawn")
    by_surface = void_fraction(labels, flat, voxel_size_um=2.0, step_um=2.0, farthest_um=20)
    by_label = void_fraction(labels, NCM, voxel_size_um=2.0, step_um=2.0, farthest_um=20)
    np.testing.assert_array_equal(by_surface["void_fraction"], by_label["void_fraction"])


def test_a_section_in_an_electron_microscope_of_20_nm_pixels():
    y, x = np.mgrid[:200, :200] * 0.02
    radius = np.hypot(y - 2, x - 2)
    section = np.where(radius < 1, 5, 9)
    section[
        (radius > 1) & (np.random.default_rng(0).random(radius.shape) < 0.2 * (radius < 1.3))
    ] = 3
    table = void_fraction(
        section, 5, voxel_size_um=0.02, void=3, within=9, step_um=0.05, farthest_um=0.6
    )
    near = table["distance_um"] < 0.28
    assert table["void_fraction"][near].mean() == pytest.approx(0.2, abs=0.03)
    assert table["void_fraction"][table["distance_um"] > 0.35].eq(0).all()


@pytest.mark.parametrize("rows", [1, 7, 16])
def test_slabs_do_not_change_the_answer(rows):
    labels, _, _ = decaying()
    labels[20:30, 20:30, 20:30] = NCM
    labels[23:26, 23:26, 23:26] = VOID
    size = (2.0, 1.0, 1.5)
    whole = void_fraction(labels, NCM, voxel_size_um=size, step_um=1, farthest_um=9)
    parts = void_fraction(labels, NCM, voxel_size_um=size, step_um=1, farthest_um=9, rows=rows)
    assert whole.equals(parts)
    voids = [void_sizes(labels, NCM, voxel_size_um=size, shell_um=4, rows=r) for r in (None, rows)]
    assert voids[0].equals(voids[1])
    with executed_by(Pickling()):
        again = void_fraction(labels, NCM, voxel_size_um=size, step_um=1, farthest_um=9, rows=rows)
        assert again.equals(whole)
        again = void_sizes(labels, NCM, voxel_size_um=size, shell_um=4, rows=rows)
        assert again.equals(voids[0])


def test_voids_are_distinguished_by_where_they_lie():
    labels = np.full((40, 40, 40), SE, np.uint8)
    labels[5:25, 5:25, 5:25] = NCM
    labels[12:16, 12:16, 12:16] = VOID  # inside of the particle
    labels[10:12, 10:12, 25:27] = VOID  # at its face
    labels[33:36, 33:36, 33:36] = VOID  # far away
    table = void_sizes(labels, NCM, voxel_size_um=0.5, shell_um=1.5)
    assert dict(zip(table["region"], table["volume_um3"], strict=True)) == {
        "core": 64 / 8, "shell": 8 / 8, "rest": 27 / 8,
    }  # fmt: skip
    rest = table[table["region"] == "rest"].iloc[0]
    assert (rest.z_um, rest.y_um, rest.x_um) == (17.0, 17.0, 17.0)
    assert rest.equivalent_diameter_um == pytest.approx((6 * 27 / 8 / np.pi) ** (1 / 3))


def test_voids_of_an_image_have_an_area():
    section = np.full((30, 30), SE)
    section[:, :10] = NCM
    section[4:8, 12:16] = VOID
    (row,) = void_sizes(section, NCM, voxel_size_um=0.1, shell_um=1).to_dict("records")
    assert row["area_um2"] == pytest.approx(0.16)
    assert row["region"] == "shell"


def test_no_voids_give_an_empty_table():
    table = void_sizes(np.full((5, 5, 5), SE), NCM, voxel_size_um=1, shell_um=1)
    assert len(table) == 0
    assert "region" in table.columns


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"of": 77}, "lies within 5 µm of the object 77"),
        ({"step_um": 9.0}, "make no bins"),
        ({"voxel_size_um": 0.0}, "not the edges"),
        ({"labels": np.zeros(5)}, "1 axes"),
    ],
)
def test_what_cannot_be_measured_says_why(change, error):
    given = {"labels": decaying()[0], "of": NCM, "voxel_size_um": 1.0, "step_um": 1.0} | change
    with pytest.raises(ValueError, match=error):
        void_fraction(given.pop("labels"), given.pop("of"), farthest_um=5.0, **given)
