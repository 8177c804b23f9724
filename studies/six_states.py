"""Six states side by side, over seeds: known differences are found, and only those.

In: seeds; out: for each seed, what `xct.compare` says of each number of each cell against its
pristine one, beside what is true. A twin, the same pristine cell with other noise, has no
difference: what is found in it is false. Volumes are drawn as a scan would show them and measured
by the recipe `analyze`; the cells are small, so that ten seeds take an hour.

``--twins`` draws other cells: each lacks one thing that was concluded of the cell with 100 cycles,
and so must the conclusions.

Whole runs count as well: ``--run FOLDER`` is a folder of `xct phantom` with its result, of which
nothing is measured again; of its grey values nothing is said.

``python -m studies.six_states OUT`` goes on where it was: seeds in ``OUT/found.jsonl`` are not
done again; ``--table`` shows what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import pi
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import click

import xct
from xct.bench.drawn_volumes import Drawing, draw_volume, drawn_cell
from xct.phantom.cell.states import state_named
from xct.phantom.truth.tables import facts_of, tables_of
from xct.result import open_result
from xct.study.cells import open_cells
from xct.study.layers import Row, changes, layer_rows
from xct.study.settings import load_study

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.study.comparing import Comparison

STATES = ("ncm-0", "ncm-50", "ncm-100", "lzp-0", "lzp-50", "lzp-100")
TWIN = "ncm-0-again"
# What is so of a twin of the cell with 100 cycles, and what is not; parts of the conclusions.
# Lithium is gone where there is a void, too; that inclusions are lithium is not so of voids alone.
_DRIFT, _LITHIUM = "cathode drifted into", "hold less lithium"
_GONE, _TOGETHER, _METAL = "gone in places", "damaged where lithium", "inclusions in the"
TWINS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ncm-100-drift-only": ((_DRIFT, _GONE, _TOGETHER), (_LITHIUM,)),
    "ncm-100-delithiated-only": ((_LITHIUM, _GONE, _TOGETHER), (_DRIFT,)),
    "ncm-100-voids": ((_DRIFT, _LITHIUM, _GONE, _TOGETHER), (_METAL,)),
    "ncm-100-uncorrelated": ((_DRIFT, _LITHIUM, _GONE), (_TOGETHER,)),
}
_SHAPE, _VOXEL_UM = (112, 160, 160), 2.0
_SHAPE_OF_TWINS = (160, 256, 256)  # in a narrower bore two particles drifted: none could tell
_ENERGY_KEV = 25.0
_NOISE = {TWIN: 8}  # other noise than that of all others
_LEAST = 1e-9  # differences up to here are none
# What is known from below only: a part of the inclusions is too small to be seen.
_COUNTED = ("inclusions_per_mm3",)


def truth_of(drawing: Drawing) -> dict[str, float]:
    """Give the true value of every number that a study shows of a drawn cell's layers."""
    cell = drawn_cell(drawing)
    tables = tables_of(cell)
    return _true_numbers(facts_of(cell, tables), tables["surfaces"], cell.layout.bore_radius_um)


def truth_in(folder: Path) -> dict[str, float]:
    """Give the same of a folder that `xct phantom` wrote."""
    truth = open_result(folder / "truth")
    facts = {
        k: v["value"] for k, v in truth.summary.items() if isinstance(v, dict) and "value" in v
    }
    return _true_numbers(facts, truth.tables["surfaces"], facts["bore_um"] / 2)


def _true_numbers(
    facts: Mapping[str, Any], surfaces: DataFrame, radius_um: float
) -> dict[str, float]:
    sq = surfaces.set_index("surface")["Sq_um"]
    area_mm2 = pi * radius_um**2 / 1e6
    layers = ("thickness_um.lithium", "thickness_um.electrolyte", "thickness_um.cathode")
    return {
        **{key: float(facts[key]) for key in layers},
        "absent_area_fraction": 100 * float(facts["absent_area_fraction"]),
        "roughness_um.lithium_electrolyte": float(sq["lithium_electrolyte"]),
        "drifted_per_mm2": facts["drifted_particles"] / area_mm2,
        "inclusions_per_mm3": 1000 * facts["inclusions"] / area_mm2
        / facts["thickness_um.electrolyte"],
    }  # fmt: skip


