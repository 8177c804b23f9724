"""Commands that explain: stages, schema."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def stages(name: str | None) -> None:
    """List the stages, or explain one of them."""
    from xct.cli.text_output import stage_text, stages_text

    click.echo(stages_text() if name is None else stage_text(name))


@click.command()
def schema() -> None:
    """Print the JSON Schema of configurations."""
    import json

    from xct.config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))


COMMANDS = (stages, schema)
