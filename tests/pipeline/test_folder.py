"""The output folder: one run at a time, nothing foreign touched, nothing finished lost."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from xct.errors import ConfigError, DamagedFile
from xct.figures import canvas
from xct.io.atomic import write_text
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.pipeline import lock
from xct.pipeline.identity import FORMAT
from xct.pipeline.output import OutputFolder
from xct.pipeline.products import files_of_slab

IDENTITY = {
    "format": FORMAT,
    "input": "abc",
    "steps": [["log", {}], ["fbp", {"window": "ramp"}]],
    "measurements": [],
    "keep": ["volume"],
}
LAYERS = ["layer_thickness", {"margin_um": 5.0}]


def finished(path, identity=IDENTITY):
    """Make what a run leaves: a volume of two slabs, a table, numbers, and its journal."""
    folder = OutputFolder(path)
    folder.claim(identity, restart=False)
    create_volume(path / "volume.zarr", (32, 8, 8), 2.0, Coding(), "x")
    folder.journal.write_product("volume.zarr")
    for first in (0, 16):
        write_slab(path / "volume.zarr", first, np.full((16, 8, 8), 1.0 + first, np.float32))
        files = files_of_slab(path / "volume.zarr", first, first + 16)
        folder.note(f"slab-{first}", {"stop": first + 16}, files)
    write_text(path / "summary.json", "{}")
    if identity["measurements"]:
        (path / "tables").mkdir()
        write_text(path / "tables" / "layers.csv", "layer\nlithium\n")
        folder.note("measured-0", {"step": "layer_thickness"}, [path / "tables" / "layers.csv"])
    folder.finish(["volume"], [path / "summary.json"])
    return folder


def lengthened(**changes):
    return {**IDENTITY, "measurements": [LAYERS], **changes}


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
    other = {**IDENTITY, "steps": [["log", {}], ["fbp", {"window": "hann"}]]}
    with pytest.raises(ConfigError, match=r"steps\.1\.1\.window \(ramp there, hann here\)"):
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
    folder.claim({**IDENTITY, "input": "other"}, restart=False)
    assert not (folder.state / "frames.zarr").exists()


def test_the_order_of_steps_makes_another_run(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim({**IDENTITY, "steps": [["a", {}], ["b", {}]]}, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    assert folder.conflicts({**IDENTITY, "steps": [["b", {}], ["a", {}]]}, restart=False)


def flip(path, position=-9):
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), flip, lambda p: p.write_bytes(b"")])
def test_a_damaged_slab_alone_is_made_again(tmp_path, spoil):
    folder = finished(tmp_path, lengthened())
    assert folder.is_finished()
    assert folder.journal.damaged(thorough=True) == []
    spoil(tmp_path / "volume.zarr/0/c/2/0/0")
    assert folder.journal.damaged() == ["volume.zarr/0/c/2/0/0"]
    assert not folder.is_finished()
    assert folder.claim(lengthened(), restart=False) is True
    assert folder.notes("slab") == {0: {"stop": 16}}
    assert folder.notes("measured"), "what was measured before is right"


def test_a_damaged_table_alone_is_made_again(tmp_path):
    folder = finished(tmp_path, lengthened())
    flip(tmp_path / "tables" / "layers.csv", 1)
    assert folder.claim(lengthened(), restart=False) is True
    assert (len(folder.notes("slab")), len(folder.notes("measured"))) == (2, 0)


def test_damaged_metadata_have_the_whole_product_made_again(tmp_path):
    folder = finished(tmp_path)
    (tmp_path / "volume.zarr/0/zarr.json").write_text("{}", encoding="utf-8")
    folder.claim(IDENTITY, restart=False)
    assert not (tmp_path / "volume.zarr").exists()
    assert folder.notes("slab") == {}


def test_a_damaged_note_of_a_piece_has_the_piece_made_again(tmp_path):
    folder = finished(tmp_path)
    flip(folder.state / "slab-16.json")
    folder.claim(IDENTITY, restart=False)
    assert list(folder.notes("slab")) == [0]


def test_another_time_alone_is_no_damage(tmp_path):
    folder = finished(tmp_path, lengthened())
    for file in tmp_path.rglob("*"):
        os.utime(file, (0, 0))  # as after a copy, or with a clock set back
    assert folder.is_finished()


def test_flipped_bits_are_found_where_the_time_is_the_same(tmp_path):
    """As on a disk that rots: nothing but reading shows it."""
    folder = finished(tmp_path, lengthened())
    chunk = tmp_path / "volume.zarr/0/c/3/0/0"
    before = chunk.stat()
    flip(chunk)
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder.is_finished(), "a look at the folder is cheap, and cannot see it"
    assert folder.journal.damaged(thorough=True) == ["volume.zarr/0/c/3/0/0"]
    with pytest.raises(DamagedFile, match=r"volume\.zarr.*slices 24 … 31.*xct verify"):
        open_volume(tmp_path / "volume.zarr")[24:]
    folder.journal.write_damage(["volume.zarr/0/c/3/0/0"])
    folder.claim(lengthened(), restart=False)
    assert list(folder.notes("slab")) == [0]


def test_a_longer_run_continues_a_shorter_one(tmp_path):
    folder = finished(tmp_path)
    assert folder.conflicts(lengthened(), restart=False) == []
    assert folder.claim(lengthened(), restart=False) is True
    assert not folder.is_finished()
    assert len(folder.notes("slab")) == 2
    assert folder.conflicts(IDENTITY, restart=False), "it is the shorter run no longer"


def test_a_run_with_more_steps_before_the_slices_makes_them_again(tmp_path):
    folder = finished(tmp_path, {**IDENTITY, "steps": [["log", {}]], "keep": ["volume"]})
    assert folder.claim(lengthened(), restart=False) is False
    assert not (tmp_path / "volume.zarr").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"input": "other"},
        {"projections": {"path": "/other"}},
        {"steps": [["log", {}], ["fbp", {"window": "hann"}]]},
        {"measurements": [["other", {}], LAYERS]},
    ],
)
def test_a_run_that_differs_in_what_was_done_continues_nothing(tmp_path, change):
    folder = finished(tmp_path, lengthened(projections={"path": "/data"}))
    longer = lengthened(projections={"path": "/data"}, **{"keep": ["transmission", "volume"]})
    assert folder.conflicts(longer, restart=False) == []
    assert folder.conflicts({**longer, **change}, restart=False)


def test_a_result_of_an_earlier_version_is_kept(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.state.mkdir()
    (folder.state / "identity.json").write_text(
        json.dumps({"xct": "0.1", "steps": []}), encoding="utf-8"
    )
    (tmp_path / "volume.zarr").mkdir()
    with pytest.raises(ConfigError, match=r"result of an earlier xct, which opens as before"):
        folder.claim(IDENTITY, restart=False)


def test_a_damaged_journal_is_named_and_restart_goes_past_it(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (folder.state / "identity.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"identity\.json: the journal .* --restart"):
        folder.claim(IDENTITY, restart=False)
    folder.claim(IDENTITY, restart=True)
    assert folder.identity() == IDENTITY


def test_restart_throws_away_only_what_xct_wrote(tmp_path):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    (tmp_path / "volume.zarr").mkdir()
    (tmp_path / "volume.zarr" / "c").write_text("x", encoding="utf-8")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "slice.png").write_text("x", encoding="utf-8")
    (tmp_path / "figures" / "my_plot.png").write_text("x", encoding="utf-8")
    assert folder.claim({**IDENTITY, "input": "new"}, restart=True) is False
    assert not (tmp_path / "volume.zarr").exists()
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["my_plot.png"]
    assert folder.identity()["input"] == "new"


def test_files_of_others_are_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"files that xct did not write \(thesis\.tex\)"):
        OutputFolder(tmp_path).claim(IDENTITY, restart=True)
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "x"


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
    (folder.state / "lock").write_text(json.dumps(dead), encoding="utf-8")
    with folder.locked():
        assert (
            json.loads((folder.state / "lock").read_text(encoding="utf-8"))["process"]
            == os.getpid()
        )


OTHER = {"host": "beamline-7", "boot": "x", "process": 1, "since": "yesterday", "name": "n"}


@pytest.fixture
def quick_lease(monkeypatch):
    monkeypatch.setattr(lock, "LEASE_S", 0.5)
    monkeypatch.setattr(lock, "BEAT_S", 0.05)


def test_the_lock_of_a_host_that_is_gone_is_free_after_its_lease(tmp_path, quick_lease):
    """No clock is read but one's own: that of the other host may be wrong."""
    folder = OutputFolder(tmp_path)
    folder.state.mkdir()
    (folder.state / "lock").write_text(json.dumps(OTHER), encoding="utf-8")
    begun = time.monotonic()
    with folder.locked():
        assert time.monotonic() - begun > 0.5
        assert (
            json.loads((folder.state / "lock").read_text(encoding="utf-8"))["host"]
            == socket.gethostname()
        )


