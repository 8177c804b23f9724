import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError

INSTRUMENT = "/measurement/instrument"
RESOLUTION = f"{INSTRUMENT}/detection_system/objective/resolution"
MAGNIFICATION = f"{INSTRUMENT}/detection_system/objective/magnification"


def test_frames_and_angles_are_those_of_the_file(dxchange, numbered):
    scan = read_scan(dxchange())
    assert scan.layout == "dxchange"
    np.testing.assert_array_equal(scan.projections.read(), numbered(12, 10))
    np.testing.assert_array_equal(scan.flats.read(), numbered(3, 100))
    np.testing.assert_array_equal(scan.darks.read(), numbered(2))
    np.testing.assert_allclose(scan.theta_deg, 15.0 * np.arange(12))
    assert scan.projection_time is None
    assert scan.pixel_size_um is None
    assert scan.theta_deg is not None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({RESOLUTION: (0.65, "um")}, 0.65),
        ({RESOLUTION: (np.array([650.0]), "nm")}, 0.65),
        ({RESOLUTION: (0.65, "µm"), f"{INSTRUMENT}/detector/pixel_size_x": (6.5, "um")}, 0.65),
        ({f"{INSTRUMENT}/detector/actual_pixel_size_x": (0.65e-3, "mm")}, 0.65),
        (
            {f"{INSTRUMENT}/detector/pixel_size_x": (6.5e-6, "m"), MAGNIFICATION: np.array([10])},
            0.65,
        ),
        ({f"{INSTRUMENT}/detector/pixel_size_x": (6.5, "um"), MAGNIFICATION: 0.0}, None),
        ({f"{INSTRUMENT}/detector/pixel_size_x": (6.5, "um")}, None),
        ({RESOLUTION: 0.65}, None),
        ({RESOLUTION: (0.65, "furlong")}, None),
        ({RESOLUTION: (float("nan"), "um")}, None),
        ({RESOLUTION: (0.0, "um"), f"{INSTRUMENT}/detector/actual_pixel_size_x": (1, "um")}, 1.0),
    ],
)
def test_pixel_size_comes_from_the_first_place_that_says_it(dxchange, facts, expected):
    scan = read_scan(dxchange(facts))
    assert scan.pixel_size_um == (None if expected is None else pytest.approx(expected))
    if expected is None:
        assert scan.pixel_size_um is None
        assert scan.notes


def test_facts_carry_their_origin_and_unit(dxchange):
    energy = f"{INSTRUMENT}/monochromator/energy"
    distance = f"{INSTRUMENT}/camera_motor_stack/setup/camera_distance"
    scan = read_scan(dxchange({energy: (np.array(["18500"], "O"), "eV"), distance: (0.3, "m")}))
    assert scan.energy_kev == pytest.approx(18.5)
    assert scan.distance_mm == pytest.approx(300)
    assert scan.origin["energy_kev"] == f"{energy} (eV)"
    assert scan.origin["theta_deg"] == "/exchange/theta (degrees)"


def test_angles_in_radians_are_turned_into_degrees(dxchange):
    path = dxchange({"/exchange/theta": (np.radians(15.0 * np.arange(12)), "rad")})
    np.testing.assert_allclose(read_scan(path).theta_deg, 15.0 * np.arange(12))


def test_missing_angles_are_asked_for_by_name(dxchange):
    scan = read_scan(dxchange({"/exchange/theta": None}))
    assert scan.theta_deg is None
    assert scan.theta_deg is None


def test_missing_and_empty_flats_are_none(dxchange):
    scan = read_scan(
        dxchange({"/exchange/data_white": None, "/exchange/data_dark": np.zeros((0, 4, 6))})
    )
    assert scan.flats is None
    assert scan.darks is None


def test_one_flat_may_be_a_single_frame(dxchange, numbered):
    scan = read_scan(dxchange({"/exchange/data_white": numbered(1, 7)[0]}))
    np.testing.assert_array_equal(scan.flats.read(), numbered(1, 7))
    np.testing.assert_array_equal(scan.flats.read(rows=slice(1, 3)), numbered(1, 7)[:, 1:3])


@pytest.mark.parametrize("stamps", [None, 1000 + 0.1 * np.arange(15)])
def test_order_of_frames_comes_from_the_area_detector(dxchange, stamps):
    places = 2 * ["/exchange/data_white"] + 12 * ["/exchange/data"] + ["/exchange/data_white"]
    path = dxchange(
        {
            "/defaults/HDF5FrameLocation": np.array(places, "S"),
            "/defaults/NDArrayTimeStamp": stamps,
        }
    )
    clock = np.arange(15.0) if stamps is None else stamps
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.flat_time, clock[[0, 1, 14]])
    np.testing.assert_array_equal(scan.projection_time, clock[2:14])


def test_order_that_disagrees_with_the_frames_is_not_used(dxchange):
    path = dxchange({"/defaults/HDF5FrameLocation": np.array(["/exchange/data"] * 11, "S")})
    scan = read_scan(path)
    assert scan.projection_time is None
    assert any("11 projections and 0 flats" in note for note in scan.notes)


def test_flats_of_another_exposure_are_said(dxchange):
    detector = f"{INSTRUMENT}/detector"
    times = {f"{detector}/exposure_time": 0.2, f"{detector}/exposure_time_flat": 0.05}
    scan = read_scan(dxchange(times))
    assert scan.flat_exposure_ratio == pytest.approx(4.0)
    assert any("0.05" in note and "0.2" in note for note in scan.notes)
    same = {**times, "/process/acquisition/flat_fields/different_flat_exposure": "Same"}
    assert read_scan(dxchange(same, name="same.h5")).flat_exposure_ratio == 1.0


def test_sinogram_order_is_refused(dxchange):
    path = dxchange()
    with h5py.File(path, "a") as file:
        file["/exchange/data"].attrs["axes"] = "y:theta:x"
    with pytest.raises(ScanError, match=r"y:theta:x.*theta:y:x"):
        read_scan(path)


def test_the_tooth_is_read(test_data):
    scan = read_scan(test_data("aps_tooth/tooth.h5"))
    assert scan.projections.shape == (181, 2, 640)
    assert scan.flats.shape == scan.darks.shape == (10, 2, 640)
    assert scan.projections.dtype == np.float32
    assert scan.theta_deg[-1] == pytest.approx(179.0055, abs=1e-4)
    assert scan.darks.read().mean() == pytest.approx(105, abs=2)
    assert scan.flats.read().mean() == pytest.approx(27900, rel=0.01)
