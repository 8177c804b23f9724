"""The same run on the workers of a cluster: the same bytes, and nothing lost when one goes."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

import xct
from tests.pipeline import slurm
from tests.scans import line_integrals, write_dxchange
from xct.cli.main import execute
from xct.errors import ConfigError, RunError
from xct.parallel.cluster import Cluster, walltime_seconds
from xct.parallel.executors import executed_by, map_blocks, worker_count
from xct.parallel.threads import thread_count

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*angles for.*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
]
ROWS = 48


@pytest.fixture(scope="module")
def processes():
    """Two processes that work, on this machine alone."""
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(
            n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=None
        ) as cluster:
            yield cluster


@pytest.fixture
def workers(processes):
    """Both at work: one that a test before has ended is started again."""
    end = time.monotonic() + 60
    while len(processes.scheduler_info["workers"]) < 2:
        assert time.monotonic() < end, "a worker was not started again"
        time.sleep(0.1)
    return processes


@pytest.fixture
def client(workers):
    from distributed import Client

    with Client(workers, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    return write_dxchange(path, line_integrals(rows=ROWS))


@pytest.fixture(scope="module")
def here(scan, tmp_path_factory):
    """Where the same run on this machine alone has written."""
    folder = tmp_path_factory.mktemp("here")
    xct.run(config(folder, scan, workers=1))
    return folder


def config(folder, scan, **run):
    return {"scan": {"file": str(scan)}, "output": str(folder / "cell"),
            "run": {"figures": "none", **run}}  # fmt: skip


def every_byte(folder):
    """All that a result holds, but for what says when and how long."""
    volume = folder / "cell" / "volume.zarr"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(volume.rglob("*"))
        if path.is_file()
    }


def process_of(block):
    time.sleep(0.2)
    return block, os.getpid(), thread_count()


def test_blocks_are_worked_on_by_all_workers_and_answers_keep_their_order(client):
    with executed_by(Cluster(client, processes=2), workers=2):
        found = map_blocks(process_of, list(range(16)))
        assert worker_count() == 4
    assert [block for block, _, _ in found] == list(range(16))
    processes = {process for _, process, _ in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert {threads for _, _, threads in found} == {1}


def most_at_once(block, folder):
    mine = Path(folder) / f"{os.getpid()}-{block}"
    mine.touch()
    time.sleep(0.1)
    held = len(list(Path(folder).glob(f"{os.getpid()}-*")))
    mine.unlink()
    return held


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_worker_has_no_more_blocks_in_hand_than_its_memory_allows(client, tmp_path, at_once):
    with executed_by(Cluster(client, 2), workers=at_once):
        assert max(map_blocks(most_at_once, list(range(10)), str(tmp_path))) == at_once


def refuse(block):
    if block == 3:
        raise ValueError("row 40 is dark")
    return block


def test_what_a_block_refuses_ends_the_line(client):
    with executed_by(Cluster(client)), pytest.raises(ValueError, match="row 40 is dark"):
        map_blocks(refuse, list(range(6)))


def warn_once(block):
    warnings.warn(f"row {block} is dim", stacklevel=1)
    return block


def test_what_workers_warn_of_and_measure_comes_home(client, scan, tmp_path):
    from xct.pipeline.clusters.workers import watched_block

    seen = []
    with executed_by(Cluster(client, 2, watched_block, seen.append)):
        map_blocks(warn_once, [1, 2])
    said = {warning["message"] for one in seen for warning in one.warnings}
    assert said == {"row 1 is dim", "row 2 is dim"}


def die(block, folder):
    marker = Path(folder) / str(block)
    if block == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return block


def test_a_block_of_a_worker_that_is_lost_is_done_by_another(client, tmp_path):
    with executed_by(Cluster(client, 2)):
        assert map_blocks(die, list(range(5)), str(tmp_path)) == list(range(5))


def die_always(block):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_block_that_ends_every_worker_is_said_with_the_remedy(client):
    with executed_by(Cluster(client)), pytest.raises(RunError, match="not enough memory"):
        map_blocks(die_always, [0])


def test_a_run_with_a_scheduler_gives_the_same_bytes(workers, scan, here, tmp_path):
    named = {"scheduler": workers.scheduler_address}
    xct.run(config(tmp_path / "cluster", scan, cluster=named))
    assert every_byte(tmp_path / "cluster") == every_byte(here)
    noted = yaml.safe_load((tmp_path / "cluster" / "cell" / "run.yaml").read_text(encoding="utf-8"))
    assert noted["time_and_memory"]["fbp"]["seconds"] > 0


def test_a_run_beside_a_client_of_a_notebook_uses_its_workers(workers, scan, tmp_path, caplog):
    from distributed import Client

    with Client(workers), caplog.at_level("INFO", logger="xct"):
        xct.run(config(tmp_path / "out", scan))
    assert "on up to 2 workers" in caplog.text


def test_a_run_on_a_cluster_goes_on_where_one_here_ended(
    workers, scan, here, tmp_path, monkeypatch
):
    from xct.pipeline import reconstruction

    class Ended(BaseException):
        pass

    def stop_after_one(self, piece):
        raise Ended

    with monkeypatch.context() as patch:
        patch.setattr(reconstruction.Progress, "step", stop_after_one)
        with pytest.raises(Ended):
            xct.run(config(tmp_path / "out", scan, workers=1))
    xct.run(config(tmp_path / "out", scan, cluster={"scheduler": workers.scheduler_address}))
    assert every_byte(tmp_path / "out") == every_byte(here)


def test_a_scheduler_that_ends_is_said_and_nothing_finished_is_lost(scan, tmp_path):
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        )
    waiting = threading.Event()

    def end_it():
        waiting.wait(30)
        cluster.close(timeout=5)

    ending = threading.Thread(target=end_it)
    ending.start()
    from xct.parallel.cluster import connected

    with pytest.raises(RunError, match=r"scheduler at .* is gone"):
        with connected(cluster.scheduler_address) as client, executed_by(Cluster(client)):
            map_blocks(
                slow, list(range(50)), done=lambda answer: waiting.set() if answer == 1 else None
            )
    ending.join()


def slow(block):
    time.sleep(0.2)
    return block


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ("slurms", "cluster"),
        ({"slurm": {"memory": "8 GiB"}}, "run.cluster.slurm.cores: is missing"),
        ({"slurm": {"memory": "much", "cores": 4}}, "memory"),
        ({"slurm": {"memory": "8 GiB", "cores": 4, "walltime": "2 hours"}}, "02:30:00"),
        ({"slurm": {"memory": "8 GiB", "cores": 4, "jobs": [4, 2]}}, "the first must not be more"),
        ({}, "name one of slurm and scheduler"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "no Dask scheduler answers"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused_before_anything_is_written(
    scan, tmp_path, cluster, said
):
    with pytest.raises(ConfigError) as refused:
        xct.run(config(tmp_path / "out", scan, cluster=cluster))
    assert said in str(refused.value)
    assert not (tmp_path / "out" / "cell").exists()


def test_walltimes_are_those_of_slurm():
    assert walltime_seconds("02:30:05") == 9005
    assert walltime_seconds("1-00:00:00") == 86400
    with pytest.raises(ValueError, match="02:30:00"):
        walltime_seconds("90")


@pytest.fixture(scope="module")
def real_slurm(tmp_path_factory):
    reason = slurm.missing()
    if reason is not None:
        pytest.skip(reason)
    with slurm.running(tmp_path_factory.mktemp("slurm")) as around:
        yield around


def written(folder, name, values):
    path = folder / name
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_jobs_of_slurm_give_the_same_bytes(real_slurm, scan, here, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", real_slurm["SLURM_CONF"])
    jobs = {"memory": "2 GiB", "cores": 1, "jobs": [1, 2], "walltime": "00:20:00"}
    xct.run(config(tmp_path / "jobs", scan, cluster={"slurm": jobs}))
    assert every_byte(tmp_path / "jobs") == every_byte(here)
    assert not list((tmp_path / "jobs").glob("*.jobs"))


def vanishing(monkeypatch, node, daemon):
    """Let a node of SLURM vanish once a slab is done; give where it is listed that it went."""
    from xct.pipeline import reconstruction

    gone, step = [], reconstruction.Progress.step

    def step_and_vanish(self, piece):
        step(self, piece)
        if not gone:
            slurm.vanish(node, daemon)
            gone.append(node)

    monkeypatch.setattr(reconstruction.Progress, "step", step_and_vanish)
    return gone


@pytest.mark.slow
def test_a_node_that_vanishes_costs_what_its_jobs_had_in_hand(scan, here, tmp_path, monkeypatch):
    """Two nodes with a job each; the run ends on the one that is left, with the same bytes."""
    reason = slurm.missing()
    if reason is not None:
        pytest.skip(reason)
    place = tmp_path / "slurm"
    place.mkdir()
    jobs = {"memory": "2 GiB", "cores": 1, "jobs": [2, 2], "walltime": "00:20:00"}
    with slurm.nodes_running(place, ["one", "two"], cpus=1) as (around, nodes):
        monkeypatch.setenv("SLURM_CONF", around["SLURM_CONF"])
        gone = vanishing(monkeypatch, "two", nodes["two"])
        xct.run(config(tmp_path / "jobs", scan, cluster={"slurm": jobs}))
    assert gone == ["two"]
    assert every_byte(tmp_path / "jobs") == every_byte(here)


def test_what_slurm_has_against_a_job_is_said_at_once(real_slurm, scan, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", real_slurm["SLURM_CONF"])
    jobs = {"memory": "2 GiB", "cores": 1, "partition": "nowhere"}
    with pytest.raises(RunError, match="nvalid partition"):
        xct.run(config(tmp_path / "jobs", scan, cluster={"slurm": jobs}))


def submitted(path, around, *more):
    done = subprocess.run(
        [sys.executable, "-m", "xct", "submit", str(path), "--memory", "3G", "--cores", "1", *more],
        env=around,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.split("job ")[1].split(";")[0]


def test_a_submitted_run_is_queued_again_when_its_job_is_and_goes_on(
    real_slurm, scan, here, tmp_path
):
    out = tmp_path / "out"
    path = written(tmp_path, "cell.yaml", config(out, scan, workers=1))
    job = submitted(path, real_slurm)
    slurm.wait_for(job, "RUNNING", real_slurm)
    end = time.monotonic() + 60
    log = out / "cell" / "run.log"
    while not (log.exists() and "projections of" in log.read_text(encoding="utf-8")):
        assert time.monotonic() < end, "the job does not begin"
        time.sleep(0.05)
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], env=real_slurm, check=True)
    slurm.wait_for(job, "PENDING 1", real_slurm)
    # Not in two minutes. SLURM sets that time a while after it queued it, so it is asked again; and
    # in the second in which it ended a job, a node refuses to begin it ("credential revoked").
    time.sleep(3)
    now = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
    end = time.monotonic() + 240
    while not (state := slurm.state_of(job, real_slurm)).startswith("COMPLETED 1"):
        assert time.monotonic() < end, f"{state}: {log.read_text(encoding='utf-8')}"
        if state.startswith("PENDING"):
            subprocess.run(now, env=real_slurm, capture_output=True, check=False)
        time.sleep(0.5)
    assert every_byte(out) == every_byte(here)
    assert log.read_text(encoding="utf-8").count("projections of") == 2, "one job did all of it"


def test_the_script_of_a_job_is_shown_without_slurm(scan, tmp_path, capsys):
    path = written(tmp_path, "cell.yaml", config(tmp_path / "my 50% cell", scan))
    assert execute(["submit", str(path), "--print", "--walltime", "1-00:00:00"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --requeue\n" in script
    assert 'my 50%% cell/cell.slurm.log"\n' in script
    assert f"-m xct run {path.absolute()} &" in script
    assert execute(["submit", str(path), "--print", "--walltime", "00:01:00"]) == 2
    assert np.all([tool not in script for tool in ("None", "[]")])


@pytest.mark.parametrize("name", ["maxwell", "generic"])
def test_the_clusters_that_are_shipped_are_understood(name, scan, tmp_path):
    from xct.config.model import RunSection

    text = (Path(__file__).parents[2] / "configs" / "clusters" / f"{name}.yaml").read_text(
        encoding="utf-8"
    )
    section = RunSection.model_validate(yaml.safe_load(text)["run"])
    assert section.cluster.slurm.cores >= 1
