"""Work on blocks: each is read, computed and written once; few are in memory at a time."""

import threading
import time

import pytest

from xct.parallel.blocks import cut
from xct.parallel.executors import executed_by, map_blocks
from xct.parallel.threads import limit_threads, thread_count


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_block_is_read_computed_and_written_once(workers):
    written = {}
    map_blocks(
        lambda block, found: (block, found + 1),
        list(range(12)),
        read=lambda block: block * 10,
        write=lambda block, computed: written.setdefault(block, computed) and block,
        workers=workers,
    )
    assert written == {n: (n, 10 * n + 1) for n in range(12)}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_blocks_are_held_than_said(workers):
    held, most, lock = 0, 0, threading.Lock()

    def count(step):
        nonlocal held, most
        with lock:
            held += step
            most = max(most, held)

    def read(block):
        count(+1)
        return block

    def slow(block, content):
        time.sleep(0.002)
        return content

    def write(block, content):
        time.sleep(0.004)  # the slowest: everything waits for it
        count(-1)
        return block

    map_blocks(slow, list(range(20)), read=read, write=write, workers=workers)
    assert held == 0
    assert 2 <= most <= workers + 2


def test_reading_goes_on_while_a_block_is_computed():
    reading_second = threading.Event()

    def read(block):
        if block == 1:
            reading_second.set()
        return block

    def compute(block, content):
        assert reading_second.wait(10), "the second block was not read ahead"
        return content

    map_blocks(compute, [0, 1], read=read, workers=1)


def test_the_first_blocks_come_first():
    order = []
    map_blocks(lambda b, c: c, list(range(9)), read=lambda b: b, workers=1, done=order.append)
    assert order == sorted(order)


def test_an_error_in_one_block_ends_the_line():
    def compute(block, content):
        if block == 2:
            raise ValueError("row 40 is dark")
        return content

    with pytest.raises(ValueError, match="row 40 is dark"):
        map_blocks(compute, [0, 1, 2, 3], read=lambda b: b, workers=1)


def test_answers_keep_the_order_of_the_blocks():
    assert map_blocks(lambda block: block.first, cut(10, 3), workers=2) == [0, 3, 6, 9]


def test_blocks_cover_everything_once_and_see_their_neighbors():
    blocks = cut(10, 4, overlap=2)
    assert [(b.first, b.stop) for b in blocks] == [(0, 4), (4, 8), (8, 10)]
    assert [(b.outer_first, b.outer_stop) for b in blocks] == [(0, 6), (2, 10), (6, 10)]
    assert [list(range(10))[b.outer][b.inner] for b in blocks] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


def test_further_arguments_reach_all_three_functions():
    found = map_blocks(
        lambda block, read, factor: read * factor,
        [1, 2],
        10,
        read=lambda block, factor: block + factor,
        write=lambda block, computed, factor: (block, computed, factor),
    )
    assert found == [(1, 110, 10), (2, 120, 10)]


def test_workers_share_the_threads_and_keep_the_context():
    with limit_threads(4):
        assert map_blocks(lambda block: thread_count(), [0, 1, 2], workers=2) == [2, 2, 2]
        assert map_blocks(lambda block: thread_count(), [0], workers=8) == [4]  # alone, it uses all


def test_another_executor_may_carry_out_the_work():
    class Backwards:
        def map(self, work, blocks, *, workers, done):
            return [work.compute(block, *work.arguments) for block in reversed(blocks)][::-1]

    with executed_by(Backwards()):
        assert map_blocks(pow, [1, 2, 3], 2) == [1, 4, 9]
