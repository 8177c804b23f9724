"""Normalized grey values: the line through air and electrolyte, read lazily, and back."""

import numpy as np
import pytest

from tests.normalize.layered_cell import LayeredCell
from tests.normalize.test_electrolyte import geometry_of
from xct.geometry import GreyScale
from xct.normalize import Reference, grey_values
from xct.normalize.model import SmoothModel, fit_model

CELL = LayeredCell(shape=(20, 24, 28), radius=9.0, center=(11.0, 14.5), lean=(0.05, 0.0))
GEOMETRY = geometry_of(CELL)


@pytest.fixture
def reference():
    import pandas as pd

    # 5 at z = 0, 6 at z = 38 µm, on the axis and off it.
    model = SmoothModel(0.0, 38.0, 18.0, (5.5, 0.5), (), ((0.0, 0.0), (0.0, 0.0)))
    return Reference(
        model, np.ones(20, np.float32), 4.0, 0.1, pd.DataFrame(), 5.5, 0.01, 9, 0.1, 0.0
    )


@pytest.fixture
def volume():
    return np.random.default_rng(0).uniform(0, 60, CELL.shape).astype(np.float32)


def test_air_is_zero_and_electrolyte_the_reference_everywhere(reference):
    electrolyte = reference.mu_per_cm(2.0 * np.arange(20)[:, None, None], np.zeros((24, 28)))
    grey = grey_values(electrolyte, reference, GEOMETRY)
    assert grey.shape == CELL.shape
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey[:], 22_100, atol=0.01)
    np.testing.assert_allclose(grey_values(0 * electrolyte, reference, GEOMETRY)[:], 20_000)


def test_the_factor_is_that_of_the_contract(reference, volume):
    grey = grey_values(volume, reference, GEOMETRY, GreyScale(100, 300))
    m = np.linspace(5, 6, 20)[:, None, None]
    np.testing.assert_allclose(grey[:], 100 + 200 * volume / m, rtol=1e-5)


def test_the_offset_keeps_differences_and_moves_the_electrolyte(reference, volume):
    grey = grey_values(volume, reference, GEOMETRY, method="offset")
    m = np.linspace(5, 6, 20)[:, None, None]
    expected = 20_000 + 2_100 * volume / 5.5 + (22_100 - (20_000 + 2_100 * m / 5.5))
    np.testing.assert_allclose(grey[:], expected, rtol=1e-6)


def test_two_points_of_choice_lie_where_they_were_put(reference):
    lithium, grey_of_lithium = 0.1, 20_040.0
    volume = np.full(CELL.shape, lithium, np.float32)
    volume[5] = reference.mu_per_cm(10.0, 0.0)
    second = (lithium, grey_of_lithium)
    grey = grey_values(volume, reference, GEOMETRY, method="two_point", second=second)
    np.testing.assert_allclose(grey[4], grey_of_lithium, atol=0.01)
    np.testing.assert_allclose(grey[5], 22_100, atol=0.01)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[3], np.s_[-2], np.s_[2:9], np.s_[2:9, 3], np.s_[..., 4], np.s_[2:9:3, 3:20, 5:7],
        np.s_[4, 5, 6], np.s_[::-1], np.s_[1:4, ..., 2], np.s_[9:3],
    ],
)  # fmt: skip
def test_parts_are_read_as_from_an_array(reference, volume, index):
    grey = grey_values(volume, reference, GEOMETRY)
    np.testing.assert_array_equal(grey[index], grey[:][index])


def test_the_way_back_leads_to_the_volume(reference, volume):
    for settings in ({}, {"method": "offset"}, {"method": "two_point", "second": (0.1, 20_000.0)}):
        grey = grey_values(volume, reference, GEOMETRY, **settings)
        part = np.s_[3:7, 2:9]
        np.testing.assert_allclose(grey.inverse(grey[part], part), volume[part], atol=2e-4)


def test_only_what_is_asked_for_is_read(reference, volume):
    class Counting:
        shape, dtype, rows = volume.shape, volume.dtype, 0

        def __getitem__(self, index):
            self.rows += len(volume[index])
            return volume[index]

    counting = Counting()
    grey = grey_values(counting, reference, GEOMETRY)
    assert counting.rows == 0
    grey[4:6]
    assert counting.rows == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "two_point"}, "needs `second`"),
        ({"second": (0.1, 20_000)}, "other methods take none"),
        ({"method": "two_point", "second": (5.5, 20_000)}, "is that of electrolyte"),
    ],
)
def test_points_that_coincide_are_refused(reference, volume, settings, message):
    with pytest.raises(ValueError, match=message):
        grey_values(volume, reference, GEOMETRY, **settings)


def test_a_scale_with_one_point_is_refused():
    with pytest.raises(ValueError, match="are both 5"):
        GreyScale(5, 5)


def test_grey_values_and_ratios_lead_back_to_each_other():
    scale = GreyScale(0, 10_000)
    assert (scale.grey_value(0), scale.grey_value(1), scale.step) == (0, 10_000, 10_000)
    assert scale.ratio(scale.grey_value(8.5)) == 8.5


