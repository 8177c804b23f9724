"""Voids of a stack: sizes, fraction against distance and time. In: phases; out: tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt

from xct.analyze.stack.roles import codes_of, note_of, parts_of
from xct.analyze.voids import void_fraction, void_sizes
from xct.errors import DataError
from xct.figures import canvas
from xct.parallel.blocks import Voxels
from xct.quantity import Number, Quantity, Table
from xct.stages import stage
from xct.statistics.bootstrap import median_sd

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_REGIONS = ("core", "shell", "rest")
_SHELL_PX = 5.0  # thickness of the shell unless given
_STEPS = 20  # bins of distance unless given


def size_numbers(stack_voids: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give how many voids there are, and how large, by region."""
    yield "voids", Number(len(stack_voids), "voids", note=note_of(stack_voids))
    for region in _REGIONS:
        own = stack_voids["equivalent_diameter_um"][stack_voids["region"] == region]
        if len(own):
            sd = median_sd(own.to_numpy()) if len(own) > 1 else None
            yield (
                f"median_void_diameter_um.{region}",
                Number(float(own.median()), "µm", sd, len(own)),
            )


def size_figure(stack_voids: pd.DataFrame) -> Figure | None:
    """Draw how voids are distributed over size in each region."""
    if not len(stack_voids):
        return None
    figure, [axis] = canvas(1, 1, (6, 4))
    diameter = stack_voids["equivalent_diameter_um"]
    low, high = float(diameter.min()), float(diameter.max())
    bins = np.geomspace(low * 0.99, high * 1.01 + 1e-9, 25)
    several = [diameter[stack_voids["region"] == region] for region in _REGIONS]
    axis.hist(several, list(bins), stacked=True, label=list(_REGIONS))
    axis.set(xscale="log", xlabel="equivalent diameter (µm)", ylabel="voids")
    axis.legend()
    return figure


@stage(
    gives=Quantity(
        "stack_voids",
        unit="table of voids",
        store=Table("voids"),
        numbers=size_numbers,
        figures={"void_sizes": size_figure},
    ),
    measures=True,
)
def stack_voids(
    phase_labels: Voxels,
    roles: pd.DataFrame,
    voxel_size_um: Any,
    frame_interval_s: float | None = None,
    *,
    shell_um: Annotated[float, Gt(0)] | None = None,
) -> pd.DataFrame:
    """List the voids: their size, and whether they lie in particles, around them, or elsewhere.

    Parameters
    ----------
    phase_labels : Voxels, shape (z, y, x)
        What `phases` gave.
    roles : DataFrame
        Which phase is what.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    frame_interval_s : float, optional
        The slices are images taken one after the other: each is measured by itself.
    shell_um : float, optional
        Thickness of the shell around the particles; five pixels unless given.

    Returns
    -------
    DataFrame
        As of `xct.analyze.void_sizes`; in a series after ``frame`` and ``time_s``.
    """
    solid, empty = codes_of(roles, "particle"), codes_of(roles, "void")
    found = []
    for part in parts_of(phase_labels, voxel_size_um, frame_interval_s):
        table = void_sizes(
            part.labels,
            solid,
            voxel_size_um=part.voxel_size_um,
            shell_um=shell_um or _SHELL_PX * max(part.voxel_size_um[-2:]),
            void=empty,
        )
        found.append(_with_time(table, part.columns))
    return _joined(found)


