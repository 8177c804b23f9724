"""Cells without a result: what a study reads of them, written by hand."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd

from tests.plugin.drawn import HEIGHTS, RADIUS_UM, geometry
from xct.geometry import STANDARD_SCALE

AREA_CM2 = np.pi * RADIUS_UM**2 * 1e-8


@dataclass
class StubCell:
    """Has the attributes of `xct.study.cells.Cell` that numbers come from."""

    name: str = "A-100"
    group: str = "A"
    cycles: int | None = 100
    numbers: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    pristine: "StubCell | None" = None
    is_pristine: bool = False
    energy_kev: float | None = 25.0
    geometry: object = field(default_factory=lambda: geometry(HEIGHTS))
    surfaces: dict = field(default_factory=lambda: dict.fromkeys(HEIGHTS))
    result: object = field(default_factory=lambda: SimpleNamespace(grey_scale=STANDARD_SCALE))

    def table(self, name):
        return self.tables.get(name)

    def why_absent(self, name):
        return "not measured"


def number(value, sd=0.0, **more):
    return {"value": value, "sd": sd, **more}


def stub(
    name, *, lithium_um, sd=0.1, inclusions_um3=0.0, contents=(1.0, 0.9, 1.0), pristine=None, **more
):
    """Give a cell: lithium's thickness, inclusions, and (content, low, high) of its particles."""
    content, low, high = contents
    particles = pd.DataFrame({"particle": range(100), "volume_um3": 1000.0})
    charge = pd.DataFrame(
        {
            "particle": range(100),
            "li_content": content,
            "li_content_low": low,
            "li_content_high": high,
        }
    )
    inclusions = pd.DataFrame({"class": ["enclosed"], "volume_um3": [inclusions_um3]})
    materials = pd.DataFrame(
        {
            "material": ["active_material"],
            "volume_um3": [1e5],
            "volume_um3_sd": [1e3],
            "mean_grey": [38_000.0],
        }
    )
    return StubCell(
        name,
        numbers={
            "bore_radius_um": number(RADIUS_UM),
            "thickness_um.lithium": number(lithium_um, sd, bound="upper"),
            "inclusions": number(int(inclusions_um3 > 0)),
            "electrolyte_peak_per_cm": number(5.0),
        },
        tables={
            "particles": particles, "charge": charge, "materials": materials,
            "inclusions": inclusions if inclusions_um3 else inclusions.iloc[:0],
        },
        pristine=pristine,
        is_pristine=pristine is None,
        **more,
    )  # fmt: skip
