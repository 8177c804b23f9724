"""A quantity has one home: a stage from outside of the package is found wherever results are."""

import numpy as np
import pandas as pd
import pytest
import tifffile

import xct
from xct.cli.main import execute
from xct.errors import XctError
from xct.figures import canvas
from xct.pipeline.output import OutputFolder
from xct.quantity import (
    QUANTITIES,
    Number,
    Quantity,
    Table,
    call_by_name,
    derived,
    numbers_of,
)
from xct.stages import STAGES, check_quantities, load_stages, stage


def porosity_numbers(porosity):
    """Give the mean porosity."""
    mean = porosity["porosity"].mean()
    sd = porosity["porosity"].std() / len(porosity) ** 0.5
    yield "porosity", Number(mean, sd=sd, n=len(porosity), note="by slice")


def porosity_figure(porosity, voxel_size_um):
    """Draw the porosity of each slice."""
    figure, [axis] = canvas(1, 1, (4, 3))
    axis.plot(porosity["z_um"], porosity["porosity"])
    return figure


@pytest.fixture
def measure_porosity(monkeypatch):
    """A stage of somebody else, with a quantity that xct does not know."""
    load_stages()
    monkeypatch.setattr("xct.stages.STAGES", STAGES)
    stages, quantities = dict(STAGES), dict(QUANTITIES)

    @stage(
        gives=Quantity(
            "porosity",
            unit="table of porosities",
            store=Table(),
            numbers=porosity_numbers,
            figures={"porosity": porosity_figure},
            tables={"dense_slices": lambda porosity: porosity[porosity["porosity"] < 0.5]},
        ),
        measures=True,
    )
    def measure_porosity(volume, *, voxel_size_um, below: float = 5.0):
        """Measure how much of each slice is below a value."""
        values = np.asarray(volume[:])
        z = np.arange(len(values)) * voxel_size_um[0]
        return pd.DataFrame({"z_um": z, "porosity": (values < below).mean(axis=(1, 2))})

    yield measure_porosity
    STAGES.clear()
    STAGES.update(stages)
    QUANTITIES.clear()
    QUANTITIES.update(quantities)


@pytest.fixture
def config(tmp_path):
    """A volume, and a recipe with the stage."""
    values = np.random.default_rng(2).normal(5, 1, (20, 12, 14)).astype(np.float32)
    tifffile.imwrite(tmp_path / "volume.tif", values, photometric="minisblack")
    (tmp_path / "recipe.yaml").write_text("- measure_porosity: {below: 4.5}\n", encoding="utf-8")
    return {
        "volume": {"file": str(tmp_path / "volume.tif"), "voxel_size_um": [2.0, 1.0, 1.0]},
        "pipeline": str(tmp_path / "recipe.yaml"),
        "output": str(tmp_path / "out"),
    }


def test_a_new_quantity_is_found_everywhere(measure_porosity, config, capsys):
    result = xct.run(config)
    table = result.tables["porosity"]
    entry = result.summary["porosity"]
    assert entry["value"] == pytest.approx(table["porosity"].mean())
    assert entry["sd"] == pytest.approx(table["porosity"].std() / 20**0.5)
    assert (entry["n"], entry["unit"], entry["note"]) == (20, "1", "by slice")
    assert len(result.quantity("porosity")) == 20
    assert len(result.tables["dense_slices"]) == (table["porosity"] < 0.5).sum()
    assert {file.suffix for file in result.path.glob("figures/porosity.*")} == {".png", ".svg"}
    assert execute(["stages"]) == 0
    assert "measure_porosity" in capsys.readouterr().out
    assert execute(["stages", "measure_porosity"]) == 0
    assert "gives porosity: table of porosities" in capsys.readouterr().out
    assert OutputFolder(result.path).foreign() == []


def test_a_result_opened_anew_gives_the_quantity_back(measure_porosity, config):
    path = xct.run(config).path
    assert list(xct.open_result(path).quantity("porosity").columns) == ["z_um", "porosity"]


def test_a_stage_that_gives_what_is_not_declared_is_refused(measure_porosity):
    @stage(gives="roundness", measures=True)
    def measure_roundness(volume):
        """Measure."""

    with pytest.raises(ValueError, match=r"measure_roundness gives 'roundness'.*declare it"):
        check_quantities()


@pytest.mark.parametrize("kind", ["numbers", "derive", "figures", "tables"])
def test_a_function_that_would_never_be_called_is_refused(kind, monkeypatch):
    load_stages()
    monkeypatch.setattr("xct.quantity.QUANTITIES", known := dict(QUANTITIES))
    monkeypatch.setattr("xct.stages.QUANTITIES", known)

    def misspelt(porosity, volum):
        """Take what is no quantity."""

    function = {"drawn": misspelt} if kind in ("figures", "tables") else misspelt
    known["porosity"] = Quantity("porosity", **{kind: function})
    with pytest.raises(XctError, match=r"takes 'volum', which is not.*did you mean volume"):
        check_quantities()


def test_numbers_that_are_not_finite_are_absent():
    quantity = Quantity("x", numbers=lambda x: iter([("a", Number(x)), ("b", Number("no"))]))
    QUANTITIES["x"] = quantity
    try:
        assert numbers_of({"x": float("nan")}) == {"b": {"value": "no", "unit": "1"}}
    finally:
        del QUANTITIES["x"]


def test_a_number_leaves_out_what_is_not_known():
    assert Number(2, "µm").entry() == {"value": 2, "unit": "µm"}
    full = Number(0.5, "1", 0.1, 7, bound="upper", note="why", details={"method": "x"})
    assert full.entry() == {
        "value": 0.5, "sd": 0.1, "n": 7, "unit": "1", "bound": "upper", "note": "why",
        "method": "x",
    }  # fmt: skip
    assert "sd" not in Number(1.0, sd=float("nan")).entry()


def test_functions_get_what_they_name_and_keep_their_defaults():
    assert call_by_name(lambda a, b=3: (a, b), {"a": 1, "c": 5}) == (1, 3)
    with pytest.raises(TypeError):
        call_by_name(lambda a: a, {})


def test_a_derived_quantity_is_there_where_its_needs_are():
    QUANTITIES["double"] = Quantity("double", derive=lambda volume: 2 * volume)
    try:
        assert derived({"volume": 4})["double"] == 8
        assert "double" not in derived({"title": 4})
    finally:
        del QUANTITIES["double"]


def test_a_function_that_fails_is_named_and_the_run_goes_on(measure_porosity, config):
    def broken(porosity):
        """Fail."""
        raise KeyError("no such column")

    whole = QUANTITIES["porosity"]
    QUANTITIES["porosity"] = Quantity("porosity", store=Table(), figures={"porosity": broken})
    result = xct.run(config)
    [warning] = [w for w in result.warnings if w["step"] == "summary"]
    assert "porosity of porosity cannot be made: KeyError: 'no such column'" in warning["message"]
    assert len(result.tables["porosity"]) == 20
    QUANTITIES["porosity"] = whole
