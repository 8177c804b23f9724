"""The median diameter of particles: errors over sds scatter by 1, be they few or many."""

import numpy as np
import pandas as pd
import pytest

from xct.segment.particle.numbers import particle_numbers


@pytest.mark.parametrize("count", [30, 1_000, 30_000])
def test_errors_of_the_median_diameter_are_as_large_as_stated(count):
    z = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        # All boundaries are half a percent of a diameter outside or inside, as labels put them.
        scale = 1 + 0.005 * rng.standard_normal()
        diameter = 9.0 * scale * np.exp(0.25 * rng.standard_normal(count))
        particles = pd.DataFrame({"equivalent_diameter_um": diameter, "drifted": False})
        found = dict(particle_numbers(particles))["median_diameter_um"].entry()
        z.append((found["value"] - 9.0) / found["sd"])
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.4


def test_one_particle_has_a_diameter_and_no_sd():
    one = pd.DataFrame({"equivalent_diameter_um": [9.0], "drifted": False})
    found = dict(particle_numbers(one))["median_diameter_um"].entry()
    assert found["value"] == 9.0
    assert "sd" not in found
