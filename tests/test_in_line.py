"""Blocks in line: each is read, computed and written once, and few are in memory at a time."""

import threading
import time

import pytest

from xct.blocks import cut, each, in_line


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_block_is_read_computed_and_written_once(workers):
    written = {}
    in_line(
        read=lambda block: block * 10,
        compute=lambda block, found: (block, found + 1),
        write=lambda block, computed: written.setdefault(block, computed) and block,
        blocks=list(range(12)),
        workers=workers,
        done=lambda block: None,
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

    in_line(read, slow, write, list(range(20)), workers=workers, done=lambda block: None)
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

    in_line(read, compute, lambda b, c: b, [0, 1], workers=1, done=lambda block: None)


def test_the_first_blocks_come_first():
    order = []
    in_line(
        lambda b: b, lambda b, c: c, lambda b, c: b, list(range(9)), workers=1, done=order.append
    )
    assert order == sorted(order)


def test_an_error_in_one_block_ends_the_line():
    def compute(block, content):
        if block == 2:
            raise ValueError("row 40 is dark")
        return content

    with pytest.raises(ValueError, match="row 40 is dark"):
        in_line(lambda b: b, compute, lambda b, c: b, [0, 1, 2, 3], workers=1, done=lambda b: None)


def test_answers_keep_the_order_of_the_blocks():
    assert each(lambda block: block.first, cut(10, 3), workers=2) == [0, 3, 6, 9]


def test_blocks_cover_everything_once_and_see_their_neighbors():
    blocks = cut(10, 4, overlap=2)
    assert [(b.first, b.stop) for b in blocks] == [(0, 4), (4, 8), (8, 10)]
    assert [(b.outer_first, b.outer_stop) for b in blocks] == [(0, 6), (2, 10), (6, 10)]
    assert [list(range(10))[b.outer][b.inner] for b in blocks] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
