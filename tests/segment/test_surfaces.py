"""Surfaces between layers, against faces that were drawn."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.parallel.pickling import Pickling
from tests.segment.layered import VOXEL_UM, FlatReference, layered_cell
from xct.analyze.layers import absent_lithium
from xct.geometry import SURFACES
from xct.parallel.executors import executed_by
from xct.segment import surfaces
from xct.segment.surface import bands
from xct.segment.surface.opaque_edge import REACH, light_blur_px, opaque_edge
from xct.segment.surface.steps import drop_point

STEEL, LITHIUM, FRONT, COLLECTOR = SURFACES


def rms(values):
    return np.sqrt(np.mean(values**2))


@pytest.fixture(scope="module")
def plain():
    drawn = layered_cell()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # there are none where all is well
        return drawn, surfaces(drawn.mu, drawn.cell, FlatReference())


@pytest.fixture(scope="module", params=["low_z", "high_z"])
def measured(request, plain):
    if request.param == "low_z":
        return plain
    drawn = layered_cell(anode=request.param)
    return drawn, surfaces(drawn.mu, drawn.cell, FlatReference())


def test_all_faces_are_found_below_the_voxel(measured):
    drawn, found = measured
    assert set(found) == set(SURFACES)
    for name, bias, largest in (
        (STEEL, 0.35, 0.4), (LITHIUM, 0.05, 0.25), (FRONT, 0.2, 0.6), (COLLECTOR, 0.4, 0.5)
    ):  # fmt: skip
        error = drawn.error_px(found, name)
        assert error.size > 0.95 * drawn.bore.sum(), name
        assert abs(error.mean()) < bias, name
        assert rms(error) < largest, name


@pytest.mark.parametrize("left", [5, 7])
def test_steel_that_ends_in_view_is_as_long_as_it_is(left):
    """A volume that was turned begins before its steel does: with 0."""
    drawn = layered_cell()
    face = int(np.nanmin(drawn.truth[STEEL].height_um) / VOXEL_UM)
    mu = drawn.mu.copy()
    mu[: face - left] = 0
    found = surfaces(mu, drawn.cell, FlatReference())
    assert abs(drawn.error_px(found, STEEL).mean()) < 0.5
    assert abs(drawn.error_px(found, LITHIUM).mean()) < 0.1


def test_steel_is_found_where_no_plane_of_lithium_is_known():
    drawn = layered_cell()
    planes = {name: plane for name, plane in drawn.cell.planes.items() if name != LITHIUM}
    found = surfaces(drawn.mu, replace(drawn.cell, planes=planes), FlatReference())
    assert abs(drawn.error_px(found, STEEL).mean()) < 0.5


@pytest.fixture(scope="module")
def standardized():
    """Errors of the anode's faces in stated standard deviations, column by column, over seeds."""
    z = {STEEL: [], LITHIUM: []}
    for seed in range(1, 4):
        drawn = layered_cell(seed=seed, noise=1.5)
        found = surfaces(drawn.mu, drawn.cell, FlatReference())
        for name, values in z.items():
            error = found[name].height_um - drawn.truth[name].height_um
            values.append((error / found[name].sd_um)[np.isfinite(error)])
    return {name: np.concatenate(values) for name, values in z.items()}


# Steel is drawn without what light does to its edge: the error of its model is all that is left.
@pytest.mark.parametrize(("name", "low", "high"), [(STEEL, 0.5, 1.0), (LITHIUM, 0.75, 1.4)])
def test_errors_of_heights_are_as_large_as_stated(standardized, name, low, high):
    assert low < rms(standardized[name]) < high


def test_nothing_is_given_outside_of_the_bore(measured):
    drawn, found = measured
    for surface in found.values():
        assert np.isnan(surface.height_um[~drawn.bore]).all()
        assert np.isnan(surface.sd_um[~drawn.bore]).all()


def test_planes_may_be_wrong_by_several_voxels():
    drawn = layered_cell(plane_offset_um=-12.0)
    found = surfaces(drawn.mu, drawn.cell, FlatReference())
    assert abs(drawn.error_px(found, LITHIUM).mean()) < 0.05
    assert abs(drawn.error_px(found, FRONT).mean()) < 0.2


def test_absent_lithium_is_found_and_not_filled():
    drawn = layered_cell((140, 128, 128), absent=0.15)
    found = surfaces(drawn.mu, drawn.cell, FlatReference())
    true = drawn.bore & np.isnan(drawn.truth[LITHIUM].height_um)
    gone = absent_lithium(found)
    assert gone.sum() / drawn.bore.sum() == pytest.approx(0.15, abs=0.02)
    assert 2 * (gone & true).sum() / (gone.sum() + true.sum()) > 0.93
    assert np.isnan(found[LITHIUM].height_um[gone]).all()


