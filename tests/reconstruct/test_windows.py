"""Windows: known values by hand."""

import numpy as np
import pytest
import scipy.fft

from xct.reconstruct.filters import ramp, window_response


def test_the_ramp_is_the_transform_of_the_band_limited_kernel():
    kernel = scipy.fft.ifft(ramp(64)).real
    nyquist = scipy.fft.fft([0.25] + [0.0] * 63)[32].real
    assert kernel[0] == pytest.approx(0.25, abs=0.01)
    # The even lags are zero but for what taking out the Nyquist frequency puts there.
    np.testing.assert_allclose(kernel[1] - kernel[3], -(1 - 1 / 9) / np.pi**2, atol=1e-12)
    assert nyquist == 0.25


def test_the_ramp_keeps_a_mean_that_a_sampled_one_loses():
    assert ramp(64)[0] > 0


def test_the_nyquist_frequency_does_not_pass():
    assert ramp(64)[32] == 0


@pytest.mark.parametrize(
    ("window", "half", "end"),
    [
        ("ramp", 1, 1),
        ("shepp-logan", np.sin(np.pi / 4) / (np.pi / 4), 2 / np.pi),
        ("cosine", np.sqrt(0.5), 0),
        ("hamming", 0.54, 0.08),
        ("hann", 0.5, 0),
        ("parzen", 0.25, 0),
    ],
)
@pytest.mark.parametrize("cutoff", [1.0, 0.5])
def test_each_window_has_its_textbook_values(window, half, end, cutoff):
    response = window_response(window, 64, cutoff)
    stop = int(32 * cutoff)
    assert response[0] == 1
    np.testing.assert_allclose(response[stop // 2], half, atol=1e-12)
    np.testing.assert_allclose(response[stop], end, atol=1e-12)


def test_nothing_passes_beyond_the_cutoff():
    frequency = np.abs(scipy.fft.fftfreq(64, 0.5))
    assert (window_response("hann", 64, 0.25)[frequency > 0.25] == 0).all()


@pytest.mark.parametrize(
    ("given", "meant"), [("han", "hann"), ("Shepp_Logan", "shepp-logan"), ("RAMP", "ramp")]
)
def test_an_unknown_window_is_refused_with_the_nearest_name(given, meant):
    with pytest.raises(ValueError, match=f"{given}.*did you mean '{meant}'"):
        window_response(given, 64)
