"""How a run stands, asked from outside: its journal and its lock are read, and left alone."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from xct.errors import ConfigError
from xct.io.journal import Journal
from xct.parallel.blocks import Block
from xct.parallel.counting import heard_by
from xct.parallel.executors import executed_by, map_blocks
from xct.parallel.sweeps import Sweep, sweep
from xct.pipeline import lock as locks
from xct.pipeline.lock import locked
from xct.pipeline.watching.progress import NOTE, Progress, Whereabouts, at_step, noted
from xct.pipeline.watching.status import status_of, status_text

EXPECTED_S = {"frames": 10.0, "slabs": 100.0, "layers": 30.0, "particles": 30.0, "summary": 0.0}


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path)
    journal.folder.mkdir()
    journal.write("identity", {"input": 1})
    journal.write("warnings", [{"step": "run", "message": "dim"}])
    return journal


def test_where_a_run_is_while_it_runs(journal):
    with (
        locked(journal.folder / "lock", journal.result) as held,
        noted(Whereabouts(journal, EXPECTED_S)),
    ):
        progress = Progress("slabs", 40)
        progress._where._begun -= 2
        progress.step("rows 0–15")
        progress._where._note()
        found = status_of(journal.result)
        assert (found.state, found.process, found.host) == (
            "running", os.getpid(), held.holder["host"],
        )  # fmt: skip
        assert (found.step, found.number, found.steps) == ("slabs", 2, 5)
        assert (found.done, found.total, found.warnings) == (1, 40, 1)
        assert found.left_seconds == pytest.approx(2 * 39, rel=0.25)
        # what slabs still take by their pace, and 60 s as expected of what comes later
        assert found.run_left_seconds == pytest.approx(60 + found.left_seconds, rel=0.1)
        at_step("layers", "particles")
        found = status_of(journal.result)
        assert (found.step, found.number, found.total) == ("layers, particles", 3, None)
        assert found.run_left_seconds == pytest.approx(60, abs=1)
        assert "step 3 of 5: layers, particles" in status_text(found)
    assert journal.read(NOTE) is None


def test_a_run_that_ended_before_its_end_says_why(journal):
    (journal.result / "run.log").write_text(
        "2026-01-01 10:00:00,000 ERROR an older one\n2026-01-02 10:00:00,000 INFO slabs\n"
        "2026-01-02 10:00:00,000 ERROR the disk below out is full\n2026-01-02 INFO after\n",
        encoding="utf-8",
    )
    with pytest.raises(OSError, match="full"), locked(journal.folder / "lock", journal.result):  # noqa: PT012
        with noted(Whereabouts(journal, EXPECTED_S)):
            at_step("layers")
            raise OSError("full")
    found = status_of(journal.result)
    assert (found.state, found.step) == ("stopped", "layers")
    assert found.reason == "the disk below out is full"
    assert found.run_left_seconds is None


def test_a_run_that_was_killed_is_dead_and_its_lock_is_left_alone(journal):
    lock = journal.folder / "lock"
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    holder = {**locks._this_run(), "process": process.pid}
    lock.write_text(json.dumps(holder), encoding="utf-8")
    before = lock.stat().st_mtime_ns
    found = status_of(journal.result)
    assert (found.state, found.process) == ("died", process.pid)
    assert lock.stat().st_mtime_ns == before
    with locked(lock, journal.result):
        assert status_of(journal.result).state == "running"


def test_a_later_process_of_the_same_number_is_not_the_run(journal):
    lock = journal.folder / "lock"
    lock.write_text(json.dumps(locks._this_run()), encoding="utf-8")
    assert status_of(journal.result).state == "running"
    long_ago = time.time() - 30 * 86400
    os.utime(lock, (long_ago, long_ago))
    assert status_of(journal.result).state == "died"


def test_a_run_on_another_host_lives_as_long_as_it_beats(journal):
    lock = journal.folder / "lock"
    holder = {**locks._this_run(), "host": "node17", "boot": "another"}
    lock.write_text(json.dumps(holder), encoding="utf-8")
    assert status_of(journal.result, watch_s=0.2).state == "died"

    def beat():
        lock.write_text(json.dumps({**holder, "beat": 9}), encoding="utf-8")

    timer = threading.Timer(0.1, beat)
    timer.start()
    found = status_of(journal.result, watch_s=5)
    timer.join()
    assert (found.state, found.host) == ("running", "node17")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no run has written here"):
        status_of(tmp_path)


def test_a_finished_run_is_finished(journal):
    (journal.folder / "lock").touch()
    journal.write("finished", {"time": "2026-01-02 10:00:00"})
    assert status_of(journal.result).to_dict() == {
        "output": str(journal.result), "state": "finished", "since": "2026-01-02 10:00:00",
        "warnings": 1,
    }  # fmt: skip

    # some warnings are known once all is measured: those of the summary count
    summary = {"warnings": [{"step": "run", "message": "dim"}] * 3}
    (journal.result / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert status_text(status_of(journal.result)).endswith("3 warnings")


def _sum(block: Block, values: np.ndarray) -> float:
    return float(values.sum())


@pytest.mark.parametrize("workers", [1, 3])
def test_a_pass_counts_every_slice_once_whatever_the_cut(workers):
    heard = []
    volume = np.ones((50, 4, 4), np.float32)
    with heard_by(lambda done, total: heard.append((done, total))), executed_by(workers=workers):
        [answers] = sweep([Sweep(volume, _sum, rows=8)])
    assert sum(answers) == volume.size
    assert {total for _, total in heard} == {50}
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1] == (50, 50)


def test_blocks_count_where_they_are_no_part_of_a_pass():
    heard = []
    with heard_by(lambda done, total: heard.append((done, total))):
        assert map_blocks(abs, [-1, -2, -3]) == [1, 2, 3]
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_run_that_is_slower_than_expected_is_expected_to_stay_so(journal):
    where = Whereabouts(journal, {"layers": 10.0, "particles": 20.0, "roughness": 5.0})
    where.enter(["layers"])
    where._since -= 30
    where.enter(["particles"])
    assert where._expected() == pytest.approx((20, 5), abs=0.1)  # 30 s of 30 that were planned
    where._since -= 30
    assert where._expected() == pytest.approx((10, 10), abs=0.1)  # 60 s of 30


def test_a_second_pass_of_a_step_begins_anew(journal):
    where = Whereabouts(journal, EXPECTED_S)
    where.enter(["layers"])
    where.hear(0, 4)
    assert where.left_s() is None
    where.hear(4, 4)
    assert where.left_s() == 0
    where.hear(0, 4)
    where.hear(1, 4)
    assert where._pieces == (1, 4)
    assert where._first == 0
