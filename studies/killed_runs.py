"""Runs that are killed at every place where they touch a file, and then continued.

In: a configuration that works; out: for each place, whether the run that went on gave the same
result. A place is what is done to a file (opened for writing, renamed, removed, made), and the
file's name with its numbers left out; at each the first, a middle and the last occurrence count.

``python -m studies.killed_runs OUT`` takes hours and goes on where it was: what is in
``OUT/killed.jsonl`` is not done again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import click
import yaml
from matplotlib.figure import Figure

from xct.cli.main import execute
from xct.phantom.writing import write_phantom

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_TOUCHES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
_OF_THE_RUN = re.compile(r"(run\.(log|yaml)|report\.html|\.xct/.*)")  # times stand in them
_KILL = signal.SIGKILL
_MOST_SECONDS = 900
_SHAPE = (48, 48, 48)
_MEMORY_GIB = 0.72  # for three slabs
_SLICES = ("flat_field", "line_integrals", "fill_nonpositive", "fbp")
# Whole frames are copied first, and codes stored; a volume is copied and measured.
_RECIPES: Mapping[str, Sequence[str]] = {"slices": _SLICES, "frames": _SLICES, "cell": ()}


@dataclass(frozen=True)
class Place:
    """Where a run is killed: at the `number`-th time, from 1, that something is done to a file."""

    touch: str
    number: int


@dataclass(frozen=True)
class Outcome:
    """What became of a run that was killed, once or several times, and then went on."""

    places: list[Place]
    reached: int
    code: int
    wrong: list[str]

    @property
    def is_right(self) -> bool:
        """Whether the run that went on ended well, with the same result."""
        return self.code == 0 and not self.wrong


def touches(config: Path, output: Path) -> list[str]:
    """Run a configuration, and list what it does to the files of its output, in order."""
    listed = output.with_suffix(".touches")

    def listen() -> int:
        found: list[str] = []
        _listen(output, found.append)
        code = _run(config, output)
        listed.write_text(json.dumps(found), encoding="utf-8")
        return code

    if _in_child(listen) != 0:
        raise RuntimeError(f"{config} does not run by itself")
    found: list[str] = json.loads(listed.read_text(encoding="utf-8"))
    return found


def places(touched: Sequence[str]) -> list[Place]:
    """List the first, a middle and the last occurrence of every touch, in order of time."""
    when: dict[str, list[int]] = {}
    for moment, touch in enumerate(touched):
        when.setdefault(touch, []).append(moment)
    found = {
        moments[number - 1]: Place(touch, number)
        for touch, moments in when.items()
        for number in (1, (len(moments) + 1) // 2, len(moments))
    }
    return [found[moment] for moment in sorted(found)]


def kill_and_continue(config: Path, output: Path, whole: Path, chain: Sequence[Place]) -> Outcome:
    """Kill a run at a place, what goes on at the next, …; compare the end with a whole run."""
    rmtree(output, ignore_errors=True)
    reached = sum(_in_child(partial(_die, config, output, place)) == -_KILL for place in chain)
    code = _in_child(lambda: _run(config, output))
    return Outcome(list(chain), reached, code, differing(whole, output))


def _die(config: Path, output: Path, place: Place) -> int:
    """Run, and die at a place."""
    seen: Counter[str] = Counter()

    def listen(touch: str) -> None:
        seen[touch] += 1
        if touch == place.touch and seen[touch] == place.number:
            os.kill(os.getpid(), _KILL)

    _listen(output, listen)
    return _run(config, output)


def differing(whole: Path, other: Path) -> list[str]:
    """Name the files of two results that are not the same bytes, and what writers left behind."""
    a, b = (dict(_contents(folder)) for folder in (whole, other))
    left = [str(path.relative_to(other)) for path in other.rglob("*.partial")]
    return sorted({name for name in {*a, *b} if a.get(name) != b.get(name)} | {*left})


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and not _OF_THE_RUN.fullmatch(name):
            yield name, file.read_bytes()


def _run(config: Path, output: Path) -> int:
    return execute(["run", str(config), "--set", f"output={output}"])


def _listen(output: Path, heard: Callable[[str], None]) -> None:
    """Call `heard` before anything is done to a file below `output`, in this process for ever."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            is_writing = bool(flags & _WRITING) if isinstance(flags, int) else "r" not in str(mode)
        elif event in _TOUCHES:
            path, is_writing = arguments[0], True
        else:
            return
        if is_writing and isinstance(path, str | os.PathLike):
            name = os.path.relpath(path, output)
            if not name.startswith(".."):
                heard(f"{event} {re.sub('[0-9a-f]{32}|[0-9]+', 'N', name)}")

    sys.addaudithook(hook)


