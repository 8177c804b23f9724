"""Files read and written whole; what is written appears under its name when it is whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xct.errors import RunError, ScanError

_MOST_BYTES = 64 * 2**20  # of a text, a list of angles, a set of regions


def read_small(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Read a small file whole.

    Raises
    ------
    OSError
        If that is not possible, also if it is no file (a pipe would be waited for without end),
        or is larger than `most` bytes.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    if found.st_size > most:
        message = f"it has {found.st_size:,} bytes, more than the {most:,} that such a file may"
        raise OSError(errno.EFBIG, message, str(path))
    return path.read_bytes()


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
