import h5py
import numpy as np
import pytest
import tifffile

from tests.scans import write_dxchange
from xct import read_scan
from xct.errors import ScanError


@pytest.fixture
def scan_file(tmp_path):
    """Write a DXchange file of 12 projections with 8 × 10 pixels; `more` replaces datasets."""

    def make(**more):
        rng = np.random.default_rng(0)
        contents = {
            "data": rng.integers(0, 999, (12, 8, 10)).astype(np.uint16),
            "data_white": rng.integers(0, 999, (2, 8, 10)).astype(np.uint16),
            "data_dark": rng.integers(0, 99, (2, 8, 10)).astype(np.uint16),
            "theta": np.linspace(0, 165, 12),
            **more,
        }
        path = tmp_path / "scan.h5"
        with h5py.File(path, "w") as file:
            for name, value in contents.items():
                file[f"/exchange/{name}"] = value
        return path

    return make


def test_what_the_user_says_overrules_the_file(scan_file):
    scan = read_scan(
        scan_file(),
        theta_deg={"first": 0, "last": 180, "count": 12},
        pixel_size_um=0.65,
        energy_kev=20,
        distance_mm=30,
        bin=2,
    )
    assert scan.theta_deg[-1] == 180
    assert scan.voxel_size_um == pytest.approx(1.3)
    for name in ("theta_deg", "pixel_size_um", "energy_kev", "distance_mm"):
        assert scan.origin[name] == "configuration"


def test_crop_then_bin(scan_file):
    path = scan_file()
    scan = read_scan(path, roi={"row": [1, 8], "column": [2, 7]}, bin=2)
    assert scan.projections.shape == (12, 3, 2)
    assert scan.roi == {"row": (1, 8), "column": (2, 7)}
    assert scan.bin == 2
    raw = read_scan(path).projections.read().astype(float)
    assert scan.projections.read()[5, 0, 1] == raw[5, 1:3, 4:6].sum()


def test_a_stage_that_turns_the_other_way_has_its_angles_turned(scan_file):
    scan = read_scan(scan_file(), rotation="negative")
    np.testing.assert_allclose(scan.theta_deg, -np.linspace(0, 165, 12))
    assert scan.origin["rotation"] == "configuration"


def test_flats_come_from_a_dataset_in_another_file(scan_file, tmp_path):
    path = scan_file(data_white=np.zeros((0, 8, 10)))
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["/some/flats"] = np.full((3, 8, 10), 7, np.uint16)
    assert read_scan(path).flats is None
    scan = read_scan(path, flats={"file": tmp_path / "flats.h5", "path": "/some/flats"})
    assert scan.flats.read().mean() == 7
    assert "/some/flats" in scan.origin["flats"]
    assert tmp_path / "flats.h5" in scan.files


def test_a_scan_may_be_put_together_from_datasets(scan_file):
    path = scan_file()
    places = {
        kind: {"file": path, "path": f"/exchange/{name}"}
        for kind, name in (("projections", "data"), ("flats", "data_white"))
    }
    scan = read_scan(**places, theta_deg=np.linspace(0, 165, 12))
    assert scan.projections.shape == (12, 8, 10)
    assert scan.flats.shape == (2, 8, 10)
    assert scan.darks is None
    assert scan.files == (path,)


def test_frames_that_another_file_does_not_hold_are_said(scan_file):
    path = scan_file(data_white=np.zeros((0, 8, 10)))
    with pytest.raises(ScanError, match=r"flats: .*scan\.h5 \(dxchange\) holds no flats"):
        read_scan(path, flats={"file": path})
    with pytest.raises(ScanError, match="keys filename"):
        read_scan(path, flats={"filename": path})
    with pytest.raises(ScanError, match="nothing to read"):
        read_scan()


def test_flats_may_be_tiff_files_beside_an_hdf5_scan(scan_file, tmp_path):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"flat_{number}.tif", np.full((8, 10), number, np.uint16))
    scan = read_scan(scan_file(), flats=str(tmp_path / "flat_*.tif"))
    assert scan.flats.read().mean(axis=(1, 2)).tolist() == [0, 1, 2]
    assert scan.projections.shape == (12, 8, 10)
    with pytest.raises(ScanError, match=r"^flats.*ref_\*\.tif") as error:
        read_scan(scan_file(), flats=str(tmp_path / "ref_*.tif"))
    assert "projections" not in str(error.value)


def test_tiff_files_are_a_scan(tmp_path):
    for number in range(12):
        tifffile.imwrite(tmp_path / f"p_{number}.tif", np.full((8, 10), number, np.uint16))
    angles = {"first": 0, "last": 165, "count": 12}
    scan = read_scan(projections=str(tmp_path / "p_*.tif"), theta_deg=angles, bin=2)
    assert scan.layout == "tiff"
    np.testing.assert_array_equal(scan.projections.read()[:, 0, 0], 4.0 * np.arange(12))


def test_a_description_names_facts_and_their_origin(scan_file):
    text = read_scan(scan_file(), pixel_size_um=0.65).describe()
    assert "12 projections of 8 rows × 10 columns" in text
    assert "0.65 µm from configuration" in text
    assert "energy_kev: unknown" in text


