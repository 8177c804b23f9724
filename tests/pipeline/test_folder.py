"""The output folder: one run at a time, nothing foreign touched, nothing finished lost."""

import json
import os
import socket
import subprocess
import sys

import pytest

from xct.errors import ConfigError
from xct.pipeline.output import OutputFolder

IDENTITY = {"input": "abc", "steps": [["fbp", {"window": "ramp"}]]}


def test_the_same_run_is_continued(tmp_path):
    folder = OutputFolder(tmp_path / "out")
    assert folder.claim(IDENTITY, restart=False) is False
    folder.note("slab-16", {"stop": 32})
    assert folder.claim(IDENTITY, restart=False) is True
    assert folder.notes("slab") == {16: {"stop": 32}}


def test_another_run_in_the_way_is_named_and_kept(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    other = {**IDENTITY, "steps": [["fbp", {"window": "hann"}]]}
    with pytest.raises(ConfigError, match=r"steps\.0\.1\.window \(ramp there, hann here\)"):
        folder.claim(other, restart=False)
    assert folder.identity() == IDENTITY


def test_a_run_that_wrote_nothing_yet_may_become_another_one(tmp_path):
    """As after an axis that was too uncertain, when the user gives it."""
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    folder.note("center_px", {"value": 3})
    folder.note("frames-0", {"last": 8})
    (folder.state / "frames.zarr").mkdir()
    assert folder.claim({**IDENTITY, "center_px": 4}, restart=False) is False
    assert folder.number("center_px") is None
    assert (folder.state / "frames.zarr").exists(), "the copied frames are the same"
    folder.claim({"input": "other"}, restart=False)
    assert not (folder.state / "frames.zarr").exists()


def test_the_order_of_steps_makes_another_run(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim({"steps": [["a", {}], ["b", {}]]}, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    assert folder.conflicts({"steps": [["b", {}], ["a", {}]]}, restart=False)


def test_a_finished_result_with_a_part_missing_is_done_again(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    for name in ("summary.json", "run.yaml"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "volume.zarr").mkdir()
    folder.finish(["volume"])
    assert folder.is_finished()
    (tmp_path / "volume.zarr").rmdir()
    assert not folder.is_finished()
    assert folder.claim(IDENTITY, restart=False) is False
    assert not (tmp_path / "summary.json").exists()


def test_a_damaged_journal_is_named_and_restart_goes_past_it(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (folder.state / "identity.json").write_text("{")
    with pytest.raises(ConfigError, match=r"identity\.json: the journal .* --restart"):
        folder.claim(IDENTITY, restart=False)
    folder.claim(IDENTITY, restart=True)
    assert folder.identity() == IDENTITY


def test_restart_throws_away_only_what_xct_wrote(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    (tmp_path / "volume.zarr" / "c").write_text("x")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "slice.png").write_text("x")
    (tmp_path / "figures" / "my_plot.png").write_text("x")
    assert folder.claim({"input": "new"}, restart=True) is False
    assert not (tmp_path / "volume.zarr").exists()
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["my_plot.png"]
    assert folder.identity() == {"input": "new"}


def test_files_of_others_are_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match=r"files that xct did not write \(thesis\.tex\)"):
        OutputFolder(tmp_path).claim(IDENTITY, restart=True)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_results_of_unknown_origin_are_not_overwritten(tmp_path):
    (tmp_path / "volume.zarr").mkdir()
    with pytest.raises(ConfigError, match="unknown origin"):
        OutputFolder(tmp_path).claim(IDENTITY, restart=False)


def test_a_second_run_is_kept_out_by_name(tmp_path):
    folder = OutputFolder(tmp_path)
    with (
        folder.locked(),
        pytest.raises(ConfigError, match=f"{socket.gethostname()}, process {os.getpid()}"),
        folder.locked(),
    ):
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.state.mkdir()
    dead = {"host": socket.gethostname(), "process": 2**22 + 1, "since": "yesterday"}
    (folder.state / "lock").write_text(json.dumps(dead))
    with folder.locked():
        assert json.loads((folder.state / "lock").read_text())["process"] == os.getpid()


def test_the_lock_of_another_host_holds(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.state.mkdir()
    other = {"host": "beamline-7", "process": 1, "since": "yesterday"}
    (folder.state / "lock").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="beamline-7, process 1"), folder.locked():
        pass


def test_leftovers_of_a_cut_write_are_removed(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    (tmp_path / "volume.zarr" / "c.abc.partial").write_text("x")
    folder.claim(IDENTITY, restart=False)
    assert not list(tmp_path.rglob("*.partial"))


def test_many_processes_never_hold_the_lock_together(tmp_path):
    """Each adds 1 to a number while it holds the lock; a lost addition is a broken lock."""
    total = tmp_path / "total"
    total.write_text("0")
    program = f"""
import time
from pathlib import Path
from xct.errors import ConfigError
from xct.pipeline.output import OutputFolder
folder, total, done = OutputFolder(Path({str(tmp_path)!r})), Path({str(total)!r}), 0
while done < 60:
    try:
        with folder.locked():
            number = int(total.read_text())
            time.sleep(0.0005)
            total.write_text(str(number + 1))
            done += 1
    except ConfigError:
        pass
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert total.read_text() == "180"
