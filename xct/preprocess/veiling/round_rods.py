"""Glare behind round rods that let some light through. In: light of whole frames; out: a number.

Through a rod passes ``exp(-P sqrt(1 - u**2))`` at u radii from its middle. Glare is not as deep in
the middle as its rims let expect: both are told apart by the shape of the shadow, also where a
tenth of what is seen in the middle is glare.
"""

from __future__ import annotations

import numpy as np

from xct.preprocess.veiling.frame_light import FrameLight
from xct.preprocess.veiling.measurement import DARK, Glare, is_steady, reaches_side, rim

_WINDOWS = (0.93, 0.75)  # of the radius: what is fitted, and less, to see whether that matters
_MODEL = 0.03  # of what passes: rods are not quite round, nor even
_MISFIT = 1.5  # mean square over that of noise and model; a cathode's packing has 3 and more
_STEPS, _LEAST_ROWS, _LEAST_PX = 12, 3, 16
_MOST_PX = 512  # columns of a row that are looked at
_AS_DEEP, _OPAQUE = 0.5, 10.0  # of the deepest rod: what is less dense may hold grains
_DAMPING, _LEAST_NOISE = 1e-3, 1e-6
# How far glare reaches is known within a factor of two (95 %).
_RANGE_FACTOR = np.sqrt(2)
_MODEL_SD = 0.08  # of the fraction: glare that falls off as no Gaussian does
_SURE, _SURE_WITHIN = 0.5, 6e-4
_CORE = 0.6  # of the radius: cells that must be as dark at all angles