def test_grey_values_on_another_scale_give_the_same(plain):
    drawn, known = plain

    class GreyReference:
        air, per_cm = 500.0, 1 / 400

        def mu_per_cm(self, z_um, r_um):
            return 400 * FlatReference().mu_per_cm(z_um, r_um)

    found = surfaces(500 + 400 * drawn.mu, drawn.cell, GreyReference())
    for name in SURFACES:
        np.testing.assert_allclose(found[name].height_um, known[name].height_um, atol=0.05)


def test_a_cell_without_lithium_lacks_its_face_and_says_so():
    drawn = layered_cell(lithium=0.0)
    with pytest.warns(UserWarning, match="lithium_electrolyte: not given, since no column"):
        found = surfaces(drawn.mu, drawn.cell, FlatReference())
    assert set(found) == {STEEL, FRONT, COLLECTOR}


def test_planes_that_are_not_in_view_are_left_out():
    drawn = layered_cell()
    planes = {LITHIUM: drawn.cell.planes[LITHIUM]}
    cell = replace(drawn.cell, shape=(60, *drawn.cell.shape[1:]), planes={
        LITHIUM: replace(planes[LITHIUM], height_um=planes[LITHIUM].height_um - 44.0)
    })  # fmt: skip
    with pytest.warns(UserWarning, match="electrolyte_cathode, cathode_collector: not given"):
        found = surfaces(drawn.mu[22:82], cell, FlatReference())
    assert set(found) == {LITHIUM}
    error = found[LITHIUM].height_um + 44.0 - drawn.truth[LITHIUM].height_um
    assert abs(np.nanmean(error)) < 0.1 * VOXEL_UM


def test_columns_with_a_chip_that_touches_the_lithium_are_not_measured():
    drawn = layered_cell()
    z, y, x = np.indices(drawn.mu.shape)
    face = drawn.truth[LITHIUM].height_um / VOXEL_UM
    chip = (np.abs(y - 36) < 12) & (np.abs(x - 36) <= 2) & (z >= face - 2) & (z < face + 10)
    found = surfaces(np.where(chip, 0.1, drawn.mu), drawn.cell, FlatReference())
    hidden = np.isnan(found[LITHIUM].height_um) & np.isnan(found[LITHIUM].sd_um) & drawn.bore
    assert hidden[26:46, 34:39].mean() > 0.9
    assert hidden.sum() < 2 * 25 * 7
    assert not absent_lithium(found).any()
    assert rms(drawn.error_px(found, LITHIUM)) < 0.3


def test_a_drifted_particle_does_not_move_the_front():
    drawn = layered_cell()
    z, y, x = np.indices(drawn.mu.shape)
    particle = (z - 58) ** 2 + (y - 36) ** 2 + (x - 36) ** 2 <= 5**2
    found = surfaces(np.where(particle, 48, drawn.mu), drawn.cell, FlatReference())
    near = np.hypot(*(np.indices(drawn.bore.shape) - 36)) < 6
    error = (found[FRONT].height_um - drawn.truth[FRONT].height_um)[near]
    assert np.abs(error).max() < 1.5 * VOXEL_UM


def test_missing_voxels_are_left_out():
    drawn = layered_cell()
    mu = drawn.mu.copy()
    mu[::7, ::5, ::6] = np.nan
    found = surfaces(mu, drawn.cell, FlatReference())
    assert abs(drawn.error_px(found, LITHIUM).mean()) < 0.05


@pytest.fixture(scope="module")
def drifted():
    """A cell with a particle that drifted off, and across the rows where strips end."""
    drawn = layered_cell(absent=0.1)
    z, y, x = np.indices(drawn.mu.shape)
    particle = (z - 55) ** 2 + (y - 35) ** 2 + (x - 36) ** 2 <= 5**2
    mu = np.where(particle, 48, drawn.mu).astype(np.float32)
    return mu, drawn.cell, surfaces(mu, drawn.cell, FlatReference())


@pytest.mark.parametrize(("rows", "executor"), [(7, Pickling()), (24, None), (36, Pickling())])
def test_strips_do_not_change_the_answer(drifted, rows, executor, monkeypatch):
    mu, cell, whole = drifted
    monkeypatch.setattr(bands, "_STRIP_BYTES", 1)
    monkeypatch.setattr(bands, "_CHUNK_ROWS", rows)
    with executed_by(executor, workers=2):
        found = surfaces(mu, cell, FlatReference())
    for name in SURFACES:
        np.testing.assert_array_equal(found[name].height_um, whole[name].height_um)
        np.testing.assert_array_equal(found[name].sd_um, whole[name].sd_um)


