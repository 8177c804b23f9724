"""Veiling glare: measured in the shadow of steel, subtracted where little light is left."""

import numpy as np
import pytest

from xct.parallel.threads import limit_threads
from xct.phantom.scan.optics import glare_map, spread
from xct.preprocess.veiling_glare import gather_light, glare, measure_glare

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
    assert found.sd < 0.05 * fraction
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


def test_a_floor_that_is_even_with_an_unlikely_range_alone_is_not_measured():
    # Much steel beyond the reach of little glare: noise there is even, with a range ten times
    # the true one.
    rng = np.random.default_rng(3)
    range_um = rng.uniform(150, 700)
    seen = measured(transmission(drawn_planes(rng), 2000.0, 1700), 0.001, range_um, seed=3)
    assert measure_glare(light_of(seen)) is None


@pytest.mark.parametrize("fraction", [0.001, 0.01])
def test_tall_steel_whose_depth_no_light_reaches_determines_it_as_well(fraction):
    steel = PLANES[0][1]
    tall = transmission(((580, steel), *PLANES[1:-1], (580, steel)))
    found = measure_glare(light_of(measured(tall, fraction, 300.0)))
    assert found.fraction == pytest.approx(fraction, rel=0.15)
    assert found.range_px * PIXEL_UM == pytest.approx(300.0, rel=0.1)


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


def test_without_a_shadow_nothing_is_changed_and_that_is_said():
    seen = measured(transmission(PLANES[3:4], 440.0, 400), 0.003, 300.0)
    with pytest.warns(UserWarning, match=r"no shadow in the frames.*glare\.fraction"):
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
