"""Rows of single frames that are no good. In: some rows of all frames; out: the same, mended.

The look at whole frames sees a few rows. A band that the camera dropped, or left over from the
frame before, may lie between them: each row is compared with itself in the other frames, by the
same rules, when it is read anyway. So the answer does not depend on how rows are cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.frames.coarse import CoarseFrames, borders
from xct.preprocess.frames.faults import Kind
from xct.preprocess.frames.outlying import (
    MAD,
    blocked_flats,
    darks_step,
    dim_flats,
    jumping,
    light_of,
    lit_darks,
    too_many_repeat,
    unlike,
    unlit,
)

_MOST = 0.1  # of the frames: a row that is no good in more is no good at all
_MANY = 0.02  # of the frames: more are not odd
_NOISY = 0.1  # scatter of the light: such rows tell nothing
_DARK = 0.02  # of the beam: nor do rows in which everything is opaque
_WIDE = 5  # cells: what is narrower is no band
_BRIGHTEST = 97  # percent: a zinger moves one percentile of a row, a band all of them
_UNLIT = 0.02  # of the light of other rows
_FADED = 0.3  # of the usual light: beside frames that were lost there is more
_AWAY = 3.0  # times the usual difference
_LEAST_FRAMES = 7


@dataclass(frozen=True)
class BadRows:
    """Rows of frames that are no good.

    Attributes
    ----------
    kind : {"projections", "flats", "darks"}
        Of which stack.
    frames, rows : ndarray of int, shape (pair,)
        Number of the frame, and of the row, both as in what was looked at.
    mended : bool
        Whether they were given other values.
    """

    kind: Kind
    frames: np.ndarray
    rows: np.ndarray
    mended: bool


def mend_rows(
    projections: np.ndarray,
    flats: np.ndarray | None,
    darks: np.ndarray | None,
    *,
    steady: bool = True,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, list[BadRows]]:
    """Find rows of frames that are no good, and interpolate them between frames.

    Parameters
    ----------
    projections : ndarray, shape (angle, row, column)
        Counts, in the order of angles.
    flats, darks : ndarray, shape (frame, row, column), or None
        Counts.
    steady : bool, optional
        Whether the sample stands still from view to view. Where it jitters, rows of single views
        at its faces are unlike others, and no fault: only those without light, or frozen, are.

    Returns
    -------
    projections, flats, darks : ndarray
        Those in which nothing was found are the same arrays. Rows of projections are linear
        between the nearest frames in which the row is good; rows of flats and darks get the
        median of the others.
    found : list of BadRows
        Not mended are rows that are no good in more than a tenth of the projections.
    """
    if len(projections) < _LEAST_FRAMES or flats is None:
        return projections, flats, darks, []
    found: list[BadRows] = []
    coarse = {"projections": coarse_rows(projections), "flats": coarse_rows(flats)}
    light = float(np.median(coarse["flats"].counts))
    if darks is not None:
        coarse["darks"] = coarse_rows(darks)
        darks = _mend_fields(
            "darks", darks, _lit(coarse["darks"], coarse["flats"].counts.mean(axis=0), light), found
        )
    dark = np.zeros_like(coarse["flats"].counts[0])
    if darks is not None:
        dark = coarse_rows(darks).counts.mean(axis=0)
    flats = _mend_fields("flats", flats, _dim(coarse["flats"].counts - dark), found)
    gain = coarse_rows(flats).counts.mean(axis=0) - dark
    bad = _unlike(coarse["projections"], dark, gain, steady)
    few = bad.mean(axis=0) <= _MOST
    for which, mended in ((bad & few, True), (bad & ~few, False)):
        if which.any():
            frames, rows = np.nonzero(which)
            found.append(BadRows("projections", frames, rows, mended))
    return _interpolated(projections, bad & few), flats, darks, found


def coarse_rows(frames: np.ndarray) -> CoarseFrames:
    """Average all rows over cells of columns; `repeated` has the shape (frame, row) here."""
    edges = borders(frames.shape[2])
    counts = np.empty((*frames.shape[:2], len(edges) - 1), np.float32)
    repeated = np.zeros(frames.shape[:2], bool)
    values = np.ascontiguousarray(frames)
    over_ranges(lambda a, b: _cells(values, edges, counts, repeated, a, b), len(frames))
    return CoarseFrames(counts, repeated)


@njit(cache=True, nogil=True)
def _cells(
    values: np.ndarray,
    edges: np.ndarray,
    counts: np.ndarray,
    repeated: np.ndarray,
    first: int,
    stop: int,
) -> None:
    for frame in range(first, stop):
        for row in range(values.shape[1]):
            for cell in range(edges.size - 1):
                total = 0.0
                for column in range(edges[cell], edges[cell + 1]):
                    total += values[frame, row, column]
                counts[frame, row, cell] = total / (edges[cell + 1] - edges[cell])
            same = frame > 0
            column = 0
            while same and column < values.shape[2]:
                same = values[frame, row, column] == values[frame - 1, row, column]
                column += 1
            repeated[frame, row] = same


def _lit(darks: CoarseFrames, flats: np.ndarray, light: float) -> np.ndarray:
    """Mark rows of darks that hold light, (frame, row)."""
    bad = np.zeros_like(darks.repeated)
    for row in range(bad.shape[1]):
        one = CoarseFrames(darks.counts[:, row : row + 1], darks.repeated)
        if not darks_step(one, flats[row : row + 1]):
            bad[lit_darks(one, light), row] = 1
    return bad


def _dim(flats: np.ndarray) -> np.ndarray:
    """Mark rows of flats that are dim or shadowed, (frame, row)."""
    bad = np.zeros_like(flats[..., 0], bool)
    light = np.median(flats, axis=(0, 2))
    for row in np.flatnonzero(light > _UNLIT * np.median(light)):  # others are dead in all frames
        one = flats[:, row : row + 1]
        bad[dim_flats(one), row] = True
        left = np.flatnonzero(~bad[:, row])
        bad[left[blocked_flats(one[left])], row] = True
    return bad


def _unlike(
    projections: CoarseFrames, dark: np.ndarray, gain: np.ndarray, steady: bool
) -> np.ndarray:
    """Mark rows of projections that are no good, (angle, row)."""
    bad = np.zeros_like(projections.repeated)
    for row, row_gain in enumerate(gain):
        lit = row_gain > 0.05 * row_gain.max()
        if row_gain.max() <= 0 or lit.sum() < min(8, lit.size):
            continue
        seen = (projections.counts[:, row][:, lit] - dark[row][lit]) / row_gain[lit]
        bad[:, row] = _bad_frames(seen[:, None], projections.repeated[:, row], steady)
    return bad


def _bad_frames(transmission: np.ndarray, repeated: np.ndarray, steady: bool) -> np.ndarray:
    """Apply the rules for frames to one row of all of them, (angle, 1, cell)."""
    transmission = scipy.ndimage.median_filter(
        transmission, (1, 1, _WIDE)
    )  # zingers are mended elsewhere
    light = light_of(transmission)
    bad = np.zeros(light.size, bool)
    usual = float(np.median(light))
    if not usual > _DARK or MAD * np.median(np.abs(np.diff(light))) > _NOISY * usual:
        return bad
    bad[_abrupt(unlit(light), light)] = True
    if not too_many_repeat(repeated):
        bad |= repeated
    if not steady:
        return bad
    left = np.flatnonzero(~bad)
    brightest = np.percentile(transmission[left, 0], _BRIGHTEST, axis=1)
    odd = left[np.intersect1d(jumping(light[left]), jumping(brightest))]
    left = np.setdiff1d(left, odd)
    kept, usual_light = transmission[left, 0], light[left]
    wide = [n for n in unlike(kept[:, None], usual_light) if _is_wide(kept, n)]
    odd = np.union1d(odd, left[wide]).astype(int)
    # What many frames do is the sample's: a face of it that a stage lifts into view now and then.
    if odd.size <= max(_MANY * light.size, 3):
        bad[odd] = True
    return bad


def _abrupt(dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Leave out frames into which the light fades.

    A wide and opaque face that leans by a fraction of a degree covers a row in a part of the turn.
    """
    runs = np.split(dark, np.flatnonzero(np.diff(dark) > 1) + 1) if dark.size else []
    lit = _FADED * float(np.median(light))
    sudden = [
        run
        for run in runs
        if all(light[n] > lit for n in (run[0] - 1, run[-1] + 1) if 0 <= n < light.size)
    ]
    return np.concatenate(sudden) if sudden else dark[:0]


