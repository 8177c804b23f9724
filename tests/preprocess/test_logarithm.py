"""line_integrals and fill_nonpositive: -ln, what it cannot take, and the noise floor."""

import numpy as np
import pytest

from xct.preprocess import fill_nonpositive, line_integrals

FLOAT = np.finfo(np.float32)


def test_minus_log_is_right_to_the_last_digits():
    transmission = np.r_[
        np.geomspace(FLOAT.tiny, FLOAT.max, 200_000), np.linspace(0.5, 2.0, 200_001)
    ].astype(np.float32)[None, None]
    exact = -np.log(transmission.astype(np.float64))
    answer = line_integrals(transmission)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, exact, rtol=2 * FLOAT.eps, atol=1e-7)


def test_nothing_absorbed_is_exactly_zero():
    assert line_integrals(np.ones((1, 1, 1), np.float32)).item() == 0.0


@pytest.mark.parametrize("value", [0.0, -0.0, -1e-30, -0.5, -np.inf, np.inf, np.nan])
def test_what_has_no_logarithm_is_marked(value):
    answer = line_integrals(np.array([[[0.5, value, 0.5]]], np.float32))
    np.testing.assert_array_equal(np.isnan(answer), [[[False, True, False]]])


def test_other_types_and_layouts_are_taken():
    transmission = np.linspace(0.1, 1, 24).reshape(2, 3, 4)
    np.testing.assert_allclose(
        line_integrals(transmission.transpose(1, 2, 0)), -np.log(transmission.transpose(1, 2, 0)),
        atol=1e-6,
    )  # fmt: skip


def fields():
    """Gain of 1000 counts; darks scatter by 4 counts in the first column, not in the second."""
    darks = np.zeros((2, 1, 2))
    darks[:, 0, 0] = 100 - np.sqrt(8), 100 + np.sqrt(8)
    darks[:, 0, 1] = 100
    return np.full((3, 1, 2), 1100.0), darks


def test_the_floor_is_the_noise_of_the_darks_or_one_count():
    missing = np.full((2, 1, 2), np.nan, np.float32)
    filled = fill_nonpositive(missing, *fields())
    np.testing.assert_allclose(filled[0], -np.log([[4 / 1000, 1 / 1000]]), rtol=1e-5)
    np.testing.assert_array_equal(filled[0], filled[1])


def test_the_floor_can_be_raised():
    missing = np.full((1, 1, 2), np.nan, np.float32)
    filled = fill_nonpositive(missing, *fields(), floor_sd=2.5)
    np.testing.assert_allclose(filled[0], -np.log([[10 / 1000, 1 / 1000]]), rtol=1e-5)


def test_without_darks_the_floor_is_one_count():
    flats, _ = fields()
    filled = fill_nonpositive(np.full((1, 1, 2), np.nan, np.float32), flats)
    np.testing.assert_allclose(filled, -np.log(1 / 1100), rtol=1e-6)


def test_other_values_stay_and_a_dead_pixel_gets_the_floor_of_its_row():
    flats, darks = fields()
    flats[:, 0, 1] = 100.5
    values = np.array([[[1.5, np.nan]], [[np.nan, 2.5]]], np.float32)
    filled = fill_nonpositive(values, flats, darks)
    assert filled[0, 0, 0] == 1.5
    assert filled[1, 0, 1] == 2.5
    assert np.isfinite(filled[1, 0, 0])
    assert filled[0, 0, 1] == filled[1, 0, 0]


def test_a_row_of_dead_pixels_has_no_floor():
    _, darks = fields()
    missing = np.full((1, 1, 2), np.nan, np.float32)
    assert np.isnan(fill_nonpositive(missing, darks[:1], darks)).all()


def test_fields_of_another_shape_are_refused():
    flats, darks = fields()
    with pytest.raises(ValueError, match=r"darks have shape \(2, 1, 1\).*\(1, 2\)"):
        fill_nonpositive(np.zeros((1, 1, 2), np.float32), flats, darks[:, :, :1])


def test_without_flats_the_largest_line_integral_of_the_row_is_the_bound():
    values = np.array(
        [[[1.0, np.nan, 3.0], [5.0, 4.0, np.nan]], [[2.0, 0.5, 1.0], [7.0, 1.0, 1.0]]]
    )
    filled = fill_nonpositive(values.astype(np.float32))
    assert (filled[0, 0, 1], filled[0, 1, 2]) == (3.0, 7.0)
    known = np.isfinite(values)
    np.testing.assert_array_equal(filled[known], values[known])
