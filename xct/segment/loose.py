"""Loose particles in front of the cathode, erased. In: a strip of a band; out: without them."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit
from xct.threads import over_ranges

_SEEN = 0.4  # of a particle's contrast: more is active material
_CONTRAST_QUANTILE = 0.9  # of what exceeds the plateau in the middle of the cathode
_LEAST_VOXELS = 8
_BEYOND = 0.8  # of its diameter that a loose particle's middle lies ahead of the front
_RIM = 2  # voxels that a particle's blur reaches


def erase_loose(
    values: np.ndarray,
    base: np.ndarray,
    front: np.ndarray,
    middle: np.ndarray,
    plateau: float,
) -> np.ndarray:
    """Put the electrolyte's μ in place of particles that drifted off the cathode.

    A particle is loose that is not connected to the cathode's middle, and whose own middle lies
    ahead of the front by most of its diameter at least.

    Parameters
    ----------
    values : ndarray of float32, shape (s, y, x)
        μ along s; not changed.
    base : ndarray of float64, shape (s,)
        μ without active material.
    front, middle : ndarray of float64, shape (y, x)
        A first guess of the front, and the middle of the cathode, along s.
    plateau : float
        Excess of μ in the cathode.

    Returns
    -------
    ndarray of float32, shape (s, y, x)
    """
    import cc3d

    body = np.nan_to_num(middle, nan=-1.0)
    stop = int(min(len(values), np.nanmax(body) + 1)) if body.size else 0
    if stop < 2 or not np.isfinite(front).any():
        return values
    limit = _limit(values[:stop], base[:stop], body, plateau)
    labels = cc3d.connected_components(_bright(values, base, body, limit, stop), connectivity=26)
    count = int(labels.max())
    facts = _measured(labels, body, np.nan_to_num(front, nan=np.inf), count)
    size, ahead, attached = facts
    diameter = np.cbrt(6 / np.pi * size)
    loose = (attached == 0) & (size >= _LEAST_VOXELS)
    loose &= ahead / np.maximum(size, 1) > _BEYOND * diameter
    if not loose[1:].any():
        return values
    cleaned = values.copy()
    _erase(cleaned, base.astype(np.float32), labels, loose)
    return cleaned


def _limit(values: np.ndarray, base: np.ndarray, body: np.ndarray, plateau: float) -> float:
    """Tell the excess of μ that only active material has."""
    s = np.arange(len(values))[:, None, None]
    near = body[None, ::4, ::4]
    sample = (values - base[:, None, None].astype(np.float32))[:, ::4, ::4]
    deep = sample[(near >= 0) & (s > near - 8) & (s <= near)]
    bright = deep[deep > plateau]
    contrast = float(np.quantile(bright, _CONTRAST_QUANTILE)) if bright.size else 2 * plateau
    return _SEEN * contrast


def _bright(
    values: np.ndarray, base: np.ndarray, body: np.ndarray, limit: float, stop: int
) -> np.ndarray:
    """Mark active material, and all that lies in the cathode's farther half."""
    mask = np.empty((stop, *values.shape[1:]), np.uint8)
    over_ranges(lambda a, b: _mark(values, base, body, limit, mask, a, b), stop)
    return mask


@njit(cache=True, nogil=True)
def _mark(
    values: np.ndarray,
    base: np.ndarray,
    body: np.ndarray,
    limit: float,
    mask: np.ndarray,
    first: int,
    stop: int,
) -> None:
    for s in range(first, stop):
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                deep = body[y, x] >= 0 and s >= body[y, x]
                bright = body[y, x] >= 0 and values[s, y, x] - base[s] > limit
                mask[s, y, x] = 1 if deep or bright else 0


@njit(cache=True, nogil=True)
def _measured(
    labels: np.ndarray, body: np.ndarray, front: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, ahead = np.zeros(count + 1), np.zeros(count + 1)
    attached = np.zeros(count + 1, np.uint8)
    for s in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[s, y, x]
                if label == 0:
                    continue
                size[label] += 1
                ahead[label] += min(front[y, x] - s, 1e6)
                if s >= body[y, x]:
                    attached[label] = 1
    return size, ahead, attached


@njit(cache=True, nogil=True)
def _erase(values: np.ndarray, base: np.ndarray, labels: np.ndarray, loose: np.ndarray) -> None:
    depth, rows, columns = labels.shape
    for s in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not loose[labels[s, y, x]]:
                    continue
                for k in range(max(0, s - _RIM), min(depth, s + _RIM + 1)):
                    for j in range(max(0, y - _RIM), min(rows, y + _RIM + 1)):
                        for i in range(max(0, x - _RIM), min(columns, x + _RIM + 1)):
                            if labels[k, j, i] == 0 or loose[labels[k, j, i]]:
                                values[k, j, i] = base[k]
