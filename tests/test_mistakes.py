"""Mistakes: each row a mistake, the line that the user sees, and the exit code."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import yaml

from tests.scans import ANGLES, COLUMNS, PIXEL_SIZE_UM, ROWS, write_dxchange
from xct.cli.main import execute


class Scene:
    """A scan, a configuration and a recipe that are right, to be spoiled by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scan = write_dxchange(folder / "scan.h5")
        self.config = {"scan": {"file": "scan.h5"}, "output": "out"}
        self.text: str | None = None
        self.lock = None

    def write(self) -> str:
        path = self.folder / "config.yaml"
        path.write_text(self.text or yaml.safe_dump(self.config), encoding="utf-8")
        return str(path)

    def set(self, **facts):
        self.config["scan"] |= facts

    def recipe(self, *steps):
        (self.folder / "own.yaml").write_text(yaml.safe_dump(list(steps)), encoding="utf-8")
        self.config["pipeline"] = "own.yaml"

    def change(self, name, values):
        with h5py.File(self.scan, "r+") as file:
            attributes = dict(file[name].attrs)
            del file[name]
            file[name] = values
            file[name].attrs.update(attributes)

    def data(self, name):
        with h5py.File(self.scan) as file:
            return file[name][:]

    def remove(self, name):
        with h5py.File(self.scan, "r+") as file:
            del file[name]

    def tiffs(self, **kinds):
        (self.folder / "tif").mkdir(exist_ok=True)
        for kind, frames in kinds.items():
            for number, frame in enumerate(frames):
                path = self.folder / "tif" / f"{kind}_{number:04d}.tif"
                tifffile.imwrite(path, frame, photometric="minisblack")
        self.config["scan"] = {
            "projections": "tif/proj_*.tif",
            "flats": "tif/flat_*.tif",
            "darks": "tif/dark_*.tif",
            "theta_deg": {"first": 0, "last": 179, "count": ANGLES},
            "pixel_size_um": PIXEL_SIZE_UM,
        }


STEPS = [
    {"flat_field": {}}, {"fill_dead_pixels": {}}, {"outliers": {}}, {"line_integrals": {}},
    {"fill_nonpositive": {}}, {"stripes": {}}, {"find_center": {}}, {"fbp": {}},
]  # fmt: skip


def without(*names):
    return [step for step in STEPS if next(iter(step)) not in names]


def moved(name, place):
    steps = without(name)
    steps.insert(place, {name: {}})
    return steps


def truncate(path, keep=0.6):
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * keep))


def frames(count, value=1000, shape=(ROWS, COLUMNS), dtype=np.uint16):
    return [np.full(shape, value, dtype) for _ in range(count)]


def with_tiffs(scene, **other):
    kinds = {"proj": frames(ANGLES), "flat": frames(3, 2000), "dark": frames(3, 50)}
    scene.tiffs(**(kinds | other))


# --- mistakes in the configuration ---------------------------------------------------------
def misspelt_section(s):
    s.config["scna"] = s.config.pop("scan")


def misspelt_key(s):
    s.set(pixle_size_um=1.3)


def wrong_type(s):
    s.set(bin="two")


def out_of_range(s):
    s.set(energy_kev=-25)


def not_a_number(s):
    s.text = "scan: {file: scan.h5, energy_kev: .nan}\noutput: out\n"


def repeated_key(s):
    s.text = "scan: {file: scan.h5}\noutput: a\noutput: b\n"


def broken_yaml(s):
    s.text = "scan: {file: scan.h5\noutput: out\n"


def code_in_yaml(s):
    s.text = "scan: !!python/object/apply:os.system ['true']\noutput: out\n"


def empty_file(s):
    s.text = "# nothing\n"


def no_output(s):
    del s.config["output"]


def two_sources(s):
    s.set(projections="a_*.tif")


def no_source(s):
    s.config["scan"] = {"bin": 1}


def empty_roi(s):
    s.set(roi={"row": [9, 3]})


def unknown_recipe(s):
    s.config["pipeline"] = "reconstrct"


def missing_recipe(s):
    s.config["pipeline"] = "own.yaml"


def unknown_step_overruled(s):
    s.config["steps"] = {"fpb": {"window": "hann"}}


def misspelt_setting(s):
    s.config["steps"] = {"fbp": {"windw": "hann"}}


def unknown_choice(s):
    s.config["steps"] = {"fbp": {"window": "ham"}}


def setting_out_of_range(s):
    s.config["steps"] = {"fbp": {"cutoff": 2.5}}


