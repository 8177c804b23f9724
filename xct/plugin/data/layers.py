"""Layers of a cell. In: a result or a volume; out: what napari needs to show each part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from xct.analyze.roi.files import read_rois
from xct.analyze.roi.scaled import flat_on_cell
from xct.analyze.roi.shapes import Roi
from xct.figures import MATERIAL_COLORS
from xct.geometry import MATERIALS, SURFACES, Surface
from xct.io.labels import CLASSIFIED, PAINTED, open_labels
from xct.plugin.data import height_maps as heightmaps
from xct.plugin.data import pyramid
from xct.plugin.data.cells import KEY, Cell
from xct.plugin.data.roi_shapes import to_shape
from xct.plugin.notifications import errors_shown

LayerData = tuple[Any, dict[str, Any], str]

AXES = ("z", "y", "x")
ROI_COLOR = "#ffd91a"
UNITS = ("micrometer",) * 3
ROI_LOOK = {
    "text": {"string": "{name}", "color": "yellow", "anchor": "upper_left", "size": 10},
    "edge_color": ROI_COLOR,
    "face_color": "transparent",
    "opacity": 1.0,
}
_MATERIAL_COLORS: dict[int | None, Any] = {
    0: (0, 0, 0, 0),
    None: (1, 1, 1, 1),
    **{int(label): (*rgb, 1) for label, rgb in MATERIAL_COLORS.items()},
}
MATERIAL_COLORMAP = DirectLabelColormap(color_dict=_MATERIAL_COLORS)


def cell_layers(cell: Cell) -> list[LayerData]:
    """List everything that there is of a cell, from the bottom of the stack up.

    Raises
    ------
    XctError
        If there is no volume.
    """
    found = [volume_layer(cell)]
    for make in (materials_layer, particles_layer, classified_layer, painted_layer):
        layer = make(cell)
        found += [] if layer is None else [layer]
    surfaces = _surfaces(cell)
    if surfaces:
        found += [mesh_layer(cell, name, surface) for name, surface in surfaces.items()]
        found.append(lines_layer(cell, surfaces))
    rois = stored_rois(cell)
    return found + ([roi_layer(cell, rois)] if rois else [])


def placed(cell: Cell, kind: str, **settings: Any) -> dict[str, Any]:
    """Give the settings that all layers of a cell share: name, scale, units, whose they are.

    All data count in voxels: a layer in µm would make napari's sliders go by 1 µm.

    Parameters
    ----------
    cell : Cell
        Whose layer it is.
    kind : str
        What it shows.
    **settings
        Of this layer alone.
    """
    note = {"cell": cell.name, "path": str(cell.path), "kind": kind, "object": cell}
    metadata = {KEY: {**note, **settings.pop("note", {})}}
    return {
        "name": f"{cell.name} {kind}",
        "scale": cell.volume.voxel_size_um,
        "units": UNITS,
        "axis_labels": AXES,
        "metadata": metadata,
        **settings,
    }


def volume_layer(cell: Cell) -> LayerData:
    """Show the volume itself, in 1/cm."""
    data = pyramid.levels(cell.volume_path)
    electrolyte, air = _electrolyte(cell), _air(cell)
    limits, span = pyramid.contrast(data[-1], electrolyte, air, _active_material(cell, electrolyte))
    settings = placed(
        cell,
        "volume",
        note={"span": span},
        colormap="gray",
        contrast_limits=limits,
        gamma=1.0 if electrolyte is None else pyramid.gamma(limits, air + electrolyte),
        multiscale=len(data) > 1,
    )
    return (data if len(data) > 1 else data[0]), settings, "image"


def materials_layer(cell: Cell) -> LayerData | None:
    """Show the materials, hidden until they are asked for."""
    return _materials(cell, "materials", opacity=0.45, visible=False)


def classified_layer(cell: Cell) -> LayerData | None:
    """Show what a trained classifier labelled, hidden until it is asked for."""
    return _materials(cell, CLASSIFIED, opacity=0.45, visible=False)


def painted_layer(cell: Cell) -> LayerData | None:
    """Show what was painted by hand."""
    return _materials(cell, PAINTED, opacity=0.7)


def particles_layer(cell: Cell) -> LayerData | None:
    """Show the particles, hidden until they are asked for."""
    labels = _labels(cell, "particles")
    if labels is None:
        return None
    return labels, placed(cell, "particles", opacity=0.7, visible=False), "labels"


def mesh_layer(cell: Cell, name: str, surface: Surface) -> LayerData:
    """Show a surface in 3-D."""
    vertices, faces, _ = heightmaps.mesh(surface.height_um, cell.volume.voxel_size_um)
    vertices = vertices / np.asarray(cell.volume.voxel_size_um)
    if not len(faces):  # a surface that is nowhere: napari draws no empty mesh
        vertices, faces = np.zeros((3, 3)), np.array([[0, 1, 2]])
    shown = name.replace("_", "/")
    settings = placed(
        cell,
        shown,
        vertex_colors=np.tile((*heightmaps.color(name), 1.0), (len(vertices), 1)),
        shading="smooth",
        opacity=0.4,
        blending="translucent",
    )
    return (vertices, faces), settings, "surface"


def lines_layer(cell: Cell, surfaces: dict[str, Surface]) -> LayerData:
    """Show the surfaces as lines in every cross-section; `xct.plugin.data.lines` draws them."""
    note = {"surfaces": surfaces, "voxel_size_um": cell.volume.voxel_size_um}
    settings = placed(cell, "lines", note=note, vector_style="line", opacity=1.0)
    settings["name"] = f"{cell.name} surfaces"
    return np.zeros((0, 2, 3)), settings | {"ndim": 3}, "vectors"


def stored_rois(cell: Cell) -> list[Roi]:
    """Read the ROI set that a run measured; nothing where it had none."""
    named = None if cell.result is None else cell.path / "rois.yaml"
    if named is not None and not named.is_file() and (cell.path / "run.yaml").is_file():
        configuration = cell.result.account.get("configuration") if cell.result else None
        rois = (configuration or {}).get("rois")
        named = Path(rois) if rois else None
    if named is None or not named.is_file() or cell.geometry is None:
        return []
    with errors_shown(f"{named} is broken"):
        return [flat_on_cell(roi, cell.geometry) for roi in read_rois(named)]
    return []


def roi_layer(cell: Cell, rois: Sequence[Roi]) -> LayerData:
    """Show ROIs as shapes; the ROI inspector draws them in every slice that they hold."""
    geometry = cell.geometry
    assert geometry is not None  # else `stored_rois` gives none
    middle = (cell.volume.shape[0] - 1) // 2
    drawn = [to_shape(geometry, roi, 0, middle) for roi in rois]
    settings = placed(
        cell,
        "ROIs",
        note={"rois": list(rois)},
        shape_type=[kind for _, kind in drawn],
        features={"name": np.array([roi.name for roi in rois], object)},
        edge_width=1.0,
        **ROI_LOOK,
    )
    return [vertices for vertices, _ in drawn], settings, "shapes"


def _electrolyte(cell: Cell) -> float | None:
    if cell.result is None:
        return None
    measured = cell.result.summary.get("electrolyte_peak_per_cm")
    value = measured.get("value") if isinstance(measured, dict) else None
    return float(value) if value and np.isfinite(value) and value > 0 else None


def empty_roi_layer(cell: Cell) -> LayerData:
    """Give a layer for ROIs that are yet to come."""
    settings = placed(
        cell,
        "ROIs",
        note={"rois": []},
        ndim=3,
        features={"name": np.zeros(0, object)},
        **ROI_LOOK,
    )
    return None, settings, "shapes"


def _active_material(cell: Cell, electrolyte: float | None) -> float | None:
    """Give what most of the active material stays below, above air: its mean and scatter."""
    if electrolyte is None or cell.result is None or not cell.normalized:
        return None
    with errors_shown(f"{cell.path / 'tables'} is broken"):
        if "materials" not in cell.result.tables:
            return None
        found = cell.result.tables["materials"].set_index("material")
        if "active_material" not in found.index:
            return None
        most = found["mean_grey"] + found["sd_grey"]
        ratio = float(cell.result.grey_scale.ratio(most["active_material"]))
        return ratio * electrolyte if np.isfinite(ratio) and ratio > 2 else None
    return None


def _air(cell: Cell) -> float:
    """Read the value of air that the electrolyte's is measured from; 0 of attenuation."""
    if cell.result is None or not (cell.path / "reference.json").is_file():
        return 0.0
    with errors_shown(f"{cell.path / 'reference.json'} is broken"):
        return float(cell.result.reference.air)
    return 0.0


def _materials(cell: Cell, kind: str, **settings: Any) -> LayerData | None:
    """Color labels by material; the status bar names it."""
    labels = _labels(cell, kind)
    if labels is None:
        return None
    return labels, placed(cell, kind, **material_look(), **settings), "labels"


def material_look() -> dict[str, Any]:
    """Give colors and names of materials, as napari takes them."""
    names = {code: name.replace("_", " ") for name, code in MATERIALS.items()}
    features = {"index": [0, *names], "material": ["outside", *names.values()]}
    return {"colormap": MATERIAL_COLORMAP, "features": features}


def _labels(cell: Cell, name: str) -> Any:
    volume = cell.volume_path
    if not (volume / "labels" / name).is_dir():
        return None
    with errors_shown(f"{volume / 'labels' / name} is broken"):
        return open_labels(volume, name)
    return None


def _surfaces(cell: Cell) -> dict[str, Surface]:
    path = cell.path / "surfaces.zarr"
    if cell.result is None or not path.is_dir():
        return {}
    with errors_shown(f"{path} is broken"):
        there = cell.result.surfaces
        found = {name: there[name] for name in SURFACES if name in there}
        return {name: one for name, one in found.items() if np.isfinite(one.height_um).any()}
    return {}
