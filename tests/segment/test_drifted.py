"""What has drifted off the cathode, and what only lies at the rim of a loose packing."""

import numpy as np
import pytest

from xct.geometry import CellGeometry
from xct.segment.particle.table import _at_rotation_axis, _hanging

TYPICAL = 10.0
# A cathode's front at distance 0; along z, distance to the front grows towards the anode.
CATHODE = [(-5.0, 9.0 * k, 9.0 * j) for k in range(4) for j in range(4)]


def hanging(*others, diameter=8.0):
    """Whether particles at (distance, y, x) hang together with the cathode, the others first."""
    place = np.array([*others, *CATHODE])
    far = place[:, 0] - diameter / 2 >= TYPICAL
    size = np.full(len(place), diameter)
    return _hanging(place * (-1, 1, 1), size, place[:, 0], far, TYPICAL)[: len(others)]


def test_a_particle_by_itself_does_not_hang():
    assert not hanging((20.0, 10.0, 10.0)).any()


def test_one_that_a_chain_of_narrow_gaps_joins_to_the_cathode_hangs():
    assert hanging((28.0, 9.0, 9.0), (17.0, 9.0, 9.0), (6.0, 9.0, 9.0)).all()


def test_a_gap_of_nearly_a_particle_severs_the_chain():
    found = hanging((38.0, 9.0, 9.0), (22.0, 9.0, 9.0), (6.0, 9.0, 9.0))
    np.testing.assert_array_equal(found[:2], False)


def test_two_that_drifted_together_have_drifted():
    assert not hanging((40.0, 9.0, 9.0), (30.0, 9.0, 9.0)).any()


def test_the_order_of_particles_does_not_matter():
    some = [(28.0, 9.0, 9.0), (17.0, 9.0, 9.0), (6.0, 9.0, 9.0), (40.0, 27.0, 27.0)]
    np.testing.assert_array_equal(hanging(*some), hanging(*some[::-1])[::-1])


@pytest.mark.parametrize(("away", "dot"), [(0.0, True), (4.0, True), (9.0, False)])
def test_what_holds_the_axis_of_rotation_may_be_its_dot(away, dot):
    cell = CellGeometry((20, 64, 64), (2.0, 2.0, 2.0), 70.0, 70.0, 50.0)
    place = np.array([63.0]), np.array([63.0 + away])
    assert _at_rotation_axis(cell, *place, np.array([4.5]))[0] == dot
