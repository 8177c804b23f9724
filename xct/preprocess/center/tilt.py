"""Tilt of the rotation axis within the detector's plane. In: line integrals of rows; out: degrees.

The axis is found at several heights, each by itself: it lies on a straight line through them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import atan, degrees, hypot, isfinite, radians, sqrt, tan

import numpy as np

from xct.preprocess.center.answer import Center
from xct.preprocess.center.rotation_axis import find_center
from xct.quantity import Number, Quantity
from xct.stages import stage

log = logging.getLogger("xct")

_HEIGHTS = 3
_LEAST_CONFIDENCE = 0.6  # of an axis that was found at one height
_LEAST_SD_PX = 0.03
_SURE_SD = 4.0  # standard uncertainties at which a tilt is corrected
_MATTERS_PX = 0.1  # what the axis must move by over the frame's height to be corrected


@dataclass(frozen=True)
class AxisTilt:
    """How the rotation axis leans within the plane of the detector.

    Attributes
    ----------
    tilt_deg, sd_deg : float
        Positive where the axis falls on larger columns as rows grow. Both NaN where the axis was
        not found at two heights or more.
    height_px : float
        Rows from the first to the last of the frame.
    row_px, center_px, sd_px : tuple of float
        The axis at each height where it was found.
    """

    tilt_deg: float
    sd_deg: float
    height_px: float
    row_px: tuple[float, ...] = ()
    center_px: tuple[float, ...] = ()
    sd_px: tuple[float, ...] = ()

    @property
    def moves_px(self) -> float:
        """How far the axis moves from the first row to the last."""
        return self.height_px * tan(radians(self.tilt_deg))

    @property
    def is_sure(self) -> bool:
        """Whether there is a tilt for sure, and one that matters."""
        return abs(self.tilt_deg) > _SURE_SD * self.sd_deg and abs(self.moves_px) > _MATTERS_PX


def tilt_number(tilt: AxisTilt, rows: int) -> Number:
    """Give the tilt that is corrected: 0 where it is not distinguished from none.

    Parameters
    ----------
    tilt : AxisTilt
        What `find_tilt` gave.
    rows : int
        How many rows it rests on.
    """
    if not isfinite(tilt.tilt_deg):
        return Number(0.0, "°", n=rows, note="not measured: the axis is not found at two heights")
    details = {
        "measured_deg": tilt.tilt_deg,
        "moves_px": tilt.moves_px,
        "by_row": {f"{r:.1f}": c for r, c in zip(tilt.row_px, tilt.center_px, strict=True)},
    }
    if not tilt.is_sure:
        note = "no tilt that is sure and matters: none is corrected"
        return Number(0.0, "°", tilt.sd_deg, rows, note=note, details=details)
    log.info(
        "find_tilt: the rotation axis leans by %.3f ± %.3f° within the detector's plane: from the "
        "first row to the last it moves by %.2f px; `align` corrects it",
        tilt.tilt_deg,
        tilt.sd_deg,
        tilt.moves_px,
    )
    return Number(tilt.tilt_deg, "°", tilt.sd_deg, rows, details=details)


@stage(
    gives=Quantity("axis_tilt_deg", unit="degrees, within the plane of the detector"),
    estimate=tilt_number,
)
def find_tilt(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    row_px: np.ndarray,
    frame_shape: tuple[int, int] | None = None,
) -> AxisTilt:
    """Find how the rotation axis leans within the plane of the detector.

    The axis is found at three heights as `find_center` does, and a straight line is fitted. A tilt
    along the beam does not move the axis and is not seen.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Line integrals of rows from several heights.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are.
    frame_shape : tuple of int, optional
        Rows and columns of a frame; as high as the last row unless given.

    Returns
    -------
    AxisTilt
        NaN where the axis is not found at two heights, or cannot be found at all.
    """
    height = float((frame_shape[0] if frame_shape else int(np.max(row_px)) + 1) - 1)
    unknown = AxisTilt(float("nan"), float("nan"), height)
    try:
        groups = [g for g in np.array_split(np.argsort(row_px), _HEIGHTS) if g.size]
        found = [(g, find_center(line_integrals[:, g], theta_deg)) for g in groups]
    except ValueError:  # find_center, which needs the axis, refuses it; a given axis does not
        return unknown
    found = [(g, center) for g, center in found if _is_found(center)]
    if len(found) < 2:
        return unknown
    rows = [float(np.mean(row_px[g])) for g, _ in found]
    centers = [center.center_px for _, center in found]
    sd = [hypot(center.sd_px, _LEAST_SD_PX) for _, center in found]
    slope, slope_sd = _line(np.array(rows), np.array(centers), np.array(sd))
    return AxisTilt(
        degrees(atan(slope)),
        degrees(slope_sd),
        height,
        tuple(rows),
        tuple(centers),
        tuple(sd),
    )


def _is_found(center: Center) -> bool:
    return center.confidence > _LEAST_CONFIDENCE and not center.at_edge


def _line(rows: np.ndarray, centers: np.ndarray, sd: np.ndarray) -> tuple[float, float]:
    """Fit a line; its slope, and the uncertainty of it, wider where the centers scatter more."""
    weight = sd**-2.0
    away = rows - np.average(rows, weights=weight)
    spread = float(np.sum(weight * away**2))
    if spread <= 0:
        return float("nan"), float("nan")
    middle = np.average(centers, weights=weight)
    slope = float(np.sum(weight * away * (centers - middle)) / spread)
    rest = float(np.sum(weight * (centers - middle - slope * away) ** 2))
    scatter = sqrt(max(1.0, rest / max(1, len(rows) - 2)))
    return slope, scatter / sqrt(spread)
