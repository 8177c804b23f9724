"""Volumes in HDF5, as nabu, Savu, HTTomo and tomopy write them, or in any dataset of three axes."""

from __future__ import annotations

from collections.abc import Sequence
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
from xct.io.volume_files.hdf5_layouts import Axes, Written, axis_names, find_volume
from xct.io.volume_files.hdf5_lengths import voxel_size
from xct.io.volume_files.holes import holed
from xct.io.volume_files.volume import (
    Arranged,
    ForeignVolume,
    Request,
    check_chunks,
    check_form,
    chosen_size,
)


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
        written = find_volume(source, path, request.path)
        place = written.place
        dataset = source.require(place)
        try:
            stored = source.links.storage(dataset)
        except LeadsNowhere as error:
            raise ScanError(f"file: {path}: {place} cannot be read: {error}") from None
        axes, notes = _axes(dataset, axis_names(source, place), written, f"{path}:{place}")
        dtype = readable_type(dataset.dtype)
        check_form([dataset.shape[axis] for axis in axes], dtype, f"{path}:{place}")
        check_chunks(dataset.chunks, dtype, f"{path}:{place}")
        array = _Dataset(Path(dataset.file.filename), dataset.name, dataset.shape, dtype)
        voxels, warnings = _without_holes(dataset, Arranged(array, axes), axes, f"{path}:{place}")
        found, where, said = voxel_size(source)
        unit = source.unit(place)
        partly = [
            f"{path}:{place}: {note}" for note in stored.notes if "values are missing" in note
        ]
    if partly:
        raise ScanError(*(f"file: {text}; copy the files that it leads to" for text in partly))
    if found is None and request.voxel_size_um is None and said:
        raise ScanError(f"voxel_size_um: {path}: {said}")
    size, origin, more = chosen_size(request.voxel_size_um, found, where, str(path))
    origin["volume"] = place + (f", as {written.program} writes it" if written.program else "")
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


def _axes(
    dataset: h5py.Dataset, names: Sequence[str], written: Written, place: str
) -> tuple[Axes, tuple[str, ...]]:
    """Find the axes z, y and x: by their names, by the program, or by which slices are square."""
    kept = [axis for axis, length in enumerate(dataset.shape) if length > 1]
    if len(kept) != 3:
        raise ScanError(
            f"file: {place}: has shape {dataset.shape}; a volume has the axes z, y, x: split times "
            "or channels first"
        )
    if len(names) == len(dataset.shape):
        along = {names[axis]: axis for axis in kept}
        if set(along) == set("zyx"):
            order = (along["z"], along["y"], along["x"])
            said = ", ".join(names[axis] for axis in kept)
            as_stored = list(order) == kept
            return order, (
                () if as_stored
                else (f"its axes are stored as {said}: read as z, y, x, by their names",)
            )  # fmt: skip
        if set(along) == {"voxel_x", "voxel_y", "voxel_z"}:  # Savu: y is the height
            rows, columns = sorted({along["voxel_x"], along["voxel_z"]})  # as its images have them
            return (along["voxel_y"], rows, columns), (
                "slices lie along voxel_y, the height, as Savu writes it",
            )
    first, second, third = (int(dataset.shape[axis]) for axis in kept)
    if written.axes is not None:
        a, b, c = written.axes
        by_program = (kept[a], kept[b], kept[c])
        if written.axes == (0, 1, 2):
            return by_program, (
                f"its axes have no names: z, y, x, as {written.program} writes them",
            )
        return by_program, (
            f"its axes have no names: slices lie along the second one, as {written.program} "
            "writes them",
        )
    if first == third != second:
        return (kept[1], kept[0], kept[2]), (
            f"its axes have no names: slices are taken along the second one, as only they are "
            f"square ({first} × {third})",
        )
    return (kept[0], kept[1], kept[2]), ("its axes have no names: taken as z, y, x",)


def _without_holes(
    dataset: h5py.Dataset, voxels: Arranged, axes: Axes, place: str
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
