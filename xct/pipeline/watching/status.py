"""Status: a run as it looks from another terminal. In: its output folder; out: how it stands.

Only reads: what the run noted in its journal, and who holds its lock.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from xct.errors import ConfigError, XctError, show_seconds
from xct.io.journal import ENDING, Journal
from xct.pipeline.lock import BEAT_S, holder_of, is_alive
from xct.pipeline.watching.progress import NOTE

State = Literal["running", "finished", "stopped", "died"]
_SILENT_S = 60.0  # without a word of the run: said, since it may hang
_TAIL_BYTES = 65_536  # of run.log


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes
    ----------
    output : str
        Folder of the result.
    state : str
        ``running``; ``finished``; ``stopped``: it ended before its end and said why; ``died``: it
        was killed, or its host went down.
    host, process, since : str, int, str, optional
        Who writes, or wrote, and since when.
    step : str, optional
        What it does, or did last.
    number, steps : int, optional
        Of the step, and of steps in all.
    step_seconds : float, optional
        For how long that step goes on.
    done, total : int, optional
        Pieces of the pass over the volume that goes on.
    left_seconds : float, optional
        About what is left of that pass.
    run_left_seconds : float, optional
        About what is left of the run.
    heard_seconds : float, optional
        How long ago the run last said where it is.
    reason : str, optional
        Why it stopped.
    warnings : int, optional
        How many warnings there are until now.
    """

    output: str
    state: State
    host: str | None = None
    process: int | None = None
    since: str | None = None
    step: str | None = None
    number: int | None = None
    steps: int | None = None
    step_seconds: float | None = None
    done: int | None = None
    total: int | None = None
    left_seconds: float | None = None
    run_left_seconds: float | None = None
    heard_seconds: float | None = None
    reason: str | None = None
    warnings: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give what is known, for a program."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def status_of(output: Path, *, watch_s: float = 2 * BEAT_S) -> Status:
    """Say how the run in a folder stands.

    Parameters
    ----------
    output : Path
        Folder of the result, or the configuration that names it.
    watch_s : float, optional
        How long a run on another host is watched for a sign of life, at most.

    Raises
    ------
    ConfigError
        If no run ever wrote there.
    """
    folder = _folder(output)
    journal = Journal(folder)
    if not (journal.folder / "lock").exists() or not journal.entries():
        raise ConfigError(
            f"{folder}: no run has written here; `xct status` takes the folder that the "
            "configuration names as `output`, or the configuration"
        )
    lock = journal.folder / "lock"
    holder = holder_of(lock)
    ended = _read(journal, ENDING)
    known: dict[str, Any] = {
        "output": str(folder),
        "warnings": len(_read(journal, "warnings") or []),
    }
    if holder:
        alive = is_alive(lock, watch_s=watch_s)
        if not holder_of(lock) and _read(journal, ENDING) is not None:  # it ended meanwhile
            return Status(state="finished", **known | _at_the_end(folder))
        who: dict[str, Any] = {name: holder.get(name) for name in ("host", "process", "since")}
        where = _where(journal, alive=alive)
        return Status(state="running" if alive else "died", **known, **who, **where)
    if ended is not None:
        return Status(state="finished", since=ended.get("time"), **known | _at_the_end(folder))
    if _read(journal, "identity") is None:
        raise ConfigError(f"{folder}: no run has begun here; `xct run CONFIG` begins one")
    return Status(
        state="stopped", reason=_last_error(folder), **known, **_where(journal, alive=False)
    )


def status_text(status: Status) -> str:
    """Show how a run stands, in two lines at most."""
    lines = [f"{status.output}: {status.state}"]
    if status.state == "finished":
        lines[0] += f" at {status.since}" if status.since else ""
    if status.host is not None:
        lines[0] += f" on {status.host}, process {status.process}, since {status.since}"
    if status.step is not None:
        lines.append(f"  {_step_text(status)}")
    if status.state == "running":
        lines += _left_text(status)
    if status.reason:
        lines.append(f"  {status.reason}")
    if status.state in ("stopped", "died"):
        lines.append("  `xct run` with its configuration goes on where it was")
    if status.warnings:
        until = "" if status.state == "finished" else " until now"
        lines.append(f"  {status.warnings} warning{'s' * (status.warnings != 1)}{until}")
    return "\n".join(lines)


def _step_text(status: Status) -> str:
    number = f"step {status.number} of {status.steps}: " if status.number else ""
    pieces = f", {status.done} of {status.total}" if status.total else ""
    spent = status.step_seconds
    since = "" if spent is None else f", for {show_seconds(spent)}"
    seen = "" if status.state == "running" else "last seen in "
    return f"{seen}{number}{status.step}{pieces}{since}"


def _left_text(status: Status) -> list[str]:
    parts = []
    if status.left_seconds is not None:
        parts.append(f"{show_seconds(status.left_seconds)} left of this pass")
    if status.run_left_seconds is not None:
        parts.append(f"{show_seconds(status.run_left_seconds)} of the run")
    lines = [f"  about {', '.join(parts)}"] if parts else []
    if status.heard_seconds is not None and status.heard_seconds > _SILENT_S:
        lines.append(f"  no piece was finished for {show_seconds(status.heard_seconds)}")
    return lines


def _folder(output: Path) -> Path:
    if not output.is_file():
        return output
    from xct.config.loading import load_config

    return Path(load_config(output).output)


def _at_the_end(folder: Path) -> dict[str, Any]:
    """Count the warnings of a finished run: some are known once all is measured."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return {"warnings": len(summary["warnings"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read(journal: Journal, name: str) -> Any:
    """Read a note; one that is damaged says nothing here, `xct verify` names it."""
    try:
        return journal.read(name)
    except XctError:
        return None


def _where(journal: Journal, *, alive: bool) -> dict[str, Any]:
    """Say where a run is, or was; what is left has become less since it said so."""
    note = _read(journal, NOTE)
    if not isinstance(note, dict):
        return {}
    found: dict[str, Any] = {name: note[name] for name in ("step", "number", "steps")}
    if note["done"]:  # workers of a cluster do not count what they have in hand
        found |= {"done": note["done"], "total": note["total"]}
    if not alive:
        return found
    heard = max(time.time() - note["at"], 0.0)
    found |= {"step_seconds": max(time.time() - note["since"], 0.0), "heard_seconds": heard}
    if note["left_s"] is not None:
        found["left_seconds"] = max(note["left_s"] - heard, 0.0)
    if note["later_s"] is not None:
        found["run_left_seconds"] = max(note["step_left_s"] - heard, 0.0) + note["later_s"]
    return found


def _last_error(folder: Path) -> str | None:
    """Give the last error that the log names."""
    try:
        with (folder / "run.log").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _TAIL_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    errors = [line.partition(" ERROR ")[2] for line in lines if " ERROR " in line]
    return errors[-1] if errors else None


def statuses_json(statuses: list[Status]) -> str:
    """Write how several runs stand as JSON."""
    return json.dumps([status.to_dict() for status in statuses], ensure_ascii=False, indent=1)
