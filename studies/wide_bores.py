"""Codependence of whole runs in a bore of 1 mm: told where it is, and only there.

In: nothing; out: for each of eight virtual cells, what a study says of whether its cathode is
damaged where lithium is lost, beside the true coefficient. In three it is (``ncm-100``), three are
twins in which it is not, two are coated (``lzp-100``). Each is scanned and run by the recipe
`tomo_cell`; its raw scan is removed.

``python -m studies.wide_bores OUT`` goes on where it was; ``--table`` shows what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import click

import xct
from xct.phantom.cell.states import state_named
from xct.phantom.writing import write_phantom
from xct.result import open_result
from xct.study.cells import open_cells
from xct.study.codependence.measured import measure_together
from xct.study.settings import load_study

if TYPE_CHECKING:
    from xct.study.codependence.measured import Together

# No seed was used to choose a rule, and none is that of another cell: ten different cells.
CELLS = (
    ("ncm-0", 40), ("ncm-100", 41), ("ncm-100-uncorrelated", 44), ("lzp-100", 47),
    ("ncm-100", 42), ("ncm-100-uncorrelated", 45), ("lzp-0", 50), ("lzp-100", 48),
    ("ncm-100", 43), ("ncm-100-uncorrelated", 46),
)  # fmt: skip
_SHAPE, _ANGLES, _BORE_UM = (160, 560, 560), 880, 1000.0


def run_cell(state: str, seed: int, out: Path) -> None:
    """Scan and measure a cell, unless that was done."""
    folder = _folder(state, seed, out)
    if not (folder / "result" / "summary.json").exists():
        config = folder / "config.yaml"
        if not config.exists():
            write_phantom(state, folder, seed=seed, shape=_SHAPE, angles=_ANGLES, bore_um=_BORE_UM)
        xct.run(config)
    rmtree(folder / "raw", ignore_errors=True)


def study_of(out: Path) -> dict[str, Any]:
    """Give the study of all cells that are there, as `xct.compare` takes it."""
    entries = []
    for state, seed in CELLS:
        result = _folder(state, seed, out) / "result"
        if (result / "summary.json").exists():
            known = state_named(state)
            entries.append({"result": str(result), "name": f"{state}, seed {seed}",
                            "group": known.group, "cycles": known.cycles})  # fmt: skip
    title = "Whole runs of virtual cells with a bore of 1 mm"
    return {"study": {"title": title, "cells": entries, "render": False}}


def table(cells: Sequence[Together]) -> str:
    """Show, as a table in Markdown, what was found in each cell beside what is true."""
    return "\n".join([
        "| cell | true coefficient | p | r (95 %) | the report says |", "|---|---|---|---|---|",
        *_lines(cells),
    ])  # fmt: skip


def _lines(cells: Sequence[Together]) -> Iterator[str]:
    for one in cells:
        true = open_result(one.cell.result.path.parent / "truth").summary
        known = true.get("correlation_dead_stripped", {}).get("value")
        shown = "–" if known is None else f"{round(known, 2) + 0.0:.2f}"
        found = one.found
        p, r = ("–", "–") if found is None else (f"{found.p_value:.2g}", _interval(one))
        yield f"| {one.cell.name} | {shown} | {p} | {r} | {one.answer()} |"


def _interval(one: Together) -> str:
    best = one.found.best if one.found else None
    if best is None or best.value != best.value:
        return "withheld"
    return f"{best.value:.2f} ({best.low:.2f} … {best.high:.2f})".replace("-", "−")


def _folder(state: str, seed: int, out: Path) -> Path:
    return out / f"{state}-{seed}"


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--table", "only", is_flag=True, help="Show what is there, and run nothing.")
def main(out: Path, only: bool) -> None:
    """Run the cells and say of each whether both layers belong together."""
    out = out.resolve()
    for state, seed in () if only else CELLS:
        run_cell(state, seed, out)
        click.echo(f"{state}, seed {seed}: done")
    cells, _ = open_cells(load_study(study_of(out)))
    click.echo(table(measure_together(cells)))


if __name__ == "__main__":
    main()
