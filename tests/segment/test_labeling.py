import numpy as np
import pytest
from scipy.ndimage import generate_binary_structure, label

from xct.segment.connected import components, label_pieces

SHAPE = (30, 24, 18)
STRUCTURE = {6: 1, 18: 2, 26: 3}


@pytest.fixture(scope="module")
def mask():
    return np.random.default_rng(0).random(SHAPE) < 0.12


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("rows", [1, 7, 30])
def test_pieces_join_across_slabs_and_keep_their_order(mask, connectivity, rows):
    truth, count = label(mask, generate_binary_structure(3, STRUCTURE[connectivity]))
    joiner, before = components(lambda a, b: mask[a:b], SHAPE, connectivity=connectivity, rows=rows)
    numbers, found = joiner.numbers()
    assert found == count
    for first, offset in zip(range(0, SHAPE[0], rows), before, strict=True):
        pieces, _ = label_pieces(mask[first : first + rows], connectivity)
        provisional = np.where(pieces > 0, pieces + offset, 0)
        np.testing.assert_array_equal(numbers[provisional], truth[first : first + rows])


def test_a_ring_that_closes_late_is_one_piece():
    ring = np.zeros((5, 3, 5), bool)
    ring[:, 1, [0, 4]] = True
    ring[4, 1, :] = True
    joiner, _ = components(lambda a, b: ring[a:b], ring.shape, rows=1)
    assert joiner.numbers()[1] == 1


def test_nothing_has_no_pieces():
    empty = np.zeros(SHAPE, bool)
    joiner, before = components(lambda a, b: empty[a:b], SHAPE, rows=7)
    assert joiner.numbers()[1] == 0
    assert set(before) == {0}
