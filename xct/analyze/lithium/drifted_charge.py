"""Whether drifted particles hold another amount of lithium. In: table of charge; out: a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt, Lt

from xct.physics.materials import mu_per_cm

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["no_change", "change", "other_cause", "undecidable", "too_few"]

_LEAST = 3  # particles in a group
_SIGNIFICANT = 2.58  # standard errors: 1 % of null cells
_UNEXPLAINED = 1.5  # times the stated noise: the particles differ among themselves


@dataclass(frozen=True)
class ChargeContrast:
    """Difference of μ between drifted and attached particles.

    Attributes
    ----------
    difference : float
        Relative: 0.074 is what taking out 70 % of the lithium would give.
    sd : float
        Its standard deviation, systematic errors included.
    n_drifted, n_attached : int
        Particles compared.
    verdict : {"no_change", "change", "other_cause", "undecidable", "too_few"}
        ``other_cause``: larger than any charge could make it. ``undecidable``: it might be
        charge, but the particles of a group differ by more than noise (cracks, cavities), or the
        transmission of the planes differs, which looks the same.
    """

    difference: float
    sd: float
    n_drifted: int
    n_attached: int
    verdict: Verdict


def charge_contrast(
    charge: pd.DataFrame,
    particles: pd.DataFrame,
    *,
    energy_kev: Annotated[float, Gt(1), Lt(100)] = 25.0,
) -> ChargeContrast:
    """Compare drifted particles with those of the cathode.

    Drift alone must not be read as a change of lithium content: a drifted particle lies in a
    plane that transmits more, alone, and is not cracked by its neighbors.

    Parameters
    ----------
    charge : DataFrame
        What `state_of_charge` gave.
    particles : DataFrame
        The table that it was made from.
    energy_kev : float, optional
        Photon energy.
    """
    usable = np.isfinite(charge["mu_per_cm"].to_numpy(float))
    usable &= ~charge["withheld"].astype(str).str.contains("glare|beside").to_numpy(bool)
    drifted = usable & particles["drifted"].to_numpy(bool)
    attached = usable & particles["attached"].to_numpy(bool)
    counts = int(drifted.sum()), int(attached.sum())
    if min(counts) < _LEAST:
        return ChargeContrast(float("nan"), float("nan"), *counts, "too_few")
    relative = _common_uncertainty(charge, particles)
    far, near = (charge.assign(relative=relative)[group] for group in (drifted, attached))
    level = float(near["mu_per_cm"].median())
    difference = (float(far["mu_per_cm"].median()) - level) / level
    sd = float(np.hypot(_standard_error(far), _standard_error(near))) / level
    systematic = _systematic(far, near)
    most = abs(float(mu_per_cm("ncm811", energy_kev, lithium=0.0)) / _full(energy_kev) - 1)
    total = float(np.hypot(sd, systematic))
    return ChargeContrast(
        difference, total, *counts, _verdict(difference, sd, total, most, far, near)
    )


def _full(energy_kev: float) -> float:
    return float(mu_per_cm("ncm811", energy_kev, lithium=1.0))


def _verdict(
    difference: float, sd: float, total: float, most: float, far: pd.DataFrame, near: pd.DataFrame
) -> Verdict:
    if abs(difference) <= _SIGNIFICANT * sd:
        return "no_change" if _SIGNIFICANT * total < most else "undecidable"
    if abs(difference) - _SIGNIFICANT * total > most:
        return "other_cause"
    differ = any(_unexplained(group) for group in (far, near))
    if differ or abs(difference) <= _SIGNIFICANT * total:
        return "undecidable"
    return "change"


def _standard_error(group: pd.DataFrame) -> float:
    """Of the median; three or four particles may lie closer together than their noise allows."""
    scatter = max(_scatter_of(group), float(group["mu_per_cm_noise_sd"].median()))
    return float(1.2533 * scatter / np.sqrt(len(group)))


def _scatter_of(group: pd.DataFrame) -> float:
    """Give the standard deviation among particles, from their quartiles."""
    low, high = np.percentile(group["mu_per_cm"].to_numpy(float), (25, 75))
    return float((high - low) / 1.349)


def _unexplained(group: pd.DataFrame) -> bool:
    """Whether particles differ by more than noise."""
    return _scatter_of(group) > _UNEXPLAINED * float(group["mu_per_cm_noise_sd"].median())


def _common_uncertainty(charge: pd.DataFrame, particles: pd.DataFrame) -> np.ndarray:
    """Relative uncertainty of each reading without that of its own core: of glare and scale."""
    mu, sd, noise = (
        charge[name].to_numpy(float) for name in ("mu_per_cm", "mu_per_cm_sd", "mu_per_cm_noise_sd")
    )
    core, core_noise = (
        particles[name].to_numpy(float) for name in ("core_grey_sd", "core_grey_noise_sd")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        own = core * noise / core_noise
        return np.asarray(np.sqrt(np.maximum(sd**2 - own**2, 0)) / mu)


def _systematic(far: pd.DataFrame, near: pd.DataFrame) -> float:
    """Give the relative uncertainty that is common to a group, as far as the planes differ."""
    relative = max(float(group["relative"].median()) for group in (far, near))
    planes = [float(group["transmission"].median()) for group in (far, near)]
    alike = min(planes) / max(max(planes), 1e-30)
    return relative * (1 - alike)
