"""Fringes: seen where light is brighter than the air, not where it only seems so."""

import numpy as np
import pytest

from xct.analyze import (
    displacement_map,
    inclusions,
    layer_thickness,
    state_of_charge,
    surface_roughness,
)
from xct.normalize import check_materials
from xct.preprocess.fringes import (
    EdgeLight,
    fringe_numbers,
    fringe_warning,
    fringes_of_run,
    look_beside_edges,
)
from xct.segment import material_table, particles

ANGLES, ROWS, COLUMNS = 60, 40, 220
FACTS = {"energy_kev": 20.0, "distance_mm": 40.0, "pixel_size_um": 1.625}
STEPS = {"flat_field": {}, "line_integrals": {}, "fbp": {}}


def rod(squared_px=0.0, *, noise=0.006, seed=0, radius=70.0, stripes=0.0):
    """Transmission of a rod off the axis; with `squared_px`, as ``T - l² ∇²T`` brightens it."""
    rng = np.random.default_rng(seed)
    place = np.arange(COLUMNS) - 110 - 6 * np.cos(np.linspace(0, np.pi, ANGLES))[:, None]
    inside = np.sqrt(np.maximum(radius**2 - place**2, 0))
    light = np.exp(-0.012 * inside)
    light = np.apply_along_axis(np.convolve, 1, np.pad(light, ((0, 0), (2, 2)), "edge"),
                                np.array([1, 4, 6, 4, 1]) / 16, "valid")  # fmt: skip
    light -= squared_px * np.gradient(np.gradient(light, axis=1), axis=1)
    frames = np.repeat(light[:, None], ROWS, axis=1)
    frames *= 1 + stripes * rng.normal(size=(ROWS, COLUMNS))
    return frames + noise * rng.normal(size=frames.shape)


def looked_at(frames):
    return look_beside_edges(lambda first, stop: frames[:, first:stop], ROWS, COLUMNS)


@pytest.mark.parametrize("seed", range(4))
def test_a_rod_that_only_absorbs_has_none(seed):
    for settings in ({}, {"noise": 0.03}, {"stripes": 0.01}):
        found = looked_at(rod(seed=seed, **settings))
        assert found.known
        assert not found.seen
        assert abs(found.overshoot) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_fringes_are_seen(seed):
    found = looked_at(rod(3.0, seed=seed))
    assert found.seen
    assert found.overshoot > 0.03
    assert found.n == 24


def test_a_few_dark_or_bright_frames_and_dead_columns_change_nothing():
    frames = rod()
    frames[5:9] = 0.0
    frames[20] *= 3.0
    frames[:, :, [3, 30, 150]] = np.nan
    assert not looked_at(frames).seen
    frames = rod(3.0)
    frames[5:9] = 0.0
    frames[:, :, [3, 30, 150]] = np.nan
    assert looked_at(frames).seen


def test_without_air_in_view_nothing_is_seen_but_fringes_may_be_expected():
    found = looked_at(rod(3.0, radius=300.0))
    assert not found.known
    said = fringe_warning(found, STEPS, **FACTS)
    assert "no air is in view" in said
    assert fringe_warning(found, STEPS, **{**FACTS, "distance_mm": 2.0}) is None
    assert fringe_warning(found, STEPS, energy_kev=20.0) is None


def test_a_run_with_fringes_says_so_with_what_is_missing_for_the_remedy():
    found = EdgeLight(0.08, 0.004, 20)
    said = fringe_warning(found, STEPS, pixel_size_um=1.6)
    assert "8.0% brighter than the air" in said
    assert "scan.energy_kev and scan.distance_mm given and phase_retrieval before" in said
    assert "given" not in fringe_warning(found, STEPS, **FACTS)
    assert fringe_warning(found, {**STEPS, "phase_retrieval": {}}, **FACTS) is None
    assert fringe_warning(EdgeLight(0.004, 0.001, 20), STEPS, **FACTS) is None


def test_fainter_fringes_are_believed_where_they_are_expected():
    faint = EdgeLight(0.01, 0.002, 20)
    assert not faint.seen
    assert fringe_warning(faint, STEPS, **FACTS) is not None
    assert fringe_warning(faint, STEPS, **{**FACTS, "distance_mm": 2.0}) is None
    assert fringe_warning(faint, STEPS) is None
    assert fringe_warning(EdgeLight(0.01, 0.006, 20), STEPS, **FACTS) is None


@pytest.mark.parametrize("squared_px", [0.7, 3.0])
def test_fringes_that_differ_from_row_to_row_are_seen(squared_px):
    frames = rod(squared_px)
    strong = rod(4 * squared_px)
    frames[:, ::2] = strong[:, ::2]
    assert looked_at(frames).seen


@pytest.mark.parametrize(("overshoot", "known"), [(0.08, "seen in the frames"), (0.001, None)])
def test_what_is_seen_is_known_to_every_step_that_measures(overshoot, known):
    found = EdgeLight(overshoot, 0.001, 20)
    numbers = {key: number.entry() for key, number in fringe_numbers(found, STEPS, **FACTS)}
    assert fringes_of_run(numbers) == known
    assert ("fresnel_number" in numbers) == (known is not None)


MEASURED = {
    particles: 5, inclusions: 5, state_of_charge: 4, layer_thickness: 1, surface_roughness: 2,
    material_table: 4, check_materials: 3, displacement_map: 3,
}  # fmt: skip
NEEDED = {
    state_of_charge: {"energy_kev": 20.0, "glare_sd": None},
    check_materials: {"energy_kev": 20.0},
    displacement_map: {"same_cell": True},
}


@pytest.mark.parametrize("stage", MEASURED, ids=lambda stage: stage.__name__)
def test_what_fringes_would_make_wrong_is_not_measured(stage):
    given = [None] * MEASURED[stage]
    with pytest.raises(ValueError, match=r"fringes are seen in the frames.*retrieve the phase"):
        stage(*given, uncorrected_fringes="seen in the frames", **NEEDED.get(stage, {}))