def unknown_dtype(s):
    s.config["run"] = {"dtype": "int8"}


def endless_number(s):
    s.text = "scan: {file: scan.h5, theta_deg: {first: 0, last: 1e308, count: 5}}\noutput: o\n"


def too_many_angles(s):
    s.set(theta_deg={"first": 0, "last": 180, "count": 10**13})


def deep_nesting(s):
    s.text = "scan: " + "[" * 3000


def strange_key(s):
    s.text = "? [a]\n: b\nscan: {file: scan.h5}\noutput: out\n"


def minutes_as_number(s):
    s.text = "scan: {file: scan.h5, pixel_size_um: 1:30}\noutput: out\n"


def unit_in_number(s):
    s.text = "scan: {file: scan.h5, energy_kev: 25 keV}\noutput: out\n"


def ev_for_kev(s):
    s.text = "scan: {file: scan.h5, energy_kev: 25000}\noutput: out\n"


def decimal_comma(s):
    s.text = "scan:\n  file: scan.h5\n  pixel_size_um: 1,3\noutput: out\n"


def decimal_comma_in_braces(s):
    s.text = "scan: {file: scan.h5, pixel_size_um: 1,3}\noutput: out\n"


def tab(s):
    s.text = "scan:\n\tfile: scan.h5\noutput: out\n"


def infinite_setting(s):
    s.text = "scan: {file: scan.h5}\nsteps: {outliers: {threshold: .inf}}\noutput: out\n"


def slice_too_large(s):
    s.config["steps"] = {"fbp": {"size": 10**22}}


CONFIGURATION = [
    (endless_number, r"scan\.theta_deg\.last: 1e\+308 is not accepted: it should be at most 36000"),
    (too_many_angles, r"scan\.theta_deg\.count: .* at most 1000000"),
    (deep_nesting, r"nested too deeply"),
    (strange_key, r"a key must be a plain name"),
    (unit_in_number, r"energy_kev: '25 keV' is not accepted: .* a number of keV, without the unit"),
    (ev_for_kev, r"scan\.energy_kev: 25000 is not accepted: it should be less than 1000 keV"),
    (decimal_comma, r"scan\.pixel_size_um: '1,3' .* a number of µm; write 1\.3"),
    (decimal_comma_in_braces, r"scan\.3: unknown key; a decimal point is no comma; allowed: file"),
    (tab, r"config\.yaml:2: not valid YAML: .*; indent with spaces, not with tabs"),
    (minutes_as_number, r"scan\.pixel_size_um: '1:30' is not accepted: it should be a number"),
    (infinite_setting, r"steps\.outliers\.threshold: inf is not accepted"),
    (slice_too_large, r"steps\.fbp\.size: 1\d+ is not accepted: it should be at most 65536"),
    (misspelt_section, r"scna: unknown key \(did you mean scan\?\)"),
    (misspelt_key, r"config\.yaml:\d: scan\.pixle_size_um: unknown key \(did you mean pixel_size"),
    (wrong_type, r"config\.yaml:\d: scan\.bin: 'two' is not accepted: .*integer"),
    (out_of_range, r"scan\.energy_kev: -25 is not accepted: .*greater than 0"),
    (not_a_number, r"scan\.energy_kev: nan is not accepted"),
    (repeated_key, r"config\.yaml:3: the key 'output' stands twice, first in line 2"),
    (broken_yaml, r"config\.yaml:2: not valid YAML: .*; close the bracket that line 1 opens"),
    (code_in_yaml, r"config\.yaml:1: the tag .*os\.system is not allowed"),
    (empty_file, r"holds no mapping of settings; `xct init"),
    (no_output, r"output: is missing; name the folder"),
    (two_sources, r"name the scan by `file`, or its frames by `projections`.*one of the two"),
    (no_source, r"name the scan by `file`, or its frames by `projections`"),
    (empty_roi, r"row \[9, 3\] is empty"),
    (unknown_recipe, r"'reconstrct' is not a recipe \(did you mean reconstruct\?\)"),
    (missing_recipe, r"own\.yaml: no such recipe"),
    (unknown_step_overruled, r"steps\.fpb: the recipe .* has no such step \(did you mean fbp\?\)"),
    (misspelt_setting, r"steps\.fbp\.windw: unknown key \(did you mean window\?\)"),
    (unknown_choice, r"steps\.fbp\.window: 'ham' is not accepted: .*'hamming'"),
    (setting_out_of_range, r"steps\.fbp\.cutoff: 2\.5 is not accepted: .*at most 1"),
    (unknown_dtype, r"run\.dtype: 'int8' is not accepted: .*'float32' or 'uint16'"),
]


