"""Commands about runs: init, check, run, verify."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from xct.errors import RunError, XctError

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
        _every(
            configs,
            lambda config: make_plan(
                config, changes, until=until, keep=keep, allow_stages=allow_stages
            ),
        )

    def carry_out(config: Path) -> None:
        result = run_pipeline(
            config,
            changes,
            until=until,
            keep=keep,
            restart=restart,
            allow_stages=allow_stages,
        )
        click.echo(result_text(result))

    _every(configs, carry_out)


def _every(configs: tuple[Path, ...], work: Callable[[Path], object]) -> None:
    """Do some work for every configuration, also behind one that fails; say at the end which."""
    if len(configs) == 1:
        work(configs[0])
        return
    failed: dict[Path, Exception] = {}
    for config in configs:
        try:
            work(config)
        except (XctError, RunError, OSError) as error:
            failed[config] = error
            texts = error.errors if isinstance(error, XctError) else [str(error)]
            click.echo("\n".join(f"error: {config}: {text}" for text in texts), err=True)
    if failed:
        names = ", ".join(str(config) for config in failed)
        text = f"{len(failed)} of {len(configs)} scans failed: {names}"
        wrong = all(isinstance(error, XctError) for error in failed.values())
        raise XctError(text) if wrong else RunError(text)


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify(results: tuple[Path, ...]) -> None:
    """Read every file of RESULT and check it against its checksum.

    What is damaged or missing is named; the run that made it makes it anew. Ends with 1 then.
    """
    from xct.errors import show_bytes
    from xct.result import verify as check

    damaged = 0
    for result in results:
        found = check(result)
        for name in found.damaged:
            click.echo(f"damaged: {result / name}")
        click.echo(f"{result}: {found.files} files, {show_bytes(found.size)}: {found.verdict}")
        damaged += len(found.damaged)
    if damaged:
        raise RunError(
            f"{damaged} files are damaged or missing; `xct run CONFIG` makes them anew, and leaves "
            "the others"
        )


COMMANDS = (init, check, run, verify)
