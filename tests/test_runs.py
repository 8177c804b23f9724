"""Whole runs: from a raw file to a result, interrupted and continued, by the command."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import yaml
import zarr

import xct
from tests.scans import (
    CENTER_PX,
    COLUMNS,
    DISCS,
    PIXEL_SIZE_UM,
    ROWS,
    line_integrals,
    write_dxchange,
)
from xct.cli.main import execute
from xct.phantom.discs import draw_discs

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")


@pytest.fixture
def scan(tmp_path):
    return write_dxchange(tmp_path / "scan.h5")


@pytest.fixture
def config(tmp_path, scan):
    path = tmp_path / "config.yaml"
    assert execute(["init", str(scan), "--output", str(tmp_path / "out"), "--to", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert "\nrun: {" in text
    path.write_text(text.replace("\nrun: {", "\nrun: {figures: none, "), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The result of a plain run with its configuration beside it; no test changes it."""
    folder = tmp_path_factory.mktemp("plain")
    scan = write_dxchange(folder / "scan.h5")
    path = folder / "config.yaml"
    out = folder / "out"
    assert execute(["init", str(scan), "--output", str(out), "--to", str(path)]) == 0
    assert execute(["run", str(path)]) == 0
    return out


@pytest.fixture
def own(plain, tmp_path):
    """A copy of it with its configuration: `config.yaml`, `scan.h5` and `out`."""
    shutil.copytree(plain.parent, tmp_path / "own")
    path = tmp_path / "own" / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(str(plain.parent), str(path.parent)), encoding="utf-8")
    return path


def every_byte(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_the_volume_holds_the_attenuation_of_the_sample(plain):
    result = xct.open_result(plain)
    volume = result.volume.compute()
    truth = draw_discs(DISCS, COLUMNS) / (PIXEL_SIZE_UM * 1e-4)
    assert volume.shape == (ROWS, COLUMNS, COLUMNS)
    inside = draw_discs(np.array([[24, 36, 9, 1.0]]), COLUMNS) == 1
    assert volume[0][inside].mean() == pytest.approx(truth[inside].mean(), rel=0.02)
    assert result.summary["center_px"]["value"] == pytest.approx(CENTER_PX, abs=0.25)
    assert result.voxel_size_um == PIXEL_SIZE_UM


def test_a_result_is_complete(plain):
    out = plain
    for name in ("summary.json", "run.yaml", "run.log", "report.html", "volume.zarr/zarr.json"):
        assert (out / name).is_file()
    for name in ("slice", "sinogram", "center"):
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (out / "figures" / f"{name}.svg").read_bytes()
    center = json.loads((out / "summary.json").read_text(encoding="utf-8"))["center_px"]
    assert {"value", "sd", "n", "unit", "confidence", "method", "by_method"} <= set(center)
    account = yaml.safe_load((out / "run.yaml").read_text(encoding="utf-8"))
    assert account["configuration"]["steps"]["fbp"]["window"] == "ramp"
    assert account["versions"]["xct"] == xct.__version__
    assert account["time_and_memory"]["fbp"]["peak_memory_mib"] > 0


def test_the_account_of_a_run_can_be_run_again(plain, tmp_path):
    account = yaml.safe_load((plain / "run.yaml").read_text(encoding="utf-8"))
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(account["configuration"]), encoding="utf-8")
    assert execute(["run", str(again), "--set", f"output={tmp_path / 'out2'}"]) == 0
    a, b = (every_byte(out / "volume.zarr") for out in (plain, tmp_path / "out2"))
    assert {k: v for k, v in a.items() if k != "zarr.json"} == {
        k: v for k, v in b.items() if k != "zarr.json"
    }


def test_a_finished_run_is_not_done_again(own):
    written = own.parent / "out" / "volume.zarr" / "zarr.json"
    before = written.stat().st_mtime_ns
    assert execute(["run", str(own)]) == 0
    assert written.stat().st_mtime_ns == before
    assert execute(["run", str(own), "--restart"]) == 0
    assert written.stat().st_mtime_ns > before


def test_uint16_gives_the_same_attenuation(config, plain, tmp_path):
    changes = ["--set", "run.dtype=uint16", "--set", f"output={tmp_path / 'out16'}"]
    assert execute(["run", str(config), *changes]) == 0
    coded = xct.open_result(tmp_path / "out16").stored_volume
    values = xct.open_result(plain).stored_volume.read()
    assert coded.array.dtype == np.uint16
    np.testing.assert_allclose(coded.read(), values, atol=0.51 * coded.coding.slope)


