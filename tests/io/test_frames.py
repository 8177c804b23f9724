import tracemalloc

import numpy as np
import pytest

from xct.io.frames import View, bin_frames


class Counting:
    """Frames in memory that remember what was asked for."""

    whole_frames = False

    def __init__(self, values):
        self.values, self.asked = values, []

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)

    def read(self, frames, rows, columns):
        self.asked.append((frames, rows, columns))
        return self.values[frames, rows, columns]


@pytest.fixture
def values():
    return np.random.default_rng(3).integers(0, 60_000, (9, 13, 17)).astype(np.uint16)


def sums(values, factor):
    """Sum squares by hand."""
    count, rows, columns = values.shape
    kept = values[:, : rows // factor * factor, : columns // factor * factor].astype(float)
    shape = (count, rows // factor, factor, columns // factor, factor)
    return kept.reshape(shape).sum(axis=(2, 4))


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 13])
@pytest.mark.parametrize("dtype", [np.uint16, np.int8, np.uint32, np.float32, np.float64, ">u2"])
def test_binning_sums_counts(values, factor, dtype):
    counts = (values % 120).astype(dtype)
    found = bin_frames(counts, factor)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, sums(counts, factor))


def test_binning_keeps_nan(values):
    counts = values.astype(np.float32)
    counts[4, 3, 5] = np.nan
    assert np.argwhere(np.isnan(bin_frames(counts, 3))).tolist() == [[4, 1, 1]]


@pytest.mark.parametrize("factor", [0, 14])
def test_a_bin_that_does_not_fit_is_refused(values, factor):
    with pytest.raises(ValueError, match=rf"bin = {factor}.*13 rows × 17 columns"):
        bin_frames(values, factor)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("rows", [slice(None), slice(1, 3), slice(0, 0), slice(2, None)])
@pytest.mark.parametrize("frames", [slice(None), slice(1, 4), slice(0, 6, 2), slice(3, 3)])
def test_a_view_crops_then_bins(values, factor, rows, frames):
    index = np.array([0, 2, 3, 5, 6, 8])
    view = View(Counting(values), index, rows=(1, 12), columns=(3, 17), bin=factor)
    cropped = sums(values[index][:, 1:12, 3:17], factor)
    found = view.read(frames, rows)
    np.testing.assert_array_equal(found, cropped[frames, rows])
    assert found.dtype == view.dtype == (np.uint16 if factor == 1 else np.float32)
    assert view.shape == cropped.shape


def test_order_of_time_is_kept_where_it_is_not_that_of_the_file(values):
    index = np.array([5, 1, 8, 0])
    frames = Counting(values)
    view = View(frames, index, (0, 13), (0, 17))
    np.testing.assert_array_equal(view.read(), values[index])
    assert np.all(np.diff(frames.asked[0][0]) > 0)


def test_only_the_rows_that_are_wanted_are_asked_for(values):
    frames = Counting(values)
    View(frames, np.arange(9), (1, 13), (2, 17), bin=2).read(slice(0, 4), slice(2, 4))
    index, rows, columns = frames.asked[0]
    assert index.tolist() == [0, 1, 2, 3]
    assert (rows, columns) == (slice(5, 9), slice(2, 16))


def test_binning_needs_little_more_memory_than_the_answer(monkeypatch):
    monkeypatch.setattr("xct.io.frames._FEW_BYTES", 2**18)
    view = View(Counting(np.ones((64, 128, 128), np.uint16)), np.arange(64), (0, 128), (0, 128), 4)
    view.read(slice(0, 1))  # compile
    tracemalloc.start()
    try:
        found = view.read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < found.nbytes + 2**20
    assert found.min() == found.max() == 16


def test_a_step_along_rows_is_refused(values):
    view = View(Counting(values), np.arange(9), (0, 13), (0, 17))
    with pytest.raises(ValueError, match="step of 2"):
        view.read(rows=slice(0, 8, 2))
