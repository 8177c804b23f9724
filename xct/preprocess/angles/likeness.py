"""Frames that were lost, by what views on both sides share. In: a prepared sample; out: by gap.

Views differ the more, the further the sample turned between them. Across a gap in which frames
were lost they differ as others do that are more steps apart. This needs no rate of change, which
noise hides first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.steps import MAD

_REACH = 3  # steps apart that views are compared across a gap
_LOST = 2  # frames, that what is looked for is weighed by
_FARTHEST = 24  # steps whose differences are known
_BESIDE = 14  # pairs on either side that say what is usual
_LEAST_VIEWS, _LEAST_ROWS = 40, 2
_TINY = 1e-6
_SURE_SD = 6.0
_STANDS_OUT = 1.5  # times what is seen beside
_PART = 0.5  # of an excess, that is there without any one row or view: it is of them all
_PART_SEEN = 0.5  # of what is expected, that is there at least
_DENIED_SD = 2.5  # scatter; what is expected to be more is seen, if it is there
_UNEVEN, _FEW = 0.2, 0.05  # of a step; of the gaps may be so uneven
_STATED = 2  # steps of a gap at least that may not be there
# Of what views differ more by across it than neighbors do; and how many times that is more than
# what neighbors scatter by: then a gap that is there is not taken for one that is not.
_CLOSED, _CLEARLY_SD = 0.25, 5.0


class Likeness(NamedTuple):
    """What views across gaps do not share, beyond what is usual there.

    Attributes
    ----------
    excess : ndarray, shape (gap,)
        1 where it is as much as where two frames are lost; NaN where it is not known.
    sure : ndarray, shape (gap,)
        The same over its scatter.
    least : ndarray, shape (gap,)
        The least of the same without any one row, or without the view before or behind the gap.
    sd : float
        Scatter.
    of_lost : ndarray, shape (frames,)
        What to expect where 0, 1, 2 … frames are lost.
    """

    excess: np.ndarray
    sure: np.ndarray
    least: np.ndarray
    sd: float
    of_lost: np.ndarray

    @property
    def gaps(self) -> list[int]:
        """Gaps across which all rows surely share less than usual, whichever view is left out."""
        enough = np.maximum(_PART * self.excess, 0)
        sure = (self.sure > _SURE_SD) & (self.least > enough)
        return np.flatnonzero(sure & (self.excess > _STANDS_OUT * self._beside)).tolist()

    @property
    def _beside(self) -> np.ndarray:
        """The larger excess of the two gaps that no pair across this one reaches.

        A sample may change ever faster, and towards the ends nothing says whether it does.
        """
        apart = _REACH + 1
        padded = np.pad(self.excess, apart, constant_values=np.inf)
        return np.asarray(np.fmax(padded[: -2 * apart], padded[2 * apart :]))

    @property
    def sees(self) -> float:
        """Lost frames in one gap that are surely seen; infinite where no number is."""
        seen = np.flatnonzero(self.of_lost * _PART_SEEN > _SURE_SD * self.sd)
        return float(seen[0]) if seen.size else float("inf")

    def denies(self, gap: int, steps: float) -> bool:
        """Whether views across a gap share too little for a sample that hardly turned, or back.

        Parameters
        ----------
        gap : int
            Which one.
        steps : float
            Steps by which the sample is said to have turned more than stated. From one to two less,
            views share about half as much more as they share less where a frame is lost.
        """
        seen = _PART_SEEN * self.of_lost[1] > _DENIED_SD * self.sd
        return bool(-_STATED < steps < 0 and seen and self.excess[gap] > 0)

    def lost(self, excess: float) -> float:
        """Give how many frames an excess means; NaN where it is more than is known."""
        top = int(np.argmax(self.of_lost))
        if excess > self.of_lost[top]:
            return float("nan")
        rising = np.maximum.accumulate(self.of_lost[: top + 1])
        return float(np.interp(excess, rising, np.arange(top + 1)))


def likeness(views: np.ndarray, theta_deg: np.ndarray) -> Likeness | None:
    """Measure how much less than usual views share across each gap.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Smoothed line integrals, ascending in angle, columns that are independent.
    theta_deg : ndarray, shape (angle,)
        Their angles.

    Returns
    -------
    Likeness or None
        None where views are few, unevenly spaced, or share as much at any distance.
    """
    steps = np.diff(theta_deg) / np.median(np.diff(theta_deg))
    if (
        len(views) < _LEAST_VIEWS
        or views.shape[1] < _LEAST_ROWS
        or np.mean(np.abs(steps - 1) > _UNEVEN) > _FEW
    ):
        return None
    apart = np.stack([_unlike(views, lag) for lag in range(1, _FARTHEST + 1)])  # (lag, row, view)
    turned = (theta_deg - theta_deg[0]) / np.median(np.diff(theta_deg))
    for lag, differs in enumerate(apart, 1):  # frames that are known to be missing are not lost
        differs[:, :-lag][:, np.abs(turned[lag:] - turned[:-lag] - lag) > _UNEVEN] = np.nan
    usual = np.nanmedian(apart, axis=2)
    pairs = [(lag, before) for lag in range(1, _REACH + 1) for before in range(lag)]
    seen = np.stack([_beyond_usual(apart[lag - 1], lag, before) for lag, before in pairs])
    grows = np.stack([_grown(usual, lag) for lag, _ in pairs])  # (pair, row, lost)
    noise = MAD * np.median(np.abs(np.nan_to_num(seen)), axis=2)
    weight = np.maximum(grows[..., _LOST], 0) / np.maximum(noise, _TINY) ** 2
    if not weight.any():
        return None
    weighed = np.nan_to_num(seen) * weight[..., None]
    expected = (weight * grows[..., _LOST])[..., None] * np.isfinite(seen)
    excess = _excess(weighed, expected)
    middle = float(np.nanmedian(excess))
    excess -= middle
    sd = max(MAD * float(np.nanmedian(np.abs(excess))), _TINY)
    before = np.array([before for _, before in pairs])
    behind = np.array([lag - 1 - before for lag, before in pairs])
    parts = [_excess(weighed, expected, row=row) for row in range(views.shape[1])]
    parts += [_excess(weighed, expected, pairs=side > 0) for side in (before, behind)]
    known = expected.sum(axis=(0, 1))
    return Likeness(
        excess,
        excess / sd * np.sqrt(known / known.max()),
        np.min(parts, axis=0) - middle,  # NaN where one is not known
        sd,
        np.einsum("pr,prn->n", weight, grows) / np.einsum("pr,pr->", weight, grows[..., _LOST]),
    )


def closed_gaps(views: np.ndarray, theta_deg: np.ndarray) -> list[tuple[int, int]]:
    """Find stated gaps of several steps across which views differ as neighbors do.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        As for `likeness`.
    theta_deg : ndarray, shape (angle,)
        Their angles.

    Returns
    -------
    list of (int, int)
        The view before each, and the steps that are stated.
    """
    steps = np.diff(theta_deg) / np.median(np.diff(theta_deg))
    even = np.abs(steps - 1) < _UNEVEN
    gaps = np.flatnonzero(~even & (steps > _STATED - _UNEVEN) & (steps < _FARTHEST))
    if len(views) < _LEAST_VIEWS or gaps.size == 0 or np.mean(~even) > _FEW:
        return []
    near = np.sqrt(_unlike(views, 1).mean(axis=0)[:-1])
    found = []
    for gap in gaps.tolist():
        lag = round(float(steps[gap]))
        beside = np.arange(max(gap - _BESIDE, 0), min(gap + _BESIDE + 1, len(near)))
        neighbors = near[beside[even[beside]]]
        usual = float(np.median(neighbors))
        scatter = MAD * float(np.median(np.abs(neighbors - usual)))
        far = np.sqrt(_unlike(views, lag).mean(axis=0))
        clear = [k for k in beside.tolist() if k + lag < len(views) and even[k : k + lag].all()]
        if not clear:
            continue
        more = float(np.median(far[clear])) - usual
        if near[gap] < usual + _CLOSED * more and more > _CLEARLY_SD * scatter:
            found.append((gap, lag))
    return found


def _excess(
    weighed: np.ndarray,
    expected: np.ndarray,
    row: int | None = None,
    pairs: np.ndarray | None = None,
) -> np.ndarray:
    """Give the excess by gap, without a row or of some pairs only; NaN where nothing is known."""
    if row is not None:
        weighed, expected = (np.delete(one, row, axis=1) for one in (weighed, expected))
    if pairs is not None:
        weighed, expected = weighed[pairs], expected[pairs]
    total = expected.sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, weighed.sum(axis=(0, 1)) / total, np.nan))


def _unlike(views: np.ndarray, lag: int) -> np.ndarray:
    """Give mean squares, (row, view), of what views `lag` apart do not share.

    Offsets and a shift of all rows along columns are no turn.
    """
    found = np.full((views.shape[1], len(views)), np.nan)
    if lag >= len(views):
        return found
    change = views[lag:] - views[:-lag]
    slope = np.gradient((views[lag:] + views[:-lag]) / 2, axis=-1)
    change = change - change.mean(axis=2, keepdims=True)
    slope -= slope.mean(axis=2, keepdims=True)
    shift = np.sum(change * slope, axis=(1, 2)) / np.maximum(np.sum(slope**2, axis=(1, 2)), 1e-20)
    change -= shift[:, None, None] * slope
    found[:, : len(change)] = np.mean(change**2, axis=2).T
    return found


def _beyond_usual(apart: np.ndarray, lag: int, before: int) -> np.ndarray:
    """Compare pairs across each gap with those beside it, (row, gap): 0 where they are as usual.

    The first view of a pair lies `before` views ahead of the one before the gap.
    """
    rows, views = apart.shape
    gaps = np.arange(views - 1)
    known = np.isfinite(apart)
    sums = np.cumsum(np.pad(np.where(known, apart, 0), ((0, 0), (1, 0))), axis=1)
    counts = np.cumsum(np.pad(known.astype(float), ((0, 0), (1, 0))), axis=1)
    total, number = np.zeros((rows, views - 1)), np.zeros((rows, views - 1))
    ahead = (gaps - lag - _BESIDE + 1, gaps - lag + 1)
    behind = (gaps + 1, gaps + 1 + _BESIDE)
    for first, stop in (ahead, behind):
        a, b = (np.clip(edge, 0, views) for edge in (first, stop))
        total += sums[:, b] - sums[:, a]
        number += counts[:, b] - counts[:, a]
    place = gaps - before
    here = np.where(place >= 0, apart[:, np.maximum(place, 0)], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = here / (total / number) - 1
    return np.asarray(np.where(np.isfinite(beyond), beyond, np.nan))  # of a row without contrast


def _grown(usual: np.ndarray, lag: int) -> np.ndarray:
    """Give by how much more views differ with 0, 1, 2 … frames lost between them, (row, lost)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        more = usual[lag - 1 : lag + _FARTHEST - _REACH] / usual[lag - 1] - 1
    return np.asarray(np.nan_to_num(more, posinf=0.0).T)
