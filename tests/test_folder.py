"""The output folder: one run at a time, nothing foreign touched, nothing finished lost."""

import json
import os
import socket

import pytest

from xct.errors import ConfigError
from xct.folder import OutputFolder

IDENTITY = {"input": "abc", "steps": {"fbp": {"window": "ramp"}}}


def test_the_same_run_is_continued(tmp_path):
    folder = OutputFolder(tmp_path / "out")
    assert folder.claim(IDENTITY, restart=False) is False
    folder.note("slab-16", {"stop": 32})
    assert folder.claim(IDENTITY, restart=False) is True
    assert folder.notes("slab") == {16: {"stop": 32}}


def test_another_run_in_the_way_is_named_and_kept(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    other = {**IDENTITY, "steps": {"fbp": {"window": "hann"}}}
    with pytest.raises(ConfigError, match=r"steps\.fbp\.window \(ramp there, hann here\)"):
        folder.claim(other, restart=False)
    assert folder.identity() == IDENTITY


def test_restart_throws_away_only_what_xct_wrote(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    (tmp_path / "volume.zarr" / "c").write_text("x")
    assert folder.claim({"input": "new"}, restart=True) is False
    assert not (tmp_path / "volume.zarr").exists()
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
