"""Commands about runs that go on: status."""

from __future__ import annotations

from pathlib import Path

import click

from xct.errors import RunError


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


COMMANDS = (status,)
