"""A real SLURM on this machine, for tests: started where it is installed and the user is root."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

TOOLS = ("slurmctld", "slurmd", "sbatch", "munged")


def missing() -> str | None:
    """Say why no SLURM can be started here."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"no {', '.join(absent)}: as root on Debian, apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "SLURM's daemons are started as root"


def _port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _munge() -> None:
    """Start the daemon that vouches for who sends what, unless it runs."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists() or not key.stat().st_size:
        key.write_bytes(os.urandom(1024))
    for folder in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "munge", "munge")
        Path(folder).chmod(0o755)
    shutil.chown(key, "munge", "munge")
    key.chmod(0o400)
    as_munge = ["setpriv", "--reuid", "munge", "--regid", "munge", "--clear-groups"]
    subprocess.run([*as_munge, "munged"], check=True)


@contextmanager
def running(folder: Path, cpus: int = 4):
    """Run a controller and a node; yield the environment in which its commands find them."""
    with nodes_running(folder, [socket.gethostname().partition(".")[0]], cpus) as (around, _):
        yield around


@contextmanager
def nodes_running(folder: Path, names: list[str], cpus: int):
    """Run a controller and nodes, all on this machine; yield the environment, and their daemons."""
    _munge()
    (folder / "state").mkdir()
    host = socket.gethostname().partition(".")[0]
    lines = {
        "ClusterName": "test",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "AuthType": "auth/munge",
        "CredType": "cred/munge",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool-%n",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd-%n.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd-%n.log",
        "SlurmctldPort": _port(),
        "ProctrackType": "proctrack/pgid",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "SlurmdParameters": "config_overrides",
        "MpiDefault": "none",
        "SwitchType": "switch/none",
        "ReturnToService": 2,
        "MinJobAge": 3600,
        "KillWait": 5,
        "SchedulerParameters": "sched_interval=2",
    }
    config = folder / "slurm.conf"
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    has = f"CPUs={cpus} RealMemory=16000 State=UNKNOWN"
    for name in names:
        text += f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={_port()} {has}\n"
    text += f"PartitionName=main Nodes={','.join(names)} Default=YES MaxTime=INFINITE State=UP\n"
    config.write_text(text, encoding="utf-8")
    around = {**os.environ, "SLURM_CONF": str(config)}
    commands = [["slurmctld", "-D", "-c"], *(["slurmd", "-D", "-N", name] for name in names)]
    daemons = [
        subprocess.Popen(command, env=around, stderr=subprocess.DEVNULL) for command in commands
    ]
    idle = ["sinfo", "--noheader", "--Node", "--format=%t"]
    try:
        _wait(lambda: _said(idle, around).split() == ["idle"] * len(names), "no node came up")
        yield around, dict(zip(names, daemons[1:], strict=True))
    finally:
        subprocess.run(["scancel", "--user=root", "--full"], env=around, check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def vanish(name: str, daemon: subprocess.Popen) -> None:
    """Let a node go without a word, once a job works there, with all processes of jobs."""
    _wait(lambda: _of_jobs(name), f"no job works on node {name}")
    daemon.kill()
    for process in _of_jobs(name):
        process.kill()


def _of_jobs(name: str) -> list[psutil.Process]:
    """List the processes of jobs on a node."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SLURMD_NODENAME") == name:
                found.append(process)
    return found


def _said(command: list[str], around: dict[str, str]) -> str:
    return subprocess.run(
        command, env=around, capture_output=True, encoding="utf-8", check=False
    ).stdout


def _wait(done, why: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, why
        time.sleep(0.2)


def state_of(job: str, around: dict[str, str]) -> str:
    """Give the state of a job, such as COMPLETED, and how often it was started again."""
    shown = _said(["scontrol", "show", "job", job], around)
    words = dict(word.split("=", 1) for word in shown.split() if "=" in word)
    return f"{words.get('JobState')} {words.get('Restarts')}"


def wait_for(job: str, wanted: str, around: dict[str, str], seconds: float = 120) -> None:
    """Wait until a job is as wanted."""
    _wait(
        lambda: state_of(job, around).startswith(wanted),
        f"job {job} is not {wanted}",
        seconds,
    )
