"""Projection of voxels: exact for a square, and right for discs."""

import numpy as np
import pytest

from xct.parallel.threads import limit_threads
from xct.phantom import draw_discs, project_discs, random_discs
from xct.phantom.scan.shadows import project
from xct.reconstruct import fbp

UM_PER_CM = 1e4  # a voxel of 1 cm: line integrals are sums


def one_voxel(size=9, y=4, x=4):
    volume = np.zeros((1, size, size), np.float32)
    volume[0, y, x] = 1
    return volume


def test_a_square_casts_a_square_shadow_at_0_and_a_triangle_at_45_degrees():
    straight, oblique = project(one_voxel(), [0.0, 45.0], 4.0, UM_PER_CM)[:, 0]
    np.testing.assert_allclose(straight, [0, 0, 0, 0, 1, 0, 0, 0, 0], atol=1e-6)
    # Half the diagonal is h = 1/√2; beyond ½ there is a triangle of (h - ½)² on either side.
    beside = (np.sqrt(0.5) - 0.5) ** 2
    np.testing.assert_allclose(oblique[3:6], [beside, 1 - 2 * beside, beside], atol=1e-4)


def test_points_fall_where_the_convention_says():
    # c - center = x cos θ - y sin θ: a point at y = +3 lies at column center - 3 at 90°.
    at_90 = project(one_voxel(y=7), [90.0], 4.0, UM_PER_CM)[0, 0]
    assert at_90.argmax() == 1
    at_0 = project(one_voxel(x=7), [0.0], 4.0, UM_PER_CM)[0, 0]
    assert at_0.argmax() == 7


def test_between_two_pixels_a_shadow_is_shared():
    shared = project(one_voxel(), [0.0], 4.25, UM_PER_CM)[0, 0]
    np.testing.assert_allclose(shared[4:6], [0.75, 0.25], atol=2e-4)


def test_discs_are_projected_as_their_exact_integrals():
    discs = random_discs(12, 192, seed=3)
    theta = np.linspace(0, 180, 61)
    drawn = draw_discs(discs, 192)[None]
    exact = project_discs(discs, theta, 192, 98.37)
    got = project(drawn, theta, 98.37, UM_PER_CM)[:, 0]
    # What is left is the disc's rim, drawn on voxels.
    assert np.sqrt(np.mean((got - exact) ** 2)) < 0.004 * exact.max()
    np.testing.assert_allclose(got.sum(axis=1), exact.sum(axis=1), rtol=1e-5)


def test_every_slice_is_projected_alike_however_many_there_are_and_on_any_threads():
    rng = np.random.default_rng(0)
    volume = rng.random((37, 24, 20)).astype(np.float32)
    theta = np.linspace(0, 180, 50)
    together = project(volume, theta, 9.7, 2.0)
    np.testing.assert_array_equal(together[:, 33], project(volume[33:34], theta, 9.7, 2.0)[:, 0])
    with limit_threads(1):
        np.testing.assert_array_equal(together, project(volume, theta, 9.7, 2.0))


def test_what_falls_beside_a_narrow_detector_is_lost_and_nothing_else_changes():
    volume = np.random.default_rng(1).random((2, 30, 30)).astype(np.float32)
    theta = np.linspace(0, 180, 33)
    wide = project(volume, theta, 24.5, 1.0, columns=50)
    narrow = project(volume, theta, 4.5, 1.0, columns=10)
    np.testing.assert_allclose(narrow, wide[:, :, 20:30], rtol=1e-5)


def test_lengths_are_in_cm():
    assert project(one_voxel(), [0.0], 4.0, 2.0).max() == pytest.approx(2e-4)


def test_reconstruction_gives_the_slices_back():
    discs = np.array([[0.0, 0, 40, 0.5], [10, 12, 9, 2.0]])
    drawn = draw_discs(discs, 96)[None]
    theta = np.linspace(0, 180, 200, endpoint=False)
    volume = fbp(project(drawn, theta, 50.2, 1.0), theta, 50.2, pixel_size_um=1.0)[0]
    y, x = np.indices((96, 96)) - 47.5
    inside = np.hypot(x - 10, y - 12) < 6
    assert volume[inside].mean() == pytest.approx(2.5, rel=1e-3)


def test_a_slice_that_is_no_volume_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); it must be \(z, y, x\)"):
        project(np.zeros((4, 4)), [0.0], 1.5, 1.0)
    with pytest.raises(ValueError, match="voxel_um = 0; expected a positive length"):
        project(np.zeros((1, 4, 4)), [0.0], 1.5, 0)
