"""Where the rotation axis is, as an answer and as a number. In: the axis; out: a summary entry."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

import numpy as np

from xct.errors import RunError
from xct.preprocess.center.still import Still, still_clause
from xct.quantity import Number


@dataclass(frozen=True)
class Center:
    """Where the rotation axis is, and how much that can be trusted.

    Attributes
    ----------
    center_px : float
        Column of the axis; 0 is the middle of the first pixel. NaN where no method answers.
    sd_px : float
        Standard deviation in pixels.
    confidence : float
        About the probability that the error is below a quarter of a pixel, 0 … 1. Below 0.5 the
        answer must not be used unseen.
    by_method : dict of str to float
        Answer of each method that applied: opposite, wedge, profile, mass; or overlap alone.
    by_method_sd : dict of str to float
        Its standard deviation, in pixels.
    method : str
        Methods that the answer is the mean of, joined by " + ".
    search_px : float
        The axis was looked for this far to either side of the detector's middle.
    at_edge : bool
        The answer is at the end of the search range: the axis may lie beyond.
    still : Still or None
        What stands still in the beam; looked for where the answer is not sure.
    turned : str or None
        Over what other range the sample turned, in words, where the answer is not sure.
    sinking_px : float
        How far the sample moves along the axis, as far as that is sure.
    """

    center_px: float
    sd_px: float
    confidence: float
    by_method: dict[str, float]
    by_method_sd: dict[str, float]
    method: str
    search_px: float
    at_edge: bool
    still: Still | None = None
    turned: str | None = None
    sinking_px: float = 0.0


log = logging.getLogger("xct")

SURE, _TOO_UNSURE = 0.8, 0.5


def _capital(clause: str) -> str:
    return clause[0].upper() + clause[1:]


def center_number(center: Center, rows: int) -> Number:
    """Give the axis as a number, or refuse one that is too uncertain.

    Parameters
    ----------
    center : Center
        What `find_center` gave.
    rows : int
        How many rows it rests on.

    Raises
    ------
    RunError
        If no method finds the axis, it is too uncertain, or lies at the end of the search range.
    """
    if not np.isfinite(center.center_px):
        raise RunError("find_center: no method finds the rotation axis; give it by scan.center_px")
    candidates = ", ".join(f"{name} {value:.2f}" for name, value in center.by_method.items())
    found = (
        f"center_px {center.center_px:.2f} ± {center.sd_px:.2f}, confidence "
        f"{center.confidence:.2f} ({candidates})"
    )
    if center.at_edge or center.confidence < _TOO_UNSURE:
        if center.turned is not None:
            raise RunError(f"find_center: {center.turned}. No axis fits the angles: {found}")
        if center.still is not None:
            raise RunError(
                f"find_center: {still_clause(center.still)}. The rotation axis is too uncertain by "
                f"it: {found}; give it by scan.center_px, after a look at figures/center.png"
            )
        if center.sinking_px:
            raise RunError(
                f"find_center: the sample moves along the axis by {center.sinking_px:.2f} px "
                f"during the scan, and the rotation axis is too uncertain by it: {found}; give it "
                "by scan.center_px, after a look at figures/center.png, or leave the worst part "
                "out by scan.leave_out.projections"
            )
        why = "lies at the end of the search range" if center.at_edge else "is too uncertain"
        raise RunError(
            f"find_center: the rotation axis {why}: {found}. Look at figures/center.png in the "
            "output folder and give the axis by scan.center_px; where no axis fits there, the "
            "angles are not those of the frames (scan.theta_deg), or the sample moved"
        )
    log.info("find_center: %s", found)
    if center.confidence < SURE:
        warnings.warn(
            f"the rotation axis is not sure: {found}; give scan.center_px if rings or tuning "
            "forks show" + (f". {_capital(still_clause(center.still))}" if center.still else ""),
            stacklevel=2,
        )
    return Number(
        center.center_px,
        "px",
        center.sd_px,
        rows,
        details={
            "confidence": float(center.confidence),
            "method": center.method,
            "by_method": {name: float(value) for name, value in center.by_method.items()},
        },
    )
