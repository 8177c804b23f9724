"""Glare in the cathode's planes: a number with its uncertainty, and a verdict."""

import numpy as np
import pytest

from xct.normalize.glare import diagnose
from xct.normalize.model import SmoothModel
from xct.normalize.sampling import Cubes

RADIUS = 1500.0
MODEL = SmoothModel(0.0, 600.0, RADIUS, (5.0,), (), ((1e-4,),))


def cathode(dip=0.0, grain=6.0, spacing=24.0, level=22.0, seed=0):
    """Give cubes of a composite that reads darker in its middle by `dip`."""
    y, x = np.mgrid[-RADIUS:RADIUS:spacing, -RADIUS:RADIUS:spacing].reshape(2, -1)
    r = np.hypot(y, x)
    y, x, r = (a[r < RADIUS - 30] for a in (y, x, r))
    mean = level * (1 - dip * (1 - (r / RADIUS) ** 2))
    mean += grain * np.random.default_rng(seed).standard_normal(r.size)
    single = (a.astype(np.float32) for a in (mean, np.full_like(r, 700.0), y, x, r))
    return Cubes(*single, (8, 8, 8))


def diagnosed(cubes, **settings):
    return diagnose(cubes, MODEL, **{"bore_radius_um": RADIUS, "in_plane": None} | settings)


def test_a_dark_middle_is_glare_and_its_depth_is_measured():
    found = diagnosed(cathode(dip=0.1))
    # Middle over rim: means of 1 - r² over r < 0.45 and 0.65 … 0.92 of the radius.
    middle, rim = 1 - 0.1 * (1 - 0.45**2 / 2), 1 - 0.1 * (1 - (0.65**2 + 0.92**2) / 2)
    assert found["verdict"] == "glare"
    assert found["cupping"] == pytest.approx(middle / rim - 1, abs=3 * found["cupping_sd"])
    assert found["cupping_sd"] < 0.01


def test_an_even_plane_is_consistent_within_its_uncertainty():
    found = diagnosed(cathode())
    assert found["verdict"] == "consistent"
    assert abs(found["cupping"]) < 3 * found["cupping_sd"]
    assert found["transmission"] == pytest.approx(np.exp(-22 * 2 * RADIUS * 1e-4), rel=0.05)


def test_the_standard_deviation_of_the_cupping_is_the_scatter():
    found = [diagnosed(cathode(spacing=48.0, seed=seed)) for seed in range(80)]
    z = [one["cupping"] / one["cupping_sd"] for one in found]
    assert 0.7 < np.std(z) < 1.45


def test_too_few_grains_leave_it_undecidable():
    assert diagnosed(cathode(dip=0.05, grain=12.0, spacing=150.0))["verdict"] == "undecidable"


def test_a_plane_that_passes_light_is_not_suspected():
    assert diagnosed(cathode(dip=0.1), bore_radius_um=300.0)["verdict"] == "consistent"


def test_electrolyte_inside_the_plane_is_compared():
    found = diagnosed(cathode(), in_plane=(4.5, 1.0))
    assert found["in_plane_ratio"] == pytest.approx(0.9)
    assert found["in_plane_ratio_sd"] == pytest.approx(0.2)


def test_no_cathode_is_said():
    assert diagnosed(None) == {"verdict": "no_cathode"}
