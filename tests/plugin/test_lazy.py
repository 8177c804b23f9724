"""Arrays that are read in parts give what the whole would give, and read no more than they must."""

from threading import Event

import numpy as np
import pytest

pytest.importorskip("napari")

from xct.plugin.data import arrays
from xct.plugin.data.arrays import LazyArray

WHOLE = np.arange(10 * 6 * 7).reshape(10, 6, 7)


@pytest.mark.parametrize("keep", [1, 4])
@pytest.mark.parametrize(
    "index",
    [3, -1, slice(2, 9, 3), (..., 2), (slice(None), 4), (2, slice(5, 1, -2), 3), (slice(4, 4),),
     np.s_[::-1], np.int64(5), (1, 2, 3), ...],
)  # fmt: skip
def test_parts_are_those_of_the_whole(index, keep):
    lazy = LazyArray(WHOLE.shape, WHOLE.dtype, WHOLE.__getitem__, keep)
    np.testing.assert_array_equal(lazy[index], WHOLE[index])
    np.testing.assert_array_equal(np.asarray(lazy), WHOLE)
    assert (lazy.ndim, lazy.size, len(lazy)) == (3, WHOLE.size, 10)


def test_index_beyond_the_end_is_refused():
    with pytest.raises(IndexError, match="index 10 is out of bounds for an axis of 10"):
        LazyArray(WHOLE.shape, WHOLE.dtype, WHOLE.__getitem__)[10]


def test_planes_of_a_chunk_are_read_once_and_the_next_ones_ahead():
    asked = []

    def read(parts):
        asked.append((parts[0].start, parts[0].stop))
        return WHOLE[parts]

    lazy = LazyArray(WHOLE.shape, WHOLE.dtype, read, keep=4)
    for z in range(10):
        np.testing.assert_array_equal(lazy[z], WHOLE[z])
    assert asked == [(0, 4), (4, 8), (8, 10)]


def test_planes_that_are_too_many_to_keep_are_read_in_equal_parts(monkeypatch):
    monkeypatch.setattr(arrays, "_KEPT_BYTES", 3 * WHOLE[0].nbytes)
    asked = []

    def read(parts):
        asked.append((parts[0].start, parts[0].stop))
        return WHOLE[parts]

    lazy = LazyArray(WHOLE.shape, WHOLE.dtype, read, keep=8)  # 3 of 8 fit: parts of 3, 3 and 2
    for z in (0, 1, 2, 4, 3):
        np.testing.assert_array_equal(lazy[z], WHOLE[z])
    assert asked == [(0, 3), (3, 6)]
    monkeypatch.setattr(arrays, "_KEPT_BYTES", WHOLE[0].nbytes - 1)
    np.testing.assert_array_equal(lazy[9], WHOLE[9])
    assert asked[-1] == (9, 10)


def test_a_plane_is_shown_before_the_many_beside_it_are_read(monkeypatch):
    monkeypatch.setattr(arrays, "_AT_ONCE_BYTES", WHOLE[0].nbytes)
    may_read = Event()
    asked = []

    def read(parts):
        asked.append((parts[0].start, parts[0].stop))
        if parts[0].stop - parts[0].start > 1:
            assert may_read.wait(60)
        return WHOLE[parts]

    lazy = LazyArray(WHOLE.shape, WHOLE.dtype, read, keep=4)
    np.testing.assert_array_equal(lazy[1], WHOLE[1])
    np.testing.assert_array_equal(lazy[1], WHOLE[1])  # its thumbnail, say
    may_read.set()
    np.testing.assert_array_equal(lazy[2], WHOLE[2])
    assert sorted(asked) == [(0, 4), (1, 2)]


def test_what_is_kept_is_as_it_was_read_and_decoded_when_it_is_taken():
    lengths = []

    def decode(codes):
        lengths.append(len(codes))
        return codes / 2

    lazy = LazyArray(WHOLE.shape, float, WHOLE.__getitem__, 4, decode=decode, kept_as=WHOLE.dtype)
    for z in range(4):
        np.testing.assert_array_equal(lazy[z], WHOLE[z] / 2)
    np.testing.assert_array_equal(lazy[2:9], WHOLE[2:9] / 2)
    assert lengths == [1, 1, 1, 1, 7]


def test_nothing_is_read_before_a_slice_is_taken():
    asked = []

    def read(parts):
        asked.append([(part.start, part.stop) for part in parts])
        return WHOLE[parts]

    view = LazyArray(WHOLE.shape, WHOLE.dtype, read)[2:9, 1:5][1:, :, 2:6]
    assert view.shape == (6, 4, 4)
    assert asked == []
    np.testing.assert_array_equal(view[3], WHOLE[6, 1:5, 2:6])
    assert asked == [[(6, 7), (1, 5), (2, 6)]]
    np.testing.assert_array_equal(np.asarray(view), WHOLE[3:9, 1:5, 2:6])


def test_error_of_reading_ahead_shows_where_it_is_asked_for():
    def read(parts):
        if parts[0].start >= 4:
            raise OSError("chunk is gone")
        return WHOLE[parts]

    lazy = LazyArray(WHOLE.shape, WHOLE.dtype, read, keep=4)
    lazy[0], lazy[1]
    with pytest.raises(OSError, match="chunk is gone"):
        lazy[4]


def test_grey_values_with_an_offset_are_seen():
    from xct.plugin.data.pyramid import contrast

    air, electrolyte = 13_000.0, 1_500.0
    rng = np.random.default_rng(0)
    values = rng.choice([air, air + electrolyte, air + 9 * electrolyte], (8, 20, 20))
    lazy = LazyArray(values.shape, np.float32, values.astype(np.float32).__getitem__)
    (black, white), span = contrast(lazy, electrolyte, air)
    assert black < air
    assert white == pytest.approx(air + 9 * electrolyte)
    shown = (np.array([air, air + electrolyte, air + 9 * electrolyte]) - black) / (white - black)
    assert np.diff(shown).min() >= 0.1
    assert span[0] < black
