"""stripes: rings go from real slices, edges and clean sinograms stay."""

import importlib.util

import numpy as np
import pytest
import tifffile
from scipy.io import loadmat

from xct.bench.stripes.ring_energy import distance_to_axis, edge_change, ring_reduction
from xct.phantom import project_discs, random_discs
from xct.preprocess import stripes
from xct.reconstruct import fbp

METHODS = ("profile", "weak", "sorting", "both", "wavelet", "auto")


def clean_sinogram(seed, columns=512, angles=600, counts=10_000):
    """Noisy line integrals through discs, up to 2, and the same without noise."""
    discs = random_discs(40, columns, seed=seed)
    theta_deg = np.arange(angles) * 180 / angles
    exact = project_discs(discs, theta_deg, columns, (columns - 1) / 2)
    exact *= 2 / exact.max()
    transmission = np.random.default_rng(seed).poisson(counts * np.exp(-exact)) / counts
    return (-np.log(transmission)).astype(np.float32)[:, None], exact[:, None], theta_deg


def reconstruct(sinogram, theta_deg, center_px):
    return fbp(np.ascontiguousarray(sinogram), theta_deg, center_px, pixel_size_um=1e4)[0]


@pytest.mark.parametrize("method", METHODS)
def test_rings_of_the_dendrites_are_weaker_and_edges_as_they_were(test_data, method):
    file = loadmat(test_data("dls_dendrite_sino/RealDataDend.mat"))
    sinogram = file["sinoRD"].T[:, None].astype(np.float32) / 1000
    theta_deg = np.rad2deg(file["anglesRad"].ravel())
    before = reconstruct(sinogram, theta_deg, 629.5)
    after = reconstruct(stripes(sinogram, method=method), theta_deg, 629.5)
    assert ring_reduction(before, after, 600) > 4
    assert abs(edge_change(before, after, 600)) < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_rings_of_the_neutron_image_are_weaker_and_edges_as_they_were(test_data, method):
    counts = tifffile.imread(test_data("neutron_360_sino/sinogram_360_neutron_image.tif"))
    transmission = counts / counts[:, :30].mean()
    transmission[transmission <= 0] = transmission.mean()  # as the source of the data does
    sinogram = -np.log(transmission)[:, None].astype(np.float32)
    theta_deg = np.linspace(0, 360, len(sinogram))
    before = reconstruct(sinogram, theta_deg, 244.9)
    after = reconstruct(stripes(sinogram, method=method), theta_deg, 244.9)
    assert ring_reduction(before, after, 200) > 4
    # Two faulty pixels draw streaks across the slice: its edges are those without these pixels.
    repaired = sinogram.copy()
    for column in (314, 346):
        repaired[..., column] = (sinogram[..., column - 1] + sinogram[..., column + 1]) / 2
    assert abs(edge_change(reconstruct(repaired, theta_deg, 244.9), after, 200)) < 0.01


