"""The scene of a cell. In: a result, ROIs; out: its layers, particles, cut and ROIs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xct.analyze.roi.coordinates import Roi
from xct.errors import XctError
from xct.geometry import CellGeometry, Surface
from xct.render.faces import cut_faces
from xct.render.layers import layer_bodies
from xct.render.outlines import outlines
from xct.render.particles import coarseness, particle_bodies
from xct.render.scene import Scene, World
from xct.result import Result

# Voxels across the bore: of a picture, and on the page, the first that fits.
FINE, COARSE = 400, (130, 90, 60)


def scene_of(result: Result, name: str, *, rois: Sequence[Roi] = (), across: int = FINE) -> Scene:
    """Build the scene of a finished result.

    Memory and triangles depend on `across`, not on the size of the volume.

    Parameters
    ----------
    result : Result
        Of a cell.
    name : str
        Of the cell.
    rois : sequence of Roi, optional
        What is outlined.
    across : int, optional
        Coarse voxels across the bore, at most.

    Raises
    ------
    XctError
        If the run did not find the cell.
    """
    if not (result.path / "cell.json").is_file():
        raise XctError(
            f"{result.path}: the cell was not found in this volume, so nothing can be cut out of "
            "it; `xct view` shows any volume"
        )
    cell = result.cell
    surfaces = result.surfaces if (result.path / "surfaces.zarr").exists() else {}
    top, bottom = _ends_um(cell, surfaces)
    world = World(cell, (top + bottom) / 2)
    missing: list[str] = []
    bodies = list(layer_bodies(cell, surfaces, world, across // 5))
    labels, particles = (_labels(result, each, missing) for each in ("materials", "particles"))
    if labels is not None:
        table = result.tables.get("particles")
        bodies += particle_bodies(cell, labels, particles, table, world, across)
    faces = []
    try:
        before_um = coarseness(cell, across) * max(cell.voxel_size_um)
        faces = list(cut_faces(result, cell, surfaces, world, before_um))
    except XctError as error:
        missing.append(f"grey values on the cut: {error}")
    marked, said = outlines(rois, cell, world)
    return Scene(
        name, cell.bore_radius_um, abs(top - bottom), bodies, faces, marked, [*missing, *said]
    )


def _labels(result: Result, name: str, missing: list[str]) -> Any:
    try:
        return result.labels(name)
    except XctError as error:
        missing.append(f"{name}: {error}")
        return None


def _ends_um(cell: CellGeometry, surfaces: Mapping[str, Surface]) -> tuple[float, float]:
    """Give the heights in the volume between which something is shown."""
    last = (cell.shape[0] - 1) * cell.voxel_size_um[0]
    ends = [0.0, last] if cell.sign > 0 else [last, 0.0]
    for number, name in ((0, "steel_lithium"), (1, "cathode_collector")):
        if name in surfaces and np.isfinite(surfaces[name].height_um).any():
            heights = surfaces[name].height_um
            towards_anode = (cell.sign > 0) == (number == 0)
            ends[number] = float((np.nanmin if towards_anode else np.nanmax)(heights))
        elif name in cell.planes:
            ends[number] = cell.planes[name].height_um
    return ends[0], ends[1]
