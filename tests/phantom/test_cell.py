"""The virtual cell: repeatable, the same however it is cut, and as its state says."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from xct.geometry import Label
from xct.phantom.cell.bodies import LITHIUM_CHIP
from xct.phantom.cell.cell import draw_cell
from xct.phantom.cell.states import STATES
from xct.phantom.truth.tables import facts_of, tables_of
from xct.physics.materials import mu_per_cm

SHAPE = (96, 112, 112)


@lru_cache(maxsize=20)
def cell(state, **wanted):
    return draw_cell(state, shape=SHAPE, **wanted)


def test_the_same_seed_gives_the_same_cell():
    again = draw_cell("ncm-100", shape=SHAPE)
    for one, other in zip(again.slab(0, 96), cell("ncm-100").slab(0, 96), strict=True):
        np.testing.assert_array_equal(one, other)
    other = draw_cell("ncm-100", shape=SHAPE, seed=1)
    assert (other.labels(0, 96) != again.labels(0, 96)).any()


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
def test_the_height_of_a_slab_does_not_change_what_is_in_it(anode):
    drawn = cell("ncm-100", anode=anode)
    whole = drawn.slab(0, 96)
    edges = [0, 7, 8, 31, 64, 96]
    for first, stop in pairwise(edges):
        for part, all_ in zip(drawn.slab(first, stop), whole, strict=True):
            np.testing.assert_array_equal(part, all_[first:stop])


def test_a_turned_cell_is_the_same_seen_from_below():
    up, down = cell("ncm-50", anode="low_z"), cell("ncm-50", anode="high_z")
    np.testing.assert_array_equal(up.labels(0, 96)[::-1], down.labels(0, 96))
    heights = [c.surfaces["electrolyte_cathode"].height_um for c in (up, down)]
    np.testing.assert_allclose(heights[0], 95 * 2 - heights[1], atol=1e-3)
    tables = [tables_of(c)["particles"] for c in (up, down)]
    np.testing.assert_allclose(tables[0].z_um, 95 * 2 - tables[1].z_um)
    np.testing.assert_allclose(tables[0].distance_to_front_um, tables[1].distance_to_front_um)


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_holds_its_layers_in_order(state):
    drawn = cell(state)
    labels, mu = drawn.labels(0, 96), drawn.mu(0, 96)
    inside = drawn.interfaces.inside
    assert np.isfinite(mu).all()
    assert mu.min() >= 0
    assert mu.max() == pytest.approx(mu_per_cm("steel", 25.0), rel=1e-6)
    assert set(np.unique(labels)) == set(range(8))
    # From above: steel, lithium (where it is left), electrolyte, NCM in it, collector, steel.
    middle = [
        np.median(np.nonzero((labels == kind) & inside)[0])
        for kind in (Label.LITHIUM, Label.ELECTROLYTE, Label.ACTIVE_MATERIAL, Label.COLLECTOR)
    ]
    assert sorted(middle) == middle
    assert (labels[0][inside] == Label.STEEL).all()
    assert (labels[-1][inside] == Label.STEEL).all()
    assert (labels[:, 0, 0] == Label.OUTSIDE).all()


def test_mean_attenuation_of_the_composite_is_that_of_its_fractions():
    drawn = cell("ncm-0")
    front, sheet = (drawn.interfaces.faces[k][drawn.interfaces.inside] for k in (3, 4))
    low, high = int(front.max() / 2) + 4, int(sheet.min() / 2) - 3
    # 40 % NCM, 12 % pores; carbon and electrolyte share the rest, nine to one.
    matrix = (0.497 * mu_per_cm("lpscl", 25.0) + 0.049 * mu_per_cm("carbon", 25.0)) / 0.546
    expected = 0.40 * mu_per_cm("ncm811", 25.0) + 0.48 * matrix
    mean = drawn.mu(low, high)[:, drawn.interfaces.inside].mean()
    assert mean == pytest.approx(expected, rel=0.06)


def test_active_material_fills_what_was_asked_for():
    drawn = cell("ncm-0", ncm_fraction=0.30)
    faces, inside = drawn.interfaces.faces, drawn.interfaces.inside
    room = (faces[4] - faces[3])[inside].mean() * np.pi * drawn.layout.bore_radius_um**2
    volumes = drawn.contents.facts["outer_volume_um3"]
    assert volumes.sum() / room == pytest.approx(0.30, abs=0.003)
    # Cavities and cracks are not there; facets are: labels hold the particles' solid volume.
    labelled = (drawn.labels(0, 96) == Label.ACTIVE_MATERIAL).sum() * 8
    assert labelled == pytest.approx(tables_of(drawn)["particles"].volume_um3.sum(), rel=0.02)


def test_particles_are_lognormal_and_not_quite_round():
    diameters = cell("ncm-0").contents.facts["equivalent_diameter_um"]
    assert np.median(diameters) == pytest.approx(9, rel=0.06)
    assert np.exp(np.log(diameters).std()) == pytest.approx(1.35, rel=0.06)
    assert diameters.min() >= 3
    assert diameters.max() <= 18
    sphericity = cell("ncm-0").contents.facts["sphericity"]
    assert ((sphericity > 0.95) & (sphericity < 1)).all()


@pytest.mark.parametrize(
    ("state", "lost", "absent"), [("ncm-50", 0.1, 0), ("ncm-100", 0.5, 0.125), ("lzp-100", 0.2, 0)]
)
def test_lithium_is_stripped_as_the_state_says(state, lost, absent):
    before, after = (
        tables_of(cell(name))["layers"].set_index("layer") for name in ("ncm-0", state)
    )
    ratio = after.mean_thickness_um["lithium"] / before.mean_thickness_um["lithium"]
    assert ratio == pytest.approx(1 - lost, abs=0.002)
    assert after.absent_area_fraction["lithium"] == pytest.approx(absent, abs=0.005)


def test_where_lithium_is_gone_the_electrolyte_or_a_void_touches_the_steel():
    for state, label in (("ncm-100", Label.ELECTROLYTE), ("ncm-100-voids", Label.LOW_GREY)):
        drawn = cell(state)
        heights = drawn.interfaces.faces
        gone = drawn.interfaces.inside & (drawn.interfaces.lithium_um == 0)
        if state.endswith("voids"):  # blisters rise from nothing at their edge
            gone &= heights[1] - heights[0] > 4
        rows = np.ceil(heights[0] / 2 + 0.5).astype(int)
        y, x = np.nonzero(gone)
        assert len(y) > 20
        assert (drawn.labels(0, 96)[rows[gone], y, x] == label).mean() > 0.95


@pytest.mark.parametrize(
    ("state", "expected"), [("ncm-50", 0.3), ("ncm-100", 0.7), ("ncm-100-uncorrelated", 0.0)]
)
def test_dead_cathode_and_stripped_lithium_belong_together_as_stated(state, expected):
    facts = facts_of(cell(state), tables_of(cell(state)))
    assert facts["correlation_dead_stripped"] == pytest.approx(expected, abs=0.01)


def test_lithium_content_runs_from_the_front_to_the_collector():
    particles = tables_of(cell("ncm-100"))["particles"]
    attached = particles[~particles.drifted].sort_values("z_um")
    tenth = len(attached) // 10
    assert attached.li_content[:tenth].mean() == pytest.approx(0.3, abs=0.04)
    assert attached.li_content[-tenth:].mean() == pytest.approx(0.5, abs=0.04)
    assert (tables_of(cell("ncm-100-drift-only"))["particles"].li_content == 1).all()


def test_drifted_particles_lie_alone_in_the_electrolyte():
    drawn = cell("ncm-100")
    particles = tables_of(drawn)["particles"]
    drifted = particles[particles.drifted]
    assert len(drifted) == 2  # 40 per mm², of which a small cell shows at least two
    diameter = np.median(particles.equivalent_diameter_um)
    assert drifted.distance_to_front_um.between(diameter, 6.5 * diameter).all()
    numbers, labels = drawn.particles(0, 96), drawn.labels(0, 96)
    for particle in drifted.particle:
        z, y, x = (slice(c.min() - 2, c.max() + 3) for c in np.nonzero(numbers == particle))
        around = labels[z, y, x][numbers[z, y, x] != particle]
        assert np.isin(around, (Label.ELECTROLYTE, Label.LOW_GREY)).all()
    assert not tables_of(cell("ncm-100-delithiated-only"))["particles"].drifted.any()
    assert not tables_of(cell("lzp-100"))["particles"].drifted.any()


def test_chips_are_lithium_and_voids_in_the_twin():
    drawn, twin = cell("ncm-100"), cell("ncm-100-voids")
    chips = tables_of(drawn)["inclusions"]
    assert set(chips.kind) == {"chip", "crack"}
    electrolyte = (drawn.interfaces.faces[3] - drawn.interfaces.faces[2])[
        drawn.interfaces.inside
    ].mean() * (np.pi * drawn.layout.bore_radius_um**2)
    fraction = chips.volume_um3[chips.kind == "chip"].sum() / electrolyte
    assert fraction == pytest.approx(0.005, rel=0.1)
    assert (drawn.inclusions.bodies.kind == LITHIUM_CHIP).any()
    assert not (twin.inclusions.bodies.kind == LITHIUM_CHIP).any()
    number = chips.inclusion[chips.volume_um3.idxmax()]
    inner = drawn.slab(0, 96).inclusions == number
    assert (drawn.labels(0, 96)[inner] == Label.LOW_GREY).all()
    low = drawn.mu(0, 96)[inner].min()  # a voxel at the chip's edge holds more
    assert low == pytest.approx(mu_per_cm("lithium", 25.0), rel=0.2)


def test_every_tilt_is_small_and_the_electrolyte_is_denser_at_the_cathode():
    drawn = cell("ncm-0")
    surfaces = tables_of(drawn)["surfaces"]
    assert (np.hypot(surfaces.tilt_x_deg, surfaces.tilt_y_deg) < 1.0).all()
    low, high = drawn.electrolyte_per_cm(np.array([0.0, 1e3]))
    assert low / high == pytest.approx(1.64 / 1.86)


def test_torlon_surrounds_a_bore_wider_than_the_view():
    drawn = draw_cell("ncm-0", shape=(64, 64, 64), bore_um=300.0, torlon=True, ncm_fraction=0.3)
    labels = drawn.labels(0, 64)
    assert not (labels == Label.OUTSIDE).any()
    assert drawn.geometry.tube_radius_um is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"state": "ncm-7"}, r"state = 'ncm-7' is not known; expected one of ncm-0, ncm-50"),
        (
            {"bore_um": 300.0},
            r"bore of 300 µm with a wall of .* wider than the field of view of 224",
        ),
        ({"shape": (20, 112, 112)}, r"20 rows of 2 µm are too few for the layers"),
        ({"shape": (40, 24, 24)}, r"room for \d+ particles of 9 µm only; a cell needs 25"),
        ({"ncm_fraction": 0.6}, r"fraction of 0.6 cannot be packed.*ask for at most 0.4"),
        ({"voxel_um": -1.0}, r"voxel_um = -1; it must be positive"),
        ({"shape": (96, 112)}, r"expected three numbers of voxels"),
    ],
)
def test_an_impossible_cell_is_refused(wanted, message):
    with pytest.raises(ValueError, match=message):
        draw_cell(**{"state": "ncm-0", "shape": SHAPE, **wanted})
