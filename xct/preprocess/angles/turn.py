"""Over how many degrees did the sample turn? In: a prepared sample; out: that, over what is stated.

How wide a row of the sample is seen, by the second moment of what it takes out of the beam about
its center of mass, goes up and down twice in a turn, whatever the sample is [1]_: how fast it does
says how far the sample turned from view to view. It depends neither on the axis nor on how the
sample shifts.

References
----------
.. [1] Azevedo, Schneberk, Fitch & Martz (1990), IEEE Trans. Nucl. Sci. 37, 1525.
   doi:10.1109/23.55866
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.whole import Whole, less_air
from xct.preprocess.center.sample import Sample

_LEAST_VIEWS, _LEAST_ROWS = 60, 3
_MOST_VIEWS = 240  # are as good as all
_FACTORS = np.exp(np.arange(np.log(0.4), np.log(2.6), 0.004))
_BLOCKS = 6  # of rows
# Chosen on discs of seeds 0 and 1, the last on 5 and 6, too. Alone it is believed of a range that
# is another altogether.
_SURE_SD, _GROSS = 8.0, 0.15
_ALSO_SD, _LEAST, _CLOSED_SD = 3.5, 0.012, 2.0  # … or where half a turn does not close, too
_BETTER = 12.0  # squares that are left more with the angles as stated, in those of a value


class Turn(NamedTuple):
    """How far the sample turned.

    Attributes
    ----------
    factor, sd : float
        Over what the angles state, and its standard uncertainty.
    better : float
        Squares that the stated angles leave more than this factor, in those of a value.
    """

    factor: float
    sd: float
    better: float

    @property
    def is_other(self) -> bool:
        """Whether the stated range is another altogether, for sure."""
        away = abs(self.factor - 1)
        return away > max(_GROSS, _SURE_SD * self.sd) and self.better > _BETTER

    def agrees(self, open_steps: float, sd: float) -> bool:
        """Whether half a turn is open by so many steps, as far as that is known, in this way."""
        away = 1 - self.factor
        seen = abs(away) > max(_LEAST, _ALSO_SD * self.sd) and self.better > _BETTER
        return seen and open_steps * np.sign(away) > _CLOSED_SD * sd


def turn_message(turn: Turn, span_deg: float) -> str:
    """Say over how many degrees the sample turned, and what helps."""
    turned = turn.factor * span_deg
    return (
        f"the sample turned by about {turned:.3g}° (± {turn.sd * span_deg:.1g}) where the angles "
        f"state {span_deg:.4g}°: how wide it is seen goes up and down as in a scan over that. "
        "Slices are not to be trusted: give the true angles by scan.theta_deg, as "
        f"{{first: 0, last: {turned:.3g}, count: …}} or as a text file"
    )


def find_turn(sample: Sample) -> Turn | None:
    """Find over what range the width of the sample goes up and down as stated angles should.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.

    Returns
    -------
    Turn or None
        None where the sample leaves the view, or rows and views are few.
    """
    theta, views = sample.theta_deg, sample.views
    whole = less_air(views) if len(views) >= _LEAST_VIEWS else None
    if whole is None:
        return None
    together = max(1, len(views) // _MOST_VIEWS)
    count = len(views) // together
    width = _widths(whole)[: count * together].reshape(count, together, -1).mean(axis=1)
    theta = theta[: count * together].reshape(count, together).mean(axis=1)
    usable = np.isfinite(width).all(axis=0)
    if usable.sum() < _LEAST_ROWS:
        return None
    width = width[:, usable]
    noise = np.median(np.abs(np.diff(width, 2, axis=0)), axis=0)
    left = _left(width / np.maximum(noise, 1e-9), theta)
    whole = left.sum(axis=1)
    factor, least = _least(whole)
    if not _FACTORS[1] < factor < _FACTORS[-2]:
        return None  # something else goes up and down
    blocks = np.array_split(np.arange(left.shape[1]), min(_BLOCKS, left.shape[1]))
    without = np.array([_least(whole - left[:, part].sum(axis=1))[0] for part in blocks])
    sd = sqrt((len(blocks) - 1) * float(np.mean((without - without.mean()) ** 2)))
    stated = float(np.interp(0.0, np.log(_FACTORS), whole))
    return Turn(factor, sd, (stated - least) / max(least / width.size, 1e-30))


def _widths(whole: Whole) -> np.ndarray:
    """Give the variance of where rows attenuate, about their center of mass, (angle, row)."""
    x = np.linspace(-1, 1, whole.body.shape[-1], dtype=np.float32)
    mass = whole.body.sum(axis=-1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = whole.body @ x / mass, whole.body @ x**2 / mass
    return np.where((mass > 0).all(axis=0), second - first**2, np.nan)


def _left(width: np.ndarray, theta_deg: np.ndarray) -> np.ndarray:
    """Give the squares that each factor leaves, by row, (factor, row)."""
    time = np.linspace(-1, 1, len(width))  # a sample that grows
    found = np.empty((_FACTORS.size, width.shape[1]))
    for number, factor in enumerate(_FACTORS):
        angle = 2 * factor * np.deg2rad(theta_deg)
        design = np.column_stack([np.ones_like(time), time, np.cos(angle), np.sin(angle)])
        basis = np.linalg.qr(design)[0]
        found[number] = np.square(width - basis @ (basis.T @ width)).sum(axis=0)
    return found


def _least(squares: np.ndarray) -> tuple[float, float]:
    """Give the factor that leaves least, between those that were tried, and what it leaves."""
    best = int(np.clip(np.argmin(squares), 1, squares.size - 2))
    before, here, after = squares[best - 1 : best + 2]
    bend = before - 2 * here + after
    off = 0.5 * (before - after) / bend if bend > 0 else 0.0
    step = np.log(_FACTORS[1] / _FACTORS[0])
    return float(_FACTORS[best] * np.exp(np.clip(off, -1, 1) * step)), float(here)
