"""Demo scan: the file holds what it claims, read back as any scan would be."""

import h5py
import numpy as np
import pytest

from xct.phantom.demo import write_demo_scan
from xct.reconstruct import fbp
from xct.scan import read_scan


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    file = tmp_path_factory.mktemp("demo") / "demo.h5"
    return file, write_demo_scan(file)


@pytest.fixture(scope="module")
def scan(written):
    return read_scan(written[0])


@pytest.fixture(scope="module")
def line_integrals(scan):
    """Line integrals with the drift of the beam taken out, and no other repair."""
    dark = scan.darks.read().mean(axis=0)
    blocks = scan.flats.read().reshape(3, 5, *dark.shape).mean(axis=1) - dark
    blocks[:, (blocks == 0).all(axis=0)] = np.nan
    middles = scan.flat_time.reshape(3, 5).mean(axis=1)
    weights = [np.interp(scan.projection_time, middles, unit) for unit in np.eye(3)]
    flat = np.einsum("ba,brc->arc", weights, blocks)
    return -np.log((scan.projections.read() - dark) / flat)


def test_frames_are_stored_in_the_order_in_which_they_were_taken(written):
    with h5py.File(written[0]) as file:
        detector = file["entry/instrument/detector"]
        assert detector["data"].shape == (425, 96, 320)
        assert detector["data"].dtype == np.uint16
        order = np.repeat([2, 1, 0, 1, 0, 1], [10, 5, 200, 5, 200, 5])
        np.testing.assert_array_equal(detector["image_key"][()], order)


def test_facts_are_read_back_with_their_units(scan):
    assert scan.layout == "nxtomo"
    assert scan.pixel_size_um == pytest.approx(1.3)
    assert scan.energy_kev == pytest.approx(25)
    np.testing.assert_allclose(scan.theta_deg, np.linspace(0, 180, 400))


def test_flats_stand_before_amid_and_after_the_projections_and_drift(scan):
    first, amid, last = scan.flats.read().reshape(3, 5, 96, 320).mean(axis=(1, 3))
    assert scan.flat_time[0] < scan.projection_time[0]
    assert scan.projection_time[-1] < scan.flat_time[-1]
    assert 0.01 < np.abs(last / first - 1).max() < 0.08
    np.testing.assert_allclose((first + last) / 2, amid, rtol=2e-3)


def test_dead_pixels_are_as_many_as_claimed(written, scan):
    spread = np.ptp(scan.projections.read(), axis=0)
    assert np.sum(spread == 0) == written[1]["dead_pixels"] > 0


def test_zingers_are_as_many_as_claimed(written, scan):
    frames = scan.projections.read().astype(np.int32)
    beside = np.maximum(np.roll(frames, 1, axis=0), np.roll(frames, -1, axis=0))
    # Between two angles the sample itself changes by less than this, and the noise as well.
    assert np.sum(frames - beside > 8000) == written[1]["zingers"]


def test_the_sample_turns_about_the_claimed_axis(written, line_integrals):
    seen = np.nanmedian(line_integrals[[0, 1, -2, -1]], axis=1)
    seen = np.stack([seen[:2].mean(axis=0), seen[2:].mean(axis=0)])
    middle = (seen @ np.arange(320)) / seen.sum(axis=1)
    assert middle.mean() == pytest.approx(written[1]["center_px"], abs=0.3)


def test_materials_have_the_claimed_attenuation(written, line_integrals):
    truth = written[1]
    row = 47  # the void is largest here
    sinogram = np.nan_to_num(line_integrals[:, row : row + 1]).astype(np.float32)
    theta = np.linspace(0, 180, 400)
    (slice_,) = fbp(sinogram, theta, truth["center_px"], pixel_size_um=1.3)
    y, x = np.indices(slice_.shape) - 159.5
    inside = slice_[np.hypot(x, y) < 110]
    matrix = inside[np.abs(inside - 5.6) < 10]
    particles = inside[np.abs(inside - 48) < 10]
    assert np.median(matrix) == pytest.approx(truth["mu_per_cm"]["electrolyte"], abs=0.5)
    assert np.median(particles) == pytest.approx(truth["mu_per_cm"]["active_material"], abs=1.5)


def test_the_sample_lets_enough_light_through_and_differs_from_row_to_row(line_integrals):
    assert np.nanmax(line_integrals) < -np.log(0.05)
    assert np.ptp(np.nanmean(line_integrals, axis=(0, 2))) > 0.005


def test_the_same_seed_gives_the_same_bytes_in_place_of_the_old_file(written, tmp_path):
    again = tmp_path / "again.h5"
    write_demo_scan(again, seed=1)
    other = again.read_bytes()
    assert write_demo_scan(again) == written[1]
    assert again.read_bytes() == written[0].read_bytes() != other
    assert list(tmp_path.iterdir()) == [again]


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"huge.*small, medium"):
        write_demo_scan(tmp_path / "demo.h5", size="huge")
