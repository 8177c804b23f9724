"""A night at the beamline: many scans, a preview before them, a look at them from outside."""

import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.scans import write_dxchange
from xct.cli.main import Ending, execute
from xct.cli.many import Beside, Outcome, Sharing, _outcome, share_memory, table_text
from xct.cli.screen import Screen
from xct.config.loading import load_config
from xct.errors import ConfigError
from xct.pipeline import monitor
from xct.pipeline.clusters import machines


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_dxchange(tmp_path_factory.mktemp("scan") / "scan.h5")


@pytest.fixture
def write(scan, tmp_path):
    """Write a configuration of the scan; further lines of `scan`, and a name."""

    def written(name="cell", *lines):
        path = tmp_path / f"{name}.yaml"
        own = "".join(f"  {line}\n" for line in lines)
        path.write_text(f"scan:  # mine\n  file: {scan}\n{own}output: {name}\n", encoding="utf-8")
        return path

    return written


@pytest.fixture
def no_work(monkeypatch):
    """Runs end at once: those named bad fail."""

    class Result:
        def __init__(self, path):
            self.path, self.warnings = path, []

    def ends(config, *_, **__):
        if "bad" in Path(config).stem:
            from xct.errors import RunError

            raise RunError("the disk is full")
        return Result(load_config(config).output)

    monkeypatch.setattr("xct.pipeline.runner.run", ends)


def test_a_table_says_which_scan_failed_and_why(write, no_work, capsys):
    configs = [str(write(name)) for name in ("one", "bad", "two")]
    assert execute(["run", "-q", *configs]) == 1
    shown = capsys.readouterr()
    lines = [line.split() for line in shown.out.splitlines() if line]
    assert [line[1] for line in lines[1:] if line[0].endswith(".yaml")] == [
        "done", "failed", "done",
    ]  # fmt: skip
    place = next(n for n, line in enumerate(lines) if line[0] == configs[1])
    assert " ".join(lines[place + 1]) == "the disk is full"
    assert "1 of 3 scans failed" in shown.err


def test_a_program_reads_what_became_of_each_scan(write, no_work, capsys):
    configs = [str(write(name)) for name in ("bad", "one")]
    assert execute(["run", "--json", *configs]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found] == ["failed", "done"]
    assert found[0]["why"] == "the disk is full"
    assert execute(["run", "--json", configs[1]]) == 0
    [one] = json.loads(capsys.readouterr().out)
    assert one["state"] == "done"


def test_mistakes_of_all_configurations_show_before_one_runs_and_do_not_stop_it(
    write, no_work, capsys
):
    wrong = [str(write("wrong", "bin: 0")), str(write("worse", "binn: 2"))]
    assert execute(["run", "--json", *wrong, str(write("one"))]) == 2
    shown = capsys.readouterr()
    first, second, last = shown.err.strip().splitlines()
    assert "wrong.yaml" in first
    assert "worse.yaml" in second
    assert "2 of 3 scans failed" in last
    found = json.loads(shown.out)
    assert [one["state"] for one in found] == ["refused", "refused", "done"]
    assert "bin" in found[0]["why"]


def test_as_many_scans_at_a_time_as_memory_holds(monkeypatch):
    class Plan:
        def __init__(self, memory_gib="auto"):
            self.config = self
            self.run = self
            self.memory_gib = memory_gib
            self.resources = self
            self.memory_bytes = 3 * 2**30

    def plan(config, changes):
        share = float(changes[0].partition("=")[2]) if changes else 99.0
        if share < 3:
            raise ConfigError("memory: one slab needs 3.0 GiB")
        return Plan()

    plans = {Path(name): Plan() for name in "abc"}
    for free_gib, jobs in ((20, 3), (8, 2), (5, 1)):
        monkeypatch.setattr(machines, "available_memory", lambda gib=free_gib: gib * 2**30)
        assert share_memory(plans, 3, plan).jobs == jobs
    monkeypatch.setattr(machines, "available_memory", lambda: 20 * 2**30)
    modest = {Path("a"): Plan(2.0), Path("b"): Plan()}
    assert share_memory(modest, 2, plan).settings[Path("a")] == ()


