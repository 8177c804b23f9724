"""How the edge of something opaque looks after reconstruction. In: its apparent μ; out: a table.

Light is blurred before its logarithm is taken. Next to steel, which lets nothing through, a little
stray light halves the line integral, and the face seems to lie deeper in the steel than it does,
by an amount that depends on how far light travels in it. So that form is computed: rows of the
detector near a flat face, blurred in light, and turned into slices of a round body again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.physics.optics import FWHM_PER_SIGMA

PHASES = 33  # positions of the face within a voxel, both ends included
REACH = 5  # rows to each side of the face's row, beyond which nothing is felt
_RINGS = 48
_OUTER = (0.85, 0.97)  # of the radius: rings where the body is least opaque, its wall left out
_CLEAR = 4  # voxels from the face
# Standard deviation of the blur of light along z, in voxels: where it is not known, and what it
# can be; and the variance that voxels and their interpolation add to the blur across them.
_USUAL, _LEAST, _MOST, _OF_VOXELS = 0.5, 0.3, 2.0, 0.19


@dataclass(frozen=True)
class OpaqueEdge:
    """The apparent μ near the flat face of an opaque round body.

    Attributes
    ----------
    table : ndarray of float64, shape (PHASES, 2 · REACH + 1, ring)
        μ in 1/cm by the fraction of the face's row that is filled, by row from it (the body is at
        negative ones), and by radius.
    ring : ndarray of float64, shape (y, x)
        Ring of each column, not rounded.
    shadow : ndarray of float64, shape (y, x)
        By how much, relatively, μ deep in the body falls short of its largest: glare, and starving.
    """

    table: np.ndarray
    ring: np.ndarray
    shadow: np.ndarray


def opaque_edge(
    inside_per_cm: np.ndarray, radius: np.ndarray, bore: float, voxel_cm: float, sigma: float
) -> OpaqueEdge:
    """Compute how a face looks.

    Parameters
    ----------
    inside_per_cm : ndarray, shape (y, x)
        Apparent μ deep in the body.
    radius : ndarray, shape (y, x)
        Distance from the axis in voxels.
    bore : float
        Radius of the body in voxels.
    voxel_cm : float
        Edge of a voxel.
    sigma : float
        Standard deviation of the blur of light along z, in voxels.

    Returns
    -------
    OpaqueEdge
    """
    apparent = _by_ring(inside_per_cm, radius, bore)
    if not apparent.max() > 0:
        return transparent(radius.shape)
    chords = _chords() * (bore / _RINGS) * voxel_cm
    outer = slice(int(_OUTER[0] * _RINGS), max(int(_OUTER[1] * _RINGS), 1))
    full = chords @ np.full(_RINGS, apparent[outer].max())
    stray = np.maximum(np.exp(-chords @ apparent) - np.exp(-full), 0)  # glare, mostly
    rows = np.arange(-REACH, REACH + 1)
    weights = np.exp(-0.5 * (rows / max(sigma, 0.05)) ** 2)
    weights /= weights.sum()
    table = np.empty((PHASES, rows.size, _RINGS))
    for number, phase in enumerate(np.linspace(0, 1, PHASES)):
        around = np.arange(-2 * REACH, 2 * REACH + 1)
        filled = np.clip(phase - around, 0, 1)
        light = np.exp(-filled[:, None] * full)
        blurred = np.stack([weights @ light[k : k + rows.size] for k in range(rows.size)])
        seen = -np.log(stray + (1 - stray) * blurred)
        table[number] = scipy.linalg.solve_triangular(chords, seen.T).T
    ring = np.clip(radius / bore * _RINGS - 0.5, 0, _RINGS - 1.001)
    lost = np.clip(1 - apparent / apparent[outer].max(), 0, 1)
    return OpaqueEdge(table, ring, np.interp(ring, np.arange(_RINGS), lost))


def light_blur_px(reference: object, voxel_um: float) -> float:
    """Give the blur of light along z, by the point spread that was measured across.

    Parameters
    ----------
    reference : Reference
        With the width (FWHM) of the point spread, as far as that was measured.
    voxel_um : float
        Edge of a voxel along z.

    Returns
    -------
    float
        Standard deviation in voxels.
    """
    width = float(getattr(reference, "blur_um", np.nan))
    known = np.isfinite(getattr(reference, "blur_sd_um", np.nan))
    if not (known and np.isfinite(width)):
        return _USUAL
    variance = (width / FWHM_PER_SIGMA / voxel_um) ** 2 - _OF_VOXELS
    return float(np.sqrt(np.clip(variance, _LEAST**2, _MOST**2)))


def transparent(shape: tuple[int, ...]) -> OpaqueEdge:
    """Give the edge of nothing, shape (y, x): where no opaque body is in view."""
    empty = np.zeros(shape)
    return OpaqueEdge(np.zeros((PHASES, 2 * REACH + 1, 2)), empty, empty)


def _by_ring(values: np.ndarray, radius: np.ndarray, bore: float) -> np.ndarray:
    ring = np.floor(radius / bore * _RINGS)
    found = np.full(_RINGS, np.nan)
    for number in range(_RINGS):
        part = values[(ring == number) & np.isfinite(values)]
        if part.size:
            found[number] = np.median(part)
    good = np.isfinite(found)
    if not good.any():
        return np.zeros(_RINGS)
    return np.asarray(np.interp(np.arange(_RINGS), np.flatnonzero(good), found[good]))


def _chords() -> np.ndarray:
    """Give lengths of rays in rings of width 1, shape (ray, ring), by the rings' middles."""
    ray = np.arange(_RINGS)[:, None] + 0.5
    edge = np.arange(_RINGS + 1)[None]
    half = np.sqrt(np.maximum(edge**2 - ray**2, 0))
    return np.asarray(2 * np.diff(half, axis=1))
