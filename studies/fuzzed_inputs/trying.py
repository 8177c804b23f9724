"""Damaged inputs are read. In: a kind and seeds; out: the seeds that were not refused as they must.

What must not be: an exception that no user understands, more than 10 s of a processor, or a minute
of waiting, more than 2 GiB, and files outside the output.
"""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, copytree, rmtree

import numpy as np
import psutil

from studies.fuzzed_inputs.damage import damage
from studies.fuzzed_inputs.kinds import Kind

MOST_SECONDS = 10  # of a processor
MOST_WAITING = 60  # on the clock: it may be shared with others
MOST_BYTES = 2 * 2**30
_EVERY = 10  # of how many seeds one is read as a command does, where that takes longer

Listing = dict[str, tuple[int, int]]


def faults(kind: Kind, seeds: range, scratch: Path) -> Iterator[tuple[int, str]]:
    """Damage a file once for every seed; yield the seeds at which it was not refused as it must."""
    noted = scratch / "faults.txt"
    first = seeds.start
    while first < seeds.stop:
        noted.write_text("", encoding="utf-8")
        first = _batch(kind, range(first, seeds.stop), scratch, noted)
        for line in noted.read_text(encoding="utf-8").splitlines():
            number, _, why = line.partition(" ")
            yield int(number), why


def _batch(kind: Kind, seeds: range, scratch: Path, noted: Path) -> int:
    """Try seeds in a fork, until one of them ends it; give the first that is left."""
    at = scratch / "at.txt"
    at.write_text(str(seeds.start), encoding="utf-8")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _limit()
            tried = _Tried(kind, scratch / "place")
            for seed in seeds:
                at.write_text(str(seed), encoding="utf-8")
                signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
                signal.alarm(MOST_WAITING)
                why = tried.fault(seed)
                signal.alarm(0)
                if why:
                    with noted.open("a", encoding="utf-8") as file:
                        file.write(f"{seed} {why}\n")
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return seeds.stop
    with noted.open("a", encoding="utf-8") as file:  # by a signal: too long, or a crash
        file.write(f"{at.read_text(encoding='utf-8')} ended the process with {code}\n")
    return int(at.read_text(encoding="utf-8")) + 1


def _limit() -> None:
    size = psutil.Process().memory_info().vms + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


class _Tried:
    """A copy of a kind's folder, whose file is damaged, read and put back, again and again."""

    def __init__(self, kind: Kind, place: Path) -> None:
        self.kind, self.place = kind, place
        self.whole: Listing = {}
        self.time_ns = 0

    def fault(self, seed: int) -> str:
        """Damage and read; give what went wrong, in one line."""
        self._put_back()
        kind = self.kind
        damage(self.place / kind.file, np.random.default_rng([seed, len(kind.name)]))
        before = _listed(self.place)
        read = kind.read if kind.quick is None or seed % _EVERY == 0 else kind.quick
        try:
            read(self.place)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            return said.replace("\n", " ")
        changed = {f for f, state in _listed(self.place).items() if before.get(f) != state}
        strange = sorted(f for f in changed if not f.startswith("out"))
        return f"wrote {strange[0]}" if strange else ""

    def _put_back(self) -> None:
        """Copy the damaged file again, and the whole folder where more of it has changed."""
        file = self.place / self.kind.file
        now = _listed(self.place)
        for listing in (now, self.whole):
            listing.pop(self.kind.file, None)
        if self.whole and now == self.whole:
            file.unlink(missing_ok=True)
            copy(self.kind.folder / self.kind.file, file)
            os.utime(file, ns=(self.time_ns, self.time_ns))
            return
        rmtree(self.place, ignore_errors=True)
        copytree(self.kind.folder, self.place)
        self.time_ns = file.stat().st_mtime_ns
        self.whole = _listed(self.place)


def _listed(folder: Path, below: str = "") -> Listing:
    """Give size and time of every file below a folder; folders have none."""
    found: Listing = {}
    if not below and not folder.is_dir():
        return found
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                found[name] = (0, 0)
                found |= _listed(Path(entry.path), f"{name}/")
            else:
                state = entry.stat(follow_symlinks=False)
                found[name] = (state.st_size, state.st_mtime_ns)
    return found
