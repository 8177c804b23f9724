"""Conductivities side by side: exact ones, TauFactor's, and voxels with and without steps."""

import json
import sys

import numpy as np
import pytest

from xct.bench import tortuosity
from xct.bench.tortuosity import VARIABLE, bench_simulate, by_taufactor, draw_media
from xct.errors import XctError
from xct.simulate.block.smooth import smooth_conductivity
from xct.simulate.block.voxels import effective_conductivity


def test_smooth_boundaries_come_nearer_to_what_spheres_leave_than_steps_of_voxels():
    for medium in list(draw_media(24))[:2]:
        smooth, voxels = (
            smooth_conductivity(medium.conducts),
            effective_conductivity(medium.conducts),
        )
        assert smooth == pytest.approx(medium.exact, rel=0.04), medium.name
        assert abs(smooth - medium.exact) < 0.8 * abs(voxels.ratio - medium.exact), medium.name


def test_a_straight_channel_conducts_by_its_width_in_any_voxels():
    channel = np.zeros((6, 9, 12), bool)
    channel[:, :, 3:8] = True
    assert smooth_conductivity(channel, (2.0, 1.0, 1.5)) == pytest.approx(5 / 12, rel=1e-6)
    with pytest.raises(XctError, match="no way through"):
        smooth_conductivity(channel & (np.arange(6) != 3)[:, None, None])


def test_the_bench_says_what_there_is_and_that_taufactor_is_not(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(tortuosity, "installed", lambda name: None)
    monkeypatch.setitem(tortuosity._EDGE, "quick", 12)
    text = bench_simulate(tmp_path, "quick")
    assert "TauFactor is not installed" in text
    written = json.loads((tmp_path / "simulate.json").read_text(encoding="utf-8"))
    assert [each["exact"] is not None for each in written["results"]] == [True, True, False, False]
    assert written["targets"] == []


def test_an_environment_of_its_own_is_asked_and_what_it_lacks_is_said(tmp_path, monkeypatch):
    """A stand-in for TauFactor that gives the part that conducts."""
    package = tmp_path / "taufactor.py"
    package.write_text(
        "class Solver:\n"
        "    def __init__(self, image, device): self.D_eff = image.mean()\n"
        "    def solve(self, **settings): pass\n",
        encoding="utf-8",
    )
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\ncd '{tmp_path}' && exec '{sys.executable}' \"$@\"\n", encoding="utf-8"
    )
    python.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(python))
    half = np.zeros((4, 4, 4), bool)
    half[:, :2] = True
    assert by_taufactor([half, ~half | half]) == [0.5, 1.0]
    package.write_text("import torch_that_is_not_there\n", encoding="utf-8")
    with pytest.raises(XctError, match="does not run TauFactor: ModuleNotFoundError"):
        by_taufactor([half])
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(XctError, match="nothing does not start: No such file"):
        by_taufactor([half])
