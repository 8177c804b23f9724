"""fbp: axes, axis of rotation, angles and sizes, on discs with exact projections."""

import numpy as np
import pytest

from tests.reconstruct.conftest import PIXEL_UM, inside, make_example
from xct.phantom import draw_discs, project_discs
from xct.reconstruct import fbp

ENGINES = ["fourier", "astra"]


def reconstruct(example, engine="fourier", **settings):
    return fbp(
        example.line_integrals,
        example.theta_deg,
        example.center_px,
        pixel_size_um=PIXEL_UM,
        engine=engine,
        **settings,
    )


def skip_without(engine):
    if engine == "astra":
        pytest.importorskip("astra")


@pytest.mark.parametrize("engine", ENGINES)
def test_discs_come_back_unbiased(example, engine):
    skip_without(engine)
    volume = reconstruct(example, engine)
    assert volume.shape == (1, 128, 128)
    assert volume.dtype == np.float32
    assert example.rms(volume[0]) < 1.5
    assert example.worst_bias(volume[0]) < 0.25


@pytest.mark.parametrize("engine", ENGINES)
def test_the_result_is_in_1_per_cm(example, engine):
    skip_without(engine)
    small = fbp(example.line_integrals, example.theta_deg, 63.5, pixel_size_um=0.5, engine=engine)
    np.testing.assert_allclose(small, reconstruct(example, engine) * 2e4, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("columns", [64, 65])
def test_a_small_disc_lies_where_the_contract_says(engine, columns):
    skip_without(engine)
    disc = np.array([[10.0, -6.0, 3.0, 1.0]])
    theta = np.linspace(0, 180, 120, endpoint=False)
    rows = project_discs(disc, theta, columns, 30.25)
    picture = fbp(rows, theta, 30.25, pixel_size_um=PIXEL_UM, engine=engine)[0]
    weight = np.clip(picture, 0.2, None) - 0.2
    position = np.arange(columns) - (columns - 1) / 2
    assert (weight.sum(axis=0) * position).sum() / weight.sum() == pytest.approx(10, abs=0.02)
    assert (weight.sum(axis=1) * position).sum() / weight.sum() == pytest.approx(-6, abs=0.02)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_stands_outside_the_circle(example, engine):
    skip_without(engine)
    volume = reconstruct(example, engine)
    assert (volume[0][~inside(128, 1.0)] == 0).all()
    assert (volume[0][inside(128, 0.99)] != 0).all()


@pytest.mark.parametrize("columns", [97, 100, 101, 127, 130])
def test_odd_even_and_prime_widths_are_equally_right(columns):
    example = make_example(columns)
    picture = reconstruct(example)[0]
    assert example.rms(picture) < 1.5
    assert example.worst_bias(picture) < 0.3


@pytest.mark.parametrize("size", [96, 97, 131, 160, 300])
def test_other_sizes_are_the_same_slice_cropped_or_surrounded(size):
    example = make_example(size=size, seen=0.7)
    picture = reconstruct(example, size=size)[0]
    assert picture.shape == (size, size)
    circle = inside(size) & inside_of(size, 0.95 * 64)
    error = (picture - example.truth)[circle] / example.truth.max()
    assert np.sqrt(np.mean(error**2)) < 0.014
    assert example.worst_bias(picture) < 0.3


def inside_of(size, radius):
    position = np.arange(size) - (size - 1) / 2
    return np.hypot(position, position[:, None]) <= radius


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("offset", [0.37, -12.8, 31.0])
def test_the_axis_may_be_far_off_the_middle(engine, offset):
    skip_without(engine)
    example = make_example(center_px=63.5 + offset, seen=0.45)
    assert example.rms(reconstruct(example, engine)[0]) < 1.0


def test_each_row_may_have_its_own_axis():
    centers = 63.5 + np.linspace(-6, 7, 17)
    slab = np.stack([make_example(center_px=c, seen=0.8).line_integrals for c in centers], axis=1)
    example = make_example(seen=0.8)
    volume = fbp(slab, example.theta_deg, centers, pixel_size_um=PIXEL_UM)
    for row, center in enumerate(centers):
        alone = fbp(slab[:, row], example.theta_deg, center, pixel_size_um=PIXEL_UM)
        np.testing.assert_allclose(volume[row], alone[0], atol=1e-5 * example.truth.max())
        assert example.rms(volume[row]) < 1.1


def test_a_point_on_the_axis_is_the_same_from_every_side(example):
    rows = project_discs(np.array([[0, 0, 2.0, 1]]), example.theta_deg, 65, 32.0)
    picture = fbp(rows, example.theta_deg, 32.0, pixel_size_um=PIXEL_UM)[0]
    np.testing.assert_allclose(picture, picture.T, atol=2e-3)
    np.testing.assert_allclose(picture, picture[::-1], atol=2e-3)
    assert np.unravel_index(picture.argmax(), picture.shape) in {
        (32 + y, 32 + x) for y in (-1, 0, 1) for x in (-1, 0, 1)
    }


def test_half_a_turn_on_with_mirrored_projections_is_the_same(example):
    mirrored = fbp(
        example.line_integrals[:, ::-1],
        example.theta_deg + 180,
        127 - example.center_px,
        pixel_size_um=PIXEL_UM,
    )
    np.testing.assert_allclose(mirrored, reconstruct(example), atol=1e-4)


def test_descending_and_shuffled_angles_give_the_same(example):
    expected = reconstruct(example)
    for order in (slice(None, None, -1), np.random.default_rng(0).permutation(200)):
        again = fbp(
            example.line_integrals[order],
            example.theta_deg[order],
            example.center_px,
            pixel_size_um=PIXEL_UM,
        )
        np.testing.assert_allclose(again, expected, atol=1e-5)


def test_turning_the_angles_turns_the_slice(example):
    turned = fbp(
        example.line_integrals, example.theta_deg + 90, example.center_px, pixel_size_um=PIXEL_UM
    )
    # What was at +x is now seen at +x only after a quarter turn: it lies at -y.
    np.testing.assert_allclose(turned[0], np.rot90(reconstruct(example)[0]), atol=5e-4)


@pytest.mark.parametrize(
    "theta",
    [
        np.linspace(0, 180, 201),
        np.linspace(0, 360, 400, endpoint=False),
        np.linspace(180, 0, 200),
        np.linspace(-77, 103, 200, endpoint=False),
        180 * np.linspace(0, 1, 240, endpoint=False) ** 1.3,
        np.sort(np.random.default_rng(3).uniform(0, 180, 600)),
    ],
    ids=["both ends", "full turn", "descending", "any start", "uneven", "random"],
)
def test_any_sampling_of_the_half_turn_is_weighted_right(theta):
    example = make_example(angles=theta)
    assert example.rms(reconstruct(example)[0]) < 1.6


def test_even_slices_have_their_axis_between_two_pixels():
    disc = np.array([[5.0, 3.0, 8.0, 1.0]])
    theta = np.linspace(0, 180, 160, endpoint=False)
    picture = fbp(project_discs(disc, theta, 64, 31.5), theta, 31.5, pixel_size_um=PIXEL_UM)[0]

    def distance(dx, dy):
        return np.linalg.norm(
            (picture - draw_discs(disc + np.array([dx, dy, 0, 0]), 64))[inside(64)]
        )

    for step in ((0.1, 0), (0, 0.1)):
        ahead, behind = distance(*step), distance(-step[0], -step[1])
        # Equally far from a truth shifted either way: the slice itself is shifted by < 0.005 px.
        assert ahead == pytest.approx(behind, rel=0.01)
        assert distance(0, 0) < min(ahead, behind)