def test_more_workers_or_smaller_slabs_do_not_change_a_byte(config, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        changes = ["--set", f"run.workers={workers}", "--set", f"output={tmp_path / name}"]
        assert execute(["run", str(config), *changes, "--set", "cell.name=x"]) == 0
    assert every_byte(tmp_path / "one/volume.zarr") == every_byte(tmp_path / "two/volume.zarr")


def test_frames_that_are_read_whole_give_the_same_volume(config, scan, plain, tmp_path):
    by_frame = tmp_path / "by_frame.h5"
    with h5py.File(scan) as old, h5py.File(by_frame, "w") as new:
        for name in ("data", "data_white", "data_dark"):
            data = old[f"exchange/{name}"][:]
            chunks = (1, *data.shape[1:])
            new.create_dataset(f"exchange/{name}", data=data, chunks=chunks, compression="gzip")
        new["exchange/theta"] = old["exchange/theta"][:]
    changes = ["--set", f"scan.file={by_frame}", "--set", f"scan.pixel_size_um={PIXEL_SIZE_UM}"]
    assert execute(["run", str(config), *changes, "--set", f"output={tmp_path / 'out'}2"]) == 0
    a, b = (xct.open_result(out).stored_volume.read() for out in (plain, tmp_path / "out2"))
    np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "out2" / ".xct" / "frames.zarr").exists()


