import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError

# flats and darks before, between and after; two frames were marked invalid
KEYS = [1, 1, 2, 0, 0, 0, 1, 0, 3, 0, 0, 0, 1, 2, 3]
PROJECTIONS = [3, 4, 5, 7, 9, 10, 11]
THETA = 15.0 * np.arange(1, 8)


def check(scan, numbered):
    np.testing.assert_array_equal(scan.projections.read(), numbered(15)[PROJECTIONS])
    np.testing.assert_array_equal(scan.flats.read(), numbered(15)[[0, 1, 6, 12]])
    np.testing.assert_array_equal(scan.darks.read(), numbered(15)[[2, 13]])
    np.testing.assert_allclose(scan.theta_deg, THETA)


def test_keys_part_frames_and_their_place_is_the_clock(nxtomo, numbered):
    scan = read_scan(nxtomo(KEYS))
    check(scan, numbered)
    np.testing.assert_array_equal(scan.projection_time, PROJECTIONS)
    np.testing.assert_array_equal(scan.flat_time, [0, 1, 6, 12])
    assert any("2 frames" in note and "invalid" in note for note in scan.notes)


@pytest.mark.parametrize("counted", ["projections", "projections and flats", "valid", "all"])
def test_angles_may_count_projections_or_more(nxtomo, numbered, counted):
    keys = np.array(KEYS)
    taken = {
        "projections": keys == 0,
        "projections and flats": keys < 2,
        "valid": keys < 3,
        "all": keys < 9,
    }[counted]
    angles = 15.0 * np.cumsum(keys == 0)[taken]
    check(read_scan(nxtomo(KEYS, {"sample/rotation_angle": angles})), numbered)


def test_angles_of_another_number_are_refused(nxtomo):
    path = nxtomo(KEYS, {"sample/rotation_angle": np.arange(9.0)})
    with pytest.raises(ScanError, match=r"9 angles.*7 projections"):
        read_scan(path)


def test_fewer_keys_than_frames_are_refused(nxtomo):
    path = nxtomo(KEYS, {"instrument/detector/image_key": np.zeros(12, np.int32)})
    with pytest.raises(ScanError, match=r"12 keys.*15 frames"):
        read_scan(path)


@pytest.mark.parametrize("counted", ["planned frames", "planned projections", "frames"])
def test_an_interrupted_scan_runs_on_the_frames_it_holds(nxtomo, numbered, counted):
    angles = 15.0 * np.cumsum(np.array(KEYS) == 0)
    taken = {
        "planned frames": slice(None),
        "planned projections": np.array(KEYS) == 0,
        "frames": slice(0, 10),
    }[counted]
    facts = {
        "instrument/detector/data": numbered(10),
        "sample/rotation_angle": angles[taken],
        "control/data": (np.arange(100.0, 115), "mA"),
    }
    scan = read_scan(nxtomo(KEYS, facts))
    np.testing.assert_array_equal(scan.ring_current_ma, 100.0 + np.array(PROJECTIONS[:5]))
    np.testing.assert_array_equal(scan.projections.read(), numbered(10)[PROJECTIONS[:5]])
    np.testing.assert_array_equal(scan.flats.read(), numbered(10)[[0, 1, 6]])
    np.testing.assert_allclose(scan.theta_deg, THETA[:5])
    assert any("15 keys" in note and "first 10" in note for note in scan.notes)


def test_angles_of_an_interrupted_scan_are_not_spread(nxtomo, numbered):
    path = nxtomo(KEYS, {"instrument/detector/data": numbered(10)})
    with pytest.raises(ScanError, match="angles were planned"):
        read_scan(path, theta_deg={"first": 15.0, "last": 105.0, "count": 5})
    whole = read_scan(path, theta_deg={"first": 15.0, "last": 105.0, "count": 7})
    np.testing.assert_allclose(whole.theta_deg, THETA[:5])


KEYS_ELSEWHERE = "/entry1/instrument/image_key/image_key"


def _with_keys_elsewhere(write, numbered, more=None):
    place = "/entry1/tomo_entry/data"
    contents = {
        f"{place}/data": numbered(15),
        f"{place}/rotation_angle": 15.0 * np.cumsum(np.array(KEYS) == 0),
        KEYS_ELSEWHERE: np.array(KEYS),
        "/entry1/before_scan/keys": np.arange(15),
    }
    return write("a.nxs", contents | (more or {}))


