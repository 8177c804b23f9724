"""Result: what a run left on disk, opened lazily. In: a folder; out: arrays, tables, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError, damage_named
from xct.geometry import CellGeometry, GreyScale, Label, Surface
from xct.io.journal import Journal
from xct.io.labels import open_labels
from xct.io.stores import is_stored, load, read_object
from xct.io.surfaces import read_surfaces
from xct.io.tables import read_table
from xct.io.volumes import Volume, lazily, open_volume
from xct.quantity import QUANTITIES, Quantity, call_by_name, needs_of
from xct.stages import load_stages

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray, DataTree


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
        summary: dict[str, Any] = _parsed(path, json.loads)
        return summary

    @cached_property
    def account(self) -> dict[str, Any]:
        """How the result was made: configuration, versions, input, time and memory."""
        import yaml

        path = self.path / "run.yaml"
        account: dict[str, Any] = _parsed(path, yaml.safe_load, yaml.YAMLError)
        return account

    @property
    def warnings(self) -> list[dict[str, str]]:
        """Warnings of the run, with the step that it comes from."""
        listed: list[dict[str, str]] = self.summary["warnings"]
        return listed

    @cached_property
    def stored_volume(self) -> Volume:
        """The volume as it is stored, to be read slice by slice."""
        return open_volume(self.path / "volume.zarr")

    @property
    def volume(self) -> Any:
        """Linear attenuation in 1/cm, or grey values, (z, y, x), as a lazy Dask array."""
        return self.stored_volume.lazy()

    def to_xarray(self) -> DataArray:
        """Linear attenuation, or grey values, as a lazy xarray, with z, y and x in µm."""
        from xct.result.data_tree import image_of

        stored = self.stored_volume
        image = image_of(self.volume, stored.voxel_size_um, stored.quantity)
        return image.assign_attrs(units=stored.unit)

    def to_datatree(self) -> DataTree:
        """All of the result as one tree of xarray, see `xct.result.data_tree.tree_of`."""
        from xct.result.data_tree import tree_of

        return tree_of(self)

    def _repr_html_(self) -> str:
        """Show a picture, the numbers and the warnings where a notebook displays a result."""
        from xct.report.of_run import notebook_html

        return notebook_html(self)

    @property
    def voxel_size_um(self) -> float:
        """Edge of a voxel along x; `stored_volume.voxel_size_um` has all three."""
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
        cell: CellGeometry = read_object(self.path / "cell.json", CellGeometry)
        return cell

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
    def grey_scale(self) -> GreyScale:
        """Grey values of air and of electrolyte, as the run was configured."""
        if not (self.path / "run.yaml").is_file():
            return GreyScale()
        with damage_named(self.path / "run.yaml"):
            return GreyScale(**self.account["configuration"].get("cell", {}).get("grey_scale", {}))

    @cached_property
    def reference(self) -> Any:
        """What grey values are normalized to: the electrolyte's μ by depth and radius."""
        return self.quantity("reference")

    @property
    def grey_values(self) -> Any:
        """Normalized grey values, (z, y, x), as a lazy Dask array; NaN where light is missing."""
        normalized, labels = self.quantity("normalized"), None
        if (self.path / "volume.zarr" / "labels" / "materials").exists():
            labels = self.labels("materials")

        def read(index: Any) -> np.ndarray:
            values = np.asarray(normalized[index])
            unknown = labels is not None and np.asarray(labels[index]) == Label.UNKNOWN
            return np.where(unknown, np.float32("nan"), values)

        return lazily(read, self.stored_volume.array)

    def quantity(self, name: str) -> Any:
        """Give a quantity as its stage gave it: as it is stored, or derived from what is stored.

        Parameters
        ----------
        name : str
            Such as "reference"; `xct stages` names them.

        Raises
        ------
        XctError
            If no stage gives it, the run did not make it, or it is damaged.
        """
        if name in _OF_THE_RESULT:
            return getattr(self, _OF_THE_RESULT[name])
        quantity = _declared(name)
        if is_stored(quantity):
            return load(self.path, quantity)
        if quantity.derive is None:
            raise XctError(f"{self.path}: a result does not keep {name}")
        needed = {need: self.quantity(need) for need in needs_of(quantity.derive)}
        chosen = {"grey_scale": self.grey_scale}
        return call_by_name(quantity.derive, {**chosen, **needed})


# What a result knows without a stage's declaration.
_OF_THE_RESULT = {"volume": "stored_volume", "cell": "cell", "grey_scale": "grey_scale"}


def _parsed(path: Path, parse: Callable[[str], Any], *errors: type[Exception]) -> Any:
    of_damage: tuple[type[Exception], ...] = (OSError, ValueError, RecursionError, *errors)
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except of_damage as error:
        raise XctError(f"{path}: is damaged: {error}; `xct run` makes it anew") from None
    if not isinstance(value, dict):
        raise XctError(f"{path}: is damaged: it holds no keys; `xct run` makes it anew")
    return value


def _declared(name: str) -> Quantity:
    if name not in QUANTITIES:
        load_stages()
    if name not in QUANTITIES:
        raise XctError(f"{name!r} is not a quantity; there are {', '.join(sorted(QUANTITIES))}")
    return QUANTITIES[name]


def open_result(path: Path | str) -> Result:
    """Open the output folder of a run.

    Raises
    ------
    XctError
        If the folder holds no finished result.
    """
    path = Path(path)
    if not path.is_dir():
        what = "is a file, not the folder of a result" if path.is_file() else "no such folder"
        raise XctError(f"{path}: {what}")
    if not (path / "summary.json").is_file():
        why = "it was not written by xct; name the `output` of a configuration"
        if (path / ".xct").is_dir():
            why = "its run is not finished; `xct status` says how far it is, `xct run` goes on"
        if path.name == "volume.zarr":
            why = f"it is the volume of one; name the folder that it lies in: {path.parent}"
        if (path / "result" / "summary.json").is_file():
            why = f"the folder within it does: {path / 'result'}"
        raise XctError(f"{path}: holds no result: {why}")
    return Result(path)


@dataclass(frozen=True)
class Verification:
    """What a look at every byte of a result found.

    Attributes
    ----------
    files, size : int
        How many files have a checksum, and their bytes.
    damaged : list of str
        Those that are missing, or are not what was written, by their path in the result.
    """

    files: int
    size: int
    damaged: list[str]

    @property
    def verdict(self) -> str:
        """Say it in a few words."""
        if not self.files:
            return "written by an earlier xct, which kept no checksums"
        return f"{len(self.damaged)} damaged or missing" if self.damaged else "all as written"


def verify(path: Path | str) -> Verification:
    """Read every file of a result that a checksum is known of, and compare.

    What is found is noted in the result, where it may be written to: the next run of its
    configuration makes that anew, and leaves the rest. Figures that a run draws before any slice,
    and its log, have no checksum.

    Parameters
    ----------
    path : path
        Folder of a result, finished or not.

    Raises
    ------
    XctError
        If there is no result.
    """
    journal = Journal(Path(path))
    if not journal.folder.is_dir():
        raise XctError(f"{path}: holds no result: it was not written by xct")
    sealed, damaged = journal.sealed(), journal.damaged(thorough=True)
    with suppress(OSError):  # it may be read-only
        journal.write_damage(damaged)
    return Verification(len(sealed), sum(sealed.values()), damaged)
