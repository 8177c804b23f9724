"""A virtual scan: read as any scan, it holds the sample's line integrals."""

import numpy as np
import pytest

from tests.phantom.samples import Cylinder
from xct.parallel.threads import limit_threads
from xct.phantom.scan.setup import Setup
from xct.phantom.scan.virtual_scan import virtual_scan
from xct.reconstruct import fbp

IDEAL = {"angles": 60, "ideal": True, "glare": 0.0, "blur_um": 0.0, "axis_offset_px": 2.3}


def scan(tmp_path, sample=None, **settings):
    return virtual_scan(sample or Cylinder(), Setup(**{**IDEAL, **settings}), tmp_path)


def measured(scanned):
    dark = scanned.darks.read().mean(axis=0)
    flat = scanned.flats.read().mean(axis=0) - dark
    return -np.log((scanned.projections.read() - dark) / flat)


def test_frames_are_taken_in_blocks_with_flats_before_amid_and_after(tmp_path):
    scanned = scan(tmp_path)
    assert scanned.projections.shape == (60, 24, 96)
    assert len(scanned.flat_time) == 30
    assert scanned.flat_time[9] < scanned.projection_time[0]
    assert scanned.projection_time[29] < scanned.flat_time[10] < scanned.projection_time[30]
    assert scanned.projection_time[-1] < scanned.flat_time[-1]


def test_an_ideal_scan_holds_the_line_integrals(tmp_path):
    sample = Cylinder()
    scanned = scan(tmp_path, sample)
    assert scanned.projections.dtype == np.float32
    exact = sample.line_integrals(scanned.theta_deg, 47.5 + 2.3)
    got = measured(scanned)
    assert np.abs(got[:, 7] - exact).mean() < 2e-3 * exact.max()
    np.testing.assert_allclose(got[:, 7].sum(axis=1), exact.sum(axis=1), rtol=1e-4)


def test_reconstructed_the_materials_have_their_attenuation(tmp_path):
    sample = Cylinder(shape=(2, 128, 128))
    scanned = scan(tmp_path, sample, angles=240)
    found = fbp(measured(scanned), scanned.theta_deg, 63.5 + 2.3, pixel_size_um=2.0)[1]
    y, x = np.indices(found.shape) - 63.5
    core, shell = np.hypot(x - 5, y - 3) < 9, (np.hypot(x - 5, y - 3) > 16) & (np.hypot(x, y) < 46)
    truth = sample.mu(0, 1)[0]
    assert found[core].mean() == pytest.approx(truth[core].mean(), rel=5e-3)
    assert found[shell].mean() == pytest.approx(truth[shell].mean(), rel=5e-3)


def test_frames_do_not_depend_on_how_they_are_read(tmp_path):
    scanned = scan(tmp_path, ideal=False, glare=0.01, blur_um=3.0)
    whole = scanned.projections.read()
    assert whole.dtype == np.uint16
    again = scan(tmp_path, ideal=False, glare=0.01, blur_um=3.0).projections
    with limit_threads(1):
        np.testing.assert_array_equal(whole[17:19, 3:9], again.read(slice(17, 19), slice(3, 9)))


def test_line_integrals_kept_on_disk_give_the_same(tmp_path, monkeypatch):
    inside = scan(tmp_path).projections.read()
    monkeypatch.setattr("xct.phantom.scan.shadows._IN_MEMORY_BYTES", 0)
    np.testing.assert_array_equal(scan(tmp_path).projections.read(), inside)
    assert (tmp_path / ".mu.tmp").stat().st_size == 4 * 60 * 24 * 96


def test_glare_fills_the_shadow(tmp_path):
    sample = Cylinder(parts=("steel", "steel"), voxel_um=10.0)
    settings = {"glare": 0.01, "glare_range_um": 400.0}
    seen = np.exp(-measured(scan(tmp_path, sample, **settings)))
    # The light begins 0.96 sd to either side: 2 Φ(-0.96) = 0.337, of which a hundredth is glare.
    assert seen[:, :, 47:54].mean() == pytest.approx(0.00337, rel=0.05)


def test_propagation_brightens_the_outside_of_an_edge(tmp_path):
    sample = Cylinder(voxel_um=1.3)
    near, far = (np.exp(-measured(scan(tmp_path, sample, distance_mm=d)))[0, 9] for d in (0, 60))
    edge = slice(5, 16)
    assert far[edge].max() > 1.02 > 1.0001 > near[edge].max()
    np.testing.assert_allclose(far.mean(), near.mean(), rtol=5e-3)


def test_an_axis_that_is_tilted_moves_with_the_rows(tmp_path):
    sample = Cylinder(shape=(48, 96, 96))
    got = measured(scan(tmp_path, sample, axis_tilt_deg=1.0, angles=2))
    middles = (got[0] * np.arange(96)).sum(axis=1) / got[0].sum(axis=1)
    mirrored = (got[1] * np.arange(96)).sum(axis=1) / got[1].sum(axis=1)
    slope = np.polyfit(np.arange(10, 38), (middles + mirrored)[10:38] / 2, 1)[0]
    assert slope == pytest.approx(np.tan(np.deg2rad(1.0)), rel=0.05)


def test_a_housing_out_of_view_absorbs_evenly(tmp_path):
    plain, housed = (
        measured(scan(tmp_path, torlon_um=ring, torlon_per_cm=0.52)) for ring in (None, 5000.0)
    )
    # The field of view is 192 µm wide: between its rim and 5 mm on either side there is housing.
    middle = (housed - plain)[:, :, 49]
    np.testing.assert_allclose(middle, 2 * (0.5 - 0.0096) * 0.52, rtol=2e-3)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"angles": 1}, "angles = 1; expected 2 or more"),
        ({"bits": 14}, "bits = 14; expected 12 or 16"),
        ({"glare": 3.0}, "glare = 3; expected a fraction"),
        ({"quanta": 0}, "quanta = 0; expected a positive number"),
        ({"blur_um": -1}, "blur_um = -1; expected 0 or more"),
    ],
)
def test_impossible_setups_are_refused(setting, said):
    with pytest.raises(ValueError, match=said):
        Setup(**setting)
