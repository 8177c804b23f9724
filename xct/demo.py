"""Demo: six virtual cells, from raw scans to scored numbers. In: a folder; out: files, a table."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xct.io.atomic import write_json
from xct.pipeline import run
from xct.resources import show_seconds
from xct.result import Result, open_result

log = logging.getLogger("xct")

STATES = ("ncm-0", "ncm-50", "ncm-100", "lzp-0", "lzp-50", "lzp-100")
# Detector rows, columns along y and x; projections.
SIZES: Mapping[str, tuple[tuple[int, int, int], int]] = {
    "small": ((160, 256, 256), 400),
    "medium": ((400, 512, 512), 800),
}
# What the table shows: key of the summary, heading, format.
_SHOWN = (
    ("thickness_um.lithium", "Li (µm)", "{:.1f}"),
    ("absent_area_fraction", "Li gone", "{:.1%}"),
    ("thickness_um.electrolyte", "SE (µm)", "{:.1f}"),
    ("drifted_particles", "drifted", "{:.0f}"),
    ("inclusions", "inclusions", "{:.0f}"),
)


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
        What was measured beside what is true, and where to look.
    """
    started = time.monotonic()
    cells = [one_cell(state, out / state, size) for state in STATES]
    from xct.report.demo_figure import draw_demo

    draw_demo(out, cells)
    spent = show_seconds(time.monotonic() - started)
    look = f"look at {out / 'cells.png'} and at figures/ in {out / STATES[2] / 'result'}"
    return "\n".join([*_table(cells), f"six cells after {spent}; {look}"])


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
    lines = ["", f"{'cell':<9}" + "".join(f"{heading:>22}" for _, heading, _ in _SHOWN)]
    for cell in cells:
        texts = [_pair(cell, key, form) for key, _, form in _SHOWN]
        lines.append(f"{cell.state:<9}" + "".join(f"{text:>22}" for text in texts))
    return [*lines, "measured (true)"]


def _pair(cell: DemoCell, key: str, form: str) -> str:
    found, true = (side.summary.get(key) for side in (cell.result, cell.truth))
    measured = "–" if found is None else form.format(found["value"])
    return measured if true is None else f"{measured} ({form.format(true['value'])})"
