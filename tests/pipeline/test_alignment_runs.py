"""A run finds that the axis leans and puts it upright, however it is cut."""

import numpy as np
import pytest

import xct
from tests.preprocess.test_tilt import CENTER, THETA, cylinders
from tests.scans import write_dxchange
from xct.reconstruct import fbp

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")
TILT_DEG = 3.0


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One tilted scan, run with and without `align`; and its upright truth."""
    folder = tmp_path_factory.mktemp("tilted")
    seen = cylinders(TILT_DEG, noise=0.0)
    scan = {
        "file": str(write_dxchange(folder / "scan.h5", seen)),
        "theta_deg": {"first": 0, "last": 180, "count": len(THETA)},
    }
    recipe = folder / "without.yaml"
    steps = ["flat_field", "line_integrals", "fill_nonpositive", "find_tilt", "find_center", "fbp"]
    recipe.write_text("".join(f"- {step}\n" for step in steps), encoding="utf-8")
    made = {
        name: xct.run(
            {
                "scan": scan,
                "output": str(folder / name),
                "pipeline": pipeline,
                "run": {"figures": "none"},
            }
        )
        for name, pipeline in (("aligned", "reconstruct"), ("without", str(recipe)))
    }
    truth = fbp(cylinders(noise=0.0)[:, ::6], THETA, CENTER, pixel_size_um=2.0)
    return made, truth


def test_a_recipe_that_finds_a_tilt_and_keeps_it_is_warned_of(results):
    said = {
        name: [one["message"] for one in result.summary["warnings"] if "align" in one["message"]]
        for name, result in results[0].items()
    }
    assert said["aligned"] == []
    assert "find_tilt: what the axis" in said["without"][0]


def test_the_tilt_is_stated_with_its_uncertainty(results):
    tilt = results[0]["aligned"].summary["axis_tilt_deg"]
    assert tilt["value"] == pytest.approx(TILT_DEG, abs=4 * tilt["sd"])
    assert tilt["unit"] == "°"


def test_slices_are_those_of_an_upright_scan(results):
    made, truth = results
    error = {
        name: np.std((np.asarray(result.volume[:])[::6] - truth)[2:-2])
        for name, result in made.items()
    }
    assert error["aligned"] < 0.75 * error["without"]
