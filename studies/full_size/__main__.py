"""The study from a terminal: ``python -m studies.full_size DIR`` goes on where it was."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from studies.full_size.raw import Size, write_raw
from studies.full_size.watched import measured
from xct.bench.figures import machine_line, table
from xct.errors import RunError
from xct.io.atomic import write_text
from xct.pipeline.resources import bytes_below

GIB = 2**30
_SHOWN = ("slices_s", "all_s", "peak_gib", "disk_gib")

log = logging.getLogger("xct")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--rows", multiple=True, type=int, default=(960,), show_default=True)
@click.option("--width", default=2560, show_default=True, help="Columns, and voxels of a slice.")
@click.option("--angles", default=2400, show_default=True)
@click.option("--drawn", default=96, show_default=True, help="Rows of the cell that is drawn.")
@click.option("--memory", default=12.0, show_default=True, help="Limit of a run, GiB.")
@click.option("--kill/--no-kill", default=True, show_default=True, help="Kill each run once.")
@click.option("--remove", is_flag=True, help="Remove scan and result once they are measured.")
def main(
    out: Path,
    rows: tuple[int, ...],
    width: int,
    angles: int,
    drawn: int,
    memory: float,
    kill: bool,
    remove: bool,
) -> None:
    """Make a raw scan of ROWS, and run the whole recipe under a limit of memory; several heights.

    What is made and measured stays so: the same command goes on. The log is OUT/full_size.log, the
    table OUT/full_size.txt, the figures OUT/full_size.json.
    """
    out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.FileHandler(out / "full_size.log"), logging.StreamHandler()],
    )
    found: dict[int, dict[str, Any]] = {}
    for height in rows:
        size = Size(height, width, angles, drawn)
        place = out / f"{height}x{width}"
        if not (place / "measured.json").exists():
            _check_disk(out, size)
            log.info("a raw scan of %d × %d × %d", angles, height, width)
            config = write_raw(out, size)
            log.info("the run")
            found[height] = measured(config, memory, kill=kill)
        else:
            found[height] = json.loads((place / "measured.json").read_text(encoding="utf-8"))
        if remove:
            shutil.rmtree(place / "result", ignore_errors=True)
            (place / "scan.h5").unlink(missing_ok=True)
    write_text(out / "full_size.json", json.dumps(found, indent=1))
    text = f"{machine_line()}\n{angles} angles, {width} columns\n\n{summary(found)}"
    write_text(out / "full_size.txt", text)
    click.echo(text)


def _check_disk(out: Path, size: Size) -> None:
    frames = 2 * size.angles * size.rows * size.width
    needed = frames + 4 * size.angles * size.drawn * size.width + 6 * size.rows * size.width**2
    free = shutil.disk_usage(out).free + bytes_below(out)  # what is there is not made again
    if free < needed:
        raise RunError(
            f"{out}: scan and result take about {needed / GIB:.0f} GiB, {free / GIB:.0f} are free"
        )


def summary(found: Mapping[int, Mapping[str, Any]]) -> str:
    """Write what runs took, and times of it that was expected; seconds by step and row."""
    heads = [
        "rows",
        "processor_s",
        *(name for one in _SHOWN for name in (one, "expected", "×")),
        "kills",
    ]
    lines: list[tuple[Any, ...]] = []
    for rows, one in found.items():
        line: list[Any] = [rows, one["processor_s"]]
        for name in _SHOWN:
            took, expected = one[name], one["expected"][name]
            line += [took, expected, took / expected]
        lines.append((*line, one["kills"]))
    steps = list(dict.fromkeys(step for one in found.values() for step in one["seconds"]))
    by_step = [(step, *(one["seconds"].get(step, 0.0) for one in found.values())) for step in steps]
    return "\n\n".join(
        [table(heads, lines), table(["step: s", *(f"{rows} rows" for rows in found)], by_step)]
    )


if __name__ == "__main__":
    main(prog_name="python -m studies.full_size")
