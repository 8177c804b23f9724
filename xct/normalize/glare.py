"""Glare, seen in the cathode's planes. In: cubes of both layers; out: a number and a verdict.

Light that is scattered in the detector fills the shadow of dense planes. Their middle, where the
least light arrives, then reads darker than their rim, and darker than particles outside of the
plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.normalize.model import SmoothModel
from xct.normalize.sampling import Cubes

_SECTORS = 12
_CENTER, _RIM = (0.0, 0.45), (0.65, 0.92)
# A plane that passes more than this is hardly touched by glare of a percent.
_PHOTON_STARVED = 0.03
_SURE = 3.0
_FINE = 0.03  # an uncertainty of the cupping that allows to say there is none


def diagnose(
    cathode: Cubes | None,
    model: SmoothModel,
    *,
    bore_radius_um: float,
    in_plane: tuple[float, float] | None,
    per_um: float = 1e-4,
) -> dict[str, Any]:
    """Say whether the cathode's planes agree with what the electrolyte says of the instrument.

    Parameters
    ----------
    cathode : Cubes or None
        Means of cubes inside the cathode; None where it is not in view.
    model : SmoothModel
        The electrolyte's value.
    bore_radius_um : float
        Radius of the bore.
    in_plane : tuple of float or None
        Electrolyte's value found inside the cathode, and its standard deviation.
    per_um : float, optional
        Unit of the values in 1/µm: 1e-4 for 1/cm; NaN where they are no attenuation.

    Returns
    -------
    dict
        ``verdict``, and where they could be had ``transmission`` of the plane along a diameter,
        ``cupping`` (middle over rim, less 1, relative to the electrolyte's) and
        ``in_plane_ratio`` (electrolyte inside the cathode over the model), each with ``…_sd``.
    """
    if cathode is None or cathode.mean.size < 200:
        return {"verdict": "no_cathode"}
    thickness = max(0.0, float(cathode.mean.mean())) * 2 * bore_radius_um * per_um
    transmission = float(np.exp(-thickness))
    cupping, sd = _cupping(cathode, model, bore_radius_um)
    found: dict[str, Any] = {"transmission": transmission, "cupping": cupping, "cupping_sd": sd}
    if in_plane is not None:
        expected = float(model.value(float(cathode.z_um.mean()), 0.5 * bore_radius_um))
        found["in_plane_ratio"] = float(in_plane[0] / expected)
        found["in_plane_ratio_sd"] = float(in_plane[1] / expected)
    found["verdict"] = _verdict(found)
    return found


def _verdict(found: dict[str, Any]) -> str:
    cupping, sd = found["cupping"], found["cupping_sd"]
    if found["transmission"] > _PHOTON_STARVED:
        return "consistent"
    if not np.isfinite(sd):
        return "undecidable"
    if cupping < -_SURE * sd and cupping < -_FINE:
        return "glare"
    if sd < _FINE and abs(cupping) < max(_FINE, 2 * sd):
        return "consistent"
    return "undecidable"


def _cupping(cathode: Cubes, model: SmoothModel, radius_um: float) -> tuple[float, float]:
    """Middle over rim, by sectors: particles are distributed unevenly, as their scatter shows."""
    value = cathode.mean / model.value(cathode.z_um, cathode.r_um)
    radius = cathode.r_um / radius_um
    turn = np.arctan2(
        cathode.y_um - np.median(cathode.y_um), cathode.x_um - np.median(cathode.x_um)
    )
    sector = ((turn + np.pi) / (2 * np.pi) * _SECTORS).astype(int) % _SECTORS
    means = []
    for low, high in (_CENTER, _RIM):
        ring = (radius >= low) & (radius < high)
        count = np.bincount(sector[ring], minlength=_SECTORS)
        if (count < 3).any():
            return float("nan"), float("nan")
        means.append(np.bincount(sector[ring], value[ring], _SECTORS) / count)
    middle, rim = (float(m.mean()) for m in means)
    errors = [float(m.std(ddof=1)) / np.sqrt(_SECTORS) / float(m.mean()) for m in means]
    return middle / rim - 1, float(middle / rim * np.hypot(*errors))
