"""Stripes damped by wavelets: the formula of Münch et al., stripes that go, noise that stays."""

import numpy as np
import pytest
import pywt

from xct.preprocess.fourier_wavelet import damp_stripes


def by_the_paper(sinogram, scales, damping):
    """Damp the whole spectrum, scale by scale, as the paper writes it."""
    coarse, details = sinogram.astype(float), []
    for _ in range(scales):
        coarse, (along, across, both) = pywt.dwt2(coarse, "db5")
        period = np.fft.fftfreq(len(across)) * len(across)
        kept = -np.expm1(-(period**2) / (2 * damping**2))[:, None]
        details.append((along, np.fft.ifft(kept * np.fft.fft(across, axis=0), axis=0).real, both))
    for fine in reversed(details):
        rows, columns = fine[0].shape
        coarse = pywt.idwt2((coarse[:rows, :columns], fine), "db5")
    return coarse[: len(sinogram), : sinogram.shape[1]]


@pytest.mark.parametrize(("shape", "size", "scales"), [((120, 90), 5, 3), ((151, 203), 15, 4)])
def test_the_spectrum_is_damped_as_in_the_paper(shape, size, scales):
    values = np.random.default_rng(0).normal(1, 0.3, shape).astype(np.float32)
    np.testing.assert_allclose(
        damp_stripes(values, size), by_the_paper(values, scales, 2.0), atol=2e-5
    )


@pytest.mark.parametrize(("width", "part_left"), [(1, 0.1), (3, 0.3), (6, 0.5)])
def test_a_stripe_goes_and_what_is_smooth_across_the_columns_stays(width, part_left):
    angle, column = np.mgrid[:200, :256]
    slow = np.exp(-(((column - 120 - 30 * np.sin(angle / 60)) / 60) ** 2)).astype(np.float32)
    striped = slow.copy()
    striped[:, 80 : 80 + width] += 0.1
    left = damp_stripes(striped, 15) - damp_stripes(slow, 15)
    assert np.abs(left).max() < part_left * 0.1
    assert np.abs(damp_stripes(slow, 15) - slow).max() < 0.01


def test_noise_and_quick_changes_stay():
    noise = np.random.default_rng(1).normal(0, 1, (400, 300)).astype(np.float32)
    assert np.std(damp_stripes(noise, 15) - noise) < 0.2
    angle = np.arange(400)[:, None]
    quick = np.where(np.arange(300) == 150, np.sin(2 * np.pi * 40 * angle / 400), 0)
    cleaned = damp_stripes(quick.astype(np.float32), 15)
    np.testing.assert_allclose(cleaned[20:-20], quick[20:-20], atol=0.06)


def test_too_few_angles_for_a_wavelet_stay_as_they_are():
    few = np.random.default_rng(2).normal(size=(8, 100)).astype(np.float32)
    np.testing.assert_array_equal(damp_stripes(few, 15), few)