def test_the_image_key_may_stand_anywhere(write, numbered):
    scan = read_scan(_with_keys_elsewhere(write, numbered))
    check(scan, numbered)
    assert scan.origin["image_key"] == KEYS_ELSEWHERE


def test_a_nexus_file_of_another_layout_may_have_further_axes(write, numbered):
    path = write(
        "a.nxs",
        {
            "/entry/imaging/data": numbered(15)[:, None],
            "/entry/instrument/imaging/image_key": np.array(KEYS, float),
            "/entry/imaging_sum/gts_cs_theta": 15.0 * np.cumsum(np.array(KEYS) == 0),
        },
    )
    check(read_scan(path), numbered)


def test_twins_of_the_image_key_count_once_and_others_must_be_chosen(write, numbered):
    twin = {"/entry1/copy/image_key": np.array(KEYS, float)}
    check(read_scan(_with_keys_elsewhere(write, numbered, twin)), numbered)
    other = {"/entry1/old/image_key": np.zeros(15, int)}
    path = _with_keys_elsewhere(write, numbered, other)
    with pytest.raises(ScanError, match=r"several image keys.*scan\.paths\.image_key"):
        read_scan(path)
    check(read_scan(path, paths={"image_key": KEYS_ELSEWHERE}), numbered)


def test_an_unreadable_unit_of_angles_does_not_matter_where_angles_are_given(nxtomo):
    path = nxtomo(KEYS, {"sample/rotation_angle": (15.0 * np.arange(15), "furlong")})
    with pytest.raises(ScanError, match=r"furlong.*scan\.theta_deg"):
        read_scan(path)
    given = read_scan(path, theta_deg={"first": 15.0, "last": 105.0, "count": 7})
    np.testing.assert_allclose(given.theta_deg, THETA)


@pytest.mark.parametrize("keys", [np.full(15, np.nan), np.full(15, b"flat")])
def test_keys_that_are_no_numbers_are_refused(nxtomo, keys):
    with pytest.raises(ScanError, match="no whole numbers"):
        read_scan(nxtomo(KEYS, {"instrument/detector/image_key": keys}))


def test_esrf_file_with_control_keys(nxtomo, numbered):
    path = nxtomo(
        [*KEYS[:-1], 0],
        {"definition": None, "instrument/detector/image_key_control": [*KEYS[:-1], -1]},
        entry="/entry0000",
    )
    scan = read_scan(path)
    check(scan, numbered)
    assert any("alignment" in note for note in scan.notes)


def test_diamond_file_with_frames_in_another_file(tmp_path, write, numbered):
    (tmp_path / "frames").mkdir()
    write("frames/12.h5", {"/entry/data": numbered(15)})
    path = write(
        "12.nxs",
        {
            "/entry1/tomo_entry/instrument/detector/data": h5py.SoftLink("/entry1/pco/data"),
            "/entry1/pco/data": h5py.ExternalLink("frames/12.h5", "/entry/data"),
            "/entry1/pco/other": h5py.ExternalLink("gone.h5", "/entry/data"),
            "/entry1/lost": h5py.SoftLink("/nowhere/at/all"),
            "/entry1/tomo_entry/instrument/detector/image_key": np.array(KEYS, np.float64),
            "/entry1/tomo_entry/data/rotation_angle": 15.0 * np.cumsum(np.array(KEYS) == 0),
        },
    )
    scan = read_scan(path)
    check(scan, numbered)
    assert [file.name for file in scan.files] == ["12.nxs", "12.h5"]


@pytest.mark.parametrize(
    ("facts", "name", "expected"),
    [
        ({"instrument/beam/incident_energy": (18.5, "keV")}, "energy_kev", 18.5),
        ({"beam/incident_energy": (np.array([18500.0]), "eV")}, "energy_kev", 18.5),
        ({"beam/incident_energy": (2.9640267e-15, "J")}, "energy_kev", 18.5),
        ({"instrument/detector/distance": (0.3, "m")}, "distance_mm", 300),
        ({"instrument/detector/x_pixel_size": (6.5e-7, "m")}, "pixel_size_um", 0.65),
        (
            {
                "instrument/detector/x_pixel_size": (6.5, "um"),
                "sample/x_pixel_size": (0.65, "um"),
            },
            "pixel_size_um",
            0.65,
        ),
        (
            {
                "instrument/detector/x_pixel_size": (0.65, "um"),
                "instrument/detector/y_pixel_size": (0.7, "um"),
            },
            "pixel_size_um",
            None,
        ),
        ({"beam/incident_energy": 18.5}, "energy_kev", None),
        ({"beam/incident_energy": (np.linspace(18, 19, 15), "keV")}, "energy_kev", None),
    ],
)
def test_facts_are_read_with_their_units(nxtomo, facts, name, expected):
    scan = read_scan(nxtomo(KEYS, facts))
    value = getattr(scan, name)
    assert value == (None if expected is None else pytest.approx(expected, rel=1e-6))
    if expected is None:
        assert len(scan.notes) > 1


