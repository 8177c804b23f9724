"""The command. In: a folder for what was found; out: a table, and a page of the docs."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np

import xct
from studies.given_volumes.case import Case
from studies.given_volumes.cases import cases
from studies.given_volumes.files import KNOWN, tiff
from studies.given_volumes.judging import VERDICTS, Outcome, judge, numbers_of, verdict_of
from studies.given_volumes.spoiling import VOXEL_UM, Cell
from xct.errors import XctError
from xct.io.atomic import write_json, write_text
from xct.io.volume_files.volume import ForeignVolume, volume_facts
from xct.pipeline.plan import make_plan

log = logging.getLogger("xct")

_LAST_STEP = "inclusions"  # what follows plants bodies, or needs a second cell
# Where only a part of the cell is in view, what its size does not change.
_OF_A_PART = re.compile(r"bore_radius_um|thickness_um\..*|electrolyte_peak_per_cm")


@cache
def _cell(seed: int, energy_kev: float) -> Cell:
    return Cell(seed, energy_kev)


def tried(make: Any, cell: Cell, folder: Path, plain: Outcome | None = None) -> Outcome:
    """Write a volume, run it up to its inclusions, and give what came of it.

    Where what is kept of it is the plain volume to the bit, so are its numbers: it is not measured.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {
        "volume": make(cell.mu, folder, cell), "pipeline": "analyze",
        "output": str(folder / "out"), "run": {"figures": "none"},
    }  # fmt: skip
    try:
        plan = make_plan(config, until=_LAST_STEP)
        result = xct.run(config, until="find_cell")
        same = plain is not None and _is_same(result, cell) and not result.warnings
        if not same:
            result = xct.run(config, until=_LAST_STEP)
    except XctError as error:
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


def examined(case: Case, seed: int, out: Path) -> dict[str, Any]:
    """Try a volume, unless that was done, and judge its numbers by those of the plain one."""
    file = out / f"{_slug(case.trait)}.json"
    if not file.exists():
        log.info("%s …", case.trait)
        plain = _plain(case.energy_kev, seed, out)
        outcome = tried(case.make, _cell(seed, case.energy_kev), out / "work", plain)
        write_json(
            file, {"refused": outcome.refused, "said": outcome.said, "summary": outcome.summary}
        )
    held = json.loads(file.read_text(encoding="utf-8"))
    outcome = Outcome(held["refused"], held["said"], held["summary"])
    plain = _plain(case.energy_kev, seed, out)
    names = [
        name for name in numbers_of(plain.summary)
        if (not case.part or _OF_A_PART.fullmatch(name)) and _is_known(name, outcome)
    ]  # fmt: skip
    verdicts = {n: judge(n, outcome.summary.get(n), plain.summary[n]) for n in names}
    found = Counter(verdicts.values())
    counts: dict[str, int] = {v: 0 if outcome.refused else found[v] for v in VERDICTS}
    new = [text for text in outcome.said if text not in plain.said]
    return {
        "kind": case.kind, "trait": case.trait, "said": new,
        "counts": counts,
        "wrong": [n for n, v in verdicts.items() if v == "wrong" and not outcome.refused],
        "withheld": [n for n, v in verdicts.items() if v == "withheld" and not outcome.refused],
        "verdict": verdict_of(outcome, counts, case.says),
    }  # fmt: skip


def _is_known(name: str, outcome: Outcome) -> bool:
    """Leave out the electrolyte's μ of grey values, which have none."""
    return name != "electrolyte_peak_per_cm" or "electrolyte_peak_grey" not in outcome.summary


@cache
def _plain(energy_kev: float, seed: int, out: Path) -> Outcome:
    file = out / f"plain-{energy_kev:g}.json"
    if not file.exists():
        known = {**KNOWN, "energy_kev": energy_kev}
        outcome = tried(
            lambda mu, at, _: {**tiff(mu, at), **known}, _cell(seed, energy_kev), out / "work"
        )
        write_json(
            file, {"refused": outcome.refused, "said": outcome.said, "summary": outcome.summary}
        )
    held = json.loads(file.read_text(encoding="utf-8"))
    return Outcome(held["refused"], held["said"], held["summary"])


def _slug(trait: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", trait.lower().replace("−", "minus ")).strip("-")


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Lay what became of the volumes out as tables of Markdown, one for each kind."""
    parts = [_counted(found)]
    for kind in dict.fromkeys(one["kind"] for one in found):
        rows = [
            f"| {one['trait']} | {one['verdict']} | "
            + " | ".join(str(one["counts"][v]) for v in VERDICTS)
            + f" | {_brief(one)} |"
            for one in found
            if one["kind"] == kind
        ]
        head = f"## {kind}\n\n| volume | verdict | {' | '.join(VERDICTS)} | what was said first |"
        parts.append("\n".join([head, "|---|---|---|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _counted(found: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(one["verdict"] for one in found)
    return f"{len(found)} volumes: " + ", ".join(f"{n} {v}" for v, n in counts.most_common()) + "."


def _brief(one: Mapping[str, Any]) -> str:
    """Give the first message in short, and which numbers are wrong."""
    said = one["said"][0].replace("\n", " ").replace("|", "/") if one["said"] else "–"
    said = re.sub(r"/\S*/(?=\w)", "", said)  # folders of this machine
    short = said if len(said) <= 110 else said[:109].rsplit(" ", 1)[0] + " …"
    return short + (f" (wrong: {', '.join(one['wrong'])})" if one["wrong"] else "")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seed", default=11, show_default=True, help="Of the cell.")
@click.option("--only", default="", help="Part of a trait's or kind's name.")
@click.option("--finished", is_flag=True, help="Only the table of what was tried before.")
@click.option("--page", type=click.Path(path_type=Path), help="Page to write the table into.")
def main(out: Path, seed: int, only: str, finished: bool, page: Path | None) -> None:
    """Try volumes of every kind and write what became of each to OUT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("xct").setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    out.mkdir(parents=True, exist_ok=True)
    chosen = [case for case in cases() if only in case.trait or only in case.kind]
    if finished:
        chosen = [case for case in chosen if (out / f"{_slug(case.trait)}.json").exists()]
    found = [examined(case, seed, out) for case in chosen]
    write_json(out / "found.json", found)
    text = table(found)
    click.echo(text)
    if page is not None:
        start = "<!-- made by python -m studies.given_volumes -->"
        before, _, _ = page.read_text(encoding="utf-8").partition(start)
        write_text(page, f"{before}{start}\n\n{text}\n")


if __name__ == "__main__":
    main()