@pytest.mark.parametrize("strip_bytes", [150_000, 500_000])
def test_parts_of_a_band_may_be_cut_otherwise_than_the_band(drifted, strip_bytes, monkeypatch):
    """Lower spans are cut into higher strips: what is put together belongs to the same cut."""
    mu, cell, whole = drifted
    monkeypatch.setattr(bands, "_STRIP_BYTES", strip_bytes)
    monkeypatch.setattr(bands, "_CHUNK_ROWS", 4)
    found = surfaces(mu, cell, FlatReference())
    for name in SURFACES:
        np.testing.assert_array_equal(found[name].height_um, whole[name].height_um)


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_volume_that_is_the_same_everywhere_has_no_surfaces(value):
    drawn = layered_cell()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert surfaces(np.full_like(drawn.mu, value), drawn.cell, FlatReference()) == {}
    assert all("not given, since" in str(some.message) for some in said)
    assert len(said) == 3


def test_a_reference_without_electrolyte_is_refused():
    drawn = layered_cell()

    class Nothing:
        air, per_cm = 0.0, 1.0

        def mu_per_cm(self, z_um, r_um):
            return np.zeros(np.broadcast(z_um, r_um).shape)

    with pytest.raises(ValueError, match=r"value of 0 above air.*electrolyte_reference"):
        surfaces(drawn.mu, drawn.cell, Nothing())


def test_a_cell_of_another_volume_is_refused():
    drawn = layered_cell()
    with pytest.raises(ValueError, match=r"shape \(100, 72, 72\).*\(140, 72, 72\).*find_cell"):
        surfaces(drawn.mu[:100], drawn.cell, FlatReference())


@pytest.mark.parametrize(("voxel_um", "width_um"), [(0.65, 2.26), (1.3, 2.7), (2.0, 3.0)])
def test_the_blur_of_light_along_the_beam_is_told_by_that_across(voxel_um, width_um):
    """Widths as measured at the wall where light was blurred by 2.2 µm (FWHM)."""
    measured = SimpleNamespace(blur_um=width_um, blur_sd_um=0.05)
    assert light_blur_px(measured, voxel_um) == pytest.approx(2.2 / 2.355 / voxel_um, rel=0.08)
    guessed = SimpleNamespace(blur_um=width_um, blur_sd_um=np.nan)
    assert light_blur_px(guessed, voxel_um) == light_blur_px(None, voxel_um) == 0.5


class Wide(FlatReference):
    """With a point spread whose light is blurred by 1.4 voxels."""

    blur_um, blur_sd_um = 2.355 * VOXEL_UM * (1.4**2 + 0.19) ** 0.5, 0.1


def test_steel_is_not_found_deeper_where_voxels_are_finer_than_the_blur():
    """A face in light that is blurred by 1.4 voxels: half a voxel too deep if 0.5 are expected."""
    drawn = layered_cell()
    faces = drawn.truth[STEEL].height_um / VOXEL_UM
    radius = drawn.cell.radius_um(0) / VOXEL_UM
    bore = drawn.cell.bore_radius_um / VOXEL_UM
    deep = drawn.mu[2].astype(float)
    edge = opaque_edge(np.where(drawn.bore, deep, np.nan), radius, bore, VOXEL_UM * 1e-4, 1.4)
    mu = drawn.mu.copy()
    y, x = np.nonzero(drawn.bore & np.isfinite(faces))
    for row, column in zip(y, x, strict=True):
        face = faces[row, column] + 0.5
        at, phase = int(face), round((face - int(face)) * (len(edge.table) - 1))
        span = slice(at - REACH, at + REACH + 1)
        mu[span, row, column] = edge.table[phase, :, int(edge.ring[row, column])]
    errors = [
        float(np.nanmean(drawn.error_px(surfaces(mu, drawn.cell, reference), STEEL)))
        for reference in (FlatReference(), Wide())
    ]
    assert abs(errors[0]) > 0.25
    assert abs(errors[1]) < 0.12


def test_light_that_is_blurred_moves_the_edge_of_something_opaque_inwards():
    radius = np.hypot(*(np.indices((81, 81)) - 40))
    deep = np.where(radius <= 38, 114.0, np.nan)
    sharp, blurred = (opaque_edge(deep, radius, 40.0, 4e-4, sigma) for sigma in (0.05, 0.6))
    half = sharp.table.shape[0] // 2
    # The face in the middle of its voxel: half of the voxel is filled, at whichever radius.
    assert sharp.table[half, REACH, 10] == pytest.approx(57, rel=0.05)
    assert blurred.table[half, REACH, 10] < 40
    assert blurred.table[half, 0, 10] == pytest.approx(114, rel=0.05)
    assert blurred.table[half, -1, 10] == pytest.approx(0, abs=0.1)


