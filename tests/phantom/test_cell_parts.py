"""What a virtual cell is made of: fields, packing, voxels with partial volume, faces, roughness."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from xct.phantom.cell.bodies import PARTICLE, facet_library, plain_bodies, rotations
from xct.phantom.cell.cathode import draw_slits, draw_wide_slits
from xct.phantom.cell.front import cathode_fronts
from xct.phantom.cell.interfaces import correlated, gaussian_field
from xct.phantom.cell.layout import lay_out
from xct.phantom.cell.packing import Domain, pack_spheres
from xct.phantom.cell.pores import Pores
from xct.phantom.cell.raster import Frame, raster
from xct.phantom.cell.substances import ELECTROLYTE, STEEL, SUBSTANCES
from xct.phantom.truth.roughness import height_parameters

RNG = np.random.default_rng(0)
NO_PORES = np.empty((0, 5), np.float32)


def frame(steel_um):
    """Steel up to a height, electrolyte above, no wall in view."""
    high = np.full((16, 16), 1e4, np.float32)
    faces = np.stack([np.full((16, 16), steel_um, np.float32)] * 3 + [high] * 3)
    axis, density = np.zeros(4), np.array([1.0, 1.0, 0.0, 1.0])
    return Frame(faces, axis, 1e4, 1e4, False, density)


def mu_of(substance):
    return np.where(np.arange(SUBSTANCES) == substance, 1.0, 0.0)


def nothing():
    return plain_bodies(PARTICLE, np.empty((0, 3)), np.empty((0, 3)))


def test_a_field_has_the_stated_standard_deviation_and_correlation_length():
    fields = np.stack([gaussian_field((128, 128), 8.0, RNG) for _ in range(40)])
    assert fields.std() == pytest.approx(1, rel=0.03)
    # exp(-(lag / length)²) is 1/e at one length.
    lagged = np.mean(fields[:, :, 8:] * fields[:, :, :-8])
    assert lagged == pytest.approx(np.exp(-1), abs=0.04)


@pytest.mark.parametrize("wanted", [-0.5, 0.0, 0.7, 1.0])
def test_a_mixed_field_correlates_exactly(wanted):
    inside = np.hypot(*np.mgrid[-20:20, -20:20]) < 18
    first, second = (gaussian_field((40, 40), 5.0, RNG) for _ in range(2))
    mixed = correlated(wanted, first, second, inside)
    assert np.corrcoef(mixed[inside], first[inside])[0, 1] == pytest.approx(wanted, abs=1e-4)


def test_spheres_fit_without_overlap():
    flat = np.zeros((60, 60), np.float32)
    domain = Domain(flat + 20, flat + 80, 2.0, (60.0, 60.0, 0.01, 0.0), 50.0)
    radii = RNG.uniform(3, 6, 400)
    filled = 4 / 3 * np.pi * (radii**3).sum() / (60 * np.pi * 50**2)
    assert filled > 0.35
    centers, scale = pack_spheres(radii, domain, np.random.default_rng(1))
    fitting = radii * scale
    assert scale.min() > 0.92
    for i, j in cKDTree(centers).query_pairs(12.0):
        assert np.linalg.norm(centers[i] - centers[j]) >= fitting[i] + fitting[j] - 1e-6
    axis = 60 + 0.01 * centers[:, 0]
    distance = np.hypot(centers[:, 1] - axis, centers[:, 2] - 60)
    assert (distance + radii <= 50 + 0.01).all()
    assert (centers[:, 0] - radii >= 20 - 1e-6).all()
    assert (centers[:, 0] + radii <= 80 + 1e-6).all()


def test_spheres_that_cannot_fit_are_refused():
    flat = np.zeros((10, 10), np.float32)
    domain = Domain(flat, flat + 20, 2.0, (10.0, 10.0, 0.0, 0.0), 10.0)
    with pytest.raises(ValueError, match=r"60 particles do not fit without overlap"):
        pack_spheres(np.full(60, 3.0), domain, np.random.default_rng(0))


@pytest.mark.parametrize("height_um", [10.0, 10.5, 11.0, 11.5])
def test_a_voxel_at_a_face_holds_the_mean_of_both_sides(height_um):
    # Voxels are 2 µm; voxel 5 reaches from 9 to 11 µm.
    labels, _, mu, _ = raster(
        frame(height_um), nothing(), NO_PORES, facet_library().planes, mu_of(STEEL),
        mu_of(ELECTROLYTE), (0, 16), 2.0,
    )  # fmt: skip
    fraction = np.clip((height_um - (np.arange(16) * 2.0 - 1)) / 2, 0, 1)
    np.testing.assert_allclose(mu[:, 8, 8], fraction, atol=1e-6)
    clear = fraction != 0.5
    assert (labels[clear, 8, 8] == np.where(fraction > 0.5, 4, 2)[clear]).all()
    # What both sides halve is theirs by turns.
    halved = labels[~clear, 6:10, 6:10]
    assert (halved == 4).sum() == (halved == 2).sum() == halved.size // 2


def test_particles_keep_their_volume_and_place_in_voxels():
    library = facet_library()
    center = np.array([[17.3, 14.1, 15.7]])
    half = np.array([[9.0, 8.5, 8.2]])
    body = plain_bodies(PARTICLE, center, half, rotations(1, RNG))
    body.facets[:], body.number[:], body.mu[:] = 5, 7, 1.0
    labels, numbers, mu, _ = raster(
        frame(-5.0), body, NO_PORES, library.planes, np.zeros(SUBSTANCES), np.zeros(SUBSTANCES),
        (0, 16), 2.0,
    )  # fmt: skip
    assert mu.sum() * 8 == pytest.approx(library.volume[5] * half.prod(), rel=0.01)
    weights = mu / mu.sum()
    middle = [(weights * place).sum() * 2 for place in np.indices(mu.shape)]
    np.testing.assert_allclose(middle, center[0], atol=0.4)  # caps of unequal size are cut off
    np.testing.assert_array_equal(numbers == 7, labels == 3)
    assert (mu[labels == 3] >= 0.5).all()


def test_cracks_and_cavities_open_the_volume_that_they_state():
    count = 40
    body = plain_bodies(
        PARTICLE, np.tile([16.0, 16.0, 16.0], (count, 1)), np.full((count, 3), 12.0)
    )
    body.mu[:] = 1.0
    body.slits[:] = draw_slits(np.full(count, 0.10), np.random.default_rng(3))
    left = []
    for k in range(count):
        one = body[np.array([k])]
        mu = raster(
            frame(-5.0), one, NO_PORES, facet_library().planes, np.zeros(SUBSTANCES),
            np.zeros(SUBSTANCES), (0, 32), 2.0,
        )[2]  # fmt: skip
        left.append(mu.sum() * 8 / (4 / 3 * np.pi * 12**3))
    assert 1 - np.mean(left) == pytest.approx(0.10, abs=0.01)


def test_pores_lie_between_grains_and_are_the_same_in_every_slab():
    layout = lay_out((80, 96, 96), 2.0, None, False, np.random.default_rng(0))
    pores = Pores(0.0, 160.0, 0.01, (1.0, 3.0), ELECTROLYTE, 14.0)
    whole = pores.between(0.0, 160.0, layout, 3)
    filled = (4 / 3 * np.pi * whole[:, 3] ** 3).sum()
    filled /= 160 * np.pi * layout.bore_radius_um**2
    assert filled == pytest.approx(0.01, rel=0.1)
    part = pores.between(60.0, 62.0, layout, 3)
    reaches = (whole[:, 0] + whole[:, 3] >= 60) & (whole[:, 0] - whole[:, 3] <= 62)
    np.testing.assert_array_equal(np.sort(part, axis=0), np.sort(whole[reaches], axis=0))
    # On planes between grains pores stand closer to each other than anywhere in space.
    anywhere = Pores(0.0, 160.0, 0.01, (1.0, 3.0), ELECTROLYTE, None).between(0, 160, layout, 3)
    nearest = [cKDTree(p[:, :3]).query(p[:, :3], k=2)[0][:, 1].mean() for p in (whole, anywhere)]
    assert nearest[0] < 0.9 * nearest[1]


def test_the_front_is_where_the_fraction_falls_to_half():
    inside = np.hypot(*np.mgrid[-24:24, -24:24]) < 22
    # 0.4 of active material in voxels 40 … 79: faces at 39.5 and 79.5 voxels, 2 µm each.
    volume = np.zeros((110, 48, 48), np.float32)
    volume[40:80] = 0.4
    near, far = (np.full((48, 48), z * 2.0, np.float32) for z in (39.5, 79.5))
    found = cathode_fronts(lambda a, b: volume[a:b], near, far, inside, 110, 2.0)
    assert found.plateau == pytest.approx(0.4, rel=1e-3)
    np.testing.assert_allclose(found.front_um[inside], 79.0, atol=0.05)
    np.testing.assert_allclose(found.back_um[inside], 159.0, atol=0.05)
    assert np.isnan(found.front_um[~inside]).all()


def test_roughness_of_a_wave_is_as_in_the_books():
    x = np.broadcast_to(np.arange(200), (100, 200))
    tilt = 0.01 * x
    wave = height_parameters((3 * np.cos(2 * np.pi * x / 50) + tilt).astype(np.float64), 1.0)
    assert wave["Sq_um"] == pytest.approx(3 / np.sqrt(2), rel=0.02)
    assert wave["Sa_um"] == pytest.approx(6 / np.pi, rel=0.02)
    assert wave["Ssk"] == pytest.approx(0, abs=0.05)
    assert wave["Sku"] == pytest.approx(1.5, rel=0.03)
    assert wave["tilt_x_deg"] == pytest.approx(np.rad2deg(np.arctan(0.01)), rel=0.1)
    # cos(2π s / 50) falls to 0.2 at s = 10.9.
    assert wave["Sal_um"] == pytest.approx(10.9, abs=1.2)
    assert wave["Sdr"] == pytest.approx((2 * np.pi / 50 * 3) ** 2 / 4, rel=0.1)


def test_cracks_of_a_given_width_open_what_they_are_said_to():
    width = np.linspace(0.1, 0.3, 40)
    slits, porosity = draw_wide_slits(width, np.random.default_rng(5))
    points = np.random.default_rng(6).uniform(-1, 1, (20_000, 3))
    points = points[np.linalg.norm(points, axis=1) < 1]
    for number in range(0, 40, 2):  # those that go all through
        away = points @ slits[number, 0, :3] - slits[number, 0, 3]
        opened = np.mean(np.abs(away) < slits[number, 0, 4])
        assert opened == pytest.approx(porosity[number], rel=0.15)
    assert (slits[:, 1, 4] == 0).all()
