from dataclasses import replace

import numpy as np
import pytest
import zarr

from tests.parallel.pickling import Pickling
from tests.segment.spheres import Flat, cell_of_spheres
from xct.parallel.counting import heard_by
from xct.parallel.executors import executed_by
from xct.segment.material.labels import materials
from xct.segment.particle.instances import particles, particles_in_slabs


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(drifted=3, noise=0.5)


@pytest.fixture(scope="module")
def labels(drawn):
    mu, cell, surfaces, *_ = drawn
    return materials(mu, cell, Flat(), surfaces)


@pytest.fixture(scope="module")
def found(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    return particles(mu, labels, cell, surfaces, Flat())


def pairs(drawn, found):
    """True sphere and row of the table for each true particle over five voxels."""
    truth, spheres = drawn[4], drawn[5]
    numbers, table = found
    for sphere in np.flatnonzero(spheres[:, 3] > 2.5) + 1:
        inside = numbers[truth == sphere]
        number = np.bincount(inside[inside > 0]).argmax() if inside.any() else 0
        yield spheres[sphere - 1], table[table["particle"] == number]


def test_every_sphere_is_one_particle_of_its_size(drawn, found):
    rows = list(pairs(drawn, found))
    assert len(rows) > 20
    assert all(len(row) == 1 for _, row in rows)
    assert len({int(row["particle"].iloc[0]) for _, row in rows}) == len(rows)
    ratio = [row["equivalent_diameter_um"].iloc[0] / (4 * sphere[3]) for sphere, row in rows]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)


def test_how_far_it_is_is_told_by_slices(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    heard = []
    with heard_by(lambda done, total: heard.append((done, total))):
        particles(mu, labels, cell, surfaces, Flat())
    assert heard.count((len(mu), len(mu))) >= 2  # separated, and measured
    assert max(done for done, _ in heard) == len(mu)


def test_place_and_roundness_of_spheres(drawn, found):
    for sphere, row in pairs(drawn, found):
        place = row[["z_um", "y_um", "x_um"]].to_numpy()[0] / 2
        np.testing.assert_allclose(place, sphere[:3], atol=0.3)
        assert row["sphericity"].iloc[0] > 0.9


def test_particles_in_the_electrolyte_have_drifted_and_no_others(drawn, found):
    spheres, table = drawn[5], found[1]
    drifted = table[table["drifted"]].sort_values("z_um")
    truth = spheres[spheres[:, 0] < 40]
    assert len(drifted) == len(truth) == 3
    np.testing.assert_allclose(drifted["z_um"], np.sort(truth[:, 0]) * 2, atol=1)
    np.testing.assert_allclose(
        drifted["distance_to_front_um"], (43.5 - np.sort(truth[:, 0])) * 2, atol=1
    )


def test_a_particle_has_drifted_only_if_it_is_clear_of_the_uncertainty_of_the_front(
    drawn, labels, found
):
    mu, cell, surfaces, *_ = drawn
    front = surfaces["electrolyte_cathode"]
    nearest = found[1].loc[found[1]["drifted"], "distance_to_front_um"].min()
    vague = replace(front, sd_um=np.full_like(front.sd_um, nearest / 1.96))
    _, table = particles(mu, labels, cell, {**surfaces, "electrolyte_cathode": vague}, Flat())
    near = table["distance_to_front_um"] < nearest + 1
    assert not table.loc[near, "drifted"].any()


def test_a_particle_has_not_drifted_unless_all_of_it_is_ahead(drawn, labels, found):
    mu, cell, surfaces, *_ = drawn
    front, table = surfaces["electrolyte_cathode"], found[1]
    one = table[table["drifted"]].iloc[0]
    typical = table.loc[table["attached"], "equivalent_diameter_um"].median()
    for ahead, drifted in ((typical + 1, False), (typical + one["equivalent_diameter_um"], True)):
        height = np.where(np.isfinite(front.height_um), one["z_um"] + ahead, np.nan)
        near = replace(front, height_um=height.astype(np.float32))
        _, again = particles(mu, labels, cell, {**surfaces, "electrolyte_cathode": near}, Flat())
        assert again.loc[again["particle"] == one["particle"], "drifted"].item() is drifted


def test_core_grey_value_is_that_of_the_material(found):
    cores = found[1][found[1]["core_voxels"] > 10]["core_grey"]
    assert len(cores) > 5
    assert np.median(cores) == pytest.approx(20_000 + 2_100 * 48 / 5, rel=0.01)


@pytest.mark.parametrize("workers", [2, 5])
def test_how_many_work_at_a_time_changes_neither_numbers_nor_table(drawn, labels, found, workers):
    mu, cell, surfaces, *_ = drawn
    with executed_by(workers=workers):
        numbers, table = particles(mu, labels, cell, surfaces, Flat())
    np.testing.assert_array_equal(numbers, found[0])
    assert table.equals(found[1])


@pytest.mark.parametrize("rows", [1, 13, 64])
def test_where_the_volume_is_cut_changes_neither_numbers_nor_table(drawn, labels, found, rows):
    mu, cell, surfaces, *_ = drawn
    numbers, table = particles_in_slabs(mu, labels, cell, surfaces, Flat(), rows=rows)
    np.testing.assert_array_equal(numbers, found[0])
    assert table.equals(found[1])


def test_runs_may_be_separated_elsewhere(drawn, labels, found, tmp_path):
    mu, cell, surfaces, *_ = drawn
    into = zarr.create_array(tmp_path / "numbers", shape=mu.shape, chunks=(8, 72, 72), dtype="u4")
    with executed_by(Pickling(), workers=3):
        _, table = particles(mu, labels, cell, surfaces, Flat(), into)
    np.testing.assert_array_equal(into[:], found[0])
    assert table.equals(found[1])


def test_a_cell_without_active_material_has_an_empty_table(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    numbers, table = particles(mu, np.where(labels == 3, 2, labels), cell, surfaces, Flat())
    assert not numbers.any()
    assert len(table) == 0
    assert {"particle", "core_grey", "drifted"} <= set(table.columns)
