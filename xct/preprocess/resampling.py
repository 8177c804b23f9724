"""One resampling for all that moves pixels. In: line integrals; out: where they should have been.

Every pixel of the answer is interpolated once, at the place in the frame where it was seen:
turned back by the tilt of the axis, moved with the stage's jitter, distorted as by the lens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import ceil, cos, radians, sin, tan
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.stages import stage

_KERNEL_PX = 2  # of the interpolation, on either side
# Rows by which the ends of a frame's rows are lifted: below it, a center for each row is enough.
# A detail that far out moves up and down by as much during the scan.
_LEAST_LIFT_PX = 0.25
_MOST_DISTORTION = 0.1  # of the distance from the center; lenses of detectors reach a few percent
_ROWS_LOOKED_AT = 33


@dataclass(frozen=True)
class Distortion:
    """Radial distortion of the detector's lens.

    Attributes
    ----------
    factors : tuple of float
        Polynomial by which the distance from the center, in pixels of a straight frame, is
        multiplied to give that in the frame as seen: ``f0 + f1 r + f2 r² + …`` [1]_. Empty: none.
    row_px, column_px : float
        Center of the distortion.

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2015), Opt. Express 23, 32859. doi:10.1364/OE.23.032859
    """

    factors: tuple[float, ...]
    row_px: float
    column_px: float

    def seen(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give where places of a straight frame were seen."""
        if not self.factors:
            return row, column
        down, right = row - self.row_px, column - self.column_px
        scale = np.polynomial.polynomial.polyval(np.hypot(down, right), self.factors)
        return self.row_px + down * scale, self.column_px + right * scale

    def straight_column(self, row: float, column: np.ndarray) -> np.ndarray:
        """Give the column of a straight frame that was seen at a column, near a row."""
        found = np.asarray(column, np.float64)
        for _ in range(8 if self.factors else 0):  # each round takes out all but a few percent
            found = found + column - self.seen(np.full_like(found, row), found)[1]
        return found

    def refuse_impossible(self, rows: int, columns: int) -> None:
        """Refuse factors that no lens has, such as those for another unit of length.

        Raises
        ------
        ScanError
            If the frame's corners move by more than a tenth of their distance from the center.
        """
        if not self.factors:
            return
        down = max(abs(self.row_px), abs(rows - 1 - self.row_px))
        right = max(abs(self.column_px), abs(columns - 1 - self.column_px))
        away = np.linspace(0, np.hypot(down, right), _ROWS_LOOKED_AT)
        scale = np.polynomial.polynomial.polyval(away, self.factors)
        worst = int(np.abs(scale - 1).argmax())
        if not np.abs(scale[worst] - 1) <= _MOST_DISTORTION:
            raise ScanError(
                f"distortion_factors: {away[worst]:.0f} pixels from the center of the "
                f"distortion they multiply distances by {scale[worst]:.4g}; expected is 1 within "
                f"{_MOST_DISTORTION:g}: factors of powers of the distance in pixels of these "
                "frames (after binning), from the straight frame to the frame as seen, the first "
                "near 1"
            )


_NO_DISTORTION = Distortion((), 0.0, 0.0)