def test_the_lock_of_another_host_that_beats_holds(tmp_path, quick_lease):
    folder = OutputFolder(tmp_path)
    folder.state.mkdir()
    path, end = folder.state / "lock", threading.Event()
    path.write_text(json.dumps(OTHER), encoding="utf-8")

    def beat():
        number = 0
        while not end.wait(0.02):
            number += 1
            path.write_text(json.dumps({**OTHER, "beat": number}), encoding="utf-8")

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(ConfigError, match="beamline-7, process 1"), folder.locked():
            pass
    finally:
        end.set()
        beating.join()


def test_a_run_whose_lock_was_taken_is_told_so(tmp_path, quick_lease):
    """As after a minute of sleep, in which another host went on in this folder."""
    stopped = threading.Event()
    with OutputFolder(tmp_path).locked() as held:
        held.when_lost = stopped.set
        (tmp_path / ".xct" / "lock").write_text(json.dumps(OTHER), encoding="utf-8")
        assert stopped.wait(5)
    assert json.loads((tmp_path / ".xct" / "lock").read_text(encoding="utf-8")) == OTHER, (
        "it is theirs"
    )


@pytest.mark.parametrize("name", ["lock", "run.log", "figures", "tables", ".xct", "summary.json"])
@pytest.mark.parametrize("restart", [False, True])
def test_links_are_not_followed(tmp_path, name, restart):
    mine, out = tmp_path / "mine", tmp_path / "out"
    mine.mkdir()
    (mine / "thesis.tex").write_text("x", encoding="utf-8")
    (out / ".xct").mkdir(parents=True)
    place = out / ".xct" / "lock" if name == "lock" else out / name
    if name == ".xct":
        place.rmdir()
    is_folder = name in ("figures", "tables", ".xct")
    place.symlink_to(mine if is_folder else mine / "thesis.tex")
    with pytest.raises(ConfigError, match=r"is a link to .*remove the link"):
        OutputFolder(out).claim(IDENTITY, restart=restart)
    if name in ("lock", ".xct"):
        with pytest.raises(ConfigError, match="is a link to"), OutputFolder(out).locked():
            pass
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    assert (mine / "thesis.tex").read_text(encoding="utf-8") == "x"


