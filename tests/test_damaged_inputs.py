"""Damaged and odd inputs: refused in words, soon, without much memory (docs/faults.md)."""

import io
import os
import shutil
import time
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

import xct
from studies.fuzzed_inputs.kinds import Kind, kinds_below, write_example_classifier
from studies.fuzzed_inputs.trying import faults
from tests.scans import DISCS, line_integrals, write_dxchange
from xct.cli.main import execute
from xct.geometry import Surface
from xct.io.convert import convert
from xct.io.journal import DamagedNote, Journal, read_note, write_note
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.io.volumes import Coding, create_volume, write_slab
from xct.result import Result
from xct.segment.material.classifier_files import read_classifier

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")

TINY = line_integrals(
    rows=4, columns=16, angles=12, discs=DISCS * [0.08, 0.08, 0.08, 1], center_px=7.5
)
FACTS = "pixel_size_um: 2.0, theta_deg: {first: 0, last: 165, count: 12}"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder for each kind of scan, each with a configuration, and one with other files."""
    folder = tmp_path_factory.mktemp("inputs")
    scans = {"dxchange": "file: scan.h5", "nxtomo": "file: scan.h5"}
    scans["tiff"] = f"projections: proj.tif, flats: flats.tif, {FACTS}"
    for name, scan in scans.items():
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text(
            f"scan: {{{scan}}}\noutput: out\n", encoding="utf-8"
        )
    write_dxchange(folder / "dxchange" / "scan.h5", TINY)
    read = xct.read_scan(folder / "dxchange" / "scan.h5")
    convert(read, folder / "nxtomo" / "scan.h5", "nxtomo")
    for name, count in (("proj", 12), ("flats", 2)):
        frames = np.random.default_rng(0).integers(900, 1000, (count, 4, 16)).astype(np.uint16)
        tifffile.imwrite(folder / "tiff" / f"{name}.tif", frames, photometric="minisblack")
    zarr = folder / "zarr"
    zarr.mkdir()
    create_volume(zarr / "volume.zarr", (16, 16, 16), 2.0, Coding(), "x")
    write_slab(zarr / "volume.zarr", 0, np.ones((16, 16, 16), np.float32))
    text = "volume: {file: volume.zarr}\npipeline: analyze\noutput: out\n"
    (zarr / "config.yaml").write_text(text, encoding="utf-8")
    files = folder / "files"
    files.mkdir()
    (files / "rois.yaml").write_text(
        "rois:\n  - {name: a, shape: box, z_um: [0, 5]}\n", encoding="utf-8"
    )
    (files / "table.csv").write_text("roi,z_um\na,1.5\nb,2\n", encoding="utf-8")
    write_example_classifier(files / "classifier.npz")
    result = shutil.copytree(folder / "dxchange", folder / "result")
    journal = Journal(result / "out")
    shutil.copytree(zarr / "volume.zarr", result / "out" / "volume.zarr")
    journal.folder.mkdir()
    journal.write("identity", {"format": 2, "steps": [], "measurements": [], "keep": []})
    journal.write_product("volume.zarr")
    journal.write("slab-0", {"stop": 16}, (result / "out").rglob("c/*/0/0"))
    return folder


def test_every_damaged_input_is_refused_in_words(inputs, tmp_path):
    """On seeds that nothing was mended by; `python -m studies.fuzzed_inputs` tries many more."""
    found, tried = [], 0
    for kind in kinds_below(inputs):
        count = 40 if kind.file == "scan.h5" else 5
        listed = list(faults(kind, range(10_000, 10_000 + count), tmp_path))
        found += [(kind.name, *one) for one in listed]
        tried += count
    assert found == []
    assert tried >= 200


def test_a_reader_that_hangs_or_fails_would_be_found(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.fuzzed_inputs.trying.MOST_WAITING", 1)

    def read(place):
        if (place / "table.csv").stat().st_size % 2:
            time.sleep(30)
        raise KeyError("damaged")

    kind = Kind("bad", inputs / "files", "table.csv", read)
    why = [text for _, text in faults(kind, range(3), tmp_path)]
    assert len(why) == 3
    assert all("KeyError" in text or "ended the process with -14" in text for text in why)


def check(folder, scan, capfd):
    """Check a configuration of a scan; give what is said, and the seconds."""
    path = folder / "config.yaml"
    path.write_text(f"scan: {{{scan}, {FACTS}}}\noutput: out\n", encoding="utf-8")
    begun = time.monotonic()
    assert execute(["check", str(path)]) in (1, 2)
    return capfd.readouterr().err, time.monotonic() - begun


@pytest.mark.parametrize("kind", ["pipe", "zeros"])
@pytest.mark.parametrize("key", ["file", "theta_deg", "flats"])
def test_pipes_and_devices_are_not_waited_for(inputs, tmp_path, capfd, kind, key):
    odd = tmp_path / "odd.h5"
    os.mkfifo(odd) if kind == "pipe" else odd.symlink_to("/dev/zero")
    shutil.copy(inputs / "dxchange" / "scan.h5", tmp_path)
    path = tmp_path / "config.yaml"
    section = {"file": "scan.h5", key: "{file: odd.h5, path: /a}" if key == "flats" else "odd.h5"}
    listed = ", ".join(f"{name}: {value}" for name, value in section.items())
    path.write_text(f"scan: {{{listed}}}\noutput: out\n", encoding="utf-8")
    assert execute(["check", str(path)]) == 2
    assert "odd.h5" in capfd.readouterr().err


def test_sizes_that_are_only_declared_are_not_read(inputs, tmp_path, capfd):
    path = tmp_path / "scan.h5"
    shutil.copy(inputs / "dxchange" / "scan.h5", path)
    with h5py.File(path, "r+") as file:
        del file["exchange/theta"]
        form = {"chunks": (2**20,), "compression": "gzip"}
        file.create_dataset("exchange/theta", (2**33,), "f4", **form)
    (tmp_path / "config.yaml").write_text("scan: {file: scan.h5}\noutput: out\n", encoding="utf-8")
    assert execute(["check", str(tmp_path / "config.yaml")]) == 2
    assert r"/exchange/theta says that it has the shape (8589934592,)" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 100_000, "- " * 50_000, "? " * 20_000])
def test_brackets_without_end_are_refused_at_once(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    begun = time.monotonic()
    assert execute(["check", str(path)]) == 2
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "//" * 3000])
def test_names_that_no_disk_holds_are_refused(tmp_path, capfd, name):
    said, _ = check(tmp_path, f"file: {name!r}".replace("\0", "\\0").replace("'", '"'), capfd)
    assert said.startswith("error:")


def test_a_classifier_that_would_unpack_to_more_than_memory_is_refused(inputs, tmp_path):
    path, header = tmp_path / "classifier.npz", io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 8)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features.npy", header.getvalue())
    with pytest.raises(xct.errors.XctError, match=r"says that it has the shape \(1099511627776, 8"):
        read_classifier(path)


def test_damaged_surfaces_of_a_result_are_refused_in_words(tmp_path):
    path = tmp_path / "surfaces.zarr"
    maps = {"a": Surface(np.full((8, 8), 2, np.float32), np.ones((8, 8), np.float32), "drawn")}
    write_surfaces(path, maps, (1.0, 1.0))
    assert list(read_surfaces(path)) == ["a"]
    for file in ("a/c/0/0", "a/zarr.json", "zarr.json"):
        whole = (path / file).read_bytes()
        (path / file).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(xct.errors.XctError, match=r"surfaces\.zarr: is damaged .*xct verify"):
            read_surfaces(path)
        (path / file).write_bytes(whole)
    assert list(read_surfaces(path)) == ["a"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_note_with_a_number_that_no_note_holds_is_damaged(tmp_path, value):
    write_note(tmp_path / "x.json", {"a": 7.25}, tmp_path)
    assert read_note(tmp_path / "x.json").value == {"a": 7.25}
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    (tmp_path / "x.json").write_text(text.replace("7.25", value), encoding="utf-8")
    with pytest.raises(DamagedNote):
        read_note(tmp_path / "x.json")


def test_a_damaged_grey_scale_of_a_result_is_refused_in_words(tmp_path):
    (tmp_path / "run.yaml").write_text(
        "configuration: {cell: {grey_scale: {1e999: 2}}}", encoding="utf-8"
    )
    with pytest.raises(xct.errors.XctError, match=r"run\.yaml: is damaged"):
        _ = Result(tmp_path).grey_scale
