"""The report's section on grey values by region. In: grey values of ROIs; out: figures, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xct.report.page import Part, known_figures, known_tables
from xct.study.cells import Cell
from xct.study.grey import NUMBERS, GreyCell
from xct.study.histogram_charts import depth_chart, roi_chart
from xct.study.histogram_figures import (
    cell_histograms_figure,
    distances_figure,
    group_histograms_figure,
    homogeneity_figure,
)
from xct.study.roi_pictures import rois_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def grey_part(
    cells: Sequence[Cell], grey: Sequence[GreyCell], tables: Mapping[str, DataFrame]
) -> Part:
    """Make the section of the report on grey values by region."""
    figures: dict[str, tuple[Figure | None, str]] = {}
    by_name = {each.cell.name: each for each in grey}
    groups = list(dict.fromkeys(cell.group for cell in cells))
    for number, group in enumerate(groups, 1):
        those = [each for each in grey if each.cell.group == group]
        caption = f"Histograms of the ROIs of {group}, the pristine cell on top."
        figures[f"histograms_group_{number}"] = (group_histograms_figure(those), caption)
    for number, each in enumerate(grey, 1):
        name = each.cell.name
        if each.cell.pristine is not None:
            before = by_name[each.cell.pristine.name]
            figures[f"histograms_cell_{number}"] = (
                cell_histograms_figure(each, before),
                f"Each ROI of {name}; grey: the same ROI of the pristine cell.",
            )
    figures["distances"] = (
        distances_figure(grey),
        "Distance of each ROI from that of the pristine cell; grey: how far ROIs of the "
        "pristine cell lie from each other.",
    )
    figures["homogeneity"] = (
        homogeneity_figure(grey),
        "How much the ROIs of one cell differ; the number above a bar is p.",
    )  # fmt: skip
    for number, each in enumerate(grey, 1):
        caption = (
            f"Where the ROIs lie in {each.cell.name}, each on the slice in its middle; for a ROI "
            "that follows a surface the slice is bent like it."
        )
        figures[f"rois_{number}"] = (rois_figure(each.cell, each.rois), caption)
    shown = dict(known_tables(tables, {
        "grey_statistics": "Numbers of every ROI with 95 % intervals by a block bootstrap; more "
        "of them in tables/grey_statistics.csv.",
        "homogeneity": "Do the ROIs of a kind hold the same?",
    }))  # fmt: skip
    if "grey_statistics" in shown:
        table, caption = shown["grey_statistics"]
        shown["grey_statistics"] = (_narrowed(table), caption)
    charts = [chart for chart in (roi_chart(grey), depth_chart(cells)) if chart is not None]
    sources = {name: "histograms" for name in figures if name.startswith("histograms")}
    sources |= {"distances": "grey_statistics", "homogeneity": "homogeneity"}
    return Part(
        "grey_values", "Grey values by region", "", known_figures(figures), shown,
        charts=charts, sources=sources,
    )  # fmt: skip


def _narrowed(table: DataFrame) -> DataFrame:
    """Give what can be read on a page; the CSV has the rest."""
    numbers = [f"{name}{end}" for name in NUMBERS for end in ("", "_low", "_high")]
    return table[[c for c in ("cell", "group", "cycles", "roi", "n", *numbers) if c in table]]
