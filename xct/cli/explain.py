"""Commands that explain: stages, schema."""

from __future__ import annotations

from pathlib import Path

import click

from xct.cli.completion import names_from, stage_names
from xct.cli.runs import ALLOW_STAGES


@click.command()
@click.argument("name", required=False, shell_complete=names_from(stage_names))
@click.option(
    "--config", type=click.Path(path_type=Path), help="With the stages that a configuration names."
)
@ALLOW_STAGES
def stages(name: str | None, config: Path | None, allow_stages: bool) -> None:
    """List the stages, or explain one of them."""
    from xct.cli.text_output import stage_text, stages_text

    if config is not None:
        from xct.config.loading import load_config

        load_config(config, allow_stages=allow_stages)
    click.echo(stages_text() if name is None else stage_text(name))


@click.command()
def schema() -> None:
    """Print the JSON Schema of configurations."""
    import json

    from xct.config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))


COMMANDS = (stages, schema)
