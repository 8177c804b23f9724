from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.parallel.pickling import Pickling
from tests.segment.spheres import FACES, MU, Flat, cell_of_spheres, lithium_chip
from xct.analyze.inclusions import inclusion_numbers, inclusions
from xct.analyze.low_grey import low_grey_regions
from xct.geometry import Label
from xct.parallel.executors import executed_by
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


def touching(labels, *places):
    """Labels with bars from the chip's middle column to the given slices."""
    grown = labels.copy()
    for first, stop in places:
        grown[int(first) : int(stop), 34:37, 34:37] = Label.LOW_GREY
    return grown


@pytest.mark.parametrize(
    ("places", "name"),
    [
        ([], "enclosed"),
        ([(FACES[1], 28)], "at_lithium"),
        ([(28, FACES[2])], "at_front"),
        ([(28, FACES[2] - 1)], "at_front"),
        ([(FACES[1], FACES[2])], "bridging"),
    ],
)
def test_an_inclusion_is_of_the_class_of_what_it_touches(drawn, labels, places, name):
    mu, cell, surfaces, *_ = drawn
    table = inclusions(mu, touching(labels, *places), cell, surfaces, Flat())
    assert list(table["class"]) == [name]


@pytest.mark.parametrize(("wide", "name"), [(5, "at_front"), (19, "enclosed")])
def test_what_lies_in_a_pocket_of_the_front_is_at_it_from_the_side_too(drawn, wide, name):
    """The pocket is 20 voxels deep, and the pore 14 above its floor."""
    _, cell, surfaces, plain, *_ = drawn
    labels, top = np.where(plain == Label.LOW_GREY, Label.ELECTROLYTE, plain), int(FACES[2])
    front = surfaces["electrolyte_cathode"]
    pocket = np.s_[35 - wide : 36 + wide, 41 - wide : 42 + wide]
    height = front.height_um.copy()
    height[pocket] += 40
    labels[(slice(top, top + 20), *pocket)] = Label.ELECTROLYTE
    labels[top + 2 : top + 6, 34:37, 40:43] = Label.LOW_GREY
    mu = np.where(labels == Label.LOW_GREY, 0.1, MU[2]).astype(np.float32)
    surfaces = surfaces | {"electrolyte_cathode": replace(front, height_um=height)}
    table = inclusions(mu, labels, cell, surfaces, Flat())
    assert list(table["class"]) == [name]


def test_what_lies_at_the_front_counts_by_itself(table):
    three = pd.concat([table.assign(**{"class": name}) for name in ("enclosed", "at_front")] * 2)
    found = dict(inclusion_numbers(three.iloc[:3]))
    assert found["inclusions"].value == 2
    assert found["inclusions"].bound == "lower"
    assert found["inclusions.at_front"].value == 1
    assert found["inclusions.at_front"].sd is None
    assert "has no uncertainty" in found["inclusions.at_front"].note
    assert found["inclusions.bridging"].value == 0
    assert found["inclusion_volume_um3"].value == pytest.approx(2 * table["dark_volume_um3"][0])


@pytest.mark.parametrize(("x", "count"), [(35, 1), (45, 2)])
def test_a_small_region_on_the_axis_of_rotation_is_a_ring(drawn, labels, x, count):
    """The chip, which is long, is one wherever it lies."""
    mu, cell, surfaces, *_ = drawn
    some = labels.copy()
    some[40:44, 34:37, x - 1 : x + 2] = Label.LOW_GREY
    dark = np.where(some == Label.LOW_GREY, np.float32(0.1), mu)
    assert len(inclusions(dark, some, cell, surfaces, Flat())) == count


def test_what_is_darker_than_air_is_an_artefact(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    spoiled = np.where(labels == Label.LOW_GREY, -5.0, mu).astype(np.float32)
    assert len(inclusions(spoiled, labels, cell, surfaces, Flat())) == 0


@pytest.fixture(scope="module")
def sprinkled(labels):
    """Many small regions beside the chip."""
    some = labels.copy()
    chance = np.random.default_rng(0).random(labels.shape) < 0.01
    some[chance & (labels == Label.ELECTROLYTE)] = Label.LOW_GREY
    return some


@pytest.mark.parametrize("rows", [1, 13, 27])
def test_where_the_volume_is_cut_changes_no_sum(drawn, sprinkled, rows):
    mu, cell, surfaces, *_ = drawn
    labels = sprinkled
    whole = low_grey_regions(mu, labels, cell, surfaces, Flat(), rows=len(mu))
    with executed_by(Pickling()):
        cut = low_grey_regions(mu, labels, cell, surfaces, Flat(), rows=rows)
    assert len(whole.sums) > 100
    np.testing.assert_array_equal(cut.sums, whole.sums)
    np.testing.assert_array_equal(cut.crossings, whole.crossings)
    np.testing.assert_array_equal(cut.extents, whole.extents)


def test_without_low_grey_the_table_is_empty_but_has_its_columns(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    full = np.where(labels == Label.LOW_GREY, Label.ELECTROLYTE, labels)
    table = inclusions(mu, full, cell, surfaces, Flat())
    assert len(table) == 0
    assert {"inclusion", "thickness_um", "enclosed"} <= set(table.columns)
    assert table["volume_um3"].sum() == 0


def test_only_slabs_between_lithium_and_cathode_are_read(drawn, labels):
    mu, cell, surfaces, *_ = drawn
    read = []

    class Watched:
        shape, dtype = labels.shape, labels.dtype

        def __getitem__(self, index):
            read.append((index.start, index.stop))
            return labels[index]

    low_grey_regions(mu, Watched(), cell, surfaces, Flat(), rows=6)
    assert min(first for first, _ in read) >= FACES[1] - 6 - 2
    assert max(stop for _, stop in read) <= FACES[2] + 6 + 2


def test_the_least_volume_counts_in_spheres_as_wide_as_the_point_spread(drawn, sprinkled):
    mu, cell, surfaces, *_ = drawn
    labels = sprinkled
    every = inclusions(mu, labels, cell, surfaces, Flat(), least_psf_volumes=0)
    sphere = np.pi / 6 * Flat().blur_um ** 3
    for least in (1.0, 3.0):
        kept = inclusions(mu, labels, cell, surfaces, Flat(), least_psf_volumes=least)
        assert len(kept) == (every["volume_um3"] >= least * sphere).sum()
