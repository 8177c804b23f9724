"""State of charge from grey values, with all that could be mistaken for it.

In: the table of particles, the transmission of planes; out: the lithium content of each particle,
its interval, whether it is possible at all; and whether drifted particles differ. Taking out 70 %
of the lithium raises μ of NCM811 by 7.4 %: less than a glare of 0.3 % changes it in a
photon-starved plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import scipy
from annotated_types import Ge, Gt, Lt

from xct.analyze.grey_counts import plane_transmission as transmission_of
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.physics.materials import mu_per_cm
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.particle.beside_faces import beside_faces
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_INTERVAL = 1.96  # standard deviations on each side
_LITHIUM = np.linspace(0, 1, 101)
# Where μ is less certain than half of what the whole charge changes, no reading is given.
_LARGEST_UNCERTAINTY = 0.037
_AROUND_UM = 20.0
_DOUBTFUL = "beside a face, where phase retrieval falls short"
_GUESSED = (
    "left out: the width of the point spread is a guess, and grey values of particles that are a "
    "few voxels wide depend on it by as much as the whole charge changes; give its FWHM by "
    "steps.electrolyte_reference.blur_um"
)
_NO_MU = (
    "left out: lithium contents are read from μ in 1/cm, and the values of this volume are not "
    "known to be that; give attenuation, and its unit by volume.unit"
)
_NEEDED = (
    "core_grey", "core_grey_sd", "core_grey_noise_sd", "core_share", "radius_um", "cavity_fraction"
)  # fmt: skip


def charge_numbers(
    charge: pd.DataFrame, particles: pd.DataFrame, energy_kev: float
) -> Iterator[tuple[str, Number]]:
    """Say whether drifted particles hold another amount of lithium."""
    contrast = charge_contrast(charge, particles, energy_kev=energy_kev)
    # Also where there are too few: nothing is claimed then.
    yield "drifted_charge", Number(contrast.verdict, n=contrast.n_drifted)
    yield (
        "drifted_mu_difference",
        Number(contrast.difference, sd=contrast.sd, n=contrast.n_drifted),
    )


@stage(
    gives=Quantity(
        "charge", unit="table of lithium contents", store=Table(), numbers=charge_numbers
    ),
    measures=True,
)
def state_of_charge(
    volume: Voxels,
    particles: pd.DataFrame,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    grey_scale: GreyScale = STANDARD_SCALE,
    plane_transmission: pd.DataFrame | None = None,
    uncorrected_fringes: str | None = None,
    steps: Mapping[str, Any] | None = None,
    *,
    energy_kev: float,
    glare_sd: float | None,
    glare: Annotated[float, Ge(0), Lt(1)] = 0.003,
    scale_sd: Annotated[float, Ge(0), Lt(1)] = 0.01,
) -> pd.DataFrame:
    """Read the lithium content of each particle from the grey value of its core.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm; read only where the transmission of planes is not given.
    particles : DataFrame
        Table of particles, with its columns beyond the contract.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte, as in the table.
    plane_transmission : DataFrame, optional
        What `xct.analyze.plane_transmission` gives.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    steps : mapping, optional
        Settings of the steps that led to the volume, by name: after `phase_retrieval` nothing is
        read beside the faces of the cathode.
    energy_kev : float
        Photon energy.
    glare_sd : float or None
        Standard uncertainty of the fraction of the beam that was measured as veiling glare and
        subtracted; None where that was not done.
    glare : float, optional
        Fraction of the beam that may be there as glare, where none was measured and subtracted.
    scale_sd : float, optional
        Relative standard deviation of the scale of μ.

    Returns
    -------
    DataFrame
        particle, mu_per_cm, its sd and what noise has of it, li_content (x; NaN where withheld)
        with li_content_low and li_content_high (95 %), physically_possible (whether the interval
        meets 0 … 1), withheld
        (why, or empty); and the confounders transmission (of the plane, through the bore),
        ncm_fraction (around, within 20 µm), radius_um, equivalent_diameter_um, cavity_fraction,
        core_share.

    Raises
    ------
    ValueError
        If the table lacks what `particles` gives beyond the contract, there are fringes, the
        width of the point spread is a guess, or values are not known to be μ.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    if reference.blur_guessed:
        raise ValueError(_GUESSED)
    if not reference.mu_known:
        raise ValueError(_NO_MU)
    missing = [name for name in _NEEDED if name not in particles]
    if missing:
        raise ValueError(
            f"the table of particles lacks {', '.join(missing)}; give the one that "
            "xct.segment.particles returns"
        )
    z = particles["z_um"].to_numpy(float)
    radius = particles["radius_um"].to_numpy(float)
    at = np.clip(np.rint(z / cell.voxel_size_um[0]).astype(int), 0, cell.shape[0] - 1)
    if plane_transmission is None:
        plane_transmission = transmission_of(volume, cell)
    transmission = plane_transmission["transmission"].to_numpy(float)[at]
    electrolyte = np.asarray(reference.mu_per_cm(z, radius), float)
    step = electrolyte / grey_scale.step
    mu = (particles["core_grey"].to_numpy(float) - grey_scale.zero) * step
    remaining = glare if glare_sd is None else glare_sd
    relative = np.hypot(scale_sd, _glare_uncertainty(transmission, remaining))
    sd = np.hypot(particles["core_grey_sd"].to_numpy(float) * step, relative * mu)
    photon_starved = relative > _LARGEST_UNCERTAINTY
    doubtful = np.zeros(len(mu), bool)
    if "phase_retrieval" in (steps or {}):
        doubtful = beside_faces(particles, cell)
    known = np.isfinite(mu) & ~photon_starved & ~doubtful
    content, low, high = (
        np.where(known, _content(value, energy_kev), np.nan)
        for value in (mu, mu + _INTERVAL * sd, mu - _INTERVAL * sd)
    )
    return pd.DataFrame(
        {
            "particle": particles["particle"].to_numpy(),
            "mu_per_cm": mu,
            "mu_per_cm_sd": sd,
            "mu_per_cm_noise_sd": particles["core_grey_noise_sd"].to_numpy(float) * step,
            "li_content": content,
            "li_content_low": low,
            "li_content_high": high,
            "physically_possible": known & (low <= 1) & (high >= 0),
            "withheld": np.select(
                [photon_starved, ~np.isfinite(mu), doubtful],
                ["photon-starved plane: correct the glare", "no core", _DOUBTFUL],
                "",
            ),
            "transmission": transmission,
            "ncm_fraction": _fraction_around(particles),
            "radius_um": radius,
            "equivalent_diameter_um": particles["equivalent_diameter_um"].to_numpy(float),
            "cavity_fraction": particles["cavity_fraction"].to_numpy(float),
            "core_share": particles["core_share"].to_numpy(float),
        }
    )


