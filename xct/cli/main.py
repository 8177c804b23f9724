"""The command `xct`. Heavy packages are imported by the commands that need them."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from xct import __version__
from xct.cli import cluster, explain, files, runs, virtual_cells, watching
from xct.cli.screen import Screen
from xct.errors import RunError, XctError

_DONE, _FAILED, _WRONG, _INTERRUPTED = 0, 1, 2, 130
_SAME_S = 1.0  # within which signals are one


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xct")
def xct() -> None:
    """Synchrotron X-ray tomography of battery cells: raw scan in, calibrated volume out.

    Start with `xct init SCAN`, then `xct run CONFIG`.
    """


for _room in (runs, watching, cluster, explain, files, virtual_cells):
    for _command in _room.COMMANDS:
        xct.add_command(_command)


class Ending:
    """What a signal does: the first ends the command, a later one the process, at once.

    One that comes right after the first is the same: make and terminals send it to all, and on.
    """

    def __init__(self) -> None:
        self.since_s: float | None = None

    def __call__(self, *_: Any) -> None:
        """Answer a signal."""
        if self.since_s is None:
            self.since_s = time.monotonic()
            if (monitor := sys.modules.get("xct.pipeline.monitor")) is not None:
                monitor.asked_to_end.set()
            raise KeyboardInterrupt
        if time.monotonic() - self.since_s > _SAME_S:
            os._exit(_INTERRUPTED)


def main() -> NoReturn:
    """Run the command of this process and end with its exit code."""
    ending = Ending()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means what it says
            signal.signal(number, ending)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show µ or ±
    logging.getLogger("xct").addHandler(Screen())
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
        click.echo("\n".join(f"error: {text}" for text in error.errors), err=True)
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


if __name__ == "__main__":
    main()