def profile_figure(void_profile: pd.DataFrame) -> Figure:
    """Draw the fraction of voids against the distance; of a series for a few times."""
    figure, [axis] = canvas(1, 1, (6, 4))
    is_series = "time_s" in void_profile
    times = void_profile["time_s"].unique() if is_series else [None]
    for time in times[:: max(1, len(times) // 6)]:
        own = void_profile if time is None else void_profile[void_profile["time_s"] == time]
        label = None if time is None else f"{time:g} s"
        line = axis.plot(own["distance_um"], own["void_fraction"], label=label)
        axis.fill_between(
            own["distance_um"],
            own["void_fraction_low"],
            own["void_fraction_high"],
            color=line[0].get_color(),
            alpha=0.2,
            lw=0,
        )
    axis.set(xlabel="distance to the nearest particle (µm)", ylabel="void fraction")
    axis.set_ylim(bottom=0)
    if is_series:
        axis.legend()
    return figure


@stage(
    gives=Quantity(
        "void_profile",
        unit="table of void fractions by distance",
        store=Table(),
        figures={"void_profile": profile_figure},
    ),
    measures=True,
)
def void_profile(
    phase_labels: Voxels,
    roles: pd.DataFrame,
    voxel_size_um: Any,
    frame_interval_s: float | None = None,
    *,
    step_um: Annotated[float, Gt(0)] | None = None,
    farthest_um: Annotated[float, Gt(0)] | None = None,
) -> pd.DataFrame:
    """Measure which part of the matrix is void, by distance from the particles.

    Parameters
    ----------
    phase_labels : Voxels, shape (z, y, x)
        What `phases` gave.
    roles : DataFrame
        Which phase is what.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    frame_interval_s : float, optional
        The slices are images taken one after the other: each is measured by itself.
    step_um, farthest_um : float, optional
        Width of the bins of distance, a pixel unless given, and where they end, after 20 of them.

    Returns
    -------
    DataFrame
        As of `xct.analyze.void_fraction`; in a series after ``frame`` and ``time_s``.

    Raises
    ------
    DataError
        If there is nothing but particles and voids.
    """
    found = []
    for part in parts_of(phase_labels, voxel_size_um, frame_interval_s):
        step = step_um or max(part.voxel_size_um[-2:])
        table = _fraction(part, roles, step, farthest_um or _STEPS * step)
        found.append(_with_time(table, part.columns))
    return _joined(found)


def fraction_numbers(void_series: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the fraction of the matrix that is void; of a series that at its start and its end."""
    rows = [("void_fraction", void_series.iloc[0])]
    if len(void_series) > 1:
        rows = [("void_fraction.first", void_series.iloc[0]), ("void_fraction.last",
                 void_series.iloc[-1])]  # fmt: skip
    for name, row in rows:
        yield (
            name,
            Number(float(row["void_fraction"]), "1", float(row["void_fraction_sd"]), int(row["n"])),
        )


def series_figure(void_series: pd.DataFrame) -> Figure | None:
    """Draw the fraction of voids against time."""
    if len(void_series) < 2 or "time_s" not in void_series:
        return None
    figure, [axis] = canvas(1, 1, (6, 4))
    axis.errorbar(
        void_series["time_s"], void_series["void_fraction"], void_series["void_fraction_sd"]
    )
    axis.set(xlabel="time (s)", ylabel="void fraction")
    return figure


@stage(
    gives=Quantity(
        "void_series",
        unit="table of void fractions by time",
        store=Table(),
        numbers=fraction_numbers,
        figures={"void_series": series_figure},
    ),
    measures=True,
)
def void_series(
    phase_labels: Voxels,
    roles: pd.DataFrame,
    voxel_size_um: Any,
    frame_interval_s: float | None = None,
    *,
    within_um: Annotated[float, Gt(0)] | None = None,
) -> pd.DataFrame:
    """Measure which part of the matrix around the particles is void; in a series, by time.

    Parameters
    ----------
    phase_labels : Voxels, shape (z, y, x)
        What `phases` gave.
    roles : DataFrame
        Which phase is what.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    frame_interval_s : float, optional
        The slices are images taken one after the other: each is measured by itself.
    within_um : float, optional
        Distance from the particles that counts; 20 pixels unless given.

    Returns
    -------
    DataFrame
        A row for each image, or one for a stack: ``void_fraction`` with ``_sd``, ``_low`` and
        ``_high`` (95 %, block bootstrap), ``n`` voxels, ``blocks``, ``within_um``; in a series
        after ``frame`` and ``time_s``.

    Raises
    ------
    DataError
        If there is nothing but particles and voids.
    """
    found = []
    for part in parts_of(phase_labels, voxel_size_um, frame_interval_s):
        reach = within_um or _STEPS * max(part.voxel_size_um[-2:])
        table = _fraction(part, roles, reach, reach).drop(columns="distance_um")
        found.append(_with_time(table.assign(within_um=reach), part.columns))
    return _joined(found)


def _fraction(part: Any, roles: pd.DataFrame, step_um: float, farthest_um: float) -> pd.DataFrame:
    matrix = codes_of(roles, "matrix")
    if not matrix:
        raise DataError(
            "the stack shows particles and voids, and nothing that voids could be a part of; take "
            "more phases (steps.phases.count), or label the matrix"
        )
    return void_fraction(
        part.labels,
        codes_of(roles, "particle"),
        voxel_size_um=part.voxel_size_um,
        void=codes_of(roles, "void"),
        within=matrix,
        step_um=step_um,
        farthest_um=farthest_um,
    )


def _with_time(table: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    for place, (name, value) in enumerate(columns.items()):
        table.insert(place, name, value)
    return table


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
