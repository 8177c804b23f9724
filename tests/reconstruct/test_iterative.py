"""Iterative reconstruction: what it finds, when it ends, what it refuses."""

import importlib.util
import logging

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from tests.reconstruct.conftest import PIXEL_UM, inside, make_example
from xct.phantom import draw_discs, project_discs
from xct.reconstruct import fbp, iterations, iterative
from xct.reconstruct.filters import angle_weights
from xct.reconstruct.iterative_engine import iterative_engine
from xct.reconstruct.solvers.convolution import Convolution, back_projected
from xct.reconstruct.solvers.noise import noise_of_slice, noise_sd
from xct.reconstruct.solvers.stopping import Stopping
from xct.stages import STAGES

ASTRA = importlib.util.find_spec("astra") is not None
needs_astra = pytest.mark.skipif(not ASTRA, reason="the ASTRA toolbox is not installed")
NOISE = 1.0  # of line integrals of up to about 40


@pytest.fixture(scope="module")
def few():
    """Few angles, and noise: 64 columns, 50 angles, discs."""
    example = make_example(64, 50, seed=5)
    noisy = example.line_integrals + np.random.default_rng(0).normal(
        0, NOISE, example.line_integrals.shape
    )
    return example, noisy.astype(np.float32)


def solve(values, example, **settings):
    return iterative(
        values, example.theta_deg, example.center_px, pixel_size_um=PIXEL_UM, **settings
    )


def blob(theta_deg, columns, center, x=7.3, y=-5.1, sigma=4.0):
    """A Gaussian blob and its exact projections."""
    position = np.arange(columns) - (columns - 1) / 2
    picture = np.exp(-((position - x) ** 2 + (position[:, None] - y) ** 2) / (2 * sigma**2))
    theta = np.deg2rad(theta_deg)[:, None]
    seen = np.arange(columns) - (center + x * np.cos(theta) - y * np.sin(theta))
    return picture, np.sqrt(2 * np.pi) * sigma * np.exp(-(seen**2) / (2 * sigma**2))


@pytest.mark.parametrize("columns", [63, 64])
@pytest.mark.parametrize(("filtered", "blur"), [(False, 0.0), (True, 0.0), (True, 4.0)])
def test_the_convolution_is_projection_and_back_projection(columns, filtered, blur):
    theta = np.arange(90) * 2.0
    weights = np.linspace(0.5, 1.5, theta.size)
    center = (columns - 1) / 2 + 2.4
    picture, sinogram = blob(theta, columns, center)
    # What blurs the projections blurs them once more on their way back.
    if blur:
        sinogram = gaussian_filter1d(sinogram, blur / 2.3548, axis=1)
    sinogram = sinogram.astype(np.float32)
    direct = back_projected(
        sinogram, theta, weights, center, columns, filtered=filtered, blur_px=blur
    )
    convolution = Convolution(theta, weights, columns, filtered=filtered, blur_px=blur)
    folded = convolution(picture.astype(np.float32))
    assert np.abs(folded - direct)[inside(columns)].max() < 3e-3 * np.abs(direct).max()


def test_filtered_projection_gives_a_smooth_picture_back():
    theta = np.arange(120) * 1.5
    picture, _ = blob(theta, 64, 31.5)
    again = Convolution(theta, angle_weights(theta), 64, filtered=True)(np.float32(picture))
    assert np.abs(again - picture).max() < 0.01


def test_total_variation_is_far_nearer_to_the_truth_than_fbp_at_its_best_window():
    discs = np.array([[8, -9, 90, 0.5], [40, 3, 30, 0.3], [-36, -40, 24, -0.3], [-9, 36, 12, 0.4]])
    theta = np.arange(150) * 1.2
    truth = draw_discs(discs, 256)
    exact = project_discs(discs, theta, 256, 127.5)
    noisy = np.float32(exact + np.random.default_rng(0).normal(0, 1.5, exact.shape))

    def rms(picture):
        return np.sqrt(np.mean((picture - truth)[inside(256)] ** 2))

    best = min(
        rms(fbp(noisy, theta, 127.5, pixel_size_um=PIXEL_UM, window=w, cutoff=c)[0])
        for w in ("ramp", "cosine", "hann", "parzen")
        for c in (1.0, 0.8, 0.6, 0.4, 0.3)
    )
    assert rms(iterative(noisy, theta, 127.5, pixel_size_um=PIXEL_UM)[0]) < 0.55 * best


