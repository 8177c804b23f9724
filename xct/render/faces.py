"""Grey values where the cell is cut. In: levels of a volume; out: two pictures, and interfaces.

The planes go through the axis. They are read from the coarsest level that is as fine as a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xct.figures import SURFACE_COLORS
from xct.geometry import CellGeometry, Surface
from xct.io.volumes import open_levels
from xct.normalize import grey_values
from xct.render.scene import Face, World
from xct.result import Result

# As in the cross-sections of a study: lithium and electrolyte are told, active material is white.
_WINDOW, _GAMMA = (19_000.0, 41_000.0), 0.5
_ACROSS = 700  # voxels across the bore that a picture needs, at least
_LINE_PX = 2  # half the width of an interface's line, of a face at its own size


def cut_faces(
    result: Result,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    world: World,
    before_um: float,
) -> Iterator[Face]:
    """Give both faces of the cut, with the interfaces drawn on them.

    Steel, tube and collector are left out: there the face is transparent.

    Parameters
    ----------
    result : Result
        Its volume, on the electrolyte's grey scale.
    cell : CellGeometry
        Where it lies.
    surfaces : mapping of str to Surface
        Where layers begin and end.
    world : World
        Coordinates.
    before_um : float
        How far before the cut faces stand, so that no body reaches through.
    """
    diameter = 2 * cell.bore_radius_um
    levels = open_levels(result.path / "volume.zarr")
    fine = [level for level in levels if diameter / level.voxel_size_um[2] >= _ACROSS]
    level = fine[-1] if fine else levels[0]
    coarse = cell.in_level(level.shape, level.voxel_size_um)
    grey = grey_values(level, result.reference, coarse, result.grey_scale)
    for along in ("x", "y"):
        yield _face(along, grey, cell, surfaces, world, before_um)


def _face(
    along: str,
    grey: Any,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    world: World,
    before_um: float,
) -> Face:
    """Make the face that runs from the axis along +x of the world, or along −y of it."""
    coarse = grey.cell
    out_um = np.arange(0.0, world.radius_um, coarse.voxel_size_um[2])
    values = _plane(along, grey, cell, out_um)
    if cell.sign < 0:
        values = values[::-1]
    picture, finer = _enlarged(_brightness(values))
    out_um = (np.arange(picture.shape[1]) + 0.5) / finer * coarse.voxel_size_um[2]
    ends = world.heights(np.array([-0.5, coarse.shape[0] - 0.5]) * coarse.voxel_size_um[0])
    top, bottom = float(ends.max()), float(ends.min())
    heights = top - (np.arange(len(picture)) + 0.5) / len(picture) * (top - bottom)
    rgba = np.empty((*picture.shape, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = picture[..., None], 255
    lines = {
        name: _line(along, surface.height_um, cell, world, out_um)
        for name, surface in surfaces.items()
    }
    _draw_lines(rgba, heights, lines)
    _leave_out(rgba, heights, lines, cell, world)
    direction, outwards = np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    if along == "y":
        direction, outwards = outwards, direction
    length = picture.shape[1] / finer * coarse.voxel_size_um[2]
    up = np.array([0.0, 0.0, top - bottom])
    before = before_um * outwards + np.array([0.0, 0.0, bottom])
    return Face(before, direction * length, up, rgba)


def _plane(along: str, grey: Any, cell: CellGeometry, out_um: np.ndarray) -> np.ndarray:
    """Read a plane from the axis outwards, (z, distance)."""
    coarse = grey.cell
    axes = np.array([coarse.axis_y_um, coarse.axis_x_um]) / coarse.voxel_size_um[1:]
    if along == "x":
        columns = axes[1] + out_um / coarse.voxel_size_um[2]
    else:
        columns = axes[0] + cell.sign * out_um / coarse.voxel_size_um[1]
    limit = coarse.shape[2 if along == "x" else 1] - 1
    index = np.clip(np.rint(columns).astype(int), 0, limit)
    across = slice(int(index.min()), int(index.max()) + 1)
    other = round(float(axes[0 if along == "x" else 1]))
    if along == "x":
        read = np.asarray(grey[:, other : other + 1, across])[:, 0]
    else:
        read = np.asarray(grey[:, across, other : other + 1])[:, :, 0]
    return read[:, index - across.start]


def _brightness(values: np.ndarray) -> np.ndarray:
    low, high = _WINDOW
    part = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0.0, 1.0)
    return np.asarray(255 * part**_GAMMA)


def _enlarged(picture: np.ndarray) -> tuple[np.ndarray, int]:
    """Enlarge a picture so that lines on it are thin; give by how much, too."""
    from scipy import ndimage

    finer = max(1, round(_ACROSS / picture.shape[1]))
    return np.clip(
        ndimage.zoom(picture, finer, order=1, grid_mode=True, mode="nearest"), 0, 255
    ), finer


def _line(
    along: str, height_um: np.ndarray, cell: CellGeometry, world: World, out_um: np.ndarray
) -> np.ndarray:
    """Give a surface's heights along a face, in world coordinates."""
    zero = np.zeros_like(out_um)
    y, x = (zero, out_um) if along == "x" else (-out_um, zero)
    y_um, x_um = world.positions_um(y, x)
    at = tuple(
        np.clip(np.rint(um / edge).astype(int), 0, n - 1)
        for um, edge, n in zip((y_um, x_um), cell.voxel_size_um[1:], cell.shape[1:], strict=True)
    )
    return world.heights(height_um[at])


def _draw_lines(rgba: np.ndarray, heights: np.ndarray, lines: Mapping[str, np.ndarray]) -> None:
    from matplotlib.colors import to_rgb

    half = _LINE_PX * abs(heights[0] - heights[-1]) / len(heights)
    for name in ("lithium_electrolyte", "electrolyte_cathode"):
        if name in lines:
            near = np.abs(heights[:, None] - lines[name][None, :]) <= half
            rgba[near, :3] = [round(255 * part) for part in to_rgb(SURFACE_COLORS[name])]


def _leave_out(
    rgba: np.ndarray,
    heights: np.ndarray,
    lines: Mapping[str, np.ndarray],
    cell: CellGeometry,
    world: World,
) -> None:
    """Make steel and collector transparent; mean planes count where faces are unknown."""
    for name, is_above in (("steel_lithium", True), ("cathode_collector", False)):
        if name not in cell.planes:
            continue
        plane = float(world.heights(np.array(cell.planes[name].height_um)))
        line = lines.get(name, np.full(rgba.shape[1], np.nan))
        edge = np.where(np.isfinite(line), line, plane)
        beyond = heights[:, None] > edge if is_above else heights[:, None] < edge
        rgba[beyond, 3] = 0