@pytest.mark.parametrize(("method", "part_of_noise"), [("profile", 0.1), ("sorting", 1.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_without_stripes_the_change_is_below_the_noise(method, part_of_noise, seed):
    sinogram, exact, theta_deg = clean_sinogram(seed)
    cleaned = stripes(sinogram, method=method)
    assert np.std(cleaned - sinogram) < part_of_noise * np.std(sinogram - exact)
    slices = [
        reconstruct(values.astype(np.float32), theta_deg, (sinogram.shape[2] - 1) / 2)
        for values in (exact, sinogram, cleaned)
    ]
    inside = distance_to_axis(slices[0]) < 240
    noise, change = np.std((slices[1] - slices[0])[inside]), np.std((slices[2] - slices[1])[inside])
    assert change < part_of_noise * noise


def test_dense_particles_keep_their_grey_values():
    """Turning points of many particles pile up in the mean over the angles, as stripes do."""
    columns, angles, center_px = 320, 400, 160.3
    theta_deg = np.arange(angles) * 180 / angles
    discs = random_discs(250, columns, seed=3, radius=(0.006, 0.025), fill=0.8)
    discs[:, 3] = 0.006
    exact = project_discs(discs, theta_deg, columns, center_px)
    counts = np.random.default_rng(0).poisson(20_000 * np.exp(-exact))
    sinogram = -np.log(counts / 20_000)[:, None].astype(np.float32)
    before = reconstruct(sinogram, theta_deg, center_px)
    after = reconstruct(stripes(sinogram), theta_deg, center_px)
    truth = reconstruct(exact[:, None].astype(np.float32), theta_deg, center_px)
    inside = distance_to_axis(truth) < 120
    assert np.std((after - before)[inside]) < 0.25 * np.std((before - truth)[inside])


@pytest.mark.parametrize("columns", [54, 80, 160])
def test_on_a_narrow_detector_the_sample_is_not_taken_for_stripes(columns):
    discs = np.array([[0.08, 0.06, 0.3, 0.5], [0.1, -0.15, 0.1, 1.0], [-0.2, 0.1, 0.08, 1.5]])
    discs = discs * [columns, columns, columns, 1 / columns]
    theta_deg = np.arange(180.0)
    exact = project_discs(discs, theta_deg, columns, columns / 2)[:, None].astype(np.float32)
    noise = 0.01
    assert np.std(stripes(exact) - exact) < 0.5 * noise


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("width", "part_left"), [(1, 0.25), (2, 0.25), (5, 0.45), (9, 0.65)])
def test_a_stripe_of_known_height_is_removed(method, width, part_left):
    sinogram, _, _ = clean_sinogram(5)
    striped = sinogram.copy()
    striped[..., 300 : 300 + width] += 0.1
    size_px = max(15, 2 * width + 3)
    cleaned, clean = (
        stripes(values, method=method, size_px=size_px) for values in (striped, sinogram)
    )
    left = (cleaned - clean).mean(axis=(0, 1))
    assert np.abs(left).max() < part_left * 0.1


def test_a_stripe_that_depends_on_the_signal_is_removed_by_sorting():
    sinogram, _, _ = clean_sinogram(6)
    striped = sinogram.copy()
    striped[..., 200] *= 0.8
    left = {
        method: np.std((stripes(striped, method=method) - sinogram)[:, 0, 200])
        for method in METHODS
    }
    spoilt = np.std((striped - sinogram)[:, 0, 200])
    assert left["sorting"] < 0.6 * spoilt
    assert left["sorting"] < 0.8 * left["profile"]


def test_a_pixel_that_wanders_by_itself_is_interpolated():
    sinogram, _, _ = clean_sinogram(7)
    wandering = sinogram.copy()
    wandering[:, 0, 100] += np.cumsum(np.random.default_rng(0).normal(0, 0.2, len(sinogram)))
    cleaned = stripes(wandering)[:, 0, 100]
    assert np.std(cleaned - sinogram[:, 0, 100]) < 0.05


@pytest.mark.skipif(importlib.util.find_spec("algotom") is None, reason="algotom is not installed")
@pytest.mark.parametrize("size_px", [5, 20, 21, 61])
def test_sorting_agrees_with_algotom(size_px):
    from algotom.prep.removal import remove_stripe_based_sorting

    # Every value once in its column: equal values have no order of their own.
    rng = np.random.default_rng(8)
    order = rng.permuted(np.tile(np.arange(200.0), (50, 1)), axis=1).T
    sinogram = (order + rng.normal(0, 3, 50)).astype(np.float32)
    np.testing.assert_array_equal(
        stripes(sinogram[:, None], method="sorting", size_px=size_px)[:, 0],
        remove_stripe_based_sorting(sinogram, size_px),
    )


def test_negative_and_equal_values_keep_their_places():
    sinogram = np.tile(np.array([-1.0, 0.0, -0.0, 2.0, 0.0, -3.0], np.float32)[:, None], 8)[:, None]
    np.testing.assert_array_equal(stripes(sinogram, method="sorting", size_px=3), sinogram)


@pytest.mark.parametrize("method", METHODS)
def test_a_window_wider_than_the_detector_is_possible(method):
    sinogram = np.random.default_rng(9).normal(1, 0.1, (30, 2, 7)).astype(np.float32)
    assert np.isfinite(stripes(sinogram, method=method, size_px=51)).all()


@pytest.mark.parametrize("method", ["profile", "weak"])
def test_a_slope_that_leaves_the_detector_is_no_stripe(method):
    column, angle = np.arange(200.0), np.arange(180.0)[:, None]
    sinogram = 1 + column / 200 + 0.2 * np.sin(angle / 30) + 0 * column
    sinogram = sinogram[:, None].astype(np.float32)
    np.testing.assert_allclose(stripes(sinogram, method=method), sinogram, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_are_refused_by_their_row(value):
    sinograms = np.zeros((5, 4, 6), np.float32)
    sinograms[1:3, 2, 5] = value
    with pytest.raises(ValueError, match=r"2 line integrals in 1 rows, first row 2 .*fill_nonposi"):
        stripes(sinograms)


def test_a_sinogram_needs_three_columns():
    with pytest.raises(ValueError, match=r"\(5, 4, 2\).*at least 3 columns"):
        stripes(np.zeros((5, 4, 2), np.float32))
