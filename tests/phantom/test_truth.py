"""The truth on disk is laid out like a result, and agrees with its cell."""

import json

import numpy as np
import pytest
import zarr

from xct.analyze.roi.files import read_rois
from xct.analyze.roi.shapes import BoxRoi
from xct.geometry import SURFACES, Label
from xct.phantom.cell.cell import draw_cell
from xct.phantom.truth.folder import TruthWriter
from xct.phantom.truth.tables import tables_of
from xct.physics.lithium import METAL_MAH_PER_CM3
from xct.result import open_result

SHAPE = (96, 112, 112)


@pytest.fixture(scope="module")
def cell():
    return draw_cell("ncm-100", shape=SHAPE, seed=2)


@pytest.fixture(scope="module")
def truth(cell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell") / "truth"
    TruthWriter(cell, folder).finish({"center_px": 54.25, "layout": "nxtomo"})
    return open_result(folder)


def test_voxels_are_those_of_the_cell(truth, cell):
    slab = cell.slab(0, 96)
    np.testing.assert_array_equal(truth.stored_volume[:], slab.mu)
    np.testing.assert_array_equal(truth.labels("materials")[:], slab.labels)
    np.testing.assert_array_equal(truth.labels("particles")[:], slab.particles)
    np.testing.assert_array_equal(truth.labels("inclusions")[:], slab.inclusions)
    assert truth.voxel_size_um == 2


def test_the_summary_holds_every_number_with_its_unit(truth):
    summary = truth.summary
    assert summary["center_px"] == {"value": 54.25, "unit": "px"}
    assert summary["thickness_um.lithium"]["unit"] == "µm"
    assert summary["absent_area_fraction"]["value"] == pytest.approx(0.125, abs=0.01)
    assert summary["state.gap_um"] == {"value": 1.0, "unit": "µm"}
    # With 0.5 % of pores; most of the layer's new ground, where lithium was, is the thinnest.
    whole = 0.995 * 0.5 * (4.915 + 5.574)
    assert 0.98 * whole < summary["electrolyte_peak_per_cm"]["value"] < 0.999 * whole
    fractions = [summary[f"volume_fraction.{name.lower()}"]["value"] for name in (
        "lithium", "electrolyte", "active_material", "steel", "collector", "tube", "low_grey"
    )]  # fmt: skip
    assert sum(fractions) == pytest.approx(1)
    json.dumps(summary, allow_nan=False)


def test_tables_have_the_columns_of_the_contract(truth):
    columns = {
        "materials": "material volume_um3 volume_fraction mean_grey sd_grey",
        "layers": "layer mean_thickness_um sd_thickness_um absent_area_fraction",
        "surfaces": "surface mean_height_um Sa_um Sq_um Ssk Sku Sz_um Sdr Sal_um tilt_x_deg "
        "tilt_y_deg",
        "particles": "particle z_um y_um x_um volume_um3 equivalent_diameter_um sphericity "
        "mean_grey core_grey distance_to_front_um drifted touches_border li_content cavity_um3 "
        "crack_porosity gap_um",
        "inclusions": "inclusion z_um y_um x_um volume_um3 thickness_um distance_to_anode_um "
        "enclosed",
        "histograms": "roi grey_value count",
        "electrolyte": "z_um mu_per_cm",
    }
    for name, wanted in columns.items():
        assert set(wanted.split()) <= set(truth.tables[name].columns), name
    assert list(truth.tables["surfaces"].surface) == list(SURFACES)


def test_surfaces_lie_between_the_labels(truth):
    labels, heights = truth.labels("materials")[:], truth.surfaces
    inside = np.isfinite(heights["steel_lithium"].height_um)
    y, x = np.nonzero(inside)
    for name, above, below in (
        ("steel_lithium", {Label.STEEL}, {Label.LITHIUM, Label.ELECTROLYTE}),
        ("lithium_electrolyte", {Label.LITHIUM}, {Label.ELECTROLYTE, Label.LOW_GREY}),
    ):
        height = heights[name].height_um[inside] / 2
        there = np.isfinite(height)
        rows = np.round(np.nan_to_num(height)).astype(int)
        for kinds, off in ((above, -1), (below, 1)):
            found = labels[rows + off, y, x][there]
            assert np.isin(found, list(kinds)).mean() > 0.9, (name, off)
    gone = inside & np.isnan(heights["lithium_electrolyte"].height_um)
    assert gone.sum() / inside.sum() == pytest.approx(0.125, abs=0.005)
    assert (heights["lithium_electrolyte"].sd_um[gone] == 0).all()
    assert np.isnan(heights["lithium_electrolyte"].sd_um[~inside]).all()


def test_half_filled_voxels_go_to_neither_side_of_a_flat_face_alone(truth):
    steel = truth.labels("materials")[:48] == Label.STEEL
    height = truth.surfaces["steel_lithium"].height_um / 2
    inside = np.isfinite(height)
    rows = steel.sum(axis=0)[inside].mean()
    assert rows == pytest.approx(np.ceil(height[inside]).mean(), abs=0.04)


def test_grey_values_of_particles_follow_their_lithium(truth):
    particles = truth.tables["particles"]
    large = particles[(particles.voxels > 30) & ~particles.drifted]
    # Edges take away from the mean, not from the core; cracks, from both.
    assert (large.mean_grey < large.core_grey).mean() > 0.98
    assert np.corrcoef(large.mu_per_cm, large.li_content)[0, 1] < -0.9
    assert large.core_grey.between(34_000, 40_000).all()


def test_lithium_is_neither_made_nor_lost(truth, cell):
    charge = truth.tables["lithium_balance"].set_index("store").charge_mah
    kept = charge["anode"] + charge["cathode"] + charge["inclusions"] + charge["reacted"]
    assert kept == pytest.approx(charge["pristine_anode"] + charge["pristine_cathode"], rel=1e-5)
    labelled = (truth.labels("materials")[:] == Label.LITHIUM).sum() * 8e-12
    assert charge["anode"] == pytest.approx(labelled * METAL_MAH_PER_CM3, rel=0.03)
    # The cathode of a full cell: 4 mg of composite, 70 % NCM at 275 mAh/g of all its lithium.
    whole = charge["pristine_cathode"] / tables_of(cell)["particles"].volume_um3.sum()
    assert whole * 1e12 == pytest.approx(4.75 * 275.5, rel=0.08)


def test_rois_hold_what_their_histograms_count(truth, cell):
    rois = {roi.name: roi for roi in read_rois(truth.path / "rois.yaml")}
    histograms = truth.tables["histograms"]
    assert {"C-1", "C-4", "E-1", "E-4"} <= set(rois)
    electrolyte = truth.tables["electrolyte"].mu_per_cm.to_numpy()
    for name, roi in rois.items():
        assert isinstance(roi, BoxRoi)
        ranges = truth.tables["rois"].set_index("roi").loc[name]
        box = tuple(slice(ranges[f"{axis}_start"], ranges[f"{axis}_stop"]) for axis in "zyx")
        assert roi.region(truth.cell).slices == box
        grey = 20_000 + 2_100 * truth.stored_volume[box] / electrolyte[box[0], None, None]
        counts = histograms[histograms.roi == name]
        assert counts["count"].sum() == grey.size
        mean = np.average(counts.grey_value, weights=counts["count"])
        assert mean == pytest.approx(grey.mean(), abs=30)


def test_maps_are_stripped_lithium_and_dead_cathode(truth, cell):
    group = zarr.open_group(truth.path / "maps.zarr", mode="r")
    stripped, dead = (
        np.asarray(group[name][:]) for name in ("stripped_lithium_um", "dead_cathode")
    )
    inside = np.isfinite(stripped)
    assert np.corrcoef(stripped[inside], dead[inside])[0, 1] == pytest.approx(0.7, abs=0.01)
    lithium = np.asarray(group["lithium_thickness_um"][:])
    before = draw_cell("ncm-0", shape=SHAPE, seed=2).interfaces.lithium_um
    np.testing.assert_allclose(lithium[inside] + stripped[inside], before[inside], atol=1e-3)
