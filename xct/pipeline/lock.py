"""The lock of an output folder: one run at a time, on any host; that of the dead is free.

On one host the system frees the lock of a process that has ended. On network disks that does not
reach from host to host: there the holder counts beats in the lock, and who wants it watches them
by its own clock. What stands still for `LEASE_S` belongs to a host that is gone.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from xct.errors import ConfigError

log = logging.getLogger("xct")

BEAT_S = 10.0
LEASE_S = 60.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # tells two hosts of one name apart
_MOST_BYTES = 4096


@dataclass
class Held:
    """A lock that this process holds.

    Attributes
    ----------
    path : Path
        The file.
    holder : dict
        Who it is: host, process, since when, and a name that nobody else has.
    lost : threading.Event
        Set when another run took the lock, since this one had stood still.
    when_lost : callable
        Called then.
    """

    path: Path
    holder: dict[str, Any]
    lost: threading.Event = field(default_factory=threading.Event)
    when_lost: Callable[[], None] = lambda: None
    _ended: threading.Event = field(default_factory=threading.Event)

    def beat(self, descriptor: int) -> None:
        """Count on in the lock until the run ends; stop where another run has taken it."""
        number = 0
        while not self._ended.wait(BEAT_S):
            number += 1
            try:
                if _named(_raw(self.path)).get("name") != self.holder["name"]:
                    self.lost.set()
                    self.when_lost()
                    return
                _write(descriptor, {**self.holder, "beat": number})
            except OSError:  # a disk that does not answer now may do so later
                continue

    def end(self) -> None:
        """Stop beating."""
        self._ended.set()


@contextmanager
def locked(path: Path, output: Path) -> Iterator[Held]:
    """Keep other runs out of a folder.

    Parameters
    ----------
    path : Path
        The lock file.
    output : Path
        The folder that it guards, for messages.

    Raises
    ------
    ConfigError
        If another run is writing there; the message names its host and process.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(_in_use(output, holder_of(path))) from None
        earlier = holder_of(path)
        if earlier and not _of_this_host(earlier):
            _wait_for_beats(path, output, earlier)
        held = Held(path, _this_run())
        _write(descriptor, held.holder)
        if earlier and not _of_this_host(earlier):
            _settle(held, output)
        beating = threading.Thread(target=held.beat, args=(descriptor,), daemon=True)
        beating.start()
        try:
            yield held
        finally:
            held.end()
            beating.join()
            if not held.lost.is_set():
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _this_run() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "process": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "name": uuid4().hex,
        "beat": 0,
    }


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _of_this_host(holder: Mapping[str, Any]) -> bool:
    """Whether a holder runs, or ran, where the system's own lock is decisive."""
    same = holder.get("host", socket.gethostname()) == socket.gethostname()
    return bool(same and holder.get("boot", _boot()) == _boot())


def is_alive(path: Path, *, watch_s: float) -> bool:
    """Whether the run that a lock names still goes on; the lock itself is left alone.

    Of this host, its process is looked for: a later one of the same number has begun after the
    last beat. A run on another host is watched until its next beat.

    Parameters
    ----------
    path : Path
        The lock file.
    watch_s : float
        How long to watch, at most; less than `BEAT_S` may miss a run that is well.
    """
    holder = holder_of(path)
    if not holder:
        return False
    if _of_this_host(holder):
        return _process_goes_on(holder.get("process"), path)
    before, end = _raw(path), time.monotonic() + watch_s
    while time.monotonic() < end:
        time.sleep(min(BEAT_S / 10, watch_s / 5))
        now = _raw(path)
        if now != before:
            return bool(now)
    return False


def _process_goes_on(process: Any, path: Path) -> bool:
    import psutil

    try:
        found = psutil.Process(int(process))
        is_dead = found.status() == psutil.STATUS_ZOMBIE
        return not is_dead and found.create_time() <= path.stat().st_mtime + LEASE_S
    except (psutil.Error, OSError, TypeError, ValueError):
        return False


def _wait_for_beats(path: Path, output: Path, earlier: Mapping[str, Any]) -> None:
    """Watch the lock of another host; return when it has stood still for the whole lease."""
    log.info(
        "%s: a run on %s was writing here; waiting %.0f s to see whether it still does",
        output,
        earlier.get("host"),
        LEASE_S,
    )
    before, end = _raw(path), time.monotonic() + LEASE_S
    while time.monotonic() < end:
        time.sleep(min(BEAT_S / 5, LEASE_S / 5))
        now = _raw(path)
        if not now:
            return
        if now != before:
            raise ConfigError(_in_use(output, {**earlier, **_named(now)}))
    log.info("%s: that run is gone; going on", output)


def _settle(held: Held, output: Path) -> None:
    """Let another host that took the same lock at the same time be seen."""
    time.sleep(min(2.0, LEASE_S / 5))
    now = holder_of(held.path)
    if now.get("name") != held.holder["name"]:
        raise ConfigError(_in_use(output, now))


def _in_use(output: Path, holder: Mapping[str, Any]) -> str:
    who = f"{holder.get('host', 'this host')}, process {holder.get('process', 'unknown')}"
    return (
        f"output: {output}: a run on {who}, is writing here since "
        f"{holder.get('since', 'a moment ago')}; wait for it, or name another output"
    )


def _raw(path: Path) -> bytes:
    """Read a lock; opened anew, so that a network disk gives what is there now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> dict[str, Any]:
    """Read who wrote into a lock; empty where it names no one, or cannot be read."""
    try:
        return _named(_raw(path))
    except OSError:
        return {}


def _named(content: bytes) -> dict[str, Any]:
    try:
        holder = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _write(descriptor: int, holder: Mapping[str, Any]) -> None:
    """Write over the lock; it is never empty meanwhile."""
    text = json.dumps(holder).encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))
    os.fsync(descriptor)