def test_a_process_that_was_killed_is_said_with_the_remedy():
    found = _outcome(Path("a.yaml"), -9, "", "", 5.0)
    assert found.state == "failed"
    assert "SIGKILL" in found.why
    assert "--jobs" in found.why
    table = table_text([Outcome("b.yaml", "done", 1.0, "out", 2), found])
    assert table.index("b.yaml") < table.index("a.yaml") < table.index("SIGKILL")


@pytest.mark.slow
def test_scans_run_beside_each_other_and_one_that_is_refused_says_why(write, tmp_path):
    configs = [write("one"), write("two", "binn: 2")]
    ended = []
    sharing = Sharing(2, {config: ("run.memory_gib=2",) for config in configs})
    Beside(sharing, ["--until", "line_integrals"]).run(configs, ended.append)
    found = {Path(one.config).stem: one for one in ended}
    assert found["one"].state == "done", found
    assert (tmp_path / "one" / "line_integrals.zarr").is_dir()
    assert found["two"].state == "refused"
    assert "did you mean bin" in found["two"].why


@pytest.fixture
def log_lines(capsys):
    """Show lines of the log as a command with these options would."""

    def shown(*options):
        screen, log = Screen(), logging.getLogger("xct")
        before = log.level
        log.addHandler(screen)
        log.setLevel(logging.INFO)
        try:
            execute(["preview", "nowhere.yaml", "--rows", "x", *options])
            screen.setStream(sys.stderr)
            capsys.readouterr()
            log.info("slabs: 1 of 2", extra={"done": 1, "total": 2})
            log.info("hidden", extra={"to_screen": False})
            log.warning("the lamp is dark")
        finally:
            log.removeHandler(screen)
            log.setLevel(before)
        return capsys.readouterr().err.splitlines()

    return shown


def test_quiet_verbose_and_json_show_less_more_and_objects(log_lines):
    assert log_lines() == ["slabs: 1 of 2", "the lamp is dark"]
    assert log_lines("-q") == ["the lamp is dark"]
    assert [line.split(" ", 1)[1] for line in log_lines("-v")] == [
        "slabs: 1 of 2", "hidden", "the lamp is dark",
    ]  # fmt: skip
    first, second = (json.loads(line) for line in log_lines("--log-json"))
    assert (first["done"], first["total"], first["level"]) == (1, 2, "info")
    assert second["message"] == "the lamp is dark"


def test_a_preview_leaves_its_sheet_alone_and_the_choice_is_what_stood_there(
    write, tmp_path, capsys
):
    config = write("cell", "roi: {row: [0, 4]}")
    before = sorted(os.listdir(tmp_path))
    sheet = tmp_path / "sheet.png"
    asked = ["preview", str(config), "--sweep", "find_center.center_px=-1:1:1"]
    assert execute([*asked, "--to", str(sheet)]) == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "sheet.png"])
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert execute([*asked, "--choose", "3"]) == 0
    assert "# mine" in config.read_text(encoding="utf-8")
    chosen = load_config(config).scan.center_px
    assert chosen == pytest.approx(92.3 + 1, abs=0.2)
    assert f"scan.center_px: {chosen}" in capsys.readouterr().out
    assert execute([*asked, "--choose", "4"]) == 2
    assert "pictures are 1–3" in capsys.readouterr().err


def test_status_from_another_process(write, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "xct", "status", str(tmp_path / "nothing")],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no run has written here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_whose_exception_is_lost_ends_the_run_all_the_same(monkeypatch):
    """As it is within a callback of the interpreter, such as that of a weak reference."""
    monkeypatch.setattr(monitor, "asked_to_end", threading.Event())
    monitor.go_on()
    with suppress(KeyboardInterrupt):
        Ending()()
    with pytest.raises(KeyboardInterrupt):
        monitor.go_on()


def test_a_second_signal_ends_at_once_and_one_right_after_the_first_is_the_same(monkeypatch):
    left, clock = [], iter([10.0, 10.2, 12.0])
    monkeypatch.setattr(monitor, "asked_to_end", threading.Event())
    monkeypatch.setattr("xct.cli.main.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("xct.cli.main.os", SimpleNamespace(_exit=left.append))
    ending = Ending()
    with pytest.raises(KeyboardInterrupt):
        ending()
    ending()
    assert left == []
    ending()
    assert left == [130]