NAN = np.where(np.arange(12) == 3, np.nan, np.linspace(0, 165, 12))
MISTAKES = {
    "angles of another number": ({"theta": np.arange(11.0)}, {}, "12 projections, but 11 angles"),
    "given angles of another number": (
        {},
        {"theta_deg": {"first": 0, "last": 180, "count": 13}},
        "12 projections, but 13 angles (configuration)",
    ),
    "flats of another shape": (
        {"data_white": np.zeros((2, 9, 10), np.uint16)},
        {},
        "flats have 9 rows × 10 columns, but projections have 8 rows × 10 columns",
    ),
    "darks of another shape": ({"data_dark": np.zeros((2, 8, 11))}, {}, "darks have 8 rows × 11"),
    "radians": ({"theta": np.linspace(0, np.pi, 12)}, {}, "span only 3.142° (/exchange/theta"),
    "thousandths": (
        {"theta": 1000 * np.linspace(0, 180, 12, endpoint=False)},
        {},
        "go by 15000° from one projection to the next, over 165000°",
    ),
    "encoder steps": (
        {"theta": 360.0 * np.arange(12)},
        {},
        "other units, such as encoder steps? Give scan.theta_deg",
    ),
    "NaN angles": ({"theta": NAN}, {}, "1 of 12 angles are not numbers"),
    "constant angles": ({"theta": np.full(12, 90.0)}, {}, "all 12 angles are 90°"),
    "stuck encoder": (
        {"theta": np.r_[0.0, 90, np.full(10, 180.0)]},
        {},
        "9 of 12 angles repeat the one before",
    ),
    "complex": ({"data": np.zeros((12, 8, 10), complex)}, {}, "of type complex128; expected"),
    "bool": ({"data": np.zeros((12, 8, 10), bool)}, {}, "of type bool; expected"),
    "text": ({"data": np.full((12, 8, 10), b"a")}, {}, "of type |S1; expected"),
    "no projections": ({"data": np.zeros((0, 8, 10)), "theta": []}, {}, "not a single projection"),
    "one dimension": ({"data": np.zeros(12)}, {}, "has shape (12,), which is no stack of frames"),
    "rows outside": ({}, {"roi": {"row": [2, 9]}}, "roi: row = [2, 9] does not fit frames with 8"),
    "columns reversed": ({}, {"roi": {"column": [5, 5]}}, "roi: column = [5, 5] does not fit"),
    "unknown axis": ({}, {"roi": {"x": [0, 5]}}, "roi names 'x'"),
    "one end": ({}, {"roi": {"row": [2]}}, "roi: row = [2] does not fit"),
    "bin too large": ({}, {"bin": 9}, "bin = 9 is larger than what is kept of a frame, 8 pixels"),
    "bin of nothing": ({}, {"bin": 0}, "bin = 0; expected a whole number"),
    "center outside": ({}, {"center_px": 10, "bin": 1}, "center_px = 10 lies outside of the 10"),
    "center outside the bins": ({}, {"center_px": 4.5, "bin": 2}, "outside of the 5 columns"),
    "rotation": ({}, {"rotation": "left"}, "rotation = 'left'; expected positive or negative"),
    "pixel size": ({}, {"pixel_size_um": -1}, "pixel_size_um = -1; expected a positive number"),
    "NaN energy": ({}, {"energy_kev": float("nan")}, "energy_kev = nan; expected a positive"),
    "unit of angles": (
        {},
        {"theta_deg": {"start": 0, "stop": 180}},
        "theta_deg has the keys start",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_contradiction_is_refused(scan_file, mistake):
    more, overrides, message = MISTAKES[mistake]
    path = scan_file(**more)
    with pytest.raises(ScanError) as error:
        read_scan(path, **overrides)
    assert message in str(error.value)
    assert len(error.value.errors) == 1


def test_all_contradictions_come_at_once(scan_file):
    path = scan_file(theta=np.arange(11.0), data_white=np.zeros((2, 9, 10), complex))
    with pytest.raises(ScanError) as error:
        read_scan(path, bin=99, rotation="left", pixel_size_um=0)
    assert len(error.value.errors) == 6


def test_given_angles_that_contradict_the_file_are_said(scan_file):
    path, own = scan_file(theta=15.0 * np.arange(12)), 15.0 * np.arange(12)
    for given in (own, own + 90, own + 2 * np.sin(np.arange(12))):
        assert read_scan(path, theta_deg=given).notes == ()
    stretched = read_scan(path, theta_deg={"first": 0.0, "last": 180.0, "count": 12})
    assert any("up to 7.5° apart" in note and "15°" in note for note in stretched.notes)


def test_a_few_angles_may_span_little(scan_file):
    path = scan_file(data=np.zeros((3, 8, 10), np.uint16), theta=[0, 1, 2])
    assert read_scan(path).theta_deg.tolist() == [0, 1, 2]


def test_a_horizontal_axis_stands_upright(tmp_path):
    """Turned by 90° clockwise, not mirrored; rows and columns are then those along the axis."""
    upright = read_scan(write_dxchange(tmp_path / "upright.h5"))
    lying = write_dxchange(tmp_path / "lying.h5")
    with h5py.File(lying, "r+") as file:
        for name in ("data", "data_white", "data_dark"):
            frames = file["exchange"][name][:]
            del file["exchange"][name]
            file["exchange"][name] = np.rot90(frames, 1, (1, 2))
    turned = read_scan(lying, axis="row")
    assert turned.projections.shape == upright.projections.shape
    np.testing.assert_array_equal(turned.projections.read(), upright.projections.read())
    np.testing.assert_array_equal(turned.flats.read(), upright.flats.read())
    roi = {"row": (3, 9), "column": (10, 51)}
    part = read_scan(lying, axis="row", roi=roi, bin=2)
    whole = read_scan(tmp_path / "upright.h5", roi=roi, bin=2)
    rows = slice(1, 2)
    np.testing.assert_array_equal(
        part.projections.read(rows=rows), whole.projections.read(rows=rows)
    )
