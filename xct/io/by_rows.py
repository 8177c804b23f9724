"""Frames cut by rows: for files that give only whole frames. In: a Scan; out: the same, on disk.

Every frame is read once and its binned counts are written to a temporary Zarr whose chunks hold
some frames × 16 rows, so that a slab of rows can then be read without touching the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xct.io.frames import View
from xct.io.journal import chunk_files, with_checksum
from xct.parallel.blocks import GRANULE
from xct.scan import Scan

_BLOCK_BYTES = 256 * 2**20
_KINDS = ("projections", "flats", "darks")


@dataclass(frozen=True)
class FramesByRows:
    """Frames in a Zarr array (frame, row, column), where a few rows are cheap to read."""

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    whole_frames: bool = False

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames cut to rows and columns."""
        import zarr

        array: Any = zarr.open_array(self.path, mode="r")
        read: np.ndarray = array.oindex[frames, rows, columns]
        return read


@dataclass(frozen=True)
class FrameBlock:
    """Some frames of one kind, written by one task."""

    kind: str
    number: int
    first: int
    stop: int


def plan_blocks(scan: Scan) -> list[FrameBlock]:
    """Cut the frames of a scan into blocks of about 256 MiB, numbered through."""

    def parts() -> Iterator[tuple[str, int, int]]:
        for kind in _KINDS:
            view: View | None = getattr(scan, kind)
            if view is not None:
                size = _frames_of_a_block(view)
                for first in range(0, view.shape[0], size):
                    yield kind, first, min(first + size, view.shape[0])

    return [FrameBlock(kind, n, a, b) for n, (kind, a, b) in enumerate(parts())]


def _frames_of_a_block(view: View) -> int:
    _, rows, columns = view.shape
    return max(1, _BLOCK_BYTES // (rows * columns * view.dtype.itemsize))


def create(scan: Scan, path: Path) -> None:
    """Make the temporary arrays, still empty."""
    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle

    group = zarr.open_group(path, mode="w", zarr_format=3)
    codecs = with_checksum(BloscCodec(cname="lz4", clevel=1, shuffle=BloscShuffle.shuffle))
    for kind in _KINDS:
        view: View | None = getattr(scan, kind)
        if view is not None:
            frames, rows, columns = view.shape
            chunks = (min(_frames_of_a_block(view), frames), min(GRANULE, rows), columns)
            group.create_array(
                kind,
                shape=view.shape,
                chunks=chunks,
                dtype=view.dtype.newbyteorder("="),
                compressors=codecs,
                config={"write_empty_chunks": True},
            )


def write(block: FrameBlock, scan: Scan, path: Path) -> None:
    """Read one block of frames and write it into the temporary arrays."""
    import zarr

    array: Any = zarr.open_array(path / block.kind, mode="r+")
    frames = slice(block.first, block.stop)
    array[frames] = getattr(scan, block.kind).read(frames)


def files_of_block(path: Path, block: FrameBlock) -> list[Path]:
    """List the files that hold a block of frames, and what is needed to read them."""
    metadata = [path / "zarr.json", path / block.kind / "zarr.json"]
    return [*metadata, *chunk_files(path / block.kind, block.first, block.stop)]


def reopen(scan: Scan, path: Path) -> Scan:
    """Give the scan with its frames taken from the temporary arrays; they are binned already."""

    def view(kind: str) -> View | None:
        original: View | None = getattr(scan, kind)
        if original is None:
            return None
        count, rows, columns = original.shape
        frames = FramesByRows(path / kind, original.shape, original.dtype)
        return View(frames, np.arange(count), (0, rows), (0, columns))

    projections = view("projections")
    assert projections is not None
    return replace(
        scan,
        projections=projections,
        flats=view("flats"),
        darks=view("darks"),
        pixel_size_um=scan.voxel_size_um,
    )