def _in_child(work: Callable[[], int]) -> int:
    """Do some work in a fork of this process; give its exit code, -9 where it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(_MOST_SECONDS)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def campaign(out: Path, most: int | None = None) -> tuple[int, int]:
    """Kill small runs at every place, `most` of them now; give the kills in all, and wrong results.

    Two runs that make slices are killed first: half a second each, since whatever a run loads and
    compiles is there before it is forked, and pictures are not drawn. A measured cell takes longer.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = out / "killed.jsonl"
    known = (
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if log.exists()
        else []
    )
    done = {(e["recipe"], p["touch"], p["number"]) for e in known for p in e["places"]}
    tried, wrong = len(known), sum(not each["right"] for each in known)
    setattr(Figure, "savefig", _drawn)  # noqa: B010 - a method is replaced, for this process alone
    for recipe in _RECIPES:
        config, whole = write_run(out / recipe, recipe), out / recipe / "whole"
        rmtree(whole, ignore_errors=True)
        _run(config, out / recipe / "before")  # modules and kernels
        rmtree(out / recipe / "before")
        for place in places(touches(config, whole)):
            if (recipe, place.touch, place.number) in done:
                continue
            if most is not None and tried - len(known) >= most:
                return tried, wrong
            outcome = kill_and_continue(config, out / recipe / "killed", whole, [place])
            tried, wrong = tried + 1, wrong + (not outcome.is_right)
            with log.open("a", encoding="utf-8") as file:
                entry = {"recipe": recipe, "right": outcome.is_right, **asdict(outcome)}
                file.write(json.dumps(entry) + "\n")
    return tried, wrong


def _drawn(_: Figure, path: Path, **__: Any) -> None:
    Path(path).write_bytes(b"drawn")


def write_run(folder: Path, recipe: str) -> Path:
    """Write a small virtual scan, or its volume, and a configuration, where it is not there yet."""
    config = folder / "small.yaml"
    if config.exists():
        return config
    layout = "tiff" if recipe == "frames" else "dxchange"
    given = write_phantom(
        "ncm-0", folder / "cell", shape=_SHAPE, angles=24, layout=layout, pipeline="reconstruct"
    )
    section: dict[str, Any] = yaml.safe_load(given.read_text(encoding="utf-8"))
    steps = folder / "recipe.yaml"
    steps.write_text("".join(f"- {name}: {{}}\n" for name in _RECIPES[recipe]), encoding="utf-8")
    run: dict[str, Any] = {"workers": 1, "memory_gib": _MEMORY_GIB}
    if recipe == "cell":
        volume = {"file": "cell/truth/volume.zarr"}
        section = {"volume": volume, "pipeline": "analyze", "run": {"workers": 1}}
        section["cell"] = {"name": "NCM-0"}  # else it is that of the folder
    else:
        section["scan"]["center_px"] = (_SHAPE[2] - 1) / 2
        section["scan"]["file"] = str(Path("cell") / section["scan"]["file"])
        section["run"] = {**run, "dtype": "uint16"} if recipe == "frames" else run
        section["pipeline"] = str(steps)
    config.write_text(yaml.safe_dump({**section, "output": "out"}), encoding="utf-8")
    return config


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--most", type=int, help="Kills of this call; all that are left unless given.")
def main(out: Path, most: int | None) -> None:
    """Kill runs at every place where they touch a file; what is in OUT is not done again."""
    tried, wrong = campaign(out, most)
    click.echo(f"{wrong} of {tried} runs did not go on as they should: see {out / 'killed.jsonl'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(prog_name="python -m studies.killed_runs")
