"""Commands before and during runs: preview, status, watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xct.cli import many
from xct.cli.completion import names_from, stage_settings
from xct.cli.runs import SET
from xct.cli.screen import is_quiet, screen_options
from xct.errors import RunError, XctError

if TYPE_CHECKING:
    from xct.result import Result


@click.command()
@click.argument("outputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def status(outputs: tuple[Path, ...], as_json: bool) -> None:
    """Say how the run in each folder OUT stands, from any terminal.

    Which step, how far, for how long, about how long it goes on, and whether it still lives. OUT
    is the folder of a result, or its configuration. Ends with 1 where a run stopped or died.
    """
    from xct.pipeline.watching.status import status_of, status_text, statuses_json

    found = [status_of(output) for output in outputs]
    click.echo(statuses_json(found) if as_json else "\n".join(status_text(one) for one in found))
    ended = [one.output for one in found if one.state in ("stopped", "died")]
    if ended:
        raise RunError(f"not running, and not finished: {', '.join(ended)}")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--rows", default="", metavar="ROW,…", help="Of the slices; the middle one.")
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="STEP.SETTING=FIRST:LAST:STEP",
    shell_complete=names_from(stage_settings),
)  # fmt: skip
@click.option("--to", default="preview.png", show_default=True, type=click.Path(path_type=Path))
@click.option("--zoom", type=click.IntRange(1), default=1, help="4: the middle quarter of a slice.")
@click.option("--choose", type=int, metavar="N", help="Write the values of picture N to CONFIG.")
@SET
@screen_options
def preview(
    config: Path,
    rows: str,
    sweeps: tuple[str, ...],
    to: Path,
    zoom: int,
    choose: int | None,
    changes: tuple[str, ...],
) -> None:
    """Make a few slices of CONFIG, and show them on one sheet.

    --sweep tries values of one setting, or of two: `fbp.window=ramp,hann`, or
    `stripes.size_px=11:51:10`, the last value included. Values of `find_center.center_px` lie
    beside the axis that is found on the middle one of the rows. Under each picture stands its
    number and the value that `--choose` writes to the configuration; the output folder is left
    alone.
    """
    from xct.config.rewrite import rewrite_config
    from xct.pipeline.trying.sheet import check_name, write_sheet
    from xct.pipeline.trying.slices import Trial
    from xct.pipeline.trying.sweep import choices_of, parse_sweep

    choices = choices_of([parse_sweep(text) for text in sweeps])
    trial = Trial(config, _numbers(rows), changes, zoom)
    if choose is not None:
        if not sweeps or not 1 <= choose <= len(choices):
            if not sweeps:
                raise XctError(f"--choose {choose}: name the --sweep that made the pictures, too")
            raise XctError(f"--choose {choose}: pictures are 1–{len(choices)}")
        chosen = trial.changes_of(choices[choose - 1])
        rewrite_config(config, chosen)
        click.echo(f"wrote {', '.join(f'{k}: {v}' for k, v in chosen.items())} to {config}")
        return
    check_name(to)
    pictures = trial.pictures(choices)
    write_sheet(pictures, to, config.stem)
    click.echo(f"wrote {to}: {len(pictures)} picture{'s'[: len(pictures) != 1]}")
    if sweeps:
        click.echo("next: the same command with --choose N writes the values of picture N")


def _numbers(rows: str) -> list[int]:
    try:
        return [int(row) for row in rows.split(",") if row.strip()]
    except ValueError:
        raise XctError(f"--rows {rows}: expected row numbers, as in 200,600,1000") from None


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--settled",
    "settled_s",
    type=click.FloatRange(0.1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For how long the files of a scan must not have changed.",
)
@click.option(
    "--idle",
    "idle_h",
    type=click.FloatRange(0, min_open=True),
    metavar="HOURS",
    help="End where no scan has come for so long; until Ctrl-C unless given.",
)
@screen_options
def watch(folder: Path, config: Path, settled_s: float, idle_h: float | None) -> None:
    """Run each scan in FOLDER as the beamline finishes it, as CONFIG says.

    CONFIG is the configuration of one scan: for every other one a file with its name is written
    beside it, with another `scan.file`, and its result into the folder `output`. A scan that fails
    does not stop the others. The same command goes on where it was.
    """
    from xct.cli.text_output import result_text
    from xct.pipeline.runner import run
    from xct.pipeline.watching.arrivals import arrivals, configuration_for, read_template

    def carry_out(scan: Path) -> Result:
        result = run(configuration_for(scan, config))
        if not is_quiet():
            click.echo(result_text(result))
        return result

    read_template(config)
    outcomes: list[many.Outcome] = []
    try:
        for scan in arrivals(folder, settled_s, (idle_h or float("inf")) * 3600):
            outcome, _ = many.outcome_of(scan, carry_out)
            outcomes.append(outcome)
            if outcome.why:
                click.echo(f"error: {scan}: {outcome.why}", err=True)
    finally:
        if outcomes:
            click.echo(many.table_text(outcomes))
    many.fail_if_any(outcomes)


COMMANDS = (preview, status, watch)
