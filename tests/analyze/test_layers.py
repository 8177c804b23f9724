"""Thickness, absent lithium and swelling, by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from xct.analyze import (
    absent_area_sweep,
    absent_lithium,
    layer_thickness,
    swelling_map,
    thickness_maps,
)
from xct.analyze.layers import absent_lithium_table, beside, layer_numbers
from xct.analyze.lithium.gaps import gaps_um
from xct.geometry import SURFACES, CellGeometry, Plane, Surface

SHAPE = (20, 30)


def level(height_um, sd_um=0.2):
    height = np.broadcast_to(np.float32(height_um), SHAPE).copy()
    return Surface(height, np.full(SHAPE, sd_um, np.float32), "by hand")


@pytest.fixture
def surfaces():
    """Lithium of 40 µm, gone over a quarter of the area."""
    lithium = level(60.0)
    lithium.height_um[:10, :15] = np.nan
    heights = (level(20.0), lithium, level(190.0), level(270.0))
    return dict(zip(SURFACES, heights, strict=True))


def turned(surfaces):
    """The same cell, anode at high z."""
    return {
        name: Surface(300 - some.height_um, some.sd_um, some.definition)
        for name, some in surfaces.items()
    }


@pytest.mark.parametrize("turn", [dict, turned])
def test_absent_lithium_counts_as_nothing_and_the_electrolyte_begins_at_the_steel(surfaces, turn):
    table = layer_thickness(turn(surfaces)).set_index("layer")
    assert list(table.index) == ["lithium", "electrolyte", "cathode"]
    assert table.mean_thickness_um["lithium"] == pytest.approx(30.0)
    assert table.absent_area_fraction["lithium"] == pytest.approx(0.25)
    assert table.mean_thickness_um["electrolyte"] == pytest.approx(0.75 * 130 + 0.25 * 170)
    assert table.sd_thickness_um["cathode"] == pytest.approx(0, abs=1e-4)
    assert table.coefficient_of_variation["lithium"] == pytest.approx(np.sqrt(1 / 3))
    assert (table.n == 600).all()
    assert (table.mean_thickness_um_sd > 0).all()


@pytest.mark.parametrize("wrong", ["darks_too_high", "light_unsteady"])
def test_absent_lithium_is_withheld_where_the_light_is_wrong_and_thickness_stays(surfaces, wrong):
    right = layer_thickness(surfaces)
    table = layer_thickness(surfaces, **{wrong: "the light flickers"})
    np.testing.assert_array_equal(table.mean_thickness_um, right.mean_thickness_um)
    numbers = {key: number for key, number in layer_numbers(table) if number.is_known}
    assert "thickness_um.lithium" in numbers
    assert "absent_area_fraction" not in numbers
    assert "absent_area_fraction" in dict(layer_numbers(right))
    assert absent_lithium_table(surfaces) is not None
    assert absent_lithium_table(surfaces, **{wrong: "the light flickers"}) is None


@pytest.mark.parametrize("guessed", [True, False])
def test_absent_lithium_is_withheld_where_the_tubes_fringe_was_not_taken_off(surfaces, guessed):
    cell = CellGeometry((100, *SHAPE), (3.0, 3.0, 3.0), 28.5, 43.5, 40.0)
    blur = SimpleNamespace(blur_guessed=guessed)
    known = {"steps": {"phase_retrieval": {}}, "cell": cell, "reference": blur}
    table = layer_thickness(surfaces, **known)
    numbers = {key for key, number in layer_numbers(table) if number.is_known}
    assert ("absent_area_fraction" in numbers) is not guessed
    assert "thickness_um.lithium" in numbers


def test_electrolyte_has_no_thickness_where_the_face_of_lithium_was_lost(surfaces):
    lost = {name: some for name, some in surfaces.items() if name != "lithium_electrolyte"}
    whole = CellGeometry((100, *SHAPE), (3.0, 3.0, 3.0), 28.5, 43.5, 40.0)
    seen = replace(whole, planes={"lithium_electrolyte": Plane(50.0)})
    assert list(layer_thickness(lost, cell=whole).layer) == ["electrolyte", "cathode"]
    assert list(layer_thickness(lost, cell=seen).layer) == ["cathode"]


def test_slices_that_are_far_apart_enlarge_what_is_stated(surfaces):
    cell = CellGeometry((100, *SHAPE), (3.0, 3.0, 3.0), 28.5, 43.5, 40.0)
    cubes, far = (
        layer_thickness(surfaces, cell=cell, slice_excess_um=excess).set_index("layer")
        for excess in (0.0, 6.0)
    )
    same = [name for name in cubes if not name.endswith("_sd")]
    assert cubes[same].equals(far[same])
    face = 6.0 / np.sqrt(12)
    for name in cubes.index:
        before, after = (t.mean_thickness_um_sd[name] for t in (cubes, far))
        assert after == pytest.approx(np.hypot(before, np.sqrt(2) * face))
    # The outline of what is gone, 25 edges of columns, may lie that far aside.
    before, after = (t.absent_area_fraction_sd["lithium"] for t in (cubes, far))
    assert after == pytest.approx(np.hypot(before, face / 3 * 25 / 600))


def test_what_was_not_measured_is_not_absent(surfaces):
    surfaces[SURFACES[1]].sd_um[:10, :15] = np.nan
    assert not absent_lithium(surfaces).any()
    assert np.isnan(thickness_maps(surfaces)["lithium"].height_um).sum() == 150


def test_layers_without_a_face_are_left_out(surfaces):
    del surfaces["cathode_collector"]
    assert list(layer_thickness(surfaces).layer) == ["lithium", "electrolyte"]
    with pytest.raises(ValueError, match="no layer has both its faces: only steel_lithium"):
        layer_thickness({"steel_lithium": surfaces["steel_lithium"]})


def test_the_sweep_grows_from_what_is_absent(surfaces):
    surfaces[SURFACES[1]].height_um[10:, :15] = 23.0
    sweep = absent_area_sweep(surfaces)
    fraction = sweep.absent_area_fraction.to_numpy()
    assert fraction[0] == pytest.approx(0.25)
    assert fraction[-1] == pytest.approx(0.5)
    assert (np.diff(fraction) >= 0).all()


def test_swelling_is_the_change_over_the_pristine_thickness(surfaces):
    before = {**surfaces, "electrolyte_cathode": level(160.0)}
    before["lithium_electrolyte"] = level(60.0)
    now = {**before, "electrolyte_cathode": level(170.0)}
    table = layer_thickness(now, SimpleNamespace(surfaces=before)).set_index("layer")
    assert table.swelling["electrolyte"] == pytest.approx(0.1)
    assert table.swelling["cathode"] == pytest.approx(100 / 110 - 1)
    assert 0 < table.swelling_sd["electrolyte"] < 0.01
    maps = [thickness_maps(some)["electrolyte"] for some in (now, before)]
    np.testing.assert_allclose(swelling_map(*maps).height_um, 0.1, rtol=1e-5)


def test_maps_of_different_grids_have_no_swelling_map(surfaces):
    one = thickness_maps(surfaces)["cathode"]
    other = Surface(one.height_um[1:], one.sd_um[1:], "")
    with pytest.raises(ValueError, match="onto one grid"):
        swelling_map(one, other)


def test_the_sharp_outline_of_absent_lithium_is_known_to_a_fraction_of_a_column(surfaces):
    table = layer_thickness(surfaces).set_index("layer")
    # 10 and 15 columns long, off by 0.15 of a column.
    assert table.absent_area_fraction_sd["lithium"] == pytest.approx(0.15 * 25 / 600)


def test_thin_lithium_beside_absent_lithium_may_be_none(surfaces):
    surfaces[SURFACES[1]].height_um[10, :16] = 24.0  # 4 µm thick, along one side and the corner
    table = layer_thickness(surfaces).set_index("layer")
    expected = np.hypot(0.15 * 25, 16 / np.sqrt(3)) / 600
    assert table.absent_area_fraction_sd["lithium"] == pytest.approx(expected)


def test_neighbors_are_those_at_the_corners_too():
    one = np.zeros((4, 5), bool)
    one[0, 1] = True
    expected = np.zeros((4, 5), bool)
    expected[:2, :3] = True
    expected[0, 1] = False
    np.testing.assert_array_equal(beside(one), expected)


def test_gaps_at_the_lithium_are_within_their_bound():
    y, x = np.indices((200, 200)) * 2.0 - 199
    bore = np.hypot(y, x) < 190
    plain = np.where(bore, 30.0, np.nan)
    assert gaps_um(plain, (2.0, 2.0)).at_most == pytest.approx(0, abs=1e-6)
    lens = 6 * np.clip(1 - ((y - 40) ** 2 + x**2) / 40**2, 0, None)
    bound = gaps_um(plain + lens, (2.0, 2.0)).at_most
    true = np.mean(lens[bore])
    assert true - 1e-9 <= bound < 1.3 * true
    tilted = gaps_um(plain + 0.02 * x, (2.0, 2.0)).at_most
    assert tilted < 1.1
    assert np.isnan(gaps_um(plain[:40, :40], (2.0, 2.0)).at_most)
