"""What measurements rest on: a sentence where something is wrong with it, None where nothing is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.analyze.test_charge import CELL, THIN
from tests.analyze.test_charge import table as cores_of
from tests.segment.spheres import Flat, cell_of_spheres
from xct.analyze import plane_transmission, state_of_charge
from xct.geometry import CellGeometry
from xct.io.tables import read_table, write_table
from xct.normalize.grain_shape import GrainShape
from xct.quantity import QUANTITIES
from xct.segment.basis import (
    bore_not_found,
    cathode_end_not_found,
    darks_too_high,
    decadic_logarithm,
    implausible_blur,
    implausible_charge,
    implausible_values,
    labels_ragged,
    light_unsteady,
    noise_too_strong,
    stage_unsteady,
    undersampled,
)
from xct.segment.material.labels import materials
from xct.stages import STAGES, load_stages

VIEW = CellGeometry((24, 64, 64), (2.0,) * 3, 63.0, 63.0, 64.0, bore_radius_sd_um=float("nan"))


def view(radius, noise):
    """Draw an even body within a view 64 voxels wide."""
    y, x = np.indices((64, 64)) - 31.5
    noise = noise * np.random.default_rng(0).standard_normal((24, 64, 64))
    return (5.0 * (np.hypot(y, x) < radius) + noise).astype(np.float32)


OF_THE_BEAM = {
    darks_too_high: (
        {"dark_excess": {"value": 0.015}},
        {"state_of_charge", "inclusions", "detection_limits", "particles"},
    ),
    light_unsteady: (
        {"light_flicker": {"value": 0.03}},
        {"state_of_charge", "inclusions", "detection_limits"},
    ),
    decadic_logarithm: ({"logarithm": {"value": "decadic"}}, {"state_of_charge"}),
    stage_unsteady: (
        {"stage_jitter": {"value": 1.1, "left_px": 0.1}},
        {"state_of_charge", "inclusions", "detection_limits", "particles", "surface_roughness"},
    ),
}


@pytest.mark.parametrize("of", OF_THE_BEAM)
def test_what_rests_on_the_beam_or_the_stage_is_withheld_and_said(of):
    numbers, steps = OF_THE_BEAM[of]
    assert of({}) is None
    said = of(numbers)
    assert "withheld" in said
    assert QUANTITIES[of.__name__].basis
    load_stages()
    assert {name for name, one in STAGES.items() if of.__name__ in one.rests_on} == steps


def test_jitter_withholds_where_it_is_too_much_or_is_not_corrected():
    steady = {"value": 0.6, "left_px": 0.05}
    assert stage_unsteady({"stage_jitter": steady}) is None
    assert stage_unsteady({"stage_jitter": {"value": 0.3, "note": "not corrected"}}) is None
    left = stage_unsteady({"stage_jitter": {"value": 0.6, "note": "not corrected"}})
    assert "cannot be corrected" in left


def test_light_that_jumps_is_unsteady_too():
    assert "jumps" in light_unsteady({"light_jumps": {"value": 1}})


def test_a_wall_that_noise_hides_is_said_to_be_in_view():
    assert "wall of the bore was not found" in bore_not_found(view(24, 8.0), VIEW)


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_a_view_inside_the_bore_is_nothing_wrong(noise):
    assert bore_not_found(view(100, noise), VIEW) is None


def test_a_bore_that_was_found_is_nothing_wrong():
    assert bore_not_found(view(24, 8.0), replace(VIEW, bore_radius_sd_um=0.1)) is None


@pytest.fixture(scope="module")
def drawn():
    mu, cell, surfaces, truth, *_ = cell_of_spheres()
    return mu, cell, surfaces, truth


def without_collector(cell, surfaces):
    planes = {name: plane for name, plane in cell.planes.items() if name != "cathode_collector"}
    kept = {name: one for name, one in surfaces.items() if name != "cathode_collector"}
    return replace(cell, planes=planes), kept


def test_steel_behind_a_collector_that_was_not_found_is_said_and_is_no_active_material(drawn):
    mu, cell, surfaces, truth = drawn
    cell, kept = without_collector(cell, surfaces)
    assert "collector's face was not found" in cathode_end_not_found(mu, cell, Flat(), kept)
    from xct.geometry import Label

    labels = materials(mu, cell, Flat(), kept)
    wrong = (labels == Label.ACTIVE_MATERIAL) & (truth == Label.STEEL)
    assert np.count_nonzero(wrong) < 0.01 * np.count_nonzero(truth == Label.ACTIVE_MATERIAL)


def test_a_collector_that_was_found_or_a_view_that_ends_before_is_nothing_wrong(drawn):
    mu, cell, surfaces, _truth = drawn
    assert cathode_end_not_found(mu, cell, Flat(), surfaces) is None
    end = int(surfaces["cathode_collector"].height_um[36, 36] / cell.voxel_size_um[0]) - 4
    cell, kept = without_collector(replace(cell, shape=(end, *cell.shape[1:])), surfaces)
    assert cathode_end_not_found(mu[:end], cell, Flat(), kept) is None


@pytest.mark.parametrize(
    ("blur_um", "wrong"), [(2.2, False), (6.0, False), (0.5, True), (40, True)]
)
def test_an_impossible_point_spread_is_said(blur_um, wrong):
    cell = replace(VIEW, voxel_size_um=(2.0,) * 3)
    assert (implausible_blur(Flat(blur_um=blur_um), cell) is not None) == wrong


def test_a_wall_that_is_less_sharp_than_grains_is_none():
    _, cell, *_ = cell_of_spheres()
    blur = 2.5 * cell.voxel_size_um[0]
    for width, masked in ((0.4, True), (0.85, False)):
        grains = GrainShape(width * blur, width * blur, *cell.voxel_size_um[:2])
        said = implausible_blur(Flat(blur_um=blur), cell, None, grains)
        assert ("that of a mask" in (said or "")) == masked


@pytest.mark.parametrize(("lithium", "wrong"), [(0.1, False), (-0.1, False), (-1.0, True)])
def test_lithium_that_brightens_the_light_is_said(lithium, wrong):
    table = pd.DataFrame({
        "material": ["lpscl", "lithium"], "value_per_cm": [5.0, lithium],
        "value_per_cm_sd": [0.01, 0.05],
    })  # fmt: skip
    assert (implausible_values(table) is not None) == wrong


@pytest.mark.parametrize(("possible", "wrong"), [(90, False), (20, True)])
def test_charges_most_of_which_are_impossible_are_said(possible, wrong):
    table = pd.DataFrame({
        "mu_per_cm": [48.0] * 100, "physically_possible": np.arange(100) < possible, "withheld": "",
    })  # fmt: skip
    assert (implausible_charge(table) is not None) == wrong


@pytest.mark.parametrize("glare_bound", [0.41, 0.003])
def test_what_is_withheld_since_glare_is_not_known_is_not_called_impossible(glare_bound, tmp_path):
    """At 35 keV steel is not opaque, so that glare has a bound only; no other content is read."""
    known = plane_transmission(THIN, CELL)
    known["transmission"] = 0.78
    charge = state_of_charge(
        THIN, cores_of(np.full(60, 48.0)), CELL, Flat(), plane_transmission=known,
        glare_bound=glare_bound, energy_kev=25.0, glare_sd=None,
    )  # fmt: skip
    assert charge["withheld"].str.startswith("glare").all() == (glare_bound > 0.1)
    assert implausible_charge(charge) is None
    write_table(tmp_path / "charge.csv", charge)
    assert implausible_charge(read_table(tmp_path / "charge.csv")) is None


def test_every_basis_has_a_stage_or_is_said_alone():
    load_stages()
    bases = {name for name, quantity in QUANTITIES.items() if quantity.basis}
    rested_on = {name for stage in STAGES.values() for name in stage.rests_on}
    # Nothing is made of the table of charges; means over ragged labels hold.
    assert bases - rested_on == {"implausible_charge", "labels_ragged"}


@pytest.mark.parametrize(("noise_per_cm", "is_said"), [(8.0, False), (12.0, True)])
def test_noise_that_hides_layers_and_particles_is_said_and_they_are_withheld(noise_per_cm, is_said):
    mu, cell, surfaces, *_ = cell_of_spheres()
    reference = Flat(noise_per_cm=noise_per_cm)
    said = noise_too_strong(mu, cell, reference, surfaces)
    assert (said is not None) == is_said
    load_stages()
    resting = {name for name, one in STAGES.items() if "noise_too_strong" in one.rests_on}
    assert {"layer_thickness", "surface_roughness", "particles", "inclusions"} <= resting


def sampled(beyond, cell):
    """Give the numbers of a scan whose bore is so many times what its angles sample."""
    return {"fully_sampled_um": {"value": 2 * cell.bore_radius_um / beyond}}


def test_so_few_angles_that_streaks_split_particles_withhold_them():
    assert undersampled({}, VIEW) is None
    assert undersampled(sampled(3.5, VIEW), VIEW) is None
    assert "withheld" in undersampled(sampled(4.6, VIEW), VIEW)
    load_stages()
    resting = {name for name, one in STAGES.items() if "undersampled" in one.rests_on}
    assert resting == {"particles", "inclusions", "detection_limits"}


@pytest.mark.parametrize(
    ("noise_per_cm", "beyond", "word"),
    [(1.0, 1.7, None), (3.7, 1.7, "noise"), (1.0, 3.5, "angles"), (12.0, 1.7, None)],
)
def test_labels_that_noise_or_few_angles_make_ragged_are_said(noise_per_cm, beyond, word):
    mu, cell, surfaces, *_ = cell_of_spheres()
    reference = Flat(noise_per_cm=noise_per_cm)
    said = labels_ragged(mu, cell, reference, surfaces, sampled(beyond, cell))
    assert (said is None) if word is None else (word in said)
