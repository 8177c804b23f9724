import numpy as np
import pytest
from scipy.ndimage import generate_binary_structure, label

from xct.segment.connected import Pieces, join_slabs, label_pieces

SHAPE = (30, 24, 18)
STRUCTURE = {6: 1, 18: 2, 26: 3}


@pytest.fixture(scope="module")
def mask():
    return np.random.default_rng(0).random(SHAPE) < 0.12


def joined(mask, rows, connectivity=26):
    """Cut a mask into slabs, number the pieces of each, and join them."""
    slabs = [label_pieces(mask[z : z + rows], connectivity) for z in range(0, len(mask), rows)]
    joiner, before = join_slabs([Pieces.of(*slab) for slab in slabs], connectivity)
    return slabs, joiner, before


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("rows", [1, 7, 30])
def test_pieces_join_across_slabs_and_keep_their_order(mask, connectivity, rows):
    truth, count = label(mask, generate_binary_structure(3, STRUCTURE[connectivity]))
    slabs, joiner, before = joined(mask, rows, connectivity)
    numbers, found = joiner.numbers()
    assert found == count
    for first, (pieces, _), offset in zip(range(0, SHAPE[0], rows), slabs, before, strict=True):
        provisional = np.where(pieces > 0, pieces + offset, 0)
        np.testing.assert_array_equal(numbers[provisional], truth[first : first + rows])


def test_a_ring_that_closes_late_is_one_piece():
    ring = np.zeros((5, 3, 5), bool)
    ring[:, 1, [0, 4]] = True
    ring[4, 1, :] = True
    _, joiner, _ = joined(ring, 1)
    assert joiner.numbers()[1] == 1


def test_nothing_has_no_pieces():
    empty = np.zeros(SHAPE, bool)
    _, joiner, before = joined(empty, 7)
    assert joiner.numbers()[1] == 0
    assert set(before) == {0}