def test_ring_current_is_distinguished_from_another_monitor(nxtomo):
    current = np.linspace(100, 99, 15)
    scan = read_scan(nxtomo(KEYS, {"control/data": (current / 1e3, "A")}))
    np.testing.assert_allclose(scan.ring_current_ma, current[PROJECTIONS])
    assert read_scan(nxtomo(KEYS, {"control/data": current}, name="b.nx")).ring_current_ma is None


def test_start_times_are_the_clock(nxtomo):
    start = 1e9 + 0.5 * np.arange(15)
    scan = read_scan(nxtomo(KEYS, {"instrument/detector/start_time": (start * 1e3, "ms")}))
    np.testing.assert_allclose(scan.projection_time, start[PROJECTIONS])


def test_exposures_of_frames_are_compared(nxtomo):
    seconds = np.where(np.array(KEYS) == 1, 0.1, 0.4)
    scan = read_scan(nxtomo(KEYS, {"instrument/detector/count_time": (seconds, "s")}))
    assert scan.flat_exposure_ratio == pytest.approx(4.0)


def test_of_two_scans_in_one_file_the_user_chooses(nxtomo, numbered):
    path = nxtomo(KEYS, entry="/entry0000")
    with h5py.File(path, "a") as file:
        file.copy("/entry0000", "/entry0001")
    with pytest.raises(ScanError, match=r"2 scans.*scan\.paths\.data"):
        read_scan(path)
    check(read_scan(path, paths={"data": "/entry0001/instrument/detector/data"}), numbered)


def test_older_file_without_keys_takes_flats_from_another(nxtomo, numbered):
    path = nxtomo([0] * 7, {"instrument/detector/image_key": None})
    other = nxtomo([1, 1, 2], name="flats.nx")
    scan = read_scan(path, flats={"file": other}, darks={"file": other})
    assert any("no image_key" in note for note in scan.notes)
    np.testing.assert_array_equal(scan.flats.read(), numbered(2))
    np.testing.assert_array_equal(scan.darks.read(), numbered(3)[2:])
    assert scan.flat_time is None
    assert other in scan.files


def test_unambiguous_frames_keys_and_angles_are_found(write, numbered):
    turn = 15.0 * np.cumsum(np.array(KEYS) == 0)
    contents = {
        "/run/camera/frames": numbered(15),
        "/run/camera/image_key": np.array(KEYS),
        "/run/motors/omega/value": turn,
        "/run/again": h5py.SoftLink("/run/camera"),
        "/run/broken": h5py.ExternalLink("gone.h5", "/"),
    }
    scan = read_scan(write("a.nxs", contents))
    check(scan, numbered)
    assert any("no NXtomo entry" in note for note in scan.notes)
    more = write("b.nxs", {**contents, "/run/motors/theta": turn + 1})
    with pytest.raises(ScanError, match=r"several stacks.*omega.*theta"):
        read_scan(more)
    check(read_scan(more, paths={"theta_deg": "/run/motors/omega/value"}), numbered)


@pytest.mark.parametrize("asked", [True, False])
def test_the_diad_file_is_read(test_data, asked):
    paths = {
        "data": "/entry/imaging/data",
        "image_key": "/entry/instrument/imaging/image_key",
        "theta_deg": "/entry/imaging/gts_theta_value",
    }
    scan = read_scan(test_data("dls_k11_18014/k11-18014.nxs"), paths=paths if asked else None)
    assert scan.projections.shape == (3001, 22, 26)
    assert scan.flats.shape == scan.darks.shape == (100, 22, 26)
    assert scan.theta_deg[[0, -1]] == pytest.approx([89.995, 269.995], abs=1e-3)
    np.testing.assert_array_equal(scan.flat_time[[0, 49, 50]], [0, 49, 3101])
    flats = scan.flats.read().mean(axis=(1, 2))
    assert flats[50:].mean() / flats[:50].mean() == pytest.approx(1.0152, abs=0.0015)
