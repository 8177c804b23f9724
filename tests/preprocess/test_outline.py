"""The outline of a tube: found by its fringe, and the fringe taken off before phase retrieval."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.phantom.scan.optics import propagate
from xct.physics.materials import delta, mu_per_cm
from xct.physics.phase import refraction_beside
from xct.preprocess import phase_retrieval
from xct.preprocess.outline import find_outline
from xct.stages import STAGES, in_blocks

SCAN = {"energy_kev": 20.0, "distance_mm": 40.0, "pixel_size_um": 1.625}
MATERIALS = {"material": "ncm811", "within": "lpscl"}
ROWS, COLUMNS, ANGLES, BORE, TUBE = 40, 180, 6, 66.0, 70.5


def shadow(middle, lean=0.0):
    """Transmission without and with propagation of electrolyte in a tube that leans."""
    x = np.arange(COLUMNS) - middle - lean * np.arange(ROWS)[:, None]
    inner, outer = (2 * np.sqrt(np.maximum(r**2 - x**2, 0)) * 1.625 for r in (BORE, TUBE))
    paths = {"lpscl": inner, "polyimide": outer - inner}
    absorbed = sum(path * mu_per_cm(name, 20.0) * 1e-4 for name, path in paths.items())
    delayed = sum(path * delta(name, 20.0) for name, path in paths.items())
    fringed = propagate(absorbed, delayed, energy_kev=20.0, distance_mm=40.0, pixel_um=1.625)
    return tuple(gaussian_filter(light, 0.7) for light in (np.exp(-absorbed), fringed))


@pytest.fixture(scope="module")
def frames():
    """Truth, light, and the middles; the tube leans by 0.02 columns a row."""
    middles = 89.0 + 4 * np.cos(np.linspace(0, np.pi, ANGLES))
    both = [shadow(middle, 0.02) for middle in middles]
    truth, light = (np.array(some, np.float32) for some in zip(*both, strict=True))
    return truth, light, middles


def found_in(light):
    return find_outline(lambda first, stop: light[:, first:stop], ROWS, COLUMNS)


@pytest.mark.parametrize("seed", range(3))
def test_a_leaning_tube_is_found_through_noise(frames, seed):
    _, light, middles = frames
    noise = 0.01 * np.random.default_rng(seed).normal(size=light.shape)
    found = found_in(light + noise)
    assert found.radius_px == pytest.approx(TUBE, abs=0.3)
    np.testing.assert_allclose(found.middle_px, middles, atol=0.3)
    np.testing.assert_allclose(found.lean, 0.02, atol=0.01)
    expected = 40e3 * refraction_beside("ncm811", 20.0, within="lpscl") / 1.625
    assert found.strength == pytest.approx(expected, rel=0.4)


def test_dead_pixels_and_a_lost_frame_do_not_hide_it(frames):
    _, light, middles = frames
    spoiled = light.copy()
    spoiled[2] = 0.0
    spoiled[:, ::7, 60:63] = np.nan
    found = found_in(spoiled)
    rest = np.arange(ANGLES) != 2
    np.testing.assert_allclose(found.middle_px[rest], middles[rest], atol=0.3)
    assert np.isfinite(found.middle_px).all()


@pytest.mark.parametrize("kind", ["absorbs only", "fills the view", "noise", "slab"])
def test_where_there_is_no_round_fringe_there_is_no_outline(frames, kind):
    truth, light, _ = frames
    light = {
        "absorbs only": truth,
        "fills the view": light[:, :, 40:140],
        "noise": 1 + 0.02 * np.random.default_rng(0).normal(size=light.shape),
        "slab": np.where(np.abs(np.arange(COLUMNS) - 90) < 60, 0.5, 1.0) * np.ones_like(light),
    }[kind]
    assert find_outline(lambda a, b: light[:, a:b], ROWS, light.shape[2]) is None


def test_its_fringe_is_gone_and_what_lies_inside_is_right(frames):
    truth, light, _ = frames
    outline = found_in(light)
    plain, better = (
        phase_retrieval(light, one, **SCAN, **MATERIALS)[1, 8:-8] for one in (None, outline)
    )
    errors = [np.abs(one - truth[1, 8:-8]).max() for one in (plain, better)]
    assert errors[0] > 0.04
    assert errors[1] < 0.5 * errors[0]
    outside = truth[1, 8:-8] > 1 - 1e-6
    assert np.abs(better - 1)[outside].mean() < 0.3 * np.abs(plain - 1)[outside].mean()


def test_a_fringe_of_something_else_is_left_alone(frames):
    _, light, _ = frames
    outline = found_in(light)
    settings = {"delta_over_beta": 300.0}
    np.testing.assert_array_equal(
        phase_retrieval(light, outline, **SCAN, **settings),
        phase_retrieval(light, **SCAN, **settings),
    )
    farther = {**SCAN, "distance_mm": 160.0}  # four times as strong as what is seen
    np.testing.assert_array_equal(
        phase_retrieval(light, outline, **farther, **MATERIALS),
        phase_retrieval(light, **farther, **MATERIALS),
    )


def test_slabs_of_a_leaning_tube_join(frames):
    _, light, _ = frames
    quantities = {"transmission": light, "outline": found_in(light), "row_px": np.arange(ROWS)}
    stage = STAGES["phase_retrieval"]
    whole = stage({**quantities, **SCAN}, MATERIALS)
    pieces = in_blocks(stage, {**quantities, **SCAN}, MATERIALS, axis="row", size=7)
    np.testing.assert_allclose(pieces, whole, rtol=0, atol=3e-6)
