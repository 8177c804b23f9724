"""Memory that is lent again: whose it is, and how much is kept."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from xct.reconstruct.gridding import workspace
from xct.reconstruct.gridding.workspace import borrowed, kept_bytes, release


@pytest.fixture(autouse=True)
def _nothing_kept():
    release()
    yield
    release()


def test_the_same_memory_is_lent_again():
    with borrowed(100, 16) as first:
        address = first.ctypes.data
    with borrowed(50, 16) as second:
        assert second.ctypes.data == address
        assert second.shape == (50, 16)


def test_an_array_in_use_is_given_to_no_one_else():
    def fill_and_look(number):
        with borrowed(1000) as values:
            values[:] = number
            return (values == number).all()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fill_and_look, range(400)))
    assert kept_bytes() <= 8 * 4000


def test_vectors_do_not_straddle_cache_lines():
    for count in (1, 3, 1000):
        with borrowed(count) as values:
            assert values.ctypes.data % 64 == 0


def test_what_is_too_small_is_let_go():
    with borrowed(1000):
        pass
    with borrowed(2000):
        assert kept_bytes() == 0
    assert kept_bytes() == 8000


def test_no_more_is_kept_than_the_limit(monkeypatch):
    monkeypatch.setattr(workspace, "KEPT_BYTES", 10_000)
    with borrowed(2000), borrowed(2000), borrowed(4000):
        pass
    assert kept_bytes() <= 10_000


def test_memory_comes_back_after_an_error():
    with pytest.raises(ZeroDivisionError), borrowed(10):
        _ = 1 / 0
    assert kept_bytes() == 40


def test_lent_memory_is_of_float32():
    with borrowed(3, 4) as values:
        assert values.dtype == np.float32
