"""A lens that distorts is taken out by the same interpolation as tilt and jitter."""

import numpy as np
import pytest

from xct.errors import ScanError
from xct.preprocess.resampling import Distortion, align
from xct.stages import STAGES, in_blocks

ROWS, COLUMNS = 80, 120
ABOUT = (37.0, 63.5)
PINCUSHION = (1.0, 0.0, 1.2e-5)  # moves the corners by about 4 pixels


def pattern(row, column, angle=0):
    """Give a smooth scene, known at every place."""
    return np.sin(row / 6 + angle) * np.cos(column / 7) + row / 50


def seen(factors=PINCUSHION, angles=3):
    """Look at the scene through a lens: for each pixel, find by bisection what it shows."""
    row, column = np.mgrid[:ROWS, :COLUMNS].astype(float)
    down, right = row - ABOUT[0], column - ABOUT[1]
    away = np.hypot(down, right)
    low, high = 0 * away, away * 1.2 + 1
    for _ in range(60):
        middle = (low + high) / 2
        beyond = middle * sum(f * middle**n for n, f in enumerate(factors)) > away
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    scale = np.divide(low, away, out=np.ones_like(away), where=away > 0)
    place = ABOUT[0] + down * scale, ABOUT[1] + right * scale
    return np.stack([pattern(*place, angle) for angle in range(angles)]).astype(np.float32)


def straight(frames, factors=PINCUSHION, **more):
    return align(
        frames,
        60.0,
        np.arange(ROWS),
        (ROWS, COLUMNS),
        distortion_factors=factors,
        distortion_center_px=ABOUT,
        **more,
    )


def test_a_distorted_frame_becomes_straight():
    row, column = np.mgrid[:ROWS, :COLUMNS]
    true = np.stack([pattern(row, column, angle) for angle in range(3)])
    inner = np.s_[:, 6:-6, 6:-6]  # pincushion: the corners show what lies inside
    blind = np.abs(seen() - true)[inner].max()
    left = np.abs(straight(seen())[0] - true)[inner].max()
    assert blind > 0.3
    assert left < 2e-3


def test_the_axis_moves_with_the_pixels():
    lens = Distortion(PINCUSHION, *ABOUT)
    for wanted in (20.0, 63.5, 101.0):
        at = lens.seen(np.array(39.5), np.array(wanted))[1]
        found = lens.straight_column(39.5, np.array([float(at)]))
        assert found[0] == pytest.approx(wanted, abs=1e-6)


def test_without_factors_nothing_is_touched():
    frames = seen()
    assert straight(frames, ())[0] is frames


@pytest.mark.parametrize("size", [1, 9, 32])
def test_cutting_does_not_change_what_is_straightened(size):
    known = {
        "line_integrals": seen(),
        "center_px": np.full(ROWS, 60.0),
        "row_px": np.arange(ROWS),
        "frame_shape": (ROWS, COLUMNS),
    }
    settings = {"distortion_factors": PINCUSHION, "distortion_center_px": ABOUT}
    pieces = in_blocks(STAGES["align"], known, settings, axis="row", size=size)
    np.testing.assert_array_equal(pieces, straight(seen())[0])


@pytest.mark.parametrize("factors", [(0.0, 1.0), (1.0, 0.02), (float("nan"),), (2.0,)])
def test_factors_of_another_unit_are_refused(factors):
    with pytest.raises(ScanError, match=r"distortion_factors: .* pixels from the center"):
        straight(seen(), factors)
