"""Volumes in every layout, and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from studies.given_volumes import files, programs
from studies.given_volumes.case import Case, Given, Said, known, then
from studies.given_volumes.files import cut_short, hdf5, named, ome_zarr, zarr_array
from studies.given_volumes.spoiling import coded
from studies.given_volumes.tiff_files import ome_tiff, slices, tiff, tiff_as
from studies.given_volumes.traits import WIDE, but, on

_FIVE_AXES = on(lambda mu: mu[None, None])
_LEVELS = [2.0, 20.0, 80.0]  # 1/cm, between materials


def layouts() -> Iterator[Case]:
    """As programs of the field write them."""
    of = partial(Case, "Layout")
    yield of("OME-Zarr 0.4", ome_zarr())
    yield of("OME-Zarr 0.5", ome_zarr(version=3))
    yield of("OME-Zarr, scale at the whole", ome_zarr(level=1.0))
    on_end = on(lambda mu: mu.transpose(2, 1, 0).copy())
    yield of("OME-Zarr, axes x, y, z", ome_zarr(axes="xyz"), [on_end])
    yield of("OME-Zarr, axes t, c, z, y, x", ome_zarr(axes="tczyx"), [_FIVE_AXES])
    yield of("OME-Zarr as a zip file", then(ome_zarr(), files.zipped))
    yield of("bioformats2raw", then(ome_zarr(), files.bioformats))
    yield of("OME-TIFF, axes z, y, x", ome_tiff("ZYX"))
    yield of("OME-TIFF, axes t, c, z, y, x", ome_tiff("TCZYX"), [_FIVE_AXES])
    two = on(lambda mu: np.stack([mu, mu]))
    yield of("OME-TIFF, two channels", ome_tiff("CZYX"), [two], says="channel|axes|volumes|several")
    yield of("HDF5 of nabu, of two chunks", programs.nabu)
    yield of("HDF5 of HTTomo", programs.httomo)
    yield of("HDF5 of tomopy", programs.tomopy)
    yield of("HDF5 of Savu", programs.savu)
    yield of("HDF5 of Savu, the step alone", programs.savu_step)
    yield of("HDF5, a dataset without a name for anything", hdf5("some/where"))
    yield of("HDF5, one of two datasets, named", files.two_datasets, [but(path="/b")])
    yield of("NRRD", files.nrrd)
    yield of("NII", files.nifti())
    yield of("MHA", files.mha)
    yield of("VTI", files.vti)
    yield of("values without a header, said", files.raw)
    yield of("values with a .vgi", files.with_vgi())
    yield of("Zarr array without a group", zarr_array())
    yield of("Zarr array of shards", zarr_array(shards=(32, 32, 32)))
    yield of("a volume.zarr of xct", files.own)
    yield from _tiffs(of)


def _tiffs(of: partial[Case]) -> Iterator[Case]:
    for name in ("lzw", "zlib", "zstd", "packbits"):
        yield of(f"TIFF, {name}", tiff_as(compression=name))
    yield of("TIFF, tiled", tiff_as(tile=(32, 32)))
    yield of("TIFF, big-endian", tiff_as(byteorder=">"))
    yield of("BigTIFF", tiff_as(bigtiff=True))
    yield of(
        "slices named by a pattern",
        then(slices(), lambda said: {**said, "file": f"{said['file']}/rec_*.tif"}),
    )


def no_volumes() -> Iterator[Case]:
    """Give what is to be refused in words."""
    of = partial(Case, "What is no volume, or not known to be one")
    labels = on(lambda mu: np.digitize(mu, _LEVELS).astype("u1"))
    yield of("labels of few whole numbers", tiff, [labels, but(unit="grey")], says="labels")
    real = on(lambda mu: np.digitize(mu, _LEVELS).astype("f4"))
    yield of("labels as real numbers", tiff, [real], says="labels")
    colors = on(lambda mu: np.stack([coded(mu, "uint8", *WIDE)] * 3, axis=-1))
    yield of(
        "colors (RGB)", tiff_as(photometric="rgb"), [colors], says="RGB|color|shape|axes|samples"
    )
    yield of("HDF5, one of two datasets", files.two_datasets, says="holds 2")
    yield of(
        "a single image", tiff, [on(lambda mu: mu[40])], says="2 slices or more|one slice|single"
    )
    times = on(lambda mu: np.stack([mu, mu]))
    yield of("a time series of OME-Zarr", ome_zarr(axes="tzyx"), [times], says="t|time|axes")
    yield of("text named .tif", named("volume.tif", b"no picture at all"), says="TIFF|read|damaged")
    yield of(
        "a file of another kind", named("volume.dat", b"x" * 1000), says="does not say its size"
    )
    yield of("a raw file that is shorter than said", then(files.raw, cut_short), says="bytes")
    yield of("an empty folder", _empty, says="holds neither")
    yield of("no such file", lambda _, at: {"file": str(at / "none.tif")}, says="no file")
    yield of(
        "OME-Zarr whose metadata are damaged",
        then(ome_zarr(), _damaged_metadata),
        says="damaged|cannot be read|metadata|JSON|no volume",
    )
    yield of(
        "complex numbers", zarr_array(), [on(lambda mu: mu.astype("c8"))],
        says="real numbers|complex",
    )  # fmt: skip
    yield of(
        "nothing but NaN", tiff, [on(lambda mu: mu * np.float32("nan"))],
        says="NaN|finite|no value|not in view|no cell",
    )  # fmt: skip
    yield of(
        "nothing but zeros", tiff, [on(lambda mu: mu * 0)],
        says="every voxel|same value|one exact|no cell",
    )  # fmt: skip


def _empty(given: Given, folder: Path) -> Said:
    (folder / "slices").mkdir()
    return known(given, folder / "slices")


def _damaged_metadata(said: Said) -> Said:
    (Path(said["file"]) / ".zattrs").write_text("{", encoding="utf-8")
    return said
