"""Materials: μ and δ as the literature has them."""

import numpy as np
import pytest

from xct.physics.materials import TABLE, delta, mu_per_cm, wavelength_um


@pytest.mark.parametrize(
    ("material", "lithium", "density", "mu_25", "delta_25", "mu_20"),
    [
        ("ncm811", 1.0, None, 48.05, 1.520e-6, 89.35),
        ("ncm811", 0.3, None, 51.62, 1.561e-6, 96.03),
        ("lpscl", 1.0, None, 5.574, 6.004e-7, 10.56),
        ("lpscl", 1.0, 1.64, 4.915, 5.294e-7, 9.311),
        ("lpscl_pressed", 1.0, None, 4.915, 5.294e-7, 9.311),
        ("lithium", 1.0, None, 0.0919, 1.533e-7, 0.0991),
        ("lzp", 1.0, None, 51.76, 9.94e-7, 92.71),
        ("steel", 1.0, None, 113.96, 2.490e-6, 199.3),
        ("aluminium", 1.0, None, 4.954, 8.656e-7, 9.290),
        ("polyimide", 1.0, None, 0.52, 4.84e-7, 0.77),
        ("torlon", 1.0, None, 0.52, 4.84e-7, 0.77),
    ],
)
def test_optics_are_those_of_the_tables(material, lithium, density, mu_25, delta_25, mu_20):
    settings = {"lithium": lithium, "density": density}
    assert mu_per_cm(material, 25.0, **settings) == pytest.approx(mu_25, rel=1e-3)
    assert delta(material, 25.0, **settings) == pytest.approx(delta_25, rel=2e-3)
    assert mu_per_cm(material, 20.0, **settings) == pytest.approx(mu_20, rel=2e-3)


def test_air_is_nothing():
    assert mu_per_cm("air", 25.0) == pytest.approx(6e-4, abs=1e-4)
    assert delta("air", 25.0) == pytest.approx(4e-10, rel=0.01)


def test_composite_cathode_has_the_stated_mean():
    parts = {"ncm811": 0.454, "lpscl": 0.497, "carbon": 0.049}
    mean = sum(fraction * mu_per_cm(name, 25.0) for name, fraction in parts.items())
    assert mean == pytest.approx(24.6, abs=0.05)


def test_delithiation_is_a_small_step_and_many_particles_are_asked_at_once():
    x = np.array([1.0, 0.65, 0.3])
    mu = mu_per_cm("ncm811", 25.0, lithium=x)
    assert mu[-1] / mu[0] == pytest.approx(1.074, abs=0.001)
    assert mu[1] == pytest.approx(mu_per_cm("ncm811", 25.0, lithium=0.65), rel=1e-12)
    assert (np.diff(mu) > 0).all()


def test_every_material_has_a_source():
    assert all(entry.source and entry.density > 0 for entry in TABLE.values())


def test_wavelength_at_12_4_kev_is_an_angstrom():
    assert wavelength_um(12.39841984) == pytest.approx(1e-4)


def test_what_is_not_in_the_tables_is_refused():
    with pytest.raises(ValueError, match=r"'unobtainium' is not known.*ncm811, lpscl"):
        mu_per_cm("unobtainium", 25.0)
    with pytest.raises(ValueError, match=r"energy_kev = 25000; expected 1 … 100"):
        mu_per_cm("lpscl", 25000)
    with pytest.raises(ValueError, match=r"lithium = 1\.2 for ncm811; .* x from 1 to 0"):
        mu_per_cm("ncm811", 25.0, lithium=1.2)
