"""Labels beside a volume. In: its OME-Zarr group; out: label arrays to fill slab by slab."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import XctError, damage_named
from xct.io import ome_metadata as ome
from xct.io.journal import with_checksum
from xct.io.volumes import create_level, levels_of
from xct.parallel.blocks import GRANULE

_STATE = "xct"  # attribute of labels that are being made; none once they are whole


def create_labels(volume: Path, name: str, dtype: str, *, whole: bool = True) -> Any:
    """Make an empty label group beside the levels of a volume; one of that name is replaced.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr`` that is labelled.
    name : str
        Such as "materials".
    dtype : str
        "uint8" or "uint32".
    whole : bool, optional
        False of labels that are to be computed: until `finish_labels`, `open_labels` refuses them.

    Returns
    -------
    zarr.Array
        Level 0 (z, y, x), to be written in slabs that start at multiples of 16 slices.
    """
    import zarr

    shape, size = shape_and_voxel_size(volume)
    shutil.rmtree(volume / "labels" / name, ignore_errors=True)
    parent: Any = zarr.open_group(volume / "labels", mode="a", zarr_format=3)
    group: Any = zarr.open_group(volume / "labels" / name, mode="w", zarr_format=3)
    array = create_level(group, 0, levels_of(shape)[0], dtype, _compressors())
    group.attrs["ome"] = {
        "version": ome.VERSION,
        "multiscales": [ome.multiscale("zyx", [(1, 1, 1)], size, name, kind="nearest")],
        "image-label": ome.image_label(name),
    }
    if not whole:
        group.attrs[_STATE] = {"whole": False}
    names = parent.attrs.get("ome", {}).get("labels", [])
    listed = [*names, *([name] if name not in names else [])]
    parent.attrs["ome"] = {"version": ome.VERSION, "labels": listed}
    return array


def finish_labels(volume: Path, name: str) -> None:
    """Give labels their coarser levels, and say that they are whole.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr`` that is labelled.
    name : str
        Of the labels.
    """
    import zarr

    add_coarser_levels(volume, name)
    group: Any = zarr.open_group(volume / "labels" / name, mode="r+")
    if _STATE in group.attrs:
        del group.attrs[_STATE]


def remove_labels(volume: Path, name: str) -> None:
    """Remove labels that were begun and are not to be had.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr`` that is labelled.
    name : str
        Of the labels.
    """
    import zarr

    parent: Any = zarr.open_group(volume / "labels", mode="a")
    listed = [one for one in parent.attrs.get("ome", {}).get("labels", []) if one != name]
    parent.attrs["ome"] = {"version": ome.VERSION, "labels": listed}
    shutil.rmtree(volume / "labels" / name, ignore_errors=True)


def add_coarser_levels(volume: Path, name: str) -> None:
    """Give labels that are finished the levels of their volume: every second voxel of the finer.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr`` that is labelled.
    name : str
        Of the labels.
    """
    import zarr

    shape, size = shape_and_voxel_size(volume)
    levels = levels_of(shape)
    if len(levels) == 1:
        return
    group: Any = zarr.open_group(volume / "labels" / name, mode="r+")
    finest = group["0"]
    arrays = []
    for number, level in enumerate(levels[1:], 1):
        if str(number) in group:  # of a run that was interrupted here
            del group[str(number)]
        arrays.append(create_level(group, number, level, finest.dtype.name, _compressors()))
    for first in range(0, shape[0], GRANULE):
        values = np.asarray(finest[first : first + GRANULE])
        for array, level in zip(arrays, levels[1:], strict=True):
            z, y, x = level.factors
            part = values[::z, ::y, ::x][:, : level.shape[1], : level.shape[2]]
            place = first // z
            part = part[: level.shape[0] - place]
            array[place : place + len(part)] = part
    factors = [level.factors for level in levels]
    described = ome.multiscale("zyx", factors, size, name, kind="nearest")
    group.attrs["ome"] = {**group.attrs["ome"], "multiscales": [described]}


def _compressors() -> Any:
    from zarr.codecs import BloscCodec, BloscShuffle

    return with_checksum(BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.bitshuffle))


def open_labels(volume: Path, name: str) -> Any:
    """Open level 0 of the labels beside a volume.

    Raises
    ------
    XctError
        If there are none of that name, they are not whole yet, or they are damaged.
    """
    import zarr

    path = volume / "labels" / name
    if not (path / "zarr.json").is_file():
        raise XctError(f"{path}: there are no such labels; has the run reached that step?")
    with damage_named(path):
        group: Any = zarr.open_group(path, mode="r")
        if not group.attrs.get(_STATE, {}).get("whole", True):
            raise XctError(
                f"{path}: these labels are not finished: what makes them is still at it, or was "
                "ended; let it end, or start it again"
            )
        return group["0"]


def lazy_labels(volume: Path, name: str) -> Any:
    """Give level 0 of the labels beside a volume as a lazy Dask array.

    Raises
    ------
    XctError
        If there are none of that name.
    """
    from dask import array as dask_array

    make: Any = dask_array  # Dask's own annotations stop here
    return make.from_zarr(open_labels(volume, name))


def shape_and_voxel_size(
    volume: Path,
) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Read shape and voxel size (z, y, x; µm) of the finest level of a volume."""
    import zarr

    group: Any = zarr.open_group(volume, mode="r")
    first = group.attrs["ome"]["multiscales"][0]["datasets"][0]
    z, y, x = first["coordinateTransformations"][0]["scale"]
    depth, height, width = group[first["path"]].shape
    return (depth, height, width), (z, y, x)


# Labels painted by hand, beside the volume. In: its OME-Zarr group; out: an array to paint.

PAINTED, CLASSIFIED = "painted", "classified"  # by hand, and by what was learnt from it


def open_painted(volume: Path) -> Any:
    """Open the painted labels of a volume to be painted on; they are made where there are none.

    Only what is painted takes room on disk.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr``.

    Returns
    -------
    zarr.Array
        uint8, shape (z, y, x); 0 where nothing was painted.

    Raises
    ------
    XctError
        If the folder cannot be written to.
    """
    import zarr

    try:
        if not (volume / "labels" / PAINTED / "zarr.json").is_file():
            return create_labels(volume, PAINTED, "uint8")
        group: Any = zarr.open_group(volume / "labels" / PAINTED, mode="r+")
        return group["0"]
    except OSError as error:
        raise XctError(
            f"{volume}: what is painted is kept there, but it cannot be written to: "
            f"{error.strerror or error}"
        ) from None
