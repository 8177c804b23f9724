"""Layers of a cell: what each is made of. In: volume fractions; out: attenuation of the plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xct.errors import ConfigError
from xct.physics.materials import TABLE, mu_per_cm


@dataclass(frozen=True)
class Layer:
    """One plane of the cell.

    Attributes
    ----------
    name : str
    fractions : mapping of str to float
        Volume fraction of each material of `xct.physics.materials.TABLE`; what is missing to 1 is
        void.
    thickness_um : float
        Its height.
    """

    name: str
    fractions: Mapping[str, float]
    thickness_um: float

    def mu_per_cm(self, energy_kev: float) -> float:
        """Give the mean attenuation, 1/cm."""
        return float(
            sum(fraction * mu_per_cm(m, energy_kev) for m, fraction in self.fractions.items())
        )


# The cell of Zheng et al. (2023), doi:10.1016/j.scib.2023.03.021; the composite has 12 % pores.
TOMO_CELL = (
    Layer("lithium", {"lithium": 1.0}, 150),
    Layer("electrolyte", {"lpscl_pressed": 1.0}, 600),
    Layer("cathode", {"ncm811": 0.40, "lpscl": 0.437, "carbon": 0.043}, 200),
    Layer("collector", {"aluminium": 1.0}, 30),
    Layer("steel", {"steel": 1.0}, 1500),
)


def layer_from_text(text: str) -> Layer:
    """Read a layer such as ``cathode=ncm811:0.4,lpscl:0.437,carbon:0.043@200``.

    Parameters
    ----------
    text : str
        ``name=material:fraction,…``, and behind ``@`` the thickness in µm, 100 unless given. A
        material alone has the fraction 1.

    Returns
    -------
    Layer

    Raises
    ------
    ConfigError
        If it is written otherwise, a material is not known, or the fractions exceed 1.
    """
    name, equals, rest = text.partition("=")
    parts, _, height = rest.partition("@")
    fractions: dict[str, float] = {}
    try:
        thickness_um = float(height or 100)
        for part in parts.split(","):
            material, _, fraction = part.strip().partition(":")
            fractions[material] = float(fraction or 1)
    except ValueError:
        equals = ""
    if not (name.strip() and equals and thickness_um > 0):
        raise ConfigError(
            f"layer {text!r}: write NAME=MATERIAL:FRACTION,…@THICKNESS_UM, such as "
            "cathode=ncm811:0.4,lpscl:0.437,carbon:0.043@200"
        )
    unknown = [material for material in fractions if material not in TABLE]
    if unknown:
        raise ConfigError(f"layer {name}: {unknown[0]!r} is not known; expected {', '.join(TABLE)}")
    if min(fractions.values()) < 0 or sum(fractions.values()) > 1 + 1e-6:
        raise ConfigError(
            f"layer {name}: the fractions add up to {sum(fractions.values()):g}; expected 0 … 1"
        )
    return Layer(name.strip(), fractions, thickness_um)
