"""A cluster as it is simulated: limits that can be worked out by hand."""

import itertools

import pytest

from xct.bench.scaling.model import Costs, Machines, limited_by, simulate

COSTS = Costs(
    slabs=12, core_s=8.0, serial_fraction=0.0, read_bytes=0.0, written_bytes=0.0,
    hand_out_s=0.0, once_s=5.0,
)  # fmt: skip
FAST = 1e15


def costs(**changes):
    from dataclasses import replace

    return replace(COSTS, **changes)


@pytest.mark.parametrize(("workers", "seconds"), [(1, 96), (2, 48), (5, 24), (12, 8), (64, 8)])
def test_workers_take_slabs_until_none_is_left(workers, seconds):
    machines = Machines(workers, 1, FAST)
    assert simulate(COSTS, machines) == pytest.approx(5 + seconds)


def test_cores_share_what_is_not_serial():
    assert simulate(COSTS, Machines(1, 4, FAST)) == pytest.approx(5 + 24)
    assert simulate(costs(serial_fraction=1.0), Machines(1, 4, FAST)) == pytest.approx(5 + 96)
    assert simulate(costs(serial_fraction=0.5), Machines(1, 4, FAST)) == pytest.approx(5 + 60)


def test_a_shared_disk_is_the_limit_whatever_the_number_of_workers():
    moved = costs(core_s=0.0, read_bytes=100.0, written_bytes=20.0)
    for workers in (1, 3, 12):
        assert simulate(moved, Machines(workers, 1, 10.0)) == pytest.approx(5 + 12 * 12)
    assert limited_by(moved, Machines(3, 1, 10.0)) == "disk"


def test_a_slow_link_is_a_worker_s_own_limit():
    moved = costs(core_s=0.0, read_bytes=100.0)
    assert simulate(moved, Machines(1, 1, 1000.0, 10.0)) == pytest.approx(5 + 120)
    assert simulate(moved, Machines(4, 1, 1000.0, 10.0)) == pytest.approx(5 + 30)


def test_one_worker_reads_while_the_other_computes():
    both = costs(slabs=4, read_bytes=10.0)  # 1 s to read alone, 2 s where both read, 8 s of work
    assert simulate(both, Machines(1, 1, 10.0)) == pytest.approx(5 + 4 * 9)
    assert simulate(both, Machines(2, 1, 10.0)) == pytest.approx(5 + 2 * (2 + 8))


def test_the_scheduler_hands_out_one_slab_at_a_time():
    slow = costs(core_s=0.5, hand_out_s=1.0)
    assert simulate(slow, Machines(64, 1, FAST)) == pytest.approx(5 + 12 + 0.5)
    assert limited_by(slow, Machines(64, 1, FAST)) == "one after another"
    assert limited_by(COSTS, Machines(2, 1, FAST)) == "processors"


def test_no_number_of_workers_makes_a_run_slower():
    mixed = costs(slabs=57, read_bytes=30.0, written_bytes=7.0, hand_out_s=0.01)
    taken = [simulate(mixed, Machines(workers, 16, 25.0)) for workers in (1, 2, 4, 8, 16, 32, 64)]
    assert all(more <= fewer * (1 + 1e-9) for fewer, more in itertools.pairwise(taken))
    assert taken[-1] >= 57 * 37 / 25
