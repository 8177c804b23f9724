import pandas as pd
import pytest

from xct.quantity import numbers_of


def test_the_tilt_is_that_of_the_height_map_with_its_uncertainty():
    row = {"surface": "steel_lithium", "tilt_x_deg": 0.3, "tilt_x_deg_sd": 0.02}
    roughness = pd.DataFrame([row | {"tilt_y_deg": -0.4, "tilt_y_deg_sd": 0.02, "n": 900}])
    tilt = numbers_of({"roughness": roughness})["tilt_deg.steel_lithium"]
    assert tilt["value"] == pytest.approx(0.5, rel=1e-4)
    assert tilt["sd"] == 0.02
    assert tilt["n"] == 900


def test_a_surface_that_is_hardly_there_has_no_tilt():
    roughness = pd.DataFrame([{"surface": "steel_lithium", "n": 3}])
    assert numbers_of({"roughness": roughness}) == {}


def test_the_uncertainty_of_a_volume_fraction_is_that_of_the_volume():
    row = {"material": "electrolyte", "volume_um3": 200.0, "volume_um3_sd": 4.0}
    materials = pd.DataFrame([row | {"volume_fraction": 0.5}])
    found = numbers_of({"materials": materials})["volume_fraction.electrolyte"]
    assert found["sd"] == pytest.approx(0.01)
    assert found["bound"] == "upper"  # pores finer than the blur count as electrolyte
