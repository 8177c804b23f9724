"""Found materials against tables, and where a scale begins."""

import numpy as np
import pytest

from tests.normalize.layered_cell import MU, TUBE, LayeredCell
from tests.normalize.test_electrolyte import geometry_of
from xct.normalize import AboveAir, air_level, check_materials, electrolyte_reference
from xct.physics.materials import delta

CELL = LayeredCell(lithium=24.0, electrolyte=40.0, cathode=24.0, noise=1.0)
GEOMETRY = geometry_of(CELL)


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


def test_attenuation_is_recognized_and_the_density_follows(volume):
    table = check_materials(
        volume, GEOMETRY, electrolyte_reference(volume, GEOMETRY), energy_kev=25.0
    )
    found = table.set_index("material")["value_per_cm"]
    assert found["lithium"] == pytest.approx(MU["lithium"], abs=0.05)
    assert found["polyimide"] == pytest.approx(TUBE, abs=0.05)
    assert found["air"] == pytest.approx(0, abs=0.05)
    assert table.attrs["fits"] == "attenuation"
    # 5 of the 5.574 1/cm that the crystal of 1.86 g/cm³ has.
    assert table.attrs["density_g_per_cm3"] == pytest.approx(1.86 * 5 / 5.574, rel=0.01)
    assert table.attrs["plausible"]


def test_a_volume_that_follows_the_refraction_is_recognized(monkeypatch):
    lithium, tube = (5 * delta(m, 25.0) / delta("lpscl", 25.0) for m in ("lithium", "polyimide"))
    monkeypatch.setitem(MU, "lithium", lithium)
    monkeypatch.setattr("tests.normalize.layered_cell.TUBE", tube)
    phase = CELL.draw()
    reference = electrolyte_reference(phase, GEOMETRY)
    table = check_materials(phase, GEOMETRY, reference, energy_kev=25.0)
    assert table.attrs["fits"] == "phase"
    assert "density_g_per_cm3" not in table.attrs


def test_air_is_measured_beyond_the_tube(volume):
    assert air_level(volume + 7, GEOMETRY) == pytest.approx(7, abs=0.05)
    shifted = AboveAir(volume + np.float32(7), 7.0)
    np.testing.assert_allclose(shifted[3:5], volume[3:5], atol=1e-4)


def test_without_a_wall_there_is_no_air(volume):
    geometry = type(GEOMETRY)(**{**vars(GEOMETRY), "bore_radius_sd_um": float("nan")})
    assert np.isnan(air_level(volume, geometry))
