"""Graphics cards: processes of one machine take turns. In: nothing; out: the number of a card.

The system holds a claim for the process, and lets go of it when that ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

_PAUSE_S = 0.05  # until cards that others have are asked for again
_DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_cards() -> list[str]:
    """Name the cards that this process may use, in the order in which CUDA counts them.

    Those of ``CUDA_VISIBLE_DEVICES``, as a scheduler sets it for its jobs; else all of which the
    driver knows.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        with suppress(OSError):
            return [str(number) for number in range(len(list(_DRIVER.iterdir())))]
        return []
    names = [name.strip() for name in given.split(",")]
    # CUDA sees none from the first that is no card.
    return list(takewhile(lambda name: name and not name.startswith("-"), names))


@contextmanager
def claimed_card(names: Sequence[str] | None = None) -> Iterator[int | None]:
    """Claim a card for as long as the context lasts; wait while other processes have them all.

    Parameters
    ----------
    names : sequence of str, optional
        Of the cards; `visible_cards` unless given.

    Yields
    ------
    int or None
        Its place among the names, as CUDA counts; None where there are none to choose from.
    """
    names = visible_cards() if names is None else names
    if not names:
        yield None
        return
    folder = _folder()
    while True:
        for number, name in enumerate(names):
            held = _claim(folder / f"{platform.node()}-{name.replace(os.sep, '_')}")
            if held is not None:
                try:
                    yield number
                finally:
                    os.close(held)
                return
        time.sleep(_PAUSE_S)


def _claim(file: Path) -> int | None:
    """Lock a file, unless another process has it; it stays, since a new one is another claim."""
    held = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held


def _folder() -> Path:
    """Make the user's own folder for claims, which nobody else may write to."""
    folder = Path(tempfile.gettempdir()) / f"xct-cards-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return Path(tempfile.mkdtemp(prefix="xct-cards-"))
    return folder
