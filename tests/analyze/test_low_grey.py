import numpy as np
import pytest

from tests.segment.spheres import FACES, Flat, cell_of_spheres, lithium_chip
from xct.analyze.low_grey import inclusions, low_grey_regions
from xct.geometry import Label
from xct.segment.material.labels import materials


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(chip=True, noise=0.5)


@pytest.fixture(scope="module")
def labels(drawn):
    mu, cell, surfaces, *_ = drawn
    return materials(mu, cell, Flat(), surfaces)


@pytest.fixture(scope="module")
def table(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    return inclusions(mu, labels, cell, surfaces, Flat())


def test_a_chip_is_one_inclusion_where_it_lies_and_as_large(drawn, table):
    assert len(table) == 1
    chip = np.zeros(drawn[0].shape, bool)
    chip[lithium_chip(chip.shape)] = True
    row = table.iloc[0]
    np.testing.assert_allclose(
        row[["z_um", "y_um", "x_um"]].to_numpy(float), 2 * np.argwhere(chip).mean(axis=0), atol=0.5
    )
    assert row["volume_um3"] == pytest.approx(8 * chip.sum(), rel=0.1)
    assert row["dark_volume_um3"] == pytest.approx(8 * chip.sum(), rel=0.05)
    assert row["distance_to_anode_um"] == pytest.approx(2 * (26 - FACES[1] + 0.5), abs=0.5)


def test_axes_of_a_chip_are_those_of_the_ellipsoid_with_its_moments(table):
    row = table.iloc[0]
    sides = 2 * np.array([5, 8, 20])
    axes = row[["short_um", "middle_um", "long_um"]].to_numpy(float)
    np.testing.assert_allclose(axes, 2 * np.sqrt(5 / 12) * sides, rtol=0.06)
    assert row["feret_um"] == pytest.approx(40, rel=0.15)


def test_a_chip_within_electrolyte_is_enclosed_and_called_low_grey(table):
    assert table["enclosed"].all()
    assert not table["at_lithium"].any()
    assert set(table["kind"]) == {"low_grey"}


def test_a_chip_on_lithium_is_not_enclosed(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    grown = labels.copy()
    grown[20:26, 34:37, 34:37] = Label.LOW_GREY
    row = inclusions(mu, grown, cell, surfaces, Flat()).iloc[0]
    assert row["at_lithium"]
    assert not row["enclosed"]


def test_what_is_darker_than_air_is_an_artefact(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    spoiled = np.where(labels == Label.LOW_GREY, -5.0, mu).astype(np.float32)
    assert len(inclusions(spoiled, labels, cell, surfaces, Flat())) == 0


@pytest.mark.parametrize("rows", [1, 13])
def test_where_the_volume_is_cut_changes_no_sum(drawn, labels, rows):
    mu, cell, surfaces, *_ = drawn
    whole = low_grey_regions(mu, labels, cell, surfaces, Flat(), rows=len(mu))
    cut = low_grey_regions(mu, labels, cell, surfaces, Flat(), rows=rows)
    np.testing.assert_array_equal(cut.sums, whole.sums)
    np.testing.assert_array_equal(cut.crossings, whole.crossings)
    np.testing.assert_array_equal(cut.extents, whole.extents)


def test_without_low_grey_the_table_is_empty_but_has_its_columns(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    full = np.where(labels == Label.LOW_GREY, Label.ELECTROLYTE, labels)
    table = inclusions(mu, full, cell, surfaces, Flat())
    assert len(table) == 0
    assert {"inclusion", "thickness_um", "enclosed"} <= set(table.columns)
