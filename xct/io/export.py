"""Export: a volume or its labels for other programs. In: what is stored; out: files, by slices.

TIFF slices are ImageJ's (voxel size, scale in 1/cm), OME-TIFF is what Bio-Formats opens, NRRD and
VTI what Avizo, 3D Slicer and ParaView open. `xct` reads each back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import tifffile

from xct.errors import ConfigError, show_bytes
from xct.io.atomic import free_disk, write_json, written_whole
from xct.io.labels import open_labels
from xct.io.volumes import Volume, open_volume

Window = tuple[float, float]

_CLASSIC_TIFF = 3 * 2**30  # bytes; a larger file needs the offsets of BigTIFF
_MEANING = (
    "matrix leads from (z, y, x, 1) in this export to (z, y, x) in the file that the result came "
    "from, in µm from the centers of the first voxels; slice_um is the distance of its slices"
)
_NRRD_TYPES = {"float32": "float", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32"}


@dataclass(frozen=True)
class Exported:
    """What is exported.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows, columns.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    dtype : str
        Of the values.
    unit : str
        Of the values: "1/cm"; "1" for grey values and labels.
    name : str
        What the values are.
    read : callable
        Gives one slice.
    placement : mapping or None
        How the voxels lie in the file that the result came from, where that is otherwise.
    """

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]
    dtype: str
    unit: str
    name: str
    read: Callable[[int], np.ndarray]
    placement: Mapping[str, Any] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def slices(self) -> Iterator[np.ndarray]:
        """Read slice after slice, lowest byte first."""
        stored = np.dtype(self.dtype).newbyteorder("<")
        for z in range(self.shape[0]):
            yield np.ascontiguousarray(self.read(z), stored)


def of_volume(volume: Volume) -> Exported:
    """Export the values of a volume as they are, float32."""
    size, placement = volume.voxel_size_um, volume.placement
    return Exported(
        volume.shape, size, "float32", volume.unit, volume.quantity, volume.read, placement
    )


def of_labels(path: Path, name: str) -> Exported:
    """Export labels beside a volume.

    Parameters
    ----------
    path : Path
        The ``volume.zarr``.
    name : str
        Such as "materials" or "particles".

    Raises
    ------
    ConfigError
        If there are no such labels.
    """
    folder = path / "labels"
    there = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if name not in there:
        raise ConfigError(f"--labels {name}: there are {', '.join(there) or 'none'} in {path}")
    labels: Any = open_labels(path, name)
    z, y, x = labels.shape
    of, dtype = open_volume(path), labels.dtype.name
    read = lambda k: np.asarray(labels[k])  # noqa: E731
    return Exported((z, y, x), of.voxel_size_um, dtype, "1", name, read, of.placement)


def parse_window(text: str | None) -> Window | None:
    """Read ``A,B`` in the unit of the values.

    Raises
    ------
    ConfigError
        If it is not two ascending numbers.
    """
    if text is None:
        return None
    try:
        lowest, highest = (float(part) for part in text.split(","))
    except ValueError:
        lowest = highest = 0.0
    if not -np.inf < lowest < highest < np.inf:
        raise ConfigError(
            f"--window {text}: expected two ascending numbers in the unit of the volume (1/cm "
            "unless it holds grey values), such as --window 0,60"
        )
    return lowest, highest


def export_file(source: Exported, path: Path) -> str:
    """Write one file; its ending says which layout: .ome.tif, .nrrd or .vti.

    Returns
    -------
    str
        What was written.

    Raises
    ------
    ConfigError
        If the ending is another, the file exists, or the disk is too small.
    """
    name = path.name.lower()
    writer = next((write for ending, write in _WRITERS.items() if name.endswith(ending)), None)
    if writer is None:
        raise ConfigError(f"--to {path}: expected a name that ends in {', '.join(_WRITERS)}")
    if path.exists():
        raise ConfigError(f"--to {path}: exists already; name another file")
    if not path.parent.is_dir():
        raise ConfigError(f"--to {path}: there is no folder {path.parent}; make it first")
    _enough_room("--to", path.parent, source.nbytes)
    with written_whole(path) as temporary:
        writer(source, temporary)
    sizes = " × ".join(map(str, source.shape))
    kept = _keep_placement(source, path)
    return f"wrote {source.name} ({sizes}, {source.dtype}) to {path}{kept}"


def _keep_placement(source: Exported, path: Path) -> str:
    """Write beside an export how it lies in the file of the result, and say so; no layout does."""
    if source.placement is None:
        return ""
    beside = path.with_name(f"{path.name}.placement.json")
    write_json(beside, {**source.placement, "meaning": _MEANING})
    axes = ", ".join(source.placement["axes"])
    return (
        f"; it lies otherwise than the file that the result came from (z, y, x are its {axes}, "
        f"tilted by {source.placement['tilt_deg']:.3g}°): {beside.name} has the matrix to that file"
    )


def _write_ome_tiff(source: Exported, path: Path) -> None:
    z, y, x = source.voxel_size_um
    edges = {"PhysicalSizeZ": z, "PhysicalSizeY": y, "PhysicalSizeX": x}
    units = {f"{name}Unit": "µm" for name in edges}
    with tifffile.TiffWriter(path, ome=True, bigtiff=source.nbytes > _CLASSIC_TIFF) as tiff:
        tiff.write(
            source.slices(),
            shape=source.shape,
            dtype=source.dtype,
            photometric="minisblack",
            metadata={"axes": "ZYX", "Name": source.name, **edges, **units},
        )


def _write_nrrd(source: Exported, path: Path) -> None:
    z, y, x = source.voxel_size_um
    depth, height, width = source.shape
    header = (
        f"NRRD0005\ncontent: {source.name}\ntype: {_NRRD_TYPES[source.dtype]}\ndimension: 3\n"
        f"space dimension: 3\nsizes: {width} {height} {depth}\n"
        f"space directions: ({x!r},0,0) (0,{y!r},0) (0,0,{z!r})\nspace origin: (0,0,0)\n"
        'space units: "um" "um" "um"\nkinds: domain domain domain\nendian: little\n'
        f"encoding: raw\n{f'sample units: {source.unit}' + chr(10) if source.unit != '1' else ''}\n"
    )
    with path.open("wb") as file:
        file.write(header.encode())
        _write_values(source, file)


def _write_vti(source: Exported, path: Path) -> None:
    z, y, x = source.voxel_size_um
    depth, height, width = source.shape
    extent = f"0 {width - 1} 0 {height - 1} 0 {depth - 1}"
    kind = {"f": "Float", "u": "UInt"}[np.dtype(source.dtype).kind]
    bits = np.dtype(source.dtype).itemsize * 8
    header = (
        '<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" '
        'byte_order="LittleEndian" header_type="UInt64">\n'
        f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{x!r} {y!r} {z!r}" '
        f'SpacingUnit="micrometer">\n<Piece Extent="{extent}">\n'
        f'<PointData Scalars="{source.name}">\n<DataArray type="{kind}{bits}" '
        f'Name="{source.name}" NumberOfComponents="1" format="appended" offset="0"/>\n'
        '</PointData>\n</Piece>\n</ImageData>\n<AppendedData encoding="raw">\n_'
    )
    with path.open("wb") as file:
        file.write(header.encode())
        file.write(source.nbytes.to_bytes(8, "little"))
        _write_values(source, file)
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _write_values(source: Exported, file: IO[bytes]) -> None:
    for image in source.slices():
        file.write(image.tobytes())


_WRITERS: dict[str, Callable[[Exported, Path], None]] = {
    ".ome.tif": _write_ome_tiff,
    ".ome.tiff": _write_ome_tiff,
    ".nrrd": _write_nrrd,
    ".vti": _write_vti,
}


def export_tiff(
    source: Exported, folder: Path, *, bits: int = 32, window: Window | None = None
) -> str:
    """Write one TIFF file a slice, as ImageJ opens them.

    Parameters
    ----------
    source : Exported
        A volume, or labels, which keep their numbers: as 8 or 16 bits where these hold them, as
        real numbers otherwise.
    folder : Path
        Where to; must not exist, or be empty.
    bits : {8, 16, 32}
        32: values as they are. 8 and 16: the window mapped to all codes; ImageJ shows values from
        the calibration in the file.
    window : (float, float), optional
        Range for 8 and 16 bits; values beyond are counted and set to its end. The range of the
        data, if not given: the volume is then read twice.

    Returns
    -------
    str
        What was written, with the number of values beyond the window.

    Raises
    ------
    ConfigError
        If the folder holds files, or the disk is too small.
    """
    if bits == 32 and window is not None:
        raise ConfigError("--window: 32 bits hold every value as it is; leave the window out")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--tiff {folder}: holds files already; name a new folder")
    count = source.shape[0]
    _enough_room("--tiff", folder, int(np.prod(source.shape)) * bits // 8)
    if source.dtype != "float32":
        source, bits = _labels_for_imagej(source), 32
    elif bits < 32 and window is None:
        window = _range(source)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    part.mkdir(parents=True)
    beyond = 0
    try:
        for z in range(count):
            image, outside = _coded(source.read(z), bits, window)
            beyond += outside
            name = part / f"slice_{z:0{max(4, len(str(count)))}d}.tif"
            _write(name, image.astype(source.dtype) if bits == 32 else image, source, bits, window)
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    stored = np.dtype(source.dtype).itemsize * 8 if bits == 32 else bits
    report = f"wrote {count} slices of {stored} bits to {folder}{_keep_placement(source, folder)}"
    if window is not None and bits < 32:
        unit = "" if source.unit == "1" else f" {source.unit}"
        report += f"; window {window[0]:g} to {window[1]:g}{unit}, {beyond} values beyond it"
    return report


def _enough_room(option: str, place: Path, size: int) -> None:
    free = free_disk(place)
    if size > free:
        raise ConfigError(
            f"{option} {place}: needs {show_bytes(size)}, but {show_bytes(free)} are free"
        )


def _labels_for_imagej(source: Exported) -> Exported:
    """Choose a type that ImageJ has: it knows no whole numbers of 32 bits."""
    highest = max((int(image.max()) for image in source.slices()), default=0)
    dtype = "uint8" if highest < 2**8 else "uint16" if highest < 2**16 else "float32"
    if highest > 2**24:
        raise ConfigError(
            f"--labels {source.name}: {highest} labels are more than ImageJ can distinguish "
            f"({2**24:,}); export them by --to as .ome.tif, .nrrd or .vti"
        )
    return replace(source, dtype=dtype)


def _range(source: Exported) -> Window:
    lowest, highest = np.inf, -np.inf
    for image in source.slices():
        seen = image[np.isfinite(image)]
        if seen.size:
            lowest, highest = min(lowest, float(seen.min())), max(highest, float(seen.max()))
    return (lowest, max(highest, lowest + 1e-6)) if highest >= lowest else (0.0, 1.0)


def _coded(image: np.ndarray, bits: int, window: Window | None) -> tuple[np.ndarray, int]:
    if window is None or bits == 32:
        return image, 0
    lowest, highest = window
    top = 2**bits - 1
    codes = np.rint((image - lowest) * (top / (highest - lowest)))
    beyond = np.count_nonzero((codes < 0) | (codes > top) | np.isnan(codes))
    return np.clip(np.nan_to_num(codes), 0, top).astype(f"uint{bits}"), int(beyond)


def _write(
    path: Path, image: np.ndarray, source: Exported, bits: int, window: Window | None
) -> None:
    z, y, x = source.voxel_size_um
    facts: dict[str, object] = {"unit": "micron", "spacing": z, "axes": "YX", "Info": source.name}
    if source.unit != "1":
        facts["vunit"] = source.unit
    if window is not None and bits < 32:
        slope = (window[1] - window[0]) / (2**bits - 1)
        # ImageJ's linear calibration function: value = c0 + c1 · code
        facts |= {"cf": 0, "c0": window[0], "c1": slope}
    tifffile.imwrite(path, image, imagej=True, resolution=(1 / x, 1 / y), metadata=facts)
