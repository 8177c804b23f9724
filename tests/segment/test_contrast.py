"""What grey values cannot carry is refused by its cause."""

import warnings

import numpy as np
import pytest

from tests.normalize.layered_cell import LayeredCell
from xct.segment import find_cell

CELL = LayeredCell(shape=(112, 112, 112), center=(55.0, 56.4))


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


def found(values, unit="grey"):
    return find_cell(values, unit, voxel_size_um=(2.0, 2.0, 2.0), anode=None)


def test_any_scale_that_rises_is_taken_without_a_word(volume):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = found(volume, "1/cm")
        for values in (300 * volume + 13_000, np.rint(2 * volume + 20)):
            assert list(found(values).planes) == list(plain.planes)


def test_inverted_contrast_is_named(volume):
    with pytest.raises(ValueError, match="contrast is inverted"):
        found(200 - volume)


def test_particles_that_were_cut_off_are_refused(volume):
    with pytest.raises(ValueError, match=r"clipped at 30: .* active material is cut off"):
        found(np.minimum(volume, 30))


def test_lithium_that_was_cut_off_is_refused(volume):
    with pytest.raises(ValueError, match=r"clipped at 3: .* lithium, pores and air are cut off"):
        found(np.maximum(volume, 3))


def test_clipped_steel_is_said(volume):
    with pytest.warns(UserWarning, match="steel is clipped at 70"):
        assert len(found(np.minimum(volume, 70)).planes) == 4


def test_attenuation_that_was_reconstructed_without_negative_values_is_none_the_worse(volume):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found(np.maximum(volume, 0), "1/cm")


def test_what_a_threshold_set_to_zero_is_refused(volume):
    with pytest.raises(ValueError, match=r"between 0 and 3 do not occur, .* threshold set lithium"):
        found(np.where(volume < 3, 0, volume), "1/cm")


def test_a_drawn_volume_without_noise_is_not_taken_for_a_clipped_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found(CELL.but(noise=0.0, blur=0.0).draw(), "1/cm")
