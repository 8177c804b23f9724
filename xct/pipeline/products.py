"""Products: what a run writes slab by slab. In: quantities of some rows; out: Zarr on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from xct.io.journal import Journal, chunk_files, with_checksum
from xct.io.overview import NAMES, is_kept
from xct.io.volumes import Coding, create_volume, stored_levels, write_slab
from xct.parallel.blocks import GRANULE, Block
from xct.quantity import QUANTITIES


@dataclass(frozen=True)
class Products:
    """The Zarr groups and arrays that a run fills.

    Attributes
    ----------
    folder : Path
        Output folder.
    wanted : tuple of str
        Quantities to write: "volume" as OME-Zarr, others as plain arrays ``NAME.zarr``.
    shape : tuple of int
        Angles, rows and columns of the scan.
    size : int
        Width of a slice.
    voxel_size_um : float
        Edge of a voxel.
    coding : Coding
        How the volume is stored.
    name : str
        Name of the volume.
    energy_kev : float or None
        Photon energy, where it is known.
    """

    folder: Path
    wanted: tuple[str, ...]
    shape: tuple[int, int, int]
    size: int
    voxel_size_um: float
    coding: Coding
    name: str
    energy_kev: float | None = None

    def create(self, journal: Journal) -> bool:
        """Make what is not there yet, beside the journal first; return whether any was missing."""
        missing = [name for name in self.wanted if not journal.has_product(f"{name}.zarr")]
        for name in missing:
            fresh = journal.folder / f"{name}.zarr"
            shutil.rmtree(fresh, ignore_errors=True)
            if name == "volume":
                volume = (self.shape[1], self.size, self.size)
                create_volume(
                    fresh, volume, self.voxel_size_um, self.coding, self.name,
                    energy_kev=self.energy_kev,
                )  # fmt: skip
            else:
                _create_array(fresh, name, self.shape)
            shutil.rmtree(self.folder / f"{name}.zarr", ignore_errors=True)
            os.replace(fresh, self.folder / f"{name}.zarr")
            journal.write_product(f"{name}.zarr")
        return bool(missing)

    def files(self, first: int, stop: int) -> list[Path]:
        """List the chunks that hold rows first … stop."""
        found: list[Path] = []
        for name in self.wanted:
            path = self.folder / f"{name}.zarr"
            is_volume = name == "volume"
            found += (
                files_of_slab(path, first, stop)
                if is_volume
                else chunk_files(path, first, stop, axis=1)
            )
        return found

    def store(self, first: int, found: Mapping[str, Any]) -> list[int]:
        """Write the rows from `first` on; return how many values uint16 could not hold, by row."""
        beyond = [0]
        for name, values in found.items():
            target = self.folder / f"{name}.zarr"
            if name == "volume":
                codes, missed = self.coding.encode(values, (values != 0).any(axis=0))
                write_slab(target, first, codes)
                beyond = [int(count) for count in missed]
            else:
                array: Any = zarr.open_array(target, mode="r+")
                array[:, first : first + values.shape[1]] = values
        return beyond


def unfinished(blocks: Sequence[Block], done: dict[int, Any]) -> list[Block]:
    """Leave out what an earlier session finished, also where it cut the rows otherwise."""
    finished = {row for first, note in done.items() for row in range(first, note["stop"])}
    return [b for b in blocks if not finished.issuperset(range(b.first, b.stop))]


def beyond_range(voxels: int) -> str:
    """Say that values were stored as the nearest that uint16 holds."""
    return (
        f"{voxels} voxels lie beyond the range that uint16 covers and are stored as its "
        "nearest end; store float32 (run.dtype) if they matter"
    )


def files_of_slab(path: Path, first: int, stop: int) -> list[Path]:
    """List the chunks of a volume that `write_slab` made of slices first … stop."""
    group: Any = zarr.open_group(path, mode="r")
    found: list[Path] = []
    for name in NAMES if is_kept(group) else ():
        found += chunk_files(path / name, first, stop)
    for number, level in enumerate(stored_levels(group)):
        step = level.factors[0]
        found += chunk_files(path / str(number), first // step, -(-stop // step))
    return found


def _create_array(path: Path, name: str, shape: tuple[int, int, int]) -> None:
    axes, unit = QUANTITIES[name].axes, QUANTITIES[name].unit
    angles, rows, columns = shape
    array = zarr.create_array(
        path,
        shape=shape,
        chunks=(min(64, angles), min(GRANULE, rows), columns),
        dtype="float32",
        fill_value=float("nan"),
        compressors=with_checksum(
            BloscCodec(cname="lz4", clevel=1, shuffle=BloscShuffle.bitshuffle)
        ),
        dimension_names=axes,
    )
    array.attrs["unit"] = unit
