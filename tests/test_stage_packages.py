"""Stages of installed packages are found by their entry point; one that is broken is named."""

import textwrap

import numpy as np
import pytest
import tifffile

import xct
from xct.cli.main import execute
from xct.quantity import QUANTITIES
from xct.stages import STAGES, installed_packages, load_stages

STEPS = """
    import pandas as pd

    import xct
    from xct.quantity import Number, Quantity, Table


    def numbers(brightness):
        yield "brightness", Number(brightness["mean"].mean(), n=len(brightness))


    @xct.stage(
        gives=Quantity("brightness", unit="table of means", store=Table(), numbers=numbers),
        measures=True,
    )
    def measure_brightness(volume):
        \"\"\"Average each slice.\"\"\"
        return pd.DataFrame({"mean": volume[:].mean(axis=(1, 2))})
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder as of installed packages, seen by Python; what it declares is forgotten again."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    load_stages()
    stages, quantities = dict(STAGES), dict(QUANTITIES)
    installed_packages.cache_clear()
    yield folder
    installed_packages.cache_clear()
    for registry, before in ((STAGES, stages), (QUANTITIES, quantities)):
        registry.clear()
        registry.update(before)


def install(site, module, text, version="1.2"):
    """Lay down a module and what its installation says of it."""
    (site / f"{module}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    about = site / f"{module}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n", encoding="utf-8"
    )
    (about / "entry_points.txt").write_text(
        f"[xct.stages]\n{module} = {module}\n", encoding="utf-8"
    )


@pytest.fixture
def config(tmp_path):
    values = np.random.default_rng(0).normal(5, 1, (16, 8, 8)).astype(np.float32)
    tifffile.imwrite(tmp_path / "volume.tif", values, photometric="minisblack")
    (tmp_path / "recipe.yaml").write_text("- measure_brightness: {}\n", encoding="utf-8")
    return {
        "volume": {"file": str(tmp_path / "volume.tif"), "voxel_size_um": [1.0, 1.0, 1.0]},
        "pipeline": str(tmp_path / "recipe.yaml"),
        "output": str(tmp_path / "out"),
    }


def test_a_stage_of_an_installed_package_runs_and_its_version_is_part_of_the_result(site, config):
    install(site, "bright_lab", STEPS)
    result = xct.run(config)
    assert result.summary["brightness"]["n"] == 16
    assert len(result.tables["brightness"]) == 16
    from xct.pipeline.plan import make_plan

    assert make_plan(config).identity()["stage_packages"] == {"bright_lab": "1.2"}


def test_a_package_that_cannot_be_imported_is_named_and_the_others_work(site, config, capsys):
    install(site, "bright_lab_too", STEPS)
    install(site, "broken_lab", "import no_such_package\n")
    result = xct.run(config)
    [warning] = [w["message"] for w in result.warnings if "broken_lab" in w["message"]]
    assert "stages of broken_lab cannot be imported: No module named" in warning
    assert execute(["stages"]) == 0
    assert "warning: stages of broken_lab cannot be imported" in capsys.readouterr().out
