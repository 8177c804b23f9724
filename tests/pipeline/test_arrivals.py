"""Scans are run as the beamline finishes them: whole ones, each once."""

import os
import shutil

import pytest
import yaml

from tests.scans import write_dxchange
from xct.cli.main import execute
from xct.errors import ConfigError, RunError, XctError
from xct.pipeline.watching.arrivals import Arrivals, arrivals, configuration_for


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_dxchange(tmp_path_factory.mktemp("scan") / "scan.h5")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.fixture
def template(tmp_path, scan):
    path = tmp_path / "cell.yaml"
    path.write_text(f"scan: # mine\n  file: {scan}\noutput: all\n", encoding="utf-8")
    return path


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_scan_is_given_once_and_only_when_its_files_no_longer_change(folder, scan):
    clock = Clock()
    watched = Arrivals(folder, 60, clock)
    whole = scan.read_bytes()
    (folder / "a.h5").write_bytes(whole[:1000])
    assert watched.look() == []
    clock.now = 50
    (folder / "a.h5").write_bytes(whole)
    assert watched.look() == []
    clock.now = 100  # 50 s after the change
    assert watched.look() == []
    clock.now = 110
    assert watched.look() == [folder / "a.h5"]
    clock.now = 500
    assert watched.look() == []


def test_a_scan_in_a_folder_of_its_own_waits_for_each_of_its_files(folder, scan):
    clock = Clock()
    watched = Arrivals(folder, 60, clock)
    (folder / "b").mkdir()
    shutil.copy(scan, folder / "b")
    assert watched.look() == []
    clock.now = 59
    (folder / "b" / "log.txt").write_text("beam is back", encoding="utf-8")
    assert watched.look() == []
    clock.now = 118
    assert watched.look() == []
    clock.now = 119
    assert watched.look() == [folder / "b"]


def test_what_is_no_scan_waits_until_it_is_one_and_the_oldest_is_first(folder, scan):
    clock = Clock()
    watched = Arrivals(folder, 60, clock)
    (folder / "notes.txt").write_text("sample 3 next", encoding="utf-8")
    (folder / "late.h5").write_bytes(scan.read_bytes()[:3000])
    shutil.copy(scan, folder / "b_first.h5")
    shutil.copy(scan, folder / "a_second.h5")
    os.utime(folder / "b_first.h5", (1000, 1000))
    os.utime(folder / "a_second.h5", (2000, 2000))
    (folder / "elsewhere.h5").symlink_to(scan)
    watched.look()
    clock.now = 60
    assert watched.look() == [folder / "b_first.h5", folder / "a_second.h5"]
    shutil.copy(scan, folder / "late.h5")
    watched.look()
    clock.now = 120
    assert watched.look() == [folder / "late.h5"]


def test_waiting_ends_where_no_scan_comes(folder, scan):
    shutil.copy(scan, folder / "a.h5")
    pauses = []
    found = list(arrivals(folder, 0.1, 0.1, pauses.append))
    assert found == [folder / "a.h5"]
    assert pauses
    assert max(pauses) < 0.1
    with pytest.raises(XctError, match="name the folder that fills"):
        next(arrivals(folder / "nowhere", 0.1))


def test_a_configuration_is_that_of_the_template_for_another_scan(folder, scan, template):
    shutil.copy(scan, folder / "a.h5")
    path = configuration_for(folder / "a.h5", template)
    assert path == template.with_name("cell_a.yaml")
    assert "# mine" in path.read_text(encoding="utf-8")
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert settings == {"scan": {"file": str(folder / "a.h5")}, "output": "all/a"}
    path.write_text(path.read_text(encoding="utf-8") + "run: {workers: 1}\n", encoding="utf-8")
    assert configuration_for(folder / "a.h5", template) == path  # an edited one is kept
    assert "workers" in path.read_text(encoding="utf-8")
    (folder / "a").mkdir()
    with pytest.raises(ConfigError, match="of another scan"):
        configuration_for(folder / "a", template)


@pytest.mark.parametrize("text", ["output: all\n", "scan: {file: a.h5}\n", "[]\n"])
def test_a_template_of_no_scan_is_refused_before_anything_is_waited_for(folder, template, text):
    template.write_text(text, encoding="utf-8")
    assert execute(["watch", str(folder), str(template)]) == 2


def test_a_folder_that_is_not_there_is_one_line(tmp_path, template, capsys):
    assert execute(["watch", str(tmp_path / "nowhere"), str(template)]) == 2
    shown = capsys.readouterr()
    assert "name the folder that fills" in shown.err
    assert not shown.out


def test_scans_are_run_as_they_come_and_one_that_fails_stops_none(
    folder, scan, template, monkeypatch, capsys
):
    class Result:
        warnings = ()

        def __init__(self, path):
            self.path = path

    def ends(config):
        if "bad" in config.stem:
            raise RunError("the disk is full")
        shutil.copy(scan, folder / "later.h5")
        return Result(config)

    monkeypatch.setattr("xct.pipeline.runner.run", ends)
    shutil.copy(scan, folder / "bad.h5")
    os.utime(folder / "bad.h5", (1000, 1000))
    shutil.copy(scan, folder / "good.h5")
    code = execute(
        ["watch", "-q", str(folder), str(template), "--settled", "0.1", "--idle", "0.0001"]
    )
    shown = capsys.readouterr()
    assert code == 1
    states = [line.split()[:2] for line in shown.out.splitlines() if ".h5" in line]
    assert [(name.split("/")[-1], state) for name, state in states] == [
        ("bad.h5", "failed"), ("good.h5", "done"), ("later.h5", "done"),
    ]  # fmt: skip
    assert "the disk is full" in shown.out
