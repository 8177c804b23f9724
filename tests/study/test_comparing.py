"""Studies of results drawn by hand: what is compared, what is refused, what is said."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import xct
from tests.study.drawn import change, draw_cell_result
from xct.cli.main import execute
from xct.errors import XctError
from xct.render.picture import can_draw
from xct.study.cells import open_cells
from xct.study.grey import measure_grey
from xct.study.layers import changes, layer_rows, poisson_interval
from xct.study.sections import section_of
from xct.study.settings import SectionPlane, load_study


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    draw_cell_result(folder / "fresh", name="A-0")
    draw_cell_result(
        folder / "cycled", name="A-100", cycles=100, lithium_um=20.0, absent=0.2, seed=1
    )
    return folder


@pytest.fixture
def results(drawn, tmp_path):
    """Copies that a test may spoil."""
    for name in ("fresh", "cycled"):
        shutil.copytree(drawn / name, tmp_path / name)
    return [tmp_path / "fresh", tmp_path / "cycled"]


def opened(*paths, **study):
    return open_cells(
        load_study({"study": {"cells": [{"result": str(p)} for p in paths], **study}})
    )


def test_results_say_themselves_what_they_are_and_which_is_pristine(drawn):
    cells, warnings = opened(drawn / "cycled", drawn / "fresh")
    assert [(c.name, c.group, c.cycles) for c in cells] == [
        ("A-100", "NCM", 100),
        ("A-0", "NCM", 0),
    ]
    assert cells[0].pristine.name == "A-0"
    assert cells[1].is_pristine
    assert warnings == []


def test_the_study_overrules_what_a_result_says_of_itself(drawn):
    study = {
        "study": {
            "cells": [
                {"result": str(drawn / "fresh"), "name": "old", "group": "B", "pristine": False},
                {"result": str(drawn / "cycled"), "name": "new", "group": "B", "pristine": True},
            ]
        }
    }
    cells, _ = open_cells(load_study(study))
    assert [cell.name for cell in cells] == ["old", "new"]
    assert cells[0].pristine.name == "new"


def test_a_change_combines_the_uncertainties_of_both_cells(drawn):
    cells, _ = opened(drawn / "fresh", drawn / "cycled")
    found = {c.row.key: c for c in changes(layer_rows(cells))}
    lithium = found["thickness_um.lithium"]
    half = 1.96 * 0.2 * 2**0.5
    assert (lithium.value, lithium.low, lithium.high) == pytest.approx(
        (-12, -12 - half, -12 + half)
    )
    assert lithium.is_sure
    assert not found["drifted_per_mm2"].is_sure  # one in each


def test_the_interval_of_a_count_is_that_of_tables():
    assert poisson_interval(0) == pytest.approx((0, 3.689), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_what_was_withheld_is_absent_with_its_cause(results):
    summary = json.loads((results[1] / "summary.json").read_text("utf-8"))
    del summary["thickness_um.lithium"]
    summary["warnings"] = [
        {
            "step": "layers",
            "message": "m",
            "cause": "there are fringes",
            "withheld": ["thickness_um.lithium"],
        }
    ]
    (results[1] / "summary.json").write_text(json.dumps(summary), "utf-8")
    cells, _ = opened(*results)
    row = next(
        r for r in layer_rows(cells) if r.cell is cells[1] and r.key == "thickness_um.lithium"
    )
    assert row.absent == "there are fringes"


def test_other_voxels_or_another_energy_are_refused_with_the_reason(results):
    change(results[1], voxel_size_um={"value": 2.0, "unit": "µm"})
    account = yaml.safe_load((results[1] / "run.yaml").read_text("utf-8"))
    account["input"]["energy_kev"] = 20.0
    (results[1] / "run.yaml").write_text(yaml.safe_dump(account), "utf-8")
    with pytest.raises(XctError) as error:
        opened(*results)
    voxels, energy = error.value.errors
    assert "A-100 has voxels of 2 µm, A-0 of 4 µm" in voxels
    assert "A-100 has a photon energy of 20 keV, A-0 of 25 keV" in energy
    assert "scanned at one energy" in energy
    assert "scan.bin" in voxels


def test_an_energy_or_a_voxel_size_that_is_not_stated_is_said(results):
    account = yaml.safe_load((results[1] / "run.yaml").read_text("utf-8"))
    del account["input"]["energy_kev"]
    (results[1] / "run.yaml").write_text(yaml.safe_dump(account), "utf-8")
    _, warnings = opened(*results)
    assert "A-100: the result does not state its photon energy" in warnings[0]
    summary = json.loads((results[1] / "summary.json").read_text("utf-8"))
    del summary["voxel_size_um"]
    (results[1] / "summary.json").write_text(json.dumps(summary), "utf-8")
    with pytest.raises(XctError, match="does not state its voxel size"):
        opened(*results)


def test_missing_unfinished_and_damaged_results_are_all_named_with_their_lines(results, tmp_path):
    (tmp_path / "begun" / ".xct").mkdir(parents=True)
    (results[1] / "summary.json").write_text("{", "utf-8")
    (results[0] / "run.yaml").unlink()
    cells = [{"result": name} for name in ("nowhere", "begun", "cycled", "fresh")]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"study": {"cells": cells}}), "utf-8")
    with pytest.raises(XctError) as error:
        open_cells(load_study(tmp_path / "study.yaml"))
    for text, expected in zip(
        error.value.errors,
        ("no such folder", "its run is not finished", "is damaged", "run.yaml"),
        strict=True,
    ):
        assert expected in text
        assert "study.yaml:" in text


def test_a_roi_set_that_is_not_there_is_said_beside_a_result_that_is_missing(tmp_path):
    cells = [{"result": str(tmp_path / "nowhere")}]
    with pytest.raises(XctError) as caught:
        xct.compare({"study": {"cells": cells, "rois": "zheng2024"}})
    assert "no such folder" in caught.value.errors[0]
    assert "zheng2024" in caught.value.errors[1]


def test_the_folder_that_holds_the_result_is_named_where_another_was_given(drawn, tmp_path):
    shutil.copytree(drawn / "fresh", tmp_path / "cell" / "result")
    with pytest.raises(XctError, match=r"the folder within it does: .*cell.result"):
        opened(tmp_path / "cell")


def test_two_pristine_cells_are_said_beside_a_result_that_is_missing(drawn, tmp_path):
    cells = [
        {"result": str(drawn / "fresh"), "group": "B", "pristine": True},
        {"result": str(tmp_path / "nowhere")},
        {"result": str(drawn / "cycled"), "group": "B", "pristine": True},
    ]
    with pytest.raises(XctError) as caught:
        open_cells(load_study({"study": {"cells": cells}}))
    assert "no such folder" in str(caught.value)
    assert "2 pristine cells: A-0, A-100" in str(caught.value)


def test_two_pristine_cells_of_a_group_are_an_error_and_none_is_a_warning(drawn, results):
    account = yaml.safe_load((results[1] / "run.yaml").read_text("utf-8"))
    account["configuration"]["cell"]["cycles"] = 0
    (results[1] / "run.yaml").write_text(yaml.safe_dump(account), "utf-8")
    with pytest.raises(XctError, match="2 pristine cells: A-0, A-100; mark one"):
        opened(*results)
    cells, warnings = opened(drawn / "cycled")
    assert cells[0].pristine is None
    assert "NCM has no pristine cell" in warnings[0]


def test_displacement_of_different_cells_is_an_error(drawn, results):
    with pytest.raises(XctError, match="displacement: is defined for one cell"):
        opened(drawn / "fresh", drawn / "cycled", displacement=True)
    account = yaml.safe_load((results[1] / "run.yaml").read_text("utf-8"))
    account["configuration"]["cell"]["group"] = "LZP"
    (results[1] / "run.yaml").write_text(yaml.safe_dump(account), "utf-8")
    with pytest.raises(XctError, match=r"2 groups .LZP, NCM., so they are not one cell"):
        opened(*results, same_cell=True)


def test_two_cells_of_one_name_are_refused(drawn):
    with pytest.raises(XctError, match="several cells are called 'A-0'"):
        opened(drawn / "fresh", drawn / "fresh")


def test_a_wrong_key_is_named_with_its_line_and_the_nearest(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text("study:\n  cells: [{result: a}]\n  same_cel: true\n", "utf-8")
    assert execute(["compare", str(tmp_path / "s.yaml")]) == 2
    said = capsys.readouterr().err
    assert "s.yaml:3: study.same_cel: unknown key (did you mean same_cell?)" in said
    assert "Traceback" not in said


def test_a_roi_outside_of_a_cell_is_left_out_and_said_and_one_in_the_steel_is_said(drawn):
    from xct.analyze import BoxRoi

    cells, _ = opened(drawn / "fresh")
    far = BoxRoi("C-1", "electrolyte_cathode", (10, 40), (-20, 20), (130, 180))
    beyond = BoxRoi("C-2", "electrolyte_cathode", (900, 940), (-20, 20), (0, 40))
    steel = BoxRoi("C-3", "steel_lithium", (-12, 12), (-20, 20), (0, 40))
    [found] = measure_grey(cells, [far, beyond, steel])
    assert [roi.name for roi in found.rois] == ["C-3"]
    assert "A-0: ROI C-1" in found.left_out[0]
    assert "outside of the bore; it is left out" in found.left_out[0]
    assert "C-2 lies outside of the volume" in found.left_out[1]
    assert any("C-3" in text and "% of it is steel" in text for text in found.left_out)


def test_a_plane_outside_of_a_cell_is_refused_before_anything_is_measured(drawn, monkeypatch):
    monkeypatch.setattr("xct.study.comparing.measure_grey", lambda *_: pytest.fail("measured"))
    cells = [{"result": str(drawn / name)} for name in ("fresh", "cycled")]
    study = {"study": {"cells": cells, "section": {"offset_um": 9000}}}
    with pytest.raises(XctError, match=r"offset_um: 9000 lies outside of the bore") as caught:
        xct.compare(study)
    assert len(caught.value.errors) == len(cells)


def test_the_most_damaged_plane_goes_through_the_place_without_lithium(drawn):
    cells, _ = opened(drawn / "fresh", drawn / "cycled")
    section = section_of(cells[1], cells[1].geometry, SectionPlane.model_validate({}))
    assert section.chosen == "the most damaged"
    assert section.offset_um < 20.0  # lithium is gone where y is below the axis
    outside = SectionPlane.model_validate({"offset_um": 500.0})
    with pytest.raises(XctError, match="outside of the bore of A-0, whose radius is 160 µm"):
        section_of(cells[0], cells[0].geometry, outside)


def test_the_command_compares_results_and_writes_tables_that_say_what_changed(drawn, tmp_path):
    roi = "rois:\n  E-1: {shape: scaled, surface: lithium_electrolyte, depth_of_layer: [0.2, 0.7], "
    roi += "radius_of_bore: [0, 0.6]}\n"
    (tmp_path / "rois.yaml").write_text(roi, "utf-8")
    study = {
        "study": {
            "cells": [{"result": str(drawn / n)} for n in ("fresh", "cycled")],
            "rois": "rois.yaml",
        },
        "output": "out",
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), "utf-8")
    done = CliRunner().invoke(xct.cli.main.xct, ["compare", str(tmp_path / "study.yaml")])
    assert done.exit_code == 0, done.output
    assert "A-100 against A-0" in done.output
    assert "lithium thickness (upper bound) −12.0 µm (−12.6 … −11.4, −38 %)" in done.output
    out = tmp_path / "out"
    layers = pd.read_csv(out / "tables" / "layers.csv").set_index(["cell", "number"])
    assert layers.loc[("A-100", "thickness_um.lithium"), "change"] == pytest.approx(-12.0)
    grey = pd.read_csv(out / "tables" / "grey_statistics.csv").set_index("cell")
    assert grey.loc["A-100", "wasserstein"] < 60  # the electrolyte is the same, but for noise
    assert {f.stem for f in (out / "figures").glob("*.svg")} >= {"sections", "layers", "lithium"}
    assert (out / "report.html").stat().st_size < 15_000_000
    if can_draw():
        assert (out / "figures" / "in_3d_inside.png").is_file()
        assert (out / "cells.html").stat().st_size < 10_000_000


def test_displacement_of_one_cell_is_measured(drawn):
    from xct.study.layers import displacement_table

    cells, _ = opened(drawn / "fresh", drawn / "cycled", same_cell=True)
    table, said = displacement_table(cells)
    assert said == []
    front = table.set_index("surface").loc["electrolyte_cathode"]
    assert front["cell"] == "A-100"
    assert front["mean_um"] == pytest.approx(0.0, abs=0.5)


def test_a_state_that_cannot_be_aligned_is_left_out_and_said(results):
    from xct.io.surfaces import read_surfaces, write_surfaces
    from xct.study.layers import displacement_table

    surfaces = read_surfaces(results[1] / "surfaces.zarr")
    del surfaces["steel_lithium"]
    shutil.rmtree(results[1] / "surfaces.zarr")
    write_surfaces(results[1] / "surfaces.zarr", surfaces, (4.0,) * 3)
    table, said = displacement_table(opened(*results, same_cell=True)[0])
    assert len(table) == 0
    assert "A-100: no displacement: this state has no surface steel_lithium" in said[0]
