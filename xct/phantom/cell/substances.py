"""What the layers of a virtual cell are made of. In: an energy; out: μ and δ by substance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.geometry import Label
from xct.physics.materials import TABLE, delta, mu_per_cm

# Numbers of what a point of a virtual cell can be, and of its tiles.

TILE = 8
POINTS = 4

# What a point can be, beside a particle.
AIR, LITHIUM, ELECTROLYTE, MATRIX, STEEL, COLLECTOR, TUBE, VOID, TORLON, CHIP = range(10)
SUBSTANCES = 10
# A crack in a particle is bent by a wave, and ends at this fraction of its longest way.
WAVE, WAVES, END = 0.06, 4.0, 0.45
LABELS = np.array(
    [
        Label.OUTSIDE, Label.LITHIUM, Label.ELECTROLYTE, Label.ELECTROLYTE, Label.STEEL,
        Label.COLLECTOR, Label.TUBE, Label.LOW_GREY, Label.TUBE, Label.LOW_GREY,
    ],
    np.uint8,
)  # fmt: skip


# In the order in which `xct.phantom.cell.raster` numbers them; the matrix is mixed below.
_NAMES = (
    "air", "lithium", "lpscl", "lpscl", "steel", "aluminium", "polyimide", "air", "torlon",
    "lithium",
)  # fmt: skip
# Volume fractions in the composite, which is 70 : 30 : 3 by weight of NCM, LPSCl and carbon.
NCM_IN_SOLID, LPSCL_IN_SOLID, CARBON_IN_SOLID = 0.454, 0.497, 0.049
NCM_FRACTION = 0.40  # with pores
POROSITY = 0.12  # of the composite
# The electrolyte is pressed from the cathode's side, and denser there.
_DENSITIES = ("lpscl_pressed", "lpscl")


@dataclass(frozen=True)
class Substances:
    """μ in 1/cm and δ, by substance."""

    mu: np.ndarray
    delta: np.ndarray


def substances_at(energy_kev: float) -> Substances:
    """Give μ and δ of all substances; the composite's electrolyte holds the carbon."""
    tables = []
    for value_of in (mu_per_cm, delta):
        values = np.array([float(value_of(name, energy_kev)) for name in _NAMES])
        mixed = LPSCL_IN_SOLID * values[MATRIX] + CARBON_IN_SOLID * float(
            value_of("carbon", energy_kev)
        )
        values[MATRIX] = mixed / (LPSCL_IN_SOLID + CARBON_IN_SOLID)
        tables.append(values)
    assert len(_NAMES) == SUBSTANCES
    return Substances(*tables)


def relative_densities() -> tuple[float, float]:
    """Give the electrolyte's density at the anode and at the cathode, over that of LPSCl."""
    first, last = (TABLE[name].density / TABLE["lpscl"].density for name in _DENSITIES)
    return first, last
