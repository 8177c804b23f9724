"""The output folder of a run: whose it is, what is finished, and that no other run writes to it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from xct.errors import ConfigError
from xct.io.atomic import write_json
from xct.quantity import QUANTITIES, files_of

_STATE = ".xct"  # journal of an unfinished run, and the lock
_FILES = {"summary.json", "run.yaml", "run.log"}
_FOLDERS = {"figures", "tables", _STATE}
_FRAMES = "frames.zarr"  # the temporary copy by rows: it depends on input, roi and bin alone


@dataclass(frozen=True)
class OutputFolder:
    """Where a run writes. Finished pieces are noted, so that an interrupted run goes on.

    Attributes
    ----------
    path : Path
        The folder named by the configuration's `output`.
    """

    path: Path

    @property
    def state(self) -> Path:
        """Folder of the journal."""
        return self.path / _STATE

    def foreign(self) -> list[str]:
        """List what lies in the folder and was not written by xct."""
        if not self.path.is_dir():
            return []
        ours = _products() | _FILES | _FOLDERS
        return sorted(p.name for p in self.path.iterdir() if p.name not in ours)

    def identity(self) -> dict[str, Any] | None:
        """Read what the run in this folder was asked to do; None where there is none."""
        identity: dict[str, Any] | None = self.number("identity")
        return identity

    def products(self) -> list[str]:
        """List the Zarr products that are there."""
        return sorted(n for n in _products() if n.endswith(".zarr") and (self.path / n).exists())

    def is_finished(self) -> bool:
        """Return whether a run came to its end here, and all that it wrote is still there."""
        finished = self.number("finished")
        if finished is None:
            return False
        expected = [f"{name}.zarr" for name in finished["products"]]
        return all((self.path / name).exists() for name in (*expected, "summary.json", "run.yaml"))

    def claim(self, identity: Mapping[str, Any], *, restart: bool) -> bool:
        """Make the folder this run's own.

        Parameters
        ----------
        identity : mapping
            Everything that decides the result: input, steps, settings, version.
        restart : bool
            Throw away what an earlier run left.

        Returns
        -------
        bool
            Whether an earlier, interrupted run is continued.

        Raises
        ------
        ConfigError
            If the folder holds another run, or files that xct did not write.
        """
        errors = self.conflicts(identity, restart=restart)
        if errors:
            raise ConfigError(*errors)
        now = json.loads(json.dumps(identity))
        earlier = None if restart else self.identity()
        broken = earlier is not None and self.number("finished") and not self.is_finished()
        if restart or broken:
            self._clear(keep_frames=False)
        elif earlier is not None and earlier != now:  # nothing is written yet: start anew
            same = all(earlier.get(key) == now.get(key) for key in ("input", "roi", "bin"))
            self._clear(keep_frames=same)
        resumed = earlier == now and not broken
        self.state.mkdir(parents=True, exist_ok=True)
        self.note("identity", now)
        for left in self.path.rglob("*.partial"):  # of a write that was cut short
            left.unlink(missing_ok=True)
        return resumed

    def unfit(self) -> list[str]:
        """Say why nothing can be written here, whatever the run."""
        place = f"output: {self.path}"
        if self.path.is_symlink() and not self.path.exists():
            return [f"{place}: is a link that leads nowhere; name another output"]
        if self.path.exists() and not self.path.is_dir():
            return [f"{place}: is a file, not a folder; name another output"]
        if not _may_write(self.path):
            return [f"{place}: may not be written to; choose another output or ask for permission"]
        foreign = self.foreign()
        if foreign:
            named = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
            return [f"{place}: holds files that xct did not write ({named}); name another output"]
        return []

    def conflicts(self, identity: Mapping[str, Any], *, restart: bool) -> list[str]:
        """Say what stands against writing a run into this folder."""
        if restart or not self.path.is_dir():
            return self.unfit()
        earlier = self.identity()
        if earlier is None and (self.products() or (self.path / "summary.json").exists()):
            return [
                f"output: {self.path}: holds results of unknown origin; --restart replaces them"
            ]
        changed = _differences(earlier or identity, json.loads(json.dumps(identity)))
        if not changed or not self.products():
            return self.unfit()
        return [
            f"output: {self.path}: holds another run, which differs in {'; '.join(changed[:4])}; "
            "name another output, or --restart to replace it"
        ]

    def _clear(self, *, keep_frames: bool) -> None:
        """Remove what xct wrote, and nothing else; first what says that it is finished."""
        frames = {_FRAMES} if keep_frames else set()
        for name in ("finished.json", "identity.json"):
            (self.state / name).unlink(missing_ok=True)
        for entry in self.state.iterdir():
            is_kept = entry.name in {"lock", *frames} or (
                keep_frames and entry.name.startswith("frames-")
            )
            if not is_kept:
                _remove(entry)
        for name in sorted({*_products(), *_FILES, "tables"}):
            _remove(self.path / name)
        for figure in {name for quantity in QUANTITIES.values() for name in quantity.figures}:
            for ending in ("png", "svg"):
                _remove(self.path / "figures" / f"{figure}.{ending}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out; the lock of a process that has died is free.

        Raises
        ------
        ConfigError
            If another run is writing here; the message names its host and process.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        path = self.state / "lock"
        with path.open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(self._in_use(_holder(lock))) from None
            holder = _holder(lock)
            if holder.get("host", socket.gethostname()) != socket.gethostname():
                # On a network disk the system's lock may not reach from host to host.
                raise ConfigError(
                    f"{self._in_use(holder)}. If that process is surely gone, delete {path}"
                )
            _write(lock, {"host": socket.gethostname(), "process": os.getpid(), "since": _now()})
            try:
                yield
            finally:
                _write(lock, None)

    def _in_use(self, holder: Mapping[str, Any]) -> str:
        who = f"{holder.get('host', 'this host')}, process {holder.get('process', 'unknown')}"
        return (
            f"output: {self.path}: a run on {who}, is writing here since "
            f"{holder.get('since', 'a moment ago')}; wait for it, or name another output"
        )

    def note(self, name: str, value: Any) -> None:
        """Note a number or a finished piece in the journal."""
        write_json(self.state / f"{name}.json", value)

    def number(self, name: str) -> Any:
        """Read a note; None where there is none.

        Raises
        ------
        ConfigError
            If the note cannot be read.
        """
        path = self.state / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError:
            raise ConfigError(
                f"{path}: the journal of an earlier run is damaged; --restart begins anew"
            ) from None

    def notes(self, prefix: str) -> dict[int, Any]:
        """Read all notes named ``prefix-NUMBER``, by number."""
        found = {}
        for path in sorted(self.state.glob(f"{prefix}-*.json")):
            found[int(path.stem.removeprefix(f"{prefix}-"))] = json.loads(path.read_text("utf-8"))
        return found

    def forget(self, prefix: str) -> None:
        """Remove all notes named ``prefix-NUMBER``."""
        for path in self.state.glob(f"{prefix}-*.json"):
            path.unlink()

    def finish(self, products: Sequence[str]) -> None:
        """Forget the pieces; only what the run was and that it ended stays in the journal."""
        self.note("finished", {"time": _now(), "products": list(products)})
        for path in self.state.iterdir():
            if path.name not in {"identity.json", "finished.json", "lock"}:
                _remove(path)


def _products() -> set[str]:
    """Name what quantities leave in the folder of a result."""
    return files_of(list(QUANTITIES.values()))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _may_write(path: Path) -> bool:
    for folder in (path, *path.parents):
        if folder.exists():
            return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return False


def _holder(lock: TextIO) -> dict[str, Any]:
    """Read who wrote into a lock; empty where it names no one, or cannot be read."""
    lock.seek(0)
    try:
        holder = json.loads(lock.read())
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _write(lock: TextIO, holder: Mapping[str, Any] | None) -> None:
    lock.truncate(0)
    lock.write("" if holder is None else json.dumps(holder))
    lock.flush()


def _differences(earlier: Any, now: Any, above: str = "") -> list[str]:
    if isinstance(earlier, list) and isinstance(now, list) and len(earlier) == len(now):
        earlier, now = dict(enumerate(earlier)), dict(enumerate(now))
    if isinstance(earlier, dict) and isinstance(now, dict):
        keys = sorted({*earlier, *now})
        pairs = ((key, earlier.get(key), now.get(key)) for key in keys)
        return [d for key, a, b in pairs for d in _differences(a, b, f"{above}.{key}".lstrip("."))]
    return [] if earlier == now else [f"{above} ({_short(earlier)} there, {_short(now)} here)"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
