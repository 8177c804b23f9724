"""Layouts of single beamlines: each written by hand, with frames whose counts are known."""

import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError


def check(scan, numbered, projections, flats, darks):
    np.testing.assert_array_equal(scan.projections.read(), numbered(200)[projections])
    np.testing.assert_array_equal(scan.flats.read(), numbered(200)[flats])
    np.testing.assert_array_equal(scan.darks.read(), numbered(200)[darks])
    part = scan.projections.read(slice(1, 6, 2), slice(1, 3))
    np.testing.assert_array_equal(part, numbered(200)[projections][1:6:2, 1:3])


# --- ALS 8.3.2 ---------------------------------------------------------------------------------


@pytest.fixture
def als(tmp_path, numbered):
    """Write 12 projections (10 …), flats before and after (100 …), darks (0 …)."""

    def make(lost=(), facts=None, group="s1"):
        path = tmp_path / "als.h5"
        said = {"nangles": "12", "arange": "165", "pxsize": "0.00065", "senergy": "25000"}
        with h5py.File(path, "w") as file:
            frames = file.create_group(group)
            frames.attrs.update(said | (facts or {}))
            for n in set(range(12)) - set(lost):
                frames[f"s1_0000_{n:04d}.tif"] = numbered(1, 10 + n)
            for n in range(2):
                frames[f"s1bak_{n:04d}_0000.tif"] = numbered(1, 100 + n)
                frames[f"s1bak_{n:04d}_0011.tif"] = numbered(1, 102 + n)
                frames[f"s1drk_{n:04d}_0000.tif"] = numbered(1, n)
        return path

    return make


@pytest.mark.parametrize("group", ["s1", "entry/s1"])
def test_als_frames_are_datasets_of_their_own(als, numbered, group):
    scan = read_scan(als(group=group))
    assert scan.layout == "als832"
    check(scan, numbered, range(10, 22), [100, 101, 102, 103], [0, 1])
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))
    assert (scan.pixel_size_um, scan.energy_kev) == (pytest.approx(0.65), 25.0)
    before, after = scan.flat_time[:2], scan.flat_time[2:]
    assert before.max() < scan.projection_time[0] < scan.projection_time[-1] < after.min()


def test_als_frames_that_are_missing_take_their_angles_with_them(als):
    scan = read_scan(als(lost=[3, 4, 11]))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.array([0, 1, 2, *range(5, 11)]))
    assert any("missing projections: 3–4" in note for note in scan.notes)


def test_als_frames_do_not_lead_to_other_files(als, tmp_path, numbered):
    path = als()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = numbered(1)
    with h5py.File(path, "a") as file:
        del file["s1/s1_0000_0004.tif"]
        file["s1/s1_0000_0004.tif"] = h5py.ExternalLink("other.h5", "/secret")
    with pytest.raises(ScanError, match=r"s1_0000_0004\.tif.*not followed"):
        read_scan(path)


# --- BLISS -------------------------------------------------------------------------------------


@pytest.fixture
def bliss(tmp_path, numbered):
    """Write darks 0 …, flats 100 …, projections 10 … in two entries, flats 103 …."""

    def make(more=None, camera="measurement/pco", linked=False):
        series = [
            ("2.1", "dark images", 0, 2),
            ("3.1", "reference images", 100, 3),
            ("4.1", "projections 0 - 6", 10, 6),
            ("5.1", "reference images", 103, 2),
            ("6.1", "projections 6 - 12", 16, 6),
        ]
        path = tmp_path / "scan_0001.h5"
        with h5py.File(path, "w") as file:
            file["1.1/title"] = "tomo:fullturn"
            file["1.1/technique/scan/energy"] = 17.0
            file["1.1/technique/scan/energy"].attrs["units"] = "keV"
            file["1.1/technique/optic/sample_pixel_size"] = 0.65e-3
            file["1.1/technique/optic/sample_pixel_size"].attrs["units"] = "mm"
            for entry, title, first, count in series:
                file[f"{entry}/title"] = title
                place, values = f"{entry}/{camera}", numbered(count, first)
                if linked:
                    with h5py.File(tmp_path / f"pco_{entry[0]}.h5", "w") as own:
                        own["entry/data"] = values
                    file[place] = h5py.ExternalLink(f"pco_{entry[0]}.h5", "/entry/data")
                else:
                    file[place] = values
                file[f"{entry}/measurement/srcur"] = np.full(count, 190.0)
                if title.startswith("proj"):
                    angles = 15.0 * (first - 10 + np.arange(count))
                    file[f"{entry}/measurement/hrsrot"] = angles
                    file[f"{entry}/measurement/hrsrot_delta"] = np.full(count, 15.0)
            for name, value in (more or {}).items():
                file[name] = value
        return path

    return make


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("camera", ["measurement/pco", "instrument/pco/data"])
def test_bliss_entries_are_told_by_their_titles(bliss, numbered, camera, linked):
    scan = read_scan(bliss(camera=camera, linked=linked))
    assert scan.layout == "bliss"
    check(scan, numbered, range(10, 22), [100, 101, 102, 103, 104], [0, 1])
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))
    assert (scan.pixel_size_um, scan.energy_kev) == (pytest.approx(0.65), 17.0)
    # flats of the second block lie between the projections
    assert scan.projection_time[5] < scan.flat_time[3] < scan.projection_time[6]
    assert len(scan.files) == (6 if linked else 1)


