"""The report's section in 3-D. In: results; out: pictures, a section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from xct.render.building import scene_of
from xct.render.picture import can_draw
from xct.render.scene import OPACITIES
from xct.render.sheet import sheet
from xct.render.viewer import PAGE
from xct.report.page import Part
from xct.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures_in_3d(named: Mapping[str, Result]) -> dict[str, tuple[Figure, str]]:
    """Draw results in 3-D, by the names of the figures; nothing where that cannot be."""
    if not (named and can_draw()):
        return {}
    scenes = [scene_of(result, name) for name, result in named.items()]
    width_in = 4.4 * min(3, len(scenes))
    inside = {**OPACITIES, "section": 0.0}
    return {
        "in_3d": (
            sheet(scenes, OPACITIES, "light", width_in=width_in),
            "Cells cut open, with grey values on the cut.",
        ),
        "in_3d_inside": (
            sheet(scenes, inside, "light", width_in=width_in),
            "The same without the cut's grey values: drifted particles in the electrolyte.",
        ),
    }


def in_3d_part(pictures: Mapping[str, tuple[Figure, str]]) -> Part:
    """Make the section of the report."""
    return Part(
        "in_3d",
        "In 3-D",
        "On one scale, seen by one camera in parallel projection, a quarter cut out; steel, tube "
        "and collector are left out.",
        pictures,
        links={"Turn the cells by hand": PAGE},
    )
