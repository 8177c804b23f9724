"""Measuring steps: kept one by one, resumed, and left out where what they need is missing."""

import errno
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

import xct
from xct.cli.main import execute
from xct.errors import ConfigError, DataError, RunError, XctError
from xct.io.labels import open_labels
from xct.io.volumes import Volume
from xct.parallel.sweeps import Sweep, sweeping
from xct.pipeline import measurement
from xct.quantity import QUANTITIES, Quantity
from xct.stages import STAGES, Stage, load_stages

SIZE_UM = [2.0, 1.0, 1.0]


@pytest.fixture
def values():
    return np.random.default_rng(1).normal(5, 1, (20, 12, 14)).astype(np.float32)


@pytest.fixture
def config(tmp_path, values):
    """A volume of another program, and a recipe of one's own."""
    tifffile.imwrite(tmp_path / "volume.tif", values, photometric="minisblack")
    (tmp_path / "recipe.yaml").write_text(
        "- mean_by_slice: {}\n- dense: {above: 5}\n", encoding="utf-8"
    )
    return {
        "volume": {"file": str(tmp_path / "volume.tif"), "voxel_size_um": SIZE_UM},
        "pipeline": str(tmp_path / "recipe.yaml"),
        "output": str(tmp_path / "out"),
    }


@pytest.fixture
def calls(monkeypatch):
    """Two stages, known only to the test; the list says which ran."""
    ran = []

    def mean_by_slice(volume, *, voxel_size_um):
        """Average slices."""
        ran.append("mean_by_slice")
        z = np.arange(volume.shape[0]) * voxel_size_um[0]
        return pd.DataFrame({"z_um": z, "mean": volume[:].mean(axis=(1, 2))})

    def dense(volume, table, into, *, above: float = 0.0):
        """Label what is dense."""
        ran.append("dense")
        into[:] = (volume[:] > above).astype(np.uint8)
        return into

    load_stages()
    monkeypatch.setitem(
        STAGES, "mean_by_slice", Stage(mean_by_slice, ("table",), (), measures=True)
    )
    monkeypatch.setitem(STAGES, "dense", Stage(dense, ("labels",), (), measures=True))
    return ran


