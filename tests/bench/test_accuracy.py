"""The bench of accuracy: who works on what, what is kept, and what counts as met."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import yaml

import xct
from xct.bench import accuracy
from xct.bench.accuracy import claimed, finish_together
from xct.bench.families import Condition, families_of, families_under
from xct.bench.targets import TARGETS
from xct.errors import RunError

SUMMARY = json.dumps({"voxel_size_um": {"value": 2.0}, "warnings": []})
STATES = ("ncm-0", "ncm-100", "lzp-0", "lzp-50")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench whose scans, runs and scores are written down and cost nothing."""
    done = SimpleNamespace(scans=[], runs=[], scores=[], folder=tmp_path)
    (tmp_path / "cells").mkdir()

    def scan(state, out, **wanted):
        done.scans.append((out.name, wanted["seed"]))
        (out / "raw").mkdir(parents=True)
        (out / "truth").mkdir()
        (out / "truth" / "summary.json").write_text(SUMMARY, "utf-8")
        text = "cell: {name: X, anode: low_z}\noutput: result\n"
        (out / "config.yaml").write_text(text, "utf-8")

    def run(config):
        cell = yaml.safe_load(config.read_text("utf-8"))["cell"]
        if "pristine" in cell:
            assert (config.parent / cell["pristine"] / "summary.json").is_file()
        done.runs.append((config.parent.name, cell.get("same_cell", False)))
        (config.parent / "result").mkdir(exist_ok=True)
        (config.parent / "result" / "summary.json").write_text(SUMMARY, "utf-8")

    def score(result, truth, *, pristine_truth=None):
        assert pristine_truth is None or pristine_truth.is_dir()
        done.scores.append((result.parent.name, pristine_truth and pristine_truth.parent.name))
        return {"dice.steel": {"value": 1.0, "unit": "1", "n": 1}}

    monkeypatch.setattr("xct.phantom.writing.write_phantom", scan)
    monkeypatch.setattr(xct, "run", run, raising=False)
    monkeypatch.setattr("xct.score.score", score)
    done.families = families_of(STATES, range(2), tmp_path, (8, 8, 8), 4)
    return done


def test_cycled_cells_are_run_with_their_pristine_one_and_only_scores_stay(bench):
    finish_together(bench.families[:1])
    assert bench.runs == [("ncm-0-0", False), ("ncm-100-0", True)]
    assert bench.scores == [("ncm-0-0", None), ("ncm-100-0", "ncm-0-0")]
    left = sorted(path.name for path in bench.folder.rglob("*") if not path.name.startswith("."))
    assert left == ["cells", "ncm-0-0.json", "ncm-100-0.json"]
    kept = json.loads((bench.folder / "ncm-100-0.json").read_text("utf-8"))
    assert (kept["state"], kept["seed"], kept["voxel_um"]) == ("ncm-100", 0, 2.0)
    assert set(kept["times"]) == {"scan", "run", "score"}
    assert set(kept["times"]["run"]) == {"wall_s", "cpu_s"}


def test_a_scan_that_is_there_is_not_made_again(bench):
    ready = bench.folder / "cells" / "lzp-50-1"
    for name in ("raw", "truth"):
        (ready / name).mkdir(parents=True)
    (ready / "truth" / "summary.json").write_text(SUMMARY, "utf-8")
    (ready / "config.yaml").write_text("cell: {name: READY}\n", "utf-8")
    finish_together(bench.families[3:])
    assert bench.scans == [("lzp-0-1", 1)]
    times = json.loads((bench.folder / "lzp-50-1.json").read_text("utf-8"))["times"]
    assert set(times) == {"run", "score"}


def test_a_result_whose_scan_is_gone_is_scored_as_it_is(bench):
    family = bench.families[0]
    family.finish()
    for state in family.states:
        (family.work(state) / "result").mkdir(parents=True)
        (family.work(state) / "result" / "summary.json").write_text(SUMMARY, "utf-8")
        (family.work(state) / "truth").mkdir()
        (family.work(state) / "truth" / "summary.json").write_text(SUMMARY, "utf-8")
        family.scores(state).unlink()
    family.finish()
    assert len(bench.scans) == len(bench.runs) == 2
    assert len(bench.scores) == 4


def test_what_an_interrupted_bench_scored_is_kept_but_its_pristine_result_made_again(bench):
    family = bench.families[0]
    family.scores("ncm-0").write_text(json.dumps({"state": "ncm-0"}), "utf-8")
    family.finish()
    assert [name for name, _ in bench.runs] == ["ncm-0-0", "ncm-100-0"]
    finish_together([family])  # nothing is left to do
    assert len(bench.runs) == 2


def test_two_processes_take_different_families_and_wait_for_each_other(bench):
    first, others = bench.families[0], bench.families[1:]
    with claimed(first.claim) as mine:
        assert mine
        waiting = threading.Thread(target=finish_together, args=(bench.families, 0.01))
        waiting.start()
        while waiting.is_alive() and not all(family.is_finished() for family in others):
            time.sleep(0.01)
        assert waiting.is_alive()
        assert not first.is_finished()
        assert {name for name, _ in bench.runs}.isdisjoint({"ncm-0-0", "ncm-100-0"})
        first.finish()
    waiting.join(5)
    assert not waiting.is_alive()
    assert len(bench.runs) == 8


