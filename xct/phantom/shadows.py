"""Shadows of a sample at all angles. In: slabs of μ and δ; out: line integrals, kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xct.phantom.projector import project
from xct.phantom.setup import Sample, Setup
from xct.voxels import slabs

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
        # A full disk is told now; later, a page that cannot be written would end the program.
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
