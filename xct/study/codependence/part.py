"""The report's section on codependence. In: maps that were compared; out: a figure, a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xct.report.page import Part, known_figures, known_tables
from xct.study.codependence.measured import Together, codependence_figure

if TYPE_CHECKING:
    from pandas import DataFrame


def codependence_part(together: Sequence[Together], tables: Mapping[str, DataFrame]) -> Part:
    """Make the section of the report."""
    caption = (
        "Maps of both layers without what depends on the radius alone, and their correlation by "
        "scale."
    )
    return Part(
        "codependence",
        "Codependence",
        "Do damage of the cathode and loss of lithium lie at the same places?",
        known_figures({"codependence": (codependence_figure(together), caption)}),
        known_tables(tables, {"codependence": "Every pair of maps at every scale."}),
        sources={"codependence": "codependence"},
    )