def test_a_folder_of_frames_gives_the_same_volume(scan, plain, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    with h5py.File(scan) as file:
        for kind, name in (("proj", "data"), ("flat", "data_white"), ("dark", "data_dark")):
            for number, frame in enumerate(file[f"exchange/{name}"][:]):
                tifffile.imwrite(folder / f"{kind}_{number:05d}.tif", frame)
        np.savetxt(folder / "theta_deg.txt", file["exchange/theta"][:])
    own = tmp_path / "frames.yaml"
    assert execute(["init", str(folder), "--output", f"{tmp_path}/out2", "--to", str(own)]) == 0
    change = ["--set", f"scan.pixel_size_um={PIXEL_SIZE_UM}"]
    assert execute(["check", str(own), *change]) == 0
    assert execute(["run", str(own), *change]) == 0
    a, b = (xct.open_result(out).stored_volume.read() for out in (plain, tmp_path / "out2"))
    np.testing.assert_array_equal(a, b)


def test_a_given_axis_is_taken_and_said(config, tmp_path):
    assert execute(["run", str(config), "--set", f"scan.center_px={CENTER_PX}"]) == 0
    center = xct.open_result(tmp_path / "out").summary["center_px"]
    assert center == {"value": CENTER_PX, "unit": "px", "method": "configuration"}
    assert "find_center is skipped" in (tmp_path / "out" / "run.log").read_text(encoding="utf-8")


def test_until_and_keep_write_what_otherwise_passes_through(config, tmp_path):
    arguments = ["run", str(config), "--until", "line_integrals", "--keep", "transmission"]
    assert execute(arguments) == 0
    out = tmp_path / "out"
    assert not (out / "volume.zarr").exists()
    integrals, transmission = (
        zarr.open_array(out / f"{name}.zarr", mode="r")
        for name in ("line_integrals", "transmission")
    )
    np.testing.assert_allclose(integrals[:], -np.log(transmission[:]), rtol=1e-4, atol=1e-5)
    assert integrals.metadata.dimension_names == ("angle", "row", "column")


def test_roi_and_bin_move_the_axis_with_them(config, tmp_path):
    changes = ["--set", "scan.bin=2", "--set", "scan.roi.column=[2, 186]"]
    assert execute(["run", str(config), *changes]) == 0
    result = xct.open_result(tmp_path / "out")
    assert result.summary["center_px"]["value"] == pytest.approx(
        (CENTER_PX - 2 - 0.5) / 2, abs=0.25
    )
    assert result.volume.shape == (ROWS // 2, 92, 92)
    assert result.voxel_size_um == 2 * PIXEL_SIZE_UM


def test_tiff_export_holds_values_and_voxel_size(plain, tmp_path):
    volume = xct.open_result(plain).stored_volume.read()
    out, tiffs = str(plain), tmp_path / "tiffs"
    assert execute(["export", out, "--tiff", str(tiffs)]) == 0
    files = sorted(tiffs.iterdir())
    np.testing.assert_array_equal(tifffile.imread(files), volume)
    with tifffile.TiffFile(files[3]) as file:
        assert file.imagej_metadata["unit"] == "micron"
        assert file.imagej_metadata["spacing"] == PIXEL_SIZE_UM
    sixteen = ["export", out, "--tiff", str(tmp_path / "t16"), "--bits", "16", "--window=-300,500"]
    assert execute(sixteen) == 0
    with tifffile.TiffFile(sorted((tmp_path / "t16").iterdir())[3]) as file:
        codes, facts = file.asarray(), file.imagej_metadata
    np.testing.assert_allclose(
        codes * facts["c1"] + facts["c0"], volume[3], atol=0.51 * facts["c1"]
    )


def start(config, *more):
    command = [sys.executable, "-m", "xct.cli.main", "run", str(config), *more]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, encoding="utf-8", preexec_fn=heed_interrupts
    )


def heed_interrupts():
    """Undo what a shell does to what it starts in the background: to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def long_config(tmp_path_factory):
    """A run of many slabs, long enough to be interrupted."""
    folder = tmp_path_factory.mktemp("long")
    scan = write_dxchange(folder / "scan.h5", line_integrals(rows=160))
    path = folder / "config.yaml"
    small = "run: {memory_gib: 0.69, figures: none}"
    text = f"scan: {{file: {scan}}}\ncell: {{name: x}}\noutput: whole\n{small}\n"
    path.write_text(text, encoding="utf-8")
    assert execute(["run", str(path)]) == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(long_config, how, code):
    out = long_config.parent / f"cut-{how}"
    change = f"output={out}"
    process = start(long_config, "--set", change)
    wait_for(lambda: list(out.glob(".xct/slab-*.json")), process)
    process.send_signal(how)
    process.send_signal(how)  # as make and a terminal both send it
    message = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "Traceback" not in message
    finished = {p.name for p in out.glob(".xct/slab-*.json")}
    assert execute(["run", str(long_config), "--set", change]) == 0
    assert every_byte(out / "volume.zarr") == every_byte(long_config.parent / "whole/volume.zarr")
    log = (out / "run.log").read_text(encoding="utf-8")
    assert log.count("continuing an interrupted run") == 1
    assert finished, "nothing was finished before the interruption"


def wait_for(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 60 MB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_with_one_line_and_loses_nothing(long_config, small_disk):
    out = small_disk / "out"
    process = start(long_config, "--set", f"output={out}")
    wait_for(lambda: list(out.glob(".xct/slab-*.json")), process)
    try:
        with (small_disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(2**16))
    except OSError:
        pass
    message = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert re.search(r"error: the disk below .*out is full; what was finished is kept", message)
    assert "Traceback" not in message
    assert list(out.glob(".xct/slab-*.json"))
    (small_disk / "filler").unlink()
    assert execute(["run", str(long_config), "--set", f"output={out}"]) == 0
    assert every_byte(out / "volume.zarr") == every_byte(long_config.parent / "whole/volume.zarr")


def test_a_file_that_breaks_off_while_it_is_read_is_named(config, scan, tmp_path, capfd):
    """A checksum error in one frame is seen only when that frame is read."""
    with h5py.File(scan, "r+") as file:
        data = file["exchange/data"][:]
        del file["exchange/data"]
        made = file.create_dataset(
            "exchange/data",
            data=data,
            chunks=(1, *data.shape[1:]),
            compression="gzip",
            fletcher32=True,
        )
        place = made.id.get_chunk_info(17).byte_offset
    with scan.open("r+b") as file:
        file.seek(place + 40)
        file.write(b"spoiled")
    assert execute(["run", str(config)]) == 1
    error = capfd.readouterr().err
    assert re.search(r"error: .*scan\.h5.*frame", error), error
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_run_continued_in_other_slabs_counts_every_value_once(long_config):
    out = long_config.parent / "recut"
    process = start(long_config, "--set", f"output={out}", "--set", "run.workers=4")
    wait_for(lambda: list(out.glob(".xct/slab-*.json")), process)
    process.kill()
    process.communicate()
    change = ["--set", f"output={out}", "--set", "run.memory_gib=0.75"]
    assert execute(["run", str(long_config), *change]) == 0
    whole, again = (
        xct.open_result(long_config.parent / name).summary for name in ("whole", "recut")
    )
    for name in ("dead_pixels", "outliers", "nonpositive_transmission"):
        assert again[name] == whole[name]


def test_an_axis_that_is_too_uncertain_can_be_given_in_the_same_folder(config, scan, tmp_path):
    with h5py.File(scan, "r+") as file:
        data = file["exchange/data"]
        data[...] = np.random.default_rng(0).normal(15_000, 100, data.shape).astype(np.uint16)
    assert execute(["run", str(config)]) == 1
    assert (tmp_path / "out" / "figures" / "center.png").is_file()
    assert execute(["run", str(config), "--set", f"scan.center_px={CENTER_PX}"]) == 0


def test_a_scan_may_be_moved_between_two_halves_of_a_run(own, tmp_path):
    moved = (own.parent / "scan.h5").rename(tmp_path / "moved.h5")
    assert execute(["run", str(own), "--set", f"scan.file={moved}"]) == 0
