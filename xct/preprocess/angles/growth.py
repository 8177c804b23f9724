"""Did the sample grow during the scan? In: a prepared sample, its axis; out: by how much.

A view half a turn later is the mirror image about the axis. Where the sample swells or shrinks
meanwhile, its edges lie further from the axis, the more the further out they are: as no turn, no
shift of the axis and no change of the light makes them.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.closure import about
from xct.preprocess.angles.jumps import median_step, widths_px
from xct.preprocess.angles.steps import REACH, few_rows, solved
from xct.preprocess.center.sample import Sample

_SEAMS = 5
_LEAST_ROWS, _LEAST_COLUMNS = 3, 16
_APART = 3.5  # steps that may miss to half a turn
# Chosen on discs of seeds 0 and 1.
_SURE_SD, _LEAST_PX = 5.0, 0.4  # of what the rim of the sample moves by
# Of the difference. Growth of 1 % leaves 0.89, a wrong range of angles that looks like it 0.98.
_LEFT = 0.95


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
    theta, views, widths = sample.theta_deg, few_rows(sample.views), widths_px(sample)
    half = int(min(center_px, views.shape[-1] - 1 - center_px))
    if not widths or views.shape[1] < _LEAST_ROWS or 2 * half < _LEAST_COLUMNS:
        return None
    near = _APART * median_step(theta)
    last = min(int(np.searchsorted(theta, theta[-1] - 180 + near)), len(theta) - REACH) - 1
    if last < 0:
        return None
    x = np.arange(-half, half + 1)
    mean = about(views.mean(axis=0, keepdims=True), widths[0], center_px + x)[0]
    parts, right = [], []
    for start in np.unique(np.linspace(0, last, _SEAMS).astype(int)).tolist():
        partner = int(np.abs(theta - theta[start] - 180).argmin())
        if abs(theta[partner] - theta[start] - 180) > near:
            continue
        some = about(views[[start, start + REACH, partner]], widths[0], center_px + x)
        early, on, late = some[0], some[1], some[2][:, ::-1]
        both = (early + late) / 2  # as much more or less of which is light, or darks, that drift
        rate, slope = on - early, np.gradient(both, axis=-1)
        own = np.stack([slope, both, mean - mean[:, ::-1], np.ones_like(slope)], axis=-1)
        rests = [_beside(own, values) for values in (x * slope, rate, early - late)]
        parts.append(np.stack(rests[:2]))
        right.append(rests[2])
    if not parts:
        return None
    normal = np.einsum("sirc,sjrc->rij", parts, parts, dtype=np.float64)
    change = np.einsum("sirc,src->ri", parts, right, dtype=np.float64)
    whole = solved(normal.sum(axis=0), change.sum(axis=0))[0]
    without = solved(normal.sum(axis=0) - normal, change.sum(axis=0) - change)[:, 0]
    sd = sqrt((len(without) - 1) * float(np.mean((without - whole) ** 2)))
    left = np.stack(right) - float(whole) * np.stack(parts)[:, 0]
    away = sqrt(float(np.mean(np.square(left))) / max(float(np.mean(np.square(right))), 1e-30))
    return Growth(float(whole), sd, half * sample.bin, away)


def _beside(own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give what of (row, column) is none of (row, column, part), row by row."""
    basis = np.linalg.qr(own.astype(np.float64))[0]
    amount = np.einsum("rcp,rc->rp", basis, values)
    return np.asarray(values - np.einsum("rcp,rp->rc", basis, amount))
