"""Demo: six virtual cells, from raw scans to scored numbers. In: a folder; out: files, a table."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xct.analyze import thickness_maps
from xct.errors import show_seconds, show_with_sd
from xct.figures import SURFACE_COLORS, canvas, scale_bar
from xct.io.atomic import write_json
from xct.pipeline.runner import run
from xct.result import Result, open_result
from xct.simulate import simulate
from xct.study.comparing import compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xct.result import Result


# The picture of the demo: six cells side by side. In: results and truths; out: one PNG.


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
    thickness = np.abs(thickness_maps(cell.truth.surfaces)["lithium"].height_um)
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
            axis.plot(np.arange(width) * x, line, color=SURFACE_COLORS[name], lw=1.2)
    axis.set(xticks=[], yticks=[], title=cell.state)
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])


def _has_surfaces(result: Result) -> bool:
    return (result.path / "surfaces.zarr").exists()


def _draw_lithium(axis: Axes, side: Result, thickest: float, title: str) -> Any:
    thickness = np.full(side.stored_volume.shape[1:], np.nan)
    if _has_surfaces(side) and {"steel_lithium", "lithium_electrolyte"} <= side.surfaces.keys():
        thickness = np.abs(thickness_maps(side.surfaces)["lithium"].height_um)
    image = axis.imshow(thickness, cmap="viridis", vmin=0, vmax=thickest, interpolation="none")
    axis.set(xticks=[], yticks=[], title=title)
    scale_bar(axis, thickness.shape[1], side.stored_volume.voxel_size_um[2], color="black")
    return image


log = logging.getLogger("xct")

STATES = ("ncm-0", "ncm-50", "ncm-100", "lzp-0", "lzp-50", "lzp-100")
_DEAD = {"drifted": True, "li_content_above": 0.6}
_SIMULATED = 2  # the one of which a plane is simulated
# Detector rows, columns along y and x; projections.
SIZES: Mapping[str, tuple[tuple[int, int, int], int]] = {
    "small": ((160, 256, 256), 400),
    "medium": ((400, 512, 512), 800),
}
# What the table shows: key of the summary, heading, factor, decimals.
_SHOWN = (
    ("thickness_um.lithium", "Li (µm)", 1.0, 1),
    ("absent_area_fraction", "Li gone (%)", 100.0, 1),
    ("thickness_um.electrolyte", "SE (µm)", 1.0, 1),
    ("drifted_particles", "drifted", 1.0, 0),
    ("inclusions", "inclusions", 1.0, 0),
)
_BOUNDS = {"lower": "≥ ", "upper": "≤ "}


@dataclass(frozen=True)
class DemoCell:
    """One virtual cell of the demo, run and scored."""

    state: str
    result: Result
    truth: Result
    scores: Mapping[str, Any]


def run_demo(out: Path, size: str) -> str:
    """Make, reconstruct, measure and score the six cells; what is there already is used again.

    Parameters
    ----------
    out : path
        Folder for cells, results, and the picture of all of them.
    size : {"small", "medium"}
        160 × 256 × 256 voxels and 400 projections each, or 400 × 512 × 512 and 800.

    Returns
    -------
    str
        What was measured beside what is true, and where the report of all six is.
    """
    started = time.monotonic()
    cells = [one_cell(state, out / state, size) for state in STATES]
    from xct.bench.demo import draw_demo

    draw_demo(out, cells)
    simulation = _simulated(out, cells)  # the report shows what lies with its results
    report = _compared(out, cells)
    spent = show_seconds(time.monotonic() - started)
    look = f"open {report}; look at {out / 'cells.png'} and {simulation}"
    return "\n".join([*_table(cells), f"six cells after {spent}; {look}"])


def _compared(out: Path, cells: Sequence[DemoCell]) -> Path:
    """Write the report of the six cells side by side."""
    listed = [{"result": str(cell.result.path.resolve())} for cell in cells]
    title = "Six virtual cells: pristine, after 50 and after 100 cycles"
    study = {"study": {"title": title, "cells": listed}}
    return compare(study).write(out / "comparison")


def _simulated(out: Path, cells: Sequence[DemoCell]) -> Path:
    """Solve for the current in a plane of the most damaged cell; give its picture."""
    plane = {"result": str(cells[_SIMULATED].result.path.resolve()), "offset_um": 40.0}
    cases = [{"name": "all active"}, {"name": "dead ones", "dead": _DEAD}]
    title = f"Current in a plane of {cells[_SIMULATED].state}"
    simulate({"simulate": {"title": title, "slice": plane, "cases": cases}}, out=out / "simulation")
    return out / "simulation" / "figures" / "fields.png"


def one_cell(state: str, folder: Path, size: str, *, seed: int = 0) -> DemoCell:
    """Make a virtual cell, run its configuration and score the result."""
    from xct.phantom.writing import write_phantom
    from xct.score import score

    shape, angles = SIZES[size]
    config = folder / "config.yaml"
    if not config.exists():
        log.info("%s: making the virtual scan", state)
        write_phantom(state, folder, seed=seed, shape=shape, angles=angles)
    result = run(config)
    scores = score(result.path, folder / "truth")
    write_json(folder / "score.json", scores)
    return DemoCell(state, result, open_result(folder / "truth"), scores)


def _table(cells: list[DemoCell]) -> list[str]:
    lines = ["", f"{'cell':<9}" + "".join(f"{heading:>22}" for _, heading, _, _ in _SHOWN)]
    for cell in cells:
        texts = [_pair(cell, key, factor, decimals) for key, _, factor, decimals in _SHOWN]
        lines.append(f"{cell.state:<9}" + "".join(f"{text:>22}" for text in texts))
    return [*lines, "measured ± standard uncertainty (true); ≤, ≥: known on one side only"]


def _pair(cell: DemoCell, key: str, factor: float, decimals: int) -> str:
    found, true = (side.summary.get(key) for side in (cell.result, cell.truth))
    measured = "–" if found is None else with_sd(found, factor, decimals)
    return measured if true is None else f"{measured} ({factor * true['value']:.{decimals}f})"


def with_sd(entry: Mapping[str, Any], factor: float, decimals: int) -> str:
    """Write a number of a summary with its bound and its standard uncertainty."""
    bound = _BOUNDS.get(entry.get("bound", ""), "")
    return bound + show_with_sd(factor * entry["value"], factor * entry.get("sd", 0.0), decimals)
