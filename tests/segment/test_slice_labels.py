"""A single slice gets the labels that it has in the whole volume."""

import numpy as np
import pytest

from tests.segment.spheres import Flat, cell_of_spheres
from xct.segment import materials
from xct.segment.material.slice_labels import SliceLabels


@pytest.mark.parametrize("settings", [{}, {"shift": 0.1}, {"sharpening": 0, "shift": -0.2}])
def test_slice_is_labelled_as_in_the_volume(settings):
    mu, cell, surfaces, *_ = cell_of_spheres(drifted=2, chip=True)
    whole = materials(mu, cell, Flat(), surfaces, **settings)
    slices = SliceLabels(mu, cell, Flat(), surfaces)
    for z in (0, 14, 30, 50, 83):  # ends, lithium, separator and cathode
        np.testing.assert_array_equal(slices.label(z, **settings), whole[z])


def test_in_strong_noise_low_grey_is_looked_for_in_the_nearest_slices():
    mu, cell, surfaces, *_ = cell_of_spheres(noise=3.0, chip=True)
    whole = materials(mu, cell, Flat(3.0), surfaces)
    slices = SliceLabels(mu, cell, Flat(3.0), surfaces)
    for z in (25, 30, 50):
        assert np.mean(slices.label(z) != whole[z]) < 5e-3


def test_slice_that_is_not_there_is_refused():
    mu, cell, surfaces, *_ = cell_of_spheres()
    with pytest.raises(ValueError, match="slice 84: the volume has slices 0 to 83"):
        SliceLabels(mu, cell, Flat(), surfaces).label(84)
