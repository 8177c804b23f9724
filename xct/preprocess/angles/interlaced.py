"""Was the scan taken in several passes? In: a prepared sample; out: how many, if more than stated.

A stage may turn over the whole range with wide steps, go back, and fill the gaps in further passes.
Where such projections are given angles in the order of their frames, each pass begins again with
what the first one saw.
"""

from __future__ import annotations

import numpy as np

from xct.preprocess.angles.steps import few_rows, least_width_px, smoothed
from xct.preprocess.center.sample import Sample

_MOST_PASSES = 8
_LEAST_VIEWS = 12  # of a pass
_COMPARED = 24
_AS_NEAR = 1.2  # times what neighbors differ by
_FAR = 2.0  # times that: what differs, within a pass and where the next one begins


def interlaced_passes(sample: Sample) -> int:
    """Give in how many passes projections seem to be taken; 1 where angles were not interlaced.

    Parameters
    ----------
    sample : Sample
        Line integrals, in the order of stated angles, which are those of one pass.
    """
    views = smoothed(few_rows(sample.free), least_width_px(sample.columns))[0]
    most = min(_MOST_PASSES, len(views) // _LEAST_VIEWS)
    return next((count for count in range(2, most + 1) if _begins_again(views, count)), 1)


def _begins_again(views: np.ndarray, count: int) -> bool:
    """Whether views fall into so many passes over the same range."""
    starts = np.array([len(range(n, len(views), count)) for n in range(count)]).cumsum()[:-1]
    length = len(views) // count
    inside = np.unique(np.linspace(0, length - 2, min(_COMPARED, length - 1)).astype(int))
    near = np.median(_unlike(views, inside, inside + 1))
    again = [np.median(_unlike(views, inside, inside + start)) for start in starts]
    # Something round, or as good as its mirror image, looks alike from everywhere.
    within = np.median(_unlike(views, inside, (inside + length // 2) % length))
    turns_back = _unlike(views, starts - 1, starts).min()
    return bool(max(again) < _AS_NEAR * near and min(within, turns_back) > _FAR * near)


def _unlike(views: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the rms by which views differ, but for an offset."""
    away = views[first] - views[second]
    away = away - away.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.sqrt(np.mean(np.square(away), axis=(1, 2))))
