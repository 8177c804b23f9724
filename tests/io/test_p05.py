"""Scans of P05 and P07: every fact of the files comes out, every trap is met."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.p05 import scans as p05
from xct.io.scans.raw import Request

ALL = slice(None)
SUFFIX = {0: "img", 1: "ref", 2: "dar"}
# darks, flats, projections, flats, projections, flats: blocks before, between and after
KEYS = [2, 2, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1]
EPOCH_MS = 1_480_217_687_541
SCAN = "entry/scan/data"


def frame(number):
    """A frame that holds its place in time."""
    return np.full((3, 4), 1000 + number, np.uint16) + np.arange(4, dtype=np.uint16)


class Files:
    """A scan that a test changes before it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = list(KEYS)
        self.number = [f"{n:06d}" for n in range(len(KEYS))]
        self.subfolder = ""
        self.slash = ""
        self.options: dict = {}
        self.skip: set[int] = set()
        self.zero: set[int] = set()
        self.changes: dict[str, object] = {}

    @property
    def file(self) -> Path:
        return self.folder / f"{self.folder.name}_nexus.h5"

    def name(self, n):
        folder = self.subfolder.format(n // 5) if self.subfolder else ""
        return f"{folder}{self.folder.name}_{self.number[n]}_{SUFFIX.get(self.keys[n], 'img')}.tif"

    def values(self):
        keys = np.array(self.keys)
        count, projections = len(keys), int((keys == 0).sum())
        return {
            f"{SCAN}/image_file/value": [self.slash + self.name(n) for n in range(count)],
            f"{SCAN}/image_file/time": EPOCH_MS + 500 * np.arange(count),
            f"{SCAN}/image_key/value": keys,
            f"{SCAN}/s_rot/value": np.arange(projections) * 45.0,
            "entry/hardware/beam_current/current/time": EPOCH_MS + 1000 * np.arange(-1, 9),
            "entry/hardware/beam_current/current/value": np.linspace(101, 99, 10),
            "entry/hardware/camera/exptime": [200.0],
            "entry/hardware/camera/magnification": [5.0],
            "entry/hardware/camera/pixelsize": [0.0032],
            "entry/scan/n_dark": [int((keys == 2).sum())],
            "entry/scan/n_ref": [int((keys == 1).sum())],
            "entry/scan/n_img": [projections],
            "entry/scan/n_angle": [projections],
            "entry/scan/setup/pos_p05_energy": [34_000.0],
            "entry/scan/setup/o_ccd_dist": [80.0],
        }

    def write(self):
        for n in range(len(self.keys)):
            path = self.folder / self.name(n)
            path.parent.mkdir(parents=True, exist_ok=True)
            if n not in self.skip:
                value = frame(n) * 0 if n in self.zero else frame(n)
                tifffile.imwrite(path, value, **self.options)
        with h5py.File(self.file, "w") as file:
            for path, value in {**self.values(), **self.changes}.items():
                if value is not None:
                    file[path] = value
        return self.file

    def read(self, **request):
        self.write()
        return p05.read(self.folder, Request(**request))


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "cell_07"
    folder.mkdir()
    return Files(folder)


def order(stack):
    """Places in time of the frames that a stack gives."""
    return (stack.frames.read(ALL, ALL, ALL)[:, 0, 0].astype(int) - 1000)[stack.index].tolist()


def test_every_fact_of_the_file_is_read(files):
    raw = files.read()
    assert raw.layout == "p05"
    assert raw.pixel_size_um == pytest.approx(0.64)
    assert raw.energy_kev == pytest.approx(34)
    assert raw.distance_mm == pytest.approx(80)
    assert raw.theta_deg.tolist() == [0, 45, 90, 135, 180]
    assert raw.files[0] == files.file
    assert len(raw.files) == 14
    assert set(raw.origin) >= {"theta_deg", "pixel_size_um", "energy_kev", "distance_mm"}
    assert raw.notes == ()


def test_frames_are_distinguished_by_their_key_in_blocks_on_one_clock(files):
    raw = files.read()
    assert order(raw.projections) == [4, 5, 6, 9, 10]
    assert order(raw.flats) == [2, 3, 7, 8, 11, 12]
    assert order(raw.darks) == [0, 1]
    assert raw.projections.time.tolist() == [2.0, 2.5, 3.0, 4.5, 5.0]
    assert raw.flats.time.tolist() == [1.0, 1.5, 3.5, 4.0, 5.5, 6.0]


def test_a_flat_belongs_to_the_kind_that_its_key_says_whatever_its_name(files):
    files.keys[4] = 1
    files.name = lambda n: f"x_{n}_img.tif"
    files.changes = {"entry/scan/n_ref": None}
    raw = files.read()
    assert order(raw.flats) == [2, 3, 4, 7, 8, 11, 12]


@pytest.mark.parametrize("counted", ["projections", "projections and flats", "all frames"])
def test_angles_may_count_other_frames_too(files, counted):
    keys, expected = np.array(KEYS), [10.0, 20.0, 30.0, 40.0, 50.0]
    angles = np.full(len(keys), -1.0)
    angles[keys == 0] = expected
    kinds = {"projections": [0], "projections and flats": [0, 1], "all frames": [0, 1, 2]}
    files.changes = {f"{SCAN}/s_rot/value": angles[np.isin(keys, kinds[counted])]}
    assert files.read().theta_deg.tolist() == expected


def test_angles_that_fit_no_kind_are_refused(files):
    files.changes = {f"{SCAN}/s_rot/value": np.arange(7.0)}
    with pytest.raises(ScanError, match=r"s_rot/value has 7 angles, .*5 projections"):
        files.read()


def test_missing_angles_are_not_guessed(files):
    files.changes = {f"{SCAN}/s_rot/value": None}
    raw = files.read()
    assert raw.theta_deg is None
    assert any("no angles" in note for note in raw.notes)


@pytest.mark.parametrize("digits", [4, 5, 6, 7])
def test_the_index_may_have_any_number_of_digits(files, digits):
    files.number = [f"{n:0{digits}d}" for n in range(len(KEYS))]
    assert order(files.read().projections) == [4, 5, 6, 9, 10]


def test_file_order_is_time_order_even_where_names_say_otherwise(files):
    files.number = [f"{99 - n:06d}" for n in range(len(KEYS))]
    assert order(files.read().projections) == [4, 5, 6, 9, 10]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("subfolder", ["", "tiff{:04d}/"])
def test_frames_lie_in_one_folder_or_several(files, slash, subfolder):
    files.slash, files.subfolder = slash, subfolder
    raw = files.read()
    assert order(raw.projections) == [4, 5, 6, 9, 10]
    assert order(raw.flats) == [2, 3, 7, 8, 11, 12]


def test_orientation_of_frames_is_honored(files):
    files.options = {"extratags": [(274, 3, 1, 6, True)]}
    raw = files.read()
    assert raw.projections.frames.shape == (5, 4, 3)
    np.testing.assert_array_equal(
        raw.projections.frames.read(slice(0, 1), ALL, ALL)[0], np.rot90(frame(4), -1)
    )


def link_away(files, kind):
    """Put frame 4 outside of the scan's folder, reached in one of three ways."""
    other = files.folder.parent / "other"
    other.mkdir()
    names = files.values()[f"{SCAN}/image_file/value"]
    inside, outside = files.folder / names[4], other / "x_4.tif"
    files.write()
    inside.rename(outside)
    if kind == "symbolic link":
        inside.symlink_to(outside)
    elif kind == "folder link":
        (files.folder / "tiff0000").symlink_to(other)
        names[4] = "tiff0000/x_4.tif"
    else:
        names[4] = {"..": "../other/x_4.tif", "absolute": str(outside)}[kind]
    with h5py.File(files.file, "a") as file:
        del file[f"{SCAN}/image_file/value"]
        file[f"{SCAN}/image_file/value"] = names
    return other


@pytest.mark.parametrize("kind", ["..", "absolute", "symbolic link", "folder link"])
def test_frames_outside_of_the_folder_are_read_only_if_allowed(files, kind):
    other = link_away(files, kind)
    with pytest.raises(ScanError, match=r"1 of 13 frames lie outside .*set scan\.links_below"):
        p05.read(files.file, Request())
    with pytest.raises(ScanError, match="outside"):
        p05.read(files.file, Request(links_below=files.folder.parent / "oth"))
    assert order(p05.read(files.file, Request(links_below=other)).projections) == [4, 5, 6, 9, 10]


def test_a_scan_folder_reached_through_a_link_is_the_scan_folder(files):
    files.write()
    link = files.folder.parent / "link"
    link.symlink_to(files.folder)
    assert order(p05.read(link, Request()).projections) == [4, 5, 6, 9, 10]


def test_missing_frames_are_counted_and_named(files):
    files.skip = {4, 5, 6, 9, 10}
    with pytest.raises(ScanError) as error:
        files.read()
    assert "5 of 13 frames that it names are missing" in str(error.value)
    assert "cell_07_000004_img.tif" in str(error.value)
    assert "and 2 more" in str(error.value)


def test_a_frame_named_twice_is_refused(files):
    files.number[5] = files.number[4]
    with pytest.raises(ScanError, match=r"frames 4 and 5 are both cell_07_000004_img\.tif"):
        files.read()


@pytest.mark.parametrize(
    ("path", "count", "message"),
    [
        ("image_key/value", 12, "names 13 frames, but /entry/scan/data/image_key/value has 12"),
        ("image_file/time", 14, "names 13 frames, but /entry/scan/data/image_file/time has 14"),
    ],
)
def test_lists_of_another_length_are_refused(files, path, count, message):
    files.changes = {f"{SCAN}/{path}": np.arange(count)}
    with pytest.raises(ScanError, match=message):
        files.read()


def test_counts_that_contradict_the_frames_are_all_named_at_once(files):
    files.changes = {
        "entry/scan/n_dark": [1],
        "entry/scan/n_ref": [5],
        "entry/scan/n_img": [4],
        "entry/scan/n_angle": [3],
        f"{SCAN}/s_rot/value": np.arange(8.0),
    }
    with pytest.raises(ScanError) as error:
        files.read()
    texts = [text.split(": ", 1)[1] for text in error.value.errors]
    starts = ["n_dark = 1, but it names 2 darks", "n_ref = 5, but it names 6 flats"]
    starts += ["n_img = 4, but it names 5 projections", "n_angle = 3, but it names 5 projections"]
    starts += ["/entry/scan/data/s_rot/value has 8 angles"]
    assert [text.startswith(start) for text, start in zip(texts, starts, strict=True)] == [True] * 5


def test_an_interrupted_scan_runs_on_the_frames_it_names(files):
    whole = files.read()
    files.changes = {"entry/scan/n_img": [9], "entry/scan/n_angle": [9], "entry/scan/n_ref": [7]}
    raw = files.read()
    np.testing.assert_array_equal(raw.theta_deg, whole.theta_deg)
    assert len(raw.projections.index) == 5
    assert any("n_img = 9, but it names 5" in note and "are used" in note for note in raw.notes)


@pytest.mark.parametrize(
    "counts", [{"n_ref": 2}, {"n_img": 1, "n_angle": 5}, {"n_img": None, "n_angle": None}]
)
def test_counts_by_block_and_by_angle_do_not_contradict(files, counts):
    files.changes = {f"entry/scan/{name}": value for name, value in counts.items()}
    assert len(files.read().projections.index) == 5


def test_duplicate_time_stamps_leave_the_order_of_the_frames(files):
    time = EPOCH_MS + 500 * np.arange(len(KEYS))
    time[5] = time[6] = time[4]
    files.changes = {f"{SCAN}/image_file/time": time}
    raw = files.read()
    assert order(raw.projections) == [4, 5, 6, 9, 10]
    assert np.all(np.diff(raw.projections.time) > 0)
    assert raw.projections.time[2] < raw.flats.time[2]  # the flat that comes next
    assert any("2 of 13 time stamps repeat" in note for note in raw.notes)


@pytest.mark.parametrize("bad", ["backwards", "still"])
def test_stamps_that_cannot_be_a_clock_give_way_to_the_order(files, bad):
    time = EPOCH_MS + 500 * np.arange(len(KEYS))
    time[8:] = time[0] if bad == "backwards" else time[8:]
    files.changes = {f"{SCAN}/image_file/time": time * (bad == "backwards")}
    raw = files.read()
    assert raw.projections.time.tolist() == [4, 5, 6, 9, 10]
    assert raw.flats.time.tolist() == [2, 3, 7, 8, 11, 12]
    assert any("time stamps" in note for note in raw.notes)


def test_ring_current_is_the_mean_at_start_and_end_of_each_projection(files):
    # the current falls from 100 mA by 2 mA/s; projections start at 2.0 s … and last 0.2 s
    seconds = np.arange(0, 9)
    files.changes = {
        "entry/hardware/beam_current/current/time": EPOCH_MS + 1000 * seconds,
        "entry/hardware/beam_current/current/value": 100.0 - 2 * seconds,
    }
    raw = files.read()
    np.testing.assert_allclose(
        raw.ring_current_ma, 100 - 2 * (np.array([2.0, 2.5, 3.0, 4.5, 5.0]) + 0.1)
    )


def test_zeros_before_the_first_reading_are_unknown_not_zero(files):
    files.changes = {
        "entry/hardware/beam_current/current/time": EPOCH_MS + 1000 * np.arange(8),
        "entry/hardware/beam_current/current/value": [0, 0, 0, 100, 100, 100, 100, 100],
    }
    raw = files.read()
    np.testing.assert_array_equal(raw.ring_current_ma, [np.nan, np.nan, 100, 100, 100])
    assert any("not known for 4 of" in note for note in raw.notes), raw.notes


def test_a_later_zero_is_a_lost_beam(files):
    files.changes = {
        "entry/hardware/beam_current/current/time": EPOCH_MS + 1000 * np.arange(8),
        "entry/hardware/beam_current/current/value": [100, 100, 100, 100, 0, 0, 0, 0],
    }
    np.testing.assert_allclose(files.read().ring_current_ma, [100, 100, 90, 0, 0])


def test_the_last_reading_holds_for_as_long_as_readings_lie_apart(files):
    files.changes = {
        "entry/hardware/beam_current/current/time": EPOCH_MS + np.array([0, 2000, 3000]),
        "entry/hardware/beam_current/current/value": [100.0, 98.0, 98.0],
    }
    current = files.read().ring_current_ma  # known until 5 s
    np.testing.assert_array_equal(current, [98, 98, 98, 98, np.nan])


def test_without_any_real_reading_there_is_no_current(files):
    files.changes = {"entry/hardware/beam_current/current/value": np.zeros(10)}
    raw = files.read()
    assert raw.ring_current_ma is None
    assert any("no reading" in note for note in raw.notes)


def test_magnification_zero_gives_no_pixel_size(files):
    files.changes = {"entry/hardware/camera/magnification": [0.0]}
    raw = files.read()
    assert raw.pixel_size_um is None
    assert "pixel_size_um" not in raw.origin
    assert any("magnification = 0" in n and "scan.pixel_size_um" in n for n in raw.notes)


def test_the_camera_may_be_camera1(files):
    values = {"exptime": [200.0], "magnification": [10.0], "pixelsize": [0.0055]}
    files.changes = {f"entry/hardware/camera/{name}": None for name in values}
    files.changes |= {f"entry/hardware/camera1/{name}": value for name, value in values.items()}
    assert files.read().pixel_size_um == pytest.approx(0.55)


def test_energy_and_distance_may_stand_in_the_other_field(files):
    files.changes = {
        "entry/scan/setup/pos_p05_energy": None,
        "entry/scan/setup/p07_energy": [67_000.0],
        "entry/scan/setup/o_ccd_dist": None,
        "entry/scan/setup/pos_o_ccd_dist": [120.0],
    }
    raw = files.read()
    assert (raw.energy_kev, raw.distance_mm) == (pytest.approx(67), pytest.approx(120))


def test_an_impossible_energy_is_left_out(files):
    files.changes = {"entry/scan/setup/pos_p05_energy": [0.0]}
    raw = files.read()
    assert raw.energy_kev is None
    assert any("pos_p05_energy = 0 cannot be" in note for note in raw.notes)


@pytest.mark.parametrize(("zero", "said"), [({0, 1}, "2 of 2 darks"), ({1}, "1 of 2 darks")])
def test_darks_of_nothing_but_zeros_are_kept_and_noted(files, zero, said):
    files.zero = zero
    raw = files.read()
    assert len(raw.darks.index) == 2
    assert any(said in note for note in raw.notes)


def test_a_lateral_stage_that_moves_is_noted(files):
    files.changes = {f"{SCAN}/s_stage_x/value": np.linspace(0, 0.01, 11)}  # projections, flats
    assert any("moved by 6 µm" in note for note in files.read().notes)


def test_frames_with_another_key_are_left_out_and_counted(files):
    files.keys[5] = 3
    raw = files.read()
    assert order(raw.projections) == [4, 6, 9, 10]
    assert any("1 of 13 frames are left out" in note for note in raw.notes)


def test_a_scan_without_projections_is_refused(files):
    files.keys = [1] * len(KEYS)
    with pytest.raises(ScanError, match="not a single projection"):
        files.read()


def test_a_frame_of_another_size_is_named(files):
    files.write()
    tifffile.imwrite(files.folder / files.name(10), np.zeros((3, 5), np.uint16))
    with pytest.raises(ScanError, match=r"000010_img\.tif: the frame is 3 x 5 uint16, but"):
        p05.read(files.file, Request())


def test_scans_are_recognized_by_folder_and_by_file(files, tmp_path):
    assert not p05.recognizes(files.folder)
    files.write()
    assert p05.recognizes(files.folder)
    assert p05.recognizes(files.file)
    assert not p05.recognizes(files.folder / files.name(0))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["exchange/data"] = np.zeros((2, 3, 4))
    assert not p05.recognizes(tmp_path / "other.h5")


def test_a_truncated_nexus_file_says_so(files):
    files.write()
    files.file.write_bytes(files.file.read_bytes()[:3000])
    assert p05.recognizes(files.folder)
    with pytest.raises(ScanError, match=r"cell_07_nexus\.h5: the file is truncated"):
        p05.read(files.folder, Request())


def test_several_scans_in_a_folder_must_be_distinguished(files):
    files.write()
    files.file.rename(files.folder / "a_nexus.h5")
    (files.folder / "b_nexus.h5").write_bytes((files.folder / "a_nexus.h5").read_bytes())
    with pytest.raises(ScanError, match=r"several scans \(a_nexus\.h5, b_nexus\.h5\)"):
        p05.read(files.folder, Request())
    assert order(p05.read(files.folder / "b_nexus.h5", Request()).darks) == [0, 1]


def test_old_scans_with_an_empty_nexus_file_are_read_from_their_log(files):
    files.changes = {f"{SCAN}/image_file/value": np.array([], dtype="S9")}
    files.write()
    (files.folder / "cell_07scan.log").write_text("energy = 17000\nn_dark = 2\n", encoding="utf-8")
    raw = p05.read(files.folder, Request())
    assert raw.energy_kev == pytest.approx(17)
    assert order(raw.projections) == [4, 5, 6, 9, 10]
