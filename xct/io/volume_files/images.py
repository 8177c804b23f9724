"""NIfTI, NRRD, MHA and VTK, through nibabel, pynrrd and SimpleITK (`pip install xct[images]`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError, show_bytes
from xct.io.tiff.calibration import labels_named
from xct.io.units import unit_factor
from xct.io.volume_files.raw_files import beside, raw_voxels
from xct.io.volume_files.volume import (
    Arranged,
    ForeignVolume,
    Layout,
    Request,
    VoxelSize,
    check_form,
    chosen_size,
)

_NIFTI = (".nii", ".nii.gz")
_NRRD = (".nrrd", ".nhdr")
_ITK = (".mha", ".mhd", ".vtk")
_MOST_BYTES = 4 * 2**30  # of a compressed volume, which is only read whole


def recognizes(path: Path) -> bool:
    """Whether a path is named as one of these."""
    return path.name.lower().endswith((*_NIFTI, *_NRRD, *_ITK)) and path.is_file()


def read(path: Path, request: Request) -> ForeignVolume:
    """Read a volume of NIfTI, NRRD, MHA or VTK.

    Raises
    ------
    ScanError
        If the package for it is missing, or the file is damaged.
    """
    name = path.name.lower()
    reader = _nifti if name.endswith(_NIFTI) else _nrrd if name.endswith(_NRRD) else _itk
    try:
        return reader(path, request)
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # what a damaged file raises in three packages has no common type
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ScanError(f"file: {path}: cannot be read ({reason}); copy it again") from None


def _package(name: str, path: Path) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ScanError(
            f"file: {path}: is read through {name}, which is not installed: pip install "
            "'xct[images]', or save the volume as TIFF"
        ) from None


def _nifti(path: Path, request: Request) -> ForeignVolume:
    image = _package("nibabel", path).load(path)
    header, array = image.header, image.dataobj
    shape = tuple(int(n) for n in array.shape)
    if len(shape) < 3 or any(n > 1 for n in shape[3:]):
        raise ScanError(
            f"file: {path}: has shape {shape}; a volume has three axes: split times first"
        )
    dtype = np.dtype(header.get_data_dtype())
    check_form(shape[2::-1], dtype, str(path))
    _check_packed(path, shape, dtype, packed=path.name.lower().endswith(".gz"))
    factor = unit_factor(str(header.get_xyzt_units()[0]), "um")
    zooms = [float(edge) for edge in header.get_zooms()[2::-1]]
    found = _size([edge * factor for edge in zooms] if factor else None)
    size, origin, notes = chosen_size(request.voxel_size_um, found, "its header", str(path))
    return ForeignVolume(
        Arranged(_Scaled(array), (2, 1, 0)), size, (path,), "NIfTI", origin=origin, notes=notes
    )


@dataclass(frozen=True)
class _Scaled:
    """Values of NIfTI, which nibabel scales by the slope and intercept of the header."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        scaled = (self.array.slope, self.array.inter) != (1.0, 0.0)
        return np.dtype(np.float32 if scaled else self.array.dtype.newbyteorder("="))

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.array[index]).astype(self.dtype)


def _nrrd(path: Path, request: Request) -> ForeignVolume:
    package = _package("nrrd", path)
    with path.open("rb") as file:
        header = package.read_header(file)
        begin = file.tell()
    sizes = [int(n) for n in header["sizes"]]
    dtype = np.dtype(package.reader._determine_datatype(header))
    shape = (sizes[2], sizes[1], sizes[0]) if len(sizes) == 3 else tuple(sizes)
    check_form(shape, dtype, str(path))
    named = header.get("data file", header.get("datafile"))
    values = path if named is None else beside(path, str(named))
    skipped = int(header.get("byte skip", 0) or 0)
    big = header.get("endian", "little") == "big"
    voxels: Any
    if (
        header.get("encoding") == "raw"
        and skipped >= 0
        and not int(header.get("line skip", 0) or 0)
    ):
        layout = Layout(
            (shape[0], shape[1], shape[2]),
            dtype.name,
            big,
            skipped + (begin if named is None else 0),
        )
        voxels = raw_voxels(values, layout)
    else:
        _check_packed(values, shape, dtype, packed=True)
        if named is not None and not values.is_file():
            raise ScanError(f"file: {path}: names {named}, which is not there")
        voxels = Arranged(_Whole(path), (2, 1, 0))
    size, origin, notes = chosen_size(
        request.voxel_size_um, _nrrd_size(header), "its header", str(path)
    )
    unit = header.get("sample units")
    return ForeignVolume(
        voxels, size, tuple(dict.fromkeys((path, values))), "NRRD", value_unit=unit,
        labels=labels_named(header.get("content")), origin=origin, notes=notes,
    )  # fmt: skip


