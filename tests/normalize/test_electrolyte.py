"""The electrolyte as a reference: value by height and radius, noise, blur, uncertainties."""

import json
import warnings

import numpy as np
import pytest

import xct.parallel.blocks
from tests.normalize.layered_cell import MU, LayeredCell
from tests.parallel.pickling import Pickling
from xct.geometry import CellGeometry, Plane
from xct.normalize import Reference, electrolyte_reference, sampling
from xct.parallel.executors import executed_by

CELL = LayeredCell()


def geometry_of(cell: LayeredCell) -> CellGeometry:
    """Give the true geometry of a drawn cell, in voxels of 2 µm."""
    slopes = cell.tilt
    planes = {
        name: Plane(2 * height, *slopes)
        for name, height in cell.heights().items()
        if not (name == "lithium_electrolyte" and cell.lithium == 0)
    }
    return CellGeometry(
        shape=cell.shape,
        voxel_size_um=(2.0, 2.0, 2.0),
        axis_y_um=2 * cell.center[0],
        axis_x_um=2 * cell.center[1],
        axis_slope_y=cell.lean[0],
        axis_slope_x=cell.lean[1],
        bore_radius_um=2 * cell.radius,
        bore_radius_sd_um=0.01,
        tube_radius_um=2 * (cell.radius + cell.wall),
        anode="high_z" if cell.upside_down else "low_z",
        planes=planes,
    )


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


@pytest.fixture(scope="module")
def reference(volume):
    return electrolyte_reference(volume, geometry_of(CELL))


def test_peak_noise_and_blur_are_those_that_were_drawn(reference):
    assert reference.peak_per_cm == pytest.approx(MU["electrolyte"], rel=0.003)
    assert reference.peak_sd_per_cm < 0.02
    assert np.median(reference.noise_per_cm[30:60]) == pytest.approx(CELL.noise, rel=0.05)
    sigma = np.hypot(CELL.blur, 12**-0.5)  # a voxel's own width is part of it
    assert reference.blur_um == pytest.approx(2.355 * 2 * sigma, rel=0.05)
    assert reference.confounded is None
    assert reference.glare["verdict"] == "consistent"


def test_what_all_blocks_share_is_part_of_the_uncertainty(reference):
    middle = 2 * (CELL.edges[1] + CELL.edges[2]) / 2
    fit, whole = (
        float(sd(middle, 30.0)) / MU["electrolyte"]
        for sd in (reference.model.sd, reference.sd_per_cm)
    )
    assert whole == pytest.approx(np.hypot(fit, 0.0015), rel=0.01)
    assert whole > 1.2 * fit


def test_where_there_is_no_electrolyte_the_reference_is_said_to_be_extrapolated(reference):
    table = reference.table
    in_plane = table[table["reference"] == "in_plane"]
    assert set(in_plane["layer"]) == {"electrolyte"}
    beyond = table[table["layer"].isin(["cathode", "beyond"])]
    assert set(beyond["reference"]) == {"extrapolated"}
    low, high = (
        2 * CELL.heights()[name] for name in ("lithium_electrolyte", "electrolyte_cathode")
    )
    assert in_plane["z_um"].between(low, high).all()
    heights = np.array([10.0, (low + high) / 2, 200.0])
    np.testing.assert_array_equal(reference.is_extrapolated(heights), [True, False, True])


def test_an_instrument_that_drifts_along_z_is_followed():
    cell = CELL.but(gain=0.12, noise=1.0)
    reference = electrolyte_reference(cell.draw(), geometry_of(cell))
    z = np.linspace(
        *(2 * cell.heights()[n] for n in ("lithium_electrolyte", "electrolyte_cathode"))
    )
    z = z[10:-10]
    true = MU["electrolyte"] * (1 + cell.gain * (z / 2 / (cell.shape[0] - 1) - 0.5))
    np.testing.assert_allclose(reference.mu_per_cm(z, 30.0), true, rtol=0.005)
    assert reference.flatness_before > 3 * reference.flatness_after
    assert reference.confounded == "density"


def test_inclusions_and_drifted_particles_have_no_say(volume):
    rng = np.random.default_rng(5)
    spoiled = volume.copy()
    for z, y, x in rng.integers([32, 35, 35], [60, 92, 92], (220, 3)):
        spoiled[z : z + 4, y : y + 4, x : x + 3] = rng.choice([0.1, 48.0])
    reference = electrolyte_reference(spoiled, geometry_of(CELL))
    assert reference.peak_per_cm == pytest.approx(MU["electrolyte"], rel=0.008)


@pytest.mark.parametrize("rows", [16, 48, 112])
def test_the_answer_does_not_depend_on_the_slabs(volume, reference, monkeypatch, rows):
    monkeypatch.setattr(xct.parallel.blocks, "_SLAB_BYTES", 4 * volume[0].size * rows)
    again = electrolyte_reference(volume, geometry_of(CELL))
    assert again.to_dict() == reference.to_dict()


def test_the_work_can_be_sent_to_another_process(volume, reference, monkeypatch):
    monkeypatch.setattr(xct.parallel.blocks, "_SLAB_BYTES", 1)
    with executed_by(Pickling()):
        again = electrolyte_reference(volume, geometry_of(CELL))
    assert again.to_dict() == reference.to_dict()


