"""The command. In: a folder for what was found; out: a table, and a page of the docs."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from studies.given_volumes.cases import cases
from studies.given_volumes.judging import VERDICTS
from studies.given_volumes.trying import examined, file_of
from xct.io.atomic import write_json, write_text

log = logging.getLogger("xct")


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
    return ", ".join(f"{n} {v}" for v, n in counts.most_common()) + "."


def _brief(one: Mapping[str, Any]) -> str:
    """Give the first message in short, and which numbers are wrong."""
    said = one["said"][0].replace("\n", " ").replace("|", "/") if one["said"] else "–"
    said = re.sub(r"/\S*/(?=\w)", "", said)  # folders of this machine
    short = said if len(said) <= 110 else said[:109].rsplit(" ", 1)[0] + " …"
    return short + (f" (wrong: {', '.join(one['wrong'])})" if one["wrong"] else "")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seed", default=11, show_default=True, help="Of the cell.")
@click.option("--make", default="pressed", show_default=True, help="Of the cell.")
@click.option("--only", default="", help="Part of a trait's or kind's name.")
@click.option("--finished", is_flag=True, help="Only the table of what was tried before.")
@click.option("--page", type=click.Path(path_type=Path), help="Page to write the table into.")
def main(out: Path, seed: int, make: str, only: str, finished: bool, page: Path | None) -> None:
    """Try volumes of every kind and write what became of each to OUT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("xct").setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    out /= f"seed-{seed}" + ("" if make == "pressed" else f"-{make}")
    out.mkdir(parents=True, exist_ok=True)
    every = cases()
    chosen = [case for case in every if only in case.trait or only in case.kind]
    if finished:
        chosen = [case for case in chosen if file_of(case, out).exists()]
    found = [examined(case, seed, out, make) for case in chosen]
    write_json(out / "found.json", found)
    text = f"{len(found)} of {len(every)} volumes: {table(found)}"
    click.echo(text)
    if page is not None:
        start = "<!-- made by python -m studies.given_volumes -->"
        before, _, _ = page.read_text(encoding="utf-8").partition(start)
        write_text(page, f"{before}{start}\n\n{text}\n")


if __name__ == "__main__":
    main()
