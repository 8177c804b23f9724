"""Shadows of a sample at all angles. In: slabs of μ and δ; out: line integrals, kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from xct.parallel.blocks import slabs
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges, thread_count
from xct.phantom.scan.setup import Sample, Setup

# Parallel projection of a volume on voxels. In: slices of μ; out: line integrals.
#
# Each voxel is a square with sharp edges: its shadow, a trapezoid, is averaged exactly over the
# width of each detector pixel. Many slices are projected at once, one weight for all of them.

# Slices that share one weight: 128 bytes, two lines of the cache.
_LANES = 32
# Angles that a strip of voxels stays in the cache for, and the voxels of a strip.
_ANGLES, _STRIP_VOXELS = 16, 2048
# Positions of a voxel's middle between two pixels that weights are kept for.
_STEPS = 4096
_EDGE = 3  # pixels beyond either end of the detector that take what falls beside it


def project(
    mu_per_cm: np.ndarray,
    theta_deg: np.ndarray,
    center_px: float,
    voxel_um: float,
    *,
    columns: int | None = None,
    into: np.ndarray | None = None,
) -> np.ndarray:
    """Compute line integrals through slices, in parallel beams.

    The axis is in the middle of the slices, (n - 1) / 2. A voxel at x, y from it falls on column
    ``center_px + x cos θ - y sin θ``; what falls beside the detector is lost.

    Parameters
    ----------
    mu_per_cm : ndarray, shape (z, y, x)
        Linear attenuation, 1/cm; any other quantity per length gives its integral.
    theta_deg : ndarray, shape (angle,)
        Angles in degrees.
    center_px : float
        Column of the rotation axis.
    voxel_um : float
        Edge of a voxel, and width of a detector pixel, µm.
    columns : int, optional
        Detector columns; as many as voxels along x unless given.
    into : ndarray of float32, shape (angle, row, column), optional
        Where to write the answer: part of a larger array, in memory or on disk.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Line integrals: 1/cm × cm, dimensionless for μ.

    Raises
    ------
    ValueError
        If the slices are no volume, or the voxel has no size.
    """
    if np.ndim(mu_per_cm) != 3:
        raise ValueError(f"mu_per_cm has shape {np.shape(mu_per_cm)}; it must be (z, y, x)")
    if not voxel_um > 0:
        raise ValueError(f"voxel_um = {voxel_um!r}; expected a positive length in µm")
    theta = np.deg2rad(np.asarray(theta_deg, np.float64))
    slices, _, width = mu_per_cm.shape
    columns = width if columns is None else columns
    shape = (theta.size, slices, columns)
    integrals = np.empty(shape, np.float32) if into is None else into
    if integrals.shape != shape:
        raise ValueError(f"into has shape {integrals.shape}; the line integrals have {shape}")
    for first in range(0, slices, _LANES):
        part = slice(first, first + _LANES)
        _project_some(mu_per_cm[part], theta, center_px, voxel_um * 1e-4, integrals[:, part])
    return integrals


def _project_some(
    mu: np.ndarray, theta: np.ndarray, center: float, cm: float, integrals: np.ndarray
) -> None:
    """Project up to `_LANES` slices into `integrals` (angle, row, column)."""
    lanes = np.zeros((*mu.shape[1:], _LANES), np.float32)
    lanes[..., : len(mu)] = np.moveaxis(mu, 0, -1)
    lanes *= np.float32(cm)
    spans = _spans(lanes)

    def some(first: int, stop: int) -> None:
        for start in range(first, stop, _ANGLES):
            few = slice(start, min(start + _ANGLES, stop))
            sums = np.zeros((few.stop - start, integrals.shape[2] + 2 * _EDGE, _LANES), np.float32)
            _accumulate(lanes, spans, theta[few], float(center), _weights(theta[few]), sums)
            seen = sums[:, _EDGE:-_EDGE, : integrals.shape[1]]
            integrals[few] = np.moveaxis(seen, 2, 1)

    pieces = ceil(theta.size / (_ANGLES * thread_count()))
    over_ranges(some, theta.size, least=_ANGLES, pieces=min(pieces, 8))


@njit(cache=True, nogil=True)
def _spans(lanes: np.ndarray) -> np.ndarray:
    """Find the first voxel of each row that holds something, and the one after the last."""
    rows, width, depth = lanes.shape
    spans = np.zeros((rows, 2), np.int64)
    for y in range(rows):
        first, stop = width, 0
        for x in range(width):
            for k in range(depth):
                if lanes[y, x, k] != 0:
                    first = min(first, x)
                    stop = x + 1
                    break
        spans[y, 0], spans[y, 1] = min(first, stop), stop
    return spans


def _weights(theta: np.ndarray) -> np.ndarray:
    """Give how a voxel's shadow is divided among three pixels, shape (angle, step, 3).

    The middle of the shadow lies ``step / _STEPS - 1/2`` from that of the second pixel. Its height
    integrates to the voxel's area over the pixel's width: 1, wherever it falls.
    """
    offset = np.arange(_STEPS + 1) / _STEPS - 0.5
    edges = np.array([-0.5, 0.5])[None, :, None] - offset
    cosine, sine = np.abs(np.cos(theta)), np.abs(np.sin(theta))
    outer, inner = (cosine + sine) / 2, np.abs(cosine - sine) / 2
    below = _shadow_below(edges, outer[:, None, None], inner[:, None, None])
    weights = np.stack([below[:, 0], below[:, 1] - below[:, 0], 1 - below[:, 1]], axis=-1)
    return np.ascontiguousarray(weights, np.float32)


def _shadow_below(u: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Integrate the trapezoid of area 1 (half width `outer`, of its top `inner`) up to `u`."""
    top = 1 / (outer + inner)
    slope = np.maximum(outer - inner, 1e-12)
    left = np.clip(u + outer, 0, slope) ** 2 / (2 * slope)
    flat = np.clip(u + inner, 0, 2 * inner)
    right = np.clip(u - inner, 0, slope)
    return np.asarray(top * (left + flat + right - right**2 / (2 * slope)))


