import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.segment.spheres import MU, Flat, cell_of_spheres
from xct.segment.particle.instances import particles_in_slabs
from xct.segment.particle.specks import THOUSANDTHS, specks

PLACE = (30, 36, 20)  # in the electrolyte, on no sphere
FLAT_PLACE = (30, 20, 44)  # as well; of what lies there one slice is labelled
LEVEL = 8.0
SIGMA = 0.64  # voxels: full width at half maximum of 1.5


def ball(shape, middle, radius, fine=5):
    """Fraction of each voxel that a ball fills."""
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    total = np.zeros(shape)
    z, y, x = np.indices(shape, sparse=True)
    for a in steps:
        for b in steps:
            for c in steps:
                square = (z + a - middle[0]) ** 2 + (y + b - middle[1]) ** 2
                total += square + (x + c - middle[2]) ** 2 <= radius**2
    return total / fine**3


def small(middle, shape=(11, 11, 11)):
    """Grey values near a blurred ball two voxels wide, and its volume in voxels."""
    fraction = ball(shape, middle, 1.03)
    return 1 + (LEVEL - 1) * gaussian_filter(fraction, SIGMA).astype(np.float32), fraction.sum()


@pytest.mark.parametrize("middle", [(5, 5, 5), (5.5, 5, 5.5), (5.3, 5.4, 4.8)])
def test_a_ball_smaller_than_the_blur_has_its_volume_but_for_the_tail_of_the_blur(middle):
    ratios, volume = small(middle)
    mask = np.zeros(ratios.shape, bool)
    mask.flat[np.argsort(ratios, axis=None)[-2:]] = True
    index, held = specks(mask, ratios, slice(0, 11), LEVEL)
    np.testing.assert_array_equal(index, np.flatnonzero(mask))
    assert 0.8 < held.sum() / THOUSANDTHS / volume < 1


def test_bright_noise_in_one_slice_holds_next_to_nothing():
    ratios = np.ones((11, 11, 11), np.float32)
    ratios[5, 5, 4:7] = 4.0
    _, held = specks(ratios > 3, ratios, slice(0, 11), LEVEL)
    assert held.sum() / THOUSANDTHS == pytest.approx(3 * 3 / 7, abs=0.01)


def test_small_pieces_near_others_are_no_specks():
    ratios, _ = small((5, 5, 5))
    mask = ratios > 4
    mask[:, :, 7:] = True
    index, _ = specks(mask, ratios, slice(0, 11), LEVEL)
    assert index.size == 0


@pytest.fixture(scope="module")
def with_speck():
    """A cell of spheres with two specks in its electrolyte, arcs and a streak within one slice."""
    mu, cell, surfaces, labels, *_ = cell_of_spheres(noise=0.3)
    labels = labels.copy()
    fraction = gaussian_filter(ball(mu.shape, PLACE, 1.03), SIGMA)
    fraction += gaussian_filter(ball(mu.shape, FLAT_PLACE, 1.15), SIGMA)
    mu = mu + (MU[3] - MU[2]) * fraction.astype(np.float32)
    labels[PLACE[0], PLACE[1], PLACE[2] : PLACE[2] + 2] = 3
    z, y, x = FLAT_PLACE
    labels[z, y - 1 : y + 2, x] = labels[z, y, x - 1 : x + 2] = 3
    beside = (PLACE[0] - 3, PLACE[1], slice(PLACE[2] - 1, PLACE[2] + 5))  # holds no speck
    for arc in ((26, 50, slice(30, 36)), beside):
        labels[arc] = 3
        mu[arc] = 30.0
    along = np.arange(-6, 7)  # a streak of a bad column, of which three voxels are labelled
    mu[22, 44 + along, 40 - along] = 0.9 * MU[3]
    labels[22, 44 + along[5:8], 40 - along[5:8]] = 3
    for z, half in ((18, along[:7]), (19, along[6:])):  # an arc that goes on in the next slice
        mu[z, 30, 36 + half] = 2 * MU[3]
        labels[z, 30, 36 + half] = 3
    return mu, cell, surfaces, labels


def test_isolated_particles_of_two_voxels_or_of_one_slice_have_drifted_and_an_arc_has_not(
    with_speck,
):
    mu, cell, surfaces, labels = with_speck
    _, table = particles_in_slabs(mu, labels, cell, surfaces, Flat())
    drifted = table[table["drifted"]].sort_values("y_um")
    places = drifted[["z_um", "y_um", "x_um"]].to_numpy() / 2
    np.testing.assert_allclose(places, [FLAT_PLACE, PLACE], atol=0.51)
    assert drifted["equivalent_diameter_um"].iloc[1] == pytest.approx(4.12, rel=0.06)
    assert drifted["equivalent_diameter_um"].iloc[0] == pytest.approx(4.6, rel=0.1)


@pytest.mark.parametrize("rows", [1, 7])
def test_specks_do_not_depend_on_where_the_volume_is_cut(with_speck, rows):
    mu, cell, surfaces, labels = with_speck
    numbers, table = particles_in_slabs(mu, labels, cell, surfaces, Flat())
    cut_numbers, cut_table = particles_in_slabs(mu, labels, cell, surfaces, Flat(), rows=rows)
    np.testing.assert_array_equal(cut_numbers, numbers)
    assert cut_table.equals(table)
