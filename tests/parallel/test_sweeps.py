"""Sweeps: one pass over a volume serves several, and changes none of their answers."""

import numpy as np
import pytest

from xct.parallel.executors import executed_by
from xct.parallel.sweeps import Sweep, of_one_volume, sweep, sweeping

RNG = np.random.default_rng(5)


class Watched:
    """A volume that counts how often each of its slices is read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.reads = np.zeros(len(values), int)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.values[index]


class Doubled:
    """A view of a volume; equal to another of the same volume."""

    made = 0

    def __init__(self, volume):
        self.volume, self.shape, self.dtype = volume, volume.shape, volume.dtype

    def __eq__(self, other):
        return isinstance(other, Doubled) and other.volume is self.volume

    __hash__ = None

    def __getitem__(self, index):
        return 2 * self.volume[index]

    def normalized(self, values, index):
        Doubled.made += 1
        return 2 * values


def volume(depth=50):
    return Watched(RNG.normal(size=(depth, 6, 5)).astype(np.float32))


def highest(block, values):
    return float(values[block.inner].max())


def rise(block, values, step):
    """Sum of the differences of slices to the next, of the slices that have one."""
    last = block.inner.stop + (len(values) > block.inner.stop) * step
    return float(np.diff(values[block.inner.start : last].astype(float), axis=0).sum())


def seen(block, values):
    assert len(values) == block.outer_stop - block.outer_first
    return block.first, block.stop, block.outer_first, block.outer_stop


@sweeping
def peak_then_rise(volume, step, *, rows=None):
    peaks = yield Sweep(volume, highest, rows=rows)
    rises = yield Sweep(volume, rise, (step,), overlap=step, rows=rows)
    return max(peaks), sum(rises)


@pytest.mark.parametrize("rows", [3, 16, 50])
def test_a_function_that_sweeps_is_called_like_any_other_at_any_cut(rows):
    source = volume()
    peak, total = peak_then_rise(source, 1, rows=rows)
    assert peak == source.values.max()
    assert total == pytest.approx(float((source.values[-1] - source.values[0]).sum()), abs=1e-4)
    assert peak_then_rise.__name__ == "peak_then_rise"


def test_one_pass_reads_a_slab_once_for_all():
    source = volume(32)
    alone = [sweep([one])[0] for one in (Sweep(source, highest), Sweep(source, rise, (1,), 1))]
    source.reads[:] = 0
    together = sweep([Sweep(source, highest), Sweep(source, rise, (1,), 1)])
    assert together == alone
    assert source.reads.max() == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_each_sees_as_far_as_it_asked(workers):
    with executed_by(workers=workers):
        near, far = sweep([
            Sweep(source := volume(40), seen, rows=10), Sweep(source, seen, (), 3, rows=10)
        ])  # fmt: skip
    assert near == [(first, stop, first, stop) for first, stop, *_ in far]
    assert [first for first, *_ in far[1:]] == [stop for _, stop, *_ in far[:-1]]
    assert (far[0][0], far[-1][1]) == (0, 40)
    assert all(low == max(first - 3, 0) for first, _, low, _ in far)
    assert all(high == min(stop + 3, 40) for _, stop, _, high in far)


def test_equal_views_are_made_once_and_read_what_is_read_anyway():
    source = volume(16)
    Doubled.made = 0
    plain, first, second = sweep([
        Sweep(source, highest), Sweep(Doubled(source), highest), Sweep(Doubled(source), highest)
    ])  # fmt: skip
    assert first == second == [2 * plain[0]]
    assert Doubled.made == 1
    assert source.reads.max() == 1


def test_only_sweeps_over_the_same_volume_share_a_pass():
    one, other = volume(), volume()
    assert of_one_volume([Sweep(one, highest), Sweep(Doubled(one), highest)])
    assert not of_one_volume([Sweep(one, highest), Sweep(other, highest)])
    assert not of_one_volume([Sweep(one, highest), Sweep(one, highest, rows=4)])
    with pytest.raises(ValueError, match="cannot share a pass"):
        sweep([Sweep(one, highest), Sweep(other, highest)])
