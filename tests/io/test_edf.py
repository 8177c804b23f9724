"""Scans of the ESRF in EDF files, written by fabio as its beamlines do."""

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.edf import frames as edf
from xct.io.edf.frames import read_header
from xct.io.scans.reading import read_scan
from xct.io.scans.recognize import read_raw

pytest.importorskip("fabio")

ROWS, COLUMNS, TOMO_N = 6, 10, 12
INFO = """Prefix=                 cell
TOMO_N=                 {count}
REF_ON=                 {count}
REF_N=                  20
DARK_N=                 5
ScanRange=              {turn}
PixelSize=              0.65
Energy=                 26
Distance=               40.5
"""


def write(path, value, dtype=np.uint16, **said):
    from fabio.edfimage import EdfImage

    pixels = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 7
    EdfImage(data=(value + pixels).astype(dtype), header=said).write(str(path))


def motors(angle):
    return {"motor_mne": "srot sy sz", "motor_pos": f"{angle:.4f} 0.1 3"}


def write_scan(folder, *, turn=180, extra=3, info=True, lost=()):
    folder.mkdir()
    repeated = [turn - 90 * k for k in range(extra)]
    angles = [turn / TOMO_N * k for k in range(TOMO_N)] + repeated
    for number, angle in enumerate(angles):
        if number not in lost:
            write(folder / f"cell{number:04d}.edf", 1000 + number, **motors(angle))
    write(folder / "refHST0000.edf", 5000)
    write(folder / f"refHST{TOMO_N:04d}.edf", 5100)
    write(folder / "darkend0000.edf", 500, np.uint32)
    if info:
        (folder / "cell.info").write_text(INFO.format(count=TOMO_N, turn=turn), encoding="utf-8")
    return folder


@pytest.fixture
def scan(tmp_path):
    return write_scan(tmp_path / "cell")


@pytest.mark.parametrize("name", ["", "cell0003.edf", "cell.info"])
def test_a_scan_is_read_from_its_folder_or_any_file_of_it(scan, name):
    read = read_scan(scan / name)
    assert read.layout == "edf"
    assert read.projections.shape == (TOMO_N + 3, ROWS, COLUMNS)
    assert list(read.projections.read()[:, 0, 0]) == [1000 + k for k in range(TOMO_N + 3)]
    assert (read.pixel_size_um, read.energy_kev, read.distance_mm) == (0.65, 26, 40.5)


@pytest.mark.parametrize(("turn", "extra"), [(180, 0), (180, 1), (180, 3), (360, 5)])
def test_frames_behind_the_turn_have_the_angles_at_which_they_are_repeated(tmp_path, turn, extra):
    raw = read_raw(write_scan(tmp_path / "cell", turn=turn, extra=extra))
    step = turn / TOMO_N
    assert list(raw.theta_deg[:TOMO_N]) == [k * step for k in range(TOMO_N)]
    assert list(raw.theta_deg[TOMO_N:]) == [turn - 90 * k for k in range(extra)]
    assert raw.notes == tuple(n for n in raw.notes if "darkend" in n)


def test_frames_behind_the_turn_whose_angles_nobody_knows_are_left_out_and_named(tmp_path):
    raw = read_raw(write_scan(tmp_path / "cell", extra=2))
    assert len(raw.projections.index) == len(raw.theta_deg) == TOMO_N
    assert any("2 frames behind the 12 projections of cell.info are left out" in n
               for n in raw.notes)  # fmt: skip


def test_lost_frames_keep_the_angles_of_the_others_and_are_named(tmp_path):
    scan = read_scan(write_scan(tmp_path / "cell", lost=(4, 5)))
    assert list(scan.theta_deg[:6]) == [0, 15, 30, 45, 90, 105]
    assert any("missing projections: 4–5" in note for note in scan.notes)


def test_an_interrupted_scan_is_read_and_said(tmp_path):
    scan = read_scan(write_scan(tmp_path / "cell", extra=0, lost=(9, 10, 11)))
    assert list(scan.theta_deg) == [15.0 * k for k in range(9)]
    assert any("interrupted: 12 projections were planned" in note for note in scan.notes)


def test_references_stand_before_the_projection_of_their_number(scan):
    raw = read_raw(scan)
    assert list(raw.flats.time) == [0, TOMO_N]
    assert raw.flats.time[0] < raw.projections.time[0] < raw.projections.time[11]
    assert raw.projections.time[11] < raw.flats.time[1] < raw.projections.time[12]


def test_single_references_are_taken_rather_than_their_medians(scan):
    for own in range(3):
        for number in (0, TOMO_N):
            write(scan / f"ref{own:04d}_{number:04d}.edf", 6000 + own)
    raw = read_raw(scan)
    assert list(raw.flats.time) == [0, 0, 0, TOMO_N, TOMO_N, TOMO_N]
    values = raw.flats.frames.read(slice(None), slice(0, 1), slice(0, 1)).ravel()
    assert sorted(values) == [6000, 6000, 6001, 6001, 6002, 6002]


@pytest.mark.parametrize("said", ["SRCUR", "machineCurrent", "counter"])
def test_the_current_of_the_ring_becomes_the_dose(tmp_path, said):
    folder = write_scan(tmp_path / "cell", extra=0)

    def current(value):
        if said == "counter":
            return {"counter_mne": "det srcur", "counter_pos": f"1 {value}"}
        return {said: f"{value} mA"}

    for number in range(TOMO_N):
        write(folder / f"cell{number:04d}.edf", 1000, **motors(0), **current(180 - number))
    for number in (0, TOMO_N):
        write(folder / f"refHST{number:04d}.edf", 5000, **current(200))
    read = read_scan(folder)
    expected = (180 - np.arange(TOMO_N)) / 200
    np.testing.assert_allclose(read.projection_dose / np.median(read.flat_dose), expected)


