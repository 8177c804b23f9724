"""Charge that lithium stands for, as metal and in NCM811. In: volumes; out: mAh.

References
----------
.. [1] Lithium metal: 3861 mAh/g and 0.534 g/cm³. NCM811 by its formula unit LiNi0.8Co0.1Mn0.1O2,
   Faraday's constant and the density in `xct.physics.materials`.
"""

from __future__ import annotations

from xct.physics.materials import TABLE

FARADAY_C_MOL = 96_485.33212
METAL_MAH_PER_CM3 = 2062.0
_FARADAY_MAH_PER_MOL = FARADAY_C_MOL / 3.6
_NCM811_G_PER_MOL = 97.28
# Of NCM811's volume, per unit of lithium that is taken out: 7 % at 0.7.
SHRINKING = 0.1


def metal_mah(volume_um3: float) -> float:
    """Give the charge of a volume of lithium metal."""
    return volume_um3 * METAL_MAH_PER_CM3 * 1e-12


def ncm811_mah_per_um3() -> float:
    """Give the charge of a volume of NCM811 that holds all of its lithium."""
    return TABLE["ncm811"].density * 1e-12 / _NCM811_G_PER_MOL * _FARADAY_MAH_PER_MOL
