"""Phase retrieval: known phase objects, cuts, shadows, and what cannot be retrieved."""

import numpy as np
import pytest

from xct.phantom.scan.optics import propagate
from xct.physics.materials import delta, mu_per_cm
from xct.preprocess import phase_retrieval
from xct.preprocess.phase import reach_rows
from xct.stages import STAGES, in_blocks

SCAN = {"energy_kev": 20.0, "distance_mm": 40.0, "pixel_size_um": 1.625}
MATERIALS = {"material": "ncm811", "within": "lpscl"}
STAGE = STAGES["phase_retrieval"]


def retrieved(transmission, **settings):
    return phase_retrieval(transmission.astype(np.float32), **SCAN, **{**MATERIALS, **settings})


@pytest.mark.parametrize("method", ["generalized", "paganin"])
def test_a_wave_is_weakened_as_the_formula_says(method):
    frequency, columns = 1 / 8, 400
    wave = np.cos(2 * np.pi * frequency * np.arange(columns))
    found = retrieved(np.tile(1 + 0.1 * wave, (2, 60, 1)), delta_over_beta=200.0, material=None,
                      within=None, method=method)[1, 30]  # fmt: skip
    # l² = z δ λ / (4π β), in pixels.
    squared = 40e3 * 200 * 1.239841984e-3 / 20 / (4 * np.pi) / 1.625**2
    sine, plain = 4 * np.sin(np.pi * frequency) ** 2, (2 * np.pi * frequency) ** 2
    weakened = 1 / (1 + squared * (sine if method == "generalized" else plain))
    middle = slice(100, 300)
    expected = 1 + 0.1 * weakened * wave
    np.testing.assert_allclose(found[middle], expected[middle], atol=2e-4)
    assert weakened < 0.5


def bump(material, within=None, width_um=8.0, height_um=6.0, size=96):
    """Transmission and line integral of δ of a smooth bump of one material in another."""
    y, x = (np.indices((size, size)) - size / 2) * SCAN["pixel_size_um"]
    thickness = height_um * np.exp(-(y**2 + x**2) / (2 * width_um**2))
    optics = [
        np.array([f(m, 20.0) for m in (material, within or "air")]) for f in (mu_per_cm, delta)
    ]
    path = 60.0 * (within is not None)  # of both together
    both = [thickness * own + (path - thickness) * around for own, around in optics]
    return both[0] * 1e-4, both[1]


@pytest.mark.parametrize("within", [None, "lpscl"])
def test_what_one_material_did_to_the_wave_is_undone(within):
    absorbed, delayed = bump("ncm811", within)
    fringed = propagate(
        absorbed, delayed, energy_kev=20.0, distance_mm=40.0, pixel_um=SCAN["pixel_size_um"]
    )
    truth = np.exp(-absorbed)
    found = retrieved(fringed[None], within=within)[0]
    depth = float(np.ptp(truth))
    assert np.abs(fringed - truth).max() > 0.2 * depth  # there was something to undo
    assert np.abs(found - truth).max() < 0.015 * depth


def test_even_light_and_the_sum_of_all_light_stay():
    rng = np.random.default_rng(1)
    light = np.ones((1, 80, 90))
    light[0, 30:50, 30:60] = rng.uniform(0.5, 1.5, (20, 30))
    found = retrieved(light)
    assert found.sum() == pytest.approx(light.sum(), rel=1e-5)
    np.testing.assert_allclose(retrieved(np.full((1, 7, 9), 0.3)), 0.3, rtol=1e-5)


def test_slabs_join_without_a_seam_and_would_not_without_their_overlap():
    rng = np.random.default_rng(2)
    transmission = rng.uniform(0.2, 1.2, (3, 150, 40)).astype(np.float32)
    transmission[:, :20] = 1e-3  # steel
    quantities = {"transmission": transmission, **SCAN}
    whole = STAGE(quantities, MATERIALS)
    for size in (5, 50):
        pieces = in_blocks(STAGE, quantities, MATERIALS, axis="row", size=size)
        np.testing.assert_allclose(pieces, whole, rtol=0, atol=2e-6)
    narrow = type(STAGE)(STAGE.function, STAGE.gives, STAGE.cut, overlap=4)
    pieces = in_blocks(narrow, quantities, MATERIALS, axis="row", size=50)
    assert np.abs(pieces - whole).max() > 1e-3