def test_several_bliss_scans_must_be_chosen_from(bliss, numbered):
    more = {
        "7.1/title": "tomo:fullturn",
        "8.1/title": "projections 0 - 4",
        "8.1/measurement/pco": numbered(4, 50),
        "8.1/measurement/hrsrot": 45.0 * np.arange(4),
    }
    path = bliss(more)
    with pytest.raises(ScanError, match=r"2 scans.*/4\.1, /6\.1, /8\.1.*scan\.paths\.data"):
        read_scan(path)
    scan = read_scan(path, paths={"data": "/8.1/measurement/pco"})
    np.testing.assert_array_equal(scan.projections.read(), numbered(4, 50))
    assert scan.flats is None


def test_a_bliss_entry_with_two_cameras_is_refused(bliss, numbered):
    with pytest.raises(ScanError, match=r"several cameras.*nxtomomill"):
        read_scan(bliss({"4.1/measurement/second": numbered(6)}))


# --- FXI and LNLS ------------------------------------------------------------------------------


def test_fxi_keeps_its_datasets_at_the_root(write, numbered):
    path = write(
        "fly_scan_id_1.h5",
        {
            "/img_tomo": numbered(12, 10),
            "/img_bkg": numbered(3, 100),
            "/img_dark": numbered(2),
            "/angle": 15.0 * np.arange(12),
            "/X_eng": 8.34,
            "/pixel_size": "20nm",
        },
    )
    scan = read_scan(path)
    assert scan.layout == "fxi"
    check(scan, numbered, range(10, 22), [100, 101, 102], [0, 1])
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))
    assert (scan.pixel_size_um, scan.energy_kev) == (pytest.approx(0.02), 8.34)


@pytest.mark.parametrize("named", ["folder", "file"])
def test_lnls_keeps_flats_and_darks_in_files_beside(tmp_path, write, numbered, named):
    write("tomo.h5", {"/images": numbered(12, 10)})
    write("tomo_flat_before.h5", {"/flats": numbered(3, 100)})
    write("tomo_dark_before.h5", {"/darks": numbered(2)})
    scan = read_scan(
        tmp_path if named == "folder" else tmp_path / "tomo.h5",
        theta_deg={"first": 0.0, "last": 165.0, "count": 12},
    )
    assert scan.layout == "lnls"
    check(scan, numbered, range(10, 22), [100, 101, 102], [0, 1])
    assert len(scan.files) == 3


def test_files_of_zeiss_microscopes_name_the_way_to_convert(tmp_path):
    path = tmp_path / "cell.txrm"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(ScanError, match=r"cell\.txrm.*txrm2tiff --input.*scan\.theta_deg"):
        read_scan(path)


def test_edf_files_that_are_no_projections_name_the_way_to_convert(tmp_path):
    (tmp_path / "cell.edf").write_bytes(b"{\nDim_1 = 6 ;\n}\n" + bytes(48))
    for path in (tmp_path, tmp_path / "cell.edf"):
        with pytest.raises(ScanError, match=r"\.edf.*nxtomomill edf2nx"):
            read_scan(path)
