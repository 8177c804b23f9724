"""fill_dead_pixels: good neighbors give the value, everything else stays."""

import numpy as np
import pytest

from xct.preprocess import fill_dead_pixels
from xct.stages import hearing


def ramp(rows=20, columns=24):
    """Transmission that rises evenly along rows and columns."""
    y, x = np.mgrid[:rows, :columns]
    return (0.3 + 0.01 * x + 0.005 * y).astype(np.float32)[None]


@pytest.mark.parametrize(
    "dead",
    [
        np.s_[:, 10, 12],  # a single pixel
        np.s_[:, :, 12],  # a column
        np.s_[:, :, 11:14],  # a wide column
        np.s_[:, 9:12, 11:14],  # a cluster
        np.s_[:, 10, :],  # a row
    ],
)
def test_a_slope_is_continued_across_dead_pixels(dead):
    good = ramp()
    spoilt = good.copy()
    spoilt[dead] = np.nan
    filled = fill_dead_pixels(spoilt)
    inside = np.s_[:, 6:-6, 6:-6]
    # Within the change from one pixel to the next.
    np.testing.assert_allclose(filled[inside], good[inside], atol=0.01)
    kept = np.isfinite(spoilt)
    np.testing.assert_array_equal(filled[kept], spoilt[kept])
    assert np.isfinite(filled).all()


def test_weights_fall_with_distance():
    spoilt = np.full((1, 1, 5), np.nan, np.float32)
    spoilt[0, 0, 1], spoilt[0, 0, 4] = 1.0, 0.0
    filled = fill_dead_pixels(spoilt, reach_px=2)
    # Pixel 2 sees 1 at distance 1 and 0 at distance 2: weights 1 and 1/4.
    np.testing.assert_allclose(filled[0, 0], [1, 1, 4 / 5, 1 / 5, 0], rtol=1e-6)


def test_each_frame_is_filled_from_itself():
    frames = np.stack([ramp()[0], 2 * ramp()[0]])
    frames[:, 5, 5] = np.nan
    filled = fill_dead_pixels(frames)
    np.testing.assert_allclose(filled[1], 2 * filled[0], rtol=1e-6)


def test_without_dead_pixels_nothing_changes():
    np.testing.assert_array_equal(fill_dead_pixels(ramp()), ramp())


def test_a_cluster_out_of_reach_is_refused_by_its_place():
    frames = np.concatenate([ramp(), ramp()])
    frames[1, 6:13, 8:15] = np.nan
    with pytest.raises(ValueError, match=r"reach_px = 2 .*frame 1, row 8, column 10.*scan\.roi"):
        fill_dead_pixels(frames, reach_px=2)


def test_an_empty_frame_is_refused_by_its_number():
    frames = np.concatenate([ramp(8)] * 3)
    frames[2] = np.nan
    with pytest.raises(ValueError, match=r"frame 2 .* holds no values.*leave the bad frame out"):
        fill_dead_pixels(frames)


def test_a_frame_mostly_empty_is_refused_as_bad():
    frames = np.concatenate([ramp()] * 3)
    frames[1, 5:] = np.nan
    with pytest.raises(ValueError, match=r"frame 1.*of this frame is NaN: if it is a bad frame"):
        fill_dead_pixels(frames)


def test_what_may_be_reached_from_rows_beyond_stays_nan():
    frames = ramp()
    frames[0, :6] = np.nan
    filled = fill_dead_pixels(frames, reach_px=3)
    assert np.isnan(filled[0, :3]).all()
    assert np.isfinite(filled[0, 3:]).all()


def test_a_band_of_dead_columns_beyond_reach_is_bridged_along_its_rows_and_told():
    frames = np.tile(np.linspace(0, 1, 120, dtype=np.float32), (3, 8, 1))
    spoilt = frames.copy()
    spoilt[:, 2:, 50:64] = np.nan
    with hearing() as told:
        filled = fill_dead_pixels(spoilt, reach_px=3)
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[:, 2:, 53:61], frames[:, 2:, 53:61], atol=0.02)
    far = told[-1].sum(axis=1)
    assert list(far[:2]) == [0, 0]
    assert list(far[5:]) == [10, 10, 10]  # 2 from either side are near good pixels
    good = np.isfinite(spoilt)
    np.testing.assert_array_equal(filled[good], spoilt[good])


def test_a_band_within_reach_is_told_and_single_columns_are_not():
    spoilt = np.ones((3, 8, 120), np.float32)
    spoilt[:, :, 50:58] = np.nan
    spoilt[:, :, [20, 80, 81, 82]] = np.nan
    with hearing() as told:
        fill_dead_pixels(spoilt, reach_px=5)
    assert np.flatnonzero(told[-1].any(axis=0)).tolist() == [52, 53, 54, 55]


def test_a_band_wider_than_an_eighth_of_the_detector_is_refused():
    spoilt = np.ones((2, 9, 120), np.float32)
    spoilt[:, :, 50:67] = np.nan
    with pytest.raises(ValueError, match="no good pixel within reach_px = 3"):
        fill_dead_pixels(spoilt, reach_px=3)