# --- mistakes in the recipe ----------------------------------------------------------------
def unknown_stage(s):
    s.recipe({"flat_feild": {}}, *STEPS[1:])


def no_logarithm(s):
    s.recipe(*without("line_integrals", "fill_nonpositive", "stripes"))


def log_too_late(s):
    s.recipe(*moved("line_integrals", 5))


def flats_too_late(s):
    s.recipe(*moved("flat_field", 3))


def outliers_after_log(s):
    s.recipe(*moved("outliers", 5))


def stage_twice(s):
    s.recipe(*STEPS[:3], {"outliers": {}}, *STEPS[3:])


def no_center(s):
    s.recipe(*without("find_center"))


def not_a_list(s):
    s.recipe()
    (s.folder / "own.yaml").write_text("flat_field: {}\n", encoding="utf-8")


def two_in_one(s):
    s.recipe({"flat_field": {}, "outliers": {}}, *STEPS[1:])


def number_as_step(s):
    s.recipe(5, *STEPS)


def text_as_settings(s):
    s.recipe(*STEPS[:-1], {"fbp": "hann"})


def empty_recipe(s):
    s.recipe()


def recipe_in_latin_1(s):
    s.recipe()
    (s.folder / "own.yaml").write_bytes("- flat_field: {}  # geprüft\n".encode("latin-1"))


RECIPE = [
    (number_as_step, r"own\.yaml:1, step 1: a step is written .*; found 5"),
    (text_as_settings, r"step 8: a step is written `- stage: \{settings\}`; found \{'fbp': 'hann'"),
    (empty_recipe, r"a recipe is a list of steps"),
    (recipe_in_latin_1, r"own\.yaml: cannot be read as UTF-8 text"),
    (unknown_stage, r"own\.yaml:1, step 1 \(flat_feild\): unknown stage \(did you mean flat_field"),
    (no_logarithm, r"needs line_integrals, which no earlier step gives \(line_integrals does\)"),
    (log_too_late, r"\(fill_nonpositive\): needs line_integrals, .*move it behind line_integrals"),
    (flats_too_late, r"\(fill_dead_pixels\): needs transmission, .*move it behind flat_field"),
    (outliers_after_log, r"\(outliers\): gives transmission, which no later step takes; move it"),
    (stage_twice, r"step 4 \(outliers\): stands twice, first as step 3"),
    (no_center, r"\(fbp\): needs center_px, which no earlier step gives \(find_center does\)"),
    (not_a_list, r"a recipe is a list of steps"),
    (two_in_one, r"a step is written `- stage: \{settings\}`"),
]


# --- mistakes in the scan ------------------------------------------------------------------
def missing_file(s):
    s.set(file="scna.h5")


def empty_glob(s):
    s.config["scan"] = {"projections": "tif/none_*.tif"}


def not_hdf5(s):
    s.scan.write_text("not a scan", encoding="utf-8")


def truncated_hdf5(s):
    truncate(s.scan)


def angles_too_few(s):
    s.change("exchange/theta", np.linspace(0, 180, ANGLES - 7))


def angles_in_radians(s):
    s.change("exchange/theta", np.linspace(0, np.pi, ANGLES))
    with h5py.File(s.scan, "r+") as file:
        del file["exchange/theta"].attrs["units"]


def no_angles(s):
    s.remove("exchange/theta")


def no_pixel_size(s):
    s.remove("measurement")


def no_flats(s):
    s.remove("exchange/data_white")


def flats_of_another_shape(s):
    s.change("exchange/data_white", s.data("exchange/data_white")[:, 1:])


def flats_all_zero(s):
    s.change("exchange/data_white", np.zeros((8, ROWS, COLUMNS), np.uint16))


def counts_stored_as_signed_numbers(s):
    s.change("exchange/data_white", np.full((8, ROWS, COLUMNS), 40000, np.uint16).view(np.int16))


def flats_and_darks_swapped(s):
    flats, darks = s.data("exchange/data_white"), s.data("exchange/data_dark")
    s.change("exchange/data_white", darks)
    s.change("exchange/data_dark", flats)


