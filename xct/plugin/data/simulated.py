"""A simulation as layers over the cell that it is of. In: what `xct simulate` wrote; out: layers.

Fields of a plane lie in its place in the volume, so that they cover the slice that they were found
for; arrows say where Li⁺ goes. Fields of a block fill it. An ideal cell is a picture of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from xct.errors import XctError
from xct.plugin.data.cells import KEY
from xct.plugin.data.layers import LayerData
from xct.simulate.names import slug

# Field, factor, what it is, colours, and the part of its values that the scale covers.
_FIELDS = (
    ("potential_v", 1e3, "potential (mV)", "viridis", 100.0),
    ("current_a_m2", 1.0, "current density (A/m²)", "magma", 99.5),
    ("von_mises_mpa", 1.0, "von Mises stress (MPa)", "inferno", 99.5),
    ("focusing", 1.0, "current at the lithium over its mean", "magma", 99.5),
)
_ARROWS = 40  # across a picture


@dataclass(frozen=True)
class _Placed:
    """How pixels of a field lie in the world: an index of data for each axis, µm.

    Attributes
    ----------
    data : ndarray
        The values with every axis of the world.
    scale, translate : tuple of float
        Of napari.
    """

    data: np.ndarray
    scale: tuple[float, ...]
    translate: tuple[float, ...]

    def settings(self) -> dict[str, Any]:
        """Give what napari needs to put it there."""
        return {
            "scale": self.scale,
            "translate": self.translate,
            "units": ("micrometer",) * len(self.scale),
            "axis_labels": ("z", "y", "x")[-len(self.scale) :],
        }


def is_simulation(path: Path) -> bool:
    """Say whether a folder is one that `xct simulate` wrote."""
    return (path / "simulation.yaml").is_file() and (path / "summary.json").is_file()


def simulation_layers(path: Path) -> list[LayerData]:
    """List the fields of every case, those of the first one shown.

    Raises
    ------
    XctError
        If fields are missing or damaged.
    """
    names = _names(path)
    groups = {name: _open(path / "cases" / slug(name) / "fields.zarr") for name in names}
    found: list[LayerData] = []
    for field, factor, what, colors, part in _FIELDS:
        values = {n: factor * np.asarray(g[field]) for n, g in groups.items() if field in g}
        if not values:
            continue
        most = max(float(np.nanpercentile(v, part)) for v in values.values())
        for name, array in values.items():
            placed = _placed(groups[name], field, array)
            settings = {
                "name": f"{name}: {what}",
                "colormap": colors,
                "contrast_limits": (0.0, most if most > 0 else 1.0),
                "opacity": 0.75,
                "blending": "translucent_no_depth",
                "interpolation2d": "nearest",
                "visible": field == "potential_v" and name == names[0],
                "metadata": {KEY: {"simulation": str(path), "kind": field}},
            }
            found.append((placed.data, settings | placed.settings(), "image"))
    for name, group in groups.items():
        found += _arrows(path, name, group, visible=name == names[0])
    found[-1][1]["metadata"][KEY]["plane"] = _plane_of(groups[names[0]])
    return found


def _names(path: Path) -> list[str]:
    try:
        known = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        return [str(case["name"]) for case in known["cases"]] or [""]
    except (OSError, ValueError, KeyError, TypeError):
        raise XctError(f"{path}: its summary.json is damaged; run `xct simulate` again") from None


def _open(path: Path) -> Any:
    try:
        return zarr.open_group(path, mode="r")
    except (OSError, ValueError, KeyError):
        raise XctError(f"{path}: is missing or damaged; run `xct simulate` again") from None


def _placed(group: Any, field: str, values: np.ndarray) -> _Placed:
    """Put a field where it lies; rows of a plane, and planes of a block, begin at the anode."""
    attributes = dict(group[field].attrs)
    frame = group.attrs.get("frame")
    if "pixel_um" in attributes:
        return _flat(values, float(attributes["pixel_um"]), frame)
    voxel, first = ([float(v) for v in attributes[key]] for key in ("voxel_size_um", "first_um"))
    sign = int(attributes["z_sign"])
    if values.ndim == 2:  # of columns: it lies at the anode's end
        of_block = dict(group["material"].attrs)
        values = values[None]
        voxel = [float(of_block["voxel_size_um"][0]), *voxel]
        first = [float(of_block["first_um"][0]), *first]
    if sign < 0:
        first[0] -= (len(values) - 1) * voxel[0]
        values = values[::-1]
    return _Placed(values, tuple(voxel), tuple(first))


def _flat(values: np.ndarray, pixel_um: float, frame: Any) -> _Placed:
    """Put a picture, the anode's end first, into its plane; an ideal cell has none."""
    if frame is None:
        return _Placed(values, (pixel_um,) * 2, (pixel_um / 2,) * 2)
    height = len(values) * pixel_um
    z = float(frame["z_um"]) + (pixel_um / 2 if frame["sign"] > 0 else pixel_um / 2 - height)
    if frame["sign"] > 0:  # z grows from the cathode's end
        values = values[::-1]
    across, plane = float(frame["across_um"]) + pixel_um / 2, float(frame["plane_um"])
    axis = 1 if frame["along"] == "x" else 2
    pair = (plane, across) if axis == 1 else (across, plane)
    scale = [pixel_um] * 3
    scale[axis] = float(frame["edge_um"])
    return _Placed(np.expand_dims(values, axis), tuple(scale), (z, *pair))


