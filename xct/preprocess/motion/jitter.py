"""Jitter of the stage. In: line integrals of rows; out: how far each projection stands off.

Looked for only where views stand off from their neighbors by more than noise explains.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import canvas
from xct.preprocess.angles.turn import find_turn
from xct.preprocess.center.mass import wandering_px
from xct.preprocess.center.sample import (
    Sample,
    checked_views,
    flat_beside,
    prepared,
    steadied,
)
from xct.preprocess.center.search import search_axis
from xct.preprocess.motion.sinking import Sinking, find_sinking, slow_part
from xct.preprocess.motion.unsteadiness import LEAST_PX, unsteadiness_of_rows_px, unsteadiness_px
from xct.preprocess.motion.wedge_shifts import find_shifts
from xct.quantity import Number, Quantity
from xct.stages import stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("xct")

_MATTERS_PX = 0.2  # standard deviation from view to view that is corrected
TOO_MUCH_PX = 0.8  # shifts that are known within a tenth of a pixel are smaller
_MOST_PAIRS = 8  # of neighboring rows
_BETTER = 0.5  # what is left along columns after a correction that is one

Shifts = tuple[list[float], list[float]]


@dataclass(frozen=True)
class StageJitter:
    """How far the sample stands off in each projection.

    Attributes
    ----------
    seen_rows_px, seen_columns_px : float
        Standard deviation from view to view; 0 where it is not distinguished from noise.
    rows_px, columns_px : ndarray, shape (angle,), or None
        Of each projection, in the order of the scan; None where nothing is to be corrected, or
        where it cannot be.
    left_px : float
        What is still seen along columns once they are corrected.
    wandering_px : float
        How far the sample wanders sideways, slowly (rms); 0 where that is not seen.
    sinking : Sinking or None
        How it moves along the axis, slowly; None where that is not seen. `rows_px` contains it.
    """

    seen_rows_px: float = 0.0
    seen_columns_px: float = 0.0
    rows_px: np.ndarray | None = None
    columns_px: np.ndarray | None = None
    left_px: float = 0.0
    wandering_px: float = 0.0
    sinking: Sinking | None = None

    @property
    def matters(self) -> bool:
        """Whether slices would be blurred."""
        return max(self.seen_rows_px, self.seen_columns_px) > _MATTERS_PX


def jitter_number(jitter: StageJitter, rows: int) -> Number:
    """Give the jitter with the shifts that are corrected; say what matters.

    Parameters
    ----------
    jitter : StageJitter
        What `find_jitter` gave.
    rows : int
        How many rows it rests on.
    """
    seen = max(jitter.seen_rows_px, jitter.seen_columns_px)
    details: dict[str, Any] = {
        "rows_px": jitter.seen_rows_px,
        "columns_px": jitter.seen_columns_px,
    }
    if jitter.wandering_px:
        details["wandering_px"] = round(jitter.wandering_px, 3)
        warnings.warn(
            f"the sample wanders sideways by {jitter.wandering_px:.2f} px (rms) during the scan, "
            "in a way that no turn about an axis explains: its center of mass shows it in all "
            "rows. Slices are blurred by as much, and nothing corrects it: scan again when stage "
            "and sample have settled, or leave the worst part out by scan.leave_out.projections",
            stacklevel=2,
        )
    if jitter.sinking is not None:
        details |= _said_of_sinking(jitter.sinking)
    if jitter.rows_px is not None and jitter.columns_px is not None:
        shifts = (jitter.rows_px, jitter.columns_px)
        details["shifts_px"] = [[round(float(one), 3) for one in each] for each in shifts]
    if not jitter.matters:
        return Number(seen, "px", n=rows, details=details)
    said = (
        f"the stage stands off by {jitter.seen_rows_px:.2f} px along rows and "
        f"{jitter.seen_columns_px:.2f} px along columns (standard deviation) from projection to "
        "projection"
    )
    if jitter.rows_px is None or jitter.columns_px is None:
        warnings.warn(
            f"{said}, which blurs slices by as much and is not corrected: shifts that make the "
            "projections fit each other were not found. Take more angles, or mend the stage",
            stacklevel=2,
        )
        return Number(seen, "px", n=rows, details=details, note="not corrected")
    left = f"about {max(jitter.left_px, LEAST_PX):.2f} px are left"
    if seen > TOO_MUCH_PX:
        left = "as this is much, shifts come out too small: up to half of it may be left"
    warnings.warn(
        f"{said}; align corrects it, and {left} (along rows more, where neighboring rows are "
        "alike). See figures/stage_jitter.png",
        stacklevel=2,
    )
    details["left_px"] = jitter.left_px
    return Number(seen, "px", n=rows, details=details)


def _said_of_sinking(sinking: Sinking) -> dict[str, float]:
    """Say how far the sample moves along the axis; give it as details of the number."""
    warnings.warn(
        f"the sample moves along the axis by {sinking.range_px:.2f} px (± {sinking.sd_px:.1g}) "
        "during the scan: what rows attenuate in all changes as neighboring rows differ. align "
        f"corrects it, and up to {sinking.left_px:.2f} px are left, by which faces blur; where "
        "the axis is not found for it, give it by scan.center_px. Scan again when stage and "
        "sample have settled, or leave the worst part out by scan.leave_out.projections. See "
        "figures/stage_jitter.png",
        stacklevel=3,
    )
    return {
        "sinking_px": round(sinking.range_px, 3),
        "sinking_left_px": round(sinking.left_px, 3),
    }


def corrected_shifts(entry: Mapping[str, Any]) -> Shifts | None:
    """Give the shifts that are corrected, along rows and columns; None where there are none."""
    shifts = entry.get("shifts_px")
    return None if shifts is None else (shifts[0], shifts[1])


def jitter_figure(stage_jitter: StageJitter) -> Figure | None:
    """Draw the shifts of all projections, where they are corrected."""
    if stage_jitter.rows_px is None or stage_jitter.columns_px is None:
        return None
    figure, [axes] = canvas(1, 1, (9, 4))
    for name, shifts in (("rows", stage_jitter.rows_px), ("columns", stage_jitter.columns_px)):
        axes.plot(shifts, lw=0.8, label=f"along {name}")
    axes.set(xlabel="projection", ylabel="shift (px)", title="Jitter of the stage")
    axes.legend(loc="upper right")
    return figure


@stage(
    gives=Quantity(
        "stage_jitter",
        unit="pixels along rows and columns, by projection",
        figures={"stage_jitter": jitter_figure},
        taken=corrected_shifts,
    ),
    estimate=jitter_number,
)
def find_jitter(
    line_integrals: np.ndarray, theta_deg: np.ndarray, row_px: np.ndarray
) -> StageJitter:
    """Find how far the sample stands off in each projection, along rows and columns.

    Views are compared with their neighbors first. Where they stand off by more than noise
    explains, shifts are found that leave least outside of the double wedge of the sinogram's
    spectrum. Slow drifts are seen less well, and shifts along rows only where neighboring rows
    differ.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Line integrals of rows from several heights, some next to each other.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are, ascending.

    Returns
    -------
    StageJitter
        None seen where angles do not suffice.
    """
    try:
        views = checked_views(line_integrals, theta_deg)
    except ValueError:  # find_center, which needs the axis, refuses it; a given axis does not
        return StageJitter()
    sample = prepared(views, np.asarray(theta_deg, np.float64))
    # Rows that were thinned out are no neighbors.
    thinned = sample.views.shape[1] != len(row_px)
    neighbors = np.flatnonzero((np.diff(row_px) == 1) & (not thinned))
    along_columns = sample.unsteadiness_px * sample.bin
    # Only where air is beside the sample is all of its mass in view.
    whole = flat_beside(sample.views)
    aside_px = wandering_px(sample.views, sample.theta_deg) if whole else 0.0
    turn = find_turn(sample) if aside_px else None
    if turn is not None and turn.is_other:  # which check_angles says
        aside_px = 0.0
    wandering = aside_px * sample.bin
    if not len(neighbors):
        return StageJitter(0.0, along_columns, wandering_px=wandering)
    chosen = np.linspace(0, len(neighbors) - 1, min(len(neighbors), _MOST_PAIRS)).round()
    pairs = neighbors[np.unique(chosen.astype(int))]
    along_rows = unsteadiness_of_rows_px(sample.free[:, pairs], sample.free[:, pairs + 1])
    seen = StageJitter(along_rows, along_columns, wandering_px=wandering)
    found = _registered(seen, sample, pairs, theta_deg) if seen.matters else seen
    return _lifted(found, views, neighbors) if whole else found


def _registered(
    seen: StageJitter, sample: Sample, pairs: np.ndarray, theta_deg: np.ndarray
) -> StageJitter:
    """Find the shifts of all views; give them only if views fit better then."""
    axis = search_axis(sample.views, sample.theta_deg)
    if not np.isfinite(axis.center_px):
        return seen
    found = find_shifts(sample, pairs, np.full(len(pairs), axis.center_px))
    left = unsteadiness_px(steadied(sample.free, found.columns)) * sample.bin
    if left > _BETTER * seen.seen_columns_px:
        return seen
    back = np.empty(len(theta_deg), np.intp)
    back[np.argsort(theta_deg, kind="stable")] = np.arange(len(theta_deg))
    return replace(
        seen,
        rows_px=found.rows[back],
        columns_px=found.columns[back] * sample.bin,
        left_px=left,
    )


def _lifted(found: StageJitter, views: np.ndarray, pairs: np.ndarray) -> StageJitter:
    """Add what moves along the axis, slowly, to the shifts."""
    sinking = find_sinking(views, pairs)
    if sinking is None or not sinking.is_sure or (found.matters and found.rows_px is None):
        return found
    rows = sinking.rows_px(len(views))
    fast = np.zeros(len(views)) if found.rows_px is None else found.rows_px
    columns = np.zeros(len(views)) if found.columns_px is None else found.columns_px
    rows += fast - slow_part(fast)
    return replace(found, rows_px=rows, columns_px=columns, sinking=sinking)