def nan_frame(s):
    data = s.data("exchange/data").astype(np.float32)
    data[ANGLES // 2 - 1 :] = np.nan
    s.change("exchange/data", data)


def nan_flat(s):
    s.change("exchange/data_white", np.full((8, ROWS, COLUMNS), np.nan, np.float32))


def complex_frames(s):
    s.change("exchange/data", s.data("exchange/data").astype(np.complex64))


def center_outside(s):
    s.set(center_px=500.0)


def roi_outside(s):
    s.set(roi={"row": [0, 5000]})


def bin_too_large(s):
    s.set(bin=50)


def key_of_another_length(s):
    with h5py.File(s.scan, "w") as file:
        entry = file.create_group("entry")
        entry["definition"] = "NXtomo"
        entry["instrument/detector/data"] = np.ones((12, 8, 8), np.uint16)
        entry["instrument/detector/image_key"] = np.zeros(11, int)
        entry["sample/rotation_angle"] = np.arange(12.0)


def link_out_of_the_folder(s):
    inner = s.folder / "inner"
    inner.mkdir()
    with h5py.File(inner / "scan.h5", "w") as file:
        file["exchange/data"] = h5py.ExternalLink("../scan.h5", "exchange/data")
        file["exchange/theta"] = np.arange(float(ANGLES))
    s.set(file="inner/scan.h5")


def truncated_tiff(s):
    with_tiffs(s)
    truncate(s.folder / "tif" / f"proj_{ANGLES - 1:04d}.tif")


def odd_tiff(s):
    with_tiffs(s)
    tifffile.imwrite(s.folder / "tif" / "proj_0000.tif", np.ones((5, 7), np.uint16))


def color_tiff(s):
    with_tiffs(s)
    tifffile.imwrite(
        s.folder / "tif" / "proj_0000.tif", np.ones((ROWS, COLUMNS, 3), np.uint8), photometric="rgb"
    )


def tiffs_against_angles(s):
    with_tiffs(s)
    s.config["scan"]["theta_deg"]["count"] = ANGLES + 1


SCAN = [
    (missing_file, r"no file or folder .*scna\.h5; did you mean scan\.h5"),
    (empty_glob, r"none_\*\.tif"),
    (not_hdf5, r"scan\.h5"),
    (truncated_hdf5, r"truncated|shorter|bytes"),
    (angles_too_few, rf"{ANGLES - 7}.*{ANGLES}|{ANGLES}.*{ANGLES - 7}"),
    (angles_in_radians, r"radian"),
    (no_angles, r"scan\.theta_deg: needed by .*find_center and check_angles and fbp, but neither"),
    (no_pixel_size, r"scan\.pixel_size_um: needed by fbp, but neither the file nor the config"),
    (no_flats, r"scan\.flats: needed by flat_field"),
    (flats_of_another_shape, rf"flat.*{ROWS - 1}"),
    (flats_all_zero, r"all flats are zero"),
    (counts_stored_as_signed_numbers, r"stored as signed numbers of 16 bits"),
    (flats_and_darks_swapped, r"are the two swapped\?"),
    (nan_frame, r"projections: frame \d+ holds \d+ NaN or infinite counts"),
    (nan_flat, r"flats: frame 0 holds NaN"),
    (complex_frames, r"complex"),
    (center_outside, r"center_px = 500 lies outside of the 192 columns"),
    (roi_outside, r"5000"),
    (bin_too_large, r"bin"),
    (key_of_another_length, r"11.*12|12.*11"),
    (link_out_of_the_folder, r"links_below"),
    (truncated_tiff, rf"proj_{ANGLES - 1:04d}\.tif"),
    (odd_tiff, r"proj_000\d\.tif"),
    (color_tiff, r"RGB|colou?r"),
    (tiffs_against_angles, rf"{ANGLES}.*{ANGLES + 1}|{ANGLES + 1}.*{ANGLES}"),
]


# --- mistakes about the machine and the output -----------------------------------------------
def output_is_a_file(s):
    (s.folder / "out").write_text("x", encoding="utf-8")


def output_below_a_file(s):
    s.config["output"] = "scan.h5/out"


def output_of_others(s):
    (s.folder / "out").mkdir()
    (s.folder / "out" / "thesis.tex").write_text("", encoding="utf-8")


def output_of_another_run(s):
    shorter = ["--until", "line_integrals", "--set", "scan.roi.row=[0, 10]"]
    assert execute(["run", s.write(), *shorter]) == 0


def output_in_use(s):
    state = s.folder / "out" / ".xct"
    state.mkdir(parents=True)
    s.lock = (state / "lock").open("w")
    fcntl.flock(s.lock, fcntl.LOCK_EX)
    s.lock.write(f'{{"host": "{socket.gethostname()}", "process": 12345, "since": "now"}}')
    s.lock.flush()


def memory_too_small(s):
    s.config["run"] = {"memory_gib": 0.3}


MACHINE = [
    (output_is_a_file, r"out: is a file, not a folder"),
    (output_below_a_file, r"is a file, not a folder; name another output"),
    (output_of_others, r"holds files that xct did not write \(thesis\.tex\)"),
    (output_of_another_run, r"holds another run, which differs in roi"),
    (output_in_use, r"process 12345, is writing here since now"),
    (memory_too_small, r"one slab of 16 rows needs .* GiB, but run\.memory_gib allows 0\.3 GiB"),
]


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    if scene.lock is not None:
        scene.lock.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [pytest.param(*row, id=row[0].__name__) for row in (*CONFIGURATION, *RECIPE, *SCAN, *MACHINE)],
)
def test_a_mistake_ends_with_its_line_and_code_2(scene, spoil, message, capfd):
    spoil(scene)
    capfd.readouterr()
    assert execute(["run", scene.write()]) == 2
    error = capfd.readouterr().err
    assert re.search(message, error), error
    assert "Traceback" not in error
    assert not (scene.folder / "out" / "volume.zarr").exists()