def test_the_overlap_grows_with_the_distance():
    rows = [reach_rows({**SCAN, **MATERIALS, "distance_mm": z}) for z in (1.0, 40.0, 160.0)]
    assert rows[0] < rows[1] < rows[2] < 2.2 * rows[1]


def test_light_is_not_spread_into_a_shadow_of_steel():
    transmission = np.full((4, 60, 40), 0.9)
    transmission[:, :20] = 1e-3
    found = retrieved(transmission)
    # Without care the filter would leave 0.25 in the last row of steel.
    np.testing.assert_allclose(found[:, :20], 1e-3, atol=1e-3)
    np.testing.assert_allclose(found[:, 17:20], 1e-3, atol=1e-6)
    np.testing.assert_allclose(found[:, 20:], 0.9, rtol=2e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"material": None, "within": None}, "give one of the two"),
        ({"delta_over_beta": 300.0}, "give one of the two"),
        ({"material": "unobtainium"}, "needs its density"),
        ({"material": "Qq2", "density": 2.0}, "no chemical formula"),
        ({"material": "lpscl", "within": "lpscl"}, "both must differ"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        retrieved(np.ones((1, 8, 8)), **settings)


def test_a_formula_with_its_density_is_the_material_of_the_table():
    light = np.random.default_rng(3).uniform(0.5, 1, (1, 30, 30))
    named = retrieved(light)
    spelled = retrieved(light, material="LiNi0.8Co0.1Mn0.1O2", density=4.75)
    np.testing.assert_array_equal(named, spelled)


def test_dead_pixels_are_not_spread_but_refused():
    light = np.ones((2, 9, 9))
    light[1, 4, 5] = np.nan
    with pytest.raises(ValueError, match=r"frame 1 .*row 4, column 5.*fill_dead_pixels"):
        retrieved(light)


def weighed(sigma, far=4):
    """Gaussian weights at whole pixels, cut at `far` standard deviations."""
    place = np.arange(-int(far * sigma), int(far * sigma) + 1)
    weight = np.exp(-(place**2) / (2 * sigma**2))
    return weight / weight.sum()


def test_unsharp_adds_what_a_blur_takes_away_from_a_point():
    point = np.ones((1, 61, 61))
    point[0, 30, 30] = 1.5
    plain = retrieved(point)[0]
    found = retrieved(point, unsharp_amount=0.7, unsharp_sigma_px=1.5)[0]
    kernel = weighed(1.5)
    blurred = plain.astype(float)
    for axis in range(2):
        blurred = np.apply_along_axis(np.convolve, axis, blurred - 1, kernel, "same") + 1
    np.testing.assert_allclose(found, plain + 0.7 * (plain - blurred), atol=2e-5)
    assert found[30, 30] > plain[30, 30] + 1e-3


def test_unsharp_leaves_flat_regions_the_sum_and_shadows():
    light = np.full((2, 80, 60), 0.9)
    light[:, :20] = 1e-3  # steel
    light[:, 50:, 30:] = 0.5
    plain = retrieved(light)
    found = retrieved(light, unsharp_amount=1.0, unsharp_sigma_px=2.0)
    np.testing.assert_allclose(found[:, :20], plain[:, :20], atol=2e-3)  # of 0.9 beside it
    np.testing.assert_allclose(found[:, 17:20], 1e-3, atol=1e-6)
    assert found[:, 20:].min() > 0.4
    assert found[:, 20:].sum() == pytest.approx(plain[:, 20:].sum(), rel=1e-4)
    np.testing.assert_allclose(found[:, 24:36, :20], plain[:, 24:36, :20], rtol=1e-3)
    steepest = [np.abs(np.diff(each[0, 70])).max() for each in (plain, found)]
    assert steepest[1] > 1.3 * steepest[0]


def test_slabs_join_without_a_seam_where_edges_are_sharpened():
    rng = np.random.default_rng(4)
    quantities = {"transmission": rng.uniform(0.2, 1.2, (2, 90, 40)).astype(np.float32), **SCAN}
    settings = {**MATERIALS, "unsharp_amount": 2.0, "unsharp_sigma_px": 6.0}
    whole = STAGE(quantities, settings)
    pieces = in_blocks(STAGE, quantities, settings, axis="row", size=16)
    np.testing.assert_allclose(pieces, whole, rtol=0, atol=1e-5)
    grown = reach_rows({**SCAN, **settings}) - reach_rows({**SCAN, **MATERIALS})
    assert grown == 24
