"""Surfaces on disk. In: height maps; out: ``surfaces.zarr``, and back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import XctError, damage_named
from xct.geometry import Surface
from xct.io.journal import with_checksum
from xct.io.ome_metadata import maps as described


def write_surfaces(
    path: Path, surfaces: Mapping[str, Surface], voxel_size_um: Sequence[float]
) -> None:
    """Write height maps and their standard deviations; the group appears when it is whole.

    Parameters
    ----------
    path : Path
        The group; one that is there is replaced.
    surfaces : mapping of str to Surface
        By name.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    """
    import zarr
    from zarr.codecs import ZstdCodec

    fresh = path.with_name(f".{path.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    group: Any = zarr.open_group(fresh, mode="w")
    for name, surface in surfaces.items():
        maps = {name: surface.height_um, f"{name}_sd_um": surface.sd_um}
        for key, values in maps.items():
            data = np.ascontiguousarray(values, dtype=np.float32)
            array = group.create_array(
                key, data=data, dimension_names=("y", "x"), compressors=with_checksum(ZstdCodec())
            )
            array.attrs["unit"] = array.attrs["units"] = "µm"  # the second is what xarray reads
            array.attrs["voxel_size_um"] = [float(edge) for edge in voxel_size_um]
            array.attrs["definition"] = surface.definition
    if surfaces:
        group.attrs["ome"] = described(sorted(group.array_keys()), voxel_size_um[1:])
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)


def read_surfaces(path: Path) -> dict[str, Surface]:
    """Read what `write_surfaces` wrote.

    Raises
    ------
    XctError
        If there is no such group, or it is damaged.
    """
    import zarr

    if not (path / "zarr.json").is_file():
        raise XctError(f"{path}: there are no surfaces; has the run reached that step?")
    with damage_named(path):
        group: Any = zarr.open_group(path, mode="r")
        names = [name for name in group.array_keys() if not name.endswith("_sd_um")]
        return {
            name: Surface(
                np.asarray(group[name][:]),
                np.asarray(group[f"{name}_sd_um"][:]),
                str(group[name].attrs["definition"]),
            )
            for name in sorted(names)
        }
