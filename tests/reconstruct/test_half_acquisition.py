"""Two half turns about an axis near an edge make one view that is twice as wide."""

import numpy as np
import pytest

from xct.phantom.discs import project_discs
from xct.reconstruct import fbp
from xct.reconstruct.half_acquisition import Views, is_half_acquisition, stitched

COLUMNS, SIZE = 96, 150
DISCS = np.array([[0, 0, 62, 0.01], [30, 12, 12, 0.02], [-25, 40, 6, 0.03], [5, -45, 9, -0.005]])
SCALE = {"pixel_size_um": 1e4}  # so that values are those of the discs


def angles(count=361, first=0.0, turn=1):
    return first + turn * np.linspace(0, 360, count)


def views(center, theta):
    values = project_discs(DISCS, theta, COLUMNS, center)
    return Views(values[:, None].astype(np.float32), theta, np.array([center]))


@pytest.mark.parametrize("center", [18.4, 25.0, 76.6])
@pytest.mark.parametrize("theta", [angles(), angles(361, 37.0, -1), angles(500)])
def test_what_is_stitched_is_what_a_wider_view_would_show(center, theta):
    wide = stitched(views(center, theta))
    truth = project_discs(DISCS, wide.theta_deg, wide.line_integrals.shape[2], wide.center_px[0])
    difference = wide.line_integrals[:, 0] - truth
    assert np.sqrt(np.mean(difference**2)) < 0.006 * truth.max()  # at the edges of discs
    assert abs(difference.mean()) < 2e-4 * truth.max()
    assert ((wide.theta_deg - theta.min()) % 360 < 180).all()


@pytest.mark.parametrize("center", [18.4, 76.6])
def test_slices_are_those_of_the_whole_view(center):
    theta = angles()
    half = fbp(views(center, theta).line_integrals, theta, center, size=SIZE, **SCALE)
    half_turn = theta[:180]
    full = project_discs(DISCS, half_turn, 200, 99.5)
    whole = fbp(full[:, None], half_turn, 99.5, size=SIZE, **SCALE)
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    inside = np.hypot(x, y) < 70
    difference = (half - whole)[0][inside]
    assert np.sqrt(np.mean(difference**2)) < 0.1 * np.std(whole[0][inside])
    assert abs(difference.mean()) < 2e-3 * whole[0][inside].mean()


@pytest.mark.parametrize("offset", [1000.0, 2.0])
def test_there_is_no_seam_above_the_noise(offset):
    """Noise, and a beam that fades by a little from one half turn to the next."""
    rng = np.random.default_rng(5)
    theta, center = angles(), 20.3
    values = views(center, theta).line_integrals + rng.normal(0, 0.02, (361, 1, COLUMNS))
    values[180:] += 0.002
    volume = fbp(values, theta, center, size=SIZE, **SCALE)[0]
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    radius = np.hypot(x, y)
    plain = (np.hypot(x - 30, y - 12) > 14) & (np.hypot(x + 25, y - 40) > 8)
    plain &= np.hypot(x - 5, y + 45) > 11
    rings = [volume[plain & (radius > r) & (radius <= r + 1)] for r in range(10, 32)]
    steps = np.diff([ring.mean() for ring in rings])
    noise = np.mean([ring.std() / np.sqrt(ring.size) for ring in rings])
    assert np.abs(steps).max() < 6 * noise


def test_rows_with_axes_of_their_own_are_stitched_about_them():
    theta, centers = angles(), np.array([18.0, 18.7, 19.4])
    values = np.concatenate([views(c, theta).line_integrals for c in centers], axis=1)
    wide = stitched(Views(values, theta, centers))
    for row, center in enumerate(wide.center_px):
        truth = project_discs(DISCS, wide.theta_deg, wide.line_integrals.shape[2], center)
        shown = slice(2, None)  # the first column lies beyond what the first row has seen
        difference = (wide.line_integrals[:, row] - truth)[:, shown]
        assert np.sqrt(np.mean(difference**2)) < 0.008 * truth.max()


def test_what_does_not_fit_into_the_slices_is_said():
    theta = angles()
    with pytest.warns(UserWarning, match=r"steps.fbp.size: 156"):
        fbp(views(18.4, theta).line_integrals, theta, 18.4, size=90, **SCALE)


@pytest.mark.parametrize(
    ("theta", "center", "truth"),
    [
        (angles(), 18.4, True),
        (angles(), 80.0, True),
        (angles(), 45.0, False),
        (np.linspace(0, 180, 181), 18.4, False),
        (np.linspace(0, 359, 360), 18.4, True),
    ],
)
def test_it_is_told_by_angles_and_axis(theta, center, truth):
    assert is_half_acquisition(theta, center, COLUMNS) is truth
