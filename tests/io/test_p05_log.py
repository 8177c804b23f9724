"""Old scans of P05: the facts of a scan.log, and the frames beside it."""

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.p05 import scans as p05
from xct.io.p05.logs import read_log
from xct.io.scans.raw import Request

ALL = slice(None)
LOG = """\
*************** scan info ***************
Energy = 17000.0
undulator_gap=12.3
n_dark = 2
n_ref = 4
n_img = 3
exptime = 500
*************** camera ***************
ccd_pixsize: 0.0024
magn: 4.0
eff_pix: 0.0006
*************** apparatus ***************
o_ccd_dist = 70.5
"""
KINDS = ["dar", "dar", "ref", "ref", "img", "img", "img", "ref", "ref"]


@pytest.fixture
def scan(tmp_path):
    """A folder with frames numbered through all kinds, and its log."""
    folder = tmp_path / "bone_3"
    folder.mkdir()
    for number, kind in enumerate(KINDS):
        value = np.full((3, 4), 10 + number, np.uint16)
        tifffile.imwrite(folder / f"bone_3_{number:06d}_{kind}.tif", value)
    (folder / "bone_3scan.log").write_text(LOG, encoding="utf-8")
    return folder


def with_log(scan, text):
    (scan / "bone_3scan.log").write_text(text, encoding="utf-8")
    return p05.read(scan, Request())


def order(stack):
    return (stack.frames.read(ALL, ALL, ALL)[:, 0, 0].astype(int) - 10)[stack.index].tolist()


def test_facts_of_the_log_are_read_whatever_separates_them(scan):
    raw = p05.read(scan, Request())
    assert raw.layout == "p05"
    assert raw.energy_kev == pytest.approx(17)
    assert raw.pixel_size_um == pytest.approx(0.6)
    assert raw.distance_mm == pytest.approx(70.5)


def test_the_end_of_a_name_determines_the_kind(scan):
    raw = p05.read(scan / "bone_3scan.log", Request())
    assert order(raw.projections) == [4, 5, 6]
    assert order(raw.flats) == [2, 3, 7, 8]
    assert order(raw.darks) == [0, 1]


def test_numbers_that_run_through_all_kinds_are_the_clock(scan):
    raw = p05.read(scan, Request())
    assert raw.projections.time.tolist() == [4, 5, 6]
    assert raw.flats.time.tolist() == [2, 3, 7, 8]


def test_numbers_that_begin_anew_are_no_clock(scan):
    for number, kind in enumerate(KINDS):
        path = scan / f"bone_3_{number:06d}_{kind}.tif"
        path.rename(scan / f"bone_3_{KINDS[:number].count(kind):06d}_{kind}.tif")
    raw = p05.read(scan, Request())
    assert order(raw.flats) == [2, 3, 7, 8]
    assert raw.flats.time is None
    assert raw.projections.time is None


def test_angles_are_not_guessed(scan):
    raw = p05.read(scan, Request())
    assert raw.theta_deg is None
    assert any("does not give the angles" in note for note in raw.notes)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("angle_list = 0, 60.5, 121", [0, 60.5, 121]),
        ("angle_start = 10\nangle_stop = 190", [10, 100, 190]),
        ("angle_range = 180\nn_angle = 3", [0, 60, 120]),
        ("angle_range = 180\nn_angle = 2", [0, 90, 180]),
    ],
)
def test_angles_that_the_log_gives_are_used(scan, lines, expected):
    assert with_log(scan, LOG + lines).theta_deg.tolist() == expected


def test_counts_that_contradict_the_frames_are_named_together(scan):
    with pytest.raises(ScanError) as error:
        with_log(scan, LOG.replace("n_img = 3", "n_img = 5").replace("n_dark = 2", "n_dark = 1"))
    dark, image = error.value.errors
    assert "n_dark = 1, but it names 2 darks" in dark
    assert "n_img = 5, but it names 3 projections" in image


def test_a_key_with_two_values_is_refused(scan):
    with pytest.raises(ScanError, match="n_dark stands there several times, as 2 and 4"):
        with_log(scan, LOG + "n_dark = 4\n")


def test_a_pixel_size_that_contradicts_the_optics_is_left_out(scan):
    raw = with_log(scan, LOG.replace("eff_pix: 0.0006", "eff_pix: 0.6"))
    assert raw.pixel_size_um is None
    assert any("eff_pix = 0.6 mm, but ccd_pixsize / magn = 0.0006 mm" in n for n in raw.notes)


@pytest.mark.parametrize("line", ["magn: 4.0\n", "ccd_pixsize: 0.0024\n", "eff_pix: 0.0006\n"])
def test_one_way_to_the_pixel_size_is_enough(scan, line):
    assert with_log(scan, LOG.replace(line, "")).pixel_size_um == pytest.approx(0.6)


