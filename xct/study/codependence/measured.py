"""Codependence of the cells of a study. In: cells; out: tables, a figure, an answer for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import bar, canvas
from xct.study.cells import Cell
from xct.study.codependence.correlation import (
    WANTED,
    AtScale,
    Codependence,
    codependence,
    lag_um,
)
from xct.study.codependence.maps import (
    NEEDED,
    bore_um,
    drifted_fraction,
    excess_grey,
    lithium_lost,
    looked_at_um,
)
from xct.study.codependence.smoothing import RingMap, Samples, ring_map, ring_radii_um

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_SHOWN_UM = 100.0  # scale of the maps that are drawn, or what the bore allows


@dataclass(frozen=True)
class Together:
    """What is known of one cell.

    Attributes
    ----------
    cell : Cell
        The cell.
    found : Codependence or None
        None where a layer has no map.
    reason : str
        Why there is none.
    cathode : list of Samples
        Maps of the cathode.
    anode : Samples or None
        Map of the lithium.
    """

    cell: Cell
    found: Codependence | None
    reason: str
    cathode: list[Samples]
    anode: Samples | None

    def answer(self) -> str:
        """Say in a sentence whether both layers belong together."""
        found = self.found
        if found is None:
            return f"Codependence of cathode and lithium is not measured: {self.reason}."
        best, p = found.best, f"p = {found.p_value:.2g}"
        if found.verdict in ("together", "opposed"):
            where = "the same places" if found.verdict == "together" else "opposite places"
            shown = best if isfinite(best.value) else found.strongest
            if shown is not found.strongest:  # r may seem to be 0 where p, of another row, does not
                p += f", strongest for the {_which(found.strongest)}"
            return (
                f"Damage of the cathode and lost lithium lie at {where} ({p}; {_estimate(shown)})."
            )
        if found.verdict == "not_seen":
            return (
                "Nothing shows that damage of the cathode and lost lithium belong together "
                f"({p}; {_estimate(best)}; {best.detectable:.2f} would be seen in four of five "
                "such bores)."
            )
        bore = bore_um(found.radius_um) / 1000
        needed = _rounded_up(bore_um(found.diameter_needed_um / 2) / 1000)
        lead = (
            f"This bore of {bore:.2g} mm is too small to tell whether damage of the cathode and "
            f"lost lithium belong together ({p}): "
        )
        if isfinite(best.detectable):
            return f"{lead}to see a correlation of {WANTED:g} takes one of about {needed} mm."
        return (
            f"{lead}its map of the cathode is not told from noise; to see a correlation of "
            f"{WANTED:g} takes one of at least {needed} mm."
        )


def _rounded_up(mm: float) -> str:
    return f"{np.ceil(mm * 10) / 10:.1f}"


def _which(row: AtScale) -> str:
    return f"{row.first} at {row.fwhm_um:g} µm"


def _estimate(row: AtScale) -> str:
    where = f"for the {_which(row)}"
    if not isfinite(row.value):
        return f"r = {row.seen:.2f} {where}, lowered by noise to an unknown part".replace("-", "−")
    return f"r = {row.value:.2f} ({row.low:.2f} … {row.high:.2f}) {where}".replace("-", "−")


def measure_together(cells: Sequence[Cell]) -> list[Together]:
    """Compare, in every cell that was cycled, where its cathode is damaged and lithium is lost."""
    return [_measured(cell) for cell in cells if not cell.is_pristine]


def _measured(cell: Cell) -> Together:
    cathode, anode = _maps(cell)
    geometry = cell.geometry
    particles = cell.table("particles")
    if geometry is None or particles is None or not set(particles) >= NEEDED:
        lacks = "" if particles is None else f" with {', '.join(sorted(NEEDED - set(particles)))}"
        return Together(cell, None, f"there is no table of particles{lacks}", [], None)
    if anode is None:
        return Together(cell, None, "no lithium was measured", cathode, None)
    if not cathode:
        return Together(cell, None, "there are too few particles for a map", [], anode)
    before: dict[str, Samples] = {}
    if cell.pristine is not None:
        earlier, lithium = _maps(cell.pristine)
        before = {each.name: each for each in (*earlier, lithium) if each is not None}
    try:
        found = codependence(cathode, anode, looked_at_um(geometry), before=before)
    except ValueError as error:
        return Together(cell, None, str(error), cathode, anode)
    return Together(cell, found, "", cathode, anode)


def _maps(cell: Cell) -> tuple[list[Samples], Samples | None]:
    """Give the maps of the cathode and of the lithium, as far as they were measured."""
    particles, geometry = cell.table("particles"), cell.geometry
    if geometry is None:
        return [], None
    found = []
    if particles is not None and set(particles) >= NEEDED:
        found = [drifted_fraction(particles, geometry), excess_grey(particles, geometry)]
    return [each for each in found if each is not None], lithium_lost(cell.surfaces, geometry)


def codependence_table(cells: Sequence[Together]) -> DataFrame:
    """List every pair of maps at every scale, for every cell.

    Returns
    -------
    DataFrame
        ``cell, cathode_map, scale_um, r, r_low, r_high`` (corrected for noise, 95 %), ``r_seen``,
        ``signal_cathode, signal_anode`` (parts of the variances that are neither noise nor in the
        pristine cell),
        ``detectable_r, p_value, verdict, bore_um, bore_needed_um, lag_y_um, lag_x_um``; the last
        six are of the cell. Lags are given where both layers belong together.
    """
    import pandas as pd

    rows: list[Mapping[str, Any]] = []
    for one in cells:
        if one.found is None:
            continue
        whole = _of_the_cell(one, one.found)
        for row in one.found.rows:
            rows.append(
                {
                    "cell": one.cell.name,
                    "cathode_map": row.first,
                    "scale_um": row.fwhm_um,
                    "r": row.value,
                    "r_low": row.low,
                    "r_high": row.high,
                    "r_seen": row.seen,
                    "signal_cathode": row.signal_first,
                    "signal_anode": row.signal_second,
                    "detectable_r": row.detectable if isfinite(row.detectable) else np.nan,
                    **whole,
                }
            )
    return pd.DataFrame(rows)


def _of_the_cell(one: Together, found: Codependence) -> dict[str, Any]:
    lag = (np.nan, np.nan)
    if found.verdict in ("together", "opposed") and one.anode is not None:
        first = next(each for each in one.cathode if each.name == found.strongest.first)
        lag = lag_um(first, one.anode, found.radius_um, found.strongest.fwhm_um)
    return {
        "p_value": found.p_value,
        "verdict": found.verdict,
        "bore_um": bore_um(found.radius_um),
        "bore_needed_um": bore_um(found.diameter_needed_um / 2),
        "lag_y_um": lag[0],
        "lag_x_um": lag[1],
    }


def codependence_figure(cells: Sequence[Together]) -> Figure | None:
    """Draw the maps of both layers of each cell at one scale, and the coefficients by scale."""
    shown = [one for one in cells if one.found is not None and one.anode is not None]
    if not shown:
        return None
    figure, axes = canvas(len(shown), 4, (13, 3.1 * len(shown)))
    grid = np.array(axes).reshape(len(shown), 4)
    for line, one in zip(grid, shown, strict=True):
        assert one.found is not None
        assert one.anode is not None
        radius = one.found.radius_um
        scale = max(row.fwhm_um for row in one.found.rows if row.fwhm_um <= _SHOWN_UM)
        by_name = {each.name.split(" ")[0]: each for each in one.cathode}
        for axis, samples, what in zip(
            line[:3], (one.anode, by_name.get("drifted"), by_name.get("excess")),
            ("lithium", "drifted particles", "particles"), strict=True,
        ):  # fmt: skip
            if samples is None:
                axis.set_axis_off()
                text = f"too few {what}\nfor a map"
                axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", fontsize=8)
            else:
                _draw_map(axis, samples, radius, scale)
        line[0].set_ylabel(one.cell.name)
        draw_scales(line[3], one.found)
    return figure


def _draw_map(axis: Axes, samples: Samples, radius_um: float, fwhm_um: float) -> None:
    axis.set(xticks=[], yticks=[], aspect="equal")
    for side in axis.spines.values():
        side.set_visible(False)
    ring: RingMap = ring_map(samples, radius_um, fwhm_um)
    count = ring.value.shape[1]
    turn = 2 * np.pi * (np.arange(count + 1) - 0.5) / count
    step = ring_radii_um(radius_um)[0]
    edges = np.append(ring_radii_um(radius_um) - step, radius_um)
    limit = float(np.nanmax(np.abs(ring.value))) or 1.0
    axis.pcolormesh(
        edges[:, None] * np.cos(turn), edges[:, None] * np.sin(turn), ring.value,
        cmap="PuOr_r", vmin=-limit, vmax=limit, rasterized=True,
    )  # fmt: skip
    axis.invert_yaxis()
    bar(axis, 2 * radius_um)
    most = f"{limit:.0f}" if limit >= 10 else f"{limit:.2g}"
    axis.set_title(f"{samples.name}\nat {fwhm_um:g} µm, ±{most}", fontsize=8)


def draw_scales(axis: Axes, found: Codependence) -> None:
    """Draw the coefficients of every pair of maps by scale, with p and the verdict as title."""
    for name, color in zip(
        dict.fromkeys(row.first for row in found.rows), ("tab:blue", "tab:orange"), strict=False
    ):
        rows = [row for row in found.rows if row.first == name and isfinite(row.value)]
        if not rows:
            continue
        value = np.array([row.value for row in rows])
        ends = [np.abs(value - [getattr(row, end) for row in rows]) for end in ("low", "high")]
        axis.errorbar(
            [row.fwhm_um for row in rows], value, ends, fmt="o-", color=color, ms=4, capsize=3,
            label=name.split(" (")[0],
        )  # fmt: skip
    axis.axhline(0, color="0.5", lw=0.8)
    axis.set(xscale="log", ylim=(-1.05, 1.05), xlabel="scale (µm)", ylabel="r, noise corrected")
    scales = sorted({row.fwhm_um for row in found.rows})
    axis.set_xlim(scales[0] / 1.2, scales[-1] * 1.2)  # in one range, whether r is known or not
    axis.set_xticks(scales, [f"{scale:g}" for scale in scales])
    axis.set_xticks([], minor=True)
    axis.set_title(f"p = {found.p_value:.2g}: {found.verdict.replace('_', ' ')}", fontsize=8)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, loc="lower left")
    else:
        why = "r is withheld:\nthe map is not told from noise"
        axis.text(0.5, 0.6, why, transform=axis.transAxes, ha="center", fontsize=8)
