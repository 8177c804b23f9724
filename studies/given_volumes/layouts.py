"""Volumes in every layout, and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from studies.given_volumes import files
from studies.given_volumes.case import Case
from studies.given_volumes.files import (
    Said,
    cut_short,
    grey,
    hdf5,
    image,
    ome_tiff,
    ome_zarr,
    raw,
    tiff,
)
from studies.given_volumes.spoiling import (
    ENERGY_KEV,
    VOXEL_UM,
    coded,
)
from xct.io.volumes import Coding, create_volume, write_slab


def layouts() -> Iterator[Case]:
    """As programs of the field write them."""
    kind = "Layout"
    yield Case(kind, "OME-Zarr 0.4", lambda mu, at, _: ome_zarr(mu, at))
    yield Case(kind, "OME-Zarr 0.5", lambda mu, at, _: ome_zarr(mu, at, version=3))
    yield Case(
        kind,
        "OME-Zarr, scale at the whole",
        lambda mu, at, _: ome_zarr(mu, at, level=(1.0, 1.0, 1.0)),
    )
    yield Case(
        kind,
        "OME-Zarr, axes x, y, z",
        lambda mu, at, _: ome_zarr(mu.transpose(2, 1, 0).copy(), at, axes="xyz"),
    )
    yield Case(
        kind,
        "OME-Zarr, axes t, c, z, y, x",
        lambda mu, at, _: ome_zarr(mu[None, None], at, axes="tczyx"),
    )
    yield Case(kind, "OME-Zarr as a zip file", lambda mu, at, _: files.zipped(ome_zarr(mu, at)))
    yield Case(kind, "bioformats2raw", lambda mu, at, _: files.bioformats(mu, at))
    yield Case(
        kind, "OME-TIFF, axes z, y, x", lambda mu, at, _: ome_tiff(mu, at, "ZYX", files.SIZE)
    )
    yield Case(
        kind,
        "OME-TIFF, axes t, c, z, y, x",
        lambda mu, at, _: ome_tiff(mu[None, None], at, "TCZYX", files.SIZE),
    )
    yield Case(
        kind,
        "OME-TIFF, two channels",
        lambda mu, at, _: ome_tiff(np.stack([mu, mu]), at, "CZYX", files.SIZE),
        "channel|axes|volumes|several",
    )
    yield Case(kind, "TIFF, big-endian", lambda mu, at, _: _big_endian(mu, at))
    for place, name in (
        ("entry0000/reconstruction/results/data", "nabu"),
        ("data", "HTTomo"),
        ("exchange/data", "tomopy"),
    ):
        yield Case(kind, f"HDF5 of {name}", lambda mu, at, _, p=place: hdf5(mu, at, p))
    yield Case(
        kind,
        "HDF5 of Savu, slices along y",
        lambda mu, at, _: hdf5(
            mu.transpose(2, 0, 1).copy(),
            at,
            "entry/final_result_tomo/data",
            axes=["voxel_x", "voxel_y", "voxel_z"],
        ),
    )
    for ending in (".nrrd", ".nii", ".mha"):
        yield Case(kind, f"{ending[1:].upper()}", lambda mu, at, _, e=ending: image(mu, at, e))
    yield Case(kind, "VTI", lambda mu, at, _: files.exported(mu, at))
    yield Case(kind, "values without a header, said", lambda mu, at, _: raw(mu, at))
    yield Case(kind, "values with a .vgi", lambda mu, at, _: raw(mu, at, vgi=True))
    yield Case(
        kind,
        "labels of few whole numbers",
        lambda mu, at, _: grey(tiff(np.digitize(mu, [2.0, 20.0, 80.0]).astype("u1"), at)),
        "labels",
    )
    yield Case(
        kind,
        "labels as real numbers",
        lambda mu, at, _: tiff(np.digitize(mu, [2.0, 20.0, 80.0]).astype("f4"), at),
        "labels",
    )
    yield Case(kind, "colors (RGB)", lambda mu, at, _: _rgb(mu, at), "RGB|color|shape|axes|samples")


def more_layouts() -> Iterator[Case]:
    """As their settings have it."""
    kind = "Layout"
    for name in ("lzw", "zlib", "zstd", "packbits"):
        yield Case(kind, f"TIFF, {name}", lambda mu, at, _, n=name: _tiff_as(mu, at, compression=n))
    yield Case(kind, "TIFF, tiled", lambda mu, at, _: _tiff_as(mu, at, tile=(32, 32)))
    yield Case(kind, "BigTIFF", lambda mu, at, _: _tiff_as(mu, at, bigtiff=True))
    yield Case(
        kind, "slices named by a pattern", lambda mu, at, _: _by_pattern(files.slices(mu, at))
    )
    yield Case(kind, "Zarr array without a group", lambda mu, at, _: _zarr_array(mu, at))
    yield Case(
        kind, "Zarr array of shards", lambda mu, at, _: _zarr_array(mu, at, shards=(32, 32, 32))
    )
    yield Case(
        kind,
        "HDF5, one of two datasets, named",
        lambda mu, at, _: {**_two_datasets(mu, at), "path": "/b"},
    )
    yield Case(kind, "a volume.zarr of xct", lambda mu, at, _: _own(mu, at))


def no_volumes() -> Iterator[Case]:
    """Give what is to be refused in words."""
    kind = "What is no volume, or not known to be one"
    yield Case(
        kind, "HDF5, one of two datasets", lambda mu, at, _: _two_datasets(mu, at), "holds 2"
    )
    yield Case(
        kind,
        "a single image",
        lambda mu, at, _: tiff(mu[40], at),
        "2 slices or more|one slice|shape|single",
    )
    yield Case(
        kind,
        "a time series of OME-Zarr",
        lambda mu, at, _: ome_zarr(np.stack([mu, mu]), at, axes="tzyx"),
        "t|time|axes",
    )
    yield Case(
        kind,
        "text named .tif",
        lambda mu, at, _: _bytes(at, "volume.tif", b"no picture at all"),
        "TIFF|read|damaged",
    )
    yield Case(
        kind,
        "a file of another kind",
        lambda mu, at, _: _bytes(at, "volume.dat", b"x" * 1000),
        "does not say its size",
    )
    yield Case(
        kind,
        "a raw file that is shorter than said",
        lambda mu, at, _: cut_short(raw(mu, at)),
        "bytes",
    )
    yield Case(kind, "an empty folder", lambda mu, at, _: _empty(at), "holds neither")
    yield Case(kind, "no such file", lambda mu, at, _: {"file": str(at / "none.tif")}, "no file")
    yield Case(
        kind,
        "OME-Zarr whose metadata are damaged",
        lambda mu, at, _: _damaged_metadata(ome_zarr(mu, at)),
        "damaged|cannot be read|metadata|JSON|no volume",
    )
    yield Case(
        kind,
        "complex numbers",
        lambda mu, at, _: _zarr_array(mu.astype(np.complex64), at),
        "real numbers|complex",
    )
    yield Case(
        kind,
        "nothing but NaN",
        lambda mu, at, _: tiff(mu * np.float32("nan"), at),
        "NaN|finite|no value|not in view|no cell",
    )
    yield Case(
        kind,
        "nothing but zeros",
        lambda mu, at, _: tiff(mu * 0, at),
        "every voxel|same value|one exact|no cell",
    )


def _tiff_as(mu: np.ndarray, at: Path, **settings: Any) -> Said:
    file = at / "volume.tif"
    tifffile.imwrite(file, mu, photometric="minisblack", **settings)
    return {"file": str(file), **files.KNOWN}


def _by_pattern(said: Said) -> Said:
    return {**said, "file": f"{said['file']}/rec_*.tif"}


def _zarr_array(values: np.ndarray, at: Path, **settings: Any) -> Said:
    import zarr

    path = at / "volume.zarr"
    chunks = (16, 32, 32)
    array: Any = zarr.create_array(
        path, shape=values.shape, dtype=values.dtype, chunks=chunks, **settings
    )
    array[:] = values
    return {"file": str(path), **files.KNOWN}


def _two_datasets(mu: np.ndarray, at: Path) -> Said:
    import h5py

    with h5py.File(at / "volume.h5", "w") as file:
        file["a"], file["b"] = 2 * mu, mu
    return {"file": str(at / "volume.h5"), **files.KNOWN}


def _own(mu: np.ndarray, at: Path) -> Said:
    z, y, x = mu.shape
    path = at / "volume.zarr"
    create_volume(path, (z, y, x), VOXEL_UM, Coding(), "cell", energy_kev=ENERGY_KEV)
    write_slab(path, 0, mu)
    return {"file": str(path)}


def _bytes(at: Path, name: str, content: bytes) -> Said:
    (at / name).write_bytes(content)
    return {"file": str(at / name), **files.KNOWN}


def _empty(at: Path) -> Said:
    (at / "slices").mkdir()
    return {"file": str(at / "slices"), **files.KNOWN}


def _damaged_metadata(said: Said) -> Said:
    (Path(said["file"]) / ".zattrs").write_text("{", encoding="utf-8")
    return said


def _big_endian(mu: np.ndarray, at: Path) -> Said:
    file = at / "volume.tif"
    tifffile.imwrite(file, mu, photometric="minisblack", byteorder=">")
    return {"file": str(file), **files.KNOWN}


def _rgb(mu: np.ndarray, at: Path) -> Said:
    file = at / "volume.tif"
    tifffile.imwrite(file, np.stack([coded(mu, "uint8", -25, 130)] * 3, axis=-1), photometric="rgb")
    return {"file": str(file), **files.KNOWN}
