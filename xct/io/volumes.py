"""Volumes as OME-Zarr 0.5. In: finished slices, slab by slab; out: a multiscale, calibrated group.

A slab starts at a multiple of `GRANULE` slices and fills whole chunks on every level, so no two
slabs ever touch the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import DamagedFile, XctError
from xct.io import ome_metadata as ome
from xct.io import overview
from xct.io.journal import with_checksum
from xct.io.overview import Overview
from xct.parallel.blocks import CHUNK_SLICES, GRANULE

_CHUNK = (CHUNK_SLICES, 512, 512)
# Levels are added until a slice is no wider than this, and the volume no taller than what graphics
# cards take along an edge: a tall one is seen whole without most of its voxels being read.
_COARSEST, _TALLEST = 256, 2048
_MOST_LEVELS = 5  # 2 ** 4 = GRANULE slices make one of the last level


@dataclass(frozen=True)
class Coding:
    """How values are stored: as float32, or as uint16 with value = slope · code + offset.

    Code 0 has no value: it reads as `missing`, which is 0 where nothing was reconstructed, and NaN
    where a volume that was copied has none.
    """

    dtype: str = "float32"
    slope: float = 1.0
    offset: float = 0.0
    missing: float = 0.0

    @classmethod
    def for_range(cls, lowest: float, highest: float) -> Coding:
        """Code a range of μ in uint16; code 0 is kept for voxels without a value."""
        slope = float(np.float32((highest - lowest) / 65534))
        return cls("uint16", slope, float(np.float32(lowest)) - slope)

    def encode(
        self, mu_per_cm: np.ndarray, inside: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Code a slab.

        Parameters
        ----------
        mu_per_cm : ndarray of float32, shape (z, y, x)
            Linear attenuation, or grey values.
        inside : ndarray of bool, shape (y, x), optional
            Voxels that were reconstructed; the others get code 0, as do values that are not finite.

        Returns
        -------
        codes : ndarray, shape (z, y, x)
        beyond : ndarray of int, shape (z,)
            Values beyond the coded range, stored as its nearest end, by slice.
        """
        if self.dtype == "float32":
            return mu_per_cm.astype(np.float32, copy=False), np.zeros(len(mu_per_cm), int)
        codes = np.rint((mu_per_cm - np.float32(self.offset)) / np.float32(self.slope))
        known = np.isfinite(codes)
        if inside is not None:
            known &= inside
        beyond = np.count_nonzero(((codes < 1) | (codes > 65535)) & known, axis=(1, 2))
        codes[~known] = 0
        np.clip(codes, 1, 65535, out=codes, where=known)
        return codes.astype(np.uint16), beyond

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Give values as float32; voxels without one are `missing`."""
        if codes.dtype == np.float32:
            return codes
        mu_per_cm = codes.astype(np.float32)
        mu_per_cm *= np.float32(self.slope)
        mu_per_cm += np.float32(self.offset)
        mu_per_cm[codes == 0] = self.missing
        return mu_per_cm


@dataclass(frozen=True)
class Level:
    """One resolution of a volume: its shape, and level-0 voxels per voxel along each axis."""

    shape: tuple[int, ...]
    factors: tuple[int, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """Voxels per voxel of the next level: 2 along every axis that has two planes left."""
        return tuple(2 if length >= 2 else 1 for length in self.shape)

    def next(self) -> Level:
        """Give the next coarser level."""
        return Level(
            tuple(n // step for n, step in zip(self.shape, self.steps, strict=True)),
            tuple(f * step for f, step in zip(self.factors, self.steps, strict=True)),
        )


def levels_of(shape: tuple[int, ...]) -> list[Level]:
    """List the levels that a volume of this shape gets."""
    levels = [Level(shape, (1, 1, 1))]
    while len(levels) < _MOST_LEVELS and _is_large(levels[-1].shape):
        levels.append(levels[-1].next())
    return levels


def _is_large(shape: tuple[int, ...]) -> bool:
    return max(shape[1:]) > _COARSEST or shape[0] > _TALLEST


def stored_levels(group: Any) -> list[Level]:
    """List the levels that a volume has; one that was begun before may have fewer."""
    levels = levels_of(group["0"].shape)
    return [level for number, level in enumerate(levels) if str(number) in group]


def create_volume(
    path: Path,
    shape: tuple[int, int, int],
    voxel_size_um: float | Sequence[float],
    coding: Coding,
    name: str,
    *,
    quantity: str = "attenuation",
    energy_kev: float | None = None,
    window: tuple[float, float] | None = None,
) -> None:
    """Make the group, its levels and metadata, with no slice written yet.

    Parameters
    ----------
    path : Path
        Where; must not exist.
    shape : tuple of int
        Slices, rows and columns (z, y, x) of level 0.
    voxel_size_um : float or sequence of float
        Edge of a voxel, or its edges along z, y and x.
    coding : Coding
        How values are stored.
    name : str
        Shown by viewers.
    quantity : {"attenuation", "grey"}, optional
        What the values are: μ in 1/cm, or grey values of an unknown scale.
    energy_kev : float, optional
        Photon energy, where it is known.
    window : (float, float), optional
        Values that viewers show black and white; of attenuation air and active material, unless
        given.
    """
    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle

    group = zarr.open_group(path, mode="w-", zarr_format=3)
    blosc = BloscCodec(cname="lz4", clevel=1, shuffle=BloscShuffle.bitshuffle)
    compressors = with_checksum(blosc)
    levels = levels_of(shape)
    for number, level in enumerate(levels):
        create_level(group, number, level, coding.dtype, compressors)
    factors = [level.factors for level in levels]
    overview.create_arrays(group, shape, compressors)
    size = np.broadcast_to(np.asarray(voxel_size_um, float), 3).tolist()
    shown = window or ome.usual_window(quantity, energy_kev)
    group.attrs["ome"] = {
        "version": ome.VERSION,
        "multiscales": [ome.multiscale("zyx", factors, size, name, kind="mean")],
        **({} if shown is None else {"omero": _omero(quantity, shown, coding)}),
    }
    group.attrs["xct"] = {
        "quantity": quantity,
        "unit": "1/cm" if quantity == "attenuation" else "grey",
        "slope": coding.slope,
        "offset": coding.offset,
        **({"missing": "nan"} if np.isnan(coding.missing) else {}),
        **({} if energy_kev is None else {"energy_kev": energy_kev}),
    }


def _omero(quantity: str, window: tuple[float, float], coding: Coding) -> dict[str, Any]:
    """Say what viewers show of the stored values."""
    low, high = ((value - coding.offset) / coding.slope for value in window)
    return ome.omero(quantity, (low, high), np.dtype(coding.dtype))


def create_level(group: Any, number: int, level: Level, dtype: str, compressors: Any) -> Any:
    """Make the array of one level, in chunks that a slab of `GRANULE` slices fills."""
    chunks = (max(1, min(_CHUNK[0], GRANULE >> number)), *_CHUNK[1:])
    return group.create_array(
        str(number),
        shape=level.shape,
        chunks=tuple(min(c, n) for c, n in zip(chunks, level.shape, strict=True)),
        dtype=dtype,
        fill_value=0,
        compressors=compressors,
        dimension_names=("z", "y", "x"),
    )


def write_slab(path: Path, first: int, codes: np.ndarray) -> None:
    """Write slices first … first + n on every level.

    Parameters
    ----------
    path : Path
        A group made by `create_volume`.
    first : int
        First slice; a multiple of `GRANULE`.
    codes : ndarray, shape (z, y, x)
        The slices as they are stored. Unless they are the last ones, their number is a multiple
        of `GRANULE`.
    """
    import zarr

    group: Any = zarr.open_group(path, mode="r+")
    shape, stop = group["0"].shape, first + codes.shape[0]
    if first % GRANULE or (stop % GRANULE and stop != shape[0]):
        raise ValueError(f"slices {first} to {stop} share chunks with their neighbors")
    coding = coding_of(group.attrs["xct"], codes.dtype.name)
    if overview.is_kept(group):  # a run of before that goes on keeps none
        for z in range(0, len(codes), GRANULE):  # not the whole slab again as float32
            overview.write_arrays(group, first + z, coding.decode(codes[z : z + GRANULE]))
    for number, level in enumerate(stored_levels(group)):
        if codes.shape[0]:
            group[str(number)][first : first + codes.shape[0]] = codes
        codes, first = _coarser(codes, level.steps), first // level.steps[0]


def coding_of(facts: Mapping[str, Any], dtype: str) -> Coding:
    """Give the coding that the attributes of a volume name."""
    missing = float(facts.get("missing", 0.0))
    return Coding(dtype, float(facts["slope"]), float(facts["offset"]), missing)


def _coarser(codes: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """Average blocks of voxels; in uint16, over those that have a value (code 0 has none)."""
    kept = [length // step * step for length, step in zip(codes.shape, steps, strict=True)]
    sums = np.zeros([n // s for n, s in zip(kept, steps, strict=True)], np.float32)
    valued = np.zeros(sums.shape, np.uint8)
    for start in product(*(range(step) for step in steps)):
        part = codes[tuple(slice(a, n, s) for a, n, s in zip(start, kept, steps, strict=True))]
        sums += part
        valued += part != 0
    if codes.dtype == np.float32:
        return sums / np.float32(np.prod(steps))
    return np.rint(sums / np.maximum(valued, 1)).astype(codes.dtype)


def lazily(read: Callable[[Any], np.ndarray], array: Any) -> Any:
    """Give a Dask array whose blocks are read from a chunked array on demand.

    Parameters
    ----------
    read : callable
        Reads a part, given by a tuple of slices, as float32.
    array : array-like
        Has the `shape` and the `chunks` of what is read.
    """
    from dask import array as dask_array

    make: Any = dask_array  # Dask's own annotations stop here

    def block(block_info: Any = None) -> np.ndarray:
        location = block_info[None]["array-location"]
        return read(tuple(slice(first, stop) for first, stop in location))

    chunks = make.core.normalize_chunks(array.chunks, array.shape)
    return make.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 3))


@dataclass(frozen=True)
class Volume:
    """A volume on disk: μ in 1/cm, read slice by slice.

    Attributes
    ----------
    array : zarr.Array
        The stored values of level 0 (z, y, x).
    coding : Coding
        How they are stored.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    overview : Overview or None
        What is kept beside the levels; None in a volume of before xct kept any.
    quantity : str
        "attenuation", or "grey": values of an unknown scale.
    placement : mapping or None
        How it lies in the file that it came from, where that is otherwise: `Placement.to_dict`.
    seams : mapping or None
        Where slices of a copied volume do not follow each other: `Seams.to_dict`.
    """

    array: Any
    coding: Coding
    voxel_size_um: tuple[float, float, float]
    overview: Overview | None = None
    quantity: str = "attenuation"
    placement: Mapping[str, Any] | None = None
    seams: Mapping[str, Any] | None = None

    @property
    def unit(self) -> str:
        """Unit of the values: 1/cm, or grey: a scale of their own."""
        return "1/cm" if self.quantity == "attenuation" else "grey"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of the values that are read, whatever is stored."""
        return np.dtype(np.float32)

    @property
    def code_bytes(self) -> int:
        """Bytes of a value as it is stored."""
        return int(self.array.dtype.itemsize)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part, as `read` does."""
        return self.read(index)

    def read(self, index: Any = ...) -> np.ndarray:
        """Read a part as float32 in 1/cm; voxels without a value are 0, or NaN in a copy."""
        return self.decode(self.codes(index))

    def codes(self, index: Any = ...) -> np.ndarray:
        """Read a part as it is stored."""
        try:
            return np.asarray(self.array[index])
        except ValueError as error:
            raise self._damage(index, error) from error

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Give stored values as float32 in 1/cm, as `read` does."""
        return self.coding.decode(codes)

    def _damage(self, index: Any, error: ValueError) -> DamagedFile:
        why = f"what is stored does not fit its description ({error})"
        if "checksum" in str(error):
            why = "a checksum says that a file is damaged"
        part = index[0] if isinstance(index, tuple) and index else index
        first, stop, _ = part.indices(self.shape[0]) if isinstance(part, slice) else (0, -1, 1)
        where = f"slices {first} … {stop - 1}" if stop > 0 else "some slices"
        folder = Path(self.array.store.root)
        return DamagedFile(
            f"{folder}: {where} cannot be read: {why}. "
            f"`xct verify {folder.parent}` names it, and the run that made it makes it anew"
        )

    def lazy(self) -> Any:
        """Give the whole as a Dask array in 1/cm."""
        return lazily(self.read, self.array)