def _arrows(path: Path, name: str, group: Any, *, visible: bool) -> Iterator[LayerData]:
    """Show where Li⁺ goes, arrows as long as there is current."""
    if "current_x_a_m2" not in group:
        return
    across, up = (np.asarray(group[f"current_{axis}_a_m2"]) for axis in "xy")
    frame = group.attrs.get("frame")
    size = _placed(group, "current_x_a_m2", np.hypot(across, up))
    # The height grows against the rows, unless these were turned.
    down = up if frame is not None and frame["sign"] > 0 else -up
    step = max(1, across.shape[1] // _ARROWS)
    across, down = (_placed(group, "current_x_a_m2", part).data for part in (across, down))
    flat = size.data.squeeze()
    rows, columns = (
        part.ravel()
        for part in np.meshgrid(*(np.arange(step // 2, n, step) for n in flat.shape), indexing="ij")
    )
    shown = np.isfinite(flat[rows, columns])
    rows, columns = rows[shown], columns[shown]
    typical = float(np.nanpercentile(flat, 99))
    length = 1.5 * step / typical if typical > 0 else 0.0
    directions = [part.squeeze()[rows, columns] * length for part in (down, across)]
    places = [rows.astype(float), columns.astype(float)]
    if frame is not None:
        at = 1 if frame["along"] == "x" else 2
        places.insert(at, np.zeros(len(rows)))
        directions.insert(at, np.zeros(len(rows)))
    data = np.stack([np.stack(places, axis=1), np.stack(directions, axis=1)], axis=1)
    settings = {
        "name": f"{name}: current, arrows",
        "edge_color": "white",
        "vector_style": "arrow",
        "edge_width": 0.12 * step,
        "visible": visible,
        "metadata": {KEY: {"simulation": str(path), "kind": "arrows"}},
    }
    yield data, settings | size.settings(), "vectors"


def _plane_of(group: Any) -> dict[str, Any] | None:
    """Give the cross-section to look at: the axis across it and where, µm."""
    frame = group.attrs.get("frame")
    if frame is not None:
        return {"axis": 1 if frame["along"] == "x" else 2, "at_um": float(frame["plane_um"])}
    if "focusing" not in group:
        return None
    placed = _placed(group, "potential_v", np.asarray(group["potential_v"]))
    middle = placed.translate[1] + placed.data.shape[1] // 2 * placed.scale[1]
    return {"axis": 1, "at_um": middle}
