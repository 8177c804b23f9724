"""Slices side by side: who is there is timed and judged, who is not is named."""

import json

import numpy as np
import pytest

from xct.bench import machine, peers, slices
from xct.bench.figures import Target, table
from xct.bench.peers import CONTENDERS, FINUFFT_EXACT, XCT
from xct.bench.problem import Problem
from xct.phantom import draw_discs

SIZES = {"quick": ((48, 40), (64, 60))}
THERE = [c for c in CONTENDERS if machine.installed(c.package)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run the bench on small slices; its text, its folder and its JSON."""
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(slices, "SIZES", SIZES)
        text = slices.bench_slices(out, "quick")
    return text, out, json.loads((out / "reconstruct.json").read_text(encoding="utf-8"))


def test_every_package_that_is_there_is_timed_at_every_width(found):
    _, _, figures = found
    seen = {(r["columns"], r["name"]) for r in figures["results"]}
    assert seen == {(columns, c.name) for columns, _ in SIZES["quick"] for c in THERE}
    assert all(r["seconds_a_slice"] > 0 for r in figures["results"])
    beyond = {r["name"]: r["errors_percent"].get("disc_against_exact") for r in figures["results"]}
    if FINUFFT_EXACT in beyond:
        assert beyond[FINUFFT_EXACT] == 0
        assert abs(beyond[XCT]) < 1  # in a slice so small
    assert all(np.median(r["runs_seconds_a_slice"]) == r["seconds_a_slice"]
               for r in figures["results"])  # fmt: skip


def test_json_says_on_what_machine_and_with_what_versions(found):
    _, _, figures = found
    assert figures["machine"]["cores"] >= 1
    assert figures["machine"]["processor"]
    assert figures["machine"]["date"].count("-") == 2
    assert figures["versions"]["numpy"] == np.__version__
    assert figures["memory"]["beyond_input_gib"] >= 0
    assert not any("host" in key for key in figures["machine"])


def test_text_holds_the_table_and_the_figure_is_a_picture(found):
    text, out, _ = found
    assert all(contender.name in text for contender in THERE)
    assert "64 × 60" in text
    assert (out / "reconstruct.png").read_bytes().startswith(b"\x89PNG")


def test_absent_packages_are_named_and_left_out(monkeypatch, tmp_path):
    def only_ours(name):
        return None if name in ("finufft", "algotom", "astra-toolbox", "scikit-image") else "1.0"

    monkeypatch.setattr(machine, "installed", only_ours)
    monkeypatch.setattr(slices, "installed", only_ours)
    monkeypatch.setattr(slices, "SIZES", {"quick": ((32, 20),)})
    text = slices.bench_slices(tmp_path, "quick")
    figures = json.loads((tmp_path / "reconstruct.json").read_text(encoding="utf-8"))
    assert [r["name"] for r in figures["results"]] == [XCT]
    assert set(figures["absent"]) == {"finufft", "algotom", "astra-toolbox", "scikit-image"}
    assert "not installed: algotom, astra-toolbox, finufft, scikit-image" in text


def solved(name: str, problem: Problem) -> np.ndarray:
    contender = next(c for c in CONTENDERS if c.name == name)
    return contender.prepare(problem)()


@pytest.mark.parametrize(("columns", "angles"), [(128, 200), (129, 201)])
def test_finufft_sees_the_slices_that_xct_sees(columns, angles):
    pytest.importorskip("finufft")
    problem = Problem.of(columns, angles)
    ours, theirs = solved(XCT, problem), solved(FINUFFT_EXACT, problem)
    inside = np.hypot(*np.mgrid[-1 : 1 : columns * 1j, -1 : 1 : columns * 1j]) < 0.95
    assert np.abs((ours[0] - theirs[0])[inside]).max() < 2e-3 * problem.truth.max()
    # Its last row is the weakest, as in the slab that it was given.
    assert np.abs((0.5 * ours[0] - theirs[-1])[inside]).max() < 2e-3 * problem.truth.max()
    for name, error in problem.errors(theirs[0]).items():
        assert problem.errors(ours[0])[name] == pytest.approx(error, abs=0.02), name


@pytest.mark.parametrize("contender", THERE, ids=lambda c: c.name)
def test_every_package_has_its_slice_the_right_way_round(contender):
    columns = 128
    problem = Problem.of(columns, 200, contender.axis_px(columns))
    picture = contender.prepare(problem)()[0]
    assert picture.shape == (columns, columns)
    errors = problem.errors(picture)
    assert errors["rmse"] < 3  # half a pixel off gives 7, turned the other way 25
    assert abs(errors["background"]) < 0.5


def test_errors_are_those_of_a_slice_spoiled_by_hand():
    problem = Problem.of(200, 10)
    x, y, radius, _ = problem.discs[np.argmax(problem.discs[:, 2])]
    position = np.arange(200) - 99.5
    within = np.hypot(position - x, position[:, None] - y) <= radius
    largest = problem.truth.max()
    assert set(problem.errors(problem.truth).values()) == {0.0}
    spoiled = problem.errors(problem.truth + 0.01 * largest * within)
    assert spoiled["disc_centers"] == spoiled["disc_core"] == pytest.approx(1.0)
    assert spoiled["disc"] == pytest.approx(1.0)  # of a small disc that lies in the large one
    assert spoiled["background"] == 0
    lifted = problem.errors(problem.truth - 0.02 * largest)
    discs = dict.fromkeys(("disc", "disc_centers", "disc_core"), -2.0)
    assert lifted == pytest.approx({"rmse": 2, **discs, "background": -2})


def test_the_mean_of_a_disc_is_weighted_by_area(monkeypatch):
    alone = np.array([[-20.3, 31.8, 12.4, 0.5]])
    monkeypatch.setattr(Problem, "discs", alone)
    problem = Problem.of(200, 10)
    # A slice in which the disc is half as strong again: the mean of what is too much over its
    # area is that of the square of the part of each pixel that it covers.
    part = draw_discs(alone, 200) / 0.5
    expected = 50 * np.sum(part**2) / part.sum()
    assert problem.errors(1.5 * problem.truth)["disc"] == pytest.approx(expected)
    assert problem.disc_difference(1.5 * problem.truth, problem.truth) == pytest.approx(expected)
    assert expected < problem.errors(1.5 * problem.truth)["disc_core"] == pytest.approx(50)


def test_slow_packages_get_fewer_angles_and_no_errors_at_large_sizes(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.setattr(slices, "_WHOLE", 32**2 * 20)
    slow = [r for r in slices.measure_width(64, 40) if "scikit" in r["package"]]
    assert [r["timed_angles"] for r in slow] == [5]
    assert "errors_percent" not in slow[0]
    assert slices.measure_width(64, 40, slow=True)[-1]["timed_angles"] == 40


def test_targets_are_met_from_the_right_side():
    assert Target("time", 1.0, "at most", 2.0, "s").met
    assert not Target("time", 1.0, "at least", 2.0, "×").met


def test_table_is_aligned():
    lines = table(("name", "s"), [("a", 1.23456), ("long name", None)]).splitlines()
    assert lines[2:] == ["a" + " " * 9 + " 1.23", "long name     –"]


def test_padding_is_that_of_xct():
    assert peers.PADDING >= 1.25
