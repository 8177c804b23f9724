"""Errors that a user can mend: each message says what is wrong, the value, and the remedy."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_MOST_DECIMALS = 9


class XctError(ValueError):
    """One or more errors, each a complete sentence for the user."""

    def __init__(self, *errors: str) -> None:
        super().__init__("\n".join(errors))
        self.errors: Sequence[str] = errors


class ConfigError(XctError):
    """A configuration that cannot be run as it stands."""


class ScanError(XctError):
    """A scan that cannot be read, or whose facts contradict each other."""


class DataError(XctError):
    """Data that a step refuses: they do not carry what was asked of them.

    A step that refuses is left out with this message; anything else that it raises is a fault of
    its program.
    """


class RunError(RuntimeError):
    """A run that had to end; what was finished is kept."""


class DamagedFile(RunError):
    """A file of a result that is not what was written."""


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Refuse a part of a result in words, whatever a library raises that stumbles over it.

    Raises
    ------
    XctError
        In the place of what has no common type: damaged metadata, and checksums that do not fit.
    """
    try:
        yield
    except (XctError, RunError, MemoryError):
        raise
    except Exception as error:
        raise XctError(
            f"{path}: is damaged ({type(error).__name__}: {error}); `xct verify` names the file, "
            "and the run that made it makes it anew"
        ) from None


def ranges(numbers: Iterable[int], most: int | None = None) -> str:
    """Write ascending numbers as ranges: 1–3, 7; of more than `most` ranges, the first ones."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs[:most])
    return shown if most is None or len(runs) <= most else f"{shown}, …"


def show_with_sd(value: float, sd: float, decimals: int) -> str:
    """Write a number and its standard deviation: to more decimals where that would read 0.

    A deviation of 0 is none: it is not written.
    """
    if not sd > 0:
        return f"{value:.{decimals}f}"
    while float(f"{sd:.{decimals}f}") == 0 and decimals < _MOST_DECIMALS:
        decimals += 1
    return f"{value:.{decimals}f} ± {sd:.{decimals}f}"


def show_bytes(count: float) -> str:
    """Write a number of bytes with a binary unit."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            return f"{count:.3g} {unit}"
        count /= 1024
    return ""


def show_seconds(seconds: float) -> str:
    """Write a duration: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def nearest(name: str, known: Sequence[str]) -> str:
    """Suggest the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
