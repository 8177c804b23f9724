"""Result: what a run left on disk, opened lazily. In: a folder; out: arrays, tables, numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from xct.errors import XctError
from xct.geometry import CellGeometry, Surface
from xct.io.cell import read_cell
from xct.io.labels import open_labels
from xct.io.surfaces import read_surfaces
from xct.io.tables import read_table
from xct.io.volumes import Volume, lazily, open_volume

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray

    from xct.normalize import Reference


@dataclass(frozen=True)
class Result:
    """What a run left in its output folder.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every measured number with its uncertainty, n and unit, and the warnings."""
        path = self.path / "summary.json"
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return summary

    @cached_property
    def account(self) -> dict[str, Any]:
        """How the result was made: configuration, versions, input, time and memory."""
        path = self.path / "run.yaml"
        account: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return account

    @property
    def warnings(self) -> list[dict[str, str]]:
        """What the run had to remark, with the step that it comes from."""
        listed: list[dict[str, str]] = self.summary["warnings"]
        return listed

    @cached_property
    def stored_volume(self) -> Volume:
        """The volume as it is stored, to be read slice by slice."""
        return open_volume(self.path / "volume.zarr")

    @property
    def volume(self) -> Any:
        """Linear attenuation in 1/cm, (z, y, x), as a lazy Dask array."""
        return self.stored_volume.lazy()

    def to_xarray(self) -> DataArray:
        """Linear attenuation as a lazy xarray, with z, y and x in µm."""
        import xarray as xr

        stored = self.stored_volume
        sizes = zip("zyx", stored.shape, stored.voxel_size_um, strict=True)
        coords = {axis: np.arange(length) * edge for axis, length, edge in sizes}
        image = xr.DataArray(self.volume, coords=coords, dims=tuple("zyx"), name="attenuation")
        image.attrs["units"] = "1/cm"
        for axis in "zyx":
            image[axis].attrs["units"] = "µm"
        return image

    def _repr_html_(self) -> str:
        """Show a picture, the numbers and the warnings where a notebook displays a result."""
        from xct.report.in_notebook import result_html

        return result_html(self)

    @property
    def voxel_size_um(self) -> float:
        """Edge of a voxel."""
        return float(self.summary["voxel_size_um"]["value"])

    def labels(self, name: str) -> Any:
        """Open a label volume, "materials" or "particles": a Zarr array (z, y, x).

        Raises
        ------
        XctError
            If the run did not make it.
        """
        return open_labels(self.path / "volume.zarr", name)

    @cached_property
    def cell(self) -> CellGeometry:
        """Where the cell lies in the volume."""
        return read_cell(self.path / "cell.json")

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """Height maps by name."""
        return read_surfaces(self.path / "surfaces.zarr")

    @cached_property
    def tables(self) -> dict[str, DataFrame]:
        """Every table of the run, by its file's name without ending."""
        files = sorted((self.path / "tables").glob("*.csv"))
        return {file.stem: read_table(file) for file in files}

    @cached_property
    def reference(self) -> Reference:
        """What grey values are normalized to: the electrolyte's μ by depth and radius."""
        from xct.normalize import Reference

        path = self.path / "reference.json"
        if not path.is_file():
            raise XctError(f"{path}: there is no reference; has the run reached that step?")
        return Reference.from_dict(json.loads(path.read_text(encoding="utf-8")))

    @property
    def grey_values(self) -> Any:
        """Normalized grey values, (z, y, x), as a lazy Dask array."""
        from xct.normalize import grey_values

        stored = self.stored_volume
        normalized = grey_values(stored, self.reference, self.cell)
        return lazily(normalized.__getitem__, stored.array)


def open_result(path: Path | str) -> Result:
    """Open the output folder of a run.

    Raises
    ------
    XctError
        If the folder holds no finished result.
    """
    path = Path(path)
    if not path.is_dir():
        raise XctError(f"{path}: no such folder")
    if not (path / "summary.json").is_file():
        unfinished = (path / ".xct").is_dir()
        why = "its run is not finished" if unfinished else "it was not written by xct"
        raise XctError(f"{path}: holds no result: {why}")
    return Result(path)
