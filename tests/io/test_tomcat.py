import numpy as np
import pytest
import tifffile

from xct import read_scan
from xct.errors import ScanError

LOG = """User ID : e12345
Beam energy  [keV]             : 21.000
Number of projections          : 12
Number of darks                : 2
Number of flats                : 3
Number of inter-flats          : 0
Rot Y min position  [deg]      : 0.000
Rot Y max position  [deg]      : {last}
Angular step [deg]             : {step}
Actual pixel size [um]         : 0.65
"""


@pytest.fixture
def tomcat(tmp_path):
    """Write darks 0, 1, flats 2 … 4, projections 5 … 16, flats 17 … 19, in one numbering."""

    def make(frames=range(20), last="165.000", step="15.000", tif="."):
        folder = tmp_path / "R1_A"
        (folder / tif).mkdir(parents=True)
        (folder / tif / "R1_A.log").write_text(LOG.format(last=last, step=step), encoding="utf-8")
        for place in frames:
            file = folder / tif / f"R1_A{place + 1:04d}.tif"
            tifffile.imwrite(file, np.full((4, 6), place, np.uint16))
        return folder

    return make


def places(view):
    return view.read()[:, 0, 0].tolist()


@pytest.mark.parametrize("tif", [".", "tif"])
@pytest.mark.parametrize("named", ["folder", "log"])
def test_the_log_says_what_each_frame_is(tomcat, tif, named):
    folder = tomcat(tif=tif)
    scan = read_scan(folder if named == "folder" else folder / tif / "R1_A.log")
    assert scan.layout == "tomcat"
    assert places(scan.darks) == [0, 1]
    assert places(scan.flats) == [2, 3, 4, 17, 18, 19]
    assert places(scan.projections) == list(range(5, 17))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))
    assert (scan.pixel_size_um, scan.energy_kev) == (0.65, 21.0)
    assert scan.projection_time.tolist() == list(range(5, 17))
    assert scan.notes == ()


def test_the_last_angle_is_left_out_where_the_step_says_so(tomcat):
    scan = read_scan(tomcat(last="180.000"))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))


def test_an_interrupted_scan_runs_on_what_it_holds(tomcat):
    scan = read_scan(tomcat(range(13)))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(8))
    assert places(scan.flats) == [2, 3, 4]
    assert any("12 projections were planned, the first 8" in note for note in scan.notes)


def test_lost_frames_take_their_angles_with_them(tomcat):
    scan = read_scan(tomcat([n for n in range(20) if n not in (3, 9)]))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.array([*range(4), *range(5, 12)]))
    assert places(scan.flats) == [2, 4, 17, 18, 19]


def test_more_frames_than_the_log_counts_are_refused(tomcat):
    with pytest.raises(ScanError, match=r"R1_A\.log.*12 projections.*number 23"):
        read_scan(tomcat(range(23)))


def test_all_frames_named_as_projections_are_told_apart_by_the_log(tomcat):
    folder = tomcat()
    scan = read_scan(
        projections=str(folder / "R1_A*.tif"), theta_deg={"first": 0.0, "last": 165.0, "count": 12}
    )
    assert places(scan.darks) == [0, 1]
    assert places(scan.projections) == list(range(5, 17))
    assert any("R1_A.log says" in note and "2 darks" in note for note in scan.notes)


def test_a_part_of_several_kinds_is_refused_with_the_folder_as_remedy(tomcat):
    folder = tomcat()
    for theta in ({"first": 0.0, "last": 180.0, "count": 18}, None):
        with pytest.raises(ScanError, match=r"2 darks.*scan\.file: .*R1_A"):
            read_scan(projections=str(folder / "R1_A00[01][1-9].tif"), theta_deg=theta)
    own = [str(folder / name) for name in ("R1_A000[6-9].tif", "R1_A000[3-5].tif")]
    assert read_scan(projections=own[0], flats=own[1]).projections.shape == (4, 4, 6)