@pytest.mark.parametrize(
    "settings",
    [{}, {"strength": 0.2}, {"method": "cgls"}, {"method": "cgls", "start": "fbp"}],
    ids=str,
)
def test_without_noise_the_truth_is_found(settings):
    example = make_example(64, 120, seed=5)
    picture = solve(example.line_integrals, example, **settings)[0]
    direct = fbp(
        example.line_integrals, example.theta_deg, example.center_px, pixel_size_um=PIXEL_UM
    )[0]
    assert example.rms(picture) < 1.1 * example.rms(direct)
    assert example.worst_bias(picture) < 2


@needs_astra
@pytest.mark.parametrize("method", ["tv", "cgls", "sirt"])
@pytest.mark.parametrize("off", [0.0, 1.7])
def test_rays_of_astra_find_the_same(few, method, off):
    example = make_example(64, 50, seed=5, center_px=31.5 + off, seen=0.85)
    settings = {"method": method, "iterations": 60}
    by_rays = solve(example.line_integrals, example, engine="astra", **settings)[0]
    fbp_error = example.rms(
        fbp(example.line_integrals, example.theta_deg, example.center_px, pixel_size_um=PIXEL_UM)[0]
    )
    assert example.rms(by_rays) < 1.3 * fbp_error
    assert example.worst_bias(by_rays) < 4


def test_the_scale_is_that_of_fbp(few):
    example, _ = few
    thick = iterative(example.line_integrals, example.theta_deg, 31.5, pixel_size_um=PIXEL_UM / 4)
    np.testing.assert_allclose(thick, 4 * solve(example.line_integrals, example), rtol=1e-3)


def test_slices_wider_than_the_detector_hold_the_same_in_their_middle(few):
    example, noisy = few
    wide = solve(noisy, example, size=80)[0]
    assert wide.shape == (80, 80)
    narrow = solve(noisy, example)[0]
    middle = wide[8:-8, 8:-8][inside(64)]
    assert np.sqrt(np.mean((middle - narrow[inside(64)]) ** 2)) < 0.02 * narrow.max()
    assert not wide[0].any()


@pytest.mark.parametrize("engine", ["fourier", pytest.param("astra", marks=needs_astra)])
def test_a_known_blur_is_undone(engine):
    discs = np.array([[4.0, -9, 20, 0.5], [10, 3, 5, 0.4], [-12, 8, 4, 0.6]])
    theta = np.arange(90) * 2.0
    truth = draw_discs(discs, 64)
    blurred = gaussian_filter1d(project_discs(discs, theta, 64, 31.5), 3 / 2.3548, axis=1)
    errors = []
    for blur in (0.0, 3.0):
        picture = iterative(
            np.float32(blurred), theta, 31.5, pixel_size_um=PIXEL_UM, blur_px=blur, engine=engine,
            strength=0.5, iterations=300, stop_change=2e-3,
        )[0]  # fmt: skip
        errors.append(np.sqrt(np.mean((picture - truth) ** 2)))
        assert picture.sum() == pytest.approx(truth.sum(), rel=0.03)
    assert errors[1] < 0.7 * errors[0]


def test_half_turns_about_an_edge_of_the_view_are_stitched_first():
    example = make_example(64, np.arange(200) * 1.8, center_px=12.0, size=64, seed=5)
    values = (example.line_integrals, example.theta_deg, example.center_px)
    solved = iterative(*values, pixel_size_um=PIXEL_UM)[0]
    direct = fbp(*values, pixel_size_um=PIXEL_UM)[0]
    assert example.rms(solved) < 1.1 * example.rms(direct)
    assert np.corrcoef(solved.ravel(), direct.ravel())[0, 1] > 0.99


def test_nothing_falls_below_zero_unless_it_is_allowed_to(few):
    example, noisy = few
    assert solve(noisy, example).min() == 0
    assert solve(noisy, example, nonnegative=False).min() < 0


def test_more_strength_smooths_more(few):
    example, noisy = few
    rough, usual, smooth = (solve(noisy, example, strength=s)[0] for s in (0.3, 1.0, 3.0))
    variation = [np.abs(np.diff(picture)).sum() for picture in (rough, usual, smooth)]
    assert variation[0] > 1.2 * variation[1] > 1.4 * variation[2]


