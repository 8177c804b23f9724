"""How a virtual cell was filled, before it was cycled. In: a name; out: packing, shapes, pores.

Rules that are tuned to one generator fail on real cells: the other make differs in all that a
rule could have learned, and is what they are tried on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xct.phantom.cell.bodies import FACETS, LEAST_ANGLE_DEG, FacetLibrary, facet_library
from xct.phantom.cell.interfaces import Bend
from xct.phantom.cell.substances import NCM_FRACTION


@dataclass(frozen=True)
class Make:
    """What a cell was made from, and how it was filled.

    Attributes
    ----------
    name : str
        As on the command line.
    scattered : bool
        Particles lie where chance put them, one after the other, without overlap; else they pushed
        each other apart until they fitted.
    ncm_fraction : float
        Volume fraction of NCM in the cathode, unless another is asked for.
    facets, facet_angle_deg, facet_depth
        Caps that are cut off each particle: how many, how far apart, where they end.
    flattest : float
        Shortest half axis of a particle to its longest.
    sizes : tuple of float
        Medians of the distributions of diameters, to the median; particles are dealt out evenly.
    fractal_pores : bool
        The electrolyte's pores come in clusters of clusters, and few are large; else they are even.
    bend_um : float
        By how much both faces of the electrolyte are tilted, and how high they are domed.
    """

    name: str
    scattered: bool = False
    ncm_fraction: float = NCM_FRACTION
    facets: int = FACETS
    facet_angle_deg: float = LEAST_ANGLE_DEG
    facet_depth: tuple[float, float] = (0.88, 0.97)
    flattest: float = 0.90
    sizes: tuple[float, ...] = (1.0,)
    fractal_pores: bool = False
    bend_um: float = 0.0

    def library(self) -> FacetLibrary:
        """Give the shapes of its particles."""
        return _library(self.facets, self.facet_angle_deg, self.facet_depth)

    def bend(self, seed: int) -> Bend:
        """Give the tilt and the dome of a cell: either may go either way."""
        rng = np.random.default_rng((seed, 5))
        dome, tilt = rng.uniform(0.4, 1, 2) * self.bend_um
        return Bend(dome * rng.choice([-1, 1]), tilt, rng.uniform(0, 2 * np.pi))


MAKES: dict[str, Make] = {
    make.name: make
    for make in (
        Make("pressed"),
        Make(
            "scattered", scattered=True, ncm_fraction=0.33, facets=8, facet_angle_deg=50.0,
            facet_depth=(0.72, 0.92), flattest=0.75, sizes=(0.75, 1.3), fractal_pores=True,
            bend_um=10.0,
        ),
    )
}  # fmt: skip


def make_named(name: str) -> Make:
    """Give a make by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in MAKES:
        raise ValueError(f"make = {name!r} is not known; expected one of {', '.join(MAKES)}")
    return MAKES[name]


@lru_cache
def _library(facets: int, angle_deg: float, depth: tuple[float, float]) -> FacetLibrary:
    return facet_library(facets=facets, least_angle_deg=angle_deg, depth=depth)
