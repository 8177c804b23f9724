"""Folders of TIFF frames: names give the kind, numbers the order, a text file the angles."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.scans import tiff_scans as folders
from xct.io.scans.raw import Request

ALL = slice(None)


def write(folder, names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, np.full((3, 4), number, np.uint16))


def order(stack):
    return stack.frames.read(ALL, ALL, ALL)[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("proj_0001.tif", "projections"),
        ("Projection0001.tif", "projections"),
        ("img0001.tif", "projections"),
        ("tomo_2_0001.tiff", "projections"),
        ("flat_0001.tif", "flats"),
        ("REF-0001.TIF", "flats"),
        ("white0001.tif", "flats"),
        ("dark_0001.tif", "darks"),
        ("dar0001.tif", "darks"),
        ("scan_0001_dar.tif", "darks"),
        ("ref_cell_0001_img.tif", "projections"),
        ("tomo_flat_0001.tif", "flats"),
        ("flats.tif", "flats"),
        ("cell_0001.tif", None),
        ("darkness_0001.tif", None),
        ("imgx_0001.tif", None),
    ],
)
def test_the_name_determines_the_kind(name, kind):
    assert folders.kind_of(Path("folder") / name) == kind


def test_frames_are_grouped_in_natural_order(tmp_path):
    write(tmp_path, ["proj_10.tif", "proj_9.tif", "flat_1.tif", "dark_1.tif", "proj_11.tif"])
    assert folders.recognizes(tmp_path)
    raw = folders.read(tmp_path, Request())
    assert raw.layout == "tiff"
    assert order(raw.projections) == [1, 0, 4]
    assert order(raw.flats) == [2]
    assert order(raw.darks) == [3]
    assert raw.flats.time is None


def test_each_kind_may_have_a_folder_of_its_own(tmp_path):
    write(tmp_path, ["projections/a_1.tif", "projections/a_0.tif", "flats/a_0.tif"])
    raw = folders.read(tmp_path, Request())
    assert order(raw.projections) == [1, 0]
    assert order(raw.flats) == [2]


def test_numbers_that_run_through_flats_and_projections_are_the_clock(tmp_path):
    names = ["flat_0.tif", "flat_1.tif", "proj_2.tif", "proj_3.tif", "flat_4.tif", "dark_0.tif"]
    write(tmp_path, names)
    raw = folders.read(tmp_path, Request())
    assert raw.flats.time.tolist() == [0, 1, 4]
    assert raw.projections.time.tolist() == [2, 3]
    assert raw.darks.time is None


@pytest.mark.parametrize("name", ["theta_deg.txt", "angles.txt"])
def test_angles_come_from_a_text_file_in_the_folder(tmp_path, name):
    write(tmp_path, ["proj_0.tif", "proj_1.tif", "proj_2.tif"])
    (tmp_path / name).write_text("# degrees\n0\n89.5\n180\n", encoding="utf-8")
    raw = folders.read(tmp_path, Request())
    assert raw.theta_deg.tolist() == [0, 89.5, 180]
    assert raw.origin["theta_deg"].endswith(name)
    assert tmp_path / name in raw.files


def test_without_such_a_file_angles_are_not_guessed(tmp_path):
    write(tmp_path, ["proj_0.tif", "proj_1.tif"])
    assert folders.read(tmp_path, Request()).theta_deg is None


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    write(tmp_path, ["proj_0.tif", "a_proj_0.tif", "flat_0.tif"])
    (tmp_path / "flat_0.tif").write_bytes(b"")
    (tmp_path / "angles.txt").write_text("0\nninety\n", encoding="utf-8")
    with pytest.raises(ScanError) as error:
        folders.read(tmp_path, Request())
    angles, numbers, flats = error.value.errors
    assert "line 2: no angle in 'ninety'" in angles
    assert "have the same number 0" in numbers
    assert "flat_0.tif: the file is empty" in flats


def test_files_of_no_kind_are_noted(tmp_path):
    write(tmp_path, ["proj_0.tif", "overview.tif", "proj_1.tif"])
    (note,) = folders.read(tmp_path, Request()).notes
    assert "1 TIFF files are left out" in note
    assert "overview.tif" in note


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["a_0.tif"],
        ["flat_0.tif"],
        ["flat_0.tif", "flat_1.tif", "a_0.tif", "a_1.tif"],  # no more than there are flats
        ["flat_0.tif", "a_0.tif", "a_1.tif", "b_0.tif", "b_1.tif"],  # which of the two?
    ],
)
def test_a_folder_without_projections_is_not_recognized(tmp_path, names):
    write(tmp_path, names)
    assert not folders.recognizes(tmp_path)
    with pytest.raises(ScanError, match=r"no projections .* set scan\.projections to a pattern"):
        folders.read(tmp_path, Request())
