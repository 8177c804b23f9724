"""The study from a terminal: ``python -m studies.fuzzed_inputs OUT`` goes on where it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shutil import rmtree

import click

from studies.fuzzed_inputs.kinds import Kind, kinds_below, write_inputs
from studies.fuzzed_inputs.trying import faults

_BATCH = 200  # seeds of one kind in one process
_MORE = 10  # times as many of what is read within milliseconds


def campaign(kinds: list[Kind], out: Path, seeds: range) -> tuple[int, int]:
    """Try seeds of every kind; give how many were tried, and how many faults were found.

    What is in `out` stays done.
    """
    log = out / "fuzzed.jsonl"
    known = (
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if log.exists()
        else []
    )
    done = {(each["kind"], each["first"]) for each in known}
    tried = sum(each["count"] for each in known)
    found = sum(len(each["faults"]) for each in known)
    for first in range(seeds.start, seeds.stop, _BATCH):
        batch = range(first, min(first + _BATCH, seeds.stop))
        for kind in kinds:
            if (kind.name, first) in done:
                continue
            more = 1 if kind.quick else _MORE
            numbers = range(more * batch.start, more * batch.stop)
            listed = list(faults(kind, numbers, out))
            tried, found = tried + len(numbers), found + len(listed)
            entry = {"kind": kind.name, "first": first, "count": len(numbers), "faults": listed}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
    return tried, found


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--count",
    default=1000,
    show_default=True,
    help="Seeds of every kind; ten times as many of tables, regions and classifiers.",
)
@click.option("--first", default=0, show_default=True, help="The first of them.")
def main(out: Path, count: int, first: int) -> None:
    """Damage inputs of every kind; those that are not refused as they must be are listed in OUT."""
    out.mkdir(parents=True, exist_ok=True)
    inputs = out / "inputs"
    if not (inputs / "measured" / "out" / "summary.json").is_file():
        rmtree(inputs, ignore_errors=True)
        write_inputs(inputs)
    tried, found = campaign(kinds_below(inputs), out, range(first, first + count))
    click.echo(
        f"{found} of {tried} inputs were not refused as they must be: see {out / 'fuzzed.jsonl'}"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(prog_name="python -m studies.fuzzed_inputs")
