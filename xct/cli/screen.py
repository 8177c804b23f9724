"""What a command shows of its log: lines, more of them, only warnings, or JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_QUIET = "xct.quiet"
_SHOWN_IN_JSON = ("done", "total")  # of a line about progress


class Screen(logging.StreamHandler):
    """Shows the log of this process on its standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.without_bars = False  # `make_bar` looks at it
        self.everything = False
        self.setFormatter(logging.Formatter("%(message)s"))
        self.addFilter(lambda line: self.everything or getattr(line, "to_screen", True))


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in _SHOWN_IN_JSON if hasattr(record, name)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def screen_options(command: Command) -> Command:
    """Give a command the options -v, -q and --log-json, and carry out what they ask for."""

    def chosen(context: click.Context, option: click.Parameter, value: bool) -> None:
        context.meta[f"xct.{option.name}"] = value
        if value:
            _adjust(str(option.name))

    options = (
        ("-v", "--verbose", "Show also what otherwise run.log alone has, with the time."),
        ("-q", "--quiet", "Show warnings and errors alone."),
        ("--log-json", "One JSON object for each line of the log on standard error."),
    )
    for *names, explained in reversed(options):
        command = click.option(
            *names, is_flag=True, expose_value=False, callback=chosen, help=explained
        )(command)
    return command


def is_quiet() -> bool:
    """Whether the command was asked to show warnings and errors alone."""
    context = click.get_current_context(silent=True)
    return bool(context is not None and context.meta.get(_QUIET))


def _adjust(wish: str) -> None:
    for screen in logging.getLogger("xct").handlers:
        if not isinstance(screen, Screen):
            continue
        screen.without_bars = True
        if wish == "quiet":
            screen.setLevel(logging.WARNING)
        elif wish == "log_json":
            screen.setFormatter(_Json())
        else:
            screen.everything = True
            screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
