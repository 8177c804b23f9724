"""Volumes of which parts are missing, or too many."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case, Said, then
from studies.given_volumes.files import cut_short, damaged_chunk, hdf5, ome_zarr, without_chunks
from studies.given_volumes.tiff_files import slices, tiff, without_slices
from studies.given_volumes.traits import on

_LOST = "missing|lost|NaN|left out|no data|not there"


def missing() -> Iterator[Case]:
    """Of which slices, chunks or blocks are lost, or that hold more."""
    of = partial(Case, "Parts that are missing, or too many", write=tiff, says=_LOST)
    yield from _lost_slices(of)
    for version, chunk in ((2, "1.1.1"), (3, "c/1/1/1")):
        yield of(
            f"a chunk of OME-Zarr, Zarr {version}",
            write=then(ome_zarr(version=version), without_chunks(chunk)),
        )
    yield of(
        "a column of chunks, Zarr 2",
        write=then(ome_zarr(), without_chunks("0.1.1", "1.1.1", "2.1.1")),
    )
    yield of(
        "a chunk that is cut short",
        write=then(ome_zarr(), damaged_chunk), says="damaged|cannot be read",
    )  # fmt: skip
    yield of(
        "slices of HDF5 that were never written",
        write=hdf5("data", chunks=(4, 96, 96), lost=slice(40, 48)),
    )
    yield of(
        "a TIFF file that is cut short",
        write=then(tiff, cut_short), says="short|truncated|bytes|damaged|cannot",
    )  # fmt: skip
    yield of("a block of zeros in the electrolyte", traits=[on(spoiling.block, 0)])
    yield of("a block of NaN", traits=[on(spoiling.block, np.nan)])
    yield of("a block of the electrolyte's own value", traits=[on(spoiling.block, 5)])
    yield of("five slices of zeros", traits=[on(spoiling.slices_set, 0)])
    yield of(
        "every slice twice",
        traits=[on(np.repeat, 2, 0)], says="twice|equal|same|alike",
    )  # fmt: skip
    yield from _cut(partial(of, part=True))


def _lost_slices(of: partial[Case]) -> Iterator[Case]:
    for trait, numbers in (
        ("one slice of a folder", [50]),
        ("ten slices of a folder, in the electrolyte", range(34, 44)),
        ("the slices of the lithium", range(12, 22)),
    ):
        yield of(trait, write=then(slices(), without_slices(numbers)))
    yield of("a slice of another series", write=then(slices(), partial(_again, "rec_spr.tif")))
    yield of("numbers without leading zeros, bits at the end", write=slices("rec_{}_16bit.tif", 1))
    yield of(
        "two series in one folder",
        write=then(slices(), _two_series), says="series|two|number",
    )  # fmt: skip
    yield of(
        "two slices of one number",
        write=then(slices(), partial(_again, "rec_05.tif")), says="number|twice|both",
    )  # fmt: skip


def _cut(of: partial[Case]) -> Iterator[Case]:
    yield of(
        "field of view inside of the bore",
        traits=[on(lambda mu: mu[:, 22:74, 22:74])], says="not in view",
    )  # fmt: skip
    yield of(
        "half of the bore in view",
        traits=[on(lambda mu: mu[:, :, :50])], says="view|round|bore|wall",
    )  # fmt: skip
    yield of("cut off above the lithium", traits=[on(lambda mu: mu[30:])], says="lithium")
    yield of("the cathode alone", traits=[on(lambda mu: mu[64:80])], says="cathode")


def _again(name: str, said: Said) -> Said:
    place = Path(said["file"])
    tifffile.imwrite(place / name, tifffile.imread(place / "rec_0002.tif"))
    return said


def _two_series(said: Said) -> Said:
    for file in sorted(Path(said["file"]).iterdir()):
        file.with_name(file.name.replace("rec", "other")).write_bytes(file.read_bytes())
    return said
