from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from xct.geometry import CellGeometry, Plane
from xct.pipeline import summary
from xct.pipeline.monitor import RunWarnings
from xct.quantity import numbers_of
from xct.stages import STAGES, load_stages


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


@pytest.mark.parametrize(
    ("surface", "first"), [("steel_lithium", True), ("electrolyte_cathode", False)]
)
def test_where_layers_are_lost_for_want_of_light_that_is_said_first(surface, first, monkeypatch):
    load_stages()
    monkeypatch.setattr(summary, "rows_of_frames", lambda *_: {})
    note = {
        "stop": 8,
        "counts": {"nonpositive_transmission": [0] * 4 + [400, 500, 500, 400]},
        "beyond": [0],
    }
    job = SimpleNamespace(
        plan=SimpleNamespace(
            scan=SimpleNamespace(projections=SimpleNamespace(shape=(10, 8, 100))),
            slab_steps=[SimpleNamespace(stage=STAGES["line_integrals"], name="line_integrals")],
            given_numbers=dict,
        ),
        folder=SimpleNamespace(notes=lambda _: {0: note}, number=lambda _: None),
        warnings=RunWarnings([{"step": "find_cell", "message": "not in view: surfaces"}]),
    )
    cell = replace(
        CellGeometry((8, 64, 64), (2.0,) * 3, 63.0, 63.0, 60.0), planes={surface: Plane(6.0)}
    )
    assert summary._of_the_scan(job, cell)["nonpositive_transmission"]["value"] == 1800
    said = [one["message"] for one in job.warnings.listed]
    assert said[0].startswith("photon-starved: rows 4–7 have up to 50.0%") == first
    assert ("want of light" in said[0]) == first
