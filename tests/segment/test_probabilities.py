import numpy as np
import pytest

from tests.segment.spheres import Flat, cell_of_spheres
from xct.geometry import Label
from xct.segment import material_probabilities, materials
from xct.statistics.mixture import Mixture

MIDDLE = (20, 66)  # slices of electrolyte and cathode
PARTED = (Label.LOW_GREY, Label.ELECTROLYTE, Label.ACTIVE_MATERIAL)


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(drifted=2, chip=True)


@pytest.fixture(scope="module")
def found(drawn):
    mu, cell, surfaces, *_ = drawn
    return material_probabilities(mu, cell, Flat(), surfaces, z0=MIDDLE[0], z1=MIDDLE[1])


@pytest.fixture(scope="module")
def labels(drawn):
    mu, cell, surfaces, *_ = drawn
    return materials(mu, cell, Flat(), surfaces)


def test_two_equal_materials_are_as_likely_at_the_middle():
    pair = Mixture((0.0, 1.0), (0.1, 0.1), {(0, 0): 0.4, (1, 1): 0.4, (0, 1): 0.2})
    np.testing.assert_allclose(pair.more_than_half(0.5, 1), 0.5)
    grey = np.linspace(-0.5, 1.5, 41)
    both = pair.more_than_half(grey, 0) + pair.more_than_half(grey, 1)
    np.testing.assert_allclose(both, 1)
    assert (np.diff(pair.more_than_half(grey, 1)) >= -1e-12).all()


def test_without_noise_to_speak_of_the_half_decides():
    pair = Mixture((0.0, 1.0), (0.01, 0.01), {(0, 1): 1.0})
    # 0.01 above the middle is one standard deviation: Φ(1).
    np.testing.assert_allclose(pair.more_than_half([0.4, 0.51, 0.6], 1), [0, 0.8413, 1], atol=1e-3)


def test_a_rare_material_needs_a_clearer_grey_value():
    rare = Mixture((0.0, 1.0), (0.25, 0.25), {(0, 0): 0.01, (1, 1): 0.99})
    # Normal densities: ln(99) = (½ − g)/s² where both are as likely.
    even = 0.5 - np.log(99) * 0.25**2
    np.testing.assert_allclose(rare.more_than_half(even, 0), 0.5, atol=1e-6)


def test_probabilities_of_all_materials_sum_to_one(found):
    assert found.shape == (len(Label), MIDDLE[1] - MIDDLE[0], 72, 72)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert found.min() >= 0


def test_geometry_is_certain(found, labels):
    for label in (Label.LITHIUM, Label.TUBE, Label.OUTSIDE, Label.STEEL, Label.COLLECTOR):
        np.testing.assert_array_equal(found[label], labels[slice(*MIDDLE)] == label)


def test_where_one_is_clearly_most_likely_labels_say_the_same(found, labels):
    best, ordered = found.argmax(axis=0), np.sort(found, axis=0)
    clear = ordered[-1] - ordered[-2] > 0.9
    assert clear.mean() > 0.99
    for label in PARTED:
        at = clear & (best == label)
        assert at.sum() > 500
        assert np.mean(labels[slice(*MIDDLE)][at] == label) > 0.999


def test_probabilities_add_up_to_the_voxels_there_are(drawn, found):
    truth = drawn[3][slice(*MIDDLE)]
    for label, rel in zip(PARTED, (0.1, 0.01, 0.02), strict=True):
        assert found[label].sum() == pytest.approx(np.sum(truth == label), rel=rel)


def test_what_is_stated_as_certain_is_true(drawn, found):
    truth = drawn[3][slice(*MIDDLE)]
    for label in PARTED:
        assert np.mean(truth[found[label] > 0.95] == label) > 0.99
        assert np.mean(truth[found[label] < 0.05] != label) > 0.99


def test_in_stronger_noise_it_is_less_certain_and_not_less_true(found):
    mu, cell, surfaces, truth, *_ = cell_of_spheres(drifted=2, chip=True, noise=2.0)
    noisy = material_probabilities(
        mu, cell, Flat(noise_per_cm=2.0), surfaces, z0=MIDDLE[0], z1=MIDDLE[1]
    )
    assert np.mean(noisy.max(axis=0) < 0.95) > 2 * np.mean(found.max(axis=0) < 0.95)
    for label in PARTED:
        assert np.mean(truth[slice(*MIDDLE)][noisy[label] > 0.95] == label) > 0.99


@pytest.mark.parametrize("z", [21, 43, 65])
def test_a_slice_alone_has_the_same_probabilities(drawn, found, z):
    mu, cell, surfaces, *_ = drawn
    alone = material_probabilities(mu, cell, Flat(), surfaces, z0=z, z1=z + 1)
    np.testing.assert_allclose(alone[:, 0], found[:, z - MIDDLE[0]], atol=1e-5)


def test_slices_that_are_not_there_are_refused(drawn):
    mu, cell, surfaces, *_ = drawn
    with pytest.raises(ValueError, match="slices 80 to 90: the volume has slices 0 to 83"):
        material_probabilities(mu, cell, Flat(), surfaces, z0=80, z1=90)