@dataclass(frozen=True)
class Moves:
    """Where in a frame each pixel of an upright, steady scan was seen.

    Attributes
    ----------
    rows, columns : int
        Of a frame.
    tilt_deg : float
        Of the rotation axis within the plane of the detector.
    row_shift_px, column_shift_px : ndarray, shape (angle,)
        How far the sample had moved in each projection; or of length 0.
    distortion : Distortion
        Of the lens.
    """

    rows: int
    columns: int
    tilt_deg: float = 0.0
    row_shift_px: np.ndarray = field(default_factory=lambda: np.zeros(0))
    column_shift_px: np.ndarray = field(default_factory=lambda: np.zeros(0))
    distortion: Distortion = _NO_DISTORTION

    @property
    def lift_px(self) -> float:
        """How far the ends of a row are lifted by the tilt."""
        return self.columns / 2 * abs(sin(radians(self.tilt_deg)))

    @property
    def needed(self) -> bool:
        """Whether values must be interpolated."""
        moved = self.row_shift_px.size > 0 or bool(self.distortion.factors)
        return moved or self.lift_px > _LEAST_LIFT_PX

    @property
    def reach_px(self) -> int:
        """Rows beyond those of a block that its values come from."""
        if not self.needed:
            return 0
        rows = np.unique(np.linspace(0, self.rows - 1, _ROWS_LOOKED_AT).round())
        away = np.abs(self.places(rows)[0] - rows[:, None]).max()
        jitter = float(np.abs(self.row_shift_px).max(initial=0.0))
        return ceil(float(away) + jitter) + _KERNEL_PX

    @property
    def middle(self) -> tuple[float, float]:
        """Row and column that stay."""
        return (self.rows - 1) / 2, (self.columns - 1) / 2

    def places(self, row_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give row and column in the frame at which pixels of some rows were seen."""
        angle = radians(self.tilt_deg)
        down = (np.asarray(row_px, np.float64) - self.middle[0])[:, None]
        right = np.arange(self.columns) - self.middle[1]
        row = self.middle[0] + down * cos(angle) - right * sin(angle)
        column = self.middle[1] + down * sin(angle) + right * cos(angle)
        return self.distortion.seen(row, column)

    def upright_center(self, center_px: np.ndarray) -> np.ndarray:
        """Give the axis of upright frames, from that of the middle row of the frames as seen."""
        center = self.distortion.straight_column(self.middle[0], center_px)
        return self.middle[1] + (center - self.middle[1]) * cos(radians(self.tilt_deg))


def _moves(given: Mapping[str, Any]) -> Moves:
    rows, columns = given["frame_shape"]
    jitter = given.get("stage_jitter") or ((), ())
    shifts = [np.asarray(each, np.float64) for each in jitter]
    middle = ((rows - 1) / 2, (columns - 1) / 2)
    about = given.get("distortion_center_px") or middle
    distortion = Distortion(tuple(given.get("distortion_factors") or ()), *about)
    distortion.refuse_impossible(rows, columns)
    return Moves(rows, columns, given.get("axis_tilt_deg") or 0.0, shifts[0], shifts[1], distortion)


def _reach(given: Mapping[str, Any]) -> int:
    return _moves(given).reach_px if given.get("frame_shape") else 0


@stage(gives=("line_integrals", "center_px"), cut=("row",), overlap=_reach)
def align(
    line_integrals: np.ndarray,
    center_px: float | np.ndarray,
    row_px: np.ndarray,
    frame_shape: tuple[int, int],
    axis_tilt_deg: float = 0.0,
    stage_jitter: tuple[list[float], list[float]] | None = None,
    *,
    distortion_factors: tuple[float, ...] = (),
    distortion_center_px: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Take out a tilt of the axis, the stage's jitter and the lens's distortion, at once.

    A tilt within the plane of the detector that lifts the ends of a row by less than a quarter of
    a pixel is corrected by an axis for each row; nothing is interpolated then. Otherwise
    frames are turned back, and moved by the jitter, by a cubic through four values along each
    axis. Where there is neither, values stay bit by bit.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        -ln(transmission), without NaN.
    center_px : float or ndarray, shape (row,)
        Column of the rotation axis; where it is tilted, in the middle row of the frame.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are.
    frame_shape : tuple of int
        Rows and columns of a frame.
    axis_tilt_deg : float, optional
        Positive where the axis falls on larger columns as rows grow; as `find_tilt` gives it.
    stage_jitter : two lists of float, optional
        Rows and columns by which each projection is shifted, as `find_jitter` gives them.
    distortion_factors : tuple of float, optional
        Radial distortion of the lens: the distance from the center of the distortion, in pixels
        of the frames as they are used (after binning and `scan.roi`), is multiplied by
        ``f0 + f1 r + f2 r² + …`` to give that in the frame as seen [1]_ (the "backward model" of
        calibrations from a grid or a target of dots). None unless given.
    distortion_center_px : tuple of float, optional
        Row and column of its center; the frame's middle unless given.

    Returns
    -------
    line_integrals : ndarray of float32, shape (angle, row, column)
        As an upright, steady axis would have shown them. What comes from beyond the frame is as
        its edge.
    center_px : ndarray, shape (row,)
        The axis of each row.

    Raises
    ------
    ScanError
        If the factors are no lens's.

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2015), Opt. Express 23, 32859. doi:10.1364/OE.23.032859
    """
    moves = _moves(
        {
            "frame_shape": frame_shape,
            "axis_tilt_deg": axis_tilt_deg,
            "stage_jitter": stage_jitter,
            "distortion_factors": distortion_factors,
            "distortion_center_px": distortion_center_px,
        }
    )
    center = np.broadcast_to(np.asarray(center_px, np.float64), np.shape(row_px))
    if not moves.needed:
        away = np.asarray(row_px) - moves.middle[0]
        return line_integrals, center + away * tan(radians(axis_tilt_deg))
    return resampled(line_integrals, row_px, moves), moves.upright_center(center)


def resampled(line_integrals: np.ndarray, row_px: np.ndarray, moves: Moves) -> np.ndarray:
    """Interpolate values at the places where they were seen.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Rows that follow each other.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are.
    moves : Moves
        Where they were seen.
    """
    values = np.ascontiguousarray(line_integrals, np.float32)
    row, column = moves.places(row_px)
    angles = len(values)
    down = moves.row_shift_px if moves.row_shift_px.size else np.zeros(angles)
    right = moves.column_shift_px if moves.column_shift_px.size else np.zeros(angles)
    out = np.empty(values.shape, np.float32)
    kernel = partial(_interpolate, values, row, column, int(row_px[0]), down, right, out)
    over_ranges(kernel, angles)
    return out


@njit(cache=True, nogil=True)
def _interpolate(
    values: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    first_row: int,
    down: np.ndarray,
    right: np.ndarray,
    out: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, rows, columns = values.shape
    for angle in range(first, stop):
        for r in range(rows):
            for c in range(columns):
                y, x = row[r, c] + down[angle], column[r, c] + right[angle]
                below, left = np.floor(y), np.floor(x)
                wy, wx = _weights(np.float32(y - below)), _weights(np.float32(x - left))
                top, start = int(below) - first_row - 1, int(left) - 1
                total = np.float32(0)
                for j in range(4):
                    i = min(max(top + j, 0), rows - 1)
                    if start >= 0 and start + 3 < columns:
                        line = (
                            wx[0] * values[angle, i, start]
                            + wx[1] * values[angle, i, start + 1]
                            + wx[2] * values[angle, i, start + 2]
                            + wx[3] * values[angle, i, start + 3]
                        )
                    else:
                        line = np.float32(0)
                        for k in range(4):
                            at = min(max(start + k, 0), columns - 1)
                            line += wx[k] * values[angle, i, at]
                    total += wy[j] * line
                out[angle, r, c] = total


@njit(cache=True, nogil=True)
def _weights(t: np.float32) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Weights of four values for the cubic through them, between the second and the third."""
    one, half, sixth = np.float32(1), np.float32(0.5), np.float32(1 / 6)
    return (
        -sixth * t * (t - one) * (t - np.float32(2)),
        half * (t + one) * (t - one) * (t - np.float32(2)),
        -half * (t + one) * t * (t - np.float32(2)),
        sixth * (t + one) * t * (t - one),
    )
