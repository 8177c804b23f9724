"""Discs: exact projections and exact pictures, in the geometry of the contract."""

import numpy as np
import pytest

from xct.phantom import draw_discs, project_discs, random_discs

THETA_DEG = np.linspace(0, 360, 37)


def test_a_disc_on_the_axis_gives_the_same_row_at_all_angles():
    sinogram = project_discs(np.array([[0, 0, 5.3, 2]]), THETA_DEG, 21, 9.7)
    np.testing.assert_allclose(sinogram, np.broadcast_to(sinogram[0], sinogram.shape), atol=1e-12)


def test_the_chord_through_the_middle_is_the_diameter():
    sinogram = project_discs(np.array([[0, 0, 400.0, 0.5]]), np.array([30.0]), 801, 400.0)
    assert sinogram[0, 400] == pytest.approx(400.0, rel=1e-6)


def test_mass_is_kept_at_every_angle_and_in_the_picture():
    discs = random_discs(7, 64, seed=1)
    mass = np.pi * np.sum(discs[:, 2] ** 2 * discs[:, 3])
    np.testing.assert_allclose(project_discs(discs, THETA_DEG, 64, 31.5).sum(axis=1), mass)
    np.testing.assert_allclose(draw_discs(discs, 64).sum(), mass)


def test_a_disc_at_plus_x_moves_to_plus_y():
    # c - center = x cos θ - y sin θ describes the beam's view; a disc at +x is seen at +10 at 0°,
    # and a disc at +y at -10 when θ = 90°.
    seen = project_discs(np.array([[10.0, 0, 2, 1]]), np.array([0.0, 90.0, 180.0]), 41, 20.0)
    np.testing.assert_array_equal(seen.argmax(axis=1), [30, 20, 10])
    seen = project_discs(np.array([[0, 10.0, 2, 1]]), np.array([0.0, 90.0, 180.0]), 41, 20.0)
    np.testing.assert_array_equal(seen.argmax(axis=1), [20, 10, 20])


def test_the_picture_holds_x_along_columns_and_y_along_rows():
    picture = draw_discs(np.array([[4.0, -6.0, 1.5, 1]]), 21)
    assert np.unravel_index(picture.argmax(), picture.shape) == (4, 14)


def test_the_picture_agrees_with_heavy_supersampling():
    discs = np.array([[1.3, -0.6, 3.37, 0.8], [-2.2, 1.9, 0.4, 1.0]])
    fine = (np.arange(12 * 200) + 0.5) / 200 - 6
    count = sum(
        value * ((fine - x) ** 2 + (fine[:, None] - y) ** 2 <= r * r) for x, y, r, value in discs
    )
    mean = count.reshape(12, 200, 12, 200).mean(axis=(1, 3))
    np.testing.assert_allclose(draw_discs(discs, 12), mean, atol=2e-3)


def test_the_picture_summed_along_y_is_the_projection_at_zero_degrees():
    discs = random_discs(9, 50, seed=3)
    row = project_discs(discs, np.array([0.0]), 50, 24.5)[0]
    np.testing.assert_allclose(draw_discs(discs, 50).sum(axis=0), row, atol=1e-10)


def test_a_disc_that_leaves_the_detector_is_cut_off():
    whole = project_discs(np.array([[0, 0, 8.0, 1]]), THETA_DEG, 30, 15.0)
    part = project_discs(np.array([[0, 0, 8.0, 1]]), THETA_DEG, 12, 5.0)
    np.testing.assert_allclose(part, whole[:, 10:22], atol=1e-12)


def test_random_discs_stay_inside_the_circle_and_repeat_with_the_seed():
    discs = random_discs(200, 100, seed=5, fill=0.8)
    assert (np.hypot(discs[:, 0], discs[:, 1]) + discs[:, 2] <= 40 + 1e-9).all()
    np.testing.assert_array_equal(discs, random_discs(200, 100, seed=5, fill=0.8))


def test_discs_that_cannot_fit_are_refused():
    with pytest.raises(ValueError, match="does not fit"):
        random_discs(1, 100, seed=0, radius=(0.1, 0.6))


def test_discs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        draw_discs(np.ones((2, 3)), 8)
