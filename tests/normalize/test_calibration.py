"""What values are in 1/cm: known, or said not to be."""

import warnings

import pytest

from tests.normalize.layered_cell import MU, LayeredCell
from tests.normalize.test_electrolyte import geometry_of
from xct.normalize import electrolyte_reference
from xct.normalize.calibration import calibrate, density_of, lithium_over_electrolyte
from xct.physics.materials import mu_per_cm

TRUE = float(mu_per_cm("lpscl_pressed", 25.0))
CELL = LayeredCell(shape=(96, 96, 96), radius=40.0, wall=4.0, center=(47.0, 48.0))


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


def test_a_pressed_electrolyte_is_plausible_without_a_word():
    assert density_of(TRUE, 25.0) == pytest.approx(1.64, abs=0.01)
    for energy in (25.0, None):
        known = calibrate(TRUE, "1/cm", energy, 2.0)
        assert (known.per_cm, known.mu_known) == (1.0, True)


@pytest.mark.parametrize(
    ("factor", "remedy"),
    [(0.1, "volume.unit: 1/mm if"), (2e-4, "volume.unit: 1/px if"), (300, "volume.unit: grey")],
)
def test_values_that_cannot_be_mu_name_the_unit_that_they_may_have(factor, remedy):
    with pytest.warns(UserWarning, match=r"would be a density of .*" + remedy):
        known = calibrate(TRUE * factor, "1/cm", 25.0, 2.0)
    assert not known.mu_known
    assert known.per_cm * TRUE * factor == pytest.approx(TRUE)


@pytest.mark.parametrize("value", [0.52, TRUE / 10])
def test_without_an_energy_what_no_usual_energy_gives_is_said(value):
    with pytest.warns(UserWarning, match=r"at 10 to 60 keV .* volume\.unit: 1/mm if"):
        assert not calibrate(value, "1/cm", None, 2.0).mu_known
    for energy in (12.0, 20.0, 40.0, 59.0):
        assert calibrate(float(mu_per_cm("lpscl_pressed", energy)), "1/cm", None, 2.0).mu_known
    assert calibrate(0.5, "1/cm", None, 2.0, between=True).mu_known  # carbon makes it darker


def test_grey_values_stand_for_a_typical_electrolyte_on_any_scale():
    for level in (1e-4, 5.0, 4e4):
        known = calibrate(level, "grey", None, 2.0)
        assert known.per_cm * level == pytest.approx(TRUE)
        assert not known.mu_known


def test_between_particles_carbon_makes_the_electrolyte_darker():
    assert calibrate(0.55 * TRUE, "1/cm", 25.0, 2.0, between=True).mu_known
    with pytest.warns(UserWarning, match="density"):
        assert not calibrate(0.55 * TRUE, "1/cm", 25.0, 2.0).mu_known


def test_a_grey_scale_begins_at_air_and_carries_no_unit(volume):
    grey = electrolyte_reference(volume * 40 - 1000, geometry_of(CELL), volume_unit="grey")
    assert grey.air == pytest.approx(-1000, abs=5)
    assert grey.peak_per_cm == pytest.approx(40 * MU["electrolyte"], rel=0.01)
    entries = {name: number.entry() for name, number in grey.numbers()}
    assert {"electrolyte_peak_grey", "air_grey", "noise_grey"} <= set(entries)
    assert not any("per_cm" in name or "1/cm" in entry["unit"] for name, entry in entries.items())
    assert not any("per_cm" in column for column in grey.published_table)


def test_without_air_in_view_it_begins_below_lithium(volume):
    inside = volume[:, 22:74, 22:74] + 300
    cell = geometry_of(CELL)
    middle = {"axis_y_um": cell.axis_y_um - 44, "axis_x_um": cell.axis_x_um - 44}
    facts = {**vars(cell), **middle, "shape": inside.shape, "bore_radius_sd_um": float("nan")}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no sharp wall")
        reference = electrolyte_reference(
            inside, type(cell)(**facts), volume_unit="grey", blur_um=4.0
        )
    over = lithium_over_electrolyte(None)
    assert over == pytest.approx(MU["lithium"] / MU["electrolyte"], abs=0.002)
    assert reference.air == pytest.approx(300, abs=0.1)


def test_what_cannot_be_mu_is_counted_as_grey_values_are(volume):
    with pytest.warns(UserWarning, match=r"volume\.unit: grey"):
        codes = electrolyte_reference(volume * 300 + 13_000, geometry_of(CELL), volume_unit="1/cm")
    grey = electrolyte_reference(volume * 300 + 13_000, geometry_of(CELL), volume_unit="grey")
    assert (codes.air, codes.per_cm, codes.mu_known) == (grey.air, grey.per_cm, False)


@pytest.mark.parametrize(
    ("energy_kev", "pixels"), [(50.0, 1.0), (12.5, 1.0), (25.0, 2), (25.0, 0.5)]
)
def test_a_wrong_energy_or_size_of_pixels_is_said_with_what_would_fit(energy_kev, pixels):
    value = float(mu_per_cm("lpscl_pressed", 25.0)) / pixels
    with pytest.warns(
        UserWarning,
        match="Withheld: this value, noise in 1/cm, transmission of planes, state of charge",
    ) as said:
        found = calibrate(value, None, energy_kev, 2.0 * pixels)
    assert not found.mu_known
    fits = "25 keV would fit" if pixels == 1 else f"pixels {1 / pixels:.2g} times as large would"
    assert fits in str(said[0].message)
