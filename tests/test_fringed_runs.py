"""Runs of scans with propagation fringes: said first of all, and gone with phase retrieval."""

import json

import numpy as np
import pytest

import xct
from tests.phantom.samples import Cylinder
from xct.errors import XctError
from xct.phantom.scan.layouts import write_layout
from xct.phantom.scan.setup import Setup
from xct.phantom.scan.virtual_scan import virtual_scan
from xct.pipeline.plan import make_plan
from xct.pipeline.plan_text import plan_text

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")
RECIPE = """- flat_field
- fill_dead_pixels
- phase_retrieval: {material: ncm811, within: lpscl}
- line_integrals
- fill_nonpositive
- find_center
- fbp
"""


class Rod(Cylinder):
    """The rod of active material in electrolyte, at 20 keV."""

    def __init__(self):
        super().__init__(shape=(24, 176, 176), voxel_um=1.625, core_px=14.0)
        self.energy_kev = 20.0


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Configurations of the same rod at three distances, by distance in mm."""
    made = {}
    for distance in (0.0, 2.0, 40.0):
        folder = tmp_path_factory.mktemp(f"scan{distance:g}")
        setup = Setup(angles=200, distance_mm=distance, glare=0.0)
        file = write_layout(virtual_scan(Rod(), setup, folder), folder, "rod", "nxtomo")
        made[distance] = {"scan": {"file": str(file)}, "pipeline": "reconstruct"}
    return made


def run(configuration, folder, **changes):
    how = {"run": {"figures": "none"}, "output": str(folder)}
    return xct.run({**configuration, **changes, **how})


@pytest.fixture(scope="module")
def fringed(scans, tmp_path_factory):
    """The farthest scan without phase retrieval."""
    return run(scans[40.0], tmp_path_factory.mktemp("fringed") / "out")


@pytest.mark.parametrize("distance", [0.0, 2.0])
def test_nothing_is_said_where_there_is_no_fringe_to_speak_of(scans, tmp_path, distance):
    result = run(scans[distance], tmp_path / "out")
    assert "fringes" not in {entry["step"] for entry in result.warnings}
    assert "fringes" not in result.summary
    assert "Fresnel" not in plan_text(make_plan({**scans[distance], "output": str(tmp_path / "o")}))


def test_fringes_are_the_first_thing_said_and_check_advises_what_helps(scans, fringed, tmp_path):
    result = fringed
    first = result.warnings[0]
    assert first["step"] == "fringes"
    assert "brighter than the air" in first["message"]
    assert result.summary["fringes"]["value"] == "seen"
    assert result.summary["fringe_overshoot"]["value"] > 0.02
    summary = json.loads((result.path / "summary.json").read_text(encoding="utf-8"))
    assert summary["warnings"][0] == first
    told = plan_text(make_plan({**scans[40.0], "output": str(tmp_path / "other")}))
    assert "Fresnel number 1.1" in told
    assert "pipeline: ssrf" in told


def test_phase_retrieval_gives_the_attenuation_back_in_any_slabs(scans, fringed, tmp_path):
    recipe = tmp_path / "own.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    result = run(scans[40.0], tmp_path / "out", pipeline=str(recipe))
    assert not [entry for entry in result.warnings if entry["step"] == "fringes"]
    found, truth = result.volume.compute()[12], Rod().mu(0, 1)[0]
    y, x = np.indices(found.shape) - 87.5
    core = np.hypot(x - 5, y - 3) < 11
    shell = (np.hypot(x - 5, y - 3) > 18) & (np.hypot(x, y) < 58)
    for part in (core, shell):
        assert found[part].mean() == pytest.approx(truth[part].mean(), rel=0.02)
    plain = fringed.volume.compute()[12]
    edge = np.abs(np.hypot(x - 5, y - 3) - 14) < 3
    errors = [np.abs(volume - truth)[edge].mean() for volume in (found, plain)]
    assert errors[0] < 0.7 * errors[1]


def test_zingers_that_would_be_fringes_are_warned_of(scans, tmp_path):
    recipe = tmp_path / "own.yaml"
    for settings, warned in (("{}", 1), ("{threshold: 0.5}", 0)):
        text = RECIPE.replace("- phase_retrieval", f"- outliers: {settings}\n- phase_retrieval")
        recipe.write_text(text, encoding="utf-8")
        plan = make_plan({**scans[40.0], "pipeline": str(recipe), "output": str(tmp_path / "o")})
        assert sum("taken for zingers" in text for text in plan.warnings) == warned


def test_a_recipe_that_lacks_what_retrieval_needs_is_refused_before_data_are_read(scans, tmp_path):
    recipe = tmp_path / "own.yaml"
    recipe.write_text(RECIPE.replace("{material: ncm811, within: lpscl}", "{}"), encoding="utf-8")
    with pytest.raises(XctError, match=r"own.yaml:3, step 3 .*give one of the two"):
        run(scans[40.0], tmp_path / "out", pipeline=str(recipe))
    recipe.write_text(RECIPE, encoding="utf-8")
    with pytest.raises(XctError, match=r"scan.distance_mm: needed by phase_retrieval"):
        run(scans[0.0], tmp_path / "out", pipeline=str(recipe))