def test_a_foreign_volume_is_copied_measured_and_labelled(config, calls, values, tmp_path):
    result = xct.run(config)
    np.testing.assert_array_equal(result.stored_volume[:], values)
    assert result.stored_volume.voxel_size_um == tuple(SIZE_UM)
    table = result.tables["table"]
    np.testing.assert_allclose(table["z_um"], 2.0 * np.arange(20))
    np.testing.assert_allclose(table["mean"], values.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(result.labels("materials")[:], values > 5)
    assert calls == ["mean_by_slice", "dense"]
    assert result.account["input"]["layout"] == "TIFF stack"


def test_the_account_of_a_measuring_run_can_be_run_again(config, calls, tmp_path):
    account = xct.run(config).account["configuration"]
    again = xct.run(account | {"output": str(tmp_path / "again")})
    assert len(again.tables["table"]) == 20


def test_a_step_that_cannot_work_says_why_and_the_others_go_on(config, calls, monkeypatch):
    def refuse(volume):
        """Refuse."""
        raise DataError("there is no lithium: its grey value does not occur")

    monkeypatch.setitem(STAGES, "mean_by_slice", Stage(refuse, ("table",), (), measures=True))

    def count(volume):
        """Count."""
        return pd.DataFrame({"n": [1], "volume_um3": [2.0]})

    monkeypatch.setitem(STAGES, "count", Stage(count, ("inclusions",), (), measures=True))
    with open(config["pipeline"], "a", encoding="utf-8") as recipe:
        recipe.write("- count: {}\n")
    result = xct.run(config)
    said = {(w["step"], w["message"]) for w in result.warnings}
    assert ("refuse", "there is no lithium: its grey value does not occur") in said
    assert ("dense", "left out: there is no table") in said
    assert list(result.tables["inclusions"]["n"]) == [1]


def test_a_fault_of_a_step_is_not_shown_as_a_refusal_of_the_data(config, calls, monkeypatch):
    def faulty(volume):
        """Be wrong."""
        return np.zeros(3) + np.zeros(4)  # ValueError: operands could not be broadcast

    monkeypatch.setitem(STAGES, "mean_by_slice", Stage(faulty, ("table",), (), measures=True))
    with open(config["pipeline"], "a", encoding="utf-8") as recipe:
        recipe.write("- count: {}\n")

    def count(volume):
        """Count."""
        return pd.DataFrame({"n": [1], "volume_um3": [2.0]})

    monkeypatch.setitem(STAGES, "count", Stage(count, ("inclusions",), (), measures=True))
    result = xct.run(config)
    [said] = [w["message"] for w in result.warnings if w["step"] == "faulty"]
    assert said.startswith(
        "left out: a fault of the program, not of the data (ValueError: operands"
    )
    assert "\n" not in said
    assert "Traceback" in (result.path / "run.log").read_text(encoding="utf-8")
    assert list(result.tables["inclusions"]["n"]) == [1]


def test_a_step_is_left_out_where_something_it_rests_on_is_wrong_and_that_is_said_first(
    config, calls, monkeypatch
):
    def too_dark(table):
        """Say what is wrong."""
        return "there is no light: nothing can be told"

    monkeypatch.setitem(
        QUANTITIES, "too_dark", Quantity("too_dark", source="run", derive=too_dark, basis=True)
    )
    dense = STAGES["dense"]
    monkeypatch.setitem(STAGES, "dense", replace(dense, rests_on=("too_dark",)))
    result = xct.run(config)
    assert calls == ["mean_by_slice"]
    said = [(w["step"], w["message"]) for w in result.warnings]
    assert said[0] == ("too_dark", "there is no light: nothing can be told")
    assert ("dense", "left out: there is no light") in said


def test_what_is_measured_is_not_measured_again_after_an_interruption(
    config, calls, monkeypatch, tmp_path
):
    dense = STAGES["dense"]

    def interrupted(volume, table, into, *, above: float = 0.0):
        """Be interrupted."""
        into[:10] = 1
        raise KeyboardInterrupt

    monkeypatch.setitem(STAGES, "dense", Stage(interrupted, ("labels",), (), measures=True))
    interrupted.__name__ = "dense"
    with pytest.raises(KeyboardInterrupt):
        xct.run(config)
    with pytest.raises(XctError, match=r"materials: these labels are not finished"):
        open_labels(tmp_path / "out" / "volume.zarr", "materials")
    monkeypatch.setitem(STAGES, "dense", dense)
    result = xct.run(config)
    assert calls == ["mean_by_slice", "dense"]
    assert len(result.tables["table"]) == 20


def test_labels_of_a_step_that_gave_up_halfway_are_not_kept(config, calls, monkeypatch, tmp_path):
    def dense(volume, table, into, *, above: float = 0.0):
        """Give up."""
        into[:10] = 1
        raise DataError("the rest cannot be told apart")

    monkeypatch.setitem(STAGES, "dense", Stage(dense, ("labels",), (), measures=True))
    result = xct.run(config)
    assert "the rest cannot be told apart" in [w["message"] for w in result.warnings]
    with pytest.raises(XctError, match="there are no such labels"):
        result.labels("materials")
    group = json.loads((result.path / "volume.zarr/labels/zarr.json").read_text(encoding="utf-8"))
    assert group["attributes"]["ome"]["labels"] == []


def test_labels_lie_beside_the_volume_as_other_readers_expect(config, calls, tmp_path):
    xct.run(config)
    volume = tmp_path / "out" / "volume.zarr"
    group = json.loads((volume / "labels" / "zarr.json").read_text(encoding="utf-8"))
    assert group["attributes"]["ome"]["labels"] == ["materials"]
    label = json.loads((volume / "labels" / "materials" / "zarr.json").read_text(encoding="utf-8"))
    [scale] = label["attributes"]["ome"]["multiscales"]
    assert scale["datasets"][0]["coordinateTransformations"][0]["scale"] == SIZE_UM
    assert open_labels(volume, "materials").dtype == np.uint8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scan": {"file": "raw.h5"}}, "stands beside scan"),
        ({"volume": {"file": "none.tif"}}, "no file matches"),
        ({"volume": {"file": "volume.tif", "voxel_size_um": [1, 1]}}, "voxel_size_um"),
        ({"volume": {"file": "volume.tif", "quantity": "gray"}}, "quantity"),
        ({"pipeline": "reconstruct"}, "needs projections, which no earlier step gives"),
        ({"rois": "none.yaml"}, "rois"),
        ({"cell": {"pristine": "nowhere"}}, "run the pristine cell first"),
    ],
)
def test_mistakes_of_a_configuration_with_a_volume_are_named(
    config, calls, change, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        xct.run(config | change)
    assert not (tmp_path / "out").exists()


def test_check_says_what_a_volume_is_and_needs(config, calls, tmp_path, capsys):
    import yaml

    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert execute(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "TIFF stack: 20 × 12 × 14 voxels (z × y × x) of 2 × 1 × 1 µm" in said
    assert "steps: mean_by_slice → dense" in said


def test_a_run_that_goes_on_ends_with_the_same_numbers(config, calls, monkeypatch, tmp_path):
    whole = xct.run(config | {"output": str(tmp_path / "whole")})
    dense = STAGES["dense"]

    def interrupted(volume, table, into, *, above: float = 0.0):
        """Be interrupted."""
        raise KeyboardInterrupt

    interrupted.__name__ = "dense"
    monkeypatch.setitem(STAGES, "dense", Stage(interrupted, ("labels",), (), measures=True))
    with pytest.raises(KeyboardInterrupt):
        xct.run(config)
    monkeypatch.setitem(STAGES, "dense", dense)
    resumed = xct.run(config)
    for file in ("summary.json", "tables/table.csv"):
        assert (resumed.path / file).read_bytes() == (whole.path / file).read_bytes()


def means(block, values):
    return values.mean(axis=(1, 2))


def refusal(block, values):
    raise DataError("this volume is not for me")


@sweeping
def by_slice(volume):
    """Average slices."""
    found = yield Sweep(volume, means)
    return pd.DataFrame({"mean": np.concatenate(found)})


@sweeping
def over_all(volume):
    """Average all."""
    found = yield Sweep(volume, means)
    return pd.DataFrame({"mean": [np.concatenate(found).mean()]})


@sweeping
def refused(volume):
    """Refuse what it reads."""
    found = yield Sweep(volume, refusal)
    return pd.DataFrame(found)


def after(table):
    """Need what the first gave."""
    return pd.DataFrame({"n": [len(table)]})


@pytest.fixture
def sweepers(config, tmp_path, monkeypatch):
    """Steps that sweep, one that refuses, and one that needs an answer of theirs."""
    load_stages()
    for function, gives in (
        (by_slice, "table"), (refused, "inclusions"),
        (over_all, "charge"), (after, "plane_transmission"),
    ):  # fmt: skip
        made = Stage(function, (gives,), (), measures=True)
        monkeypatch.setitem(STAGES, function.__name__, made)
    return config | {"pipeline": str(tmp_path / "recipe.yaml")}


def recipe(config, *names):
    with open(config["pipeline"], "w", encoding="utf-8") as file:
        file.writelines(f"- {name}: {{}}\n" for name in names)
    return config


@pytest.fixture
def reads(monkeypatch):
    """Voxels that are read while a step measures, by slice."""
    counted, codes = [], Volume.codes

    def watched(volume, index=...):
        values = codes(volume, index)
        counted.append(values.size)
        return values

    monkeypatch.setattr(Volume, "codes", watched)
    return counted


def test_steps_that_sweep_share_a_pass_until_one_needs_an_answer(sweepers, values, reads):
    result = xct.run(recipe(sweepers, "by_slice", "over_all", "after"))
    assert sum(reads) == values.size + values[0].size  # and the slice that is drawn
    np.testing.assert_allclose(result.tables["table"]["mean"], values.mean(axis=(1, 2)), rtol=1e-5)
    assert result.tables["charge"]["mean"][0] == pytest.approx(values.mean(), rel=1e-5)
    assert list(result.tables["plane_transmission"]["n"]) == [20]
    assert {"by_slice", "over_all", "after"} <= set(result.account["time_and_memory"])


def test_a_step_that_refuses_what_it_reads_takes_no_other_with_it(sweepers, values):
    result = xct.run(recipe(sweepers, "by_slice", "refused", "over_all"))
    said = [w for w in result.warnings if w["step"] == "refused"]
    assert [w["message"] for w in said] == ["this volume is not for me"]
    assert result.tables["charge"]["mean"][0] == pytest.approx(values.mean(), rel=1e-5)
    assert len(result.tables["table"]) == 20


def rot(path):
    """Flip a bit; the time of the file stays."""
    data, times = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_longer_run_goes_on_behind_the_last_step_of_a_shorter_one(config, calls, tmp_path):
    xct.run(config, until="mean_by_slice")
    before = (tmp_path / "out" / "volume.zarr" / "zarr.json").stat().st_mtime_ns
    result = xct.run(config)
    assert calls == ["mean_by_slice", "dense"]
    assert result.labels("materials")[:].any()
    assert (tmp_path / "out" / "volume.zarr" / "zarr.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("part", "step"),
    [
        ("volume.zarr/labels/materials", "dense"),
        ("volume.zarr/labels/materials/0/c/0/0/0", "dense"),
        ("tables/table.csv", "mean_by_slice"),
    ],
)
def test_what_was_deleted_is_measured_again_and_nothing_else(config, calls, tmp_path, part, step):
    before = xct.run(config)
    labels, table = before.labels("materials")[:], before.tables["table"]
    place = tmp_path / "out" / part
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    calls.clear()
    after = xct.run(config)
    assert calls == [step]
    np.testing.assert_array_equal(after.labels("materials")[:], labels)
    pd.testing.assert_frame_equal(after.tables["table"], table)


def test_a_volume_that_rots_is_not_measured(config, calls, tmp_path):
    """Not a value is withheld for it, and none is wrong: the run ends, and then mends it."""
    xct.run(config, until="mean_by_slice")
    out = tmp_path / "out"
    rot(out / "volume.zarr" / "0" / "c" / "0" / "0" / "0")
    with pytest.raises(RunError, match=r"checksum says that a file is damaged.*xct verify"):
        xct.run(config)
    assert execute(["verify", str(out)]) == 1
    xct.run(config)
    assert execute(["verify", str(out)]) == 0


def test_a_full_disk_while_measuring_loses_no_step(config, calls, monkeypatch):
    saved = measurement.save

    def save_once(folder, quantity, *more):
        if quantity.name == "labels":
            raise OSError(errno.ENOSPC, "No space left on device")
        saved(folder, quantity, *more)

    with monkeypatch.context() as patch:
        patch.setattr(measurement, "save", save_once)
        with pytest.raises(RunError, match=r"is full; what was finished is kept"):
            xct.run(config)
    xct.run(config)
    assert calls == ["mean_by_slice", "dense", "dense"]
