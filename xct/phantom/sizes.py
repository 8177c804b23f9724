"""Sizes and shapes of particles. In: a median diameter; out: diameters, half axes, cracks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.phantom.bodies import SHAPES, FacetLibrary, directions, turned_to
from xct.phantom.codes import END

SIGMA_G = 1.35
DIAMETERS = (1 / 3, 2.0)  # smallest and largest, to the median: 3 and 18 µm for 9
_FLATTEST = 0.90  # of a particle's half axes, to its longest


@dataclass(frozen=True)
class Sizes:
    """Equivalent diameter, longest half axis, axis ratios (n, 3) and row of the facet library."""

    diameter: np.ndarray
    longest: np.ndarray
    ratio: np.ndarray
    shape: np.ndarray

    def times(self, scale: np.ndarray) -> Sizes:
        """Scale each particle."""
        return replace(self, diameter=self.diameter * scale, longest=self.longest * scale)


def lognormal_um(count: int, d50_um: float, rng: np.random.Generator) -> np.ndarray:
    """Draw diameters from a third to twice of their median."""
    low, high = (limit * d50_um for limit in DIAMETERS)
    found = np.empty(0)
    while len(found) < count:
        drawn = d50_um * SIGMA_G ** rng.standard_normal(count + 50)
        found = np.append(found, drawn[(drawn > low) & (drawn < high)])
    return found[:count]


def filling_um(volume_um3: float, d50_um: float, rng: np.random.Generator) -> np.ndarray:
    """Draw diameters until their volumes add up."""
    mean = np.pi / 6 * d50_um**3 * np.exp(4.5 * np.log(SIGMA_G) ** 2)
    drawn = lognormal_um(int(1.3 * volume_um3 / mean) + 100, d50_um, rng)
    filled = np.cumsum(np.pi / 6 * drawn**3)
    return drawn[: int(np.searchsorted(filled, volume_um3)) + 1]


def shaped(diameter: np.ndarray, library: FacetLibrary, rng: np.random.Generator) -> Sizes:
    """Give each particle a shape of its volume: a flattened and turned row of the library."""
    count = len(diameter)
    shape = rng.integers(0, SHAPES, count)
    ratio = np.column_stack([np.ones(count), rng.uniform(_FLATTEST, 1, (count, 2))])
    unit = library.volume[shape] * ratio.prod(axis=1)
    return Sizes(diameter, np.cbrt(np.pi / 6 * diameter**3 / unit), ratio, shape)


def ellipsoid_sphericity(ratio: np.ndarray) -> np.ndarray:
    """Sphericity of ellipsoids; area by Knud Thomsen's formula, within 1.1 %."""
    a, b, c = ratio.T**1.6075
    area = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075)
    sphere = 4 * np.pi * ratio.prod(axis=1) ** (2 / 3)
    return np.asarray(sphere / area)


def draw_slits(porosity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw two cracks through each particle that together open a share of its volume."""
    count = len(porosity)
    slits = np.zeros((count, 2, 8), np.float32)
    first = rng.uniform(0.5, 1, count)
    for number, share in enumerate((first, 1 - first)):
        turn = turned_to(directions(count, rng), rng)
        off = rng.uniform(-0.4, 0.4, count)
        # The crack is a disc whose far segment, beyond END, stays closed.
        radius = np.sqrt(1 - off**2)
        end = END / radius
        area = radius**2 * (np.pi - np.arccos(end) + end * np.sqrt(1 - end**2))
        slits[:, number, :3] = turn[:, :, 0]
        slits[:, number, 3] = off
        slits[:, number, 4] = porosity * share * (4 / 3 * np.pi) / (2 * area)
        slits[:, number, 5:] = turn[:, :, 1]
    return slits
