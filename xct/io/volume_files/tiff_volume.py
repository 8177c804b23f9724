"""Volumes in TIFF files. In: a file, a folder or a pattern; out: slices, read where needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.io.scans.tiff_scans import tiff_files
from xct.io.tiff.calibration import Calibration, read_calibration
from xct.io.tiff.frames import TiffFrames
from xct.io.tiff.pages import opened
from xct.io.tiff.stacks import matching, open_stack
from xct.io.volume_files.slice_order import Slices, in_order
from xct.io.volume_files.volume import (
    ForeignVolume,
    Request,
    VoxelSize,
    check_form,
    chosen_size,
)

_MOST_LOOKED_AT = 9  # files of a stack of which the calibration is compared
_LOSSY = (
    "file: {}: compressed with loss (JPEG): grey values are changed in blocks of 8 × 8 pixels, "
    "those of small particles, inclusions and noise first, and stated uncertainties do not hold "
    "that; save it with LZW or zlib, from what it was made of"
)
_TURNED = (5, 6, 7, 8)  # TIFF orientations that exchange rows and columns


@dataclass(frozen=True)
class _Stack:
    """TIFF frames as voxels; slices that no file holds are NaN.

    Attributes
    ----------
    frames : TiffFrames
        What is there.
    frame : ndarray of int, shape (z,)
        Which frame is each slice; -1 where there is none.
    """

    frames: TiffFrames
    frame: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.frame), *self.frames.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32) if (self.frame < 0).any() else self.frames.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        z, *rest = index if isinstance(index, tuple) else (index,)
        wanted = np.atleast_1d(self.frame[z])
        there = wanted >= 0
        values = np.full(
            (len(wanted), *self.shape[1:]), np.nan if not there.all() else 0, self.dtype
        )
        if there.any():
            values[there] = self.frames.read(wanted[there], slice(None), slice(None))
        part = values if isinstance(z, slice) else values[0]
        return part[(slice(None), *rest)] if isinstance(z, slice) else part[tuple(rest)]


def read(path: Path | str, request: Request) -> ForeignVolume:
    """Read a TIFF file with several pages, a folder of TIFF files, or a pattern of them.

    Raises
    ------
    ScanError
        If it cannot be read, its order is not known, or its calibration is no straight line.
    """
    place = Path(path)
    if place.is_dir():
        files = tiff_files(place)
        if not files:
            raise ScanError(f"file: {path}: holds neither TIFF slices nor a Zarr volume")
    else:
        files = matching("file", path)
    slices = in_order(files, str(path))
    frames = open_stack(slices.files)
    check_form((*frames.shape[:1], *frames.shape[1:]), frames.dtype, str(path))
    voxels = _placed(frames, slices, str(path))
    said = _calibration(slices.files, str(path))
    if frames.form.orientation in _TURNED:
        said = replace(said, y_um=said.x_um, x_um=said.y_um)
    found, notes = _voxel_size(said)
    where = f"{said.program} metadata of {slices.files[0].name}"
    size, origin, more = chosen_size(request.voxel_size_um, found, where, str(path))
    if (said.slope, said.offset) != (1.0, 0.0):
        origin["values"] = (
            f"{said.slope:g} · stored value {said.offset:+g}, by the calibration of ImageJ"
        )
    return ForeignVolume(
        voxels,
        size,
        slices.files,
        "TIFF stack",
        said.slope,
        said.offset,
        value_unit=said.value_unit,
        labels=said.labels,
        origin=origin,
        notes=(*slices.notes, *(notes if request.voxel_size_um is None else ()), *more),
        warnings=(*slices.warnings, *((_LOSSY.format(path),) if said.lossy else ())),
    )


def _placed(frames: TiffFrames, slices: Slices, path: str) -> _Stack:
    if frames.shape[0] == len(slices.files):
        frame = np.full(slices.count, -1)
        frame[slices.places] = np.arange(frames.shape[0])
        return _Stack(frames, frame)
    if slices.count > len(slices.files):  # of several pages each: how many are missing is not known
        raise ScanError(f"file: {path}: files are missing: {'; '.join(slices.warnings)}")
    return _Stack(frames, np.arange(frames.shape[0]))


def _calibration(files: Sequence[Path], path: str) -> Calibration:
    """Read the calibration, and see that all slices have the same."""
    looked_at = np.unique(np.linspace(0, len(files) - 1, _MOST_LOOKED_AT).astype(int))
    found = []
    for number in looked_at:
        with opened(files[number]) as tiff:
            found.append(read_calibration(tiff))
    for number, other in zip(looked_at, found, strict=True):
        first = found[0]
        if (other.slope, other.offset) != (first.slope, first.offset):
            raise ScanError(
                f"file: {path}: slices are scaled differently: value = {first.slope:g} · code + "
                f"{first.offset:g} in {files[0].name}, {other.slope:g} · code + {other.offset:g} "
                f"in {files[number].name}; export them with one range"
            )
    if found[0].curve is not None:
        raise ScanError(
            f"file: {path}: its values are calibrated by ImageJ's function number "
            f"{found[0].curve}, which is no straight line; convert it to 32 bits in ImageJ, which "
            "applies the function, and save it again"
        )
    return found[0]


def _voxel_size(said: Calibration) -> tuple[VoxelSize | None, tuple[str, ...]]:
    """Give the voxel size as far as the file says it."""
    if said.x_um is None or said.y_um is None:
        return None, ()
    if said.z_um is not None:
        return (said.z_um, said.y_um, said.x_um), ()
    return (said.x_um, said.y_um, said.x_um), (
        f"the distance of slices is taken to be the pixel's edge, {said.x_um:g} µm: the "
        f"{said.program} metadata do not say it; if it differs, give voxel_size_um: [z, y, x]",
    )
