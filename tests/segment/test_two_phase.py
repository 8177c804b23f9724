"""The bright phase: of real electrodes, and of drawn ones that drift; without sight of labels."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from xct.segment.material.two_phase import bright_phase, fit_levels, split_levels

SLICES = (1, 100, 200, 103, 360, 510, 394, 470, 546, 1501, 1502)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def powder(seed=0, size=300, drift=0.5, noise=0.15):
    """Discs of many sizes under blur, noise and a slope of the grey values."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    truth = np.zeros((size, size), bool)
    for radius in np.exp(rng.uniform(np.log(4), np.log(35), 90)):
        truth |= np.hypot(*(p - rng.uniform(0, size) for p in (y, x))) < radius
    image = gaussian_filter(truth.astype(float), 1.5) + drift * (x / size + y / size - 1)
    return image + gaussian_filter(rng.normal(size=truth.shape), 0.7) * noise / 0.4, truth


def test_real_electrodes_are_segmented_nearly_as_well_as_with_their_labels(test_data):
    folder = test_data("nmc_nanoct_labelled")
    found, otsu, best = {}, {}, {}
    for number in SLICES:
        image = tifffile.imread(folder / f"{number}.tif").astype(np.float32)
        truth = tifffile.imread(folder / f"{number}_label.tif") == 0
        found[number] = dice(bright_phase(image).mask, truth)
        otsu[number] = dice(image > threshold_otsu(image), truth)
        levels = np.quantile(image, np.linspace(0.02, 0.98, 49))
        best[number] = max(dice(image > level, truth) for level in levels)
    assert np.median(list(found.values())) >= 0.93
    for number in SLICES:
        assert found[number] >= otsu[number], f"slice {number}"
        assert found[number] >= best[number] - 0.03, f"slice {number}"


@pytest.mark.parametrize("seed", range(3))
def test_drifting_grey_values_do_not_matter(seed):
    image, truth = powder(seed)
    found = dice(bright_phase(image).mask, truth)
    assert found > 0.97
    assert found > dice(image > threshold_otsu(image), truth) + 0.01


@pytest.mark.parametrize(("y", "x"), [(40, 120), (250, 380), (60, 250)])
def test_fine_windings_are_not_smoothed_away(test_data, y, x):
    folder = test_data("cell_cylindrical_grey")
    part = np.s_[y : y + 160, x : x + 160]
    image = tifffile.imread(folder / "im_1.tif").astype(np.float32)[part]
    truth = tifffile.imread(folder / "mask_1.tif")[part] > 0
    found = dice(bright_phase(image).mask, truth)
    assert found >= dice(image > threshold_otsu(image), truth)


def test_a_wound_cell_of_more_than_two_materials_is_refused(test_data):
    image = tifffile.imread(test_data("cell_cylindrical_grey") / "im_1.tif").astype(np.float32)
    for part in (image, image[180:340, 180:340]):
        with pytest.raises(ValueError, match=r"does not fall into two materials.*use `phases`"):
            bright_phase(part)


def test_another_scale_gives_the_same_mask():
    image, _ = powder()
    plain = bright_phase(image).mask
    scaled = bright_phase(image * 21_000 + 40_000).mask
    assert (plain == scaled).mean() > 0.9999


def test_a_stack_is_segmented_slice_by_slice():
    stack = np.stack([powder(seed, size=200)[0] for seed in range(3)])
    whole = bright_phase(stack)
    assert len(whole.levels) == 3
    for number in range(3):
        np.testing.assert_array_equal(whole.mask[number], bright_phase(stack[number]).mask)
    np.testing.assert_array_equal(whole.mask, whole.probability > 0.5)


def test_three_levels_of_common_noise_come_back():
    rng = np.random.default_rng(0)
    parts = (6000, 24_000, 70_000)
    values = np.concatenate(
        [rng.normal(m, 0.15, n) for m, n in zip((0.0, 0.5, 1.0), parts, strict=True)]
    )
    levels = fit_levels(values)
    np.testing.assert_allclose(levels.levels, (0, 0.5, 1), atol=0.03)
    np.testing.assert_allclose(list(levels.weights.values()), (0.06, 0.24, 0.7), atol=0.02)
    assert levels.noise == pytest.approx(0.15, abs=0.01)
    low, high = split_levels(values)
    assert 0.1 < low < 0.5 < high < 0.9
    at = np.array([-1.0, 0.0, 0.25, 0.5, 2.0])
    density = [
        s * np.exp(-0.5 * ((at - m) / levels.noise) ** 2)
        for s, m in zip(levels.weights.values(), levels.levels, strict=True)
    ]
    np.testing.assert_allclose(levels.more_than_half(at, 0), density[0] / sum(density), rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.random.default_rng(0).normal(size=(99, 99)), "one material only"),
        (np.full((9, 9), 3.0), "the one value 3"),
        (np.full((9, 9), np.nan), "81 values that are NaN"),
        (np.zeros(9), "1 axes"),
    ],
)
def test_images_without_two_materials_are_refused(image, error):
    with pytest.raises(ValueError, match=error):
        bright_phase(image)


def streaks(rng, size):
    field = gaussian_filter(rng.normal(size=(size, size)), (rng.uniform(1.5, 3), 12))
    return field > np.quantile(field, rng.uniform(0.4, 0.7))


def blobs(rng, size):
    field = gaussian_filter(rng.normal(size=(size, size)), rng.uniform(2, 8))
    return field > np.quantile(field, rng.uniform(0.3, 0.8))


def in_noise(draw, contrast, seed, correlated=0.0, size=160):
    """Two materials that differ by `contrast` standard deviations of the noise."""
    rng = np.random.default_rng(seed)
    truth = draw(rng, size)
    noise = rng.normal(size=truth.shape)
    if correlated:
        noise = gaussian_filter(noise, correlated)
    return contrast * gaussian_filter(truth.astype(float), 0.8) + noise / noise.std(), truth


@pytest.mark.parametrize("draw", [blobs, streaks])
@pytest.mark.parametrize("contrast", [0.5, 1, 2, 3, 5])
@pytest.mark.parametrize("correlated", [0.0, 0.7])
def test_in_noise_it_is_better_than_a_threshold_or_refuses(draw, contrast, correlated):
    for seed in range(40, 42):
        image, truth = in_noise(draw, contrast, seed, correlated)
        try:
            found = dice(bright_phase(image).mask, truth)
        except ValueError:
            assert contrast <= (1 if correlated else 0.5)
            continue
        least = 0.002 if contrast > 4 else 0.05
        assert found > dice(image > threshold_otsu(image), truth) + least


@pytest.mark.parametrize("correlated", [0.0, 0.7, 1.2])
def test_noise_alone_is_refused_in_words_that_are_true(correlated):
    for seed in range(50, 56):
        image, _ = in_noise(lambda rng, size: np.zeros((size, size), bool), 1, seed, correlated)
        with pytest.raises(ValueError, match=r"one material only.*contrast is lost"):
            bright_phase(image)
