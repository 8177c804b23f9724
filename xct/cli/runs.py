"""Commands about runs: init, check, run."""

from __future__ import annotations

from pathlib import Path

import click

from xct.errors import XctError

ALLOW_STAGES = click.option(
    "--allow-stages", is_flag=True, help="Run the modules that the configuration's `stages` name."
)


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("--pipeline", default="reconstruct", show_default=True, help="Recipe to run.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Result folder.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File to write.")
def init(scan: Path, pipeline: str, output: Path, to: Path) -> None:
    """Write a configuration for SCAN.

    It holds everything that the files say; what they do not say is marked `# needed`.
    """
    from xct.config.new_config import write_config

    begun = write_config(scan, pipeline=pipeline, output=output, to=to)
    for note in begun.notes:
        click.echo(f"not enough: {note}")
    if begun.hint:
        click.echo(f"note: {begun.hint}")
    for warning in begun.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"wrote {to}")
    for key in begun.needed:
        click.echo(f"needed: {key}")
    click.echo(f"next: {'fill these in, then ' if begun.needed else ''}xct run {to}")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as scan.bin=2.")
@ALLOW_STAGES
def check(config: Path, changes: tuple[str, ...], allow_stages: bool) -> None:
    """Name every mistake, and what a run would need."""
    from xct.pipeline.output import OutputFolder
    from xct.pipeline.plan import make_plan
    from xct.pipeline.plan_text import plan_text

    plan = make_plan(config, changes, allow_stages=allow_stages)
    folder = OutputFolder(plan.output)
    errors = folder.conflicts(plan.identity(), restart=False)
    state = "finished already:" if folder.is_finished() else "ready: xct run writes to"
    click.echo(plan_text(plan, "cannot start:" if errors else state))
    if errors:
        raise XctError(*errors)


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as scan.bin=2.")
@click.option("--until", metavar="STAGE", help="Last stage to run; what it gives is kept.")
@click.option("--keep", multiple=True, metavar="NAME", help="Write this too: line_integrals, ….")
@click.option("--restart", is_flag=True, help="Throw away what an earlier run left.")
@ALLOW_STAGES
def run(
    configs: tuple[Path, ...],
    changes: tuple[str, ...],
    until: str | None,
    keep: tuple[str, ...],
    restart: bool,
    allow_stages: bool,
) -> None:
    """Check CONFIG, then run it.

    An interrupted run goes on where it was.
    """
    from xct.cli.text_output import result_text
    from xct.pipeline.plan import make_plan
    from xct.pipeline.runner import run as run_pipeline

    if len(configs) > 1:  # a mistake in the last one shows before the first one starts
        for config in configs:
            make_plan(config, changes, until=until, keep=keep, allow_stages=allow_stages)
    for config in configs:
        result = run_pipeline(
            config,
            changes,
            until=until,
            keep=keep,
            restart=restart,
            allow_stages=allow_stages,
        )
        click.echo(result_text(result))


COMMANDS = (init, check, run)