def _glare_uncertainty(transmission: np.ndarray, glare: float) -> np.ndarray:
    """Relative error of a plane's μ from glare: −ln(T + ε) for −ln T."""
    depth = np.maximum(-np.log(np.maximum(transmission, 1e-30)), 0.1)
    return np.asarray(np.log1p(glare / np.maximum(transmission, 1e-30)) / depth)


def _content(mu: np.ndarray, energy_kev: float) -> np.ndarray:
    """Give x of NCM811 by its attenuation, on a line beyond 0 … 1."""
    table = np.asarray(mu_per_cm("ncm811", energy_kev, lithium=_LITHIUM), float)
    slope, level = np.polyfit(_LITHIUM, table, 1)
    x = np.interp(mu, table[::-1], _LITHIUM[::-1], left=np.nan, right=np.nan)
    return np.asarray(np.where(np.isfinite(x), x, (mu - level) / slope))


def _fraction_around(particles: pd.DataFrame) -> np.ndarray:
    """Fraction of the volume around each particle that other particles and itself fill."""
    if not len(particles):
        return np.zeros(0)
    place = particles[["z_um", "y_um", "x_um"]].to_numpy(float)
    volume = particles["volume_um3"].to_numpy(float)
    near = scipy.spatial.cKDTree(place).query_ball_point(place, _AROUND_UM)
    ball = 4 / 3 * np.pi * _AROUND_UM**3
    return np.array([volume[others].sum() / ball for others in near])


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
    usable &= ~charge["withheld"].astype(str).str.contains("starved|beside").to_numpy(bool)
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