def test_an_array_is_read_twice_and_its_cathode_three_times(volume, monkeypatch):
    monkeypatch.setattr(xct.parallel.blocks, "_SLAB_BYTES", 1)

    class Counting:
        shape, dtype, slices = volume.shape, volume.dtype, 0

        def __getitem__(self, index):
            self.slices += len(volume[index])
            return volume[index]

    counting = Counting()
    electrolyte_reference(counting, geometry_of(CELL))
    # Its overview; both layers' cubes; eight groups at the wall; slices of air and of a mixture.
    assert counting.slices <= 2 * len(volume) + 3 * 16 + 8 * 8 + 10


def test_a_reference_survives_json(reference):
    again = Reference.from_dict(json.loads(json.dumps(reference.to_dict(), allow_nan=False)))
    z, r = np.array([60.0, 90.0]), np.array([5.0, 70.0])
    np.testing.assert_array_equal(again.mu_per_cm(z, r), reference.mu_per_cm(z, r))
    np.testing.assert_array_equal(again.noise_per_cm, reference.noise_per_cm)
    assert again.table.equals(reference.table)
    assert again.glare == reference.glare
    assert list(again.numbers()) == list(reference.numbers())


def test_the_summary_names_value_error_and_unit(reference):
    entry = dict(reference.numbers())["electrolyte_peak_per_cm"].entry()
    assert set(entry) == {"value", "sd", "n", "unit"}
    assert entry["unit"] == "1/cm"


def test_a_scale_that_begins_elsewhere_is_counted_from_air(volume):
    reference = electrolyte_reference(volume * 100 + 20_000, geometry_of(CELL), volume_unit="grey")
    assert reference.air == pytest.approx(20_000, abs=5)
    assert reference.peak_per_cm == pytest.approx(500, rel=0.01)


@pytest.mark.filterwarnings("ignore:no sharp wall")
def test_without_electrolyte_it_says_so():
    cell = CELL.but(electrolyte=0)
    planes = geometry_of(cell).planes
    seen = {name: planes[name] for name in ("steel_lithium", "cathode_collector")}
    geometry = CellGeometry(**{**vars(geometry_of(cell)), "planes": seen})
    with pytest.raises(ValueError, match=r"no electrolyte is in view .*steel_lithium"):
        electrolyte_reference(cell.draw(), geometry)


def test_a_cathode_alone_gives_a_rough_reference_and_says_how_rough():
    cell = CELL.but(steel=0, lithium=0, electrolyte=0, cathode=112)
    geometry = CellGeometry(**{**vars(geometry_of(cell)), "planes": {}})
    with pytest.warns(UserWarning, match="between the particles of the cathode"):
        reference = electrolyte_reference(cell.draw(), geometry)
    assert abs(reference.peak_per_cm - MU["electrolyte"]) < 2 * reference.peak_sd_per_cm
    assert reference.peak_sd_per_cm > 0.3


def test_a_bore_that_is_not_in_view_leaves_the_blur_a_guess(volume):
    geometry = CellGeometry(**{**vars(geometry_of(CELL)), "bore_radius_sd_um": np.nan})
    with pytest.warns(UserWarning, match=r"4\.4 µm is a guess"):
        reference = electrolyte_reference(volume, geometry)
    assert np.isnan(reference.blur_sd_um)
    assert reference.peak_per_cm == pytest.approx(MU["electrolyte"], rel=0.005)


def test_a_fringe_left_beside_the_wall_leaves_the_blur_a_guess(volume):
    geometry = geometry_of(CELL)
    y, x = np.indices(volume.shape[1:]) * np.array(geometry.voxel_size_um[1:])[:, None, None]
    away = np.hypot(y - geometry.axis_y_um, x - geometry.axis_x_um) - geometry.bore_radius_um
    ring = MU["electrolyte"] * np.exp(-(((away - 8.0) / 3.0) ** 2))
    fringed = (volume + ring).astype(np.float32)
    with pytest.warns(UserWarning, match="is a guess, and state of charge is withheld"):
        electrolyte_reference(fringed, geometry, {"phase_retrieval": {}})
    assert (
        electrolyte_reference(fringed, geometry, {"phase_retrieval": {}}, blur_um=4.0).blur_um == 4
    )
    measured = [electrolyte_reference(volume, geometry, steps) for steps in (None, {"fbp": {}})]
    assert measured[0].blur_um == measured[1].blur_um
    assert np.isfinite(measured[0].blur_sd_um)


def test_nothing_is_said_of_a_good_cell(volume):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        electrolyte_reference(volume, geometry_of(CELL))


def test_in_a_very_wide_cell_some_rows_of_cubes_determine_the_electrolyte(volume, monkeypatch):
    span = sampling.electrolyte_span(geometry_of(LayeredCell()), 6.0)
    every = sampling.gather_cubes(volume, span)
    monkeypatch.setattr(sampling, "_ENOUGH", 300)
    monkeypatch.setattr(sampling, "_GROUP_ROWS", every.edge[1])
    some = sampling.gather_cubes(volume, span)
    kept = np.isin(every.y_um, some.y_um)
    assert 0.05 < kept.mean() < 0.6
    for name in ("mean", "z_um", "y_um", "x_um", "r_um"):
        np.testing.assert_array_equal(getattr(some, name), getattr(every, name)[kept])