def test_a_current_that_only_projections_say_is_no_dose(tmp_path):
    folder = write_scan(tmp_path / "cell", extra=0)
    for number in range(TOMO_N):
        write(folder / f"cell{number:04d}.edf", 1000, **motors(0), SRCUR="190")
    read = read_scan(folder)
    assert read.projection_dose is None or read.flat_dose is None


def test_a_sum_of_darks_is_divided_by_their_number_and_said(scan):
    raw = read_raw(scan)
    values = raw.darks.frames.read(slice(None), slice(None), slice(None))
    assert values[0, 0, 0] == 100
    assert any("darkend0000.edf is taken for the sum of DARK_N = 5" in n for n in raw.notes)


def test_a_mean_of_darks_is_taken_as_it_is(scan):
    write(scan / "dark.edf", 99, np.float32)
    raw = read_raw(scan)
    assert raw.darks.frames.read(slice(None), slice(None), slice(None))[0, 0, 0] == 99
    assert raw.notes == ()


def test_without_info_angles_come_from_the_motor_that_turned(tmp_path):
    folder = write_scan(tmp_path / "cell", info=False)
    (folder / "darkend0000.edf").unlink()
    raw = read_raw(folder)
    assert raw.theta_deg == pytest.approx([*(15.0 * np.arange(12)), 180, 90, 0])
    assert "motor srot" in raw.origin["theta_deg"]
    assert raw.pixel_size_um is None


def test_a_sum_of_nobody_knows_how_many_darks_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(ScanError, match=r"darkend0000\.edf: is the sum of DARK_N.*dark\.edf"):
        read_raw(write_scan(tmp_path / "cell", info=False))


def test_an_xml_file_says_what_an_info_file_does(scan):
    (scan / "cell.info").unlink()
    (scan / "cell.xml").write_text(
        "<tomodb2><acquisition><tomo_N>12</tomo_N><scanRange unit='deg'>180</scanRange>"
        "<DARK_N>5</DARK_N><pixelSize>0.65</pixelSize><energy>26</energy></acquisition></tomodb2>",
        encoding="utf-8",
    )
    raw = read_raw(scan)
    assert (len(raw.theta_deg), raw.pixel_size_um, raw.energy_kev) == (15, 0.65, 26)


def test_a_motor_that_turned_otherwise_than_the_info_says_is_told(scan):
    (scan / "cell.info").write_text(INFO.format(count=TOMO_N, turn=360), encoding="utf-8")
    told = [note for note in read_raw(scan).notes if "motor srot" in note]
    assert len(told) == 1
    assert "scan.theta_deg" in told[0]


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-30], r"cell0005\.edf: the file is truncated: 602 bytes"),
        (lambda b: b"", r"cell0005\.edf: has no EDF header \(the file is empty\)"),
        (lambda b: b"junk" * 200, r"cell0005\.edf: has no EDF header"),
        (lambda b: b.replace(b"Dim_1 = 10", b"Dim_1 = ab"), r"Dim_1 = 'ab'.*damaged"),
        (lambda b: b.replace(b"Dim_2 = 6 ;", b"Dim_2 = 9999999 ;"), r"is truncated.*9999999 rows"),
        (lambda b: b.replace(b"UnsignedShort", b"UnheardOfType"), r"DataType = 'UnheardOfType'"),
    ],
    ids=["truncated", "empty", "junk", "no size", "huge", "no type"],
)
def test_damaged_frames_are_refused_by_name(scan, change, message):
    spoil(scan / "cell0005.edf", change)
    read = read_scan(scan)
    with pytest.raises(ScanError, match=message):
        read.projections.read()
    spoil(scan / "cell0000.edf", change)
    with pytest.raises(ScanError, match=message.replace("0005", "0000")):
        read_scan(scan)


def test_a_frame_of_another_size_is_refused_by_name(scan):
    from fabio.edfimage import EdfImage

    EdfImage(data=np.ones((5, 10), np.uint16)).write(str(scan / "cell0006.edf"))
    with pytest.raises(ScanError, match=r"cell0006\.edf: holds 5 rows × 10 columns, but cell0000"):
        read_scan(scan).projections.read()


def test_parts_of_frames_are_what_the_whole_holds(scan):
    frames = read_raw(scan).projections.frames
    whole = frames.read(slice(None), slice(None), slice(None))
    part = frames.read(np.array([1, 4]), slice(2, 5), slice(3, 9))
    np.testing.assert_array_equal(part, whole[[1, 4], 2:5, 3:9])
    assert read_header(scan / "cell0001.edf").motors()["srot"] == 15


def test_a_folder_of_tiff_frames_stays_one_with_an_edf_file_in_it(tmp_path):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"proj_{number:04d}.tif", np.ones((4, 5), np.uint16))
    write(tmp_path / "dark0000.edf", 5)
    write(tmp_path / "cell0000.edf", 5)
    assert read_raw(tmp_path).layout == "tiff"


def test_without_fabio_it_is_said_how_to_install_it(scan, monkeypatch):
    monkeypatch.setattr(edf, "find_spec", lambda name: None)
    with pytest.raises(ScanError, match=r"pip install xct\[edf\]; or convert"):
        read_scan(scan)
