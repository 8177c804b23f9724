"""A plan in words. In: its tables; out: sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.beamtime.layers import Layer
from xct.beamtime.noise import NEAR_AXIS, expected_noise
from xct.physics.materials import mu_per_cm

if TYPE_CHECKING:
    from pandas import DataFrame

_PHOTON_STARVED = 0.01  # transmission below which glare and read noise count
_CLEAR = 3.0  # contrast-to-noise at which two materials are distinguished
_SATURATED = 0.95
_ENERGIES_KEV = np.arange(15.0, 61.0)


def verdict(
    layers: DataFrame,
    pairs: DataFrame,
    sampling: Mapping[str, float],
    filling: float,
    camera: Mapping[str, float],
    cell: Sequence[Layer],
    energy_kev: float,
    bore_um: float,
) -> list[str]:
    """Judge a plan: exposure, opaque and photon-starved planes, contrasts, sampling.

    Parameters
    ----------
    layers, pairs : DataFrame
        As in `BeamtimePlan`.
    sampling : mapping
        As there.
    filling : float
        Quanta of a flat over the full well.
    camera : mapping
        Settings of `expected_noise`.
    cell : sequence of Layer
        Of which the table was made.
    energy_kev, bore_um : float
        As planned.

    Returns
    -------
    list of str
    """
    return [
        *_of_exposure(filling),
        *_of_planes(layers),
        *_of_contrast(pairs, camera["pixel_um"]),
        *_of_sampling(sampling),
        *_of_energy(layers, cell, camera, energy_kev, bore_um),
    ]


def _of_exposure(filling: float) -> Iterator[str]:
    if filling > _SATURATED:
        yield (
            f"Too bright: a flat fills {100 * filling:.0f} % of the full well; expose shorter, and "
            "sum frames."
        )


def _of_planes(layers: DataFrame) -> Iterator[str]:
    for row in layers.to_dict("records"):
        name, passed = row["layer"], row["transmission_center"]
        if not np.isfinite(row["noise_per_cm"]):
            yield f"{name}: opaque ({passed:.1e} passes its middle): left out."
        elif passed < _PHOTON_STARVED:
            yield (
                f"{name}: photon-starved: {100 * passed:.2g} % passes its middle, "
                f"{row['quanta_center']:.0f} quanta; noise {row['noise_per_cm']:.3g} 1/cm, and "
                f"glare adds {100 * row['glare_over_signal']:.0f} % to the signal there: correct "
                "it before the logarithm."
            )
        else:
            yield f"{name}: noise {row['noise_per_cm']:.3g} 1/cm in the middle of the bore."


def _of_contrast(pairs: DataFrame, pixel_um: float) -> Iterator[str]:
    columns = [name for name in pairs.columns if name.startswith("cnr_")]
    for row in pairs.to_dict("records"):
        best = max((row[name] for name in columns), default=0.0)
        if "→" in row["materials"]:
            cathode = row.get("cnr_cathode", best)
            edge = pixel_um * _averaged(cathode) ** (1 / 3)
            yield (
                f"Delithiation ({row['materials']}) is a step of {row['difference_per_cm']:.2g} "
                f"1/cm, {cathode:.2g} times the noise of a voxel in the cathode: to see it, "
                f"average over {_averaged(cathode):,} voxels, a cube of {edge:.0f} µm."
            )
        elif best < 1:
            yield f"{row['materials']}: not distinguished by grey ({best:.2g} times the noise)."


def _averaged(contrast_to_noise: float) -> int:
    """Count the voxels to be averaged for a clear contrast, were their noise independent."""
    return max(1, round((_CLEAR / max(contrast_to_noise, 1e-6)) ** 2))


def _of_sampling(sampling: Mapping[str, float]) -> Iterator[str]:
    have, need = sampling["angles"], sampling["angles_needed"]
    if have >= need:
        yield f"Sampling: {have:.0f} angles are enough ({need:.0f} needed)."
    else:
        yield (
            f"Sampling: {have:.0f} of {need:.0f} angles: fully sampled only inside of "
            f"Ø {sampling['fully_sampled_um']:.0f} µm; beyond it fine streaks."
        )


def _of_energy(
    layers: DataFrame,
    cell: Sequence[Layer],
    camera: Mapping[str, float],
    energy_kev: float,
    bore_um: float,
) -> Iterator[str]:
    """Name the energy at which NCM stands out best from its electrolyte, at equal light."""
    cathode = next((layer for layer in cell if "ncm811" in layer.fractions), None)
    if cathode is None:
        return

    def contrast(energy: float) -> float:
        settings: dict[str, Any] = {**camera, "radius_um": NEAR_AXIS * bore_um / 2}
        noise = expected_noise(cathode.mu_per_cm(energy), bore_um, **settings)
        return float(mu_per_cm("ncm811", energy) - mu_per_cm("lpscl", energy)) / noise

    best = max(_ENERGIES_KEV, key=contrast)
    gain = contrast(best) / contrast(energy_kev)
    if gain > 1.1:
        yield (
            f"At {best:.0f} keV and equal light NCM would stand out {gain:.1f} times better in the "
            f"{cathode.name} than at {energy_kev:g} keV."
        )
