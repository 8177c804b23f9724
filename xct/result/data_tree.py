"""A result as one tree of xarray, and what xarray's objects then know. In: a result; out: a tree.

The volume, its labels and grey values stay on disk until something is computed; maps, numbers and
tables are read at once. Importing this module gives images and trees the accessor ``.xct``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xct.errors import DataError, XctError
from xct.geometry import MATERIALS
from xct.io.labels import lazy_labels

_LABELS = "materials", "particles"
_register_image: Any = xr.register_dataarray_accessor
_register_tree: Any = xr.register_datatree_accessor


def image_of(values: Any, voxel_size_um: tuple[float, float, float], name: str) -> xr.DataArray:
    """Give an array over (z, y, x) its coordinates in µm, from the center of voxel 0."""
    sizes = zip("zyx", values.shape, voxel_size_um, strict=True)
    coords = {axis: np.arange(length) * edge for axis, length, edge in sizes}
    image = xr.DataArray(values, coords=coords, dims=("z", "y", "x"), name=name)
    for axis in "zyx":
        image[axis].attrs["units"] = "µm"
    return image


def tree_of(result: Any) -> xr.DataTree:
    """Give all of a result as a tree.

    Parameters
    ----------
    result : Result
        A finished one; what its run did not make is not there.

    Returns
    -------
    DataTree
        ``/volume`` over (z, y, x): ``attenuation`` in 1/cm, or ``grey``, ``grey_value``,
        ``materials`` and ``particles``, lazy; ``/surfaces`` over (y, x): heights and
        ``NAME_sd_um``; ``/numbers``: those of ``summary.json``, each with its unit and
        uncertainty as attributes; ``/tables/NAME`` over ``row``.
    """
    nodes = {
        "/": xr.Dataset(attrs={"path": str(result.path), "warnings": _messages(result.summary)}),
        "/numbers": _numbers(result.summary),
        "/volume": _volume(result),
        "/surfaces": _surfaces(result),
        **{f"/tables/{name}": _table(frame) for name, frame in result.tables.items()},
    }
    return xr.DataTree.from_dict({name: node for name, node in nodes.items() if node is not None})


def _messages(summary: Mapping[str, Any]) -> list[str]:
    return [f"{one['step']}: {one['message']}" for one in summary["warnings"]]


def _numbers(summary: Mapping[str, Any]) -> xr.Dataset:
    found = {}
    for name, entry in summary.items():
        if isinstance(entry, dict) and "value" in entry:
            said = {key: value for key, value in entry.items() if key not in ("value", "unit")}
            found[name] = xr.DataArray(entry["value"], attrs={"units": entry.get("unit"), **said})
    return xr.Dataset(found)


def _volume(result: Any) -> xr.Dataset | None:
    if not (result.path / "volume.zarr" / "zarr.json").is_file():
        return None
    size = result.stored_volume.voxel_size_um
    image = result.to_xarray()
    found = {str(image.name): image}
    try:
        found["grey_value"] = image_of(result.grey_values, size, "grey_value")
    except XctError:
        pass  # a run that did not reach the electrolyte's reference
    for name in _LABELS:
        try:
            labels = lazy_labels(result.path / "volume.zarr", name)
        except XctError:
            continue
        found[name] = image_of(labels, size, name)
    if "materials" in found:
        found["materials"].attrs.update(MATERIALS)
    return xr.Dataset(found)


def _surfaces(result: Any) -> xr.Dataset | None:
    try:
        surfaces = result.surfaces
    except XctError:
        return None
    _, y_um, x_um = result.stored_volume.voxel_size_um
    found = {}
    for name, surface in surfaces.items():
        rows, columns = surface.height_um.shape
        coords = {"y": np.arange(rows) * y_um, "x": np.arange(columns) * x_um}
        attrs = {"units": "µm", "definition": surface.definition}
        for key, values in ((name, surface.height_um), (f"{name}_sd_um", surface.sd_um)):
            found[key] = xr.DataArray(values, coords=coords, dims=("y", "x"), attrs=attrs)
    return xr.Dataset(found)


def _table(frame: Any) -> xr.Dataset:
    return xr.Dataset.from_dataframe(frame.rename_axis("row"))


@_register_image("xct")
class ImageAccessor:
    """What an image of a cell knows: ``image.xct.voxel_size_um``, ``image.xct.depth_um(map)``.

    Parameters
    ----------
    image : DataArray
        With coordinates in µm along its axes.
    """

    def __init__(self, image: xr.DataArray) -> None:
        self._image = image

    @property
    def voxel_size_um(self) -> dict[str, float]:
        """Edges of a voxel along the axes that have more than one plane, µm."""
        return {
            str(axis): float(self._image[axis][1] - self._image[axis][0])
            for axis in self._image.dims
            if axis in self._image.coords and self._image.sizes[axis] > 1
        }

    def depth_um(self, height_um: xr.DataArray, *, anode: str = "low_z") -> xr.DataArray:
        """Give each voxel's distance from a surface along z, positive away from the anode.

        Parameters
        ----------
        height_um : DataArray, over (y, x)
            Heights of the surface, µm; NaN where there is none.
        anode : {"low_z", "high_z"}, optional
            On which side it lies.

        Returns
        -------
        DataArray, over (z, y, x)
            µm; lazy where the image is.
        """
        if anode not in ("low_z", "high_z"):
            raise DataError(f"anode = {anode!r}; expected low_z or high_z")
        sign = 1 if anode == "low_z" else -1
        height = height_um if self._image.chunks is None else height_um.chunk()
        depth = sign * (self._image["z"] - height).transpose("z", "y", "x")
        return depth.rename("depth_um").assign_attrs(units="µm")


@_register_tree("xct")
class TreeAccessor:
    """What the tree of a result knows: ``tree.xct.of("lithium")``, ``tree.xct.numbers``.

    Parameters
    ----------
    tree : DataTree
        As `tree_of` makes it.
    """

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    @property
    def numbers(self) -> Any:
        """Every number as a table of pandas: value, sd, unit, bound by name."""
        import pandas as pd

        rows = {
            str(name): {
                "value": number.item(),
                "sd": number.attrs.get("sd", np.nan),
                "unit": number.attrs.get("units"),
                "bound": number.attrs.get("bound"),
            }
            for name, number in self._tree["numbers"].data_vars.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def of(self, material: str, values: str | None = None) -> xr.DataArray:
        """Give the values of one material, NaN elsewhere, lazily.

        Parameters
        ----------
        material : str
            Such as "lithium".
        values : str, optional
            What is given: "grey_value", or the volume as it is stored, unless named.

        Raises
        ------
        DataError
            If there is no such material, or the result has no labels.
        """
        if material not in MATERIALS:
            raise DataError(f"material = {material!r}; expected one of {', '.join(MATERIALS)}")
        volume = self._node("volume", "materials")
        named = values or next(str(name) for name in volume.data_vars)
        if named not in volume:
            there = ", ".join(str(name) for name in volume.data_vars)
            raise DataError(f"values = {named!r}; this result has {there}")
        return volume[named].where(volume["materials"] == MATERIALS[material])

    def depth_um(self, surface: str) -> xr.DataArray:
        """Give each voxel's distance from a surface along z, µm, positive away from the anode.

        Raises
        ------
        DataError
            If the result has no such surface.
        """
        height = self._node("surfaces", surface)[surface]
        volume = self._tree["volume"].to_dataset()
        image = volume[next(iter(volume.data_vars))]
        depth: xr.DataArray = image.xct.depth_um(height, anode=self._tree["numbers/anode"].item())
        return depth

    def _node(self, name: str, variable: str) -> xr.Dataset:
        found = self._tree[name].to_dataset() if name in self._tree.children else xr.Dataset()
        if variable not in found:
            there = ", ".join(map(str, found.data_vars)) or "none"
            raise DataError(f"{name}: there is no {variable} in this result; there are {there}")
        return found
