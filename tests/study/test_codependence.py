"""Maps of two layers, whose true correlation, spectra and noise are drawn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.study.fields import pair
from tests.study.stubs import StubCell
from xct.geometry import CellGeometry, Surface
from xct.study.codependence.correlation import codependence, lag_um
from xct.study.codependence.maps import drifted_fraction, excess_grey, lithium_lost, looked_at_um
from xct.study.codependence.measured import Together, codependence_table
from xct.study.codependence.smoothing import Samples, ring_map


def test_maps_that_have_nothing_in_common_are_rarely_called_codependent():
    """A thousand pairs with other spectra: as often as 5 % promises, and evenly below that."""
    found = []
    for seed in range(1000):
        first, second = pair(seed, 300.0, 0.0, lengths_um=(40.0, 80.0))
        found.append(codependence([first], second, 300.0, (100.0,)).p_value)
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07
    assert 0.45 <= np.mean(np.array(found) <= 0.5) <= 0.55


def test_the_best_of_several_maps_and_scales_is_judged_by_one_p_value():
    found = []
    for seed in range(120):
        first, second = pair(seed, 300.0, 0.0)
        another = replace(pair(seed + 5000, 300.0, 0.0)[0], name="another")
        found.append(codependence([first, another], second, 300.0, (50.0, 100.0)).p_value)
    assert np.mean(np.array(found) <= 0.05) <= 0.09


@pytest.mark.parametrize("r", [0.0, 0.3, 0.7])
def test_a_true_correlation_lies_within_its_interval(r):
    rows = []
    for seed in range(40):
        first, second = pair(seed, 800.0, r, noise=3.0)
        rows.append(codependence([first], second, 800.0, (100.0,)).best)
    assert np.mean([row.low <= r <= row.high for row in rows]) >= 0.88
    assert np.mean([row.value for row in rows]) == pytest.approx(r, abs=0.06)
    if r:  # as seen it is lower: noise is not told from the map
        assert np.mean([row.seen for row in rows]) < 0.85 * np.mean([row.value for row in rows])


def test_what_would_be_seen_in_four_of_five_bores_is_seen_so_often():
    first, second = pair(0, 600.0, 0.0)
    r = codependence([first], second, 600.0, (100.0,)).best.detectable
    assert 0.2 < r < 0.7
    seen = []
    for seed in range(60):
        first, second = pair(seed, 600.0, r)
        seen.append(codependence([first], second, 600.0, (100.0,)).p_value <= 0.05)
    assert 0.6 <= np.mean(seen) <= 0.95


def test_a_small_bore_is_too_small_and_says_how_wide_one_must_be():
    first, second = pair(1, 110.0, 0.0)
    assert codependence([first], second, 110.0).verdict == "too_small"
    needed = []
    for seed in range(12):
        first, second = pair(seed, 200.0, 0.0)
        needed.append(codependence([first], second, 200.0).diameter_needed_um)
    radius = 1.15 * np.median(needed) / 2  # of one cell it is hardly known
    assert radius > 250.0
    wide = [codependence([a], b, radius) for a, b in (pair(s, radius, 0.0) for s in range(9))]
    assert np.mean([one.can_tell for one in wide]) > 0.5


def test_a_common_radial_structure_is_no_codependence():
    """Cupping of both layers, as a beam makes it."""
    first, second = pair(3, 500.0, 0.0)
    bowed = [
        replace(m, value=m.value + 5 * np.hypot(m.y_um, m.x_um) / 500) for m in (first, second)
    ]
    assert codependence([bowed[0]], bowed[1], 500.0).p_value > 0.05


def test_structure_that_the_pristine_cell_has_too_counts_as_noise():
    first, second = pair(4, 800.0, 0.5)
    plain = codependence([first], second, 800.0, (100.0,)).best
    before = {"lithium": replace(second, value=0.7 * second.value)}
    less = codependence([first], second, 800.0, (100.0,), before).best
    assert less.signal_second == pytest.approx(plain.signal_second - 0.49, abs=0.02)
    assert less.value > plain.value


def test_a_map_that_lies_beside_the_other_is_found_there():
    first, second = pair(5, 800.0, 1.0, noise=0.3)
    moved = replace(first, y_um=first.y_um - 50.0, x_um=first.x_um + 25.0)
    assert lag_um(moved, second, 800.0, 100.0) == pytest.approx((50.0, -25.0), abs=13.0)


def test_the_stated_noise_of_a_smooth_map_is_that_of_many_draws():
    rng = np.random.default_rng(0)
    y, x = rng.uniform(-300, 300, (2, 2000))
    variance = rng.uniform(0.5, 4.0, 2000)
    maps = [
        ring_map(
            Samples(y, x, np.sqrt(variance) * rng.standard_normal(2000), variance), 250.0, 80.0
        )
        for _ in range(60)
    ]
    scatter = np.mean([m.value**2 for m in maps])
    assert scatter == pytest.approx(np.mean(maps[0].variance), rel=0.1)


CELL = CellGeometry((40, 101, 101), (2.0, 2.0, 2.0), 100.0, 100.0, 90.0)


def test_lithium_is_lost_where_the_layer_is_thin_and_most_where_it_is_gone():
    steel = Surface(np.zeros((101, 101)), np.full((101, 101), 0.2), "")
    height = np.full((101, 101), 30.0)
    height[:, 60:] = 20.0
    height[:, 80:] = np.nan
    found = lithium_lost(
        {"steel_lithium": steel, "lithium_electrolyte": Surface(height, steel.sd_um, "")}, CELL
    )
    assert found is not None
    by_place = [
        found.value[(found.x_um > a) & (found.x_um < b)].mean()
        for a, b in ((-80, 10), (24, 56), (66, 85))
    ]
    assert by_place[1] - by_place[0] == pytest.approx(10.0, abs=0.3)
    assert by_place[2] - by_place[0] == pytest.approx(30.0, abs=0.3)


def particles(count, seed=0):
    """Draw a table without any damage, but with cracks that grow with depth."""
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(20, 180, (2, count))
    depth = rng.uniform(0, 40, count)
    return pd.DataFrame(
        {
            "z_um": 40 + depth,
            "y_um": y,
            "x_um": x,
            "drifted": False,
            "attached": True,
            "core_voxels": 20,
            "core_grey": 38_000 - 60 * depth + 300 * rng.standard_normal(count),
            "core_grey_noise_sd": 200.0,
            "distance_to_front_um": -depth,
            "equivalent_diameter_um": rng.uniform(6, 12, count),
            "cavity_fraction": 0.0,
            "core_share": 0.9,
        }
    )


def test_cracks_that_grow_with_depth_make_no_map_of_damage():
    """Left: particles near the front only. Their mean is brighter, their cathode is not better."""
    table = particles(3000)
    table = table[(table["x_um"] > 100) | (table["distance_to_front_um"] > -15)]
    found = excess_grey(table, CELL)
    assert found is not None
    left, right = found.value[found.x_um < 0], found.value[found.x_um > 0]
    assert abs(left.mean() - right.mean()) < 40  # 600 by depth alone
    assert np.median(found.variance) == pytest.approx(300**2, rel=0.15)  # all scatter, not noise


def test_drift_is_mapped_from_three_particles_on():
    table = particles(400)
    table[["y_um", "x_um"]] = 100 + 0.6 * (table[["y_um", "x_um"]] - 100)  # away from the wall
    table.loc[:1, ["drifted", "attached"]] = True, False
    assert drifted_fraction(table, CELL) is None
    table.loc[:2, ["drifted", "attached"]] = True, False
    found = drifted_fraction(table, CELL)
    assert found is not None
    assert found.value.sum() == 3


def test_a_bore_that_is_too_small_is_named_with_its_own_width_not_with_that_of_its_maps():
    radius = looked_at_um(replace(CELL, bore_radius_um=120.0))
    first, second = pair(1, radius, 0.0)
    found = codependence([first], second, radius)
    one = Together(StubCell(), found, "", [first], second)
    assert "This bore of 0.24 mm is too small to tell" in one.answer()
    row = codependence_table([one]).iloc[0]
    assert row["bore_um"] == pytest.approx(240.0)
    needed = found.best.to_plan_with / 0.7  # chance falls with the diameter
    assert row["bore_needed_um"] == pytest.approx(240.0 * needed)
    assert f"{np.ceil(2.4 * needed) / 10:.1f} mm." in one.answer()


def test_the_map_that_shows_it_best_is_named_where_r_is_of_another():
    """p is of the strongest row, r of the one that would tell most: they need not be one."""
    first, second = pair(7, 600.0, 0.9)
    dull = replace(pair(8, 600.0, 0.0)[0], name="dull one")
    found = codependence([replace(first, name="true one"), dull], second, 600.0, (100.0,))
    by_name = {row.first: row for row in found.rows}
    told = replace(by_name["dull one"], detectable=0.01)
    other = replace(found, rows=[by_name["true one"], told])
    said = Together(StubCell(), other, "", [first, dull], second).answer()
    assert found.verdict == "together"
    assert "strongest for the true one at 100 µm; r = " in said
    assert said.endswith("for the dull one at 100 µm).")
    alone = replace(found, rows=[by_name["true one"]])
    assert "strongest" not in Together(StubCell(), alone, "", [first], second).answer()
