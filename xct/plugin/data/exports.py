"""Volumes in files of other programs, such as exports of xct. In: a path; out: one layer."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import ForeignVolume
from xct.plugin.data.arrays import LazyArray
from xct.plugin.data.cells import KEY
from xct.plugin.data.layers import AXES, UNITS, LayerData, material_look

_FILES = (".nrrd", ".nhdr", ".vti", ".ome.tif", ".ome.tiff")
_SLICES = (".tif", ".tiff")
_LOOKED_AT = 64  # names in a folder
_RANGE = (1, 99.8)  # percentiles of the middle slice that are shown from black to white


def is_volume_file(path: Path) -> bool:
    """Whether a path is named as such a volume, or is a folder of TIFF slices."""
    if path.is_dir():
        names = [file.name.lower() for file in islice(path.iterdir(), _LOOKED_AT)]
        return sum(name.endswith(_SLICES) for name in names) > 1
    return path.name.lower().endswith(_FILES) and path.is_file()


def volume_file_layers(path: Path) -> list[LayerData]:
    """Show what is in the file, at its size; labels of materials in their colors.

    Raises
    ------
    ScanError
        If it is no volume, or does not say its voxel size.
    """
    volume = open_foreign(path)
    shared = {
        "name": path.name.split(".")[0],
        "scale": volume.voxel_size_um,
        "units": UNITS,
        "axis_labels": AXES,
        "metadata": {KEY: {"volume": str(path), "kind": volume.labels or "volume"}},
    }
    if volume.labels is not None:
        look = material_look() if volume.labels == "materials" else {}
        return [(_voxels(volume), shared | look, "labels")]
    image = _voxels(volume)
    middle = image[image.shape[0] // 2]
    seen = middle[np.isfinite(middle)]
    low, high = np.percentile(seen, _RANGE).tolist() if seen.size else (0.0, 1.0)
    limits = (low, high if high > low else low + 1)
    return [(image, shared | {"colormap": "gray", "contrast_limits": limits}, "image")]


def _voxels(volume: ForeignVolume) -> LazyArray:
    """Make voxels on disk look like an array; labels may be stored as real numbers."""
    labelled = volume.labels is not None
    dtype: np.dtype = np.dtype(np.float32)
    if labelled:
        dtype = volume.voxels.dtype if volume.voxels.dtype.kind in "iu" else np.dtype(np.uint32)

    def read(parts: tuple[slice, ...]) -> Any:
        return volume.voxels[parts].astype(dtype) if labelled else volume.read(parts)

    return LazyArray(volume.voxels.shape, dtype, read)
