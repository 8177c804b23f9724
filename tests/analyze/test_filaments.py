"""Filaments: how long, how thick, how bent; what is none. Truth: bodies drawn by hand."""

import numpy as np
import pytest

from tests.segment.spheres import FACES, Flat, cell_of_spheres
from xct.analyze.filaments import filament_table, joined_nodes, nodes_of
from xct.analyze.inclusions import inclusion_numbers, inclusions
from xct.geometry import Label
from xct.quantity import Number

SIZE_UM = (2.0, 2.0, 2.0)
ALONG = np.linspace(0, 1, 200)


def wire(z, y, x, thick=3.0, shape=(80, 60, 60)):
    """Draw balls along a path, in voxels."""
    body = np.zeros(shape, bool)
    for point in np.stack(np.broadcast_arrays(z, y, x), axis=1):
        near = tuple(slice(int(c - thick), int(c + thick) + 2) for c in point)
        away = np.ogrid[near]
        body[near] |= sum((a - c) ** 2 for a, c in zip(away, point, strict=True)) <= thick**2 / 4
    return body


def measured(body, sign=1):
    place = np.argwhere(body)
    feret = 2.0 * np.linalg.norm(np.ptp(place, axis=0))
    volume = np.array([8.0 * body.sum()])
    nodes = nodes_of(body.astype(np.uint32), 0)
    spread = np.linalg.eigvalsh(np.cov(2.0 * place.T, bias=True) + np.eye(3) * 4 / 12)
    axes = 2 * np.sqrt(5 * spread)[None]
    return filament_table(nodes, SIZE_UM, volume, np.array([feret]), axes, sign).iloc[0]


@pytest.mark.parametrize(
    ("end", "tilt", "azimuth"),
    [((70, 30, 30), 0, None), ((50, 50, 10), 35.3, 135), ((40, 10, 30), 33.7, -90)],
)
def test_a_straight_filament_has_its_length_thickness_and_direction(end, tilt, azimuth):
    start = np.array([10, 30, 30])
    path = start + ALONG[:, None] * (np.array(end) - start)
    row = measured(wire(*path.T))
    assert row["filament"]
    length = 2 * (np.linalg.norm(np.array(end) - start) + 3)
    assert row["length_um"] == pytest.approx(length, rel=0.03)
    assert row["mean_diameter_um"] == pytest.approx(6.0, rel=0.15)
    assert row["tortuosity"] == pytest.approx(1, abs=0.03)
    assert row["tilt_deg"] == pytest.approx(tilt, abs=2)
    if azimuth is not None:
        assert row["azimuth_deg"] == pytest.approx(azimuth, abs=3)


def test_a_bent_filament_is_longer_than_the_distance_of_its_ends():
    y = 30 + 5 * np.sin(4 * np.pi * ALONG)
    row = measured(wire(10 + 60 * ALONG, y, 30))
    true = np.hypot(np.diff(60 * ALONG), np.diff(y)).sum()
    assert row["filament"]
    assert row["tortuosity"] == pytest.approx(true / 60, abs=0.06)
    assert row["length_um"] == pytest.approx(2 * (true + 3), rel=0.06)


def test_a_branched_filament_is_one_and_its_branch_is_counted():
    stem, branch = wire(10 + 60 * ALONG, 30, 30), wire(40 + 25 * ALONG, 30 + 15 * ALONG, 30)
    row = measured(stem | branch)
    assert row["filament"]
    assert row["branches"] == 1
    assert row["mean_diameter_um"] == pytest.approx(6.5, rel=0.15)


@pytest.mark.parametrize(
    "radii", [(3, 20, 20), (2, 5, 20), (1, 8, 24), (1.5, 4.5, 16), (8, 8, 9), (4, 5, 6)]
)
def test_plates_strips_of_them_and_lumps_are_no_filaments(radii):
    z, y, x = ((axis - middle) / r for axis, middle, r in zip(
        np.indices((80, 60, 60)), (40, 30, 30), radii, strict=True))  # fmt: skip
    assert not measured(z**2 + y**2 + x**2 <= 1)["filament"]


def test_a_body_that_is_thicker_in_its_middle_is_no_filament_and_a_rod_is():
    z, y, x = (axis - c for axis, c in zip(np.indices((80, 60, 60)), (40, 30, 30), strict=True))
    away = np.hypot(y, x)
    assert measured((away <= 2.5) & (np.abs(z) <= 14))["filament"]
    assert not measured(away <= 3.5 * (1 - np.abs(z) / 16))["filament"]


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_nodes_do_not_depend_on_the_cut(rows):
    body = wire(10 + 60 * ALONG, 30 + 15 * ALONG, 30).astype(np.uint32)
    parts = [nodes_of(body[k : k + rows], k) for k in range(0, len(body), rows)]
    np.testing.assert_array_equal(joined_nodes(np.concatenate(parts)), nodes_of(body, 0))


@pytest.fixture(scope="module")
def drawn():
    mu, cell, surfaces, *_ = cell_of_spheres(chip=False, noise=0.0)
    labels = np.full(mu.shape, Label.ELECTROLYTE, np.uint8)
    labels[: int(FACES[1]) + 1] = Label.LITHIUM
    return np.where(labels == Label.LITHIUM, 0.1, mu).astype(np.float32), labels, cell, surfaces


@pytest.mark.parametrize(("stop", "bridges"), [(FACES[2] - 6, 0), (FACES[2], 1)])
def test_a_filament_is_a_bridge_if_it_reaches_the_cathode(drawn, stop, bridges):
    mu, labels, cell, surfaces = drawn
    some = labels.copy()
    some[int(FACES[1]) + 1 : int(stop), 34:37, 34:37] = Label.LOW_GREY
    table = inclusions(np.where(some == Label.LOW_GREY, 0.1, mu), some, cell, surfaces, Flat())
    assert len(table) == 1
    assert table["filament"][0]
    numbers = dict(inclusion_numbers(table))
    assert numbers["bridges"].value == bridges
    assert numbers["bridges"].headline == bool(bridges)
    assert numbers["filaments"].value == 1
    assert next(iter(numbers)) == "bridges"


def test_what_lies_flat_on_the_lithium_is_no_filament(drawn):
    mu, labels, cell, surfaces = drawn
    some = labels.copy()
    face = int(FACES[1]) + 1
    some[face : face + 3, 34:37, 16:50] = Label.LOW_GREY
    table = inclusions(np.where(some == Label.LOW_GREY, 0.1, mu), some, cell, surfaces, Flat())
    assert table["class"].tolist() == ["at_lithium"]
    assert table["length_um"][0] > 50
    assert not table["filament"][0]


def test_what_is_a_headline_says_so_in_its_entry():
    assert Number(1, headline=True).entry()["headline"] is True
    assert "headline" not in Number(0).entry()
