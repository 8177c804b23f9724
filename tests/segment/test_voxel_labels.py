from dataclasses import replace

import numpy as np
import pytest
import zarr

from tests.parallel.pickling import Pickling
from tests.segment.spheres import Flat, cell_of_spheres
from xct.geometry import CellGeometry, Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.executors import executed_by
from xct.segment.material import labels as voxel_labels
from xct.segment.material import thresholds
from xct.segment.material.columns import find_columns
from xct.segment.material.labels import label_slabs, materials
from xct.segment.material.sharpened import edges_of
from xct.segment.material.thresholds import find_thresholds


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(drifted=2, chip=True)


@pytest.fixture(scope="module")
def found(drawn):
    mu, cell, surfaces, *_ = drawn
    return materials(mu, cell, Flat(), surfaces)


def dice(found, truth, label):
    a, b = found == label, truth == label
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize(
    ("label", "least"),
    [
        (Label.LITHIUM, 0.999),
        (Label.STEEL, 0.999),
        (Label.COLLECTOR, 0.98),
        (Label.TUBE, 0.999),
        (Label.ELECTROLYTE, 0.99),
        (Label.ACTIVE_MATERIAL, 0.95),
        (Label.LOW_GREY, 0.85),
    ],
)
def test_every_material_is_found(drawn, found, label, least):
    assert dice(found, drawn[3], label) >= least


@pytest.mark.parametrize("rows", [1, 13, 64])
def test_where_the_volume_is_cut_does_not_change_a_label(drawn, found, rows):
    mu, cell, surfaces, *_ = drawn
    np.testing.assert_array_equal(label_slabs(mu, cell, Flat(), surfaces, rows=rows), found)


def test_runs_may_be_labelled_elsewhere(drawn, found, tmp_path):
    mu, cell, surfaces, *_ = drawn
    into = zarr.create_array(tmp_path / "labels", shape=mu.shape, chunks=(8, 72, 72), dtype="uint8")
    with executed_by(Pickling(), workers=3):
        materials(mu, cell, Flat(), surfaces, into)
    np.testing.assert_array_equal(into[:], found)


def test_strips_that_are_made_ready_one_by_one_show_in_no_label(drawn, found, monkeypatch):
    monkeypatch.setattr(voxel_labels, "_RUN_BYTES", 2_630_000)  # strips of 29 rows
    mu, cell, surfaces, *_ = drawn
    np.testing.assert_array_equal(label_slabs(mu, cell, Flat(), surfaces), found)


def test_upside_down_the_same_labels_are_found(drawn, found):
    mu, cell, surfaces, *_ = drawn
    top = (cell.shape[0] - 1) * cell.voxel_size_um[0]
    turned = {
        name: type(s)(top - s.height_um, s.sd_um, s.definition) for name, s in surfaces.items()
    }
    upside_down = CellGeometry(
        cell.shape,
        cell.voxel_size_um,
        cell.axis_y_um,
        cell.axis_x_um,
        cell.bore_radius_um,
        anode="high_z",
    )
    labels = materials(mu[::-1], upside_down, Flat(), turned)
    assert np.mean(labels[::-1] != found) < 1e-3  # thresholds see other slices


def test_labels_are_written_where_asked(drawn, found):
    mu, cell, surfaces, *_ = drawn
    into = np.full(mu.shape, 99, np.uint8)
    assert materials(mu, cell, Flat(), surfaces, into) is into
    np.testing.assert_array_equal(into, found)


def test_higher_thresholds_leave_less_active_material_and_more_low_grey(drawn):
    mu, cell, surfaces, *_ = drawn
    low, high = (materials(mu, cell, Flat(), surfaces, shift=s) for s in (-0.1, 0.1))
    assert np.sum(low == Label.ACTIVE_MATERIAL) > np.sum(high == Label.ACTIVE_MATERIAL)
    assert np.sum(low == Label.LOW_GREY) < np.sum(high == Label.LOW_GREY)


def test_a_volume_of_another_shape_is_refused(drawn):
    mu, cell, surfaces, *_ = drawn
    with pytest.raises(ValueError, match=r"shape \(83, 72, 72\).*\(84, 72, 72\)"):
        materials(mu[1:], cell, Flat(), surfaces)


def test_without_surfaces_grey_values_alone_decide_within_the_bore(drawn):
    mu, cell, _, truth, *_ = drawn
    bare = replace(cell, planes={})
    labels = materials(mu, bare, Flat(), {})
    active = (labels == Label.ACTIVE_MATERIAL) & (truth == Label.ACTIVE_MATERIAL)
    assert np.count_nonzero(active) > 0.9 * np.count_nonzero(truth == Label.ACTIVE_MATERIAL)
    assert not np.isin(labels, (Label.LITHIUM, Label.COLLECTOR)).any()


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_volume_of_one_value_holds_no_active_material(drawn, value):
    _, cell, surfaces, *_ = drawn
    labels = materials(np.full(cell.shape, value, np.float32), cell, Flat(), surfaces)
    assert not (labels == Label.ACTIVE_MATERIAL).any()


def test_noise_and_blur_that_could_not_be_measured_are_tolerated(drawn, found):
    mu, cell, surfaces, *_ = drawn
    unknown = Flat(noise_per_cm=np.full(cell.shape[0], np.nan), blur_um=np.nan)
    assert np.mean(materials(mu, cell, unknown, surfaces) != found) < 0.01


def test_thresholds_of_a_wide_slice_come_from_a_band_about_the_axis(drawn, monkeypatch):
    mu, cell, surfaces, *_ = drawn
    ratios, columns = Ratios(mu, cell, Flat()), find_columns(cell, surfaces)
    edges = edges_of(ratios, "none", 1.0, 3)
    whole = find_thresholds(ratios, columns, edges)
    monkeypatch.setattr(thresholds, "_COLUMNS", cell.shape[1] * cell.shape[2] * 2 // 3)
    band = find_thresholds(ratios, columns, edges)
    assert band != whole
    assert band.active == pytest.approx(whole.active, rel=0.02)
    assert band.noise == pytest.approx(whole.noise, rel=0.1)


def test_missing_data_are_no_material_and_move_no_threshold(drawn):
    mu, cell, surfaces, *_ = drawn
    lost = mu.copy()
    lost[36:60, :, : mu.shape[2] // 2] = np.nan  # of the separator and the cathode
    columns = find_columns(cell, surfaces)
    whole, found = (
        find_thresholds(ratios, columns, edges_of(ratios, "none", 1.0, 3))
        for ratios in (Ratios(volume, cell, Flat()) for volume in (mu, lost))
    )
    assert found.active == pytest.approx(whole.active, rel=0.03)
    assert found.noise == pytest.approx(whole.noise, rel=0.1)
