"""Angles and lost frames by the names of TIFF files."""

import numpy as np
import pytest
import tifffile

from xct import read_scan
from xct.errors import ScanError


def write(folder, name, value):
    folder.mkdir(exist_ok=True, parents=True)
    tifffile.imwrite(folder / name, np.full((4, 6), value, np.uint16))


def values(scan):
    return scan.projections.read()[:, 0, 0]


@pytest.fixture
def numbered_folder(tmp_path):
    """Write proj_0007.tif …: the value of a frame is its place in the series of 20."""

    def make(lost=(), first=7, flats=("flat_{:04d}.tif", range(3))):
        folder = tmp_path / "scan"
        for place in range(20):
            if place not in lost:
                write(folder, f"proj_{first + place:04d}.tif", place)
        for number in flats[1]:
            write(folder, flats[0].format(number), 500)
        return folder

    return make


def test_gaps_in_numbers_are_lost_frames(numbered_folder):
    folder = numbered_folder([4, 11, 12])
    scan = read_scan(folder, theta_deg={"first": 0.0, "last": 190.0, "count": 20})
    np.testing.assert_allclose(scan.theta_deg, 10.0 * values(scan))
    assert any("missing projections: 4, 11–12" in note for note in scan.notes)


@pytest.mark.parametrize("base", [0, 1])
def test_frames_that_are_missing_at_the_beginning_are_counted_from_0_or_1(numbered_folder, base):
    folder = numbered_folder(first=7, flats=("flat_{:04d}.tif", range(5, 10)))
    whole = 27 - base
    scan = read_scan(folder, theta_deg={"first": 0.0, "last": 5.0 * (whole - 1), "count": whole})
    np.testing.assert_allclose(scan.theta_deg, 5.0 * (7 - base + values(scan)))


@pytest.mark.parametrize("count", [19, 21, 25])
def test_angles_of_another_number_are_refused_where_no_frame_is_missing(numbered_folder, count):
    with pytest.raises(ScanError, match=f"20 projections, but {count} angles"):
        read_scan(numbered_folder(first=0), theta_deg={"first": 0, "last": 180, "count": count})


@pytest.mark.parametrize("named", ["folder", "pattern"])
def test_even_angles_for_the_frames_that_are_left_are_refused(numbered_folder, named):
    folder = numbered_folder([4, 11, 12])
    where = {"path": folder} if named == "folder" else {"projections": str(folder / "proj*.tif")}
    with pytest.raises(ScanError, match=r"4, 11–12.*count: 20"):
        read_scan(**where, theta_deg={"first": 0.0, "last": 190.0, "count": 17})
    listed = read_scan(**where, theta_deg=np.arange(17.0) * 11)
    assert listed.theta_deg[-1] == 176


@pytest.mark.parametrize(
    "flats",
    [
        ("proj_flat_{:04d}.tif", [11, 18, 19]),  # between the projections, in one numbering
        ("flat_{:04d}.tif", [0, 1, 2]),
    ],
)
def test_numbers_of_flats_are_no_gaps(numbered_folder, flats):
    lost = [4, 11, 12] if 11 in flats[1] else []
    scan = read_scan(numbered_folder(lost, flats=flats))
    assert not any("missing" in note for note in scan.notes)


def test_numbers_in_steps_have_no_gaps(tmp_path):
    for number in range(0, 100, 5):
        write(tmp_path, f"proj_{number:04d}.tif", number)
    assert read_scan(tmp_path).notes == ()


def test_links_that_lead_nowhere_are_named(numbered_folder, tmp_path):
    folder = numbered_folder([4])
    (folder / "proj_0011.tif").symlink_to(tmp_path / "gone.tif")
    scan = read_scan(folder)
    assert any("proj_0011.tif" in note and "nowhere" in note for note in scan.notes)
    assert any("missing projections: 4 " in note for note in scan.notes)


def test_names_with_decimals_are_ordered_by_angle_and_give_it(tmp_path):
    theta = np.round(9.0 * np.arange(21) + 0.2 * np.random.default_rng(0).random(21), 4)
    for angle in theta:
        whole, decimals = f"{angle:08.4f}".split(".")
        write(tmp_path, f"proj_{whole}.{decimals}.tif", round(angle * 100))
    scan = read_scan(tmp_path)
    np.testing.assert_allclose(scan.theta_deg, theta)
    np.testing.assert_array_equal(values(scan), np.round(theta * 100))
    assert "names" in scan.origin["theta_deg"]


def test_decimals_of_one_whole_number_count_frames(tmp_path):
    for number in (9, 10, 11):
        write(tmp_path, f"proj_cell12.{number}.tif", number)
    scan = read_scan(tmp_path)
    assert values(scan).tolist() == [9, 10, 11]
    assert scan.theta_deg is None


def test_decimals_that_are_no_angles_only_order(tmp_path):
    for number in (0.5, 1.25, 2.0, 40.75):
        write(tmp_path, f"proj_{number:.2f}.tif", round(number * 100))
    scan = read_scan(tmp_path)
    assert values(scan).tolist() == [50, 125, 200, 4075]
    assert scan.theta_deg is None


def test_a_check_at_half_a_turn_lies_beside_the_series(numbered_folder):
    folder = numbered_folder(first=170)
    write(folder, "proj_180deg.tif", 999)
    scan = read_scan(folder)
    assert values(scan).tolist() == list(range(20))
    assert any("proj_180deg.tif" in note for note in scan.notes)
