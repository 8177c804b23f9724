"""Accuracy on virtual cells: seeds of every state, scored. In: a folder; out: JSON, PNG, a table.

A cell that is scored already is not made again, so that an interrupted bench goes on, and several
processes on one folder share the work.
"""

from __future__ import annotations

import fcntl
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xct.bench.families import CONDITIONS, Family, families_of, families_under, scored
from xct.bench.figures import table
from xct.bench.machine import describe
from xct.bench.targets import TARGETS, VERDICTS, Target
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


# Of the family of ncm-0, besides the states of the demo; and what is drawn of the other make.
_BESIDES = ("ncm-50-filaments", "ncm-50-gaps")
_SCATTERED = ("ncm-0", "ncm-50", "ncm-100", "ncm-50-filaments")
_PAUSE_S = 2.0  # until others are asked again whether they are ready


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
        Besides, as many small cells under each of `xct.bench.families.CONDITIONS`.

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
    # Under other conditions at the small size: how they compare is asked, not how well it can be.
    found += families_under(CONDITIONS, seeds, folder, *SIZES["small"])
    finish_together(found)
    every = [cell for family in found for cell in scored(family)]
    cells = [cell for cell in every if cell.get("condition") is None]
    rows = [_row(target, cells) for target in TARGETS]
    write_json(out / "accuracy.json", {"machine": describe(), "size": demo_size,
                                       "cells": len(cells), "rows": rows,
                                       "verdicts": _by_kind(every)})  # fmt: skip
    return f"{_table(rows, len(cells), demo_size)}\n\n{_verdict_table(every)}"


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


def _by_kind(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Count what became of the numbers of cells by state, make and condition.

    Numbers that no cell of a plain scan has do not count: there is nothing to withhold.
    """
    cells = [cell for cell in cells if "verdicts" in cell]  # earlier versions wrote none
    usual = {
        (cell["state"], name) for cell in cells if cell["condition"] is None
        for name, verdict in cell["verdicts"].items() if verdict != "withheld"
    }  # fmt: skip
    plain = {state for state, _ in usual}
    kinds: dict[str, Counter[str]] = {}
    for cell in cells:
        parts = (cell["state"], cell["make"], cell["condition"])
        count = kinds.setdefault(", ".join(str(p) for p in parts if p not in ("pressed", None)),
                                 Counter())  # fmt: skip
        state = cell["state"] if cell["state"] in plain else cell["state"].rpartition("-")[0]
        own = [v for name, v in cell["verdicts"].items() if (state, name) in usual]
        count.update(own)
        count["cells"] += 1
        count["refused"] += any(message.startswith("refused") for message in cell["said"])
    return {kind: dict(count) for kind, count in kinds.items()}


def _verdict_table(cells: Sequence[Mapping[str, Any]]) -> str:
    head = ("state, make, condition", "cells", "refused", *VERDICTS)
    rows = [[kind, *(count.get(name, 0) for name in head[1:])]
            for kind, count in _by_kind(cells).items()]  # fmt: skip
    return "numbers within the limit of the worst cell\n" + table(head, rows)


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
