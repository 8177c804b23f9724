"""Lithium contents from μ of particles. In: readings of μ; out: contents, and what to withhold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.analyze.lithium.population import Readings, fraction_alike
from xct.analyze.lithium.void_level import VoidLevel
from xct.physics.materials import mu_per_cm

_INTERVAL = 1.96  # standard deviations on each side
_LITHIUM = np.linspace(0, 1, 101)
# Where μ is less certain than half of what the whole charge changes, no reading is given.
_LARGEST_UNCERTAINTY = 0.037
# The widest interval of x that still says something, if it leaves out part of 0 … 1: by chance
# alone hardly any wider one does.
_WIDEST = 1.2
_LEVEL_SD = 0.15  # of what voids take from particles of one size: ncm-0 … ncm-100, seed 0
_GLARE = (
    "glare: it may take from μ more than half of what the whole charge changes; give its fraction "
    "by steps.glare.fraction, and how much may be left by steps.state_of_charge.glare"
)
_UNDECIDABLE = "undecidable: noise, cracks and cavities could make as much as the whole charge"
# Where hardly any particle of a size is given, those are given that chance made read so.
_LEAST_GIVEN = 0.1
_CHOSEN_BY_CHANCE = "undecidable: as are nearly all particles of this size"
_DOUBTFUL = "beside a face, where phase retrieval falls short"
READ = ("", _UNDECIDABLE, _CHOSEN_BY_CHANCE)  # has a value, given or not


class Contents(NamedTuple):
    """Lithium content x of each particle, with its interval, on a line beyond 0 … 1."""

    content: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def possible(self) -> np.ndarray:
        """Whether the interval meets 0 … 1."""
        return np.asarray(~(self.low > 1) & ~(self.high < 0))

    @property
    def undecidable(self) -> np.ndarray:
        """Whether the interval leaves out too little of 0 … 1 to say anything."""
        wide = ~(self.high - self.low < _WIDEST)
        return np.asarray(wide | ((self.low <= 0) & (self.high >= 1)))


def contents(
    readings: Readings,
    level: VoidLevel,
    common: np.ndarray,
    taken: np.ndarray,
    energy_kev: float,
) -> Contents:
    """Read x from μ: glare that hides attenuation widens the interval towards less lithium alone.

    Parameters
    ----------
    readings : Readings
        ln μ of each particle without its voids.
    level : VoidLevel
        Of voids that may hide in what is not known of the noise, or be read into it.
    common : ndarray, shape (particle,)
        Relative uncertainty of μ that does not differ from particle to particle.
    taken : ndarray, shape (particle,)
        What glare may at most take from μ, relative.
    energy_kev : float
        Photon energy.

    Returns
    -------
    Contents
    """
    mu = np.exp(readings.logarithm)
    alike = np.hypot(common, _LEVEL_SD * readings.typical)
    symmetric = _INTERVAL * np.hypot(readings.sd, alike)
    return Contents(
        _content(mu, energy_kev),
        _content(mu * (1 + _all(symmetric, taken, level.high - level.typical)), energy_kev),
        _content(mu * (1 - _all(symmetric, level.typical - level.low)), energy_kev),
    )


def _all(*parts: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(sum(part**2 for part in parts)))


def why_withheld(
    read: Contents, mu: np.ndarray, relative: np.ndarray, beside: np.ndarray, diameter: np.ndarray
) -> np.ndarray:
    """Say why a content is withheld, for each particle; empty where it is not.

    Parameters
    ----------
    read : Contents
        What is read.
    mu, relative : ndarray, shape (particle,)
        μ of each core, 1/cm, and its relative uncertainty by glare and scale.
    beside : ndarray of bool, shape (particle,)
        Whether it lies beside a face where phase retrieval falls short.
    diameter : ndarray, shape (particle,)
        Equivalent diameter, µm.
    """
    veiled = relative > _LARGEST_UNCERTAINTY
    why = np.select(
        [veiled, ~np.isfinite(mu), beside, read.undecidable],
        [_GLARE, "no core", _DOUBTFUL, _UNDECIDABLE],
        "",
    )
    # Planes and faces leave out particles whatever they read; the others are chosen by it.
    among = np.flatnonzero(~veiled & ~beside)
    by_chance = np.zeros(len(mu), bool)
    by_chance[among] = fraction_alike(why[among] == "", diameter[among]) < _LEAST_GIVEN
    return np.where(by_chance & (why == ""), _CHOSEN_BY_CHANCE, why)


def _content(mu: np.ndarray, energy_kev: float) -> np.ndarray:
    """Give x of NCM811 by its attenuation, on a line beyond 0 … 1."""
    table = np.asarray(mu_per_cm("ncm811", energy_kev, lithium=_LITHIUM), float)
    slope, level = np.polyfit(_LITHIUM, table, 1)
    x = np.interp(mu, table[::-1], _LITHIUM[::-1], left=np.nan, right=np.nan)
    return np.asarray(np.where(np.isfinite(x), x, (mu - level) / slope))
