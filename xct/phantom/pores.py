"""Pores, drawn where they are needed. In: a range of heights; out: the same pores every time.

A full cell has millions of them: they are drawn layer by layer, each layer from a seed of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.phantom.bodies import PORE, Bodies, joined, plain_bodies
from xct.phantom.layout import Layout

_LAYER_UM = 40.0


@dataclass(frozen=True)
class Pores:
    """Spherical pores between two heights.

    Attributes
    ----------
    low_um, high_um : float
        Where they may lie.
    fraction : float
        Volume that they would fill if none overlapped.
    diameters_um : tuple of float
        Smallest and largest.
    """

    low_um: float
    high_um: float
    fraction: float
    diameters_um: tuple[float, float]

    def between(self, low_um: float, high_um: float, layout: Layout, seed: int) -> Bodies:
        """Draw the pores that may reach between two heights."""
        reach = self.diameters_um[1] / 2
        low = max(low_um - reach, self.low_um)
        high = min(high_um + reach, self.high_um)
        layers = range(int(low // _LAYER_UM), int(high // _LAYER_UM) + 1) if high > low else ()
        parts = [self._layer(layer, layout, seed) for layer in layers]
        nothing = plain_bodies(PORE, np.empty((0, 3)), np.empty((0, 3)), mu=0, delta=0)
        return joined(nothing, *parts).between(low_um, high_um)

    def _layer(self, layer: int, layout: Layout, seed: int) -> Bodies:
        rng = np.random.default_rng((seed, 4, round(self.fraction * 1e6), layer + 1000))
        small, large = self.diameters_um
        mean = np.pi / 24 * (large**4 - small**4) / (large - small)
        volume = np.pi * layout.bore_radius_um**2 * _LAYER_UM
        count = rng.poisson(self.fraction * volume / mean)
        z = (layer + rng.random(count)) * _LAYER_UM
        radius = layout.bore_radius_um * np.sqrt(rng.random(count))
        azimuth = rng.uniform(0, 2 * np.pi, count)
        y = layout.axis[0] + layout.axis[2] * z + radius * np.sin(azimuth)
        x = layout.axis[1] + layout.axis[3] * z + radius * np.cos(azimuth)
        half = rng.uniform(small, large, count)[:, None].repeat(3, axis=1) / 2
        inside = (z > self.low_um) & (z < self.high_um)
        return plain_bodies(PORE, np.column_stack([z, y, x])[inside], half[inside], mu=0, delta=0)
