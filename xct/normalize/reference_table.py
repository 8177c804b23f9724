"""The table of a reference. In: blocks and the model; out: peaks by height, and what backs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.cathode_electrolyte import Cathode
from xct.normalize.model import SmoothModel

if TYPE_CHECKING:
    from pandas import DataFrame


def reference_table(
    blocks: Mapping[str, np.ndarray],
    model: SmoothModel,
    cell: CellGeometry,
    cathode: Cathode | None,
) -> DataFrame:
    """List the peaks of blocks, and the heights at which the model is extrapolated.

    Parameters
    ----------
    blocks : mapping of str to ndarray, shape (n,)
        ``z_um``, ``r_um``, ``peak``, ``sd`` and ``n``.
    model : SmoothModel
        What was fitted to them.
    cell : CellGeometry
        Where the layers lie.
    cathode : Cathode or None
        What the cathode says of the electrolyte in it.
    """
    from pandas import DataFrame, concat

    table = DataFrame({
        "layer": "electrolyte",
        "z_um": blocks["z_um"],
        "radius_um": blocks["r_um"],
        "peak_per_cm": blocks["peak"],
        "peak_per_cm_sd": blocks["sd"],
        "n": blocks["n"].astype(int),
        "model_per_cm": model.value(blocks["z_um"], blocks["r_um"]),
        "reference": "in_plane",
    })  # fmt: skip
    parts = [table, _beyond(model, cell)]
    if cathode is not None and cathode.in_plane is not None:
        peak, sd = cathode.in_plane
        parts.append(DataFrame([{
            "layer": "cathode", "z_um": cathode.z_um, "radius_um": 0.5 * cell.bore_radius_um,
            "peak_per_cm": peak, "peak_per_cm_sd": sd, "n": cathode.cubes.mean.size,
            "model_per_cm": float(model.value(cathode.z_um, 0.5 * cell.bore_radius_um)),
            "reference": "extrapolated",
        }]))  # fmt: skip
    return concat(parts, ignore_index=True)


def _beyond(model: SmoothModel, cell: CellGeometry) -> DataFrame:
    """List heights at which only the nearest electrolyte determines the reference."""
    from pandas import DataFrame

    last = (cell.shape[0] - 1) * cell.voxel_size_um[0]
    z = np.array([0.0, 0.5 * model.z_low_um, 0.5 * (model.z_high_um + last), last])
    radius = 0.5 * cell.bore_radius_um
    return DataFrame({
        "layer": "beyond", "z_um": z, "radius_um": radius, "peak_per_cm": np.nan,
        "peak_per_cm_sd": np.nan, "n": 0, "model_per_cm": model.value(z, radius),
        "reference": "extrapolated",
    })  # fmt: skip
