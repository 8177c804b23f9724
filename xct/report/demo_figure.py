"""The picture of the demo: six cells side by side. In: results and truths; out: one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xct.report.figures import canvas, scale_bar
from xct.report.measured_figures import COLORS, thickness_um

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xct.result import Result


class MeasuredCell(Protocol):
    """A result with its name and its truth."""

    @property
    def state(self) -> str:
        """Name of the state."""
        ...

    @property
    def result(self) -> Result:
        """What was measured."""
        ...

    @property
    def truth(self) -> Result:
        """What is true."""
        ...


def draw_demo(out: Path, cells: Sequence[MeasuredCell]) -> None:
    """Draw a cut of every cell with its surfaces, and its lithium: measured, and true.

    Parameters
    ----------
    out : Path
        Folder for ``cells.png``.
    cells : sequence
        In the order of the columns.
    """
    from xct.io.atomic import written_whole

    figure, axes = canvas(3, len(cells), (3.4 * len(cells), 9.2))
    grid = np.array(axes).reshape(3, -1)
    thickest = max(_thickest(cell) for cell in cells)
    for column, cell in enumerate(cells):
        _draw_cut(grid[0, column], cell)
        for row, side, name in ((1, cell.result, "measured"), (2, cell.truth, "true")):
            image = _draw_lithium(grid[row, column], side, thickest, f"lithium, {name}")
    figure.colorbar(image, ax=list(grid[1:, -1]), label="thickness of lithium (µm)")
    with written_whole(out / "cells.png") as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _thickest(cell: MeasuredCell) -> float:
    thickness = thickness_um(cell.truth.surfaces, "lithium")
    return float(np.nanpercentile(thickness, 99.5))


def _draw_cut(axis: Axes, cell: MeasuredCell) -> None:
    volume = cell.result.stored_volume
    depth, height, width = volume.shape
    z, _, x = volume.voxel_size_um
    y = height // 2
    extent = (-x / 2, (width - 0.5) * x, (depth - 0.5) * z, -z / 2)
    axis.imshow(volume[:, y], cmap="gray", vmin=-3, vmax=60, extent=extent, interpolation="none")
    surfaces: dict[str, Any] = cell.result.surfaces if _has_surfaces(cell.result) else {}
    for name in ("lithium_electrolyte", "electrolyte_cathode"):
        if name in surfaces:
            line = surfaces[name].height_um[y]
            axis.plot(np.arange(width) * x, line, color=COLORS[name], lw=1.2)
    axis.set(xticks=[], yticks=[], title=cell.state)
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])


def _has_surfaces(result: Result) -> bool:
    return (result.path / "surfaces.zarr").exists()


def _draw_lithium(axis: Axes, side: Result, thickest: float, title: str) -> Any:
    thickness = np.full(side.stored_volume.shape[1:], np.nan)
    if _has_surfaces(side) and {"steel_lithium", "lithium_electrolyte"} <= side.surfaces.keys():
        thickness = thickness_um(side.surfaces, "lithium")
    image = axis.imshow(thickness, cmap="viridis", vmin=0, vmax=thickest, interpolation="none")
    axis.set(xticks=[], yticks=[], title=title)
    scale_bar(axis, thickness.shape[1], side.stored_volume.voxel_size_um[2], color="black")
    return image
