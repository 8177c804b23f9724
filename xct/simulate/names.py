"""Names of files. In: the name of a case; out: that of its folder and its figures."""

from __future__ import annotations

import re


def slug(name: str) -> str:
    """Make a folder's name of the name of a case."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "case"
