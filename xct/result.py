"""Result: what a run left on disk, opened lazily. In: a folder; out: arrays, tables, numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
import zarr

from xct.errors import XctError


@dataclass(frozen=True)
class Volume:
    """A volume on disk: μ in 1/cm, read slice by slice.

    Attributes
    ----------
    array : zarr.Array
        The stored values of level 0 (z, y, x).
    slope, offset : float
        μ = slope · code + offset; code 0 of uint16 has no value.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    """

    array: Any
    slope: float
    offset: float
    voxel_size_um: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        z, y, x = self.array.shape
        return z, y, x

    def read(self, index: Any = ...) -> np.ndarray:
        """Read a part as float32 in 1/cm; voxels without a value are 0."""
        codes: np.ndarray = np.asarray(self.array[index])
        if codes.dtype == np.float32:
            return codes
        mu = np.float32(self.slope) * codes.astype(np.float32) + np.float32(self.offset)
        return np.where(codes == 0, np.float32(0), mu)

    def lazy(self) -> Any:
        """Give the whole as a Dask array in 1/cm."""
        from xct.blocks import lazily

        return lazily(self.read, self.array)


def open_volume(path: Path) -> Volume:
    """Open a ``volume.zarr``.

    Raises
    ------
    XctError
        If there is none, or it was not written by xct.
    """
    if not (path / "zarr.json").is_file():
        raise XctError(f"{path}: there is no volume; has the run reached fbp?")
    group: Any = zarr.open_group(path, mode="r")
    facts = group.attrs.get("xct")
    if facts is None:
        raise XctError(f"{path}: is not a volume of xct: the attribute xct is missing")
    first = group.attrs["ome"]["multiscales"][0]["datasets"][0]
    z, y, x = first["coordinateTransformations"][0]["scale"]
    return Volume(group[first["path"]], facts["slope"], facts["offset"], (z, y, x))


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

    @property
    def voxel_size_um(self) -> float:
        """Edge of a voxel."""
        return float(self.summary["voxel_size_um"]["value"])


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
