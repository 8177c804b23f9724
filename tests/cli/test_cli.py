"""The commands that look and report: init, check, stages, schema, convert."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import yaml

import xct
from tests.scans import ANGLES, COLUMNS, PIXEL_SIZE_UM, ROWS, write_dxchange
from xct.cli.main import execute
from xct.cli.text_output import result_text
from xct.geometry import SURFACES
from xct.stages import load_stages


@pytest.fixture
def scan(tmp_path):
    return write_dxchange(tmp_path / "raw" / "scan.h5")


@pytest.fixture(autouse=True)
def folders(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "configs").mkdir()


def init(scan, tmp_path):
    path = tmp_path / "configs" / "cell.yaml"
    arguments = ["init", str(scan), "--output", str(tmp_path / "out"), "--to", str(path)]
    assert execute(arguments) == 0
    return path


def test_init_writes_paths_relative_to_the_configuration(scan, tmp_path, capsys):
    path = init(scan, tmp_path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert config["scan"]["file"] == "../raw/scan.h5"
    assert config["output"] == "../out"
    assert "needed" not in capsys.readouterr().out


def test_init_of_a_scan_alone_names_its_files_after_it(tmp_path, scan, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Zelle 3" / "raw").mkdir(parents=True)
    scan.rename(tmp_path / "Zelle 3" / "raw" / "data.h5")
    assert execute(["init", "Zelle 3/raw/data.h5"]) == 0
    config = yaml.safe_load((tmp_path / "Zelle 3.yaml").read_text(encoding="utf-8"))
    assert (config["cell"], config["output"]) == ({"name": "Zelle 3"}, "out/Zelle 3")
    assert config["pipeline"] == "reconstruct"
    assert "next: xct run 'Zelle 3.yaml'" in capsys.readouterr().out


def test_init_leaves_what_is_unknown_empty_and_lists_it(scan, tmp_path, capsys):
    with h5py.File(scan, "r+") as file:
        del file["measurement"]
        del file["exchange/theta"]
    path = init(scan, tmp_path)
    text = capsys.readouterr().out
    assert "needed: scan.pixel_size_um" in text
    assert "needed: scan.theta_deg" in text
    assert "energy" not in text
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "# needed" in line]
    assert [line.split(":")[0].strip() for line in lines] == ["pixel_size_um", "theta_deg"]
    assert execute(["check", str(path)]) == 2


def test_check_says_what_will_be_read_done_and_needed(scan, tmp_path, capsys):
    assert execute(["check", str(init(scan, tmp_path))]) == 0
    text = capsys.readouterr().out
    assert f"{ANGLES} projections of {ROWS} rows × {COLUMNS} columns" in text
    assert f"{PIXEL_SIZE_UM:g} µm" in text
    assert "flat_field → fill_dead_pixels" in text
    assert "memory" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spoil", "warning"),
    [
        (lambda f: f["exchange/data_dark"].write_direct(np.zeros((5, ROWS, COLUMNS), "u2")),
         "all dark frames are zero"),
        (lambda f: f["exchange/data_white"].write_direct(np.full((8, ROWS, COLUMNS), 65535, "u2")),
         "flats: up to 100.0% of the pixels are saturated"),
        (lambda f: f["exchange/theta"].write_direct(np.linspace(0, 150, ANGLES)),
         "the angles cover 150.0°, less than 180°"),
    ],
)  # fmt: skip
def test_check_warns_of_what_the_data_say(scan, tmp_path, capsys, spoil, warning):
    path = init(scan, tmp_path)
    with h5py.File(scan, "r+") as file:
        spoil(file)
    assert execute(["check", str(path)]) == 0
    assert f"warning: {warning}" in capsys.readouterr().out


def test_every_stage_is_listed_and_every_setting_explained(capsys):
    assert execute(["stages"]) == 0
    listed = capsys.readouterr().out
    for name, stage in load_stages().items():
        assert f"{name} " in listed
        assert execute(["stages", name]) == 0
        explained = capsys.readouterr().out
        for setting in stage.settings.model_fields:
            assert f"  {setting}: " in explained
            # Settings of one kind may share an entry: "zero, reference_value : float".
            assert re.search(rf"\n(\w+, )*{setting}(, \w+)* : ", explained), (
                f"{name}: {setting} has no entry in its docstring"
            )


def test_the_schema_names_every_key_and_setting(capsys):
    assert execute(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    steps = schema["properties"]["steps"]
    assert set(steps["properties"]) == set(load_stages())
    fbp = steps["properties"]["fbp"]["anyOf"][0]["properties"]
    assert fbp["window"]["enum"][0] == fbp["window"]["default"] == "ramp"
    assert schema["additionalProperties"] is False


def test_an_example_configuration_is_right_but_for_its_files(capsys):
    from xct.config.loading import load_config
    from xct.config.recipe import load_steps

    config = load_config("configs/example.yaml")
    assert {step.name: step.settings for step in load_steps(config)}["fbp"]["window"] == "hann"


@pytest.mark.parametrize("layout", ["dxchange", "nxtomo"])
def test_a_converted_scan_is_the_same_scan(scan, tmp_path, layout):
    target = tmp_path / f"{layout}.h5"
    assert execute(["convert", str(scan), "--to", str(target), "--format", layout]) == 0
    old, new = xct.read_scan(scan), xct.read_scan(target)
    assert new.layout == layout
    np.testing.assert_array_equal(new.projections.read(), old.projections.read())
    np.testing.assert_allclose(new.theta_deg, old.theta_deg)
    assert new.pixel_size_um == pytest.approx(PIXEL_SIZE_UM)


@pytest.mark.filterwarnings("ignore:.*angles for.*")
def test_the_tooth_runs_with_no_edit_but_its_pixel_size(test_data, tmp_path, capsys):
    config = init(test_data("aps_tooth/tooth.h5"), tmp_path)
    assert "needed: scan.pixel_size_um\n" in capsys.readouterr().out
    text = config.read_text(encoding="utf-8").replace("pixel_size_um: ", "pixel_size_um: 1.5 ")
    config.write_text(text, encoding="utf-8")
    assert execute(["run", str(config)]) == 0
    result = xct.open_result(tmp_path / "out")
    center = result.summary["center_px"]
    assert 295.5 <= center["value"] <= 296.5
    assert center["confidence"] >= 0.8
    assert result.volume.shape == (2, 640, 640)
    enamel = result.stored_volume.read(0)
    assert np.percentile(enamel, 99) > 5 * np.std(enamel[300:340, 80:160])


def test_the_diad_scan_is_read_and_checked(test_data, tmp_path, capsys):
    config = init(test_data("dls_k11_18014/k11-18014.nxs"), tmp_path)
    config.write_text(
        config.read_text(encoding="utf-8").replace("pixel_size_um: ", "pixel_size_um: 0.5 "),
        encoding="utf-8",
    )
    assert execute(["check", str(config), "--set", "scan.center_px=12.5"]) == 0
    assert "3001 projections of 22 rows × 26 columns" in capsys.readouterr().out


@pytest.mark.slow
def test_the_program_of_the_readme_runs_on_a_cell_of_the_demo(tmp_path, monkeypatch):
    readme = Path(__file__).parents[2] / "README.md"
    program = readme.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    small = ["--shape", "144,144,144", "--angles", "200"]
    assert execute(["phantom", "ncm-100", "--out", "demo/ncm-100", *small]) == 0
    truth = xct.open_result("demo/ncm-100/truth")
    names: dict = {}
    exec(compile(program, "README.md", "exec"), names)
    assert names["volume"].shape == (20, 144, 144)
    center_px = truth.summary["center_px"]["value"]
    assert names["center"].center_px == pytest.approx(center_px, abs=0.15)
    whole = names["result"].stored_volume.read(slice(44, 56))
    np.testing.assert_allclose(names["volume"][4:16].mean(), whole.mean(), rtol=0.05)
    assert set(names["result"].surfaces) == set(SURFACES)


def test_a_bench_that_became_a_study_says_how_it_is_run(tmp_path, capsys):
    assert execute(["bench", "starved", "--out", str(tmp_path)]) == 2
    assert "python -m studies.photon_starved_cathode --size quick" in capsys.readouterr().err


def test_numbers_that_are_known_on_one_side_are_shown_so(tmp_path):
    (tmp_path / "report.html").touch()
    summary = {
        "thickness_um.lithium": {"value": 20.0, "sd": 0.5, "unit": "µm", "bound": "upper"},
        "a_name_that_is_as_long_as_a_column.x": {"value": 3, "unit": "particles"},
    }
    account = {"time_and_memory": {}}
    result = SimpleNamespace(path=tmp_path, summary=summary, account=account, warnings=[])
    text = result_text(result)
    assert "≤ 20.00 ± 0.50 µm" in text
    assert "column.x 3 particles" in text
    assert text.endswith(f"look at {tmp_path / 'report.html'}, or: xct view {tmp_path}")