def open_volume(path: Path) -> Volume:
    """Open a ``volume.zarr``.

    Raises
    ------
    XctError
        If there is none, or it was not written by xct.
    """
    if not (path / "zarr.json").is_file():
        raise XctError(f"{path}: there is no volume; has the run reached fbp?")
    try:
        return _opened(path)
    except (XctError, MemoryError):
        raise
    except Exception as error:  # what damaged metadata raise has no common type
        raise XctError(
            f"{path}: is damaged, or no volume: {type(error).__name__}: {error}"
        ) from None


def open_levels(path: Path) -> list[Volume]:
    """Open every level of a ``volume.zarr``, the finest first.

    Raises
    ------
    XctError
        If it is not a volume of xct.
    """
    import zarr

    finest = open_volume(path)
    group: Any = zarr.open_group(path, mode="r")
    found = []
    for one in group.attrs["ome"]["multiscales"][0]["datasets"]:
        z, y, x = one["coordinateTransformations"][0]["scale"]
        array = group[one["path"]]
        found.append(replace(finest, array=array, voxel_size_um=(z, y, x), overview=None))
    return found


def _opened(path: Path) -> Volume:
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    facts = group.attrs.get("xct")
    if facts is None:
        raise XctError(f"{path}: is not a volume of xct: the attribute xct is missing")
    first = group.attrs["ome"]["multiscales"][0]["datasets"][0]
    z, y, x = first["coordinateTransformations"][0]["scale"]
    levels, kept = group[first["path"]], overview.open_arrays(group)
    quantity = str(facts.get("quantity", "attenuation"))
    size, lies = (z, y, x), (facts.get("placement"), facts.get("seams"))
    coding = coding_of(facts, levels.dtype.name)
    return Volume(levels, coding, size, kept, quantity, *lies)
