"""A volume in another program's files: voxels, and what the files say of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError, show_bytes
from xct.io.units import per_cm_factor
from xct.parallel.blocks import Voxels

VoxelSize = tuple[float, float, float]

_SAME = 1e-3  # relative difference of two voxel sizes that are the same but for rounding
_KNOWN_UM = (0.01, 200.0)  # of voxels, nano-CT to a medical scanner
_MOST_CHUNK_BYTES = 4 * 2**30  # of one piece that must be read whole


@dataclass(frozen=True)
class Layout:
    """Where the values of a file without a header lie.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows and columns.
    dtype : str
        Type of the values, such as "uint16".
    big_endian : bool
        Whether the highest byte comes first.
    header_bytes : int
        Bytes before the first value.
    """

    shape: tuple[int, int, int]
    dtype: str
    big_endian: bool = False
    header_bytes: int = 0


@dataclass(frozen=True)
class Request:
    """What the user says of a volume; it overrules the file.

    Attributes
    ----------
    voxel_size_um : tuple of float or None
        Edges of a voxel along z, y and x.
    path : str or None
        Where the volume lies inside its file.
    raw : Layout or None
        Of a file without a header.
    single : bool
        Whether a single slice will do.
    """

    voxel_size_um: VoxelSize | None = None
    path: str | None = None
    raw: Layout | None = None
    single: bool = False


@dataclass(frozen=True)
class ForeignVolume:
    """A reconstructed volume in another program's files.

    Attributes
    ----------
    voxels : Voxels
        Stored values (z, y, x); NaN where the files hold none.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    files : tuple of Path
        Its files, for a checksum.
    layout : str
        Such as "TIFF stack" or "OME-Zarr".
    slope, offset : float
        value = slope · stored + offset.
    missing : float or None
        What a stored 0 reads as where it means that there is no value, as in volumes of xct.
    quantity : str or None
        "attenuation" or "grey", where the file says it.
    value_unit : str or None
        Unit of the values, as it stands in the file.
    energy_kev : float or None
        Photon energy, where the file says it.
    labels : str or None
        Which labels of a result these are, where the file says it: "materials", "particles".
    origin : dict of str
        Where facts come from, by name.
    notes : tuple of str
        What was assumed.
    warnings : tuple of str
        What is missing, or was left out.
    """

    voxels: Voxels
    voxel_size_um: VoxelSize
    files: tuple[Path, ...]
    layout: str
    slope: float = 1.0
    offset: float = 0.0
    missing: float | None = None
    quantity: str | None = None
    value_unit: str | None = None
    energy_kev: float | None = None
    labels: str | None = None
    origin: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def read(self, index: Any) -> np.ndarray:
        """Read a part in the unit of the values, float32; what has no value is NaN, or 0.

        Stored zeros of a volume of xct are what `Volume.read` gives for them.

        Raises
        ------
        ScanError
            If the files are damaged there.
        """
        stored = self.stored(index)
        values = stored.astype(np.float32)
        if (self.slope, self.offset) != (1.0, 0.0):
            values *= np.float32(self.slope)
            values += np.float32(self.offset)
        if self.missing is not None:
            values[stored == 0] = self.missing
        return values

    def stored(self, index: Any) -> np.ndarray:
        """Read a part as it is stored.

        Raises
        ------
        ScanError
            If the files are damaged there.
        """
        try:
            return np.asarray(self.voxels[index])
        except (ScanError, MemoryError):
            raise
        except Exception as error:  # what damaged chunks raise in codecs has no common type
            place = os.path.commonpath(self.files)
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise ScanError(
                f"{place}: cannot be read at {_shown(index)} ({reason}): the volume is damaged "
                "there; copy it again"
            ) from None

    @property
    def saturated(self) -> float | None:
        """The highest value that few bits can hold; None of real numbers."""
        dtype = self.voxels.dtype
        if dtype.kind not in "iu" or dtype.itemsize > 2:
            return None
        return float(
            np.float32(np.iinfo(dtype).max) * np.float32(self.slope) + np.float32(self.offset)
        )

    def per_cm(self) -> float | None:
        """By what values must be multiplied to be in 1/cm; None where their unit is another."""
        return 1.0 if self.value_unit is None else per_cm_factor(self.value_unit)


@dataclass(frozen=True)
class Values:
    """The values of a file's volume, whose damage is told in words."""

    source: ForeignVolume

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the file along z, y and x."""
        return self.source.voxels.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of what is read."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part."""
        return self.source.read(index)


def _shown(index: Any) -> str:
    z = index[0] if isinstance(index, tuple) else index
    return f"slices {z.start} to {z.stop - 1}" if isinstance(z, slice) and z.stop else f"{z}"


def check_form(shape: Sequence[int], dtype: np.dtype, path: str) -> None:
    """Refuse what is no volume.

    Raises
    ------
    ScanError
        If the shape is not (z, y, x), or the values are no real numbers.
    """
    if len(shape) != 3 or min(shape[1:]) < 2:
        raise too_few_slices(shape, path)
    if dtype.kind not in "iufb":
        raise ScanError(f"file: {path}: holds {dtype.name}; expected real numbers, such as float32")


