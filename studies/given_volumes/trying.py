"""One volume: written, run, judged. In: a case and a folder; out: what became of its numbers."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import xct
from studies.given_volumes.case import Case
from studies.given_volumes.judging import VERDICTS, Outcome, judge, numbers_of, verdict_of
from studies.given_volumes.spoiling import VOXEL_UM, Cell
from studies.given_volumes.tiff_files import tiff
from xct.errors import RunError, XctError
from xct.io.atomic import write_json
from xct.io.volume_files.volume import ForeignVolume, volume_facts
from xct.pipeline.plan import make_plan

log = logging.getLogger("xct")

_LAST_STEP = "inclusions"  # what follows plants bodies, or needs a second cell
# Where only a part of the cell is in view, what its size does not change.
_OF_ANOTHER_PART_UM = 5.0  # thickness: in a quarter of a cell lithium is not stripped at all
_OF_A_PART = re.compile(r"bore_radius_um|thickness_um\..*|electrolyte_peak_per_cm")


def examined(case: Case, seed: int, out: Path, make: str = "pressed") -> dict[str, Any]:
    """Try a volume, unless that was done, and judge its numbers by those of the plain one."""
    plain = _plain(case.energy_kev, seed, out, make)
    cell = _cell(seed, case.energy_kev, make)
    outcome = _kept(file_of(case, out), lambda: _tried(case, cell, out, plain))
    names = [
        name for name in numbers_of(plain.summary)
        if (not case.part or _OF_A_PART.fullmatch(name)) and _is_known(name, outcome)
    ]  # fmt: skip
    verdicts = {
        name: judge(name, outcome.summary.get(name), plain.summary[name], _slack(name, case))
        for name in names
    }
    if outcome.refused:
        verdicts = {}
    found = Counter(verdicts.values())
    counts: dict[str, int] = {verdict: found[verdict] for verdict in VERDICTS}
    return {
        "kind": case.kind, "trait": case.trait,
        "said": [text for text in outcome.said if text not in plain.said],
        "counts": counts,
        "wrong": [name for name, verdict in verdicts.items() if verdict == "wrong"],
        "withheld": [name for name, verdict in verdicts.items() if verdict == "withheld"],
        "verdict": verdict_of(outcome, counts, case.says),
    }  # fmt: skip


def _slack(name: str, case: Case) -> float:
    return _OF_ANOTHER_PART_UM if case.part and name.startswith("thickness_um") else 0.0


def file_of(case: Case, out: Path) -> Path:
    """Name the file of what was found."""
    slug = re.sub(r"[^a-z0-9]+", "-", case.trait.lower().replace("−", "minus "))
    return out / f"{slug.strip('-')}.json"


def _is_known(name: str, outcome: Outcome) -> bool:
    """Leave out the electrolyte's μ of grey values, which have none."""
    return name != "electrolyte_peak_per_cm" or "electrolyte_peak_grey" not in outcome.summary


@cache
def _cell(seed: int, energy_kev: float, make: str) -> Cell:
    return Cell(seed, energy_kev, make)


@cache
def _plain(energy_kev: float, seed: int, out: Path, make: str) -> Outcome:
    known = [lambda given: given.but(energy_kev=energy_kev)]
    case = Case("", "the plain volume", tiff, known, energy_kev=energy_kev)
    cell = _cell(seed, energy_kev, make)
    return _kept(out / f"plain-{energy_kev:g}.json", lambda: _tried(case, cell, out))


def _kept(file: Path, make: Callable[[], Outcome]) -> Outcome:
    """Give what a file holds; where it is not there, make it."""
    if not file.exists():
        log.info("%s …", file.stem)
        write_json(file, vars(make()))
    held = json.loads(file.read_text(encoding="utf-8"))
    return Outcome(held["refused"], held["said"], held["summary"])


def _tried(case: Case, cell: Cell, out: Path, plain: Outcome | None = None) -> Outcome:
    """Write a volume, run it up to its inclusions, and give what came of it.

    Where what is kept of it is the plain volume to the bit, so are its numbers: it is not measured.
    """
    folder = out / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {
        "volume": case.made(cell, folder), "pipeline": "analyze",
        "output": str(folder / "out"), "run": {"figures": "none"},
    }  # fmt: skip
    try:
        plan = make_plan(config, until=_LAST_STEP)
        result = xct.run(config, until="find_cell")
        same = plain is not None and _is_same(result, cell) and not result.warnings
        if not same:
            result = xct.run(config, until=_LAST_STEP)
    except (XctError, RunError) as error:
        return Outcome(True, [str(error)], {})
    warned = [w["message"] for w in result.warnings]
    assert isinstance(plan.source, ForeignVolume)
    assumed = [line for line in volume_facts(plan.source) if line.startswith("note: ")]
    summary = {name: entry for name, entry in result.summary.items() if isinstance(entry, dict)}
    shutil.rmtree(folder)
    if same and plain is not None:
        return Outcome(False, assumed, plain.summary)
    return Outcome(False, [*warned, *assumed], summary)


def _is_same(result: xct.Result, cell: Cell) -> bool:
    """Whether a result keeps the plain volume to the bit, with its size and energy."""
    stored = result.stored_volume
    energy = result.account["input"].get("energy_kev")
    return bool(
        stored.quantity == "attenuation"
        and stored.shape == cell.mu.shape
        and np.allclose(stored.voxel_size_um, VOXEL_UM)
        and energy == cell.energy_kev
        and np.array_equal(stored.read(), cell.mu)
    )