@njit(cache=True, nogil=True)
def _accumulate(
    lanes: np.ndarray,
    spans: np.ndarray,
    theta: np.ndarray,
    center: float,
    weights: np.ndarray,
    sums: np.ndarray,
) -> None:
    rows, width, _ = lanes.shape
    last = sums.shape[1] - 2
    strip = max(1, _STRIP_VOXELS // width)
    for start in range(0, rows, strip):
        for a in range(theta.size):
            cosine, sine = np.cos(theta[a]), np.sin(theta[a])
            for y in range(start, min(start + strip, rows)):
                origin = center + _EDGE + 0.5 - (y - (rows - 1) / 2) * sine
                origin -= (width - 1) / 2 * cosine
                for x in range(spans[y, 0], spans[y, 1]):
                    place = origin + x * cosine
                    middle = int(np.floor(place))
                    if middle < 1 or middle > last:
                        continue
                    step = int((place - middle) * _STEPS + 0.5)
                    before, amid, after = weights[a, step]
                    for k in range(_LANES):
                        value = lanes[y, x, k]
                        sums[a, middle - 1, k] += before * value
                        sums[a, middle, k] += amid * value
                        sums[a, middle + 1, k] += after * value


_SLAB_ROWS = 32  # at least, as many as the projector takes at once
# Line integrals that are kept in memory; more are kept on disk.
_IN_MEMORY_BYTES = 2**28


def cast_shadows(
    sample: Sample, setup: Setup, workspace: Path
) -> tuple[np.ndarray, np.ndarray | None]:
    """Project μ and, where waves are to propagate, δ, slab by slab.

    Parameters
    ----------
    sample : Sample
        Read once.
    setup : Setup
        Angles, axis, housing, and whether δ is needed.
    workspace : path
        Folder for line integrals that are too many for memory.

    Returns
    -------
    absorbed : ndarray of float32, shape (angle, row, column)
        Line integrals of μ, dimensionless; in memory, or mapped from disk.
    delayed : ndarray or None
        Those of δ, µm; None without propagation.

    Raises
    ------
    OSError
        If the disk cannot hold them.
    """
    rows, _, columns = sample.shape
    shape = (setup.angles, rows, columns)
    absorbed = _room(shape, workspace / ".mu.tmp")
    delayed = _room(shape, workspace / ".delta.tmp") if setup.distance_mm else None
    once = slabs(sample.shape)[0].stop
    height = max(_SLAB_ROWS, once)
    for first in range(0, rows, height):
        part = slice(first, min(first + height, rows))
        _project_slab(_some(sample.mu, part, once), part, sample.voxel_um, setup, absorbed)
        if delayed is not None:
            # The projector's unit is a quantity per cm; δ has no unit, its integral is in µm.
            slab = _some(sample.delta, part, once)
            _project_slab(slab, part, sample.voxel_um * 1e4, setup, delayed)
    if setup.torlon_um is not None:
        absorbed += _housing(setup, columns, sample.voxel_um)
    return absorbed, delayed


def _some(read: Callable[[int, int], np.ndarray], part: slice, once: int) -> np.ndarray:
    """Read slices, no more at once than a slab has."""
    pieces = [
        read(first, min(first + once, part.stop)) for first in range(part.start, part.stop, once)
    ]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _project_slab(
    slab: np.ndarray, part: slice, voxel_um: float, setup: Setup, integrals: np.ndarray
) -> None:
    columns = integrals.shape[2]
    if setup.torlon_um is not None:
        # Beyond the field of view the housing is a ring, which is added in one piece.
        offset = (np.arange(n) - (n - 1) / 2 for n in slab.shape[1:])
        y, x = np.meshgrid(*offset, indexing="ij")
        slab = np.where(np.hypot(y, x) < columns / 2, slab, np.float32(0))
    center = setup.center_px(columns)
    project(slab, setup.theta_deg, center, voxel_um, into=integrals[:, part])


def _room(shape: tuple[int, int, int], file: Path) -> np.ndarray:
    """Make room for line integrals: in memory, or on disk where they are many."""
    size = 4 * int(np.prod(shape))
    if size <= _IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    with file.open("wb") as opened:
        # A full disk is reported now; later, a page that cannot be written would end the program.
        os.posix_fallocate(opened.fileno(), 0, size)
    mapped: Any = np.memmap(file, np.float32, "r+", shape=shape)
    return np.asarray(mapped)


def _housing(setup: Setup, columns: int, pixel_um: float) -> np.ndarray:
    """Integrate the housing beyond the field of view over each column; alike at every angle."""
    assert setup.torlon_um is not None
    finer = 8
    across = (np.arange(columns * finer) + 0.5) / finer - 0.5 - setup.center_px(columns)
    inner, outer = (
        2 * np.sqrt(np.maximum(radius**2 - (across * pixel_um) ** 2, 0))
        for radius in (columns / 2 * pixel_um, setup.torlon_um)
    )
    per_column = (outer - inner).reshape(columns, finer).mean(axis=1)
    return np.asarray(per_column * 1e-4 * setup.torlon_per_cm, np.float32)
