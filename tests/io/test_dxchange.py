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


@pytest.mark.parametrize("said", ["by its axes", "by the number of angles", "by given angles"])
def test_sinograms_are_read_as_frames(dxchange, numbered, said):
    turned = numbered(12, 10).transpose(1, 0, 2)
    flats = numbered(3, 100).transpose(1, 0, 2)
    path = dxchange({"/exchange/data": turned, "/exchange/data_white": flats})
    given = None
    if said == "by given angles":
        given = {"first": 0.0, "last": 165.0, "count": 12}
        with h5py.File(path, "a") as file:
            del file["/exchange/theta"]
    if said == "by its axes":
        with h5py.File(path, "a") as file:
            file["/exchange/data"].attrs["axes"] = "y:theta:x"
            del file["/exchange/data_white"]
            file["/exchange/data_white"] = numbered(3, 100)
    scan = read_scan(path, theta_deg=given)
    np.testing.assert_array_equal(scan.projections.read(), numbered(12, 10))
    np.testing.assert_array_equal(scan.flats.read(), numbered(3, 100))
    part = scan.projections.read(slice(1, 12, 3), slice(1, 3))
    np.testing.assert_array_equal(part, numbered(12, 10)[1::3, 1:3])
    assert any("sinograms" in note for note in scan.notes)


def test_other_axes_are_refused(dxchange):
    path = dxchange()
    with h5py.File(path, "a") as file:
        file["/exchange/data"].attrs["axes"] = "y:x:theta"
    with pytest.raises(ScanError, match=r"y:x:theta.*theta:y:x"):
        read_scan(path)


@pytest.mark.parametrize("shape", [(1, 12, 4, 6), (12, 1, 4, 6), (12, 4, 6, 1), (1, 12, 1, 4, 6)])
def test_axes_of_length_1_are_passed_over(dxchange, numbered, shape):
    scan = read_scan(dxchange({"/exchange/data": numbered(12, 10).reshape(shape)}))
    np.testing.assert_array_equal(scan.projections.read(), numbered(12, 10))
    part = scan.projections.read(slice(2, 9, 2), slice(1, 3))
    np.testing.assert_array_equal(part, numbered(12, 10)[2:9:2, 1:3])


def test_an_axis_of_repeats_is_averaged(dxchange, numbered):
    repeats = np.stack([numbered(12, 10), numbered(12, 13), numbered(12, 10)], axis=1)
    scan = read_scan(dxchange({"/exchange/data": repeats}))
    np.testing.assert_allclose(scan.projections.read(), numbered(12, 10) + 100.0)
    assert any("3 exposures of each angle are averaged" in note for note in scan.notes)


def test_several_scans_in_one_dataset_are_refused(dxchange, numbered):
    scans = np.stack([numbered(12), numbered(12)])
    with pytest.raises(ScanError, match=r"\(2, 12, 4, 6\).*Copy one scan"):
        read_scan(dxchange({"/exchange/data": scans}))


@pytest.mark.parametrize("stored", [np.int64, np.uint64, np.float16])
def test_counts_of_unusual_types_keep_their_value(dxchange, numbered, stored):
    scan = read_scan(dxchange({"/exchange/data": numbered(12, dtype=stored)}))
    np.testing.assert_array_equal(scan.projections.read(), numbered(12))


LOST = [2, 5, 6]
IDS = "/defaults/NDArrayUniqueId"


def _with_ids(dxchange, lost, angles=12, more=None):
    """Frames of a planned series, without the lost ones; the counter begins at 40."""
    there = np.setdiff1d(np.arange(12), lost)
    named = [b"/exchange/data_dark"] * 2 + [b"/exchange/data"] * len(there)
    return dxchange(
        {
            "/exchange/data": np.arange(12, dtype="u2")[there, None, None] * np.ones((4, 6), "u2"),
            "/exchange/theta": (15.0 * np.arange(angles), "deg"),
            "/defaults/HDF5FrameLocation": np.array(named),
            IDS: np.r_[0, 1, 40 + there],
            **(more or {}),
        }
    )


def test_frame_ids_choose_the_angles_of_a_series_with_losses(dxchange):
    scan = read_scan(_with_ids(dxchange, LOST))
    np.testing.assert_allclose(scan.theta_deg, 15 * scan.projections.read()[:, 0, 0])
    assert any("missing projections: 2, 5–6" in note for note in scan.notes)


def test_given_angles_of_the_whole_series_are_cut_too(dxchange):
    given = {"first": 100.0, "last": 265.0, "count": 12}
    scan = read_scan(_with_ids(dxchange, LOST), theta_deg=given)
    np.testing.assert_allclose(scan.theta_deg, 100 + 15 * scan.projections.read()[:, 0, 0])


@pytest.mark.parametrize("counted", [True, False])
def test_angles_are_not_spread_over_the_frames_that_are_left(dxchange, counted):
    path = _with_ids(dxchange, LOST, more=None if counted else {IDS: None})
    given = {"first": 0.0, "last": 165.0, "count": 9}
    with pytest.raises(ScanError) as error:
        read_scan(path, theta_deg=given)
    assert len(error.value.errors) == 1
    assert "count: 12" in str(error.value) if counted else "text file" in str(error.value)
    listed = read_scan(path, theta_deg=[0.0, 15, 45, 60, 105, 120, 135, 150, 165])
    assert listed.theta_deg[2] == 45


def test_without_a_counter_more_angles_than_frames_are_refused_with_both_remedies(dxchange):
    path = _with_ids(dxchange, [9, 10, 11], more={IDS: None})
    with pytest.raises(ScanError, match=r"9 projections, but 12 angles.*text file") as error:
        read_scan(path)
    remedy = {"first": 0.0, "last": 120.0, "count": 9}
    assert "{first: 0, last: 120, count: 9}" in str(error.value)
    np.testing.assert_allclose(read_scan(path, theta_deg=remedy).theta_deg, 15.0 * np.arange(9))


def test_as_many_planned_angles_as_frames_with_losses_are_a_warning(dxchange):
    scan = read_scan(_with_ids(dxchange, LOST, angles=9))
    assert any("3 frames were lost" in note for note in scan.notes)
    whole = read_scan(_with_ids(dxchange, [], angles=12))
    assert not any("lost" in note for note in whole.notes)


def test_angles_follow_from_what_the_acquisition_noted(dxchange):
    rotation = "/process/acquisition/rotation"
    facts = {f"{rotation}/start": 10.0, f"{rotation}/step": 15.0, f"{rotation}/num_angles": 12}
    scan = read_scan(dxchange({"/exchange/theta": None, **facts}))
    np.testing.assert_allclose(scan.theta_deg, 10 + 15.0 * np.arange(12))
    assert "num_angles" in scan.origin["theta_deg"]


def test_the_tooth_is_read(test_data):
    scan = read_scan(test_data("aps_tooth/tooth.h5"))
    assert scan.projections.shape == (181, 2, 640)
    assert scan.flats.shape == scan.darks.shape == (10, 2, 640)
    assert scan.projections.dtype == np.float32
    assert scan.theta_deg[-1] == pytest.approx(179.0055, abs=1e-4)
    assert scan.darks.read().mean() == pytest.approx(105, abs=2)
    assert scan.flats.read().mean() == pytest.approx(27900, rel=0.01)