def too_few_slices(shape: Sequence[int], path: str) -> ScanError:
    """Give the error that says so."""
    return ScanError(
        f"file: {path}: has shape {tuple(shape)}; a volume needs 2 slices or more (z, y, x)"
    )


def check_chunks(chunks: Sequence[int] | None, dtype: np.dtype, path: str) -> None:
    """Refuse pieces that are too large to be read."""
    size = 0 if chunks is None else int(np.prod([int(n) for n in chunks], dtype=object))
    if size * dtype.itemsize > _MOST_CHUNK_BYTES:
        raise ScanError(
            f"file: {path}: one chunk has {show_bytes(size * dtype.itemsize)} "
            f"({' × '.join(map(str, chunks or ()))}), and is only read whole; at most "
            f"{show_bytes(_MOST_CHUNK_BYTES)} are. Store it in smaller chunks"
        )


def chosen_size(
    given: VoxelSize | None, found: VoxelSize | None, where: str, path: str
) -> tuple[VoxelSize, dict[str, str], tuple[str, ...]]:
    """Choose between the voxel size of the configuration and that of the file.

    Returns
    -------
    size : tuple of float
        z, y, x in µm.
    origin : dict
        Where it comes from.
    notes : tuple of str
        That the two differ.

    Raises
    ------
    ScanError
        If neither says it, or it is no size that such voxels have.
    """
    if given is None and found is None:
        raise ScanError(
            f"voxel_size_um: {path} does not say its voxel size; give it as [z, y, x] in µm"
        )
    if given is None or found is None:
        size = given or found
        assert size is not None
        from_where = where if given is None else "configuration"
        _refuse_implausible(size, f"{path}, by {from_where}" if given is None else from_where)
        return size, {"voxel_size_um": from_where}, ()
    _refuse_implausible(given, "configuration")
    notes = []
    if any(abs(a - b) > _SAME * b for a, b in zip(given, found, strict=True)):
        notes.append(
            f"voxel_size_um {show_size(given)} of the configuration overrules {show_size(found)} "
            f"of {where}"
        )
    return given, {"voxel_size_um": "configuration"}, tuple(notes)


def _refuse_implausible(size: VoxelSize, where: str) -> None:
    """Refuse what no voxel of a cell measures: another unit was probably meant."""
    low, high = _KNOWN_UM
    if low <= min(size) and max(size) <= high:
        return
    units = {"mm": 1e3, "nm": 1e-3, "cm": 1e4, "m": 1e6}
    meant = next(
        (
            f"; if {unit} were meant, it is {show_size([edge * factor for edge in size])}"
            for unit, factor in units.items()
            if low <= min(size) * factor and max(size) * factor <= high
        ),
        "",
    )
    raise ScanError(
        f"voxel_size_um: {show_size(size)} ({where}), but X-ray tomography of cells has voxels of "
        f"{low:g} to {high:g} µm: probably another unit is meant, such as mm or nm{meant}. Give "
        "volume.voxel_size_um as [z, y, x] in µm"
    )


def show_size(size: Sequence[float]) -> str:
    """Write three edges: [2, 1.5, 1.5]."""
    return f"[{', '.join(f'{edge:g}' for edge in size)}]"


@dataclass(frozen=True)
class Arranged:
    """An array with more axes, or in another order, read as (z, y, x).

    Attributes
    ----------
    array : array-like
        What is stored.
    axes : tuple of int
        Which of its axes are z, y and x; of the others the only entry is read.
    """

    array: Any
    axes: tuple[int, int, int] = (0, 1, 2)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        z, y, x = (int(self.array.shape[axis]) for axis in self.axes)
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of the stored values."""
        dtype: np.dtype = np.dtype(self.array.dtype)
        return dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part, by slices or numbers along z, y and x."""
        parts = list(index) if isinstance(index, tuple) else [index]
        parts += [slice(None)] * (3 - len(parts))
        wanted: list[Any] = [0] * len(self.array.shape)
        for axis, part in zip(self.axes, parts, strict=True):
            wanted[axis] = part
        read = np.asarray(self.array[tuple(wanted)])
        kept = [a for a, part in zip(self.axes, parts, strict=True) if isinstance(part, slice)]
        order = sorted(kept)
        return read.transpose([order.index(axis) for axis in kept])


def volume_facts(volume: ForeignVolume) -> list[str]:
    """Say, line by line, where what is known of a volume comes from, and what was assumed."""
    shown = {
        "voxel_size_um": show_size(volume.voxel_size_um),
        "energy_kev": f"{volume.energy_kev or 0:g}",
        "values": "",
        "volume": "",
        "layout": "",
    }
    lines = [
        f"{name}: {shown[name]}, from {where}" if shown.get(name) else f"{name}: {where}"
        for name, where in volume.origin.items()
    ]
    if volume.value_unit is None and volume.quantity is None:
        lines.append("unit of the values: not said by the file; attenuation is taken to be in 1/cm")
    if volume.quantity != "labels" and volume.labels is None:
        lines.append(
            "scale of the values: taken to be in proportion to attenuation above air (no gamma, no "
            "logarithm), which no file says"
        )
    return [*lines, *(f"note: {note}" for note in volume.notes)]