def glare_behind_rods(frame_light: FrameLight, range_px: float) -> Glare | None:
    """Measure glare by the shape of the shadows of rods.

    Parameters
    ----------
    frame_light : FrameLight
        From `gather_light`.
    range_px : float
        How far the glare reaches: standard deviation of a Gaussian.

    Returns
    -------
    Glare or None
        None where no dark rod is in view, or what is dark is none by its shape.
    """
    rows = _dark_rows(frame_light)
    light = _filled(frame_light.still[rows])
    rims = np.reshape([rim(row) for row in light], (-1, 2))
    whole = [not reaches_side((first, stop), light.shape[1]) for first, stop in rims.tolist()]
    wide = (np.ptp(rims, axis=1) / 2 > _LEAST_PX) & np.array(whole, bool)
    if np.count_nonzero(wide) < _LEAST_ROWS:
        return None
    rows, light, rims = rows[wide], light[wide], rims[wide]
    middle, radius = rims.mean(axis=1), np.ptp(rims, axis=1) / 2
    mean = frame_light.in_groups(1)
    columns = np.arange(0, light.shape[1], max(1, light.shape[1] // _MOST_PX))
    seen = light[:, columns]

    def fractions(range_px: float, window: float) -> tuple[np.ndarray, ...]:
        cells = frame_light.about(mean, range_px)[0][rows]
        about = np.stack([np.interp(columns, frame_light.middles(), row) for row in cells])
        off = (columns - middle[:, None]) / radius[:, None]
        return _fitted(seen, about, off, window)

    found, depth, misfit = fractions(range_px, _WINDOWS[0])
    good = misfit < _MISFIT
    depth = np.minimum(depth, _OPAQUE)
    good &= depth > _AS_DEEP * np.max(depth, where=good, initial=0.0)
    if np.count_nonzero(good) < _LEAST_ROWS:
        return None
    inner, near, far = (
        float(np.median(fractions(*how)[0][good]))
        for how in (
            (range_px, _WINDOWS[1]),
            (range_px / _RANGE_FACTOR, _WINDOWS[0]),
            (range_px * _RANGE_FACTOR, _WINDOWS[0]),
        )
    )
    fraction = float(np.median(found[good]))
    scatter = 1.4826 * float(np.median(np.abs(found[good] - fraction)))
    parts = (scatter, fraction - inner, (near - far) / 2, _MODEL_SD * fraction)
    sd = float(np.linalg.norm(parts))
    if sd > max(_SURE * fraction, _SURE_WITHIN) or fraction < -2 * sd:
        return None  # less than no light: darks are too high
    cells = np.zeros(mean.shape[1:], bool)
    off = np.abs(frame_light.middles() - middle[good][:, None]) < _CORE * radius[good][:, None]
    cells[rows[good]] = off
    noise = _noise(light[good])
    if not is_steady(frame_light, cells, range_px, noise):
        return None
    return Glare(max(fraction, 0.0), sd, range_px, int(np.count_nonzero(off)))


def _dark_rows(frame_light: FrameLight) -> np.ndarray:
    """Give the rows in which something is dark, away from the frame's sides."""
    still = frame_light.still
    known = np.isfinite(still).any(axis=1)
    few = max(3, still.shape[1] // 50)
    dark = np.sort(np.where(np.isfinite(still), still, np.inf), axis=1)[:, :few]
    return np.flatnonzero(known & (np.median(dark, axis=1) < DARK))


def _filled(rows: np.ndarray) -> np.ndarray:
    """Put what lies beside in place of unknown pixels."""
    filled = np.array(rows, np.float64)
    columns = np.arange(filled.shape[1])
    for row in filled:
        known = np.isfinite(row)
        row[~known] = np.interp(columns[~known], columns[known], row[known])
    return filled


def _noise(light: np.ndarray) -> float:
    """Estimate the noise of the darker half of the pixels from what is not smooth along rows."""
    bend = np.abs(np.diff(light, 2, axis=1))
    dark = light[:, 1:-1] <= np.median(light, axis=1)[:, None]
    return max(float(1.4826 * np.median(bend[dark]) / np.sqrt(6)), _LEAST_NOISE)


def _fitted(
    light: np.ndarray, about: np.ndarray, off: np.ndarray, window: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit depth, radius, middle and glare to each row; give glare, depth and misfit, (row,)."""
    weighed = (np.abs(off) < window).astype(float)
    noise = _noise(light)
    deepest = np.maximum((light * weighed).sum(axis=1) / weighed.sum(axis=1), 1e-4)
    # Depth, radius over that of the rim, shift in radii, fraction of glare.
    p = np.stack([-np.log(deepest) + 1, 1.01 + 0 * deepest, 0 * deepest, 0 * deepest], axis=1)
    limits = np.array([[0.5, 0.98, -0.05, -0.05], [60.0, 1.05, 0.05, 0.3]])
    for _ in range(_STEPS):
        model, slopes = _model(p, off, about)
        weight = weighed / (noise**2 + (_MODEL * model) ** 2)
        normal = np.einsum("krx,rx,lrx->rkl", slopes, weight, slopes)
        normal[:, range(4), range(4)] *= 1 + _DAMPING
        pull = np.einsum("krx,rx,rx->rk", slopes, weight, light - model)
        step = np.linalg.solve(normal + 1e-12 * np.eye(4), pull[..., None])[..., 0]
        p = np.clip(p + np.clip(step, -0.3 * (1 + np.abs(p)), 0.3 * (1 + np.abs(p))), *limits)
    model, _ = _model(p, off, about)
    square = weighed * (light - model) ** 2 / (noise**2 + (_MODEL * model) ** 2)
    return p[:, 3], p[:, 0], square.sum(axis=1) / weighed.sum(axis=1)


def _model(p: np.ndarray, u: np.ndarray, about: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what is seen behind rods, and its derivatives by the four parameters."""
    depth, wide, shift, glare = (column[:, None] for column in p.T)
    place = (u - shift) / wide
    chord = np.sqrt(np.clip(1 - place**2, 1e-4, None))
    through = np.exp(-depth * chord)
    passed = (1 - glare) * through
    steep = passed * depth * place / chord / wide  # by the place of the rod
    slopes = np.stack([-passed * chord, -steep * place, -steep, about - through])
    return passed + glare * about, slopes