def test_check_names_mistakes_of_all_kinds_at_once(scene, capfd):
    scene.set(bin="two", file="nowhere.h5")
    scene.config["steps"] = {"fbp": {"windw": "hann"}}
    scene.config["run"] = {"dtype": "int8"}
    assert execute(["check", scene.write()]) == 2
    error = capfd.readouterr().err
    for part in ("scan.bin", "steps.fbp.windw", "run.dtype", "nowhere.h5"):
        assert part in error


def test_a_disk_that_is_too_small_is_found_before_the_run(scene, capfd, monkeypatch):
    usage = shutil.disk_usage(scene.folder)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    assert execute(["run", scene.write()]) == 2
    assert re.search(r"disk: the run needs .* but 1e\+03 bytes are free", capfd.readouterr().err)


def test_an_output_without_permission_is_refused(scene):
    locked = scene.folder / "locked"
    locked.mkdir(mode=0o500)
    scene.config["output"] = "locked/out"
    command = [sys.executable, "-m", "xct", "run", scene.write()]
    if os.geteuid() == 0:  # root may write everywhere, unless that power is given up
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command]
    process = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert process.returncode == 2
    assert "locked/out: may not be written to" in process.stderr


def test_warnings_do_not_stop_a_check(scene, capfd):
    scene.remove("exchange/data_dark")
    assert execute(["check", scene.write()]) == 0
    assert "warning: no darks" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "CONFIG", "--until", "fpb"], r"--until fpb: no such step \(did you mean fbp\?\)"),
        (
            ["run", "CONFIG", "--keep", "volum"],
            r"--keep volum: no step gives it \(did you mean vol",
        ),
        (["run", "CONFIG", "--set", "scan.bin"], r"--set scan\.bin: write KEY=VALUE"),
        (["run", "CONFIG", "--set", "scan.bni=2"], r"--set: scan\.bni: unknown key \(did you mean"),
        (["run"], r"Missing argument"),
        (["rnu", "CONFIG"], r"No such command 'rnu'"),
        (["stages", "fpb"], r"'fpb' is not a stage \(did you mean fbp\?\)"),
        (["init", "nowhere.h5", "--output", "o", "--to", "c.yaml"], r"nowhere\.h5"),
        (["init", "SCAN", "--output", "o", "--to", "CONFIG"], r"exists already"),
        (["export", "nowhere", "--tiff", "t"], r"nowhere: no such folder"),
        (["export", "CONFIG", "--tiff", "t"], r"is a file, not the folder of a result"),
        (["export", "FOLDER", "--tiff", "t"], r"holds no result: it was not written by xct"),
        (["convert", "SCAN", "--to", "x.h5", "--format", "bmp"], r"'bmp' is not one of"),
    ],
)
def test_a_mistake_on_the_command_line_ends_with_code_2(scene, arguments, message, capfd):
    names = {"CONFIG": scene.write(), "SCAN": str(scene.scan), "FOLDER": str(scene.folder)}
    assert execute([names.get(a, a) for a in arguments]) == 2
    error = capfd.readouterr().err
    assert re.search(message, error), error
