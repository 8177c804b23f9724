"""Did the sample grow during the scan? In: a prepared sample, its axis; out: by how much.

A view half a turn later is the mirror image about the axis. Where the sample swells or shrinks
meanwhile, its edges lie further from the axis, the more the further out they are: as no turn, no
shift of the axis and no change of the light makes them.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.half_turns import half_turns
from xct.preprocess.angles.steps import few_rows, solved
from xct.preprocess.center.sample import Sample

_LEAST_ROWS, _LEAST_COLUMNS = 3, 16
# Chosen on discs of seeds 0 and 1.
_SURE_SD, _LEAST_PX = 5.0, 0.6  # of what the rim of the sample moves by
# Of the difference. Growth of 1 % leaves 0.89, a wrong range of angles that looks like it 0.98,
# noise of few flats 0.94 at least (22 seeds).
_LEFT = 0.93
_BEAM = (0, 1, 2, 3, 4, 6)  # powers of the column, that a beam may change by


class Growth(NamedTuple):
    """By how much the sample grows in half a turn.

    Attributes
    ----------
    fraction, sd : float
        Of its size, and the standard uncertainty; negative where it shrinks.
    rim_px : float
        Half the width of what was compared.
    left : float
        Of what views half a turn apart differ by, rms, that is left by it.
    """

    fraction: float
    sd: float
    rim_px: float
    left: float = 0.0

    @property
    def is_sure(self) -> bool:
        """Whether it is, explains what is seen, and moves edges by enough to blur them."""
        moves = abs(self.fraction) * self.rim_px
        sure = moves > _LEAST_PX and abs(self.fraction) > _SURE_SD * self.sd
        return sure and self.left < _LEFT


def growth_message(growth: Growth) -> str:
    """Say how much, what it does, and what helps."""
    how = "grows" if growth.fraction > 0 else "shrinks"
    return (
        f"the sample {how} by {100 * abs(growth.fraction):.2g} % (± {100 * growth.sd:.1g}) in half "
        f"a turn: its edges move by up to {abs(growth.fraction) * growth.rim_px:.1f} px, and are "
        "blurred by as much towards its rim. Nothing is corrected: let it come to rest before the "
        "scan, or scan faster; projections of one half alone are less blurred "
        "(scan.leave_out.projections)"
    )


def find_growth(sample: Sample, center_px: float) -> Growth | None:
    """Compare the sizes of views half a turn apart.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    center_px : float
        Axis, in binned columns.

    Returns
    -------
    Growth or None
        None where no views are half a turn apart, or rows are few.
    """
    views = few_rows(sample.views)
    turns = half_turns(sample, views, center_px, _LEAST_COLUMNS)
    if views.shape[1] < _LEAST_ROWS or turns is None:
        return None
    parts, right, x = [], [], turns.x / turns.x.max()
    for one in turns.each:
        # As much more or less of it is light, or darks, that drift.
        both = (one.early + one.late) / 2
        rate, slope = one.on - one.early, np.gradient(both, axis=-1)
        powers = [np.broadcast_to(x**power, slope.shape) for power in _BEAM]
        own = np.stack([slope, both, turns.uneven, *powers], axis=-1)
        rests = [_beside(own, v) for v in (turns.x * slope, rate, one.early - one.late)]
        parts.append(np.stack(rests[:2]))
        right.append(rests[2])
    normal = np.einsum("sirc,sjrc->rij", parts, parts, dtype=np.float64)
    change = np.einsum("sirc,src->ri", parts, right, dtype=np.float64)
    whole = solved(normal.sum(axis=0), change.sum(axis=0))[0]
    without = solved(normal.sum(axis=0) - normal, change.sum(axis=0) - change)[:, 0]
    sd = sqrt((len(without) - 1) * float(np.mean((without - whole) ** 2)))
    left = np.stack(right) - float(whole) * np.stack(parts)[:, 0]
    away = sqrt(float(np.mean(np.square(left))) / max(float(np.mean(np.square(right))), 1e-30))
    return Growth(float(whole), sd, len(turns.x) // 2 * sample.bin, away)


def _beside(own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give what of (row, column) is none of (row, column, part), row by row."""
    basis = np.linalg.qr(own.astype(np.float64))[0]
    amount = np.einsum("rcp,rc->rp", basis, values)
    return np.asarray(values - np.einsum("rcp,rp->rc", basis, amount))
