"""Errors that a user can mend: each message says what is wrong, the value, and the remedy."""

from collections.abc import Sequence


class XctError(ValueError):
    """One or more complaints, each a complete sentence for the user."""

    def __init__(self, *complaints: str) -> None:
        super().__init__("\n".join(complaints))
        self.complaints: Sequence[str] = complaints


class ConfigError(XctError):
    """A configuration that cannot be run as it stands."""


class ScanError(XctError):
    """A scan that cannot be read, or whose facts contradict each other."""


class RunError(RuntimeError):
    """A run that had to end; what was finished is kept."""


# Numbers in words, for messages and the log.


def show_bytes(count: float) -> str:
    """Write a number of bytes with a binary unit."""
    for unit in ("bytes", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def show_seconds(seconds: float) -> str:
    """Write a duration: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
