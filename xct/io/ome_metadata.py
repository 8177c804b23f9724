"""OME-NGFF metadata of what is written. In: shapes, sizes and names; out: what viewers read.

A volume says its levels and the window that shows its materials, labels say colors and names,
surfaces their axes, so that any program of the format shows them as meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xct.figures import MATERIAL_COLORS, contrast
from xct.geometry import Label

VERSION = "0.5"
_USUAL_KEV = 25.0
_BRIGHTER = 1.2  # than active material, what is shown white: its particles scatter
_WIDER = (0.25, 3.0)  # windows below and above the one shown to which a slider may go
_MATERIALS = "materials", "painted", "classified"  # labels that are numbers of `Label`


def multiscale(
    axes: str, factors: Sequence[Sequence[int]], size_um: Sequence[float], name: str, *, kind: str
) -> dict[str, Any]:
    """Describe the levels of an image: scale, and the shift of their first voxels.

    Parameters
    ----------
    axes : str
        Such as "zyx".
    factors : sequence of sequence of int
        For each level, voxels of the finest per voxel, by axis; the finest first.
    size_um : sequence of float
        Edges of a voxel of the finest level, µm, by axis.
    name : str
        Shown by viewers.
    kind : {"mean", "nearest"}
        How coarser levels are made.
    """
    from ome_zarr_models.v05.axes import Axis
    from ome_zarr_models.v05.multiscales import Dataset, Multiscale

    size = np.asarray(size_um, float)
    datasets = []
    for number, steps in enumerate(np.asarray(factors)):
        shift = [float(s) for s in (steps - 1) / 2 * size] if number and kind == "mean" else None
        scale = [float(edge) for edge in steps * size]
        datasets.append(Dataset.build(path=str(number), scale=scale, translation=shift))
    made = Multiscale(
        axes=[Axis(name=axis, type="space", unit="micrometer") for axis in axes],
        datasets=tuple(datasets),
        name=name,
        type=kind,
        metadata={"method": f"{kind} of 2 × 2 × 2 voxels, written by xct"},
    )
    return dict(made.model_dump(mode="json", exclude_none=True))


def usual_window(quantity: str, energy_kev: float | None) -> tuple[float, float] | None:
    """Give the values to be shown black and white: air and active material; None of grey values."""
    from xct.physics.materials import mu_per_cm

    if quantity != "attenuation":
        return None
    return 0.0, _BRIGHTER * float(mu_per_cm("ncm811", energy_kev or _USUAL_KEV))


def seen_window(slices: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """Give the values to be shown black and white by some slices; None where these hold nothing."""
    seen = np.concatenate([values[np.isfinite(values)].ravel() for values in slices])
    return contrast(seen) if seen.size and np.ptp(seen) > 0 else None


def omero(name: str, window: tuple[float, float], dtype: np.dtype) -> dict[str, Any]:
    """Say how viewers show the stored values at first.

    Parameters
    ----------
    name : str
        Of the channel.
    window : (float, float)
        Stored values shown black and white.
    dtype : dtype
        Of the stored values.
    """
    low, high = window
    least, most = low - _WIDER[0] * (high - low), low + _WIDER[1] * (high - low)
    if dtype.kind == "u":
        least, most = max(least, 0.0), min(most, float(np.iinfo(dtype).max))
    shown = {"start": low, "end": high, "min": least, "max": most}
    channel = {"label": name, "color": "FFFFFF", "active": True, "window": shown}
    return {"channels": [channel], "rdefs": {"model": "greyscale"}}


def image_label(name: str) -> dict[str, Any]:
    """Say what labels mean: of materials colors and names; of particles only what is none."""
    nothing = {"label-value": 0, "rgba": [0, 0, 0, 0]}
    if name not in _MATERIALS:
        return {"version": VERSION, "source": {"image": "../../"}, "colors": [nothing]}
    colors = [
        {"label-value": int(label), "rgba": [*(round(255 * part) for part in rgb), 255]}
        for label, rgb in MATERIAL_COLORS.items()
    ]
    names = [{"label-value": int(label), "name": label.name.lower()} for label in Label]
    return {
        "version": VERSION, "source": {"image": "../../"},
        "colors": [nothing, *colors], "properties": names,
    }  # fmt: skip


def maps(names: Sequence[str], size_um: Sequence[float]) -> dict[str, Any]:
    """Describe maps over y and x that lie side by side in a group, each an image of its own."""
    described = [multiscale("yx", [(1, 1)], size_um, name, kind="mean") for name in names]
    for one, name in zip(described, names, strict=True):
        one["datasets"][0]["path"] = name
        del one["metadata"], one["type"]
    return {"version": VERSION, "multiscales": described}
