"""Accuracy on virtual cells: seeds of every state, scored. In: a folder; out: JSON, PNG, a table.

A cell that is scored already is not made again, so that an interrupted bench goes on, and several
processes on one folder share the work.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.bench.families import Family, families_of, scored
from xct.bench.machine import describe
from xct.io.atomic import write_json

# Claims of several processes on one folder's work. In: a file; out: whether it is ours.
#
# The system holds the claim for the process, and lets go of it when that ends, however it ends.


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Claim a file for as long as the context lasts.

    Parameters
    ----------
    file : path
        Made if it is not there; it stays, since removing it could give two processes the claim.

    Yields
    ------
    bool
        Whether it is ours; otherwise a living process has it.
    """
    with file.open("a", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


Scores = Mapping[str, Mapping[str, Any]]
_PRISTINE = ("ncm-0", "lzp-0")
_DRIFTED = ("ncm-50", "ncm-100", "ncm-50-filaments", "ncm-50-gaps")
# Of the family of ncm-0, besides the states of the demo; and what is drawn of the other make.
_BESIDES = ("ncm-50-filaments", "ncm-50-gaps")
_SCATTERED = ("ncm-0", "ncm-50", "ncm-100", "ncm-50-filaments")
_SCALE_GV = 2100.0  # between air and electrolyte
_PAUSE_S = 2.0  # until others are asked again whether they are ready


@dataclass(frozen=True)
class Target:
    """What a metric is wanted to be, over all cells that have it.

    Attributes
    ----------
    name : str
        As in the table.
    values : callable
        ``values(state, scores, voxel_um)``: what one cell contributes.
    median, worst : float
        Wanted: at least, or at most where `low` is good. The worst may be left open (None).
    low : bool
        Whether small values are good.
    most : float, optional
        The median is wanted between `median` and this.
    """

    name: str
    values: Callable[[str, Scores, float], list[float]]
    median: float
    worst: float | None
    low: bool = True
    most: float | None = None


def _of(metric: str, *, scale: float = 1.0, states: Sequence[str] | None = None) -> Any:
    """Take one metric, by magnitude, from the cells of some states."""

    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        if metric not in scores or (states is not None and state not in states):
            return []
        return [abs(scores[metric]["value"]) * scale]

    return values


def _in_voxels(*metrics: str) -> Any:
    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        return [abs(scores[m]["value"]) / voxel_um for m in metrics if m in scores]

    return values


def _all_of(prefix: str, scale: float = 1.0) -> Any:
    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        return [abs(s["value"]) * scale for m, s in scores.items() if m.startswith(prefix)]

    return values


def _coverage(state: str, scores: Scores, voxel_um: float) -> list[float]:
    """Take the coverage of all stated numbers, and of columns and particles; not those of a few."""
    parts = "coverage_95.numbers."
    names = [m for m in scores if m.startswith("coverage_95.") and not m.startswith(parts)]
    return [float(scores[name]["value"]) for name in names]


def _moved(what: str) -> list[str]:
    faces = ("lithium_electrolyte", "electrolyte_cathode")
    return [f"displacement_{what}_um.{face}" for face in faces]


_LAYERS = ("lithium", "electrolyte", "cathode")
TARGETS = (
    Target("Dice: lithium, pristine", _of("dice.lithium", states=_PRISTINE), 0.98, 0.97, low=False),
    Target(
        "Dice: lithium, cycled",
        _of("dice.lithium", states=("ncm-50", "ncm-100", "lzp-50", "lzp-100")),
        0.97,
        0.95,
        low=False,
    ),
    Target("Dice: electrolyte", _of("dice.separator"), 0.998, 0.995, low=False),
    Target("Dice: steel", _of("dice.steel"), 0.992, 0.985, low=False),
    Target("Dice: active material", _of("dice.active_material"), 0.94, 0.92, low=False),
    Target("Li/SE bias (voxel)", _in_voxels("surface_bias_um.lithium_electrolyte"), 0.05, 0.15),
    Target("Li/SE RMSE (voxel)", _in_voxels("surface_rmse_um.lithium_electrolyte"), 0.25, 0.4),
    Target("SE/cathode bias (voxel)", _in_voxels("surface_bias_um.electrolyte_cathode"), 0.2, 0.4),
    Target("SE/cathode RMSE (voxel)", _in_voxels("surface_rmse_um.electrolyte_cathode"), 0.6, 1.0),
    Target(
        "layer thickness (voxel)",
        _in_voxels(*(f"thickness_error_um.{layer}" for layer in _LAYERS)),
        0.3,
        0.6,
    ),
    Target("absent-Li area", _of("absent_area_error"), 0.01, 0.02),
    Target("Dice: map of absent Li", _of("dice.absent_area"), 0.95, 0.90, low=False),
    Target("particles: recall", _of("particle_recall"), 0.99, 0.97, low=False),
    Target("particles: precision", _of("particle_precision"), 0.99, 0.97, low=False),
    Target("particles: diameter bias (%)", _of("particle_diameter_bias_percent"), 2.0, 4.0),
    Target("drifted: F1", _of("drifted_f1", states=_DRIFTED), 0.97, 0.90, low=False),
    Target(
        "drifted where there are none",
        _of("drifted_false", states=("ncm-0", "lzp-0", "lzp-50", "lzp-100")),
        0,
        0,
    ),
    Target("inclusions: recall", _of("inclusion_recall"), 0.95, 0.85, low=False),
    Target("filaments: recall", _of("filament_recall"), 0.95, 0.9, low=False),
    Target("filaments: that are none", _of("filament_false"), 0, 1),
    Target("filaments: length (%)", _of("filament_length_bias_percent"), 5, 10),
    Target("filaments: thickness (%)", _of("filament_thickness_bias_percent"), 5, 15),
    Target("bridges: error of their number", _of("bridges_error"), 0, 1),
    Target("bounds that hold", _of("bounds_hold"), 1.0, 0.75, low=False),
    Target("inclusions: precision", _of("inclusion_precision"), 0.95, 0.85, low=False),
    Target(
        "grey value of the electrolyte by band (%)",
        _all_of("grey_bias.electrolyte.band", 100 / _SCALE_GV),
        0.2,
        0.5,
    ),
    Target("displacement bias (voxel)", _in_voxels(*_moved("bias")), 0.05, 0.15),
    Target("displacement RMSE (voxel)", _in_voxels(*_moved("rmse")), 0.3, 0.5),
    Target(
        "stated 95 % intervals that hold the truth",
        _coverage,
        0.90,
        None,
        low=False,
        most=0.99,
    ),
)


def bench_accuracy(out: Path, size: str) -> str:
    """Make, run and score virtual cells; compare median and worst with the targets.

    Parameters
    ----------
    out : path
        Folder for ``accuracy.json``, the scores of each cell, and the cells at work. Scans made
        before, in ``accuracy-SIZE/cells/STATE-SEED``, are used.
    size : {"quick", "full"}
        One seed of each state at the small size, or ten at the medium one (hours), and as many of
        some states of another make: another packing, other shapes, fractal pores, bent faces.

    Returns
    -------
    str
        The table, when every cell is scored, here or by another process on the same folder.
    """
    from xct.bench.demo import SIZES, STATES

    seeds, demo_size = (range(1), "small") if size == "quick" else (range(10), "medium")
    folder = out / f"accuracy-{demo_size}"
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    found = families_of((*STATES, *_BESIDES), seeds, folder, *SIZES[demo_size])
    found += families_of(_SCATTERED, seeds, folder, *SIZES[demo_size], make="scattered")
    finish_together(found)
    cells = [cell for family in found for cell in scored(family)]
    rows = [_row(target, cells) for target in TARGETS]
    write_json(out / "accuracy.json", {"machine": describe(), "size": demo_size,
                                       "cells": len(cells), "rows": rows})  # fmt: skip
    return _table(rows, len(cells), demo_size)


def finish_together(found: Sequence[Family], pause_s: float = _PAUSE_S) -> None:
    """Finish every family that no process works on, then wait for the others.

    A family whose process has died is taken over.
    """
    while True:
        waiting = [family for family in found if not family.is_finished()]
        if not waiting:
            return
        taken = False
        for family in waiting:
            with claimed(family.claim) as mine:
                if mine:
                    family.finish()
                    taken = True
        if not taken:
            time.sleep(pause_s)


def _row(target: Target, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [
        value
        for cell in cells
        for value in target.values(cell["state"], cell["scores"], cell["voxel_um"])
    ]
    worst = max if target.low else min
    return {
        "what": target.name,
        "n": len(found),
        "median": float(np.median(found)) if found else None,
        "worst": float(worst(found)) if found else None,
        "wanted_median": target.median,
        "wanted_worst": target.worst,
        "wanted_most": target.most,
        "low_is_good": target.low,
    }


def _table(rows: Sequence[Mapping[str, Any]], cells: int, size: str) -> str:
    lines = [
        f"accuracy on {cells} {size} virtual cells",
        f"{'what':<44}{'n':>5}{'median':>10}{'wanted':>12}{'worst':>10}{'wanted':>10}",
    ]
    for row in rows:
        sign = "≤" if row["low_is_good"] else "≥"
        wanted = [f"{sign} {row['wanted_median']:g}", f"{sign} {_shown(row['wanted_worst'])}"]
        if row["wanted_most"] is not None:
            wanted[0] = f"{row['wanted_median']:g} to {row['wanted_most']:g}"
        if row["wanted_worst"] is None:
            wanted[1] = "–"
        lines.append(
            f"{row['what']:<44}{row['n']:>5}{_shown(row['median']):>10}{wanted[0]:>12}"
            f"{_shown(row['worst']):>10}{wanted[1]:>10}" + ("" if _met(row) else "  missed")
        )
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _met(row: Mapping[str, Any]) -> bool:
    if row["median"] is None:
        return False
    sign = 1 if row["low_is_good"] else -1
    wanted = [key for key in ("median", "worst") if row[f"wanted_{key}"] is not None]
    within = row["wanted_most"] is None or row["median"] <= row["wanted_most"]
    return within and all(sign * row[k] <= sign * row[f"wanted_{k}"] for k in wanted)
