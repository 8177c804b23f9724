"""Stages side by side: every one has its figure, and what is compared agrees."""

import json

import numpy as np
import pytest

from xct.bench import kernels
from xct.bench import kernels as rotation
from xct.bench.machine import installed
from xct.bench.rawscan import draw_counts
from xct.bench.timing import Task, in_turns, peak_memory
from xct.preprocess import phase_retrieval

SLAB, SINOGRAM = (40, 6, 96), (60, 80)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernels, "SIZES", {"quick": kernels.Size(SLAB, SINOGRAM)})
        patched.setattr(rotation, "_TIMED", {"quick": (120, 6, 128)})
        patched.setattr(rotation, "_CASES", {"quick": (2, 120, 6, 128)})
        text = kernels.bench_stages(out, "quick")
    return text, json.loads((out / "stages.json").read_text(encoding="utf-8"))


def test_every_stage_of_preprocessing_has_a_figure(found):
    text, figures = found
    stages = {"flat_field", "fill_dead_pixels", "outliers", "line_integrals", "fill_nonpositive"}
    assert stages < set(figures["stages"])
    assert all(entry["ms_a_million"] > 0 for entry in figures["stages"].values())
    assert all(len(entry["runs"]) == 5 for entry in figures["stages"].values())
    assert all(name in text for name in figures["stages"])


def test_phase_retrieval_is_timed_beside_what_gives_the_same(found):
    _, figures = found
    assert {kernels.RETRIEVAL, kernels.RETRIEVAL_NUMPY} < set(figures["stages"])
    frame = np.random.default_rng(0).uniform(0.3, 1.1, (60, 80)).astype(np.float32)
    ours = phase_retrieval(
        frame[None],
        energy_kev=20.0,
        distance_mm=40.0,
        pixel_size_um=1.625,
        delta_over_beta=37.0,
        method="paganin",
    )[0]
    np.testing.assert_allclose(ours, kernels.paganin_by_numpy(frame), atol=2e-3)


def test_targets_stand_beside_their_figures(found):
    text, figures = found
    targets = {target["what"]: target for target in figures["targets"]}
    fused = targets["flat_field + line_integrals"]
    parts = [figures["stages"][name]["ms_a_million"] for name in ("flat_field", "line_integrals")]
    assert fused["value"] == pytest.approx(sum(parts))
    assert fused["target"] == 2.5
    assert "find_center, 128 columns" in targets
    assert ("met" in text) or ("MISSED" in text)


def test_sorting_gives_what_algotom_gives(found):
    if not installed("algotom"):
        pytest.skip("algotom is not installed")
    _, figures = found
    assert figures["stripes"]["algotom, one sinogram"]["largest_difference"] < 1e-6


def test_axis_is_found_on_noisy_cases(found):
    _, figures = found
    assert figures["find_center"]["cases"] == 2
    assert figures["find_center"]["largest_error_px"] < 0.5


def test_counts_are_those_of_a_fading_beam_with_dead_pixels_and_zingers():
    counts = draw_counts((200, 40, 128))
    before, after = counts.flats[:20], counts.flats[20:]
    assert 0.96 < np.median(after / before.mean()) < 0.99
    dead = (counts.flats.mean(axis=0) - counts.darks.mean(axis=0)) < 5
    assert dead.sum() == 1  # 300 of a million
    assert (counts.projections == 60_000).sum() == 20
    transmission = counts.flat_field()
    assert np.isnan(transmission).sum() == 200
    assert 0.1 < np.nanmin(transmission) < 0.15  # exp(-2), with noise


def test_tasks_take_turns_and_give_their_median():
    order = []
    timings = in_turns(
        {
            "a": Task(lambda: order.append("a"), runs=2),
            "b": Task(lambda: order.append("b"), runs=3, scale=0.5),
        }
    )
    assert "".join(order) == "ab" + "ab" + "ab" + "b"
    assert len(timings["b"].runs) == 3
    assert timings["b"].seconds == sorted(timings["b"].runs)[1]


def test_peak_of_memory_counts_what_was_held_meanwhile():
    with peak_memory() as peak:
        held = np.ones(2**24)
        held += 1
        import time

        time.sleep(0.05)
        del held
    assert 0.11 < peak.gib < 0.2
