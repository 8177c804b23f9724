"""A sample wider than the view. In: coarse transmission of all frames; out: where, and what of μ.

Line integrals that go on beyond the view are unknown there. Reconstruction continues each with its
edge value, which leaves an offset in μ that is nearly the same everywhere, and more at the rim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.errors import ranges
from xct.preprocess.frames.beside import LightBeside
from xct.preprocess.frames.coarse import chosen_rows
from xct.quantity import Number

_LEAST = 0.05  # line integral of the outermost columns, in the darkest twelfth of the scan
_PARTS = 12
_LEAST_TURN_DEG = 300.0  # in a full turn one side alone may be cut: half acquisition
# The offset in the middle half of slices of a disc is at most this part of the edge's line integral
# over π times half the width: -0.56 where it ends just beyond the view, +0.44 where it is eight
# times as wide, and 0.63 in the limit.
_PART_OF_EDGE = 0.63
_CM_UM = 1e4
# By which what rows take out of the beam changes where the axis lies along them, and how much less
# what columns take does, of which few rows are known.
_CHANGES, _LESS, _MATTERS = 0.08, 3.0, 0.1
LIES = (
    "what columns of the frames take out of the beam is the same at all angles, and what rows take "
    "is not: the axis of rotation lies along the rows, or the detector was turned by 90°. Say "
    "scan.axis: row"
)


@dataclass(frozen=True)
class WideSample:
    """Rows in which the sample leaves the view.

    Attributes
    ----------
    rows : tuple of int
        Of those that were looked at.
    looked_at : int
        How many were.
    edge : float
        Mean line integral of the outermost columns, where it is largest of these rows.
    columns : int
        Of a frame.
    """

    rows: tuple[int, ...]
    looked_at: int
    edge: float
    columns: int

    def offset_per_cm(self, pixel_size_um: float) -> float:
        """Bound the offset of μ in the middle half of the slices, 1/cm."""
        half_cm = self.columns / 2 * pixel_size_um / _CM_UM
        return float(_PART_OF_EDGE * self.edge / (np.pi * half_cm))


def wide_sample(
    transmission: np.ndarray,
    beside: LightBeside | None,
    shape: tuple[int, int],
    turn_deg: float,
) -> WideSample | None:
    """Find rows in which the outermost columns are not beside the sample.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only.
    beside : LightBeside or None
        The light beside the sample, where other rows show it.
    shape : tuple of int
        Rows and columns of a frame.
    turn_deg : float
        Angle that the scan covers.

    Returns
    -------
    WideSample or None
        None where the sample is in view.
    """
    angles, _, _ = transmission.shape
    air = np.ones(angles) if beside is None else beside.by_frame
    edges = [_line_integral(transmission[:, :, cell] / air[:, None]) for cell in (0, -1)]
    left, right = (edge.max(axis=0) > _LEAST for edge in edges)
    cut = left & right if turn_deg > _LEAST_TURN_DEG else left | right
    if not cut.any():
        return None
    mean = np.mean(edges, axis=(0, 1))
    numbers = chosen_rows(shape[0])[cut]
    return WideSample(tuple(numbers.tolist()), cut.size, float(mean[cut].max()), shape[1])


def axis_lies(transmission: np.ndarray) -> bool:
    """Whether the axis of rotation lies along the rows of the frames.

    What a slice across the axis takes out of the beam is the same at all angles.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only, in order of time.
    """
    with np.errstate(invalid="ignore"):
        taken = np.nan_to_num(-np.log(np.clip(transmission, 1e-3, None)))
    by_row, by_column = _changes(taken.mean(axis=2)), _changes(taken.mean(axis=1))
    return by_row > max(_CHANGES, _LESS * by_column)


def _changes(taken: np.ndarray) -> float:
    """Give by which part of itself what is taken out of the beam changes over the scan."""
    parts = np.array_split(taken, min(_PARTS, len(taken)))
    mean = np.stack([part.mean(axis=0) for part in parts])
    level = mean.mean(axis=0)
    matters = level > _MATTERS * level.max()
    return float(np.median(mean[:, matters].std(axis=0) / level[matters])) if matters.any() else 0.0


def _line_integral(transmission: np.ndarray) -> np.ndarray:
    """Give that of a column in each part of the scan, (part, row); 0 where it is not known."""
    parts = np.array_split(transmission, min(_PARTS, len(transmission)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = -np.log(np.clip([np.median(part, axis=0) for part in parts], 1e-4, None))
    return np.asarray(np.nan_to_num(found))


def wide_number(wide: WideSample, pixel_size_um: float) -> Number:
    """Give the bound of the offset of μ."""
    return Number(
        wide.offset_per_cm(pixel_size_um),
        "1/cm",
        n=wide.looked_at,
        bound="upper",
        note="offset of μ either way, in the middle half of slices whose sample leaves the view",
        details={"rows": ranges(wide.rows), "edge_line_integral": wide.edge},
    )


def wide_message(wide: WideSample, pixel_size_um: float | None) -> str:
    """Say that the sample is wider than the view, and what it does to μ."""
    offset = ""
    if pixel_size_um:
        offset = f"by up to ±{wide.offset_per_cm(pixel_size_um):.2g} 1/cm "
    where = (
        "in all rows"
        if len(wide.rows) == wide.looked_at
        else f"in rows such as {ranges(wide.rows)}"
    )
    return (
        f"the sample is wider than the view {where} (line integrals of {wide.edge:.2g} at its "
        f"edges): μ is offset {offset}in the middle half of the slices, and several times as much "
        "towards their rim, if what lies outside is no denser than what is seen. Differences "
        "between neighboring materials hold; μ itself, and ratios to that of air, do not. Scan "
        "with a wider view, or a half acquisition, where they matter"
    )