def test_a_disc_loses_the_contrast_that_is_said():
    discs = np.array([[6.0, -9, 12, 1.0]])
    theta = np.arange(150) * 1.2
    exact = project_discs(discs, theta, 96, 47.5)
    noisy = np.float32(exact + np.random.default_rng(3).normal(0, 0.4, exact.shape))
    core = draw_discs(discs - [0, 0, 3, 0], 96) == 1
    inside_means = [
        iterative(noisy, theta, 47.5, pixel_size_um=PIXEL_UM, strength=s)[0][core].mean()
        for s in (2.0, 8.0)
    ]
    weight = noise_of_slice(noisy, angle_weights(theta))
    assert inside_means[0] - inside_means[1] == pytest.approx(6 * weight * 4 / 24, rel=0.2)


def test_conjugate_gradients_end_before_they_fit_the_noise(few, monkeypatch):
    example, noisy = few
    rounds = []
    reached = Stopping.reached
    monkeypatch.setattr(Stopping, "reached", lambda self, *a: rounds.append(1) or reached(self, *a))
    solve(noisy, example, method="cgls")
    at_noise = len(rounds)
    rounds.clear()
    solve(example.line_integrals, example, method="cgls")
    assert 2 <= at_noise < len(rounds)


def test_slices_that_still_change_are_told_with_the_remedy(few):
    example, noisy = few
    with pytest.warns(UserWarning, match=r"last of 2 iterations; raise steps\.iterative\.iter"):
        solve(noisy, example, iterations=2)


def test_a_sample_that_reaches_beyond_the_view_is_refused():
    wide = make_example(96, 60, seed=5)
    cut = wide.line_integrals[:, 16:-16]
    with pytest.raises(ValueError, match=r"rows 0 of this slab\).*beyond.*use the step fbp"):
        iterative(cut, wide.theta_deg, 31.5, pixel_size_um=PIXEL_UM)


def test_air_that_is_not_at_zero_is_refused_and_noise_about_zero_is_not(few):
    example, noisy = few
    with pytest.raises(ValueError, match="air beside it is not at zero"):
        solve(noisy + 0.2 * noisy.max(), example)
    nothing = np.random.default_rng(1).normal(0, 0.1, (50, 3, 64)).astype(np.float32)
    assert np.isfinite(solve(nothing, example, iterations=20)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "sirt", "engine": "fourier"}, r"use engine: astra, or method: cgls"),
        ({"method": "cgls", "nonnegative": True}, r"use method: tv or sirt"),
        ({"method": "cgls", "strength": 2.0}, r"strength is a setting of method: tv"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_are_refused(few, settings, message):
    example, noisy = few
    with pytest.raises(ValueError, match=message):
        solve(noisy, example, **settings)


@pytest.mark.parametrize("settings", [{"engine": "astra"}, {"method": "sirt"}], ids=str)
def test_without_astra_it_is_said_how_to_install_it(few, settings, monkeypatch):
    example, noisy = few
    monkeypatch.setattr("xct.reconstruct.iterative_engine.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install xct\[astra\], or use (engine|method)"):
        solve(noisy, example, **settings)


def test_time_grows_with_iterations_and_rays_and_memory_with_slices():
    def solver(**settings):
        return iterative_engine(STAGES["iterative"].settings(**settings).model_dump())

    shape = (300, 16, 512)
    few, many = (solver(method="sirt", iterations=n).seconds(shape, 512) for n in (10, 50))
    assert many == pytest.approx(5 * few)
    assert solver(engine="astra").seconds(shape, 512) > 5 * solver().seconds(shape, 512)
    taller = solver().memory_bytes((300, 32, 512), 512) - solver().memory_bytes(shape, 512)
    assert taller == 16 * 512**2 * 4


def test_the_noise_of_line_integrals_and_of_fbp_is_found():
    theta = np.arange(200) * 0.9
    _, sinogram = blob(theta, 64, 31.5, sigma=6.0)
    ratios = []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(0, 0.3, sinogram.shape)
        assert np.mean(noise_sd(sinogram + noise)) == pytest.approx(0.3, rel=0.12)
        grain = fbp(np.float32(noise), theta, 31.5, pixel_size_um=PIXEL_UM)[0][inside(64, 0.7)]
        expected = noise_of_slice(sinogram + noise, angle_weights(theta))
        ratios.append(expected / grain.std())
    assert np.mean(ratios) == pytest.approx(1, abs=0.12)


def test_long_work_says_how_far_it_is(few, monkeypatch, caplog):
    example, noisy = few
    monkeypatch.setattr(iterations, "_QUIET_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, logger="xct"):
        solve(np.repeat(noisy[:, None], 3, axis=1), example)
    told = [r.getMessage() for r in caplog.records if "iterative" in r.getMessage()]
    assert len(told) == 2
    assert "slice 2 of 3 of this slab" in told[1]
    assert "left" in told[1]
