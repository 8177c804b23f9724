"""Numbers that rest on what a given volume does not show are left out, or bounds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, median_filter, uniform_filter1d

from xct.analyze.inclusions import inclusion_numbers
from xct.analyze.layers import layer_numbers
from xct.geometry import CellGeometry, Plane, Surface
from xct.normalize.artifacts import Artifacts
from xct.normalize.given.artifacts_said import artifact_warning
from xct.normalize.given.grains_said import grain_warning
from xct.normalize.given.noise_patterns import likeness_across
from xct.normalize.given.scale import GivenScale
from xct.normalize.given.scale_said import slices_in_disorder
from xct.normalize.grain_shape import GrainShape, grain_shape
from xct.normalize.wall_fringes import WallLight, sharpened_edges
from xct.segment.material.fractions import material_numbers

NAMES = ("steel", "lithium", "electrolyte", "active_material", "collector", "low_grey")
MATERIALS = pd.DataFrame({
    "material": NAMES, "volume_fraction": 0.1, "volume_um3": 10.0, "volume_um3_sd": 1.0
})  # fmt: skip
CELL = CellGeometry(
    (40, 40, 40), (2.0,) * 3, 40.0, 40.0, 30.0,
    planes={"steel_lithium": Plane(10.0), "lithium_electrolyte": Plane(20.0)},
)  # fmt: skip

DARK = pd.DataFrame({
    "inclusion": [1], "filament": [False], "class": ["enclosed"], "dark_volume_um3": [50.0]
})  # fmt: skip
LAYERS = pd.DataFrame({
    "layer": ["lithium", "cathode"], "mean_thickness_um": 9.0, "mean_thickness_um_sd": 0.3,
    "absent_area_fraction": 0.0,
})  # fmt: skip
SURFACES = dict.fromkeys(CELL.planes)


def given(**known):
    return {name.split(".")[1] for name, _ in material_numbers(MATERIALS, **known)}


@pytest.mark.parametrize(
    ("there", "lost"),
    [
        ({"steel_lithium", "lithium_electrolyte"}, set()),
        ({"steel_lithium"}, {"lithium", "electrolyte", "low_grey"}),
        ({"lithium_electrolyte"}, {"steel", "lithium"}),
    ],
)
def test_beside_a_face_that_could_not_be_given_no_fraction_is(there, lost):
    assert given(cell=CELL, surfaces=dict.fromkeys(there)) == set(NAMES) - lost


def test_of_a_collector_whose_face_is_lost_or_in_doubt_no_fraction_is_known():
    cell = replace(CELL, planes={**CELL.planes, "cathode_collector": Plane(60.0)})
    assert given(cell=cell, surfaces=SURFACES) == set(NAMES) - {"active_material", "collector"}
    for sd_um, lost in ((0.8, set()), (4.0, {"collector"})):
        face = Surface(np.full((4, 4), 60.0), np.full((4, 4), sd_um), "drawn")
        surfaces = {**SURFACES, "cathode_collector": face}
        assert given(cell=cell, surfaces=surfaces) == set(NAMES) - lost


def test_of_another_distance_of_slices_steel_and_collector_have_no_fraction():
    lost = {"steel", "collector"}
    assert given(grain_shape=GrainShape(2.0, 4.0, 2.0, 2.0)) == set(NAMES) - lost
    assert given(grain_shape=GrainShape(4.0, 4.0, 2.0, 2.0)) == set(NAMES)


def seen(rings, **more):
    return Artifacts(rings, 0.001, 0.1, 0.02, 0.0, 0.01, 12, **more)


def test_of_a_cell_put_upright_steel_is_too_much_and_all_else_uncertain_by_that():
    leaning, plain = (
        dict(material_numbers(MATERIALS, cell=CELL, surfaces=SURFACES, volume_artifacts=each))
        for each in (seen(0.0, tilt_deg=6.0), seen(0.0))
    )
    assert leaning["volume_fraction.steel"].bound == "upper"
    assert plain["volume_fraction.steel"].bound is None
    # Two wedges, as high in the mean as 30 µm times the slope, of a view of 80 µm.
    wedges = 2 * 30 * np.tan(np.radians(6)) / 80
    electrolyte = leaning["volume_fraction.electrolyte"]
    assert electrolyte.bound is None  # pores make it too large, air too small
    assert electrolyte.sd == pytest.approx(np.hypot(0.01, 0.1 * wedges))
    assert plain["volume_fraction.electrolyte"].sd == pytest.approx(0.01)


def test_filters_within_slices_and_sharpened_edges_are_seen():
    rng = np.random.default_rng(1)
    noise = rng.normal(5, 0.8, (60, 60))
    everywhere = np.ones(noise.shape, bool)
    assert likeness_across(noise, everywhere) == pytest.approx((0, 0), abs=0.06)
    median, _ = likeness_across(median_filter(noise, 3), everywhere)
    assert median > 0.2
    plain, filtered = (seen(0.0, alike_across=one, blur_px=1.5) for one in (0.02, median))
    assert (plain.filtered, filtered.filtered) == (False, True)
    assert "filtered" in artifact_warning(filtered)
    assert "inclusion_volume_um3" not in dict(inclusion_numbers(DARK, None, filtered))
    # A point spread of three voxels makes as much of the noise alike.
    assert not replace(filtered, blur_px=3.0).filtered
    wall = WallLight(float("nan"), 0.1, float("nan"), 0.016, 0.0, 0.1, 12)
    assert "sharpened" in sharpened_edges(wall, seen(0.0))
    assert sharpened_edges(replace(wall, over=0.046), seen(0.0)) is None
    assert sharpened_edges(wall, None) is None  # xct reconstructed it: nothing sharpened it
    assert given(sharpened_edges="sharpened") == set(NAMES) - {"low_grey"}


def test_what_a_filter_moves_is_left_out_or_less_certain():
    filtered = seen(0.0, shared=0.5)
    lost = {"electrolyte", "active_material", "low_grey"}
    assert given(volume_artifacts=filtered) == set(NAMES) - lost - {"lithium", "steel", "collector"}
    sd = {name: n.sd for name, n in layer_numbers(LAYERS, None, filtered, CELL)}
    assert sd["thickness_um.cathode"] == pytest.approx(np.hypot(0.3, 2.0))
    assert sd["thickness_um.lithium"] == pytest.approx(np.hypot(0.3, 2.0))
    wide = SimpleNamespace(blur_um=12.0)
    no_edge = {"implausible_blur": "grains are sharper", "reference": wide}
    sd = {name: n.sd for name, n in layer_numbers(LAYERS, None, None, CELL, **no_edge)}
    assert sd["thickness_um.cathode"] == pytest.approx(np.hypot(0.3, 6.0))
    blurred = seen(0.0, alike_across=0.3, blur_px=1.5)  # a part of the slices, by motion
    assert given(volume_artifacts=blurred) == set(NAMES) - lost


def test_pores_among_little_noise_are_no_filter():
    rng = np.random.default_rng(4)
    everywhere = np.ones((96, 96), bool)
    for noise, filter_size in ((0.3, 1), (0.3, 3)):
        looks = []
        for _ in range(8):
            slice_ = rng.normal(5, noise, everywhere.shape)
            pores = gaussian_filter((rng.random(everywhere.shape) < 0.003) * 40.0, 1.2)
            looks.append(likeness_across(median_filter(slice_, filter_size) - pores, everywhere))
        of_all, of_most = np.median(looks, axis=0)
        assert of_all > 0.3
        assert (of_most > 0.1) == (filter_size > 1)


def test_arcs_of_rings_are_no_filter():
    ringed = seen(0.0, alike_across=0.15, blur_px=1.5)
    ringed = replace(ringed, rings=0.04, rings_sd=0.002, noise=0.12)
    assert ringed.touched
    assert not ringed.filtered
    assert replace(ringed, rings=0.0).filtered == (0.15 > 0.08 + np.exp(-((2.3548 / 1.5) ** 2)))


def test_grains_that_are_wider_along_one_axis_were_smeared():
    rng = np.random.default_rng(3)
    grains = gaussian_filter(rng.normal(0, 1, (24, 96, 96)), 2.0)
    grains += 0.01 * rng.normal(0, 1, grains.shape)
    moved = grains.copy()
    moved[12:] = uniform_filter1d(grains[12:], 9, axis=2)
    still, smeared = (grain_shape(one, (2.0, 2.0, 2.0), 2.0) for one in (grains, moved))
    across = grain_shape(moved.transpose(0, 2, 1), (2.0, 2.0, 2.0), 2.0)
    assert (still.smeared, smeared.smeared, across.smeared) == (False, True, True)
    assert grain_warning(still) is None
    assert "as wide along x as along y" in grain_warning(smeared)
    assert "as wide along y as along x" in grain_warning(across)
    lost = {"electrolyte", "active_material", "low_grey"}
    assert given(grain_shape=smeared) == set(NAMES) - lost
    assert "inclusion_volume_um3" not in dict(inclusion_numbers(DARK, smeared))


def test_where_a_lens_distorts_lengths_are_less_certain():
    lens = replace(CELL, lens_at_wall=0.02)
    plain, found = (dict(material_numbers(MATERIALS, cell, CELL.planes)) for cell in (CELL, lens))
    steel = "volume_fraction.steel"
    assert found[steel].sd == pytest.approx(np.hypot(plain[steel].sd, 0.02))
    thick = dict(layer_numbers(LAYERS, cell=lens))["thickness_um.cathode"]
    assert thick.sd == pytest.approx(np.hypot(0.3, 0.02 * 9.0))


def test_of_coarse_voxels_thicknesses_are_lower_bounds_and_no_fraction_is_known():
    coarse = GrainShape(1.9, 1.9, 2.0, 2.0)
    assert coarse.coarse
    assert given(grain_shape=coarse) == set()
    found = dict(layer_numbers(LAYERS, coarse))
    assert found["thickness_um.cathode"].bound == "lower"
    assert set(found) == {"thickness_um.cathode"}  # lithium's is an upper one already


def test_what_a_curve_or_a_shift_moves_is_left_out():
    bent, shifted = GivenScale(0.6, 0.55), GivenScale(seams={"shifted": [[44, "x", 1.0]]})
    lost = {"lithium", "active_material", "low_grey"}
    assert given(given_scale=bent) == set(NAMES) - lost
    assert given(given_scale=shifted) == set(NAMES) - {"low_grey"}
    assert given(coarse_codes="few codes") == set(NAMES) - {"low_grey"}
    assert set(dict(layer_numbers(LAYERS, given_scale=bent))) == {"thickness_um.cathode"}
    found = dict(inclusion_numbers(DARK, given_scale=shifted))
    assert "inclusion_volume_um3" not in found
    assert "inclusions" in found


@pytest.mark.parametrize(
    ("rings", "counted", "bound", "sd"),
    [(0.02, True, "lower", None), (0.037, True, None, 2.0), (0.1, False, None, None)],
)
def test_inclusions_that_rings_may_forge_are_less_certain_or_not_counted(rings, counted, bound, sd):
    found = dict(inclusion_numbers(DARK, None, seen(rings)))
    assert ("inclusions" in found) == ("inclusion_volume_um3" in found) == counted
    assert {"bridges", "filaments"} <= set(found)
    if counted:
        assert (found["inclusions"].bound, found["inclusions"].sd) == (bound, sd)
    assert ("left out" in (artifact_warning(seen(rings)) or "")) != counted


def test_of_slices_in_no_order_nothing_is_known():
    for broken in ([[15, 0.1, 0.6], [20, 0.1, 0.6]], [[15, 0.0, 0.0]]):
        scale = GivenScale(seams={"broken": broken})
        assert "order" in slices_in_disorder(scale)
        assert given(given_scale=scale) == set()
        assert [*layer_numbers(LAYERS, given_scale=scale)] == []
    assert slices_in_disorder(GivenScale(seams={"broken": [[15, 0.1, 0.6]]})) is None


def test_of_a_layer_that_a_gap_lies_in_no_thickness_is_known():
    planes = {"electrolyte_cathode": Plane(20.0), "cathode_collector": Plane(60.0)}
    cell = replace(CELL, planes=planes)
    for z, known in ((15, 0), (35, 1)):  # slices of 2 µm
        gap = {"broken": [[z, 0.1, 0.6]]}
        for seams, count in ((gap, known), ({**gap, "turned": [[z, 10.0]]}, 1)):
            scale = GivenScale(seams=seams)
            assert len([*layer_numbers(LAYERS[1:], None, None, cell, scale)]) == count
