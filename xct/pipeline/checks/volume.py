"""What are the values of a volume that is given? In: the volume; out: errors and warnings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xct.io.volume_files.volume import ForeignVolume

_LOOKED_AT = 5  # slices
_MOST_LABELS = 16  # whole numbers that differ: more are grey values of few bits


def looks_like_labels(volume: ForeignVolume, file: str, stages: Sequence[str]) -> list[str]:
    """Say that a volume holds labels, whatever their type: numbers of materials.

    Parameters
    ----------
    volume : ForeignVolume
        A few of its slices are read.
    file : str
        Its name, for the message.
    stages : sequence of str
        Names of the stages that will run: only those that need grey values object.
    """
    if "electrolyte_reference" not in stages:
        return []
    found: set[float] = set()
    most = 0
    for z in np.unique(np.linspace(0, volume.voxels.shape[0] - 1, _LOOKED_AT).astype(int)):
        values = volume.read(np.s_[int(z) : int(z) + 1])
        seen = np.unique(values[np.isfinite(values)])
        if len(seen) > _MOST_LABELS or (seen != np.rint(seen)).any():
            return []
        found.update(seen.tolist())
        most = max(most, len(seen))
    if most < 2 or len(found) > _MOST_LABELS:
        return []
    shown = ", ".join(f"{value:g}" for value in sorted(found))
    return [
        f"volume.file: {file}: holds nothing but {shown} in {_LOOKED_AT} of its slices: these are "
        "labels of materials, not grey values; name the volume that they were made of"
    ]


def unchecked_unit(unit: str, energy_kev: float | None) -> str | None:
    """Say that nothing checks the unit of attenuation where no energy is known."""
    if energy_kev is not None or unit == "grey":
        return None
    return (
        f"energy_kev: not known, so that values are in {unit} is taken for granted: 1/mm of 20 keV "
        "look like 1/cm of 48 keV; give volume.energy_kev, and it is checked"
    )


def unsaid_unit(
    volume: ForeignVolume, *, said: bool, energy_kev: float | None, stages: Sequence[str]
) -> list[str]:
    """Warn of attenuation whose unit nobody says and nothing checks.

    Parameters
    ----------
    volume : ForeignVolume
        Its file may say the unit, or the energy.
    said : bool
        Whether the configuration says the unit, or that the values are no attenuation.
    energy_kev : float or None
        As the configuration says it.
    stages : sequence of str
        Names of the stages that will run: only those that look for the electrolyte's μ warn.
    """
    known = said or volume.value_unit is not None or volume.quantity is not None
    text = unchecked_unit("1/cm", energy_kev or volume.energy_kev)
    if known or text is None or "electrolyte_reference" not in stages:
        return []
    return [
        f"{text}; or say volume.unit: 1/cm, 1/mm, 1/px or grey. Until then electrolyte_peak_per_cm "
        "may be wrong by the ratio of two units, and volumes of steel and collector by some percent"
    ]
