"""Veiling glare: measured in the shadow of steel, subtracted where little light is left."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from xct.parallel.threads import limit_threads
from xct.phantom.scan.optics import glare_map, spread
from xct.physics.materials import mu_per_cm
from xct.preprocess.fringes import EdgeLight
from xct.preprocess.veiling.bound import bound_glare
from xct.preprocess.veiling.frame_light import gather_light
from xct.preprocess.veiling.measurement import RANGES_PX, Fit, _averaged, measure_glare
from xct.preprocess.veiling.round_rods import glare_behind_rods
from xct.preprocess.veiling_glare import glare, glare_numbers, glare_warning

PIXEL_UM = 1.3
COLUMNS, BORE_UM, WALL_UM = 2560, 3000.0, 60.0
# Rows of each plane of a full bore, and its attenuation at 25 keV: steel, lithium, electrolyte,
# cathode, collector, steel. A frame has more steel and electrolyte.
PLANES = ((140, 114.0), (40, 0.09), (120, 4.9), (64, 21.7), (16, 4.95), (120, 114.0))
CATHODE = slice(300, 364)
QUANTA, READ_NOISE = 48_000.0, 16.0
ANGLES = 6


def transmission(planes=PLANES, bore_um=BORE_UM, columns=COLUMNS):
    """What a filled tube lets through, shape (row, column)."""
    mu = np.concatenate([np.full(rows, value) for rows, value in planes])
    x = (np.arange(columns) - (columns - 1) / 2) * PIXEL_UM
    filled, whole = (
        2e-4 * np.sqrt(np.maximum(radius**2 - x**2, 0))
        for radius in (bore_um / 2, bore_um / 2 + WALL_UM)
    )
    return np.exp(-mu[:, None] * filled - 0.52 * (whole - filled)).astype(np.float32)


def measured(true, fraction, range_um, seed=0):
    """The same behind a detector, with a noise of its darks that all frames share."""
    rng = np.random.default_rng(seed)
    seen = spread(true, 1.7, fraction, range_um / PIXEL_UM)
    offset = rng.normal(0, READ_NOISE / np.sqrt(10), true.shape)
    counts = rng.poisson(seen * QUANTA, (ANGLES, *true.shape)) + offset
    counts += rng.normal(0, READ_NOISE, counts.shape)
    return (counts / QUANTA).astype(np.float32)


def light_of(seen):
    return gather_light(lambda first, stop: seen[:, first:stop], *seen.shape[1:])


@pytest.fixture(scope="module")
def true():
    return transmission()


@pytest.fixture(scope="module", params=[(0.003, 300.0), (0.01, 300.0), (0.003, 600.0)])
def scan(request, true):
    seen = measured(true, *request.param)
    return request.param, seen, light_of(seen)


def test_fraction_and_reach_are_found_in_the_shadow_of_steel(scan):
    (fraction, range_um), _, light = scan
    found = measure_glare(light)
    assert found.fraction == pytest.approx(fraction, rel=0.05)
    assert found.range_px * PIXEL_UM == pytest.approx(range_um, rel=0.1)
    assert found.sd < 0.1 * fraction
    assert found.n > 300


def drawn_planes(rng):
    return tuple((int(rows * rng.uniform(0.8, 1.25)), mu) for rows, mu in PLANES)


def test_the_fraction_is_as_uncertain_as_its_sd_says():
    """Glare of two Gaussians whose ranges differ 2.2 times: no single one describes it."""
    deviations = []
    for seed in range(24):
        rng = np.random.default_rng(100 + seed)
        fraction = (0.001, 0.003, 0.01)[seed % 3]
        range_px, part = rng.uniform(200, 500) / PIXEL_UM, rng.uniform(0.2, 0.8)
        true = transmission(drawn_planes(rng), 2000.0, 1700)
        wide = glare_map(true, range_px * 2.2**0.5)
        glare_light = part * glare_map(true, range_px / 2.2**0.5) + (1 - part) * wide
        seen = (1 - fraction) * spread(true, 1.7, 0.0, 1.0) + fraction * glare_light
        noise = np.sqrt(seen / QUANTA / ANGLES + (READ_NOISE / QUANTA) ** 2 * (0.1 + 1 / ANGLES))
        found = measure_glare(light_of((seen + rng.normal(0, noise)).astype(np.float32)[None]))
        if found is not None:
            deviations.append((found.fraction - fraction) / found.sd)
    assert len(deviations) > 15
    assert 0.45 < np.sqrt(np.mean(np.square(deviations))) < 1.2
    assert np.abs(deviations).max() < 4


def test_little_glare_is_found_though_its_range_is_hardly_known():
    rng = np.random.default_rng(3)
    range_um = rng.uniform(150, 700)
    seen = measured(transmission(drawn_planes(rng), 2000.0, 1700), 0.001, range_um, seed=3)
    found = measure_glare(light_of(seen))
    assert found.fraction == pytest.approx(0.001, abs=3 * found.sd)
    assert found.sd < 0.00025


@pytest.mark.parametrize("fraction", [0.001, 0.01])
def test_tall_steel_whose_depth_no_light_reaches_determines_it_as_well(fraction):
    steel = PLANES[0][1]
    tall = transmission(((580, steel), *PLANES[1:-1], (580, steel)))
    found = measure_glare(light_of(measured(tall, fraction, 300.0)))
    assert found.fraction == pytest.approx(fraction, rel=0.15)
    assert found.range_px * PIXEL_UM == pytest.approx(300.0, rel=0.15)


def test_a_photon_starved_cathode_gets_its_attenuation_back(scan, true):
    _, seen, light = scan
    rows = np.arange(true.shape[0])[CATHODE]
    corrected = glare(seen[:, CATHODE], light, rows, pixel_size_um=PIXEL_UM)
    middle = (slice(8, -8), slice(1100, 1460))
    expected = -np.log(true[CATHODE][middle].mean())
    before = -np.log(seen[:, CATHODE][(slice(None), *middle)].mean())
    after = -np.log(corrected[(slice(None), *middle)].mean())
    assert expected - before > 0.12
    assert after == pytest.approx(expected, abs=0.1 * float(expected - before))


def test_without_glare_none_is_found(true):
    assert measure_glare(light_of(measured(true, 0.0, 300.0))).fraction < 6e-5


@pytest.mark.parametrize("fraction", [0.0, 0.003, 0.01])
@pytest.mark.parametrize(
    ("planes", "bore_um", "columns"),
    [
        (PLANES[1:-1], 3000.0, 2560),  # no steel
        (PLANES[3:4], 3000.0, 2560),  # cathode alone
        (PLANES, 440.0, 400),  # steel too thin to be opaque
    ],
)
def test_what_is_merely_dark_is_not_taken_for_a_shadow(planes, bore_um, columns, fraction):
    seen = measured(transmission(planes, bore_um, columns), fraction, 300.0)
    assert measure_glare(light_of(seen)) is None


def few_frames(mu, rows, bore_um, columns, fraction, range_um, pixel_um=2.5, seed=0, grains=0.0):
    """Light of small frames of a tube: layers of one μ each, or uneven, seen at 96 angles."""
    layers = [np.full(count, value) for count, value in zip(rows, mu, strict=True)]
    x = (np.arange(columns) - (columns - 1) / 2) * pixel_um
    chord = 2e-4 * np.sqrt(np.maximum((bore_um / 2) ** 2 - x**2, 0))
    uneven = gaussian_filter1d(np.random.default_rng(seed + 1).normal(size=columns), 3)
    chord *= 1 + grains * uneven / uneven.std()
    true = np.exp(-np.concatenate(layers)[:, None] * chord).astype(np.float32)
    seen = spread(true, 1.0, fraction, range_um / pixel_um)
    rng = np.random.default_rng(seed)
    noise = np.sqrt(seen / QUANTA / 12 + (READ_NOISE / QUANTA) ** 2 * (0.1 + 1 / 12))
    frames = [seen + noise * rng.normal(size=seen.shape) for _ in range(8)]
    return light_of(np.array(frames, np.float32))


SMALL = {
    "steel at one end": ((114, 0.09, 4.9), (50, 20, 90), 950.0, 480, 2.5),
    "a few rows of steel": ((114, 4.9), (10, 110), 1050.0, 512, 2.5),
    "nothing but steel": ((114,), (90,), 1100.0, 560, 2.5),
    "a binned frame": ((114, 0.09, 4.9, 21.7, 114), (34, 10, 30, 16, 30), 1300.0, 340, 5.0),
    "low energy": ((199, 10.6, 45), (40, 60, 40), 620.0, 320, 2.2),
}


@pytest.mark.parametrize("fraction", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("range_um", [240.0, 380.0])
def test_glare_is_measured_in_small_frames_with_little_that_is_opaque(name, fraction, range_um):
    mu, rows, bore_um, columns, pixel_um = SMALL[name]
    light = few_frames(mu, rows, bore_um, columns, fraction, range_um, pixel_um, seed=21)
    found = measure_glare(light)
    assert found.fraction == pytest.approx(fraction, abs=3 * found.sd)
    assert found.sd < 0.35 * fraction
    assert glare_warning(light, {"glare": {}}, pixel_um, 25.0) is None


@pytest.mark.parametrize("name", SMALL)
def test_small_frames_without_glare_get_none_and_no_warning(name):
    mu, rows, bore_um, columns, pixel_um = SMALL[name]
    light = few_frames(mu, rows, bore_um, columns, 0.0, 300.0, pixel_um, seed=22)
    found = measure_glare(light)
    assert found is None or found.fraction < 2e-4
    assert glare_warning(light, {"glare": {}}, pixel_um, 25.0) is None


def test_behind_fringes_glare_is_not_measured_but_bounded():
    """Fringes make rims steeper: what is behind them looks opaque, and is not."""
    mu, rows, bore_um, columns, pixel_um = SMALL[next(iter(SMALL))]
    light = few_frames(mu, rows, bore_um, columns, 0.01, 300.0, pixel_um, seed=25)
    plain, seen = EdgeLight(0.0, 0.001, 12), EdgeLight(0.05, 0.004, 12)
    assert "glare_fraction" in dict(glare_numbers(light, pixel_um, 25.0, plain))
    assert "glare_fraction" not in dict(glare_numbers(light, pixel_um, 25.0, seen))
    frames = np.full((len(light.transmission), 2, light.shape[1]), 0.5, np.float32)
    changed = [
        (glare(frames, light, np.array([3, 4]), one, pixel_size_um=pixel_um) != frames).any()
        for one in (plain, seen)
    ]
    assert changed == [True, False]


# As in the demo: steel of 0.44 mm passes 0.7 %, the cathode two fifths.
THIN = ((114, 0.09, 4.9, 20.8, 4.95, 114), (22, 18, 84, 16, 8, 12), 440.0, 256)


def test_glare_that_can_do_little_is_not_warned_of_though_nothing_is_opaque():
    light = few_frames(*THIN, 0.003, 300.0, 2.0, seed=23)
    assert measure_glare(light) is None
    assert bound_glare(light, 2.0, 25.0).fraction > 0.003
    assert glare_warning(light, {"glare": {}}, 2.0, 25.0) is None


@pytest.mark.parametrize("range_um", [220.0, 300.0, 410.0])
@pytest.mark.parametrize("fraction", [0.0, 0.003, 0.01, 0.03])
def test_behind_rods_that_pass_light_glare_is_known_by_the_shape_of_their_shadow(
    fraction, range_um
):
    light = few_frames(*THIN, fraction, range_um, 2.0, seed=26)
    assert measure_glare(light) is None
    found = glare_behind_rods(light, 150.0)
    assert found.fraction == pytest.approx(fraction, abs=2 * found.sd + 1e-4)
    assert found.sd < 0.3 * fraction + 1e-4
    assert dict(glare_numbers(light, 2.0, 25.0))["glare_fraction"].value == found.fraction


def test_what_is_uneven_is_no_rod_and_glare_is_bounded_and_the_remedy_is_heard():
    light = few_frames(*THIN, 0.03, 300.0, 2.0, seed=24, grains=0.03)
    message = glare_warning(light, {"glare": {}}, 2.0, 25.0)
    bound = bound_glare(light, 2.0, 25.0)
    assert bound.fraction > 0.03
    assert f"up to {bound.fraction:.1%} of the light" in message
    assert "steps.glare.fraction" in message
    assert glare_warning(light, {"glare": {"fraction": 0.03}}, 2.0, 25.0) is None


@pytest.mark.parametrize("fraction", [0.0, 0.003, 0.01])
def test_a_starved_cathode_without_steel_is_always_warned_of(fraction):
    layers = ((0.09, 4.9, 48, 4.95), (30, 90, 50, 30), 1250.0, 600)
    light = few_frames(*layers, fraction, 300.0, grains=0.03)
    assert "glare is not measured" in glare_warning(light, {"glare": {}}, 2.5, 25.0)


@pytest.mark.parametrize("fraction", [0.0, 0.005, 0.02])
def test_a_bound_of_glare_holds_where_noise_is_as_large(fraction, monkeypatch):
    """The darkest of many cells are so by noise: from them the bound was 0."""
    monkeypatch.setattr("tests.preprocess.test_glare.READ_NOISE", 480.0)
    rows = (20, 6, 20, 16, 6, 20)
    planes = tuple((count, mu) for count, (_, mu) in zip(rows, PLANES, strict=True))
    seen = measured(transmission(planes, 700.0, 640), fraction, 200.0)
    assert fraction < bound_glare(light_of(seen), PIXEL_UM, 25.0).fraction < fraction + 0.04


def test_a_bar_that_is_not_round_does_not_bound_glare_by_its_rims():
    """Seen by its rims it seems to let light through, which would leave less for glare."""
    x = (np.arange(448) - 223.5) * 2.5
    frames = []
    for turn in np.linspace(0, np.pi / 2, 8, endpoint=False):
        c, s = np.cos(turn), np.sin(turn)
        flat, wide = 400 * abs(c - s), 400 * (c + s)
        path = np.where(abs(x) <= flat, 800 / max(c, s), (wide - abs(x)) / max(c * s, 1e-9))
        mu = np.where(np.arange(120)[:, None] < 48, 114 * np.clip(path, 0, 1132), 0)
        cell = 4.9 * 2 * np.sqrt(np.maximum(450**2 - x**2, 0))
        row = np.where(np.arange(120)[:, None] < 48, mu, cell) * 1e-4
        frames.append(spread(np.exp(-row).astype(np.float32), 1.0, 0.03, 280.0))
    light = light_of(np.array(frames))
    found, bound = measure_glare(light), bound_glare(light, 2.5, 25.0)
    assert found is None or found.fraction == pytest.approx(0.03, abs=3 * found.sd)
    assert bound.fraction > 0.027
    assert glare_behind_rods(light, 120.0) is None


def test_without_a_shadow_nothing_is_changed():
    seen = measured(transmission(PLANES[3:4], 440.0, 400), 0.003, 300.0)
    same = glare(seen, light_of(seen), np.arange(64), pixel_size_um=PIXEL_UM)
    np.testing.assert_array_equal(same, seen)


def test_a_given_fraction_is_taken_as_it_is():
    even = np.full((3, 20, 50), 0.5, np.float32)
    settings = {"pixel_size_um": 1.0, "fraction": 0.1, "range_um": 10.0}
    # Even light: (T - ε T) / (1 - ε) is T again.
    same = glare(even, light_of(even), np.arange(20), **settings)
    np.testing.assert_allclose(same, 0.5, rtol=1e-6)


def test_slabs_give_what_the_whole_gives(true):
    seen = measured(transmission(PLANES, 440.0, 400), 0.01, 300.0)
    light, rows = light_of(seen), np.arange(seen.shape[1])
    settings = {"pixel_size_um": PIXEL_UM, "fraction": 0.01, "range_um": 300.0}
    whole = glare(seen, light, rows, **settings)
    for part in (slice(0, 100), slice(100, 113), slice(487, 500)):
        with limit_threads(1):
            piece = glare(seen[:, part], light, rows[part], **settings)
        np.testing.assert_allclose(piece, whole[:, part], rtol=1e-5, atol=1e-7)


def test_dead_pixels_stay_unknown_and_do_not_spoil_the_light():
    seen = np.full((2, 8, 40), 0.5, np.float32)
    seen[:, 3, 7] = np.nan
    light = light_of(seen)
    np.testing.assert_allclose(light.transmission, 0.5)
    settings = {"pixel_size_um": 1.0, "fraction": 0.01, "range_um": 10.0}
    corrected = glare(seen, light, np.arange(8), **settings)
    assert np.isnan(corrected[:, 3, 7]).all()
    assert np.isnan(corrected).sum() == 2


def test_light_of_another_scan_is_refused():
    seen = np.ones((3, 8, 40), np.float32)
    with pytest.raises(ValueError, match=r"frame_light is of 3 frames of 40 columns.*\(2, 8, 40\)"):
        glare(seen[:2], light_of(seen), np.arange(8), pixel_size_um=1.0, fraction=0.1)


@pytest.mark.parametrize(
    ("density", "fraction", "most"), [(1, 0.003, 0.1), (1, 0.1, 0.2), (1.7, 0.003, 0.3)]
)
def test_steel_that_passes_light_bounds_glare_by_what_it_passes_at_least(density, fraction, most):
    """A bore of 0.3 mm at 35 keV; a denser metal than steel is not taken for it."""
    steel = density * float(mu_per_cm("steel", 35.0))
    planes = ((30, steel), (20, 0.08), (60, 1.9), (40, 8.5), (10, 1.9), (30, steel))
    light = light_of(measured(transmission(planes, 300.0, 320), fraction, 300.0))
    found = bound_glare(light, PIXEL_UM, 35.0)
    assert fraction < found.fraction < most
    assert found.by_steel == (density == 1)
    (name, number), *_ = glare_numbers(light, PIXEL_UM, 35.0)
    assert name == "glare_at_most"
    assert ("of steel" in number.note) == found.by_steel


@pytest.mark.parametrize(("steel", "opaque"), [(114.0, True), (38.0, False)])
def test_shadows_that_go_on_beyond_the_view_are_no_deeper_than_their_rim_says(steel, opaque):
    """As in half acquisition: the rod is seen from about its middle on, to one side."""
    whole = transmission(((24, steel), (40, 4.9), (24, steel)), 1200.0, 1200)
    light = light_of(measured(whole, 0.003, 200.0)[:, :, 480:])
    found = measure_glare(light)
    assert (found is not None) == opaque
    if found is not None:
        assert found.fraction == pytest.approx(0.003, abs=3 * found.sd)
    assert glare_behind_rods(light, 200 / PIXEL_UM) is None


def test_two_ranges_that_fit_with_none_between_leave_the_fraction_unsure():
    ranges = RANGES_PX[[14, 15, 23, 24]]
    fits = [
        Fit(float(each), fraction, misfit, 0.0, 400)
        for each, fraction, misfit in zip(
            ranges, (0.0066, 0.007, 0.0034, 0.0031), (0.13, 0.07, 0.23, 0.13), strict=True
        )
    ]
    found = _averaged(fits, noise=1e-5)
    assert found.sd > 0.35 * found.fraction
    assert _averaged(fits[:2], noise=1e-5).sd < 0.1 * found.fraction + 1e-4
