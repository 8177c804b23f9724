"""The study from a terminal. In: a size and a folder; out: its table, and JSON in the folder."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from studies.photon_starved_cathode.comparison import run_study
from studies.photon_starved_cathode.slab import SIZES


@click.command()
@click.option("--size", type=click.Choice(list(SIZES)), default="quick", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench"), show_default=True)
def main(size: str, out: Path) -> None:
    """Scan a photon-starved slab with glare; compare drifted particles with the cathode's middle.

    `quick` draws a narrow cell in the middle of plain composite as wide as the bore, `full` the
    whole bore (20 minutes, 7 GiB). The table goes to the terminal and to
    OUT/photon_starved_cathode.json.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    click.echo(run_study(out, size))


if __name__ == "__main__":
    main(prog_name="python -m studies.photon_starved_cathode")
