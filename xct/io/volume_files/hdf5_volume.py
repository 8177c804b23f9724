"""Volumes in HDF5, as nabu, Savu, HTTomo and tomopy write them, or in any dataset of three axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.files import open_hdf5, readable_type
from xct.io.hdf5.links import LeadsNowhere
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Request as ScanRequest
from xct.io.tiff.stacks import named
from xct.io.units import unit_factor
from xct.io.volume_files.holes import holed
from xct.io.volume_files.volume import (
    Arranged,
    ForeignVolume,
    Request,
    VoxelSize,
    check_chunks,
    check_form,
    chosen_size,
)

# Where programs put the volume, and their names; `…` stands for any groups.
_PLACES = (
    ("reconstruction/results/data", "nabu"),
    ("final_result_tomo/data", "Savu"),
    ("exchange/recon", "tomopy"),
    ("exchange/data", "tomopy"),
    ("data", "HTTomo"),
)
_RAW = ("data_white", "data_dark", "image_key", "rotation_angle", "theta")  # beside raw frames
_SIZES = ("voxel_size", "pixel_size", "resolution")
_MOST = 8  # datasets that a message names


@dataclass(frozen=True)
class _Dataset:
    """A dataset of HDF5; the file is opened by each reading."""

    file: Path
    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        with open_hdf5(self.file) as file:
            try:
                return np.asarray(file[self.path][index], self.dtype)
            except (OSError, RuntimeError) as error:
                raise ScanError(
                    f"{self.file}: {self.path} cannot be read at {index}: {error}. The file is "
                    "damaged there, or a compression filter is missing; copy it again"
                ) from None


def recognizes(path: Path) -> bool:
    """Whether a path is an HDF5 file."""
    return path.is_file() and h5py.is_hdf5(path)


def read(path: Path, request: Request) -> ForeignVolume:
    """Read the volume of an HDF5 file: the dataset that is named, or the only one.

    Raises
    ------
    ScanError
        If there is none, or there are several, or it is a raw scan.
    """
    with Source(path, ScanRequest()) as source:
        place, program = _place(source, path, request)
        dataset = source.require(place)
        try:
            stored = source.links.storage(dataset)
        except LeadsNowhere as error:
            raise ScanError(f"file: {path}: {place} cannot be read: {error}") from None
        axes, notes = _axes(dataset, f"{path}:{place}")
        dtype = readable_type(dataset.dtype)
        check_form([dataset.shape[axis] for axis in axes], dtype, f"{path}:{place}")
        check_chunks(dataset.chunks, dtype, f"{path}:{place}")
        array = _Dataset(Path(dataset.file.filename), dataset.name, dataset.shape, dtype)
        voxels, warnings = _without_holes(dataset, Arranged(array, axes), axes, f"{path}:{place}")
        found, where = _voxel_size(source)
        unit = source.unit(place)
        partly = [
            f"{path}:{place}: {note}" for note in stored.notes if "values are missing" in note
        ]
    if partly:
        raise ScanError(*(f"file: {text}; copy the files that it leads to" for text in partly))
    size, origin, more = chosen_size(request.voxel_size_um, found, where, str(path))
    origin["volume"] = f"{place}{f', as {program} writes it' if program else ''}"
    return ForeignVolume(
        voxels,
        size,
        tuple(dict.fromkeys((path, *stored.files))),
        "HDF5",
        value_unit=unit,
        origin=origin,
        notes=(*notes, *more),
        warnings=warnings,
    )


def _place(source: Source, path: Path, request: Request) -> tuple[str, str]:
    """Find the dataset of the volume, and which program writes it there."""
    if request.path is not None:
        return request.path, ""
    there = {name: dataset.shape for name, dataset in source.datasets() if _is_volume(dataset)}
    if not there:
        for ending, _ in _PLACES:
            if source.has(f"/{ending}"):
                source.require(f"/{ending}")  # says where a link leads
        raise ScanError(f"file: {path}: holds no dataset of three axes (z, y, x)")
    for ending, program in _PLACES:
        fitting = [
            name
            for name in there
            if name == f"/{ending}" or (name.endswith(f"/{ending}") and "/" in ending)
        ]
        if len(fitting) == 1 and (len(there) == 1 or "/" in ending):
            _refuse_raw(source, path, fitting[0])
            return fitting[0], program
    if len(there) == 1:
        only = next(iter(there))
        _refuse_raw(source, path, only)
        return only, ""
    shown = [f"{name} ({' × '.join(map(str, shape))})" for name, shape in there.items()]
    raise ScanError(
        f"path: {path}: holds {len(there)} datasets that could be the volume; name one by "
        f"volume.path: {named(shown, _MOST)}"
    )


def _is_volume(dataset: h5py.Dataset) -> bool:
    lengths = [length for length in dataset.shape or () if length > 1]
    return len(lengths) == 3 and dataset.dtype.kind in "iufb"


def _refuse_raw(source: Source, path: Path, place: str) -> None:
    folder = place.rpartition("/")[0]
    beside = [name for name in _RAW if source.has(f"{folder}/{name}")]
    if beside:
        raise ScanError(
            f"file: {path}: {place} holds the projections of a raw scan ({named(beside)} stands "
            "beside it), not a volume; name it by scan.file, or another dataset by volume.path"
        )


def _axes(dataset: h5py.Dataset, place: str) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """Find the axes z, y and x: by their names, else by which slices are square."""
    kept = [axis for axis, length in enumerate(dataset.shape) if length > 1]
    if len(kept) != 3:
        raise ScanError(
            f"file: {place}: has shape {dataset.shape}; a volume has the axes z, y, x: split times "
            "or channels first"
        )
    names = _names(dataset)
    if len(names) == len(dataset.shape):
        along = {names[axis]: axis for axis in kept}
        if set(along) == set("zyx"):
            order = (along["z"], along["y"], along["x"])
            said = ", ".join(names[axis] for axis in kept)
            turned = list(order) != kept
            return order, (
                (f"its axes are stored as {said}: read as z, y, x, by their names",)
                if turned
                else ()
            )
        if set(along) == {"voxel_x", "voxel_y", "voxel_z"}:  # Savu: y is the height
            order = (along["voxel_y"], along["voxel_z"], along["voxel_x"])
            return order, ("slices lie along voxel_y, the height, as Savu writes it",)
    first, second, third = (int(dataset.shape[axis]) for axis in kept)
    if first == third != second:
        return (kept[1], kept[0], kept[2]), (
            f"its axes have no names: slices are taken along the second one, as only they are "
            f"square ({first} × {third})",
        )
    return (kept[0], kept[1], kept[2]), ("its axes have no names: taken as z, y, x",)


def _names(dataset: h5py.Dataset) -> list[str]:
    """Names of the axes: NeXus keeps them with the group, others with the dataset."""
    for holder in (dataset.parent, dataset):
        said = holder.attrs.get("axes")
        if said is None:
            continue
        parts = np.atleast_1d(said).tolist()
        texts = [
            part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
            for part in parts
        ]
        names = (
            texts[0].replace("[", "").replace("]", "").replace(",", ":").split(":")
            if len(texts) == 1
            else texts
        )
        return [name.strip().lower().split(".")[0] for name in names]
    return []


def _without_holes(
    dataset: h5py.Dataset, voxels: Arranged, axes: tuple[int, int, int], place: str
) -> tuple[Any, tuple[str, ...]]:
    """Mark chunks that were never written; HDF5 writes those of zeros alone."""
    if dataset.is_virtual:
        return voxels, ()
    if dataset.chunks is None:
        if dataset.id.get_storage_size() == 0 and not dataset.external:
            raise ScanError(f"file: {place}: was never written; was the program interrupted?")
        return voxels, ()
    counts = [-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True)]
    if dataset.id.get_num_chunks() >= np.prod(counts):
        return voxels, ()
    absent = np.ones(counts, bool)

    def note(chunk: Any) -> None:
        absent[
            tuple(at // size for at, size in zip(chunk.chunk_offset, dataset.chunks, strict=True))
        ] = False

    dataset.id.chunk_iter(note)
    others = tuple(axis for axis in range(dataset.ndim) if axis not in axes)
    kept = sorted(axes)
    lacking = np.asarray(absent.any(axis=others))
    along = lacking.transpose([kept.index(axis) for axis in axes])
    z, y, x = (int(dataset.chunks[axis]) for axis in axes)
    return holed(voxels, along, (z, y, x), place, fill=None)


def _voxel_size(source: Source) -> tuple[VoxelSize | None, str]:
    """Find what the file says of lengths: numbers named voxel or pixel size, with a unit."""
    found: dict[str, tuple[float, ...]] = {}
    for name, dataset in source.datasets():
        last = name.rpartition("/")[2].lower()
        if any(word in last for word in _SIZES) and dataset.size in (1, 3):
            sizes = tuple(_lengths_um(source, name, dataset))
            if len(sizes) in (1, 3):
                found[name] = sizes if len(sizes) == 3 else sizes * 3
    if not found:
        return None, ""
    voxel = {
        name: size for name, size in found.items() if "voxel" in name.rpartition("/")[2].lower()
    }
    candidates = voxel or found
    first = next(iter(candidates))
    z, y, x = candidates[first]
    if any(not np.allclose(other, (z, y, x), rtol=1e-3) for other in candidates.values()):
        return None, ""  # the question is asked
    return (z, y, x), f"{first} in {source.file.name}"


def _lengths_um(source: Source, name: str, dataset: h5py.Dataset) -> Iterator[float]:
    values = source.array(name)
    unit = source.unit(name) or name.rpartition("_")[2]  # such as voxel_size_cm
    factor = unit_factor(unit, "um")
    if values is None or factor is None or values.dtype.kind not in "iuf":
        return
    for value in values.reshape(-1).tolist():
        if np.isfinite(value) and value > 0:
            yield float(value) * factor
