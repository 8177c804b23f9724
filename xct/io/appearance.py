"""What values look like: counts, transmission or line integrals. In: a View; out: a judgement."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.io.frames import View

_FEW_FRAMES = 5
# Line integrals beyond this are not measured by any detector: one photon in 7·10^10.
_LARGEST = 25.0
# Of the columns at either side, where there is air if the sample is in view.
_BORDER = 0.04
_AIR = 0.12  # transmission of air may differ so much from 1
_LEAST_CONTRAST = 0.03
# No transmission, in more than 1 % of the pixels: fringes at edges stay below.
_BRIGHTEST = 1.5
# A body is thicker in the middle than at both borders, unless it is hollow.
_HOLLOW = 1.3


@dataclass(frozen=True)
class Appearance:
    """Values of a few frames.

    Attributes
    ----------
    low, median, high : float
        Percentiles 1, 50 and 99.
    left, middle, right : float
        Medians of columns at the borders, and in the middle third.
    whole : bool
        All values are whole numbers.
    """

    low: float
    median: float
    high: float
    left: float
    middle: float
    right: float
    whole: bool

    @property
    def range(self) -> str:
        """The range of the values, for a message."""
        return (
            f"{self.low:.4g} … {self.high:.4g}, {self.left:.3g} and {self.right:.3g} at the borders"
        )

    def judged(self) -> tuple[str | None, bool]:
        """Say what the values look like, and whether that is sure.

        Air tells: it is 1 in transmission, and 0 in line integrals, beside a sample that is
        less, or more; and 1.5 is no transmission. Without air in view it is only likely: a body
        absorbs most in the middle, transmission ends near 1, the line integrals of a weak
        sample scatter about 0.

        Returns
        -------
        quantity : {"counts", "transmission", "line_integrals"} or None
        sure : bool
        """
        if self.high > _LARGEST or self.low < -_LARGEST:
            return "counts", True
        if self.whole and self.high > 1:
            return "counts", False
        borders = self.left, self.right
        brightest = min(borders, key=lambda border: abs(border - 1))
        if abs(brightest - 1) <= _AIR and self.middle < brightest - _LEAST_CONTRAST:
            if self.high <= 1 + 4 * _AIR:
                return "transmission", True
        emptiest = min(borders, key=abs)
        if self.middle > _LEAST_CONTRAST and abs(emptiest) <= max(0.15 * self.middle, 0.02):
            return "line_integrals", True
        if self.high > _BRIGHTEST:
            return "line_integrals", True
        if self.low > -0.05 and min(borders) > _HOLLOW * max(self.middle, 0.0):
            return "transmission", False
        if 0.8 <= self.high <= 1.3 and self.low > -0.05 and self.median > 0.3:
            if self.median - self.low > self.high - self.median:
                return "transmission", False
        if max(borders) * _HOLLOW < self.middle:
            return "line_integrals", False
        if self.low < -0.02 and self.high - self.median > self.median - self.low:
            return "line_integrals", False
        return None, False


def appearance(view: View) -> Appearance | None:
    """Look at a few frames, evenly from the stack; None where they hold nothing.

    Parameters
    ----------
    view : View
        Frames; single pixels are looked at.
    """
    view = replace(view, bin=1)
    count, _, columns = view.shape
    numbers = np.unique(np.linspace(0, count - 1, min(count, _FEW_FRAMES)).astype(int))
    frames = np.concatenate([view.read(slice(n, n + 1)) for n in numbers.tolist()])
    border = max(1, round(_BORDER * columns))
    third = slice(columns // 3, max(columns // 3 + 1, columns - columns // 3))
    parts = frames[..., :border], frames[..., third], frames[..., -border:]
    finite = [part[np.isfinite(part)] for part in parts]
    values = frames[np.isfinite(frames)]
    if not values.size or not all(part.size for part in finite):
        return None
    low, median, high = np.percentile(values, (1, 50, 99)).tolist()
    left, middle, right = (float(np.median(part)) for part in finite)
    whole = bool(np.all(values == np.rint(values)))
    return Appearance(low, median, high, left, middle, right, whole)
