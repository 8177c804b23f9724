"""What a run must survive: it is killed, its result is damaged, its input changes (docs/faults.md).

Runs are of a scan so small that each takes half a second.
"""

import errno
import fcntl
import os
import shutil
import signal
import threading
import warnings
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml

import xct
from studies.killed_runs import differing, kill_and_continue, places, touches
from tests.scans import DISCS, line_integrals, write_dxchange
from xct.cli.main import execute
from xct.io import figures
from xct.io.tables import read_table, write_table
from xct.pipeline import reconstruction
from xct.pipeline.output import OutputFolder

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")

SMALL = line_integrals(
    rows=36, columns=64, angles=60, discs=DISCS * [1 / 3, 1 / 3, 1 / 3, 1], center_px=31.0
)

STAGES = ("flat_field", "line_integrals", "fill_nonpositive", "fbp")


def configure(folder: Path, name: str = "config", scan=None, **more) -> Path:
    """Write a configuration of the small scan, whose center is given."""
    scan = {"file": str(folder / "scan.h5"), "center_px": 31.0, **(scan or {})}
    run = {"memory_gib": 0.72, "workers": 1}
    recipe = folder / "recipe.yaml"
    recipe.write_text("".join(f"- {stage}: {{}}\n" for stage in STAGES), encoding="utf-8")
    config = {"scan": scan, "output": str(folder / "out"), "run": run, "cell": {"name": "x"}}
    config["pipeline"] = str(recipe)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**config, **more}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the scan, its configuration, and the result of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("faults")
    write_dxchange(folder / "scan.h5", SMALL)
    assert execute(["run", str(configure(folder)), "--set", f"output={folder / 'whole'}"]) == 0
    return folder


@pytest.fixture
def scene(home, tmp_path):
    """The same scan and configuration in a folder of their own."""
    (tmp_path / "scan.h5").write_bytes((home / "scan.h5").read_bytes())
    return configure(tmp_path)


@pytest.mark.slow
def test_a_run_killed_wherever_it_touches_a_file_goes_on_to_the_same_bytes(home, monkeypatch):
    """Killed at 30 places, three times before it may end; the study goes through all places."""
    monkeypatch.setattr(figures, "_write", lambda _, path, *__: Path(path).write_bytes(b"drawn"))
    config, out, whole = home / "config.yaml", home / "killed", home / "touched"
    chosen = places(touches(config, whole))
    assert len(chosen) > 150
    [*thirty] = (chosen[round(n * (len(chosen) - 1) / 29)] for n in range(30))
    outcomes = [kill_and_continue(config, out, whole, thirty[n::10]) for n in range(10)]
    assert [outcome for outcome in outcomes if not outcome.is_right] == []
    assert sum(outcome.reached for outcome in outcomes) >= 24


def result_of(home: Path, scene: Path) -> Path:
    """Copy the whole result to where the configuration of a scene writes."""
    return Path(shutil.copytree(home / "whole", scene.parent / "out"))


def volume_file(out: Path, z: int) -> Path:
    return out / "volume.zarr" / "0" / "c" / str(z) / "0" / "0"


def rot(path: Path) -> None:
    """Flip a bit as a disk does that rots: the time of the file stays."""
    data, times = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_every_flipped_bit_is_named_and_made_again(home, scene, capfd):
    out = result_of(home, scene)
    files = [f for f in sorted(out.rglob("*")) if f.is_file() and "figures" not in f.parts]
    spoiled = [f for f in files if f.name not in ("run.log", "lock") and ".xct" not in f.parts]
    for file in spoiled:
        rot(file)
    assert execute(["verify", str(out)]) == 1
    named = capfd.readouterr().out
    assert [f for f in spoiled if f"damaged: {f}\n" not in named] == []
    assert execute(["run", str(scene)]) == 0
    assert differing(home / "whole", out) == []
    assert execute(["verify", str(out)]) == 0


