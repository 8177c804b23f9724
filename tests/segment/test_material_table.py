from dataclasses import replace

import numpy as np
import pytest

from tests.parallel.pickling import Pickling
from tests.segment.spheres import MU, Flat, cell_of_spheres
from xct.geometry import Label, Surface
from xct.parallel.executors import executed_by
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.material.table import material_sums, material_table


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(noise=0.5)


@pytest.fixture(scope="module")
def table(drawn):
    return material_table(drawn[0], drawn[3], drawn[1], Flat()).set_index("material")


def test_volumes_are_counted_and_fractions_are_of_the_bore(drawn, table):
    labels = drawn[3]
    bore = np.count_nonzero((labels != Label.OUTSIDE) & (labels != Label.TUBE))
    for label in (Label.LITHIUM, Label.ACTIVE_MATERIAL, Label.STEEL):
        voxels = np.count_nonzero(labels == label)
        row = table.loc[label.name.lower()]
        assert row["volume_um3"] == 8 * voxels
        assert row["volume_fraction"] == pytest.approx(voxels / bore)
    assert table["volume_fraction"].sum() == pytest.approx(1)
    assert np.isnan(table.loc["tube", "volume_fraction"])


def test_grey_values_are_those_of_the_interior(table):
    assert table.loc["lithium", "mean_grey"] == pytest.approx(20_000 + 420 * MU[1], abs=30)
    assert table.loc["electrolyte", "mean_grey"] == pytest.approx(22_100, rel=0.01)
    assert table.loc["lithium", "sd_grey"] == pytest.approx(2_100 * 0.1, rel=0.2)


def test_surface_of_a_plate_is_that_of_its_faces(drawn, table):
    area = np.count_nonzero(drawn[3][30] == Label.ELECTROLYTE) * 4  # one plane of the bore, µm²
    edge = 2 * np.pi * drawn[1].bore_radius_um * 2 * 12  # of twelve slices of lithium
    surface = table.loc["lithium", "surface_um2"]
    assert surface == pytest.approx(2 * area + edge, rel=0.08)  # axes are the worst case
    moved = 0.05 * np.sqrt(2 * np.pi) * 2.8 / FWHM_PER_SIGMA
    assert table.loc["lithium", "volume_um3_sd"] == pytest.approx(surface * moved)


def test_whole_faces_of_steel_and_of_the_collector_make_their_volumes_uncertain(drawn, table):
    moved = 0.05 * np.sqrt(2 * np.pi) * 2.8 / FWHM_PER_SIGMA
    bore = np.pi * drawn[1].bore_radius_um ** 2
    for label in (Label.STEEL, Label.COLLECTOR):
        row = table.loc[label.name.lower()]
        faces = np.count_nonzero(np.diff(drawn[3] == label, axis=0)) * 4  # µm²
        one_by_one = 0.15 * 2 * np.sqrt(faces * bore)  # two faces: √2 times the sd of one
        expected = np.hypot(row["surface_um2"] * moved, one_by_one)
        assert row["volume_um3_sd"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("steel_px", "collector_px", "stated_px"),
    [
        (0.1, 0.9, {"lithium": 0.15, "steel": 0.15, "collector": 0.15}),
        (0.5, 1.8, {"lithium": 0.5, "steel": 0.5, "collector": 1.8}),
    ],
)
def test_faces_of_what_no_light_passes_make_volumes_as_uncertain_as_their_maps(
    drawn, table, steel_px, collector_px, stated_px
):
    mu, cell, _, labels, *_ = drawn
    maps = {
        name: Surface(np.full(labels.shape[1:], 10.0), np.full(labels.shape[1:], 2 * sd_px), "")
        for name, sd_px in (("steel_lithium", steel_px), ("cathode_collector", collector_px))
    }
    found = material_table(mu, labels, cell, Flat(), surfaces=maps).set_index("material")
    bore = np.pi * cell.bore_radius_um**2
    for name, sd_px in stated_px.items():
        faces = np.count_nonzero(np.diff(labels == Label[name.upper()], axis=0)) * 4  # µm²
        usual = 0 if name == "lithium" else 0.15
        known = table.loc[name, "volume_um3_sd"] ** 2 - (usual * 2) ** 2 * faces * bore
        expected = np.sqrt(known + (sd_px * 2) ** 2 * faces * bore)
        assert found.loc[name, "volume_um3_sd"] == pytest.approx(expected, rel=1e-6)


def test_the_uncertainty_of_the_radius_counts_twice(drawn, table):
    mu, cell, _, labels, *_ = drawn
    doubtful = replace(cell, bore_radius_sd_um=cell.bore_radius_um / 10)
    row = material_table(mu, labels, doubtful, Flat()).set_index("material").loc["lithium"]
    sure = table.loc["lithium", "volume_um3_sd"]
    assert row["volume_um3_sd"] == pytest.approx(np.hypot(sure, 0.2 * row["volume_um3"]))


def test_a_wall_out_of_view_adds_no_uncertainty(drawn, table):
    mu, cell, _, labels, *_ = drawn
    unknown = replace(cell, bore_radius_sd_um=np.nan)
    found = material_table(mu, labels, unknown, Flat()).set_index("material")
    known = found.index != "low_grey"
    np.testing.assert_allclose(found["volume_um3_sd"][known], table["volume_um3_sd"][known])


def test_what_is_finer_than_the_blur_may_be_electrolyte_or_pore(drawn):
    mu, cell, _, labels, *_ = drawn
    pitted = labels.copy()
    pitted[20:23, 30:34, 30:34] = Label.LOW_GREY
    table = material_table(mu, pitted, cell, Flat()).set_index("material")
    assert np.isnan(table.loc["low_grey", "volume_um3_sd"])  # a lower bound
    pores = table.loc["low_grey", "volume_um3"]
    assert table.loc["electrolyte", "volume_um3_sd"] > pores > 0


@pytest.mark.parametrize("rows", [1, 17])
def test_where_the_volume_is_cut_changes_no_sum(drawn, rows):
    mu, cell, _, labels, *_ = drawn
    np.testing.assert_array_equal(
        material_sums(mu, labels, cell, Flat(), rows=rows), material_sums(mu, labels, cell, Flat())
    )


def test_sums_may_be_counted_elsewhere(drawn):
    mu, cell, _, labels, *_ = drawn
    here = material_sums(mu, labels, cell, Flat())
    with executed_by(Pickling(), workers=2):
        np.testing.assert_array_equal(material_sums(mu, labels, cell, Flat(), rows=16), here)


def test_noise_lowers_the_least_agreement_of_particles_but_not_of_layers(drawn, table):
    noisy = material_table(drawn[0], drawn[3], drawn[1], Flat(noise_per_cm=6.0))
    noisy = noisy.set_index("material")["dice_at_least"]
    least = table["dice_at_least"]
    for name in ("steel", "lithium"):
        stated = table.loc[name, "volume_um3_sd"] / table.loc[name, "volume_um3"]
        assert least[name] == noisy[name] == pytest.approx(1 - stated)
    assert noisy["active_material"] < least["active_material"] - 0.05
    assert least[["electrolyte", "collector"]].isna().all()
