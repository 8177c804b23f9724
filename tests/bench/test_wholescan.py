"""A raw scan made and reconstructed: seconds, steps and memory are reported."""

import json

import numpy as np
import pytest

import xct
from xct.bench import wholescan
from xct.bench.rawscan import write_raw_scan
from xct.cli.main import execute


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "scan.nxs"
    write_raw_scan(path, 90, 8, 160)
    return path


def test_raw_scan_drifts_and_can_be_read_by_rows(raw):
    scan = xct.read_scan(raw)
    assert scan.projections.shape == (90, 8, 160)
    assert scan.projections.dtype == np.uint16
    assert not scan.projections.whole_frames
    flats = scan.flats.read().astype(float)
    assert flats[:20].mean() > 1.01 * flats[20:].mean()
    assert scan.flat_time[19] < scan.projection_time[0] < scan.flat_time[20]


def test_whole_scan_reports_seconds_steps_and_memory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        wholescan, "SIZES", {"quick": (90, 16, 200), "full": (90, 16, 200)}
    )  # fmt: skip
    assert execute(["bench", "scan", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    figures = json.loads((tmp_path / "scan.json").read_text(encoding="utf-8"))
    run = figures["runs"]["sorting"]
    assert run["slices"] == 8
    assert {"read", "flat_field", "stripes", "fbp", "write"} <= set(run["steps"])
    assert run["seconds_to_disk"] >= run["seconds"] > 0
    assert run["peak_memory_gib"] > 0.1
    assert "s/slice" in text
    assert figures["raw"] == {"angles": 90, "rows": 16, "columns": 200, "bin": 2}
    assert {target["what"] for target in figures["targets"]} >= {"sorting: a slice, all in"}


def test_unknown_bench_is_refused(capsys):
    assert execute(["bench", "speed"]) == 2
    assert "reconstruct" in capsys.readouterr().err
