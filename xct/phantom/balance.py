"""Lithium balance: where the lithium is. In: a cell; out: charge by store.

Lithium in anode, cathode and inclusions, and what reacted, adds up to what the pristine cell has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xct.phantom.bodies import LITHIUM_CHIP
from xct.phantom.materials import TABLE

if TYPE_CHECKING:
    from xct.phantom.virtual_cell import VirtualCell

LITHIUM_MAH_PER_CM3 = 2062.0
_FARADAY_MAH = 26801.4  # per mol
_NCM_G_PER_MOL = 97.28  # LiNi0.8Co0.1Mn0.1O2
_SHRINKING = 0.1  # of NCM's volume, per unit of lithium taken out


def lithium_balance(cell: VirtualCell) -> pd.DataFrame:
    """Tell how much lithium is where.

    Returns
    -------
    DataFrame
        ``store`` (anode, cathode, inclusions, reacted, pristine_anode, pristine_cathode),
        ``charge_mah``, and ``lithium_um``: the layer of metal over the bore that it equals.
    """
    area_um2 = np.pi * cell.layout.bore_radius_um**2
    interfaces, facts = cell.interfaces, cell.contents.facts
    inside = interfaces.inside
    metal = float(interfaces.lithium_um[inside].mean(dtype=np.float64)) * area_um2
    eaten = float(interfaces.eaten_um[inside].mean(dtype=np.float64)) * area_um2
    chips = cell.inclusions.bodies.kind == LITHIUM_CHIP
    lost = float(cell.inclusions.facts["volume_um3"][chips].sum())
    content = facts["li_content"]
    solid = (facts["outer_volume_um3"] - facts["cavity_um3"]) * (1 - facts["crack_porosity"])
    # Volumes are those of today; per formula unit a delithiated particle is smaller.
    full_mah = solid / (1 - _SHRINKING * (1 - content)) * _mah_per_um3()
    charges = {
        "anode": metal * LITHIUM_MAH_PER_CM3 * 1e-12,
        "cathode": float((full_mah * content).sum()),
        "inclusions": lost * LITHIUM_MAH_PER_CM3 * 1e-12,
        "pristine_anode": (metal + eaten) * LITHIUM_MAH_PER_CM3 * 1e-12,
        "pristine_cathode": float(full_mah.sum()),
    }
    before = charges["pristine_anode"] + charges["pristine_cathode"]
    kept = charges["anode"] + charges["cathode"] + charges["inclusions"]
    charges["reacted"] = before - kept
    return pd.DataFrame(
        {
            "store": list(charges),
            "charge_mah": list(charges.values()),
            "lithium_um": [
                charge / (LITHIUM_MAH_PER_CM3 * 1e-12 * area_um2) for charge in charges.values()
            ],
        }
    )


def _mah_per_um3() -> float:
    """Charge of NCM with all of its lithium, per volume."""
    return TABLE["ncm811"].density * 1e-12 / _NCM_G_PER_MOL * _FARADAY_MAH
