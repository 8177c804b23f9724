"""Pores, drawn where they are needed. In: a range of heights; out: the same pores every time.

A full cell has millions of them: they are drawn layer by layer, each layer from a seed of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.phantom.cell.layout import Layout
from xct.phantom.cell.substances import ELECTROLYTE, MATRIX, POROSITY

_LAYER_UM = 20.0
# About four to a grain; finer ones are part of its density, 0.88 to 1.
GRAIN_PORES, _GRAIN_PORE_UM, _GRAIN_UM = 0.005, (1.0, 3.0), 14.0
_MATRIX_PORE_UM = (2.0, 5.0)
# Of the other make: clusters of clusters of pores, few of them large.
_FRACTAL_UM, _SIZE_POWER = (0.8, 4.0), 2.5
_COARSEST_UM, _OCTAVES, _ROUGHNESS, _CONTRAST = 150.0, 5, 0.4, 4.0
_EMPTY = 0.35  # of the places for grains, so that their sizes differ


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
    host : int
        The substance, as `xct.phantom.cell.raster` numbers them, in which they open.
    grain_um : float or None
        Distance of grains, on whose boundaries they lie; None: anywhere.
    fractal : bool
        They come in clusters of clusters, and fewer the larger they are.
    """

    low_um: float
    high_um: float
    fraction: float
    diameters_um: tuple[float, float]
    host: int
    grain_um: float | None
    fractal: bool = False

    def between(self, low_um: float, high_um: float, layout: Layout, seed: int) -> np.ndarray:
        """Draw the pores that may reach between two heights.

        Returns
        -------
        ndarray of float32, shape (n, 5)
            z, y, x, radius (µm) and host.
        """
        # A pore that is moved to a boundary may come from another layer.
        reach = self.diameters_um[1] / 2 + (self.grain_um or 0)
        low = max(low_um - reach, self.low_um)
        high = min(high_um + reach, self.high_um)
        layers = range(int(low // _LAYER_UM), int(high // _LAYER_UM) + 1) if high > low else ()
        parts = [np.empty((0, 5), np.float32), *(self._layer(n, layout, seed) for n in layers)]
        pores = np.concatenate(parts)
        seen = (pores[:, 0] + pores[:, 3] >= low_um) & (pores[:, 0] - pores[:, 3] <= high_um)
        return np.asarray(pores[seen])

    def _layer(self, layer: int, layout: Layout, seed: int) -> np.ndarray:
        rng = np.random.default_rng((seed, 4, self.host, layer + 10_000))
        small, large = self.diameters_um
        power = _SIZE_POWER if self.fractal else 0.0
        mean = np.pi / 6 * _integral(3 - power, small, large) / _integral(-power, small, large)
        volume = np.pi * layout.bore_radius_um**2 * _LAYER_UM
        count = rng.poisson((2 if self.fractal else 1) * self.fraction * volume / mean)
        pores = np.empty((count, 5), np.float32)
        pores[:, 0] = z = (layer + rng.random(count)) * _LAYER_UM
        radius = layout.bore_radius_um * np.sqrt(rng.random(count))
        azimuth = rng.uniform(0, 2 * np.pi, count)
        pores[:, 1] = layout.axis[0] + layout.axis[2] * z + radius * np.sin(azimuth)
        pores[:, 2] = layout.axis[1] + layout.axis[3] * z + radius * np.cos(azimuth)
        pores[:, 3] = rng.uniform(small, large, count) / 2
        pores[:, 4] = self.host
        if self.fractal:
            pores = _clustered(pores, self.diameters_um, seed, rng)
            count = len(pores)
        if self.grain_um is not None:
            grain, salt = self.grain_um, np.uint64(seed)

            def move(first: int, stop: int) -> None:
                _to_boundaries(pores[first:stop], grain, salt)

            over_ranges(move, count, least=1000)
        return pores


def _integral(power: float, low: float, high: float) -> float:
    """Integrate x**power, power not -1."""
    return float((high ** (power + 1) - low ** (power + 1)) / (power + 1))


def _clustered(
    pores: np.ndarray, diameters_um: tuple[float, float], seed: int, rng: np.random.Generator
) -> np.ndarray:
    """Keep half of the pores, more where noise of all scales is high; sizes by a power law."""
    noise = np.zeros(len(pores))
    for octave in range(_OCTAVES):
        noise += 2 ** (-_ROUGHNESS * octave) * _value_noise(
            pores[:, :3] * np.float32(2**octave / _COARSEST_UM), np.uint64(seed + 1000 * octave)
        )
    kept = pores[rng.random(len(pores)) < 1 / (1 + np.exp(-_CONTRAST * noise))]
    low, high = (d ** (1 - _SIZE_POWER) for d in diameters_um)
    kept[:, 3] = (low + rng.random(len(kept)) * (high - low)) ** (1 / (1 - _SIZE_POWER)) / 2
    return np.ascontiguousarray(kept)


@njit(cache=True, nogil=True)
def _value_noise(points: np.ndarray, salt: Any) -> np.ndarray:
    """Interpolate numbers from -1 to 1 that chance has put on a lattice of distance 1."""
    found = np.zeros(len(points))
    for p in range(len(points)):
        low = np.floor(points[p])
        part = points[p] - low
        for c in range(2):
            for b in range(2):
                for a in range(2):
                    weight = (c * part[0] + (1 - c) * (1 - part[0])) * (
                        b * part[1] + (1 - b) * (1 - part[1])
                    ) * (a * part[2] + (1 - a) * (1 - part[2]))  # fmt: skip
                    key = _mixed(salt, low[0] + c, low[1] + b, low[2] + a)
                    found[p] += weight * (2 * _uniform(key) - 1)
    return found


def draw_pores(
    layout: Layout, ncm_fraction: float, *, fractal: bool = False
) -> tuple[Pores, Pores]:
    """Plan the pores between the electrolyte's grains, and those in the composite."""
    # Room for rough and tilted faces: a pore opens only in its own layer.
    room = 0.1 * layout.bore_radius_um + 20
    steel, _, front, collector, _ = layout.heights_um
    # Pores lie in what is not active material, and may overlap.
    fraction = -float(np.log(1 - min(POROSITY / (1 - ncm_fraction), 0.5)))
    return (
        Pores(steel - room, front + room, GRAIN_PORES, _FRACTAL_UM, ELECTROLYTE, None, True)
        if fractal
        else Pores(steel - room, front + room, GRAIN_PORES, _GRAIN_PORE_UM, ELECTROLYTE, _GRAIN_UM),
        Pores(front - room, collector + room, fraction, _MATRIX_PORE_UM, MATRIX, None),
    )


@njit(cache=True, nogil=True)
def _to_boundaries(pores: np.ndarray, grain: float, salt: Any) -> None:
    """Move pores to the plane halfway between the two nearest middles of grains."""
    nearest = np.empty((2, 3))
    for p in range(len(pores)):
        point = pores[p, :3] / grain
        low = np.floor(point)
        best, second = np.inf, np.inf
        for k in range(-2, 3):
            for j in range(-2, 3):
                for i in range(-2, 3):
                    a, b, c = low[0] + k, low[1] + j, low[2] + i
                    key = _mixed(salt, a, b, c)
                    if _uniform(key) < _EMPTY:
                        continue
                    z = a + _uniform(_again(key))
                    y = b + _uniform(_again(_again(key)))
                    x = c + _uniform(_again(_again(_again(key))))
                    squared = (z - point[0]) ** 2 + (y - point[1]) ** 2 + (x - point[2]) ** 2
                    if squared < best:
                        second = best
                        nearest[1] = nearest[0]
                        best = squared
                        nearest[0, 0], nearest[0, 1], nearest[0, 2] = z, y, x
                    elif squared < second:
                        second = squared
                        nearest[1, 0], nearest[1, 1], nearest[1, 2] = z, y, x
        if second == np.inf:
            continue
        normal = nearest[1] - nearest[0]
        apart = np.sum(normal * normal)
        offset = np.sum((point - 0.5 * (nearest[0] + nearest[1])) * normal) / apart
        if offset * offset * apart > 1:  # too far: slabs look for pores one grain away
            continue
        for axis in range(3):
            pores[p, axis] = (point[axis] - offset * normal[axis]) * grain


@njit(cache=True, nogil=True, inline="always")
def _again(key: Any) -> Any:
    """One round of splitmix64 (Steele, Lea & Flood 2014)."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def _mixed(salt: Any, a: float, b: float, c: float) -> Any:
    key = _again(np.uint64(salt) + np.uint64(np.int64(a) + 1_000_000))
    key = _again(key + np.uint64(np.int64(b) + 1_000_000))
    return _again(key + np.uint64(np.int64(c) + 1_000_000))


@njit(cache=True, nogil=True, inline="always")
def _uniform(key: Any) -> Any:
    """Turn a key into a number from 0 to 1."""
    return (key >> np.uint64(11)) * (1.0 / 9007199254740992.0)
