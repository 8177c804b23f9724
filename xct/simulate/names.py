"""Names of files. In: the name of a case; out: that of its folder and its figures."""

from __future__ import annotations

import re
from collections.abc import Sequence


def slug(name: str) -> str:
    """Make a folder's name of the name of a case."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "case"


def check_names(names: Sequence[str]) -> None:
    """Refuse names of cases that would share a folder.

    Raises
    ------
    ValueError
        If two do.
    """
    seen: dict[str, str] = {}
    for name in names:
        folder = slug(name).lower()  # some file systems take a and A for one
        if folder in seen:
            also = "" if seen[folder] == name else f" and {seen[folder]!r}, which is one folder"
            raise ValueError(f"two cases are named {name!r}{also}; name one otherwise")
        seen[folder] = name
