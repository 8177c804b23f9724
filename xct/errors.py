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
