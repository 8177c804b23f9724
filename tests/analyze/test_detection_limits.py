"""Limits of detection: from bodies that are planted into the measured electrolyte."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from tests.parallel.pickling import Pickling
from tests.segment.spheres import FACES, MU, Flat, cell_of_spheres
from xct.analyze import detection_limits, inclusions
from xct.analyze.detection_limits import _SIZES, detection_numbers
from xct.geometry import Label
from xct.parallel.executors import executed_by
from xct.quantity import numbers_of
from xct.segment.material.labels import materials

SHAPE, BLUR_PX = (84, 144, 144), 0.6
REFERENCE = Flat(blur_um=2.3548 * 2.0 * BLUR_PX)


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(SHAPE, noise=0.5, blur_px=BLUR_PX, seed=3)


@pytest.fixture(scope="module")
def labels(drawn):
    mu, cell, surfaces, *_ = drawn
    return materials(mu, cell, REFERENCE, surfaces)


@pytest.fixture(scope="module")
def limits(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    return detection_limits(mu, labels, cell, surfaces, REFERENCE)


def size_of(limits, body):
    name = "pore_detection_um.electrolyte" if body == "pore" else f"inclusion_detection_um.{body}"
    return dict(detection_numbers(limits))[name]


def test_the_summary_states_the_size_of_each_kind_of_body(limits):
    found = numbers_of({"detection_limits": limits})
    inclusions = {"inclusion_detection_um.sphere", "inclusion_detection_um.plate"}
    assert set(found) == inclusions | {"pore_detection_um.electrolyte"}


def test_of_small_bodies_none_is_found_and_of_large_ones_all(limits):
    for _, own in limits.groupby("body"):
        assert own["found"].iloc[0] == 0
        assert own["found"].iloc[-1] == own["planted"].iloc[-1] >= 8
    plate, pore, sphere = (size_of(limits, body).value for body in ("plate", "pore", "sphere"))
    assert 0 < plate < pore < sphere < 20


def only(monkeypatch, bodies, sizes, places=32):
    """Plant these bodies of these sizes alone, which shows the same in less time."""
    module = sys.modules["xct.analyze.detection_limits"]  # its name is the function's
    found_of = module._found
    monkeypatch.setattr(module, "_planted_particles", lambda *_: [])
    monkeypatch.setattr(module, "_SIZES", sizes)
    monkeypatch.setattr(module, "_PLACES", places)
    monkeypatch.setattr(
        module, "_found", lambda task, *rest: found_of(task, *rest) if task[0] in bodies else 0
    )


PLACES = [(FACES[1] + 12, 72 + 17 * a, 72 + 17 * b) for a in (-2, -1, 0, 1, 2) for b in (-1, 0, 1)]


def with_spheres(drawn, diameter_um, noise_seed):
    """Give a drawn cell with empty spheres at `PLACES`, and its labels."""
    mu, cell, surfaces, *_ = drawn
    z, y, x = np.indices(mu.shape)
    filled, rng = np.zeros(mu.shape), np.random.default_rng(noise_seed)
    for place in PLACES:
        c, b, a = np.add(place, rng.uniform(-0.5, 0.5, 3))
        away = np.sqrt((z - c) ** 2 + (y - b) ** 2 + (x - a) ** 2) * 2.0
        filled += np.clip((diameter_um / 2 - away) / 2.0 + 0.5, 0, 1)
    planted = (mu - MU[2] * gaussian_filter(filled, BLUR_PX)).astype(np.float32)
    return planted, materials(planted, cell, REFERENCE, surfaces)


def spheres_found(drawn, diameter_um, noise_seed):
    """How many of the spheres of a drawn cell its labels and inclusions show."""
    _, cell, surfaces, *_ = drawn
    planted, labels = with_spheres(drawn, diameter_um, noise_seed)
    table = inclusions(planted, labels, cell, surfaces, REFERENCE)
    return (table["class"] == "enclosed").sum() / len(PLACES)


def pores_seen(drawn, diameter_um, noise_seed):
    """At how many of them a voxel is labelled low grey."""
    labels = with_spheres(drawn, diameter_um, noise_seed)[1]
    around = [tuple(slice(c - 2, c + 3) for c in np.rint(place).astype(int)) for place in PLACES]
    return np.mean([(labels[where] == Label.LOW_GREY).any() for where in around])


def test_pores_are_labelled_from_the_size_on_that_is_stated(drawn, limits):
    size = size_of(limits, "pore").value
    assert pores_seen(drawn, 1.2 * size, 2) > 0.9
    assert pores_seen(drawn, 0.8 * size, 2) < 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_size_is_that_at_which_whole_runs_find_half(drawn, limits, seed):
    size = size_of(limits, "sphere").value
    assert spheres_found(drawn, 1.3 * size, seed) > 0.9
    assert spheres_found(drawn, 0.75 * size, seed) < 0.1


def test_more_blur_hides_larger_bodies(limits, monkeypatch):
    only(monkeypatch, ("sphere", "plate"), _SIZES[1:8], 16)
    mu, cell, surfaces, *_ = cell_of_spheres(SHAPE, noise=0.5, blur_px=1.0, seed=3)
    wide = Flat(blur_um=2.3548 * 2.0 * 1.0)
    blurred = detection_limits(mu, materials(mu, cell, wide, surfaces), cell, surfaces, wide)
    for body in ("sphere", "plate"):
        assert size_of(blurred, body).value > 1.2 * size_of(limits, body).value


def test_the_size_scatters_over_places_by_no_more_than_is_stated(drawn, labels, monkeypatch):
    """Less where all or none of a size are found: then the step between sizes decides."""
    only(monkeypatch, ("plate",), _SIZES[1:7])
    mu, cell, surfaces, *_ = drawn
    found = [
        size_of(detection_limits(mu, labels, cell, surfaces, REFERENCE, seed=seed), "plate")
        for seed in range(5)
    ]
    stated = np.mean([one.sd for one in found])
    assert np.std([one.value for one in found], ddof=1) < 2 * stated
    assert stated < 0.08 * found[0].value


def test_where_all_or_none_are_found_the_size_is_known_to_a_step():
    sizes = np.array([4.0, 5.0, 6.25])
    table = pd.DataFrame({"body": "sphere", "size_um": sizes, "planted": 32, "found": [0, 0, 32]})
    [(_, number)] = detection_numbers(table)
    assert number.value == pytest.approx(5.625)
    assert number.sd == pytest.approx(1.25 / np.sqrt(12), rel=0.15)


def test_the_work_can_be_sent_to_another_process(drawn, labels, monkeypatch):
    monkeypatch.setattr(sys.modules["xct.analyze.detection_limits"], "_PLACES", 8)
    mu, cell, surfaces, *_ = drawn
    here = detection_limits(mu, labels, cell, surfaces, REFERENCE)
    with executed_by(Pickling()):
        again = detection_limits(mu, labels, cell, surfaces, REFERENCE)
    assert again.equals(here)
    assert set(here["planted"]) == {8}


def test_without_electrolyte_nothing_is_said(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    full = np.where(labels == Label.ELECTROLYTE, Label.LITHIUM, labels)
    assert detection_limits(mu, full, cell, surfaces, REFERENCE) is None


def test_particles_are_found_the_larger_they_are_and_alone_rather_than_among_others(limits):
    rows = {body: own for body, own in limits.groupby("body") if "particle" in body}
    assert set(rows) == {"particle", "isolated_particle"}
    for own in rows.values():
        assert own["found"].iloc[0] < 0.2 * own["planted"].iloc[0]
        assert own["found"].iloc[-1] > 0.9 * own["planted"].iloc[-1]
    assert rows["isolated_particle"]["found"].sum() >= rows["particle"]["found"].sum()


def test_the_count_above_the_limit_says_where_that_is_and_grows_by_what_is_missed():
    table = pd.DataFrame(
        {"body": "particle", "size_um": [4.0, 5.0, 6.25, 8.0], "planted": 32,
         "found": [0, 16, 30, 32]}
    )  # fmt: skip
    diameters = np.random.default_rng(0).uniform(3, 12, 1000)
    particles = pd.DataFrame({"equivalent_diameter_um": diameters, "drifted": False})
    found = dict(detection_numbers(table, particles))
    assert found["particle_detection_um.in_cathode"].value == pytest.approx(5.0)
    count = found["particles_above_limit"]
    limit = count.entry()["limit_um"]
    assert 5.9 < limit < 6.25
    seen = np.count_nonzero(diameters >= limit)
    assert seen < count.value < 1.03 * seen
    assert 0.01 * seen < count.sd < 0.1 * seen


@pytest.mark.parametrize(("cut", "bound"), [(2, None), (30, "lower")])
def test_where_many_particles_are_cut_by_several_cracks_the_count_is_a_lower_bound(cut, bound):
    table = pd.DataFrame({"body": "particle", "size_um": [4.0, 5.0, 6.0], "planted": 32,
                          "found": [0, 16, 32]})  # fmt: skip
    pieces = np.where(np.arange(1000) < cut, 4, 1)
    particles = pd.DataFrame({"equivalent_diameter_um": 9.0, "drifted": False, "pieces": pieces})
    count = dict(detection_numbers(table, particles))["particles_above_limit"]
    assert count.bound == bound
    assert (count.sd is None) == (bound is not None)
    assert (f"{cut} of them are cut" in count.note) == (bound is not None)


@pytest.mark.parametrize(("cut", "bound"), [(20, None), (60, "lower")])
def test_where_many_particles_are_cut_their_count_by_volume_is_a_lower_bound(cut, bound):
    table = pd.DataFrame({"body": "particle", "size_um": [4.0, 5.0, 6.0], "planted": 32,
                          "found": [0, 16, 32]})  # fmt: skip
    pieces = np.where(np.arange(1000) < cut, 2, 1)
    particles = pd.DataFrame({"equivalent_diameter_um": 9.0, "drifted": False, "pieces": pieces})
    count = dict(detection_numbers(table, particles))["particles_above_limit"]
    assert count.bound == bound
    assert ("whose volume is not counted" in count.note) == (bound is not None)


def test_drifted_particles_are_counted_above_the_size_at_which_isolated_ones_are_found():
    table = pd.DataFrame(
        {"body": "isolated_particle", "size_um": [3.0, 4.0, 5.0], "planted": 32,
         "found": [0, 16, 32]}
    )  # fmt: skip
    particles = pd.DataFrame(
        {"equivalent_diameter_um": [4.2, 6.0, 9.0, 9.0], "drifted": [True, True, True, False]}
    )
    count = dict(detection_numbers(table, particles))["drifted_above_limit"]
    assert count.entry()["limit_um"] == pytest.approx(4.8)
    assert count.unit == "particles"
    assert count.value == pytest.approx(2, abs=0.01)
    assert 0.1 < count.sd < 1


def test_counts_of_inclusions_are_as_uncertain_as_stated():
    """Sizes, which are found and how many bodies were planted are drawn anew each time."""
    sizes, deviations, counts = np.geomspace(2.0, 20.0, 13), [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)

        def found_of(size):
            return 1 / (1 + (8.0 / size) ** 9)

        table = pd.DataFrame({"body": "sphere", "size_um": sizes, "planted": 32})
        table["found"] = rng.binomial(32, found_of(sizes))
        thickness = rng.lognormal(np.log(9), 0.4, 60)
        kind = rng.choice(["enclosed", "at_lithium", "at_front", "bridging"], 60)
        counted = np.isin(kind, ["enclosed", "bridging"])
        seen = rng.random(60) < found_of(thickness)
        read = thickness * rng.normal(1, 0.03)
        inclusions = pd.DataFrame({"class": kind[seen], "thickness_um": read[seen]})
        number = dict(detection_numbers(table, None, inclusions))["inclusions_above_limit"]
        true = np.count_nonzero(thickness[counted] >= number.entry()["limit_um"])
        deviations.append((number.value - true) / number.sd)
        counts.append(number.value)
    assert np.mean(counts) > 5
    assert abs(np.mean(deviations)) < 0.4
    assert 0.6 < np.std(deviations) < 1.4


def test_where_no_inclusion_is_thick_enough_one_in_ten_may_have_been_missed():
    table = pd.DataFrame(
        {"body": "sphere", "size_um": [4.0, 5.0, 6.0], "planted": 32, "found": [0, 30, 32]}
    )
    nothing = pd.DataFrame({"class": [], "thickness_um": []})
    number = dict(detection_numbers(table, None, nothing))["inclusions_above_limit"]
    assert number.value == 0
    assert number.sd == pytest.approx(0.1**0.5)
