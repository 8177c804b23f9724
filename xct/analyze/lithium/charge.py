"""State of charge from grey values, with all that could be mistaken for it.

In: the table of particles, the transmission of planes; out: the lithium content of each particle,
its interval, whether it is possible at all; and whether drifted particles differ. Taking out 70 %
of the lithium raises μ of NCM811 by 7.4 %: less than a glare of 0.3 % changes it in a
photon-starved plane, and as much as cracks that fill 7 % of a particle hide. Those too fine to be
labelled scatter a core by more than noise does: what is seen of them is put back, with an sd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import scipy
from annotated_types import Ge, Lt

from xct.analyze.grey_counts import plane_transmission as transmission_of
from xct.analyze.lithium.contents import READ, contents, why_withheld
from xct.analyze.lithium.drifted_charge import charge_contrast
from xct.analyze.lithium.population import Readings, readings_among_others
from xct.analyze.lithium.void_level import VoidLevel, void_level
from xct.errors import DataError
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.particle.beside_faces import beside_faces
from xct.segment.particle.unresolved import Unresolved, quantum_noise, unresolved_voids
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

# Of what is put back of the point spread: labels are not the particle's shape. Cores of whole
# particles are wrong by 0.03 to 0.1 of it at 25 and 35 keV, with facets by 0.07.
_RECOVERY_SD = 0.1
_AROUND_UM = 20.0
_GUESSED = (
    "left out: the width of the point spread is a guess, and grey values of particles that are a "
    "few voxels wide depend on it by as much as the whole charge changes; give its FWHM by "
    "steps.electrolyte_reference.blur_um"
)
# Point spread in voxels (FWHM) below which the steps of labels count as voids: of cells that were
# judged, 1.34 had more than twice the true voids and intervals that held 0.43 of the contents,
# 1.45 and more as many as there are.
_LEAST_BLUR_PX = 1.4
_COARSE = (
    "left out: the point spread is {blur:.2f} voxels wide (FWHM), less than {least}: what steps of "
    "voxels do to a core is not told from what cracks do; smaller voxels, without scan.bin, help"
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
    rests_on=(
        "darks_too_high",
        "light_unsteady",
        "decadic_logarithm",
        "stage_unsteady",
        "implausible_blur",
        "implausible_values",
    ),
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
    glare_bound: float | None = None,
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
    glare_bound : float, optional
        Largest fraction of the beam that may be glare, where the frames bound it.
    energy_kev : float
        Photon energy.
    glare_sd : float or None
        Standard uncertainty of the fraction of the beam that was measured as veiling glare and
        subtracted; None where that was not done.
    glare : float, optional
        Fraction of the beam that may be there as glare, where it was neither measured and
        subtracted nor is bounded.
    scale_sd : float, optional
        Relative standard deviation of the scale of μ.

    Returns
    -------
    DataFrame
        particle, mu_per_cm (of the material with its cracks), its sd and what noise has of it,
        li_content (x; what cracks are seen to take is put back, as far as particles of the same
        size bear it out; NaN where withheld) with li_content_low and li_content_high (95 %; low
        with all that glare may hide), physically_possible (whether the interval meets 0 … 1),
        withheld (why, or empty; ``undecidable`` where the interval holds all of 0 … 1, or is wider,
        or does so for nine in ten of the particles of this size), void_fraction and
        void_fraction_high (of the core, in cracks and cavities that labels do not show: what is
        seen of them, and its 95 % bound); and the confounders transmission (of the plane, through
        the bore), ncm_fraction (around, within 20 µm), radius_um, equivalent_diameter_um,
        cavity_fraction (labelled), core_share.

    Raises
    ------
    DataError
        If the table lacks what `particles` gives beyond the contract, there are fringes, the
        width of the point spread is a guess or hardly more than a voxel, or values are not known
        to be μ.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    _refuse(particles, reference, cell)
    z = particles["z_um"].to_numpy(float)
    radius = particles["radius_um"].to_numpy(float)
    at = np.clip(np.rint(z / cell.voxel_size_um[0]).astype(int), 0, cell.shape[0] - 1)
    if plane_transmission is None:
        plane_transmission = transmission_of(volume, cell)
    planes = plane_transmission["transmission"].to_numpy(float)
    electrolyte = np.asarray(reference.mu_per_cm(z, radius), float)
    step = electrolyte / grey_scale.step
    mu = (particles["core_grey"].to_numpy(float) - grey_scale.zero) * step
    noise_sd = particles["core_grey_noise_sd"].to_numpy(float) * step
    taken, relative = _glare(planes[at], scale_sd, glare_sd, glare, glare_bound)
    noise = quantum_noise(reference, cell, planes)[at]
    away, depth = radius / cell.bore_radius_um, -np.log(np.maximum(planes[at], 1e-30))
    voids, level = _voids(particles, cell, mu, noise, step, reference.blur_um, away, depth)
    share = particles["core_share"].to_numpy(float)
    common = scale_sd if glare_sd is None else relative
    recovery = _RECOVERY_SD * (1 - share) * (mu - electrolyte) / mu
    read = contents(
        _readings(particles, mu, noise_sd / mu, voids, level),
        level,
        np.hypot(common, recovery),
        taken,
        energy_kev,
    )
    phased = "phase_retrieval" in (steps or {})
    diameter = particles["equivalent_diameter_um"].to_numpy(float)
    beside = beside_faces(particles, cell) if phased else np.zeros(len(mu), bool)
    withheld = why_withheld(read, mu, relative, beside, diameter)
    return pd.DataFrame(
        {
            "particle": particles["particle"].to_numpy(),
            "mu_per_cm": mu,
            "mu_per_cm_sd": np.hypot(
                particles["core_grey_sd"].to_numpy(float) * step, relative * mu
            ),
            "mu_per_cm_noise_sd": noise_sd,
            "li_content": np.where(withheld == "", read.content, np.nan),
            "li_content_low": np.where(withheld == "", read.low, np.nan),
            "li_content_high": np.where(withheld == "", read.high, np.nan),
            "physically_possible": np.isin(withheld, READ) & read.possible,
            "withheld": withheld,
            "void_fraction": voids.fraction,
            "void_fraction_high": voids.at_most,
            "transmission": planes[at],
            "ncm_fraction": _fraction_around(particles),
            "radius_um": radius,
            "equivalent_diameter_um": diameter,
            "cavity_fraction": particles["cavity_fraction"].to_numpy(float),
            "core_share": share,
        }
    )


def _refuse(particles: pd.DataFrame, reference: ElectrolyteReference, cell: CellGeometry) -> None:
    """Raise where grey values of cores do not tell a lithium content."""
    if reference.blur_guessed:
        raise DataError(_GUESSED)
    blur = reference.blur_um / max(cell.voxel_size_um[1:])
    if blur < _LEAST_BLUR_PX:
        raise DataError(_COARSE.format(blur=blur, least=_LEAST_BLUR_PX))
    if not reference.mu_known:
        raise DataError(_NO_MU)
    missing = [name for name in _NEEDED if name not in particles]
    if missing:
        raise DataError(
            f"the table of particles lacks {', '.join(missing)}; give the one that "
            "xct.segment.particles returns"
        )


def _readings(
    particles: pd.DataFrame,
    mu: np.ndarray,
    noise: np.ndarray,
    voids: Unresolved,
    level: VoidLevel,
) -> Readings:
    """Put back what voids take from each core."""
    place = particles[["z_um", "y_um", "x_um"]].to_numpy(float)
    diameter = particles["equivalent_diameter_um"].to_numpy(float)
    return readings_among_others(
        mu, noise, voids.fraction, voids.sd, place, diameter, level.typical
    )


def _voids(
    particles: pd.DataFrame,
    cell: CellGeometry,
    mu: np.ndarray,
    noise: np.ndarray,
    step: np.ndarray,
    blur_um: float,
    radius: np.ndarray,
    depth: np.ndarray,
) -> tuple[Unresolved, VoidLevel]:
    """Measure what cracks take; nothing where a table does not say how its cores scatter."""
    if "core_scatter" not in particles:
        nothing = np.zeros((6, len(mu)))
        return Unresolved(*nothing), VoidLevel(*nothing[:3])
    scatter = particles["core_scatter"].to_numpy(float) * step
    z, y, x = particles[["z_um", "y_um", "x_um"]].to_numpy(float).T
    from_axis_px = cell.from_rotation_axis_um(y, x) / max(cell.voxel_size_um[1:])
    voids = unresolved_voids(particles, mu, scatter, noise, blur_um, radius, depth, from_axis_px)
    voxels = particles["core_voxels"].to_numpy(float)
    return voids, void_level(voids, voxels, np.column_stack([z, y, x]))


def _glare(
    transmission: np.ndarray,
    scale_sd: float,
    glare_sd: float | None,
    glare: float,
    bound: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Give what glare may at most take from μ, and the relative sd of glare and scale together."""
    if glare_sd is not None:
        uncertain = _glare_uncertainty(transmission, glare_sd)
        return np.zeros_like(uncertain), np.hypot(scale_sd, uncertain)
    most = _glare_uncertainty(transmission, glare if bound is None else bound)
    return most, np.hypot(scale_sd, most / np.sqrt(3))  # anything between none and most


def _glare_uncertainty(transmission: np.ndarray, glare: float) -> np.ndarray:
    """Relative error of a plane's μ from glare: −ln(T + ε (1 − T)) for −ln T.

    Flats hold glare, too: light that no sample has weakened is not too bright.
    """
    passed = np.maximum(transmission, 1e-30)
    return np.asarray(np.log1p(glare * (1 - passed) / passed) / np.maximum(-np.log(passed), 0.1))


def _fraction_around(particles: pd.DataFrame) -> np.ndarray:
    """Fraction of the volume around each particle that other particles and itself fill."""
    if not len(particles):
        return np.zeros(0)
    place = particles[["z_um", "y_um", "x_um"]].to_numpy(float)
    volume = particles["volume_um3"].to_numpy(float)
    near = scipy.spatial.cKDTree(place).query_ball_point(place, _AROUND_UM)
    ball = 4 / 3 * np.pi * _AROUND_UM**3
    return np.array([volume[others].sum() / ball for others in near])
