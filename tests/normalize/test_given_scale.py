"""A curve laid over the values of a given volume, and contrast that grows along z, are said."""

import numpy as np
import pytest

from tests.normalize.layered_cell import MU, LayeredCell
from tests.normalize.test_electrolyte import geometry_of
from xct.normalize import electrolyte_reference, look_at_scale
from xct.normalize.given.scale import GivenScale
from xct.normalize.given.scale_said import bent_scale, scale_numbers, scale_warning
from xct.normalize.reference import reference_numbers
from xct.physics.materials import mu_per_cm

CELL = LayeredCell(
    shape=(84, 84, 84), radius=28.0, wall=5.0, center=(41.4, 41.8), steel=8.0, noise=0.8,
    lithium=8.0, electrolyte=32.0, cathode=20.0, collector=4.0,
)  # fmt: skip


def seen(volume, unit="1/cm", **more):
    cell = geometry_of(CELL)
    reference = electrolyte_reference(volume, cell, volume_unit=unit, energy_kev=25.0)
    return look_at_scale(volume, cell, reference, {}, **{"energy_kev": 25.0, **more}), reference


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


def test_of_a_plain_volume_nothing_is_said(volume):
    found, reference = seen(volume)
    assert found.particles == pytest.approx(0.95, abs=0.15)
    assert found.steel == pytest.approx(0.95, abs=0.1)
    assert (found.gain, scale_warning(found), bent_scale(found)) == (0, None, None)
    ((name, straight),) = scale_numbers(found)
    assert (name, straight.value) == ("scale_is_straight", "assumed")
    assert straight.details["steel_over_table"] == pytest.approx(found.steel, abs=1e-3)
    sd = dict(reference_numbers(reference, given_scale=found))["electrolyte_peak_per_cm"].sd
    assert sd == pytest.approx(reference.peak_sd_per_cm)
    assert look_at_scale(volume, geometry_of(CELL), reference, {"fbp": {}}) is None


def test_after_phase_retrieval_the_electrolytes_value_is_known_to_a_percent(volume):
    _, reference = seen(volume)
    peak = dict(reference_numbers(reference, steps={"phase_retrieval": {}}))
    sd = peak["electrolyte_peak_per_cm"].sd
    assert sd == pytest.approx(np.hypot(reference.peak_sd_per_cm, 0.012 * reference.peak_per_cm))


@pytest.mark.parametrize(("power", "said"), [(0.5, "too little"), (1.5, "steel too much")])
def test_a_gamma_is_said_where_the_energy_is_known(volume, power, said):
    window = np.clip((volume + 25) / 151.5, 0, 1)
    curved = (1e4 * window**power).astype(np.float32)
    found, _ = seen(curved, "grey")
    assert said in bent_scale(found)
    assert bent_scale(seen(curved, "grey", energy_kev=None)[0]) is None


def test_what_a_gamma_that_shows_nowhere_does_to_lithium_contents_stands_in_the_summary(volume):
    found, _ = seen(volume)
    straight = dict(scale_numbers(found))["scale_is_straight"]
    # A gamma of 1.01 about the electrolyte, by hand: μ of NCM811 at 25 keV grows by 0.01 · ln 7.2,
    # and by 10.7 % from x = 1 to 0.
    full, empty = (mu_per_cm("ncm811", 25.0, lithium=x) for x in (1.0, 0.0))
    curved = full * (full / mu_per_cm("lpscl_pressed", 25.0)) ** 0.01
    shift = np.log(curved / full) / np.log(empty / full)
    assert straight.details["li_content_per_percent"] == pytest.approx(shift, abs=1e-3)
    grey = dict(scale_numbers(seen(300 * volume + 9000, "grey")[0]))["scale_is_straight"]
    assert "li_content" not in f"{grey.note} {grey.details}"


@pytest.mark.parametrize("gain", [0.15, -0.15])
def test_contrast_that_grows_along_z_counts_into_the_uncertainty_of_mu(gain):
    found, reference = seen(CELL.but(gain=gain).draw())
    ends = (1 + gain / 2) / (1 - gain / 2) - 1
    assert found.gain == pytest.approx(ends, abs=0.03)
    assert dict(scale_numbers(found))["growth_along_z"].value == found.gain
    assert ("brighter" if gain > 0 else "darker") in scale_warning(found)
    peak = dict(reference_numbers(reference, given_scale=found))["electrolyte_peak_per_cm"]
    assert abs(peak.value - MU["electrolyte"]) < 2 * peak.sd
    assert peak.sd > 0.05 * peak.value


def test_steps_between_slices_count_into_it_too():
    assert GivenScale(seams={"steps": [[43, -0.03]]}).doubt_of_mean == pytest.approx(0.03)
    assert GivenScale().doubt_of_mean == 0
