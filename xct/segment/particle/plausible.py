"""Whether the voxel size can be right, by particles. In: their table; out: a warning.

Nothing in a volume says how long its voxels are. But particles of a cathode are micrometers wide,
and as high as they are wide, whatever pressed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xct.quantity import Quantity, declare

if TYPE_CHECKING:
    import pandas as pd

_LEAST = 20  # particles, that tell anything
_KNOWN_WIDTHS_UM = (0.3, 100.0)  # of single crystals, and of agglomerates
# In the six virtual cells 0.96 to 0.97. A slip of units or of binning is at least a factor of 2;
# pressed cathodes are flatter by a fifth at most. Particles of four voxels in every other slice
# had 0.82 in place of 0.5: joined along z, they hide it.
_FLATTEST, _TALLEST = 0.65, 1.55
_MOST_OBLONG = 2.1  # edges of a voxel: in longer ones, heights are those of the slices


@dataclass(frozen=True)
class ParticleShape:
    """What particles are like.

    Attributes
    ----------
    median_um : float
        Of their equivalent diameters.
    height_ratio : float
        Median extent along z over that across; NaN where voxels are too long to tell.
    n : int
        How many.
    """

    median_um: float
    height_ratio: float
    n: int


def look_at_shape(particles: pd.DataFrame, edge_ratio: float | None = None) -> ParticleShape | None:
    """Take medians over particles; None of those of a stack without a cell, which may be any.

    Parameters
    ----------
    particles : DataFrame
        With equivalent_diameter_um and height_ratio.
    edge_ratio : float, optional
        Longest edge of a voxel over its shortest.
    """
    if "height_ratio" not in particles:
        return None
    told = (edge_ratio or 1.0) <= _MOST_OBLONG
    return ParticleShape(
        float(particles["equivalent_diameter_um"].median()),
        float(particles["height_ratio"].median()) if told else float("nan"),
        len(particles),
    )


def shape_warning(particle_shape: ParticleShape | None) -> str | None:
    """Say that the voxel size cannot be right; None where it can."""
    if particle_shape is None or particle_shape.n < _LEAST:
        return None
    seen, said = particle_shape, []
    least, most = _KNOWN_WIDTHS_UM
    if not least <= seen.median_um <= most:
        said.append(
            f"voxel_size_um: the median particle is {seen.median_um:.3g} µm wide, where those of "
            f"cathodes are of known widths, {least:g} to {most:g} µm; is the size given in µm?"
        )
    if seen.height_ratio < _FLATTEST or seen.height_ratio > _TALLEST:
        said.append(
            f"voxel_size_um: particles are {seen.height_ratio:.2g} times as long along z as "
            f"across, in the median of {seen.n}; does the distance of slices differ from what is "
            "said? All thicknesses go with it"
        )
    return "; ".join(said) or None


declare(
    Quantity(
        "particle_shape",
        unit="median width of particles, and their height over it",
        source="run",
        derive=look_at_shape,
        warning=shape_warning,
    )
)