def _is_wide(transmission: np.ndarray, number: int) -> bool:
    """Whether a frame differs from those beside it in more cells than a zinger reaches."""
    beside = transmission[max(number - 1, 0)], transmission[min(number + 1, len(transmission) - 1)]
    away = np.abs(transmission[number] - (beside[0] + beside[1]) / 2)
    return bool((away > _AWAY * np.median(away) + 0.01).sum() > _WIDE)


def _mend_fields(
    kind: Kind, fields: np.ndarray, bad: np.ndarray, found: list[BadRows]
) -> np.ndarray:
    if not bad.any():
        return fields
    fields = fields.copy()
    for row in np.flatnonzero(bad.any(axis=0)):
        others = fields[~bad[:, row], row]
        fields[bad[:, row], row] = np.median(others, axis=0).astype(fields.dtype)
    frames, rows = np.nonzero(bad)
    found.append(BadRows(kind, frames, rows, True))
    return fields


def _interpolated(frames: np.ndarray, bad: np.ndarray) -> np.ndarray:
    if not bad.any():
        return frames
    frames = frames.copy()
    for row in np.flatnonzero(bad.any(axis=0)):
        good = np.flatnonzero(~bad[:, row])
        for frame in np.flatnonzero(bad[:, row]):
            at = int(np.searchsorted(good, frame))
            before, after = good[max(at - 1, 0)], good[min(at, good.size - 1)]
            part = 0.0 if after == before else (frame - before) / (after - before)
            mixed = (1 - part) * frames[before, row] + part * frames[after, row]
            whole = np.issubdtype(frames.dtype, np.integer)
            frames[frame, row] = np.rint(mixed) if whole else mixed
    return frames