def test_magnification_zero_gives_no_pixel_size(scan):
    text = LOG.replace("magn: 4.0", "magn: 0").replace("eff_pix: 0.0006\n", "")
    raw = with_log(scan, text)
    assert raw.pixel_size_um is None
    assert any("magn = 0 cannot be" in note for note in raw.notes)


WORD = {"dar": "dark", "ref": "ref", "img": "img"}


def records(order):
    """Log frames as P05 did: ring current before, the frame with its angle, current after."""
    lines = ["*" * 20]
    for step, number in enumerate(order):
        kind = KINDS[number]
        angle = f"  {(number - 4) * 30:.5f}" if kind == "img" else ""
        for current, offset in ((100 - step, 0), (99.5 - step, 400)):
            lines.append("/PETRA/Idc/Buffer-0/I.SCH")
            lines.append(f"@{1480217687000 + 1000 * step + offset}[{current}@1480217687487]")
            if offset == 0:
                name = f"/gpfs/current/raw/bone_3/bone_3{number:05d}.{kind}"
                lines.append(f"{WORD[kind]} {name}{angle}")
    return "\n".join(lines)


def test_frames_that_the_log_lists_give_order_angles_and_ring_current(scan):
    raw = with_log(scan, LOG + records([0, 1, 7, 8, 6, 5, 4, 2, 3]))
    assert order(raw.projections) == [6, 5, 4]
    assert raw.theta_deg.tolist() == [60, 30, 0]
    assert order(raw.flats) == [7, 8, 2, 3]
    assert raw.projections.time.tolist() == [4, 5, 6]
    assert raw.flats.time.tolist() == [2, 3, 7, 8]
    np.testing.assert_allclose(raw.ring_current_ma, [95.75, 94.75, 93.75])


def test_frames_may_be_listed_in_the_image_log(scan):
    (scan / "bone_3image.log").write_text(records(range(9)), encoding="utf-8")
    assert p05.read(scan, Request()).theta_deg.tolist() == [0, 30, 60]


def test_an_image_log_that_is_not_understood_is_said(scan):
    (scan / "bone_3image.log").write_text("frame 5 was taken at noon", encoding="utf-8")
    notes = p05.read(scan, Request()).notes
    assert any("bone_3image.log: lists no frames in a way that is known" in n for n in notes)


def test_listed_frames_that_are_not_there_are_named(scan):
    (scan / "bone_3_000005_img.tif").unlink()
    with pytest.raises(ScanError, match="1 frames that it lists are not there: projections 5"):
        with_log(scan, LOG + records(range(9)))


def test_frames_of_another_scan_in_the_folder_are_left_alone(scan):
    tifffile.imwrite(scan / "bone_4_000007_img.tif", np.zeros((5, 5), np.uint16))
    (scan / "bone_4scan.log").write_text("energy = 30000\nn_img = 1\n", encoding="utf-8")
    with pytest.raises(ScanError, match=r"bone_3scan\.log"):
        p05.read(scan.rename(scan.with_name("both")), Request())
    raw = p05.read(scan.with_name("both") / "bone_4scan.log", Request())
    assert raw.projections.frames.shape == (1, 5, 5)


def test_frames_behind_a_link_are_read_only_if_allowed(scan):
    inside, outside = scan / "bone_3_000005_img.tif", scan.parent / "5.tif"
    inside.rename(outside)
    inside.symlink_to(outside)
    with pytest.raises(ScanError, match="outside of the scan's folder"):
        p05.read(scan, Request())
    assert order(p05.read(scan, Request(links_below=scan.parent)).projections) == [4, 5, 6]


def test_a_log_without_frames_says_what_is_missing(tmp_path):
    (tmp_path / "scan.log").write_text(LOG, encoding="utf-8")
    with pytest.raises(ScanError, match=r"no frames beside it; expected .* _img\.tif"):
        p05.read(tmp_path / "scan.log", Request())


def test_a_log_is_recognized_by_what_stands_in_it(scan, tmp_path):
    assert p05.recognizes(scan)
    assert p05.recognizes(scan / "bone_3scan.log")
    (tmp_path / "otherscan.log").write_text("it rained = yes\n", encoding="utf-8")
    assert not p05.recognizes(tmp_path / "otherscan.log")
    assert not p05.recognizes(tmp_path)


def test_sections_and_prose_are_no_facts(tmp_path):
    (tmp_path / "scan.log").write_bytes(b"* n_dark = 9\nsome words\n\xff\xfe\nmagn : 5 x\n")
    log = read_log(tmp_path / "scan.log")
    assert set(log.facts) == {"magn"}
    assert log.number("magn") == 5
