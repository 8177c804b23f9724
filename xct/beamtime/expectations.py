"""What a scan of a cell will show. In: beam, exposure, cell; out: tables and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.beamtime.layers import TOMO_CELL, Layer
from xct.beamtime.noise import NEAR_AXIS, expected_noise
from xct.beamtime.verdict import verdict
from xct.errors import ConfigError
from xct.physics.materials import mu_per_cm
from xct.reconstruct.filters import Window

if TYPE_CHECKING:
    from pandas import DataFrame

# A plane whose middle passes less than that is not reconstructed.
OPAQUE = 1e-5
_SEEN = ("ncm811", "lpscl", "lithium", "aluminium", "air")
_DELITHIATED = 0.3


@dataclass(frozen=True)
class BeamtimePlan:
    """What to expect.

    Attributes
    ----------
    settings : mapping
        What was asked for.
    layers : DataFrame
        By layer: layer, mu_per_cm, transmission_center, transmission_mean, quanta_center,
        noise_per_cm (near the bore's axis; NaN where nothing comes through) and
        glare_over_signal.
    pairs : DataFrame
        By pair of materials: materials, difference_per_cm, and for each layer that is not opaque
        its contrast-to-noise in one voxel, cnr_LAYER.
    sampling : mapping of str to float
        angles, angles_needed (π/2 × pixels over the bore), fully_sampled_um (a diameter),
        seconds (of exposure).
    verdict : sequence of str
        Sentences.
    """

    settings: Mapping[str, float | str]
    layers: DataFrame
    pairs: DataFrame
    sampling: Mapping[str, float]
    verdict: Sequence[str]

    def __str__(self) -> str:
        """Write everything for the terminal."""
        asked = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        tables = (_table(frame) for frame in (self.layers, self.pairs))
        sampled = ", ".join(f"{name} {value:.4g}" for name, value in self.sampling.items())
        return "\n\n".join([asked, *tables, sampled, "\n".join(self.verdict)])


def plan_beamtime(
    *,
    energy_kev: float = 25.0,
    exposure_ms: float = 25.0,
    angles: int = 2400,
    bore_um: float = 3000.0,
    pixel_um: float = 1.3,
    layers: Sequence[Layer] = TOMO_CELL,
    quanta_per_ms: float = 1920.0,
    read_noise: float = 16.0,
    full_well: float = 60_000.0,
    flats: float = 15,
    window: Window = "ramp",
    wall_um: float = 60.0,
    torlon_mm: float = 0.0,
    glare: float = 0.003,
) -> BeamtimePlan:
    """Predict what a scan of a cell will show.

    The defaults are those of a scan at P05: 12,000 quanta in 25 ms in a pixel of 0.65 µm, with a
    read noise of 8 and a full well of 15,000, four pixels binned to one.

    Parameters
    ----------
    energy_kev : float, optional
        Photon energy.
    exposure_ms : float, optional
        Of one projection.
    angles : int, optional
        Projections over 180°.
    bore_um : float, optional
        Diameter of the cell.
    pixel_um : float, optional
        Width of a pixel, after binning.
    layers : sequence of Layer, optional
        Planes of the cell; unless given, those of the tomo-cell.
    quanta_per_ms : float, optional
        Quanta that a (binned) pixel detects in a millisecond without sample.
    read_noise, full_well : float, optional
        Of a (binned) pixel, quanta.
    flats : float, optional
        Flats that are averaged for a projection: between blocks of n each, 1.5 n.
    window : str, optional
        Of the reconstruction.
    wall_um : float, optional
        Wall of the polyimide tube.
    torlon_mm : float, optional
        Housing in the beam, both sides together.
    glare : float, optional
        Fraction of the light that detector and optics scatter over the frame.

    Returns
    -------
    BeamtimePlan

    Raises
    ------
    ConfigError
        If a setting is not positive, or there is no layer.
    """
    _check(
        energy_kev=energy_kev, exposure_ms=exposure_ms, angles=angles, bore_um=bore_um,
        pixel_um=pixel_um, quanta_per_ms=quanta_per_ms, layers=len(layers), flats=flats,
    )  # fmt: skip
    around = _around(energy_kev, wall_um, torlon_mm)
    camera = {"pixel_um": pixel_um, "angles": angles, "quanta": quanta_per_ms * exposure_ms}
    camera |= {"read_noise": read_noise, "flats": flats, "around": around}
    rows = [_row(layer, energy_kev, bore_um, camera, window) for layer in layers]
    light = _light(rows, layers)
    for row in rows:
        center = float(row["transmission_center"])
        row["glare_over_signal"] = glare * light / center if center >= OPAQUE else np.nan
    pixels = bore_um / pixel_um
    sampling = {
        "angles": float(angles),
        "angles_needed": float(np.ceil(np.pi / 2 * pixels)),
        "fully_sampled_um": float(min(2 * angles / np.pi * pixel_um, bore_um)),
        "seconds": angles * exposure_ms / 1000,
    }
    from pandas import DataFrame

    table, pairs = DataFrame(rows), DataFrame(_pairs(rows, energy_kev))
    settings: dict[str, float | str] = {
        "energy_kev": energy_kev, "exposure_ms": exposure_ms, "angles": angles,
        "bore_um": bore_um, "pixel_um": pixel_um, "window": window, "glare": glare,
    }  # fmt: skip
    filling = camera["quanta"] / full_well
    words = verdict(table, pairs, sampling, filling, camera, layers, energy_kev, bore_um)
    return BeamtimePlan(settings, table, pairs, sampling, words)


def _check(**given: float) -> None:
    for name, value in given.items():
        if not value > 0:
            raise ConfigError(f"{name} = {value:g}; expected more than 0")


def _around(energy_kev: float, wall_um: float, torlon_mm: float) -> float:
    """Line integral of tube and housing."""
    tube = 2e-4 * wall_um * mu_per_cm("polyimide", energy_kev)
    return float(tube + 0.1 * torlon_mm * mu_per_cm("torlon", energy_kev))


def _row(
    layer: Layer,
    energy_kev: float,
    bore_um: float,
    camera: Mapping[str, float],
    window: Window,
) -> dict[str, float | str]:
    mu = layer.mu_per_cm(energy_kev)
    across = (np.arange(200) + 0.5) / 200
    chords_cm = bore_um * 1e-4 * np.sqrt(1 - across**2)
    passed = np.exp(-mu * chords_cm - camera["around"])
    center = float(np.exp(-mu * bore_um * 1e-4 - camera["around"]))
    noise = np.nan
    if center >= OPAQUE:
        settings: dict[str, Any] = {
            **camera,
            "window": window,
            "radius_um": NEAR_AXIS * bore_um / 2,
        }
        noise = expected_noise(mu, bore_um, **settings)
    return {
        "layer": layer.name,
        "mu_per_cm": mu,
        "transmission_center": center,
        "transmission_mean": float(passed.mean()),
        "quanta_center": center * camera["quanta"],
        "noise_per_cm": noise,
    }


def _light(rows: Sequence[Mapping[str, float | str]], layers: Sequence[Layer]) -> float:
    """Mean transmission of the frame behind the bore: what glare is a fraction of."""
    heights = np.array([layer.thickness_um for layer in layers])
    return float(heights @ [float(row["transmission_mean"]) for row in rows] / heights.sum())


def _pairs(
    rows: Sequence[Mapping[str, float | str]], energy_kev: float
) -> list[dict[str, float | str]]:
    mu = {name: float(mu_per_cm(name, energy_kev)) for name in _SEEN}
    steps = {f"{a} – {b}": abs(mu[a] - mu[b]) for a, b in combinations(_SEEN, 2)}
    taken = float(mu_per_cm("ncm811", energy_kev, lithium=_DELITHIATED))
    steps[f"ncm811: x 1 → {_DELITHIATED}"] = taken - mu["ncm811"]
    seen = [row for row in rows if np.isfinite(float(row["noise_per_cm"]))]
    return [
        {
            "materials": name,
            "difference_per_cm": step,
            **{f"cnr_{row['layer']}": step / float(row["noise_per_cm"]) for row in seen},
        }
        for name, step in steps.items()
    ]


def _table(frame: DataFrame) -> str:
    return str(frame.to_string(index=False, float_format="{:.3g}".format, na_rep="–"))
