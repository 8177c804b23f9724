"""The bench of stripes: every kind has its figures, and all of xct's ways stay below the peer."""

import json
import sys

import numpy as np
import pytest

from xct.bench.stripes import removal as stripe_removal
from xct.bench.stripes.sinograms import KINDS, SAMPLES, draw


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stripe_removal, "_SIZES", {"quick": (300, 256, 1, (60, 80))})
        patched.setattr(stripe_removal, "installed", lambda name: None)
        patched.setenv("XCT_TEST_DATA", str(out))
        text = stripe_removal.bench_stripes(out, "quick")
    return text, json.loads((out / "stripes.json").read_text(encoding="utf-8"))


def test_every_kind_of_stripe_has_figures_on_every_sample(found):
    text, figures = found
    assert set(figures["drawn"]["kinds"]) == {f"{k}, {s}" for k in KINDS for s in SAMPLES}
    assert all(kind in text for kind in KINDS)
    assert figures["real"] == {}
    assert {t["what"].split(",")[0] for t in figures["targets"]} == {
        "profile",
        "weak",
        "both",
        "auto",
    }


@pytest.mark.parametrize("kind", ["full", "wide", "dead", "stuck", "fluctuating"])
def test_stripes_are_weaker_after_than_before(found, kind):
    _, figures = found
    entry = figures["drawn"]["kinds"][f"{kind}, discs"]
    assert entry["profile"]["residual"] < 0.7 * entry["untouched"]["residual"]


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_spoil_what_they_say(kind):
    case = draw(kind, "discs", 1, 120, 200)
    spoilt = np.abs(case.striped - case.clean).max(axis=0) > 0
    assert spoilt.any() == (kind != "none")
    assert spoilt.sum() <= 40


def test_each_method_is_timed_beside_the_function_that_does_the_same(monkeypatch):
    from types import ModuleType

    asked = []
    prep, removal = ModuleType("algotom.prep"), ModuleType("algotom.prep.removal")
    for name, _ in stripe_removal._PEERS.values():
        setattr(removal, name, lambda sinogram, n=name, **settings: asked.append((n, settings)))
    prep.removal = removal
    for module in (ModuleType("algotom"), prep, removal):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(stripe_removal, "installed", lambda name: "1.7.0")
    found = stripe_removal.measure_beside(60, 80)
    assert list(found) == ["profile", "sorting", "both", "wavelet"]
    assert {name for name, _ in asked} == {entry["peer"] for entry in found.values()}
    assert ("remove_stripe_based_sorting", {"size": 15}) in asked
