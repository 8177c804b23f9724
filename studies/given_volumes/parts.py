"""Volumes of which parts are missing, or too many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from studies.given_volumes import files
from studies.given_volumes.case import Case
from studies.given_volumes.files import (
    Said,
    cut_short,
    hdf5,
    ome_zarr,
    tiff,
    without_slices,
)
from studies.given_volumes.spoiling import (
    block,
    slices_set,
)


def missing() -> Iterator[Case]:
    """Of which slices, chunks or blocks are lost, or that hold more."""
    kind = "Parts that are missing, or too many"
    lost = "missing|lost|NaN|left out|no data|not there"
    yield Case(
        kind,
        "one slice of a folder",
        lambda mu, at, _: without_slices(files.slices(mu, at), [50]),
        lost,
    )
    yield Case(
        kind,
        "ten slices of a folder, in the electrolyte",
        lambda mu, at, _: without_slices(files.slices(mu, at), range(34, 44)),
        lost,
    )
    yield Case(
        kind,
        "the slices of the lithium",
        lambda mu, at, _: without_slices(files.slices(mu, at), range(12, 22)),
        lost,
    )
    yield Case(
        kind,
        "a slice of another series",
        lambda mu, at, _: _with_stranger(files.slices(mu, at)),
        "left out",
    )
    yield Case(
        kind,
        "numbers without leading zeros, bits at the end",
        lambda mu, at, _: files.slices(mu, at, "rec_{}_16bit.tif", 1),
    )
    yield Case(
        kind, "two series in one folder", lambda mu, at, _: _two_series(mu, at), "series|two|number"
    )
    yield Case(
        kind,
        "two slices of one number",
        lambda mu, at, _: _tie(files.slices(mu, at)),
        "number|twice|both",
    )
    for version, chunk in ((2, "1.1.1"), (3, "c/1/1/1")):
        yield Case(
            kind,
            f"a chunk of OME-Zarr, Zarr {version}",
            lambda mu, at, _, v=version, c=chunk: files.without_chunks(
                ome_zarr(mu, at, version=v), [c]
            ),
            lost,
        )
    yield Case(
        kind,
        "a column of chunks, Zarr 2",
        lambda mu, at, _: files.without_chunks(ome_zarr(mu, at), ["0.1.1", "1.1.1", "2.1.1"]),
        lost,
    )
    yield Case(
        kind,
        "a chunk that is cut short",
        lambda mu, at, _: files.damaged_chunk(ome_zarr(mu, at), "1.1.1"),
        "damaged|cannot be read",
    )
    yield Case(
        kind,
        "slices of HDF5 that were never written",
        lambda mu, at, _: hdf5(mu, at, "data", chunks=(4, 96, 96), lost=slice(40, 48)),
        lost,
    )
    yield Case(
        kind,
        "a TIFF file that is cut short",
        lambda mu, at, _: cut_short(tiff(mu, at)),
        "short|truncated|bytes|damaged|cannot",
    )
    yield Case(
        kind, "a block of zeros in the electrolyte", lambda mu, at, _: tiff(block(mu, 0), at), lost
    )
    yield Case(kind, "a block of NaN", lambda mu, at, _: tiff(block(mu, np.nan), at), lost)
    yield Case(
        kind,
        "a block of the electrolyte's own value",
        lambda mu, at, _: tiff(block(mu, 5), at),
        lost,
    )
    yield Case(kind, "five slices of zeros", lambda mu, at, _: tiff(slices_set(mu, 0), at), lost)
    yield Case(
        kind,
        "field of view inside of the bore",
        lambda mu, at, _: tiff(mu[:, 22:74, 22:74], at),
        "not in view",
        part=True,
    )
    yield Case(
        kind,
        "half of the bore in view",
        lambda mu, at, _: tiff(mu[:, :, :50], at),
        "view|round|bore|wall",
        part=True,
    )
    yield Case(
        kind, "cut off above the lithium", lambda mu, at, _: tiff(mu[30:], at), "lithium", part=True
    )
    yield Case(
        kind, "the cathode alone", lambda mu, at, _: tiff(mu[64:80], at), "cathode", part=True
    )
    yield Case(
        kind,
        "every slice twice",
        lambda mu, at, _: tiff(np.repeat(mu, 2, axis=0), at),
        "twice|equal|same|alike",
    )


def _with_stranger(said: Said) -> Said:
    place = Path(said["file"])
    tifffile.imwrite(place / "rec_spr.tif", tifffile.imread(place / "rec_0002.tif"))
    return said


def _tie(said: Said) -> Said:
    place = Path(said["file"])
    tifffile.imwrite(place / "rec_05.tif", tifffile.imread(place / "rec_0002.tif"))
    return said


def _two_series(mu: np.ndarray, at: Path) -> Said:
    said = files.slices(mu, at)
    for number, values in enumerate(mu):
        tifffile.imwrite(Path(said["file"]) / f"other_{number:04d}.tif", values)
    return said
