"""How far phase reaches."""

import pytest

from xct.physics.phase import fresnel_number, refraction_over_attenuation_um, retrieval_length_um


def test_the_fresnel_number_of_a_detail():
    # 1 µm at 12.39841984 keV (0.1 nm) and 10 mm: 1 / (1e-4 · 1e4).
    assert fresnel_number(1.0, energy_kev=12.39841984, distance_mm=10.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("material", "within", "length_um"),
    [
        ("lpscl", None, 6.6),
        ("ncm811", None, 3.6),
        ("ncm811", "lpscl", 2.9),
        ("lithium", "lpscl", 5.7),
    ],
)
def test_lengths_at_25_kev_and_40_mm(material, within, length_um):
    ratio = refraction_over_attenuation_um(material, 25.0, within=within)
    assert retrieval_length_um(ratio, 40.0) == pytest.approx(length_um, abs=0.06)
