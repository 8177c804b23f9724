"""How far phase shows in a picture. In: materials, energy, distance; out: lengths, numbers."""

from __future__ import annotations

import math
from functools import lru_cache

from xct.errors import DataError
from xct.physics.materials import TABLE, delta, mu_per_cm, wavelength_um


def fresnel_number(detail_um: float, *, energy_kev: float, distance_mm: float) -> float:
    """Give the Fresnel number of a detail: its width squared over wavelength times distance.

    Far above 1 a detail is seen as its shadow, with a fringe along its edges; at 1 and below the
    fringes are as wide as the detail itself.

    Parameters
    ----------
    detail_um : float
        Width of the detail, such as a pixel.
    energy_kev, distance_mm : float
        Photon energy, sample to detector.
    """
    return detail_um**2 / (wavelength_um(energy_kev) * distance_mm * 1e3)


def attenuation_and_refraction(
    material: str, energy_kev: float, *, density: float | None = None
) -> tuple[float, float]:
    """Give μ and δ of a material of the table, or of a chemical formula.

    Parameters
    ----------
    material : str
        A name of `xct.physics.materials.TABLE`, or a formula such as ``LiCoO2``.
    energy_kev : float
        Photon energy.
    density : float, optional
        g/cm³; needed for a formula, overrules that of the table.

    Returns
    -------
    mu_per_cm, delta : float

    Raises
    ------
    ValueError
        If the name is neither, a formula comes without its density, or the energy is out of range.
    """
    if material in TABLE:
        return tuple(float(f(material, energy_kev, density=density)) for f in (mu_per_cm, delta))  # type: ignore[return-value]
    if density is None:
        raise DataError(
            f"{material!r} is none of the materials {', '.join(TABLE)}; a chemical formula needs "
            "its density in g/cm³ beside it"
        )
    return _of_formula(material, density, energy_kev)


@lru_cache(maxsize=64)
def _of_formula(formula: str, density: float, energy_kev: float) -> tuple[float, float]:
    from xraydb import material_mu, xray_delta_beta

    try:
        mu = float(material_mu(formula, 1000 * energy_kev, density=density))
        return mu, float(xray_delta_beta(formula, density, 1000 * energy_kev)[0])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{formula!r} is no chemical formula with symbols of elements, such as LiCoO2"
        ) from error


def refraction_over_attenuation_um(
    material: str,
    energy_kev: float,
    *,
    density: float | None = None,
    within: str | None = None,
    within_density: float | None = None,
) -> float:
    """Give δ/μ of a material, or (δ₁ - δ₂)/(μ₁ - μ₂) of one within another [1]_.

    Parameters
    ----------
    material, energy_kev, density
        As in `attenuation_and_refraction`.
    within : str, optional
        What the material lies in; air unless given.
    within_density : float, optional
        Its density, g/cm³.

    Returns
    -------
    float
        µm.

    Raises
    ------
    ValueError
        If a material is not known, or the two do not differ in attenuation and refraction in the
        same direction: then no single filter serves their borders.

    References
    ----------
    .. [1] Beltran et al. (2010), Opt. Express 18, 6423. doi:10.1364/OE.18.006423
    """
    mu, refraction = attenuation_and_refraction(material, energy_kev, density=density)
    if within is not None:
        around = attenuation_and_refraction(within, energy_kev, density=within_density)
        mu, refraction = mu - around[0], refraction - around[1]
    if mu == 0 or not refraction / mu > 0:
        raise DataError(
            f"{material} and {within or 'air'} differ by {mu:.4g} 1/cm in attenuation and by "
            f"{refraction:.3g} in refraction (delta); both must differ, in the same direction: "
            "choose two materials with a border that matters, the denser one first"
        )
    return refraction / (mu * 1e-4)


def refraction_beside(
    material: str,
    energy_kev: float,
    *,
    within: str,
    density: float | None = None,
    within_density: float | None = None,
) -> float:
    """Give the refraction of two materials that is in no ratio to their attenuation.

    With r = (δ₁ - δ₂)/(μ₁ - μ₂), δ = r μ + c in both of them, where air has neither: at their
    border with air, c refracts light that a filter for their own border leaves as it is.

    Parameters
    ----------
    material, within, energy_kev, density, within_density
        As in `refraction_over_attenuation_um`.

    Returns
    -------
    float
        c, dimensionless.
    """
    ratio = refraction_over_attenuation_um(
        material, energy_kev, density=density, within=within, within_density=within_density
    )
    mu, refraction = attenuation_and_refraction(within, energy_kev, density=within_density)
    return refraction - ratio * mu * 1e-4


def retrieval_length_um(ratio_um: float, distance_mm: float) -> float:
    """Give √(z δ/μ), µm: how far phase retrieval averages, and fringes reach.

    Parameters
    ----------
    ratio_um : float
        δ/μ, µm.
    distance_mm : float
        z, sample to detector.
    """
    return math.sqrt(ratio_um * distance_mm * 1e3)
