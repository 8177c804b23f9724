"""Opening a volume that somebody else reconstructed, by its content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from xct.errors import ScanError, nearest
from xct.io.hdf5.files import damage_named
from xct.io.tiff.pages import TIFF_STARTS
from xct.io.volume_files import hdf5_volume, images, raw_files, tiff_volume, vti, zarr_volume
from xct.io.volume_files.volume import ForeignVolume, Request, VoxelSize, too_few_slices

# In this order; what none knows is read as TIFF, by file, folder or pattern.
_READERS = (zarr_volume, hdf5_volume, images, vti, raw_files)


def open_foreign(
    path: Path | str, voxel_size_um: VoxelSize | None = None, request: Request | None = None
) -> ForeignVolume:
    """Open a volume by its content.

    Parameters
    ----------
    path : path
        A result of xct; an OME-Zarr group (0.4 or 0.5) or Zarr array, also as a zip file; a TIFF
        file with several pages, a folder of TIFF files, or a pattern such as ``slices/*.tif``; an
        HDF5 file; NIfTI, NRRD, MHA or VTK; values without a header (``.raw``, ``.vol``), with a
        ``.vgi`` or ``.hdr`` beside them or a `Layout`.
    voxel_size_um : tuple of float, optional
        Edges along z, y and x; needed where the files do not say them, overrules them otherwise.
    request : Request, optional
        What else the user says; in place of `voxel_size_um`.

    Returns
    -------
    ForeignVolume

    Raises
    ------
    ScanError
        If it cannot be read, is no volume (z, y, x), or its voxel size is not known.
    """
    wanted = request or Request(voxel_size_um)
    place = Path(path)
    if place.is_dir() and (place / "volume.zarr").is_dir() and not zarr_volume.recognizes(place):
        place = place / "volume.zarr"  # the folder of a result
    with damage_named(place):
        opened = (
            _in_per_cm(_read(place, path, wanted))
            if wanted.raw is None
            else raw_files.read(place, wanted)
        )
    if opened.voxels.shape[0] < 2 and not wanted.single:
        raise too_few_slices(opened.voxels.shape, str(path))
    return opened


def _read(place: Path, path: Path | str, wanted: Request) -> ForeignVolume:
    readers: tuple[Any, ...] = _READERS
    for reader in readers:
        if reader.recognizes(place):
            found: ForeignVolume = reader.read(place, wanted)
            return found
    if place.is_file() and not _is_tiff(place):
        raise ScanError(_unknown(place))
    if not place.exists() and place.parent.is_dir() and not set("*?[") & set(place.name):
        names = [found.name for found in place.parent.iterdir()]
        raise ScanError(f"file: no file matches {path}{nearest(place.name, names)}")
    return tiff_volume.read(path, wanted)


def looks_like_volume(path: Path) -> bool:
    """Whether a path is of a layout that volumes have, TIFF left out: scans have that, too."""
    readers: tuple[Any, ...] = _READERS
    return path.exists() and any(reader.recognizes(path) for reader in readers)


def _in_per_cm(volume: ForeignVolume) -> ForeignVolume:
    """Turn attenuation in another unit of inverse length, which the file says, into 1/cm."""
    factor = volume.per_cm()
    if factor is None or abs(factor - 1) < 1e-9:
        return volume
    origin = {
        **volume.origin,
        "values": f"{factor:g} · value, as the file says {volume.value_unit}",
    }
    return replace(
        volume, slope=factor * volume.slope, offset=factor * volume.offset, value_unit="1/cm",
        origin=origin,
    )  # fmt: skip


def _is_tiff(path: Path) -> bool:
    if path.suffix.lower() in (".tif", ".tiff"):
        return True  # what is wrong with it is said where it is read
    with path.open("rb") as file:
        return file.read(4) in TIFF_STARTS


_OTHERS = {  # by how the file begins
    b"# AmiraMesh": "a volume of Avizo or Amira (AmiraMesh), which xct does not read: export it "
    "there as TIFF (3D) or NRRD, and give voxel_size_um as its BoundingBox says it: length along "
    "an axis / (voxels − 1)",
    b"\xd0\xcf\x11\xe0": "an OLE file, as Zeiss writes .txm, which xct does not read: export it "
    "there as TIFF slices, and give voxel_size_um",
}
_PROJECTS = {  # by how it is named
    ".vgl": "a project of VGStudio, which holds no values: give the .vol that it was made of, "
    "beside its .vgi",
    ".npy": "an array of NumPy, which does not say what its axes are: write it with "
    "tifffile.imwrite, axes z, y, x, and give voxel_size_um",
}


def of_another_program(path: Path) -> str | None:
    """Say of which program a file is that only that program reads, and the way out; None: none."""
    if not path.is_file():
        return None
    if path.suffix.lower() in _PROJECTS:
        return _PROJECTS[path.suffix.lower()]
    with path.open("rb") as file:
        begins = file.read(12)
    return next((other for start, other in _OTHERS.items() if begins.startswith(start)), None)


def _unknown(path: Path) -> str:
    if (other := of_another_program(path)) is not None:
        return f"file: {path}: is {other}"
    return (
        f"file: {path}: is no volume that is known: TIFF, OME-Zarr (also as .zarr.zip), HDF5, "
        "NIfTI (.nii), NRRD, MHA, VTK (.vtk, .vti) or values without a header (.raw, .vol), with a "
        ".vgi or .hdr beside them or volume.raw: {shape: [z, y, x], dtype: uint16}. Convert it "
        "into TIFF, for instance with ImageJ"
    )
