"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xct.errors import RunError, ScanError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` if nothing goes wrong."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, one key a line."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


# Folders that are either whole or absent: filled under another name, then renamed.

_ATTEMPTS = 10


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `target` if nothing goes wrong.

    Parameters
    ----------
    target : path
        Absent, or an empty folder.

    Raises
    ------
    RunError
        If the disk is full, or the folder cannot be written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _forget_the_dead(target)
        partial.mkdir()
        yield partial
        os.replace(partial, target)
    except OSError as error:
        raise RunError(_reason(error, target)) from error
    except ScanError as error:
        if isinstance(error.__cause__, OSError):  # the writer of HDF5 could not go on
            raise RunError(_reason(error.__cause__, target)) from error
        raise
    finally:
        _remove(partial)


def _remove(folder: Path) -> None:
    """Remove a folder, into which a thread may still be writing its last file."""
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _forget_the_dead(target: Path) -> None:
    """Remove what an earlier writer left that was killed."""
    for left in target.parent.glob(f".{target.name}.*.partial"):
        number = left.name.split(".")[-2]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(left, ignore_errors=True)


def _reason(error: OSError, target: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return f"the disk below {target.parent} is full; free some, or choose another folder"
    return f"{target} cannot be written: {error.strerror or error}"


def free_disk(path: Path) -> int:
    """Bytes free where `path` is, or will be made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
