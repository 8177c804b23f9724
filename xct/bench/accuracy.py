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
        Besides, the cells of `bench_conditions`.

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
                                       "cells": len(cells), "rows": rows,
                                       "verdicts": _by_kind(cells)})  # fmt: skip
    parts = _table(rows, len(cells), demo_size), _verdict_table(cells), bench_conditions(out, size)
    return "\n\n".join(parts)


_FIRST_SEED = 21  # no rule was set on cells of these seeds at this size, but on 21 itself


def bench_conditions(out: Path, size: str) -> str:
    """Make, run and score small cells at other energies, voxels and noise, and cracked ones.

    How conditions compare is asked, not how well it can be: the cells are the smallest in which
    every number of the table can be had.

    Parameters
    ----------
    out : path
        Folder for ``conditions.json`` and ``conditions/`` with the scores of each cell.
    size : {"quick", "full"}
        One seed of each of `xct.bench.families.CONDITIONS` and of plain cells, or ten.

    Returns
    -------
    str
        How many numbers are right, bounded, withheld and wrong, and which.
    """
    seeds = range(_FIRST_SEED, _FIRST_SEED + (1 if size == "quick" else 10))
    folder = out / "conditions"
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    found = families_under(CONDITIONS, seeds, folder)
    finish_together(found)
    cells = [cell for family in found for cell in scored(family)]
    write_json(out / "conditions.json", {"machine": describe(), "cells": len(cells),
                                         "verdicts": _by_kind(cells),
                                         "wrong": _wrong(cells)})  # fmt: skip
    return f"{_verdict_table(cells)}\n\n{_wrong_table(cells)}"


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
        count = kinds.setdefault(_kind(cell), Counter())
        state = cell["state"] if cell["state"] in plain else cell["state"].rpartition("-")[0]
        own = [v for name, v in cell["verdicts"].items() if (state, name) in usual]
        count.update(own)
        count["cells"] += 1
        count["refused"] += any(message.startswith("refused") for message in cell["said"])
    return {kind: dict(count) for kind, count in kinds.items()}


def _kind(cell: Mapping[str, Any]) -> str:
    parts = (cell["state"], cell["make"], cell["condition"])
    return ", ".join(str(part) for part in parts if part not in ("pressed", None))


def _wrong(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List each number that is wrong: whose, the value farthest off, its limit, and what was said.

    That a run says something does not mean that it says it of this number.
    """
    targets, found = {target.name: target for target in TARGETS}, []
    for cell in cells:
        for name, verdict in cell.get("verdicts", {}).items():
            if verdict == "wrong":
                target = targets[name]
                values = target.values(cell["state"], cell["scores"], cell["voxel_um"])
                farthest = max(values) if target.low else min(values)
                found.append({"kind": _kind(cell), "seed": cell["seed"], "number": name,
                              "value": farthest, "limit": target.worst,
                              "said": cell["said"]})  # fmt: skip
    return found


def _wrong_table(cells: Sequence[Mapping[str, Any]]) -> str:
    head = ("state, make, condition", "seed", "number", "value", "limit", "messages")
    rows = [[one["kind"], one["seed"], one["number"], _shown(one["value"]), _shown(one["limit"]),
             len(one["said"])] for one in _wrong(cells)]  # fmt: skip
    return "numbers beyond that limit, and how many messages their run gave\n" + table(head, rows)


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
