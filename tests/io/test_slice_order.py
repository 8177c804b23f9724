"""Slices of a volume: in the order of their numbers, nothing else between them, gaps kept open."""

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.slice_order import in_order

SIZE = (2.0, 2.0, 2.0)


def written(folder, names, values=None):
    """Write slices of 4 × 5 pixels, each of which holds its number in the list."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        value = number if values is None else values[number]
        (folder / name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(folder / name, np.full((4, 5), value, np.float32))
    return folder


def heights(volume):
    return volume.voxels[:, 0, 0].tolist()


@pytest.mark.parametrize(
    "names",
    [
        [f"rec_{n}_16bit.tif" for n in range(1, 13)],
        [f"rec_{n}.tif" for n in range(8, 20)],
        [f"cell12_{n:04d}.tif" for n in range(12)],
        [f"tiff{n // 5:04d}/rec_{n:05d}.tif" for n in range(12)],
        [f"rec_{n:03d}_2024{1200 + n}.TIF" for n in range(12)],
        [f"rec_{0.5 + n / 4:.4f}.tif" for n in range(12)],
        [f"part{n // 6}_slice{n % 6}.tif" for n in range(12)],
    ],
)
def test_the_number_that_counts_may_stand_anywhere(tmp_path, names):
    folder = written(tmp_path / "in", names)
    volume = open_foreign(folder, SIZE)
    assert heights(volume) == list(range(12))
    assert volume.warnings == ()


@pytest.mark.parametrize("stranger", ["rec_spr.tif", "a_0003.tif", "rec_0003 (copy).tif"])
def test_a_file_of_another_name_is_left_out_and_named(tmp_path, stranger):
    folder = written(tmp_path / "in", [f"rec_{n:04d}.tif" for n in range(8)])
    tifffile.imwrite(folder / stranger, np.full((4, 5), 60_000, np.float32))
    volume = open_foreign(folder, SIZE)
    assert heights(volume) == list(range(8))
    assert stranger in volume.warnings[0]
    assert "1 of 9" in volume.warnings[0]
    assert folder / stranger not in volume.files


def test_missing_slices_keep_their_place_and_are_counted(tmp_path):
    kept = [n for n in range(20) if n not in (7, 8, 9, 15)]
    folder = written(tmp_path / "in", [f"rec_{n:04d}.tif" for n in kept], kept)
    volume = open_foreign(folder, SIZE)
    assert volume.voxels.shape == (20, 4, 5)
    assert "4 of 20 slices are missing (numbers 7–9, 15)" in volume.warnings[0]
    found = volume.voxels[2:18]
    missing = np.isin(np.arange(2, 18), (7, 8, 9, 15))
    np.testing.assert_array_equal(np.isnan(found[:, 0, 0]), missing)
    np.testing.assert_array_equal(found[~missing, 3, 4], np.arange(2, 18)[~missing])
    np.testing.assert_array_equal(volume.voxels[5:9, 1:3, 2:], found[3:7, 1:3, 2:])


def test_every_tenth_slice_is_a_volume_without_gaps(tmp_path):
    folder = written(tmp_path / "in", [f"rec_{10 * n}.tif" for n in range(8)])
    volume = open_foreign(folder, SIZE)
    assert heights(volume) == list(range(8))
    assert volume.warnings == ()
    assert "10 apart" in " ".join(volume.notes)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([f"a_{n}.tif" for n in range(4)] + [f"b_{n}.tif" for n in range(4)], "several series"),
        (["rec_1.tif", "rec_01.tif", "rec_2.tif"], "have the same number"),
        ([f"rec_{n}_{9 - n}.tif" for n in range(5)], "in different ways"),
        ([f"rec_{n}.tif" for n in (0, 4, 8, 9, 12, 16)], "not evenly spaced"),
        ([f"rec_{n}.tif" for n in (0, 1, 2, 90)], "87 of 91 slices are missing"),
    ],
)
def test_an_order_that_is_not_known_is_asked_for(tmp_path, names, said):
    with pytest.raises(ScanError, match=said):
        in_order([tmp_path / name for name in names], "in")


def test_gaps_between_files_of_several_pages_are_no_slices(tmp_path):
    for number in (0, 1, 3):
        tifffile.imwrite(tmp_path / f"part_{number}.tif", np.zeros((3, 4, 5), np.uint8),
                         photometric="minisblack")  # fmt: skip
    with pytest.raises(ScanError, match="files are missing"):
        open_foreign(tmp_path, SIZE)