def one_seed(seed: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Draw, measure and compare the cells of one seed; yield what was found, number by number."""
    drawings, study = _compared((*STATES, TWIN), seed, folder)
    true = {state: truth_of(drawing) for state, drawing in drawings.items()}
    yield from _beside_truth(study.rows, true, seed)
    for each in study.grey:
        for row in each.tables.get("roi_test", _NONE).to_dict("records"):
            yield {"seed": seed, "cell": each.cell.name, "number": "rois", "p": row["p_value"]}
    yield from _concluded(study, seed)


def twins_of(seed: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Do so with the twins; yield what is concluded."""
    _, study = _compared(("ncm-0", *TWINS), seed, folder, _SHAPE_OF_TWINS)
    yield from _concluded(study, seed)


def _compared(
    states: Sequence[str], seed: int, folder: Path, shape: tuple[int, int, int] = _SHAPE
) -> tuple[dict[str, Drawing], Comparison]:
    drawings = {
        state: Drawing(
            state, state.removesuffix("-again"), shape, _VOXEL_UM, seed=seed,
            noise_seed=_NOISE.get(state, 7),
        )
        for state in states
    }  # fmt: skip
    entries = []
    for state, drawing in drawings.items():
        _measured(drawing, folder)
        known = state_named(drawing.state)
        entries.append(
            {"result": str(folder / f"{state}-result"), "name": state, "group": known.group,
             "cycles": 1 if state == TWIN else known.cycles}
        )  # fmt: skip
    return drawings, xct.compare({"study": {"cells": entries, "render": False}})


def _concluded(study: Comparison, seed: int) -> Iterator[dict[str, Any]]:
    for one in study.conclusions:
        yield {"seed": seed, "cell": one.about, "conclusion": one.text,
               "support": one.support, "because": one.because}  # fmt: skip


def of_runs(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Compare whole runs of one seed with the pristine cell of their group among them."""
    true = {folder.name: truth_in(folder) for folder in folders}
    entries = []
    for folder in folders:
        facts = open_result(folder / "truth").summary
        entries.append(
            {"result": str(folder / "result"), "name": folder.name,
             "group": facts["state.group"]["value"], "cycles": facts["state.cycles"]["value"]}
        )  # fmt: skip
    cells, _ = open_cells(load_study({"study": {"cells": entries}}))
    yield from _beside_truth(layer_rows(cells), true, facts["seed"]["value"])


def _beside_truth(
    rows: Sequence[Row], true: Mapping[str, Mapping[str, float]], seed: int
) -> Iterator[dict[str, Any]]:
    for change in changes(rows):
        cell, before, key = change.row.cell.name, change.before.cell.name, change.row.key
        yield {
            "seed": seed, "cell": cell, "number": key, "change": change.value,
            "low": change.low, "high": change.high, "true": true[cell][key] - true[before][key],
        }  # fmt: skip


class _Nothing:
    """A table that is not there."""

    def to_dict(self, _: str) -> list[dict[str, Any]]:
        """Give no rows."""
        return []


_NONE = _Nothing()


def _measured(drawing: Drawing, folder: Path) -> None:
    """Measure a drawn volume, unless that was done."""
    result = folder / f"{drawing.name}-result"
    if (result / "summary.json").exists():
        return
    xct.run({
        "volume": {"file": str(draw_volume(drawing, folder)), "energy_kev": _ENERGY_KEV},
        "pipeline": "analyze", "output": str(result), "run": {"figures": "none"},
    })  # fmt: skip


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Sum up, as a table in Markdown: by number, in its interval, told apart, and false."""
    rows = [row for row in found if "true" in row]
    lines = [
        "| number | true change within the 95 % interval | told apart, of those that changed "
        "| found in the twin, which did not |",
        "|---|---|---|---|",
    ]
    for key in dict.fromkeys(row["number"] for row in rows):
        own = [row for row in rows if row["number"] == key]
        cells = [row for row in own if row["cell"] != TWIN]
        changed = [row for row in cells if abs(row["true"]) > _LEAST]
        inside = sum(row["low"] <= row["true"] <= row["high"] for row in cells)
        told = sum(_is_told(row) and row["change"] * row["true"] > 0 for row in changed)
        twins = [row for row in own if row["cell"] == TWIN]
        false = sum(map(_is_told, twins))
        within = "known from below" if key in _COUNTED else f"{inside} of {len(cells)}"
        lines.append(f"| {key} | {within} | {told} of {len(changed)} | {false} of {len(twins)} |")
    seen = [(row["cell"], row["p"] <= 0.05) for row in found if "p" in row]
    told = sum(small for cell, small in seen if cell != TWIN)
    false = sum(small for cell, small in seen if cell == TWIN)
    cycled, twins = (sum((cell == TWIN) == which for cell, _ in seen) for which in (False, True))
    lines.append(f"| grey values of ROIs, p ≤ 0.05 | | {told} of {cycled} | {false} of {twins} |")
    return "\n".join(lines)


def table_of_twins(found: Sequence[Mapping[str, Any]]) -> str:
    """Sum up, as a table in Markdown: of each twin, what was supported of what is so and is not."""
    lines = ["| twin | supported, and so | supported, though not so |", "|---|---|---|"]
    for twin, both in TWINS.items():
        own = [row for row in found if row["cell"] == twin and "conclusion" in row]
        told = ["; ".join(_supported(own, part) for part in parts) for parts in both]
        lines.append(f"| {twin.removeprefix('ncm-100-')} | {told[0]} | {told[1]} |")
    return "\n".join(lines)


def _supported(rows: Sequence[Mapping[str, Any]], part: str) -> str:
    those = [row for row in rows if part in row["conclusion"]]
    count = sum(row["support"] == "supported" for row in those)
    return f"{part}: {count} of {len(those)}"


def _is_told(row: Mapping[str, Any]) -> bool:
    return bool(row["low"] > 0 or row["high"] < 0)


def _read(out: Path) -> list[dict[str, Any]]:
    path = out / "found.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [row for line in text.splitlines() for row in json.loads(line)]


def _append(out: Path, rows: list[dict[str, Any]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "found.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(rows) + "\n")


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seeds", default=10, show_default=True, help="How many, from --first on.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of xct phantom, with its result; all of one seed. Nothing is drawn.",
)
@click.option("--twins", is_flag=True, help="Draw the twins; in a folder of their own.")
@click.option("--table", "only", is_flag=True, help="Show what is there, and measure nothing.")
def main(
    out: Path, seeds: int, first: int, runs: tuple[Path, ...], twins: bool, only: bool
) -> None:
    """Measure and compare cells of several seeds."""
    if runs:
        _append(out, list(of_runs(runs)))
    done = {row["seed"] for row in _read(out)}
    for seed in [] if only or runs else range(first, first + seeds):
        if seed in done:
            continue
        folder = out / f"seed-{seed}"
        rows = list((twins_of if twins else one_seed)(seed, folder))
        _append(out, rows)
        rmtree(folder)
    click.echo((table_of_twins if twins else table)(_read(out)))


if __name__ == "__main__":
    main()