def _nrrd_size(header: Any) -> VoxelSize | None:
    """Give the voxel size: spacings, or lengths of the directions, where they have a unit."""
    units = header.get("space units") or header.get("units")
    if units is None or len(units) != 3:
        return None
    if header.get("space directions") is not None:
        edges = np.linalg.norm(np.asarray(header["space directions"], float), axis=1)
    elif header.get("spacings") is not None:
        edges = np.asarray(header["spacings"], float)
    else:
        return None
    factors = [unit_factor(str(unit).strip('"'), "um") for unit in units]
    if None in factors:
        return None
    return _size(
        [float(edge) * float(factor or 0) for edge, factor in zip(edges, factors, strict=True)][
            ::-1
        ]
    )


@dataclass(frozen=True)
class _Whole:
    """A compressed NRRD, read whole at the first reading."""

    path: Path

    @cached_property
    def values(self) -> np.ndarray:
        values: np.ndarray = import_module("nrrd").read(str(self.path))[0]
        return values

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype.newbyteorder("=")

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.values[index])


def _itk(path: Path, request: Request) -> ForeignVolume:
    package = _package("SimpleITK", path)
    values = path if path.suffix.lower() == ".vtk" else _named_by_meta(path)
    reader = package.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    shape = tuple(int(n) for n in reader.GetSize())[::-1]
    if reader.GetNumberOfComponents() != 1:
        raise ScanError(
            f"file: {path}: a voxel has {reader.GetNumberOfComponents()} values; export grey values"
        )
    dtype = np.dtype(_itk_type(package, reader.GetPixelID()))
    check_form(shape, dtype, str(path))
    stored = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    _check_packed(path, shape, dtype, packed=values.stat().st_size < stored)
    size, origin, notes = chosen_size(request.voxel_size_um, None, "", str(path))
    voxels = _ItkVoxels(path, (shape[0], shape[1], shape[2]), dtype)
    layout = "VTK image" if path.suffix.lower() == ".vtk" else "MHA"
    return ForeignVolume(
        voxels, size, tuple(dict.fromkeys((path, values))), layout, origin=origin, notes=notes
    )


def _named_by_meta(path: Path) -> Path:
    """Find the file that holds the values of a MetaImage: itself, or one beside it."""
    with path.open("rb") as file:
        text = file.read(2**16).decode("latin-1")
    names = re.findall(r"^ElementDataFile\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    if not names or names[0].startswith("LIST") or "%" in names[0]:
        raise ScanError(f"file: {path}: names no single file of values; save it as one .mha file")
    if names[0] == "LOCAL":
        return path
    values = beside(path, names[0])
    if not values.is_file() or values != path.parent / names[0]:
        raise ScanError(f"file: {path}: names {names[0]}, which is not there; copy it beside it")
    return values


def _itk_type(package: Any, pixel: int) -> Any:
    kinds = {getattr(package, f"sitk{name}"): dtype for name, dtype in (
        ("UInt8", "u1"), ("Int8", "i1"), ("UInt16", "u2"), ("Int16", "i2"), ("UInt32", "u4"),
        ("Int32", "i4"), ("Float32", "f4"), ("Float64", "f8"), ("UInt64", "u8"), ("Int64", "i8"),
    )}  # fmt: skip
    return kinds.get(pixel, "c8")


@dataclass(frozen=True)
class _ItkVoxels:
    """A file that SimpleITK reads, slab by slab."""

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        package: Any = import_module("SimpleITK")
        z, *rest = index if isinstance(index, tuple) else (index,)
        first, stop, step = z.indices(self.shape[0]) if isinstance(z, slice) else (z, z + 1, 1)
        reader = package.ImageFileReader()
        reader.SetFileName(str(self.path))
        reader.SetExtractIndex([0, 0, int(first)])
        reader.SetExtractSize([self.shape[2], self.shape[1], max(int(stop) - int(first), 1)])
        read = package.GetArrayFromImage(reader.Execute())[: max(stop - first, 0) : step]
        part = read[(slice(None), *rest)]
        return np.asarray(part if isinstance(z, slice) else part[0])


def _check_packed(path: Path, shape: Any, dtype: np.dtype, *, packed: bool) -> None:
    size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if packed and size > _MOST_BYTES:
        raise ScanError(
            f"file: {path}: is compressed and would take {show_bytes(size)} of memory, as it is "
            "only read whole; save it without compression"
        )


def _size(edges: list[float] | None) -> VoxelSize | None:
    if edges is None or len(edges) != 3 or not all(0 < edge < np.inf for edge in edges):
        return None
    return edges[0], edges[1], edges[2]
