"""Commands about clusters: submit."""

from __future__ import annotations

from pathlib import Path

import click

from xct.cli.runs import ALLOW_STAGES, SET


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
@SET
@click.option("--walltime", default="12:00:00", show_default=True, help="Of one job.")
@click.option("--cores", type=click.IntRange(1), default=16, show_default=True)
@click.option("--memory", default="64G", show_default=True, help="Of one job.")
@click.option("--partition", help="The cluster's default unless given.")
@click.option("--account", help="That is charged.")
@click.option("--setup", multiple=True, help="Line to run first, such as 'module load …'.")
@click.option("--print", "only_print", is_flag=True, help="Show the script; submit nothing.")
@ALLOW_STAGES
def submit(
    configs: tuple[Path, ...],
    changes: tuple[str, ...],
    walltime: str,
    cores: int,
    memory: str,
    partition: str | None,
    account: str | None,
    setup: tuple[str, ...],
    only_print: bool,
    allow_stages: bool,
) -> None:
    """Check CONFIGS, and submit each as a job of SLURM.

    A job that reaches its walltime, or whose node is lost, is queued again and goes on where it
    was. A configuration with run.cluster gets a small job that submits the others.
    """
    from xct.pipeline.clusters.submission import JobWishes, job_script, wishes_of
    from xct.pipeline.clusters.submission import submit as hand_over
    from xct.pipeline.plan import make_plan

    plans = [make_plan(config, changes, allow_stages=allow_stages) for config in configs]
    more = [word for change in changes for word in ("--set", change)]
    more += ["--allow-stages"] if allow_stages else []
    given = JobWishes(walltime, cores, memory, partition, account, setup)
    for plan, config in zip(plans, configs, strict=True):
        try:
            script = job_script(plan, config, wishes_of(plan, given), more)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if only_print:
            click.echo(script, nl=False)
            continue
        job, log = hand_over(plan, script)
        click.echo(f"{plan.output}: job {job}; its output goes to {log}")


COMMANDS = (submit,)
