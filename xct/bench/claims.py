"""Claims of several processes on one folder's work. In: a file; out: whether it is ours.

The system holds the claim for the process, and lets go of it when that ends, however it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Claim a file for as long as the context lasts.

    Parameters
    ----------
    file : path
        Made if it is not there; it stays, since removing it could give two processes the claim.

    Yields
    ------
    bool
        Whether it is ours; otherwise a living process has it.
    """
    with file.open("a", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
