"""A rotation axis that leans along the beam is measured, and said where it blurs slices."""

import numpy as np
import pytest

from xct.preprocess.center.pitch import find_pitch
from xct.preprocess.center.tilt import AxisTilt, tilt_number

ROWS, COLUMNS, CENTER = 40, 96, 49.2
LOOKED_AT = np.r_[4:7, 12:15, 20:23, 28:31, 35:38]


def blobs(pitch_deg, turn_deg, seed):
    """Line integrals of blobs in a cylinder that turn about an axis leaning along the beam."""
    rng = np.random.default_rng(seed)
    theta = np.linspace(0, turn_deg, 121)
    t = np.radians(theta)
    place = np.arange(COLUMNS) - CENTER
    seen = np.zeros((t.size, LOOKED_AT.size, COLUMNS))
    seen += 0.02 * np.sqrt(np.clip(34**2 - place**2, 0, None))
    for _ in range(30):
        radius, angle = 28 * np.sqrt(rng.random()), 2 * np.pi * rng.random()
        x, y, z = radius * np.cos(angle), radius * np.sin(angle), rng.uniform(-5, ROWS + 5)
        column = x * np.cos(t) - y * np.sin(t)
        row = z + np.tan(np.radians(pitch_deg)) * (x * np.sin(t) + y * np.cos(t))
        down = np.exp(-((LOOKED_AT - row[:, None]) ** 2) / 18)
        right = np.exp(-((place - column[:, None]) ** 2) / 18)
        seen += 0.5 * down[:, :, None] * right[:, None]
    light = 0.003 * np.linspace(0, 1, t.size)[:, None, None]  # the beam fades
    return (seen + light + rng.normal(0, 0.01, seen.shape)).astype(np.float32), theta


@pytest.mark.parametrize("turn_deg", [180, 360])
@pytest.mark.parametrize("pitch_deg", [0.0, -0.4, 1.5])
def test_a_tilt_along_the_beam_is_found_with_its_sign(pitch_deg, turn_deg):
    for seed in (7, 8):
        found = find_pitch(*blobs(pitch_deg, turn_deg, seed), LOOKED_AT)
        assert found is not None
        assert found.tilt_deg == pytest.approx(pitch_deg, abs=0.05 + 0.15 * abs(pitch_deg))
        assert found.sd_deg < 0.2
        assert found.at_most_deg > abs(found.tilt_deg)
        assert (found.message() is not None) == (pitch_deg == 1.5)


def test_a_tilt_along_the_beam_stands_in_the_summary_and_is_said():
    found = find_pitch(*blobs(1.5, 360, 9), LOOKED_AT)
    with pytest.warns(UserWarning, match="leans along the beam by 1.5"):
        number = tilt_number(AxisTilt(0.0, 0.02, 39.0, along_beam=found), 15)
    assert number.details["along_beam_deg"] == pytest.approx(1.5, abs=0.1)


def test_a_tilt_along_the_beam_is_not_known_where_the_sample_leaves_the_view():
    views, theta = blobs(1.5, 180, 7)
    assert find_pitch(views[..., 34:74], theta, LOOKED_AT) is None
    assert find_pitch(views[:, ::3], theta, LOOKED_AT[::3]) is None
