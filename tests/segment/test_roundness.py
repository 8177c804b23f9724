"""A bore that is not round betrays a wrong voxel size; one that leans, or is cut off, does not."""

import re

import numpy as np
import pytest

from xct.segment.cell.bore_estimate import estimate_bore, oval_through
from xct.segment.cell.coarse import make_coarse

DEPTH, WIDTH, RADIUS = 64, 160, 65.0


def points(half_y, half_x, angles):
    return 100 + half_y * np.sin(angles), 90 + half_x * np.cos(angles)


def bore(lean=0.0):
    """A bright disc in the dark, that moves along x by `lean` pixels from slice to slice."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2
    off = (np.arange(DEPTH) - DEPTH / 2)[:, None, None] * lean
    return 5.0 * (np.hypot(y, x - off) < RADIUS) + rng.normal(0, 0.3, (DEPTH, WIDTH, WIDTH))


def test_widths_of_an_ellipse_are_found_among_other_points():
    rng = np.random.default_rng(1)
    y, x = points(60, 40, rng.uniform(0, 2 * np.pi, 300))
    y[:60] -= rng.uniform(5, 20, 60)
    oval = oval_through(y, x, tolerance=1.5)
    assert (oval.y_um, oval.x_um) == pytest.approx((100, 90), abs=0.3)
    assert (oval.half_y_um, oval.half_x_um) == pytest.approx((60, 40), abs=0.3)


def test_an_arc_has_no_two_widths():
    assert oval_through(*points(60, 40, np.linspace(0, 4, 300)), tolerance=1.5) is None


def test_points_that_lie_on_no_ellipse_give_none():
    y, x = np.random.default_rng(2).uniform(0, 100, (2, 300))
    assert oval_through(y, x, tolerance=1.5) is None


@pytest.mark.parametrize("size", [(2, 1, 2), (2, 2, 1)])
def test_a_wrong_voxel_size_is_seen_from_both_widths(size):
    with pytest.raises(ValueError, match="voxel size of one of the axes") as refused:
        estimate_bore(make_coarse(bore(), size))
    widths = [float(w) for w in re.findall(r"([\d.]+) µm (?:wide )?along", str(refused.value))]
    assert widths == pytest.approx([2 * RADIUS * size[1], 2 * RADIUS * size[2]], rel=0.01)


def test_three_hundredths_are_refused_and_one_is_not():
    with pytest.raises(ValueError, match="not round"):
        estimate_bore(make_coarse(bore(), (2, 2.06, 2)))
    assert estimate_bore(make_coarse(bore(), (2, 2.02, 2))).in_view


def test_a_bore_that_leans_is_round():
    assert estimate_bore(make_coarse(bore(lean=0.12), (2, 2, 2))).in_view
