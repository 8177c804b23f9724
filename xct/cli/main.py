"""The command `xct`. Heavy packages are imported by the commands that need them."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from xct import __version__
from xct.cli.virtual_cells import COMMANDS
from xct.errors import RunError, XctError

_DONE, _FAILED, _WRONG, _INTERRUPTED = 0, 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xct")
def xct() -> None:
    """Synchrotron X-ray tomography of battery cells: raw scan in, calibrated volume out.

    Start with `xct init SCAN --output DIR --to CONFIG`, then `xct run CONFIG`.
    """


@xct.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("--pipeline", default="reconstruct", show_default=True, help="Recipe to run.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Result folder.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File to write.")
def init(scan: Path, pipeline: str, output: Path, to: Path) -> None:
    """Write a configuration for SCAN.

    It holds everything that the files say; what they do not say is marked `# needed`.
    """
    from xct.config.new_config import write_config

    needed = write_config(scan, pipeline=pipeline, output=output, to=to)
    click.echo(f"wrote {to}")
    for key in needed:
        click.echo(f"needed: {key}")
    click.echo(f"next: {'fill these in, then ' if needed else ''}xct run {to}")


@xct.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as scan.bin=2.")
def check(config: Path, changes: tuple[str, ...]) -> None:
    """Name every mistake, and what a run would need."""
    from xct.pipeline.output import OutputFolder
    from xct.pipeline.plan import make_plan
    from xct.pipeline.text_output import plan_text

    plan = make_plan(config, changes)
    folder = OutputFolder(plan.output)
    objections = folder.objections(plan.identity(), restart=False)
    state = "finished already:" if folder.is_finished() else "ready: xct run writes to"
    click.echo(plan_text(plan, "cannot start:" if objections else state))
    if objections:
        raise XctError(*objections)


@xct.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Such as scan.bin=2.")
@click.option("--until", metavar="STAGE", help="Last stage to run; what it gives is kept.")
@click.option("--keep", multiple=True, metavar="NAME", help="Write this too: line_integrals, ….")
@click.option("--restart", is_flag=True, help="Throw away what an earlier run left.")
def run(
    configs: tuple[Path, ...],
    changes: tuple[str, ...],
    until: str | None,
    keep: tuple[str, ...],
    restart: bool,
) -> None:
    """Check CONFIG, then run it.

    An interrupted run goes on where it was.
    """
    from xct.pipeline.plan import make_plan
    from xct.pipeline.runner import run as run_pipeline
    from xct.pipeline.text_output import result_text

    if len(configs) > 1:  # a mistake in the last one shows before the first one starts
        for config in configs:
            make_plan(config, changes, until=until, keep=keep)
    for config in configs:
        result = run_pipeline(config, changes, until=until, keep=keep, restart=restart)
        click.echo(result_text(result))


@xct.command()
@click.argument("name", required=False)
def stages(name: str | None) -> None:
    """List the stages, or explain one of them."""
    from xct.pipeline.text_output import stage_text, stages_text

    click.echo(stages_text() if name is None else stage_text(name))


@xct.command()
def schema() -> None:
    """Print the JSON Schema of configurations."""
    import json

    from xct.config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))


@xct.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--format", "layout", required=True, type=click.Choice(["dxchange", "nxtomo"]))
def convert(scan: Path, to: Path, layout: str) -> None:
    """Write SCAN as one HDF5 file of another layout.

    SCAN may be a configuration as well, where its files do not say everything.
    """
    from xct.config.new_config import open_any
    from xct.io.convert import convert as convert_scan

    convert_scan(open_any(scan), to, "nxtomo" if layout == "nxtomo" else "dxchange")
    click.echo(f"wrote {to}")


@xct.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--tiff", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--bits", type=click.Choice(["8", "16", "32"]), default="32", show_default=True)
@click.option("--window", metavar="A,B", help="Range in 1/cm that 8 or 16 bits cover.")
def export(result: Path, tiff: Path, bits: str, window: str | None) -> None:
    """Write a volume as TIFF files.

    ImageJ opens them with their voxel size and, at 8 and 16 bits, their scale in 1/cm.
    """
    from xct.io.export import export_tiff, parse_window
    from xct.result import open_result

    told = export_tiff(
        open_result(result).stored_volume, tiff, bits=int(bits), window=parse_window(window)
    )
    click.echo(told)


@xct.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
def view(results: tuple[Path, ...]) -> None:
    """Open results in napari: volumes, materials, particles, surfaces, ROIs.

    Needs the extra xct[napari] and a screen.
    """
    from xct.plugin.view import show

    show(list(results))


@xct.command()
@click.argument(
    "what",
    required=False,
    type=click.Choice(["reconstruct", "stages", "scan", "measure", "accuracy", "starved"]),
    metavar="[WHAT]",
)
@click.option("--size", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench"), show_default=True)
@click.option("--slow", is_flag=True, help="Give slow packages every angle, too.")
def bench(what: str | None, size: str, out: Path, slow: bool) -> None:
    """Time reconstruct, stages or scan, beside other packages; measure; or find the accuracy.

    Without a WHAT, the first three. Packages that are not installed are named. Figures go to
    OUT/WHAT.json and OUT/WHAT.png. `measure` goes from a volume to the numbers of a cell, by step:
    400 × 512 × 512 voxels (quick), and as wide as the bore, 240 × 2560 × 2560 (full). The
    `accuracy` is that of virtual cells: one seed of each state (quick) or ten (full: hours).
    """
    from xct.bench.commands import bench as run_bench

    for name in [what] if what else ["reconstruct", "stages", "scan"]:
        click.echo(run_bench(name, out, size, slow=slow))


for _command in COMMANDS:
    xct.add_command(_command)


def _terminated(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command of this process and end with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means what it says
            signal.signal(number, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show µ or ±
    logging.getLogger("xct").addHandler(_screen())
    logging.getLogger("xct").setLevel(logging.INFO)
    _leave(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run a command; a user's mistake ends with its message, never with a traceback.

    Parameters
    ----------
    arguments : sequence of str
        As on the command line.

    Returns
    -------
    int
        0 done, 1 failed while running, 2 wrong input or configuration, 130 interrupted.
    """
    try:
        xct.main(list(arguments), prog_name="xct", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return _WRONG
    except XctError as error:
        click.echo("\n".join(f"error: {text}" for text in error.complaints), err=True)
        return _WRONG
    except (RunError, ImportError) as error:
        click.echo(f"error: {error}", err=True)
        return _FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command goes on where it was", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        return _FAILED
    except OSError as error:
        click.echo(f"error: {error.filename or ''}: {error.strerror or error}", err=True)
        return _FAILED
    return _DONE


def _leave(code: int) -> NoReturn:
    """End at once: slabs still at work in threads are not waited for, and leave no trace."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass
    os._exit(code)


def _screen() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: getattr(record, "to_screen", True))
    return handler


if __name__ == "__main__":
    main()
