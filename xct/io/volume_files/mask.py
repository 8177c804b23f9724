"""The user's own mask of the slices: where the sample may be. In: a file; out: slices of bool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import Request
from xct.parallel.blocks import Voxels


@dataclass(frozen=True)
class SampleMask:
    """Where the sample may be, slice by slice.

    Attributes
    ----------
    voxels : Voxels, shape (row, y, x) or (1, y, x)
        Not 0 where the sample may be; a single slice is that of all rows.
    files : tuple of Path
        Its files, for a checksum.
    """

    voxels: Voxels
    files: tuple[Path, ...]

    def read(self, rows: slice) -> np.ndarray:
        """Give the slices of some rows, bool."""
        if self.voxels.shape[0] > 1:
            return _known(np.asarray(self.voxels[rows]))
        one = _known(np.asarray(self.voxels[0:1]))
        return np.broadcast_to(one, (rows.stop - rows.start, *one.shape[1:]))


def _known(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(values) != 0)


def open_mask(path: Path | str, rows: int, voxel_size_um: float | None) -> SampleMask:
    """Open a mask: labels or values of any layout that volumes have, 0 outside of the sample.

    Parameters
    ----------
    path : path
        A TIFF file or folder, a Zarr array, an HDF5 file, ….
    rows : int
        Rows of a projection, as they are kept.
    voxel_size_um : float or None
        Of the slices.

    Raises
    ------
    ScanError
        If it cannot be read, or holds neither one slice nor one for each row.
    """
    size = voxel_size_um or 1.0
    try:
        opened = open_foreign(path, request=Request((size, size, size), single=True))
    except ScanError as error:
        raise ScanError(*(f"mask: {text}" for text in error.errors)) from error
    slices, height, width = opened.voxels.shape
    if slices not in (1, rows) or height != width:
        raise ScanError(
            f"mask: {path} holds {slices} slices of {height} × {width} pixels; expected square "
            f"ones as the slices are, one for each of the {rows} rows that are kept (scan.roi and "
            "scan.bin applied), or a single one for all"
        )
    return SampleMask(opened.voxels, opened.files)