class Counting:
    """A volume that counts the rows which are asked for."""

    def __init__(self, values):
        self.values, self.rows = values, 0
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, index):
        found = self.values[index]
        self.rows += found.shape[1]
        return found


def columns_of(strip):
    return [strip.values[:, strip.own].copy()]


@pytest.mark.parametrize(("rows", "reach"), [(10, 3), (10, 7), (4, 9), (64, 5)])
@pytest.mark.parametrize("sign", [1, -1])
def test_rows_that_strips_share_are_read_once(rows, reach, sign, monkeypatch):
    monkeypatch.setattr(bands, "_STRIP_BYTES", 1)
    monkeypatch.setattr(bands, "_CHUNK_ROWS", rows)
    values = np.random.default_rng(0).random((9, 57, 6), np.float32)
    volume = Counting(values)
    span = bands.Span(2 if sign > 0 else 7, 6, sign, 2.0)
    band = bands.Band.about(volume, span, np.ones((57, 6), bool), reach)
    found = np.concatenate([part for [part] in band.map(columns_of, [])], axis=1)
    np.testing.assert_array_equal(found, values[2:8][::sign])
    assert volume.rows == 57


def test_the_end_of_steel_is_found_behind_voxels_that_noise_took_below_its_middle():
    """Steel near the axis of a cell that is 900 µm wide: 65 ± 18 1/cm where electrolyte has 5."""
    rng = np.random.default_rng(3)
    places = np.arange(80)
    ends = rng.uniform(20, 30, 400)
    true = 65 * np.clip(ends[:, None] + 0.5 - places, 0, 1) + 5 * (places >= 60)
    columns = true + np.where(places < ends[:, None], 18, 0.3) * rng.standard_normal(true.shape)
    found = np.array([drop_point(column, 32.0) for column in columns])
    assert np.abs(found - ends).max() < 2
    assert np.abs(np.median(found - ends)) < 0.2


def test_a_column_without_steel_or_without_an_end_of_it_has_no_drop():
    assert np.isnan(drop_point(np.zeros(9), 1.0))
    assert np.isnan(drop_point(np.full(9, 2.0), 1.0))
    assert np.isnan(drop_point(np.array([2.0, 2.0, np.nan]), 1.0))


class Halved(Counting):
    """A volume that is stored as uint16; on a scale of its own."""

    code_bytes = 2
    step, first = np.float32(4e-3), np.float32(-50.0)

    @classmethod
    def of(cls, values):
        return cls(np.rint((values - cls.first) / cls.step).astype(np.uint16))

    def codes(self, index):
        return super().__getitem__(index)

    def decode(self, codes):
        return codes.astype(np.float32) * self.step + self.first

    def __getitem__(self, index):
        return self.decode(self.codes(index))


@pytest.mark.parametrize("per_cm", [1.0, 1.1])
def test_a_band_is_kept_as_it_is_stored_and_gives_the_same_surfaces(per_cm, monkeypatch):
    scale = type("Scaled", (FlatReference,), {"per_cm": per_cm})()
    drawn = layered_cell()
    volume = Halved.of(drawn.mu)
    span = bands.span_between(drawn.cell, 0.0, 1e6)
    monkeypatch.setattr(bands, "_KEPT_BYTES", 2 * volume.values.size)
    band = bands.Band.about(volume, span, drawn.bore, 3)
    volume.rows = 0
    assert band.map(columns_of, [])
    assert volume.rows == 0
    kept = surfaces(volume, drawn.cell, scale)
    monkeypatch.setattr(bands, "_KEPT_BYTES", 0)
    read = surfaces(volume, drawn.cell, scale)
    for name, surface in kept.items():
        np.testing.assert_array_equal(surface.height_um, read[name].height_um)


def test_of_very_many_columns_some_determine_the_plateau(plain, monkeypatch):
    drawn, whole = plain
    volume = Counting(drawn.mu)
    monkeypatch.setattr(bands, "_STRIP_BYTES", 1)
    monkeypatch.setattr(bands, "_CHUNK_ROWS", 4)
    monkeypatch.setattr(bands, "_ENOUGH", np.count_nonzero(drawn.bore) // 3)
    found = surfaces(volume, drawn.cell, FlatReference())
    for name in (STEEL, LITHIUM):
        np.testing.assert_array_equal(found[name].height_um, whole[name].height_um)
    for name in (FRONT, COLLECTOR):
        moved = drawn.error_px(found, name).mean() - drawn.error_px(whole, name).mean()
        assert 0 < abs(moved) < 0.03