def test_files_of_others_beside_the_journal_are_never_touched(tmp_path):
    (tmp_path / ".xct").mkdir()
    (tmp_path / ".xct" / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"did not write \(thesis\.tex\)"):
        OutputFolder(tmp_path).claim(IDENTITY, restart=True)


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_killed_run_left_stands_in_no_ones_way(tmp_path, restart):
    folder = OutputFolder(tmp_path)
    folder.claim(IDENTITY, restart=False)
    for name in (".surfaces.zarr.partial", "tables/.depth_histogram.zarr.partial"):
        (tmp_path / name / "c").mkdir(parents=True)
    (tmp_path / ".summary.json.12-34.partial").write_text("{", encoding="utf-8")
    (tmp_path / ".xct" / ".slab-0.json.12-34.partial").write_text("{", encoding="utf-8")
    (tmp_path / "volume.zarr" / "0" / "c").mkdir(parents=True)
    (tmp_path / "volume.zarr" / "0" / "c" / f"0.{'ab' * 16}.partial").write_text(
        "x", encoding="utf-8"
    )
    folder.claim(IDENTITY, restart=restart)
    assert not list(tmp_path.rglob("*.partial"))


def test_what_others_left_half_written_is_theirs(tmp_path):
    (tmp_path / ".thesis.tex.12.partial").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="did not write"):
        OutputFolder(tmp_path).claim(IDENTITY, restart=True)


def test_many_processes_never_hold_the_lock_together(tmp_path):
    """Each adds 1 to a number while it holds the lock; a lost addition is a broken lock."""
    total = tmp_path / "total"
    total.write_text("0", encoding="utf-8")
    program = f"""
import time
from pathlib import Path
from xct.errors import ConfigError, DamagedFile
from xct.io.atomic import write_text
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.pipeline import lock
from xct.pipeline.identity import FORMAT
from xct.pipeline.output import OutputFolder
from xct.pipeline.products import files_of_slab
folder, total, done = OutputFolder(Path({str(tmp_path)!r})), Path({str(total)!r}), 0
while done < 60:
    try:
        with folder.locked():
            number = int(total.read_text(encoding="utf-8"))
            time.sleep(0.0005)
            total.write_text(str(number + 1))
            done += 1
    except ConfigError:
        pass
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert total.read_text(encoding="utf-8") == "180"


@pytest.mark.parametrize(
    ("asked", "endings"),
    [("png", [".png"]), ("svg", [".svg"]), ("both", [".png", ".svg"]), ("none", [])],
)
def test_figures_are_written_as_asked_for(tmp_path, asked, endings):
    figure, axes = canvas(1, 1, (2, 2))
    axes[0].set_title("depth")
    written = OutputFolder(tmp_path, asked).save_figure(figure, "one")
    assert [path.suffix for path in written] == endings
    assert sorted(tmp_path.rglob("one.*")) == written
    if ".svg" in endings:  # what can be changed for a paper
        assert ">depth</text>" in (tmp_path / "figures" / "one.svg").read_text(encoding="utf-8")
