"""Whether the voxel size can be right, by particles. In: their table; out: a warning.

Nothing in a volume says how long its voxels are. But particles of a cathode are micrometers wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xct.quantity import Quantity, declare

if TYPE_CHECKING:
    import pandas as pd

_LEAST = 20  # particles, that tell anything
_KNOWN_WIDTHS_UM = (0.3, 100.0)  # of single crystals, and of agglomerates


@dataclass(frozen=True)
class ParticleShape:
    """What particles are like.

    Attributes
    ----------
    median_um : float
        Of their equivalent diameters.
    n : int
        How many.
    """

    median_um: float
    n: int


def look_at_shape(particles: pd.DataFrame) -> ParticleShape | None:
    """Take medians over particles; None of those of a stack without a cell, which may be any.

    Parameters
    ----------
    particles : DataFrame
        With equivalent_diameter_um and, of a cell, height_ratio.
    """
    if "height_ratio" not in particles:
        return None
    return ParticleShape(float(particles["equivalent_diameter_um"].median()), len(particles))


def shape_warning(particle_shape: ParticleShape | None) -> str | None:
    """Say that the voxel size cannot be right; None where it can."""
    if particle_shape is None or particle_shape.n < _LEAST:
        return None
    least, most = _KNOWN_WIDTHS_UM
    if least <= particle_shape.median_um <= most:
        return None
    return (
        f"voxel_size_um: the median particle is {particle_shape.median_um:.3g} µm wide, where "
        f"those of cathodes are of known widths, {least:g} to {most:g} µm; is the size given in µm?"
    )


declare(
    Quantity(
        "particle_shape",
        unit="median width of particles",
        source="run",
        derive=look_at_shape,
        warning=shape_warning,
    )
)