def test_parts_that_were_deleted_are_made_again(home, scene):
    out = result_of(home, scene)
    before = volume_file(out, 0).stat().st_mtime_ns
    volume_file(out, 2).unlink()
    (out / "figures" / "slice.png").unlink()
    assert execute(["run", str(scene)]) == 0
    assert differing(home / "whole", out) == []
    assert volume_file(out, 0).stat().st_mtime_ns == before, "slices that were whole are kept"


def test_a_result_that_was_moved_is_finished_there(home, scene, caplog):
    out = result_of(home, scene)
    moved = out.rename(scene.parent / "moved")
    with caplog.at_level("INFO"):
        assert execute(["run", str(scene), "--set", f"output={moved}"]) == 0
    assert "finished already" in caplog.text


def test_a_shorter_run_is_continued_by_the_whole(home, scene):
    out = scene.parent / "out"
    assert execute(["run", str(scene), "--until", "line_integrals"]) == 0
    assert (out / "line_integrals.zarr").is_dir()
    assert execute(["run", str(scene)]) == 0
    left = [n for n in differing(home / "whole", out) if not n.startswith("line_integrals.zarr")]
    assert left == []
    assert (out / "line_integrals.zarr").is_dir(), "what was kept is not lost"


def test_frames_that_change_while_they_are_read_end_the_run(scene, monkeypatch, capfd):
    write = reconstruction._write_slab

    def change_and_write(*arguments):
        with h5py.File(scene.parent / "scan.h5", "r+") as file:
            file["exchange/data"][7] += 1
        return write(*arguments)

    monkeypatch.setattr(reconstruction, "_write_slab", change_and_write)
    assert execute(["run", str(scene)]) == 1
    assert "scan.h5: changed while the run was reading" in capfd.readouterr().err


def test_a_full_disk_in_the_figures_loses_nothing(home, scene, monkeypatch, capfd):
    save = OutputFolder.save_figure

    def full(folder, figure, name):
        if name == "slice":  # the first behind the volume
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(folder, figure, name)

    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "save_figure", full)
        assert execute(["run", str(scene)]) == 1
    assert "is full; what was finished is kept" in capfd.readouterr().err
    out = scene.parent / "out"
    before = volume_file(out, 0).stat().st_mtime_ns
    assert execute(["run", str(scene)]) == 0
    assert volume_file(out, 0).stat().st_mtime_ns == before
    assert differing(home / "whole", out) == []


def test_all_scans_of_a_command_are_run_also_behind_one_that_fails(scene, capfd):
    broken = configure(scene.parent, "broken", output=str(scene.parent / "out2"))
    lock = scene.parent / "out2" / ".xct" / "lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another run writes there
        assert execute(["run", str(broken), str(scene)]) == 2
    assert (scene.parent / "out" / "summary.json").is_file()
    assert f"1 of 2 scans failed: {broken}" in capfd.readouterr().err


def test_runs_in_threads_and_after_a_fork_do_not_meet(home, scene):
    """Threads of a pool that was made before a fork are not there after it."""
    shown = warnings.showwarning
    names = ("one", "two$2^")  # no formula either
    configs = [
        configure(scene.parent, n, output=str(scene.parent / n), cell={"name": n}) for n in names
    ]
    threads = [threading.Thread(target=xct.run, args=(config,)) for config in configs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, other in (names, names[::-1]):
        log = (scene.parent / name / "run.log").read_text(encoding="utf-8")
        assert log.count("finished after") == 1
        assert f"{other}:" not in log
    assert warnings.showwarning is shown
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        os._exit(execute(["run", str(scene)]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert differing(home / "whole", scene.parent / "out") == []


def test_a_text_is_no_formula_to_a_spreadsheet(tmp_path):
    texts = ["=1+1", "@x", "-a", "+b", "'=c", "plain", "'quoted'"]
    write_table(tmp_path / "t.csv", pd.DataFrame({"roi": texts, "z_um": -1.5}))
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert not [line for line in lines if line[0] in "=+-@"]
    assert list(read_table(tmp_path / "t.csv")["roi"]) == texts
    assert set(read_table(tmp_path / "t.csv")["z_um"]) == {-1.5}
