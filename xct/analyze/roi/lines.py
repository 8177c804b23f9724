"""Profiles along lines that were drawn as ROIs. In: grey values, lines; out: tables, a figure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xct.analyze.profiles import profile_edges, profile_of_roi
from xct.analyze.roi.coordinates import Roi
from xct.analyze.roi.shapes import LineRoi
from xct.errors import DataError
from xct.figures import canvas
from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

PROFILES, EDGES = "roi_profiles", "roi_edges"


def line_tables(grey: Voxels, cell: CellGeometry, rois: Sequence[Roi]) -> dict[str, DataFrame]:
    """Measure the profile along each line, and where its edges lie.

    Parameters
    ----------
    grey : Voxels, shape (z, y, x)
        Normalized grey values, undenoised.
    cell : CellGeometry
        Where the layers lie.
    rois : sequence of Roi
        Lines among them are measured; one that cannot be is left out with a warning.

    Returns
    -------
    dict of str to DataFrame
        ``roi_profiles`` (roi, distance_um from the start of the line, grey_value, grey_value_sd,
        n), NaN where it leaves the volume; ``roi_edges`` (roi, position_um, position_um_sd, step,
        step_sd, blur_um), as `profile_edges` finds them. Empty where there is no line.
    """
    import pandas as pd

    profiles, edges = [], []
    for roi in rois:
        if not isinstance(roi, LineRoi):
            continue
        try:
            profile = profile_of_roi(grey, cell, roi)
        except DataError as error:
            warnings.warn(f"no profile along {roi.name}: {error}", stacklevel=2)
            continue
        found = profile_edges(profile).rename(columns={"position_sd_um": "position_um_sd"})
        profiles.append(profile.assign(roi=roi.name))
        edges.append(found.assign(roi=roi.name))
    if not profiles:
        return {}
    return {
        name: pd.concat([t for t in tables if len(t)] or tables, ignore_index=True)[
            ["roi", *tables[0].columns.drop("roi")]
        ]
        for name, tables in ((PROFILES, profiles), (EDGES, edges))
    }


def profiles_figure(histograms: Mapping[str, DataFrame]) -> Figure | None:
    """Draw the profile along every line, with its edges; None where there is no line.

    Parameters
    ----------
    histograms : mapping of str to DataFrame
        Of which ``roi_profiles`` and ``roi_edges`` are drawn.
    """
    if PROFILES not in histograms:
        return None
    profiles, edges = histograms[PROFILES], histograms[EDGES]
    names = list(dict.fromkeys(profiles["roi"]))
    figure, axes = canvas(len(names), 1, (8, 1.2 + 2.1 * len(names)))
    for axis, name in zip(axes, names, strict=True):
        one = profiles[profiles["roi"] == name]
        s, mean, sd = (
            one[c].to_numpy(float) for c in ("distance_um", "grey_value", "grey_value_sd")
        )
        band = np.nan_to_num(sd)
        axis.fill_between(s, mean - band, mean + band, color="0.8", label="± standard uncertainty")
        axis.plot(s, mean, color="tab:blue", lw=1)
        for number, position in enumerate(edges.loc[edges["roi"] == name, "position_um"]):
            axis.axvline(position, color="tab:red", lw=0.8, label="edge" if number == 0 else None)
        axis.set(ylabel="grey value", title=name)
        axis.legend(loc="best", fontsize=8)
    axes[-1].set_xlabel("distance along the line (µm)")
    return figure