def test_indices_beyond_the_volume_are_refused(reference, volume):
    grey = grey_values(volume, reference, GEOMETRY)
    with pytest.raises(IndexError, match="index 20 is out of range for 20 slices"):
        grey[20]
    with pytest.raises(IndexError, match="4 indices for a volume with 3 axes"):
        grey[0, 0, 0, 0]


def test_a_smooth_model_finds_the_order_that_was_drawn():
    rng = np.random.default_rng(2)
    z, r = (a.ravel() for a in np.meshgrid(np.linspace(10, 90, 9), [10.0, 30.0, 45.0, 58.0]))
    true = 5 + 0.01 * z - 0.0001 * r**2
    peak = true + 0.01 * rng.standard_normal(z.size)
    peak[7] += 1.0  # a block that is no electrolyte
    model = fit_model(z, r, peak, np.full(z.size, 0.01), z_range_um=(10.0, 90.0), r_high_um=60.0)
    assert len(model.along) == 2
    assert len(model.across) == 1
    np.testing.assert_allclose(model.value(z, r), true, atol=0.02)
    assert model.value(200.0, 90.0) == model.value(90.0, 60.0)
    assert 0 < model.sd(50.0, 30.0) < 0.01


def test_a_density_that_stops_changing_is_followed():
    z, r = (a.ravel() for a in np.meshgrid(np.linspace(10, 190, 16), [10.0, 30.0, 45.0, 58.0]))
    true = 5 + 0.002 * np.maximum(z, 50)
    peak = true + 0.003 * np.random.default_rng(4).standard_normal(z.size)
    sd = np.full(z.size, 0.003)
    model = fit_model(z, r, peak, sd, z_range_um=(0.0, 200.0), r_high_um=60.0)
    assert 1 <= len(model.kinks_um) <= 2
    np.testing.assert_allclose(model.value(z, r), true, atol=0.006)


@pytest.mark.parametrize("seed", range(20))
def test_a_model_does_not_bend_between_blocks_of_one_height(seed):
    """Blocks of one height differ by hundredths of a slice; only heights can show a slope."""
    rng = np.random.default_rng(seed)
    z = np.repeat([83.05, 111.05, 139.05, 167.05], 4) + rng.uniform(-0.06, 0.06, 16)
    r = np.tile([72.7, 125.8, 162.2, 192.0], 4)
    true = 5.06 + 0.005 * (z - 111) + 0.02 * (z > 100)
    peak = true + rng.normal(0, 0.007, z.size)
    model = fit_model(z, r, peak, np.full(z.size, 0.007), z_range_um=(59.6, 191.0), r_high_um=220.0)
    ends = model.value(np.array([59.6, 191.0]), 110.0)
    np.testing.assert_allclose(ends, [4.8, 5.48], atol=0.12)
    assert (model.sd(np.array([59.6, 191.0]), 110.0) < 0.1).all()


def test_a_straight_line_seldom_gets_a_curve():
    """A curve between a few heights is carried on to the layer's ends, where it grows."""
    z, r = np.repeat([85.0, 110.0, 135.0, 160.0], 4), np.tile([70.0, 125.0, 160.0, 190.0], 4)
    curved = 0
    for seed in range(60):
        peak = 5.0 + 0.005 * (z - 120) + np.random.default_rng(seed).normal(0, 0.007, z.size)
        sd = np.full(z.size, 0.007)
        model = fit_model(z, r, peak, sd, z_range_um=(60.0, 190.0), r_high_um=220.0)
        curved += len(model.along) > 2 or bool(model.kinks_um)
    assert curved <= 4


def test_two_blocks_give_their_mean():
    pair = np.array([10.0, 20.0])
    model = fit_model(
        pair, pair, np.array([4.0, 6.0]), np.ones(2), z_range_um=(0.0, 30.0), r_high_um=60.0
    )
    assert model.value(15.0, 0.0) == pytest.approx(5.0)


def test_a_model_never_leaves_the_range_of_its_peaks_between_a_few_heights():
    # of a volume of 8 bits: four heights, at which blocks differ by more than their uncertainties
    heights = np.repeat([65.7, 85.4, 106.5, 130.5], 4) + np.tile([-0.12, 0.1, 0.08, -0.02], 4)
    radii = np.tile([37.4, 65.0, 84.0, 99.1], 4)
    peaks = np.array([
        8.860, 8.767, 8.713, 8.299, 8.985, 8.946, 8.736, 9.009,
        9.095, 9.121, 9.132, 8.674, 9.485, 9.049, 9.353, 9.305,
    ])  # fmt: skip
    sd = np.array([
        0.156, 0.127, 0.032, 0.036, 0.033, 0.050, 0.059, 0.031,
        0.042, 0.017, 0.127, 0.028, 0.032, 0.034, 0.132, 0.034,
    ])  # fmt: skip
    model = fit_model(heights, radii, peaks, sd, z_range_um=(40.0, 160.0), r_high_um=124.0)
    z, r = np.meshgrid(np.linspace(0, 250, 80), np.linspace(0, 124, 40))
    values = model.value(z, r)
    assert peaks.min() - 1 < values.min()
    assert values.max() < peaks.max() + 1
