"""What a volume's values are in 1/cm. In: their unit, the electrolyte's value; out: a factor.

Shapes of edges beside something opaque depend on how much light is left, thus on μ itself: grey
values, and values that cannot be μ, are given the electrolyte's typical one there. What *is* a μ,
such as a lithium content, is withheld then.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from xct.physics.materials import TABLE, mu_per_cm

GREY = "grey"
# Between these the electrolyte's density in g/cm³ is plausible: uncompacted powder to crystal.
# Where it is only seen between particles of a cathode, carbon and pores make it darker.
DENSITY = (1.2, 1.95)
_LEAST_BETWEEN = 0.8
# Energies that such cells are looked at with, keV: a pressed electrolyte has 69 to 0.6 1/cm there.
# Values in 1/mm of 25 keV lie below, those of 20 keV and less do not: only an energy tells them.
_ENERGIES = (60.0, 10.0)
_USUAL_KEV = 25.0
# Other units that files come in, by how many of them 1/cm is.
_UNITS = {"1/mm": 10.0, "1/m": 0.01, "1/µm": 1e4}


@dataclass(frozen=True)
class Calibration:
    """What values above air are.

    Attributes
    ----------
    per_cm : float
        What turns them into 1/cm; where `mu_known` is False, about.
    mu_known : bool
        Whether that is known.
    """

    per_cm: float = 1.0
    mu_known: bool = True


def calibrate(
    electrolyte: float,
    unit: str | None,
    energy_kev: float | None,
    voxel_um: float,
    between: bool = False,
) -> Calibration:
    """Say what a volume's values are; warn where they cannot be what they are said to be.

    Parameters
    ----------
    electrolyte : float
        Its value above air.
    unit : str or None
        "1/cm", "grey", or None for a volume that xct reconstructed.
    energy_kev : float or None
        Photon energy.
    voxel_um : float
        Edge of a voxel across.
    between : bool, optional
        The electrolyte is only seen between the particles of a cathode.

    Returns
    -------
    Calibration
    """
    typical = float(mu_per_cm("lpscl_pressed", energy_kev or _USUAL_KEV))
    unknown = Calibration(typical / electrolyte if electrolyte > 0 else 1.0, mu_known=False)
    if unit == GREY:
        return unknown
    if _is_plausible(electrolyte, energy_kev, between):
        return Calibration()
    warnings.warn(_implausible(electrolyte, unit, energy_kev, voxel_um, between), stacklevel=3)
    return unknown


def density_of(electrolyte_per_cm: float, energy_kev: float) -> float:
    """Give the density of Li6PS5Cl with a μ, g/cm³."""
    return float(
        TABLE["lpscl"].density * electrolyte_per_cm / float(mu_per_cm("lpscl", energy_kev))
    )


def lithium_over_electrolyte(energy_kev: float | None) -> float:
    """Give the ratio of the μ of lithium and electrolyte; at 25 keV unless the energy is known."""
    energy = energy_kev or _USUAL_KEV
    return float(mu_per_cm("lithium", energy)) / float(mu_per_cm("lpscl_pressed", energy))


def _range(energy_kev: float | None, between: bool) -> tuple[float, float]:
    """Give the range of plausible densities, or of μ where the energy is not known."""
    if energy_kev is None:
        low, high = (float(mu_per_cm("lpscl_pressed", energy)) for energy in _ENERGIES)
        return (low * _LEAST_BETWEEN / DENSITY[0] if between else low), high
    return (_LEAST_BETWEEN, DENSITY[1]) if between else DENSITY


def _is_plausible(value: float, energy_kev: float | None, between: bool) -> bool:
    low, high = _range(energy_kev, between)
    return low < (value if energy_kev is None else density_of(value, energy_kev)) < high


def _implausible(
    value: float, unit: str | None, energy_kev: float | None, voxel_um: float, between: bool
) -> str:
    low, high = _range(energy_kev, between)
    if energy_kev is None:
        ends = f"{_ENERGIES[1]:g} to {_ENERGIES[0]:g} keV"
        why = f"at {ends} it lies between {low:.2g} and {high:.2g}, and no energy_kev is given"
    else:
        why = (
            f"at {energy_kev:g} keV that would be a density of "
            f"{density_of(value, energy_kev):.3g} g/cm³, where {low:g} to {high:g} are possible"
        )
    remedy = _remedy(value, unit, energy_kev, voxel_um)
    return (
        f"the electrolyte's μ is {value:.4g} 1/cm; {why}. {remedy}. Withheld: this value, noise in "
        "1/cm, transmission of planes, state of charge; edges beside steel are taken to look as at "
        "a typical μ"
    )


def _remedy(value: float, unit: str | None, energy_kev: float | None, voxel_um: float) -> str:
    if unit is None:
        return f'{_what_fits(value, energy_kev)}; grey values go by volume_unit="grey"'
    units = {**_UNITS, "1/px": 1e4 / voxel_um}
    fitting = [
        name for name, factor in units.items() if _is_plausible(value * factor, energy_kev, False)
    ]
    known = [name for name in fitting if name in ("1/mm", "1/px")]
    if energy_kev is None:
        named = "".join(f"volume.unit: {name} if values are in {name}, " for name in known)
        return (
            f"Give volume.energy_kev, by which units are told; or say {named}"
            "volume.unit: grey if they are on a scale of their own"
        )
    if not fitting:
        return "If values are on a scale of their own, say volume.unit: grey"
    if known:
        return f"Values in {known[0]} would be plausible: say volume.unit: {known[0]} if they are"
    return (
        f"Values in {fitting[0]} would be plausible: turn them into 1/cm, or say volume.unit: grey"
    )


def _what_fits(value: float, energy_kev: float | None) -> str:
    """Say with which energy, or which size of pixels, the value would be usual."""
    energies = np.arange(_ENERGIES[1], _ENERGIES[0], 0.5)
    usual = np.array([float(mu_per_cm("lpscl_pressed", energy)) for energy in energies])
    nearest = int(np.argmin(np.abs(np.log(usual / max(value, 1e-9)))))
    if energy_kev is None or not usual[-1] < value < usual[0]:
        return "Look at energy_kev and the pixel size"
    pixels = value / float(mu_per_cm("lpscl_pressed", energy_kev))
    return (
        f"Look at energy_kev ({energies[nearest]:.3g} keV would fit) and the pixel size (pixels "
        f"{pixels:.2g} times as large would)"
    )