def test_the_claim_of_a_process_that_was_killed_is_free(tmp_path):
    file = tmp_path / "claim"
    words = "with claimed(Path(sys.argv[1])) as mine: print(mine, flush=True); sys.stdin.read()"
    code = f"import sys; from pathlib import Path; from xct.bench.accuracy import claimed\n{words}"
    command = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        with claimed(file) as mine:
            assert not mine
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with claimed(file) as mine:
            assert mine


def row_of(what, *scores):
    target = next(target for target in TARGETS if target.name.startswith(what))
    cells = [
        {"state": "ncm-100", "voxel_um": 2.0, "scores": {k: {"value": v} for k, v in some.items()}}
        for some in scores
    ]
    return accuracy._row(target, cells)


def test_displacement_counts_in_voxels_whatever_its_sign():
    row = row_of(
        "displacement bias",
        {"displacement_bias_um.lithium_electrolyte": -0.2},
        {"displacement_bias_um.electrolyte_cathode": 0.04},
    )
    assert (row["n"], row["median"], row["worst"]) == (2, pytest.approx(0.06), pytest.approx(0.1))
    assert not accuracy._met(row)


def test_intervals_of_lithium_contents_do_not_hide_among_those_of_other_numbers():
    found = {"coverage_95.li_content": 0.86, "coverage_95.numbers": 0.96}
    assert not accuracy._met(row_of("lithium contents", found))
    assert accuracy._met(row_of("lithium contents", found | {"coverage_95.li_content": 0.95}))


@pytest.mark.parametrize(("coverage", "met"), [(0.89, False), (0.95, True), (0.995, False)])
def test_intervals_are_to_hold_the_truth_neither_too_seldom_nor_too_often(coverage, met):
    row = row_of("stated", {"coverage_95.numbers": coverage, "coverage_95.numbers.layers": 0.0})
    assert accuracy._met(row) is met
    line = accuracy._table([row], 1, "small").splitlines()[-1]
    assert "0.9 to 0.99" in line
    assert line.endswith("missed") is not met


def test_a_scan_that_is_refused_under_a_condition_withholds_its_numbers(bench, monkeypatch):
    def refuse(config):
        raise RunError("no light")

    monkeypatch.setattr(xct, "run", refuse, raising=False)
    dim = Condition("12kev", "ncm-50", {"energy_kev": 12.0})
    finish_together(families_under([dim], [3], bench.folder)[-1:])
    kept = json.loads((bench.folder / "ncm-50.12kev-3.json").read_text("utf-8"))
    assert kept["said"] == ["refused: no light"]
    assert set(kept["verdicts"].values()) == {"withheld"}
    with pytest.raises(RunError):  # a plain one is not to be refused
        finish_together(bench.families[:1])


def test_cells_under_conditions_stand_beside_plain_ones_and_what_is_wrong_is_named(
    bench, monkeypatch
):
    dim = Condition("12kev", "ncm-50", {"energy_kev": 12.0})
    monkeypatch.setattr(accuracy, "CONDITIONS", (dim,))

    def score(result, truth, *, pristine_truth=None):
        right = 0.9 if "12kev" in str(result) else 1.0
        return {"dice.steel": {"value": right, "unit": "1", "n": 1}}

    monkeypatch.setattr("xct.score.score", score)
    monkeypatch.setattr("xct.bench.targets._MADE_OF", {})
    text = accuracy.bench_conditions(bench.folder, "quick")
    assert "ncm-50, 12kev" in text
    kept = json.loads((bench.folder / "conditions.json").read_text("utf-8"))
    assert kept["verdicts"]["ncm-50"] == {"right": 1, "cells": 1, "refused": 0}
    assert kept["verdicts"]["ncm-50, 12kev"] == {"wrong": 1, "cells": 1, "refused": 0}
    assert kept["wrong"] == [
        {"kind": "ncm-50, 12kev", "seed": 21, "number": "Dice: steel", "value": 0.9,
         "limit": 0.985, "said": []}
    ]  # fmt: skip


def test_what_a_plain_cell_gives_counts_as_withheld_where_it_is_missing():
    def cell(state, condition, **verdicts):
        said = ["refused: no light"] if condition == "12kev" else []
        return {"state": state, "make": "pressed", "condition": condition, "verdicts": verdicts,
                "said": said}  # fmt: skip

    found = accuracy._by_kind([
        cell("ncm-100", None, steel="right", bridges="withheld"),
        cell("ncm-100", "12kev", steel="withheld", bridges="withheld"),
        cell("ncm-100-cracked", "cracked", steel="wrong", bridges="withheld"),
    ])  # fmt: skip
    assert found == {
        "ncm-100": {"right": 1, "cells": 1, "refused": 0},
        "ncm-100, 12kev": {"withheld": 1, "cells": 1, "refused": 1},
        "ncm-100-cracked, cracked": {"wrong": 1, "cells": 1, "refused": 0},
    }
