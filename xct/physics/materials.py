"""Materials of the cell: one table, and what X-rays make of it. In: names, energy; out: μ, δ.

Attenuation and refraction are those of xraydb (M. Newville), total cross sections of Elam, Ravel &
Sieber (2002), Radiat. Phys. Chem. 63, 121, doi:10.1016/S0969-806X(01)00227-4, and anomalous factors
of Chantler (2000), J. Phys. Chem. Ref. Data 29, 597, doi:10.1063/1.1321055.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from xct.errors import DataError

# Relative loss of volume of NCM811 per unit of lithium taken out: 7 % from x = 1 to 0.3.
_SHRINKING = 0.1
# xraydb's tables are whole between these.
_ENERGY_KEV = (1.0, 100.0)


@dataclass(frozen=True)
class Material:
    """What a material is made of.

    Attributes
    ----------
    formula : str
        Chemical formula, numbers of atoms.
    density : float
        g/cm³.
    source : str
        Where composition and density come from.
    """

    formula: str
    density: float
    source: str


# By weight, middle of AISI 316L: Fe 65.5, Cr 17, Ni 12, Mo 2.5, Mn 2, Si 1 %.
_STEEL = "Fe1.17286Cr0.32695Ni0.20446Mo0.02606Mn0.03640Si0.03561"

TABLE: dict[str, Material] = {
    "ncm811": Material(
        "LiNi0.8Co0.1Mn0.1O2",
        4.75,
        "crystal density of LiNi0.8Co0.1Mn0.1O2 from its cell; Li, Ni, Co, Mn as named; volume "
        "-7 % at x = 0.3: Kondrakov et al. 2017, doi:10.1021/acs.jpcc.6b12885",
    ),
    "lpscl": Material(
        "Li6PS5Cl", 1.86, "argyrodite, crystal: Deiseroth et al. 2008, doi:10.1002/anie.200703900"
    ),
    "lpscl_pressed": Material("Li6PS5Cl", 1.64, "argyrodite pellet pressed cold, 12 % pores"),
    "carbon": Material("C", 1.9, "carbon black C65, true density as its maker states it"),
    "lithium": Material("Li", 0.534, "CRC Handbook of Chemistry and Physics"),
    "lzp": Material("LiZr2P3O12", 3.17, "LiZr2(PO4)3, crystal density of the NASICON form"),
    "steel": Material(_STEEL, 7.98, "AISI 316L, middle of the ranges of ASTM A240"),
    "aluminium": Material("Al", 2.70, "CRC Handbook of Chemistry and Physics"),
    "polyimide": Material("C22H10N2O5", 1.42, "Kapton HN, data sheet; xraydb `polyimide`"),
    "torlon": Material("C22H10N2O5", 1.42, "polyamide-imide, taken as polyimide"),
    "air": Material("N1.562O0.42C0.0003Ar0.0093", 0.0012, "dry, 20 °C and 1013 hPa: CRC Handbook"),
}


def mu_per_cm(
    material: str, energy_kev: float, *, lithium: Any = 1.0, density: float | None = None
) -> Any:
    """Give the linear attenuation of a material.

    Parameters
    ----------
    material : str
        A name of `TABLE`.
    energy_kev : float
        Photon energy.
    lithium : float or ndarray, optional
        Li content x of ``ncm811``: per unit of x a particle loses its lithium's weight and 10 %
        of its volume.
    density : float, optional
        g/cm³ in place of the table's, for a material that is porous.

    Returns
    -------
    float or ndarray
        μ in 1/cm, one value for each `lithium`.

    Raises
    ------
    ValueError
        If the material or the energy is not in the tables, or x lies outside of 0 … 1.
    """
    return _of_lithium(material, energy_kev, lithium, density, 0)


def delta(
    material: str, energy_kev: float, *, lithium: Any = 1.0, density: float | None = None
) -> Any:
    """Give by how much the refractive index of a material falls short of 1.

    Parameters
    ----------
    material, energy_kev, lithium, density
        As in `mu_per_cm`.

    Returns
    -------
    float or ndarray
        δ, dimensionless; n = 1 - δ + iβ with β = μ λ / 4π.

    Raises
    ------
    ValueError
        As `mu_per_cm`.
    """
    return _of_lithium(material, energy_kev, lithium, density, 1)


def wavelength_um(energy_kev: float) -> float:
    """Give the wavelength of photons in µm."""
    return float(1.239841984e-3 / energy_kev)


def _of_lithium(
    material: str, energy_kev: float, lithium: Any, density: float | None, which: int
) -> Any:
    entry = _found(material)
    low, high = _ENERGY_KEV
    if not low <= energy_kev <= high:
        raise DataError(f"energy_kev = {energy_kev!r}; expected {low:g} … {high:g}")
    scale = 1.0 if density is None else density / entry.density
    full = scale * _optics(entry.formula, entry.density, energy_kev)[which]
    if np.ndim(lithium) == 0 and lithium == 1:
        return full
    x = np.asarray(lithium, dtype=np.float64)
    if material != "ncm811" or not ((x >= 0) & (x <= 1)).all():
        raise DataError(
            f"lithium = {lithium!r} for {material}; only ncm811 can lose lithium, x from 1 to 0"
        )
    # Per formula unit both are sums over the atoms: linear in x, then shared by the volume.
    per_lithium = (
        scale * _optics("Li", _density_in(entry.formula, entry.density), energy_kev)[which]
    )
    value = (full - (1 - x) * per_lithium) / (1 - _SHRINKING * (1 - x))
    return float(value) if np.ndim(lithium) == 0 else value


def _found(material: str) -> Material:
    if material not in TABLE:
        raise DataError(f"material {material!r} is not known; expected one of {', '.join(TABLE)}")
    return TABLE[material]


@lru_cache(maxsize=256)
def _optics(formula: str, density: float, energy_kev: float) -> tuple[float, float]:
    """Give μ (1/cm) and δ of a formula."""
    from xraydb import material_mu, xray_delta_beta

    energy_ev = 1000 * energy_kev
    mu = material_mu(formula, energy_ev, density=density)
    return float(mu), float(xray_delta_beta(formula, density, energy_ev)[0])


@lru_cache(maxsize=16)
def _density_in(formula: str, density: float) -> float:
    """Give the g/cm³ that one Li atom per formula unit brings to a crystal."""
    from xraydb import atomic_mass, chemparse

    mass = sum(count * atomic_mass(symbol) for symbol, count in chemparse(formula).items())
    return float(density * atomic_mass("Li") / mass)
