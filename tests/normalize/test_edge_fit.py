"""Round edges below the voxel, and the point spread across them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.normalize.blur import fit_round_edge


def disc(noise=0.0, y=30.3, x=31.8, radius=20.6, blur=1.4, seed=0):
    """Give a disc of 5 in 0.5, drawn eight times finer than the pixel."""
    fine = (np.arange(8 * 64) + 0.5) / 8 - 0.5
    inside = np.hypot(fine[:, None] - y, fine[None, :] - x) < radius
    blurred = gaussian_filter(inside.astype(float), 8 * blur)
    image = 0.5 + 4.5 * blurred.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    return image + noise * np.random.default_rng(seed).standard_normal(image.shape)


def fit(image, **changed):
    start = {
        "center_um": (61.0, 61.0), "radius_um": 43.0, "reach_um": (14.0, 14.0), "blur_um": 2.0,
    }  # fmt: skip
    return fit_round_edge(image, (2.0, 2.0), **(start | changed))


def test_center_radius_and_blur_are_exact_without_noise():
    edge = fit(disc())
    center = np.array([edge.y_um, edge.x_um, edge.radius_um]) / 2
    np.testing.assert_allclose(center, [30.3, 31.8, 20.6], atol=0.02)
    # The width of the pixel itself is part of the blur.
    assert edge.blur_um / 2 == pytest.approx(np.hypot(1.4, 12**-0.5), abs=0.02)
    assert edge.inner == pytest.approx(5.0, abs=0.02)
    assert edge.outer == pytest.approx(0.5, abs=0.02)


def test_errors_are_as_large_as_stated():
    edges = [fit(disc(noise=0.5, seed=seed)) for seed in range(24)]
    off = np.array([[e.y_um / 2 - 30.3, e.radius_um / 2 - 20.6] for e in edges])
    stated = np.array([[e.y_sd_um / 2, e.radius_sd_um / 2] for e in edges]).mean(axis=0)
    ratio = np.sqrt(np.mean(off**2, axis=0)) / stated
    assert (0.6 < ratio).all()
    assert (ratio < 1.6).all()


def test_bright_grains_near_the_edge_pull_little():
    image = disc(noise=0.2)
    grains = np.random.default_rng(3).random(image.shape) > 0.97
    image[grains] += 40
    assert fit(image).radius_um / 2 == pytest.approx(20.6, abs=0.1)


def test_a_circle_beside_the_image_is_refused():
    with pytest.raises(ValueError, match="only 0 pixels lie near a circle of radius 43 µm"):
        fit(disc(), center_um=(900.0, 900.0))
