"""What a reconstruction is asked to do, checked. In: arguments as given; out: arrays that fit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import ceil

import numpy as np

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.reconstruct.filters import Window, angle_weights, check_window
from xct.reconstruct.half_acquisition import Views, is_half_acquisition, stitched

PER_CM = 1e4  # µm in a centimeter
_NOTICEABLE = 0.02  # of the largest mean line integral


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Finite numbers; of any real type.
    theta_deg : ndarray of float64, shape (angle,)
        Angles.
    center_px : ndarray of float64, shape (row,)
        Axis of each row.
    scale : float
        From 1/pixel to 1/cm.
    size : int
        Width and height of the slices.
    weights : ndarray of float64, shape (angle,)
        Weight of each projection; their sum is π.
    window : str
        Window on the ramp filter.
    cutoff : float
        Highest frequency kept, as a fraction of the Nyquist frequency.
    memory_gib : float or None
        Memory that may be allocated, the slices included; None: as needed.
    """

    line_integrals: np.ndarray
    theta_deg: np.ndarray
    center_px: np.ndarray
    scale: float
    size: int
    weights: np.ndarray
    window: Window
    cutoff: float
    memory_gib: float | None = None

    @property
    def rows(self) -> int:
        """Number of slices."""
        return int(self.line_integrals.shape[1])

    @property
    def columns(self) -> int:
        """Number of detector columns."""
        return int(self.line_integrals.shape[2])

    @property
    def radius_px(self) -> np.ndarray:
        """Radius of the circle that is reconstructed, by row: the slice's, if any ray got there."""
        farthest = np.maximum(self.center_px, self.columns - 1 - self.center_px) + 0.5
        radius: np.ndarray = np.minimum(self.size / 2, farthest)
        return radius

    @property
    def picture(self) -> int:
        """Width of the middle part of the slice that holds the circle; as even as `size`."""
        width = 2 * ceil(float(self.radius_px.max())) + 2
        return min(self.size, width + (self.size - width) % 2)

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Line integrals of some rows, shape (angle, row, column)."""
        if (np.diff(rows) == 1).all():
            return self.line_integrals[:, int(rows[0]) : int(rows[-1]) + 1]
        return self.line_integrals[:, rows]


def check_request(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    center_px: float | np.ndarray,
    *,
    pixel_size_um: float,
    window: Window,
    cutoff: float,
    size: int | None,
    memory_gib: float | None,
) -> Request:
    """Refuse what cannot be reconstructed; see `xct.reconstruct.fbp`, which alone calls it."""
    check_window(window)
    if not 0 < cutoff <= 1:
        raise DataError(f"cutoff={cutoff} must be above 0 and at most 1 (Nyquist frequency)")
    if memory_gib is not None and not memory_gib > 0:
        raise DataError(f"memory_gib={memory_gib} must be positive")
    values = _checked_values(line_integrals)
    angles, rows, columns = values.shape
    theta = np.asarray(theta_deg, dtype=np.float64)
    if theta.shape != (angles,):
        raise DataError(
            f"theta_deg has shape {theta.shape}, but line_integrals holds {angles} projections "
            f"(shape {values.shape}, angle first); there must be one angle for each projection"
        )
    if not np.isfinite(theta).all():
        raise DataError(
            f"theta_deg holds {np.count_nonzero(~np.isfinite(theta))} values that are not "
            "finite; leave those projections out or give their angles"
        )
    if not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise DataError(f"pixel_size_um={pixel_size_um} must be positive: it scales to 1/cm")
    if size is not None and size < 1:
        raise DataError(f"size={size} must be at least 1 pixel")
    center = _checked_center(center_px, rows, columns)
    refuse_nonfinite(values)
    size = size or columns
    if is_half_acquisition(theta, float(center.mean()), columns):
        values, theta, center = stitched(Views(values, theta, center))
        _say_what_is_beyond(values, center, size)
    return Request(
        line_integrals=values,
        theta_deg=theta,
        center_px=center,
        scale=PER_CM / float(pixel_size_um),
        size=size,
        weights=angle_weights(theta),
        window=window,
        cutoff=cutoff,
        memory_gib=memory_gib,
    )


def _say_what_is_beyond(line_integrals: np.ndarray, center_px: np.ndarray, size: int) -> None:
    """Say how wide slices must be, where a half acquisition shows more than they hold."""
    columns = line_integrals.shape[2]
    radius = max(float(center_px.max()), columns - 1 - float(center_px.min()))
    away = np.abs(np.arange(columns) - float(center_px.mean())) > size / 2
    mean = line_integrals.mean(axis=(0, 1))
    if away.any() and np.abs(mean[away]).max() > _NOTICEABLE * np.abs(mean).max():
        whole = 2 * int(np.ceil(radius + 0.5))
        warnings.warn(
            f"this is a half acquisition: the sample reaches beyond slices of {size} pixels; "
            f"steps.fbp.size: {whole} shows all of it",
            UserWarning,
            stacklevel=4,
        )


def _checked_values(line_integrals: np.ndarray) -> np.ndarray:
    values = np.asarray(line_integrals)
    if values.ndim == 2:
        values = values[:, None, :]
    if values.ndim != 3 or 0 in values.shape:
        raise DataError(
            f"line_integrals has shape {values.shape}; expected (angle, row, column), or "
            "(angle, column) for one slice, with at least one of each"
        )
    if values.dtype.kind not in "fiu":
        raise TypeError(
            f"line_integrals holds {values.dtype}; expected real numbers, preferably float32"
        )
    return values


def _checked_center(center_px: float | np.ndarray, rows: int, columns: int) -> np.ndarray:
    center = np.asarray(center_px, dtype=np.float64)
    if center.shape not in ((), (rows,)):
        raise DataError(
            f"center_px has shape {center.shape}; expected one number, or one for each of the "
            f"{rows} rows"
        )
    outside = ~((center >= -0.5) & (center <= columns - 0.5))
    if outside.any():
        raise DataError(
            f"center_px={np.atleast_1d(center)[np.atleast_1d(outside)][0]:.6g} is outside the "
            f"detector, whose columns are 0 … {columns - 1}; it counts cropped and binned pixels"
        )
    return np.broadcast_to(center, (rows,)).copy()


def refuse_nonfinite(values: np.ndarray) -> None:
    """Refuse NaN and infinity, saying how many, in which rows, and what repairs them."""
    if values.dtype.kind != "f":
        return
    if values.dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        count = np.zeros(values.shape[:2], dtype=np.int64)
        over_ranges(lambda a, b: _count_nonfinite(values[a:b], count[a:b]), values.shape[0])
    else:
        count = (~np.isfinite(values)).sum(axis=2)
    by_row = count.sum(axis=0)
    if not by_row.any():
        return
    bad = np.flatnonzero(by_row)
    where = f"row {bad[0]}" if bad.size == 1 else f"{bad.size} rows ({bad[0]} … {bad[-1]})"
    raise DataError(
        f"line_integrals holds {by_row.sum()} values that are NaN or infinite, in {where}; the "
        "stages fill_dead_pixels (dead pixels) and fill_nonpositive (no transmission) repair them"
    )


@njit(cache=True, nogil=True)
def _count_nonfinite(values: np.ndarray, count: np.ndarray) -> None:
    for i in range(values.shape[0]):
        for r in range(values.shape[1]):
            bad = 0
            for c in range(values.shape[2]):
                # An infinity minus itself is NaN, so one comparison finds both.
                bad += values[i, r, c] - values[i, r, c] != 0
            count[i, r] = bad
