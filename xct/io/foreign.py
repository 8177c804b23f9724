"""Volumes that somebody else reconstructed. In: TIFF stack or OME-Zarr; out: voxels, read lazily.

NaN is refused by the stages that meet it; here it is only counted when the volume is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.files import damage_named
from xct.io.scans.tiff_scans import tiff_files
from xct.io.tiff.frames import TiffFrames
from xct.io.tiff.stacks import matching, natural_order, open_stack
from xct.io.units import unit_factor
from xct.parallel.blocks import Voxels

VoxelSize = tuple[float, float, float]
_DTYPES = ("int8", "uint8", "uint16", "int16", "float32", "float64")


@dataclass(frozen=True)
class ForeignVolume:
    """A reconstructed volume in another program's files.

    Attributes
    ----------
    voxels : Voxels
        Stored values (z, y, x).
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    files : tuple of Path
        Its files, for a checksum.
    layout : str
        "TIFF stack" or "OME-Zarr".
    slope, offset : float
        value = slope · stored + offset.
    """

    voxels: Voxels
    voxel_size_um: VoxelSize
    files: tuple[Path, ...]
    layout: str
    slope: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class _Stack:
    """TIFF frames as voxels."""

    frames: TiffFrames

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frames.shape

    @property
    def dtype(self) -> np.dtype:
        return self.frames.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        z, *rest = index if isinstance(index, tuple) else (index,)
        first, stop, step = z.indices(self.shape[0])
        part: np.ndarray = self.frames.read(slice(first, stop), slice(None), slice(None))
        return part[(slice(None, None, step), *rest)]


def open_foreign(path: Path | str, voxel_size_um: VoxelSize | None = None) -> ForeignVolume:
    """Open a volume by its content.

    Parameters
    ----------
    path : path
        OME-Zarr group (0.4 or 0.5) or plain Zarr array; a TIFF file with several pages, a folder
        of TIFF files, or a pattern such as ``slices/*.tif``.
    voxel_size_um : tuple of float, optional
        Edges along z, y and x; needed where the files do not say them, overrules them otherwise.

    Returns
    -------
    ForeignVolume

    Raises
    ------
    ScanError
        If it cannot be read, is no volume (z, y, x), or its voxel size is not known.
    """
    place = Path(path)
    with damage_named(place):
        return _open(place, path, voxel_size_um)


def _open(place: Path, path: Path | str, voxel_size_um: VoxelSize | None) -> ForeignVolume:
    if any((place / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        return _open_zarr(place, voxel_size_um)
    if place.is_dir():
        files = natural_order(tiff_files(place))
        if not files:
            raise ScanError(f"file: {place}: holds neither TIFF slices nor a Zarr volume")
    else:
        files = matching("file", path)
    frames = open_stack(files)
    _check(frames.shape, frames.dtype, str(path))
    if voxel_size_um is None and frames.pixel_size_um is not None:
        voxel_size_um = (frames.pixel_size_um,) * 3
    size = _known(voxel_size_um, str(path))
    return ForeignVolume(_Stack(frames), size, tuple(files), "TIFF stack")


def _open_zarr(path: Path, voxel_size_um: VoxelSize | None) -> ForeignVolume:
    import zarr

    opened: Any = zarr.open(path, mode="r")
    slope, offset = 1.0, 0.0
    if hasattr(opened, "group_keys"):  # a group, not an array
        facts: Any = opened.attrs.get("xct", {})
        slope, offset = float(facts.get("slope", 1)), float(facts.get("offset", 0))
        attributes: Any = opened.attrs.get("ome", opened.attrs)
        if "multiscales" not in attributes:
            raise ScanError(f"file: {path}: is a Zarr group without an OME multiscale volume")
        scales = attributes["multiscales"][0]
        first = scales["datasets"][0]
        opened = opened[first["path"]]
        voxel_size_um = voxel_size_um or _scale_um(scales, first)
    if opened.ndim > 3 and any(length > 1 for length in opened.shape[:-3]):
        raise ScanError(
            f"file: {path}: has shape {opened.shape}; a volume has the axes z, y, x: split times "
            "or channels first"
        )
    voxels = opened if opened.ndim == 3 else _Inner(opened)
    _check(voxels.shape, voxels.dtype, str(path))
    files = tuple(file for file in sorted(path.rglob("*")) if file.is_file())
    size = _known(voxel_size_um, str(path))
    return ForeignVolume(voxels, size, files, "OME-Zarr", slope, offset)


@dataclass(frozen=True)
class _Inner:
    """The last three axes of an array whose others have length 1."""

    array: Any

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.array.shape[-3:]
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        dtype: np.dtype = np.dtype(self.array.dtype)
        return dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        parts = index if isinstance(index, tuple) else (index,)
        return np.asarray(self.array[(*(0,) * (self.array.ndim - 3), *parts)])


def _scale_um(scales: dict[str, Any], dataset: dict[str, Any]) -> VoxelSize | None:
    """Read the voxel size; None unless every axis has a unit of length."""
    units = [axis.get("unit", "") for axis in scales.get("axes", [])][-3:]
    factors = [unit_factor(unit, "um") for unit in units]
    for transformation in dataset.get("coordinateTransformations", []):
        if transformation.get("type") == "scale" and len(factors) == 3 and None not in factors:
            last = transformation["scale"][-3:]
            z, y, x = (float(s) * float(f or 1) for s, f in zip(last, factors, strict=True))
            return z, y, x
    return None


def _check(shape: tuple[int, ...], dtype: np.dtype, path: str) -> None:
    if len(shape) != 3 or min(shape) < 2:
        raise ScanError(
            f"file: {path}: has shape {shape}; a volume needs 2 slices or more (z, y, x)"
        )
    if dtype.name not in _DTYPES:
        raise ScanError(f"file: {path}: holds {dtype.name}; expected one of {', '.join(_DTYPES)}")


def _known(size: VoxelSize | None, path: str) -> VoxelSize:
    if size is None:
        raise ScanError(
            f"voxel_size_um: {path} does not say its voxel size; give it as [z, y, x] in µm"
        )
    return size
