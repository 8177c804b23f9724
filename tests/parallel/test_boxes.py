"""Boxes of a volume: what each holds, and how often a chunk is read."""

import numpy as np
import pytest

from xct.parallel.boxes import Window, read_boxes


class Counted:
    """A volume that notes which slices are read, and a view of it that doubles."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.read = values, values.shape, values.dtype, []

    def __getitem__(self, index):
        self.read.append((index[0].start // 8, (index[0].stop - 1) // 8))
        return self.values[index]


class Doubled:
    """A scale of its own, of what was read."""

    def __init__(self, volume):
        self.volume, self.shape, self.dtype = volume, volume.shape, volume.dtype

    def normalized(self, values, index):
        return 2 * values

    def __getitem__(self, index):
        raise AssertionError("a view is made of what was read")


BOXES = [
    (slice(20, 31), slice(0, 5), slice(2, 9)),
    (slice(3, 22), slice(4, 11), slice(0, 3)),
    (slice(38, 40), slice(10, 12), slice(8, 9)),
]


@pytest.mark.parametrize("most_bytes", [1, 1000, 10**9])
def test_each_box_holds_what_the_volume_does_and_a_chunk_is_read_once(most_bytes):
    values = np.random.default_rng(0).integers(0, 1000, (40, 12, 10)).astype(np.float32)
    volume = Counted(values)
    found = dict(read_boxes(Doubled(volume), BOXES, most_bytes))
    assert found.keys() == {0, 1, 2}
    for number, box in enumerate(BOXES):
        np.testing.assert_array_equal(found[number], 2 * values[box])
    assert all(first == last for first, last in volume.read)
    if most_bytes == 10**9:
        assert len(volume.read) == len(set(volume.read)) == 5


def test_a_window_is_read_by_the_indices_of_its_volume_and_not_beyond():
    values = np.arange(40 * 12 * 10).reshape(40, 12, 10)
    box = BOXES[1]
    window = Window(values[box], box, values.shape)
    inner = (slice(5, 9), slice(4, 6), slice(1, 3))
    assert window.shape == values.shape
    np.testing.assert_array_equal(window[inner], values[inner])
    with pytest.raises(IndexError, match="not within the box"):
        window[slice(2, 9), slice(4, 6), slice(1, 3)]
