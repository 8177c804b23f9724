"""Commands about runs: init, check, run, verify."""

from __future__ import annotations

import logging
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xct.cli import many
from xct.cli.completion import all_settings, names_from, products, recipes, stage_names
from xct.cli.screen import is_quiet, screen_options
from xct.errors import RunError, XctError, show_seconds

if TYPE_CHECKING:
    from xct.pipeline.plan import Plan
    from xct.result import Result

log = logging.getLogger("xct")

SET = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as scan.bin=2.",
    shell_complete=names_from(all_settings),
)  # fmt: skip
ALLOW_STAGES = click.option(
    "--allow-stages", is_flag=True, help="Run the modules that the configuration's `stages` name."
)


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option(
    "--pipeline", help="Recipe.  [default: reconstruct; of a result: analyze]",
    shell_complete=names_from(recipes, or_file=True),
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Result.  [default: out/NAME]")
@click.option("--to", type=click.Path(path_type=Path), help="File to write.  [default: NAME.yaml]")
def init(scan: Path, pipeline: str | None, output: Path | None, to: Path | None) -> None:
    """Write a configuration for SCAN.

    It holds everything that the files say; what they do not say is marked `# needed`. NAME is that
    of the scan.
    """
    from xct.config.beginning import new_name, recipe_for
    from xct.config.new_config import write_config

    pipeline, name = pipeline or recipe_for(scan), new_name(scan)
    to = to or Path(f"{name}.yaml")
    output = output or to.parent / "out" / name
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
    first = "fill these in, then " if begun.needed else ""
    click.echo(f"next: {first}xct run {shlex.quote(str(to))}")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@SET
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
@SET
@click.option(
    "--until", metavar="STAGE", help="Last stage to run; what it gives is kept.",
    shell_complete=names_from(stage_names),
)  # fmt: skip
@click.option(
    "--keep", multiple=True, metavar="NAME", help="Write this too: line_integrals, ….",
    shell_complete=names_from(products),
)  # fmt: skip
@click.option("--restart", is_flag=True, help="Throw away what an earlier run left.")
@click.option("--jobs", type=click.IntRange(1), default=1, help="Scans at a time, at most.")
@click.option("--json", "as_json", is_flag=True, help="What became of each scan, for a program.")
@ALLOW_STAGES
@screen_options
def run(
    configs: tuple[Path, ...],
    changes: tuple[str, ...],
    until: str | None,
    keep: tuple[str, ...],
    restart: bool,
    jobs: int,
    as_json: bool,
    allow_stages: bool,
) -> None:
    """Check every CONFIG, then run each.

    An interrupted run goes on where it was. A scan that fails, or a CONFIG with a mistake, does
    not stop the others; a table at the end says which failed, and why.
    """
    from xct.cli.text_output import result_text
    from xct.pipeline.plan import make_plan
    from xct.pipeline.runner import run as run_pipeline

    wishes: Any = {"until": until, "keep": keep, "allow_stages": allow_stages}

    def plan(config: Path, share: tuple[str, ...] = ()) -> Plan:
        return make_plan(config, (*share, *changes), **wishes)

    def carry_out(config: Path) -> Result:
        result = run_pipeline(config, changes, restart=restart, **wishes)
        if not (as_json or is_quiet()):
            click.echo(result_text(result))
        return result

    if len(configs) == 1:
        outcome, error = many.outcome_of(configs[0], carry_out)
        if as_json:
            click.echo(many.outcomes_json([outcome]))
        if error is not None:
            raise error
        return
    # A mistake in the last one shows before the first one starts, while somebody looks.
    plans, refused = many.check_all(configs, plan)
    sharing = many.share_memory(plans, jobs, plan)
    outcomes: list[many.Outcome] = []

    def ended(outcome: many.Outcome) -> None:
        known = plans.get(Path(outcome.config))
        outcomes.append(replace(outcome, output=str(known.output) if known else ""))
        if outcome.why:
            click.echo(f"error: {outcome.config}: {outcome.why}", err=True)
        else:
            log.info("%s: done after %s", outcome.config, show_seconds(outcome.seconds))

    for outcome in refused:
        ended(outcome)
    try:
        if sharing.jobs > 1:
            asked = [word for change in changes for word in ("--set", change)]
            asked += ["--until", until] if until else []
            asked += [word for name in keep for word in ("--keep", name)]
            asked += ["--restart"] * restart + ["--allow-stages"] * allow_stages
            many.Beside(sharing, asked).run(list(plans), ended)
        else:
            for config in plans:
                ended(many.outcome_of(config, carry_out)[0])
    finally:  # also of a night that was interrupted
        order = {str(config): number for number, config in enumerate(configs)}
        outcomes.sort(key=lambda one: order[one.config])
        click.echo(many.outcomes_json(outcomes) if as_json else many.table_text(outcomes))
    many.fail_if_any(outcomes)


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
