"""The output folder of a run: whose it is, what is finished, and that nobody else writes to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from xct.errors import ConfigError
from xct.io.atomic import write_json
from xct.stages import QUANTITIES

_STATE = ".xct"  # journal of an unfinished run, and the lock
_RESULTS = {"volume.zarr", "summary.json", "run.yaml", "run.log", "figures", "tables", _STATE}


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
        ours = _RESULTS | {f"{name}.zarr" for name in QUANTITIES}
        return sorted(p.name for p in self.path.iterdir() if p.name not in ours)

    def identity(self) -> dict[str, Any] | None:
        """Read what the run in this folder was asked to do; None where there is none."""
        identity: dict[str, Any] | None = self.number("identity")
        return identity

    def is_finished(self) -> bool:
        """Tell whether a run came to its end here."""
        return self.number("finished") is not None

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
        complaints = self.objections(identity, restart=restart)
        if complaints:
            raise ConfigError(*complaints)
        if restart:
            self._clear()
        resumed = self.identity() is not None
        self.state.mkdir(parents=True, exist_ok=True)
        if not resumed:
            self.note("identity", identity)
        for left in self.path.rglob("*.partial"):  # of a write that was cut short
            left.unlink(missing_ok=True)
        return resumed

    def unfit(self) -> list[str]:
        """Say why nothing can be written here, whatever the run."""
        place = f"output: {self.path}"
        if self.path.exists() and not self.path.is_dir():
            return [f"{place}: is a file, not a folder; name another output"]
        if not _may_write(self.path):
            return [f"{place}: may not be written to; choose another output or ask for permission"]
        foreign = self.foreign()
        if foreign:
            named = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
            return [f"{place}: holds files that xct did not write ({named}); name another output"]
        return []

    def objections(self, identity: Mapping[str, Any], *, restart: bool) -> list[str]:
        """Say what stands against writing a run into this folder."""
        earlier = self.identity()
        if restart or (earlier is None and not any(self._results())):
            return self.unfit()
        if earlier is None:
            return [
                f"output: {self.path}: holds results of unknown origin; --restart replaces them"
            ]
        changed = _differences(earlier, json.loads(json.dumps(identity)))
        if not changed:
            return self.unfit()
        return [
            f"output: {self.path}: holds another run, which differs in {'; '.join(changed[:4])}; "
            "name another output, or --restart to replace it"
        ]

    def _results(self) -> Iterator[Path]:
        return (self.path / name for name in _RESULTS - {_STATE} if (self.path / name).exists())

    def _clear(self) -> None:
        lock = self.state / "lock"
        kept = lock.read_bytes() if lock.exists() else None
        for name in _RESULTS | {f"{quantity}.zarr" for quantity in QUANTITIES}:
            target = self.path / name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        if kept is not None:
            self.state.mkdir()
            lock.write_bytes(kept)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out; a lock whose process has died is taken over.

        Raises
        ------
        ConfigError
            If another run is writing here; the message names its host and process.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        lock = self.state / "lock"
        holder = _holder(lock)
        if holder is not None:
            raise ConfigError(
                f"output: {self.path}: a run on {holder['host']}, process {holder['process']}, "
                f"is writing here since {holder['since']}; wait for it, or name another output. "
                f"If that process is surely gone, delete {lock}"
            )
        lock.unlink(missing_ok=True)
        mine = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        with lock.open("x", encoding="utf-8") as file:
            json.dump(mine, file)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)

    def note(self, name: str, value: Any) -> None:
        """Note a number or a finished piece in the journal."""
        write_json(self.state / f"{name}.json", value)

    def number(self, name: str) -> Any:
        """Read a note; None where there is none."""
        path = self.state / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def notes(self, prefix: str) -> dict[int, Any]:
        """Read all notes named ``prefix-NUMBER``, by number."""
        found = {}
        for path in sorted(self.state.glob(f"{prefix}-*.json")):
            found[int(path.stem.removeprefix(f"{prefix}-"))] = json.loads(path.read_text("utf-8"))
        return found

    def finish(self) -> None:
        """Forget the pieces; only what the run was and that it ended stays in the journal."""
        self.note("finished", {"time": time.strftime("%Y-%m-%d %H:%M:%S")})
        for path in self.state.iterdir():
            if path.name not in {"identity.json", "finished.json", "lock"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _may_write(path: Path) -> bool:
    for folder in (path, *path.parents):
        if folder.exists():
            return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return False


def _holder(lock: Path) -> dict[str, Any] | None:
    """Read who holds a lock; None where it is free or its process has died."""
    try:
        holder: dict[str, Any] = json.loads(lock.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    here = holder["host"] == socket.gethostname()
    return None if here and not psutil.pid_exists(holder["process"]) else holder


def _differences(earlier: Any, now: Any, above: str = "") -> list[str]:
    if isinstance(earlier, dict) and isinstance(now, dict):
        keys = sorted({*earlier, *now})
        pairs = ((key, earlier.get(key), now.get(key)) for key in keys)
        return [d for key, a, b in pairs for d in _differences(a, b, f"{above}.{key}".lstrip("."))]
    return [] if earlier == now else [f"{above} ({_short(earlier)} there, {_short(now)} here)"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
