"""fbp: what it refuses, and in which words."""

import sys

import numpy as np
import pytest

from xct.reconstruct import fbp

THETA = np.linspace(0, 180, 12, endpoint=False)
ROWS = np.ones((12, 3, 20), dtype=np.float32)


def call(values=ROWS, theta=THETA, center=9.5, **settings):
    return fbp(values, theta, center, **{"pixel_size_um": 1.0} | settings)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_by_row(bad):
    values = ROWS.copy()
    values[3:5, 1, 2:6] = bad
    with pytest.raises(ValueError, match=r"8 values.*row 1;.*fill_dead_pixels.*fill_nonpositive"):
        call(values)
    values[0, 2, 0] = bad
    with pytest.raises(ValueError, match=r"9 values.*2 rows \(1 … 2\)"):
        call(values.astype(np.float64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": THETA[:-1]}, r"theta_deg has shape \(11,\).*12 projections"),
        ({"theta": THETA[:, None]}, r"theta_deg has shape \(12, 1\)"),
        ({"theta": np.where(THETA > 90, np.nan, THETA)}, "theta_deg holds 5 values.*not finite"),
        ({"values": np.ones(12)}, r"shape \(12,\).*\(angle, row, column\)"),
        ({"values": np.ones((12, 0, 20))}, r"shape \(12, 0, 20\).*at least one"),
        ({"values": np.ones((12, 1, 3, 20))}, r"shape \(12, 1, 3, 20\)"),
        ({"center": 25.0}, r"center_px=25 is outside the detector.*0 … 19"),
        ({"center": -3.2}, r"center_px=-3\.2 is outside"),
        ({"center": np.nan}, "center_px=nan is outside"),
        ({"center": np.array([9.0, 9.0, 21.0])}, "center_px=21 is outside"),
        ({"center": np.array([9.0, 9.0])}, r"center_px has shape \(2,\).*3 rows"),
        ({"pixel_size_um": 0.0}, "pixel_size_um=0.0 must be positive"),
        ({"pixel_size_um": float("nan")}, "pixel_size_um=nan must be positive"),
        ({"window": "haning"}, "window='haning' is unknown; did you mean 'hann'"),
        ({"cutoff": 0.0}, "cutoff=0.0 must be above 0"),
        ({"cutoff": 1.5}, "cutoff=1.5 must be above 0 and at most 1"),
        ({"size": 0}, "size=0 must be at least 1"),
        ({"engine": "cuda"}, "engine='cuda' is unknown.*fourier, astra"),
        ({"memory_gib": -1.0}, "memory_gib=-1.0 must be positive"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        call(**change)


@pytest.mark.parametrize("dtype", [np.complex64, bool, object])
def test_values_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(TypeError, match="expected real numbers"):
        call(ROWS.astype(dtype))


def test_the_pixel_size_is_a_fact_without_default():
    with pytest.raises(TypeError, match="pixel_size_um"):
        fbp(ROWS, THETA, 9.5)  # type: ignore[call-arg]


def test_without_astra_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "astra", None)
    with pytest.raises(ImportError, match=r"pip install xct\[astra\]"):
        call(engine="astra")


def test_astra_is_not_imported_unasked():
    import subprocess

    code = (
        "import sys, numpy as np; from xct.reconstruct import fbp;"
        "fbp(np.ones((6, 8)), np.arange(0, 180, 30), 3.5, pixel_size_um=1);"
        "sys.exit('astra' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_wedge_is_said_to_the_caller():
    theta = np.linspace(0, 120, 61)
    with pytest.warns(UserWarning, match="120° to 180°") as record:
        call(np.ones((61, 1, 20)), theta)
    assert record[0].filename == __file__


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
@pytest.mark.parametrize("angles", [1, 2, 5])
def test_tiny_scans_do_not_fail(columns, angles):
    theta = np.linspace(0, 180, angles, endpoint=False)
    volume = fbp(np.ones((angles, 2, columns)), theta, (columns - 1) / 2, pixel_size_um=1.0)
    assert volume.shape == (2, columns, columns)
    assert np.isfinite(volume).all()
