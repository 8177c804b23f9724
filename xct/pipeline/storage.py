"""Measured quantities on disk. In: what a measuring step gives; out: files, and back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xct.io.atomic import write_json
from xct.io.cell import read_cell, write_cell
from xct.io.labels import open_labels
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.io.tables import read_depth_histogram, read_table, write_depth_histogram, write_table
from xct.io.volumes import Coding, create_volume, write_slab
from xct.parallel.blocks import slabs

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.pipeline.reconstruction import Job


# Tables whose file bears another name than the quantity.
FILES = {"roughness": "surfaces"}


def save(folder: Path, name: str, value: Any, voxel_size_um: Sequence[float]) -> None:
    """Write a measured quantity where a result keeps it; each file appears when it is whole.

    Parameters
    ----------
    folder : Path
        Of the result.
    name : str
        The quantity.
    value : object
        What its stage gave. Labels are on disk already; tables come alone, by name, or behind
        their labels.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    """
    if name == "cell":
        write_cell(folder / "cell.json", value)
    elif name == "reference":
        write_json(folder / "reference.json", value.to_dict())
        write_table(folder / "tables" / "reference.csv", value.table)
    elif name == "surfaces":
        write_surfaces(folder / "surfaces.zarr", value, voxel_size_um)
    elif name == "displacement":
        write_surfaces(folder / "displacement.zarr", value.maps, voxel_size_um)
        write_table(folder / "tables" / "displacement.csv", value.table)
    elif name == "depth_histogram":
        write_depth_histogram(folder / "tables" / "depth_histogram.zarr", value)
    else:
        tables = tables_of(name, value)
        for key, table in tables.items():
            # What is known of a table as a whole stands in every row, so that it is not lost.
            known = {str(name): fact for name, fact in table.attrs.items()}
            write_table(folder / "tables" / f"{key}.csv", table.assign(**known))
        write_json(folder / ".xct" / f"tables-of-{name}.json", list(tables))


def load(folder: Path, name: str) -> Any:
    """Read what `save` wrote, as the stage gave it."""
    if name == "cell":
        return read_cell(folder / "cell.json")
    if name == "reference":
        from xct.normalize import Reference

        return Reference.from_dict(json.loads((folder / "reference.json").read_text("utf-8")))
    if name == "surfaces":
        return read_surfaces(folder / "surfaces.zarr")
    if name == "depth_histogram":
        return read_depth_histogram(folder / "tables" / "depth_histogram.zarr")
    if name == "displacement":
        return read_table(folder / "tables" / "displacement.csv")
    if name == "labels":
        return open_labels(folder / "volume.zarr", "materials")
    keys = json.loads((folder / ".xct" / f"tables-of-{name}.json").read_text("utf-8"))
    tables = {key: read_table(folder / "tables" / f"{key}.csv") for key in keys}
    if name == "particles":
        return open_labels(folder / "volume.zarr", "particles"), tables["particles"]
    return tables[keys[0]] if keys == [FILES.get(name, name)] else tables


def tables_of(name: str, value: Any) -> dict[str, DataFrame]:
    """Find the tables in what a stage gave, by the name of their file."""
    from pandas import DataFrame

    if isinstance(value, DataFrame):
        return {FILES.get(name, name): value}
    if isinstance(value, Mapping):
        return {key: table for key, table in value.items() if isinstance(table, DataFrame)}
    if isinstance(value, tuple):
        [table] = [part for part in value if isinstance(part, DataFrame)]
        return {name: table}
    return {}


def write_normalized(job: Job, measured: Mapping[str, Any]) -> None:
    """Write the normalized grey values as a volume of their own, ``normalized.zarr``."""
    from xct.normalize import grey_values

    volume = measured["volume"]
    values = grey_values(volume, measured["reference"], measured["cell"])
    path, fresh = job.folder.path / "normalized.zarr", job.folder.state / "normalized.zarr"
    for old in (path, fresh):
        shutil.rmtree(old, ignore_errors=True)
    name = job.plan.config.cell.name or job.plan.output.name
    create_volume(fresh, volume.shape, volume.voxel_size_um, Coding(), name, quantity="grey")
    with job.meter.step("normalized"):
        for block in slabs(volume.shape):
            write_slab(fresh, block.first, values[block.outer])
    os.replace(fresh, path)
