"""How much lithium a cell holds, and where. In: a cell; out: charges in mAh, with what bounds them.

Metal by its volume; the cathode by the volume of its active material and the lithium content that
grey values give; inclusions by their volume, which could be lithium or void.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, pi

import numpy as np

from xct.physics.lithium import SHRINKING, metal_mah, ncm811_mah_per_um3
from xct.study.cells import Cell

_SURE = 1.96
_LEAST_READ = 0.5  # of the active material: with less, no mean content is stated


@dataclass(frozen=True)
class Charge:
    """Lithium as charge.

    Attributes
    ----------
    value, low, high : float
        mAh, with a 95 % interval or bounds; value is NaN where only bounds are known.
    note : str
        What bounds it.
    bound : str
        "upper" or "lower" where the interval holds on one side only; else empty.
    """

    value: float
    low: float
    high: float
    note: str = ""
    bound: str = ""


@dataclass(frozen=True)
class Full:
    """What a cathode holds with all of its lithium: mAh, and its standard uncertainty."""

    value: float
    sd: float


def area_cm2(cell: Cell) -> float:
    """Give the area of the bore; NaN where it was not measured."""
    radius_um = cell.numbers.get("bore_radius_um", {}).get("value", nan)
    return float(pi * radius_um**2 * 1e-8)


def metal(cell: Cell) -> Charge | None:
    """Give the lithium of the anode: its mean thickness over the whole bore."""
    entry = cell.numbers.get("thickness_um.lithium")
    area = area_cm2(cell)
    if entry is None or not area > 0:
        return None
    value, sd = float(entry["value"]), float(entry.get("sd", nan))
    ends = (value - _SURE * sd, value, value + _SURE * sd)
    low, middle, high = (metal_mah(max(end, 0.0) * area * 1e8) for end in ends)
    bound = str(entry.get("bound", ""))
    note = "a void on the steel counts as lithium" if bound == "upper" else ""
    return Charge(middle, low, high, note, bound)


def cathode_when_full(cell: Cell) -> Full | None:
    """Give what the cathode would hold at x = 1; None where it is not wholly in view."""
    table = cell.table("materials")
    if table is None or not is_whole(cell):
        return None
    rows = table[table["material"] == "active_material"]
    if not len(rows):
        return None
    row = rows.iloc[0]
    sd = float(row.get("volume_um3_sd", nan))
    return Full(
        float(row["volume_um3"]) * ncm811_mah_per_um3(),
        (sd if np.isfinite(sd) else 0.0) * ncm811_mah_per_um3(),
    )


def is_whole(cell: Cell) -> bool:
    """Whether the bore and both faces of the cathode are in view."""
    geometry = cell.geometry
    if geometry is None or not {"electrolyte_cathode", "cathode_collector"} <= set(cell.surfaces):
        return False
    _, dy, dx = geometry.voxel_size_um
    _, rows, columns = geometry.shape
    radius = geometry.bore_radius_um
    return bool(
        radius <= geometry.axis_y_um <= (rows - 1) * dy - radius
        and radius <= geometry.axis_x_um <= (columns - 1) * dx - radius
    )


def content(cell: Cell) -> Charge | None:
    """Give the mean lithium content x of the active material, weighted by volume.

    Where grey values do not decide, it is anything from 0 to 1; so the bounds are wide, and hold
    what is common to all readings.
    """
    charge, particles = cell.table("charge"), cell.table("particles")
    needed = {"particle", "li_content", "li_content_low", "li_content_high"}
    if charge is None or particles is None or not len(charge) or not needed <= set(charge):
        return None
    both = charge.merge(particles[["particle", "volume_um3"]], on="particle")
    weight = both["volume_um3"].to_numpy(float)
    x, low, high = (
        both[name].to_numpy(float) for name in ("li_content", "li_content_low", "li_content_high")
    )
    read = np.isfinite(x)
    if not weight.sum() > 0:
        return None
    part = float(weight[read].sum() / weight.sum())
    low = np.clip(np.where(read, low, 0.0), 0, 1)
    high = np.clip(np.where(read, high, 1.0), 0, 1)
    value = nan
    if part >= _LEAST_READ:
        value = float(np.clip(np.average(x[read], weights=weight[read]), 0, 1))
    return Charge(
        value,
        float(np.average(low, weights=weight)),
        float(np.average(high, weights=weight)),
        f"grey values decide for {part:.0%} of the active material",
    )


def missing_in_cathode(cell: Cell) -> Charge | None:
    """Give the lithium that the cathode lacks against x = 1, by its grey values."""
    full, x = cathode_when_full(cell), content(cell)
    if full is None or x is None:
        return None

    def lacking(content: float, volume_sds: float) -> float:
        volume = max(full.value + volume_sds * full.sd, 0.0)
        return volume / (1 - SHRINKING * (1 - content)) * (1 - content)

    return Charge(lacking(x.value, 0), lacking(x.high, -_SURE), lacking(x.low, _SURE), x.note)


def in_inclusions(cell: Cell) -> Charge | None:
    """Give the lithium in inclusions that are seen: none if all are voids, all if none is."""
    table = cell.table("inclusions")
    if table is None or "inclusions" not in cell.numbers:
        return None
    volume = 0.0
    if len(table):
        seen = table[table["class"].isin(["enclosed", "bridging"])] if "class" in table else table
        columns = [c for c in ("volume_um3", "dark_volume_um3") if c in seen]
        volume = max((float(seen[column].sum()) for column in columns), default=0.0)
    limit = cell.numbers.get("inclusion_detection_um.plate", {}).get("value", nan)
    thin = f", those thinner than about {limit:.2g} µm are not seen" if np.isfinite(limit) else ""
    note = f"lithium or void{thin}"
    if volume == 0:
        return Charge(0.0, 0.0, 0.0, f"none is seen{thin}")
    return Charge(nan, 0.0, metal_mah(volume), note)
