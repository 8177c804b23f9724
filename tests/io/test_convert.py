import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError
from xct.io.convert import convert

FORMATS = ("dxchange", "nxtomo")
KEYS = [2, 1, 1, 0, 0, 1, 0, 0, 0, 1]
FACTS = {
    "instrument/detector/x_pixel_size": (0.65, "um"),
    "beam/incident_energy": (18.5, "keV"),
    "instrument/detector/distance": (30.0, "mm"),
}


def assert_same(first, second):
    for name in ("projections", "flats", "darks"):
        one, other = getattr(first, name), getattr(second, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(other.read(), one.read(), err_msg=name)
            assert other.dtype == one.dtype
    for name in ("theta_deg", "projection_time", "flat_time"):
        one, other = getattr(first, name), getattr(second, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(other, one, err_msg=name)
    for name in ("energy_kev", "distance_mm", "flat_exposure_ratio"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=1e-12), name
    assert second.voxel_size_um == pytest.approx(first.voxel_size_um, rel=1e-12)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("block", [1, 2**26])
def test_a_converted_scan_is_the_same(tmp_path, nxtomo, monkeypatch, format, block):
    monkeypatch.setattr("xct.io.convert._BLOCK_BYTES", block)
    scan = read_scan(nxtomo(KEYS, FACTS))
    file = convert(scan, tmp_path / "other.h5", format)
    again = read_scan(file)
    assert again.layout == format
    assert_same(scan, again)
    assert [path.name for path in tmp_path.iterdir()].count("other.h5") == 1
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("format", FORMATS)
def test_times_in_seconds_and_exposures_are_kept(tmp_path, nxtomo, format):
    seconds = 1.7e9 + 0.25 * np.arange(len(KEYS))
    exposure = np.where(np.array(KEYS) == 1, 0.1, 0.25)
    more = {
        "instrument/detector/start_time": (seconds, "s"),
        "instrument/detector/count_time": (exposure, "s"),
    }
    scan = read_scan(nxtomo(KEYS, {**FACTS, **more}))
    assert scan.flat_exposure_ratio == pytest.approx(2.5)
    assert_same(scan, read_scan(convert(scan, tmp_path / "other.h5", format)))


@pytest.mark.parametrize("format", FORMATS)
def test_an_unknown_order_of_frames_stays_unknown(tmp_path, dxchange, format):
    scan = read_scan(dxchange(), pixel_size_um=1, energy_kev=20, distance_mm=30)
    assert scan.projection_time is None
    assert_same(scan, read_scan(convert(scan, tmp_path / "other.h5", format)))


@pytest.mark.parametrize("format", FORMATS)
def test_flats_from_another_file_are_on_no_clock(tmp_path, nxtomo, format):
    other = nxtomo([1, 1, 2], name="flats.nx")
    scan = read_scan(nxtomo([0] * 5, FACTS), flats={"file": other})
    again = read_scan(convert(scan, tmp_path / "other.h5", format))
    assert again.flat_time is None
    np.testing.assert_array_equal(again.flats.read(), scan.flats.read())


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_cropped_and_binned(tmp_path, nxtomo, format):
    scan = read_scan(nxtomo(KEYS, FACTS), bin=2, roi={"column": (1, 5)}, rotation="negative")
    again = read_scan(convert(scan, tmp_path / "other.h5", format))
    assert_same(scan, again)
    assert again.pixel_size_um == pytest.approx(1.3)


def test_ring_current_is_kept_where_there_is_a_place(tmp_path, nxtomo):
    current = np.linspace(100, 98, len(KEYS))
    scan = read_scan(nxtomo(KEYS, {**FACTS, "control/data": (current, "mA")}))
    again = read_scan(convert(scan, tmp_path / "a.nx", "nxtomo"))
    np.testing.assert_array_equal(again.ring_current_ma, scan.ring_current_ma)
    with pytest.warns(UserWarning, match="ring current"):
        convert(scan, tmp_path / "b.h5", "dxchange")


@pytest.mark.parametrize("format", FORMATS)
def test_facts_that_nothing_says_are_not_written(tmp_path, dxchange, format):
    scan = read_scan(dxchange({"/exchange/theta": None, "/exchange/data_white": None}))
    again = read_scan(convert(scan, tmp_path / "other.h5", format))
    assert again.theta_deg is again.flats is again.pixel_size_um is again.energy_kev is None


def test_an_nxtomo_file_is_laid_out_as_others_expect(tmp_path, nxtomo):
    scan = read_scan(nxtomo(KEYS, FACTS))
    with h5py.File(convert(scan, tmp_path / "a.nx", "nxtomo")) as file:
        entry = file["entry"]
        assert entry.attrs["NX_class"] == "NXentry"
        assert entry["definition"][()] == b"NXtomo"
        assert entry["instrument/detector/image_key"][:].tolist() == KEYS
        assert entry["data/data"].shape == (len(KEYS), 4, 6)
        assert entry["sample/rotation_angle"].attrs["units"] == "degree"


def test_a_file_that_exists_is_left_alone(tmp_path, dxchange):
    path = dxchange()
    before = path.read_bytes()
    with pytest.raises(ScanError, match="exists already"):
        convert(read_scan(path), path, "nxtomo")
    assert path.read_bytes() == before


def test_a_conversion_that_fails_leaves_nothing(tmp_path, dxchange):
    path = dxchange()
    scan = read_scan(path)
    path.unlink()
    with pytest.raises(ScanError, match="no such file"):
        convert(scan, tmp_path / "other.h5", "nxtomo")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ScanError, match="cannot be written"):
        convert(scan, tmp_path / "no folder/other.h5", "nxtomo")
    with pytest.raises(ScanError, match=r"'tiff'.*dxchange or nxtomo"):
        convert(scan, tmp_path / "other.h5", "tiff")


@pytest.mark.parametrize("format", FORMATS)
def test_the_diad_scan_is_converted(tmp_path, test_data, format):
    facts = {"pixel_size_um": 1.0, "energy_kev": 20.0, "distance_mm": 30.0}
    scan = read_scan(test_data("dls_k11_18014/k11-18014.nxs"), **facts)
    assert_same(scan, read_scan(convert(scan, tmp_path / "other.h5", format)))


def test_a_converted_nxtomo_has_what_its_definition_asks_for(tmp_path, nxtomo):
    # nxvalidate 0.3.5 finds neither error nor warning, and nxtomo 3.1 reads it without a warning
    scan = read_scan(nxtomo(KEYS, {**FACTS, "instrument/detector/distance": (30, "mm")}))
    with h5py.File(convert(scan, tmp_path / "other.nx", "nxtomo")) as file:
        entry = file["entry"]
        assert file.attrs["NeXus_version"] == "2024.02"
        assert entry.attrs["version"] == 1.4
        assert entry["sample/name"].asstr()[()] == scan.files[0].stem
        assert entry["title"].asstr()[()] == scan.files[0].stem
        assert entry["instrument/detector/data"].dtype.kind in "iu"
        for name in ("distance", "x_pixel_size", "y_pixel_size"):
            assert entry["instrument/detector"][name].dtype.kind == "f"
            assert entry["instrument/detector"][name].attrs["units"]
        for name in ("data", "rotation_angle", "image_key"):
            assert len(entry["data"][name]) == len(KEYS)
