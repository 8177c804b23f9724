import numpy as np
import pytest

from xct.io.scans.series import missing, series_of, unwrapped


@pytest.mark.parametrize("step", [1, 2, 10])
@pytest.mark.parametrize("first", [0, 7])
def test_a_counter_says_which_frames_are_missing(first, step):
    there = np.setdiff1d(np.arange(100), [0, 30, 31, 77])
    series = series_of(first + step * there, "a counter")
    assert missing(series).tolist() == [29, 30, 76]  # nobody knows of one before the first


@pytest.mark.parametrize(
    "numbers",
    [
        np.cumsum(np.random.default_rng(0).integers(900, 1100, 100)),  # times
        np.arange(100)[::-1],
        np.repeat(np.arange(50), 2),
    ],
)
def test_numbers_that_are_no_counter_say_nothing(numbers):
    assert series_of(numbers, "names").place is None


def test_jumps_by_a_turn_are_undone():
    theta = np.linspace(300, 480, 181)
    np.testing.assert_allclose(unwrapped(theta % 360), theta)
    np.testing.assert_allclose(unwrapped((theta + 180) % 360 - 180) % 360, theta % 360)
    back = np.linspace(90, -90, 181)
    np.testing.assert_allclose(unwrapped(back % 360) % 360, back % 360)
    assert np.ptp(unwrapped(back % 360)) == pytest.approx(180)


def test_angles_that_jump_throughout_stay():
    golden = 222.49 * np.arange(300) % 360
    np.testing.assert_array_equal(unwrapped(golden), golden)
    np.testing.assert_array_equal(unwrapped(np.array([0.0, 359.0])), [0.0, 359.0])
