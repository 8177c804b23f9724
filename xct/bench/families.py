"""The states of one virtual cell, pristine first. In: a folder; out: scores of each as JSON.

    FOLDER/STATE-SEED.json                 scores and times; of another make STATE.MAKE-SEED, of
                                           another condition STATE.CONDITION-SEED
    FOLDER/cells/STATE-SEED/               raw/, config.yaml, truth/ as `xct phantom` writes them
    FOLDER/cells/STATE-SEED/result/        while the family is at work

A scan that is there already is used, and so is a result whose scan is gone; of a finished family
only the JSON stays.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from xct.bench.targets import Judged, verdicts
from xct.errors import RunError
from xct.io.atomic import write_json, write_text

log = logging.getLogger("xct")


@dataclass(frozen=True)
class Condition:
    """What is otherwise than in a plain scan.

    Attributes
    ----------
    name : str
        In file names and in the table.
    state : str
        Of the virtual cell that is scanned so.
    scan : mapping
        Settings of `xct.phantom.writing.write_phantom`.
    finer : int
        So many times more voxels along each edge, and projections.
    """

    name: str
    state: str
    scan: Mapping[str, Any] = field(default_factory=dict)
    finer: int = 1


# At 12.5 keV 1 to 2 % of the light passes through the cathode of a small cell. Filaments, gaps,
# tilt and dome, and two distributions of sizes are states and a make of plain scans.
# Detector rows, columns along y and x, and projections: some 50 s of one processor each.
CONDITIONED = ((96, 160, 160), 300)
_PLAIN = (
    ("ncm-50", "pressed"), ("ncm-100", "pressed"), ("ncm-50-filaments", "pressed"),
    ("ncm-50-gaps", "pressed"), ("ncm-50", "scattered"),
)  # fmt: skip
CONDITIONS = (
    *(Condition(f"{kev:g}kev", "ncm-50", {"energy_kev": kev}) for kev in (35.0, 20.0, 15.0, 12.5)),
    *(Condition(f"{um:g}um", "ncm-50", {"voxel_um": um}) for um in (1.3, 1.625, 2.6)),
    # A cell so narrow as the others are would hold too few particles.
    Condition("0.65um", "ncm-50", {"voxel_um": 0.65}, finer=2),
    *(Condition(f"noise{times}", "ncm-50", {"noise": times}) for times in (2, 4)),
    Condition("cracked", "ncm-100-cracked"),
)


@dataclass(frozen=True)
class Family:
    """A virtual cell in all its states.

    Attributes
    ----------
    states : sequence of str
        The pristine one first.
    seed : int
        Equal seeds give equal cells.
    folder : path
        Where scores are kept.
    shape : tuple of int
        Detector rows, columns along y and x.
    angles : int
        Projections.
    make : str
        How the cell was filled, see `xct.phantom.cell.makes`.
    condition : Condition, optional
        How it is scanned, unless plainly.
    """

    states: Sequence[str]
    seed: int
    folder: Path
    shape: tuple[int, int, int]
    angles: int
    make: str = "pressed"
    condition: Condition | None = None

    @property
    def claim(self) -> Path:
        """File that a process claims while it works on the family."""
        return self.folder / "cells" / f".{self._name(self.states[0])}.claim"

    def scores(self, state: str) -> Path:
        """File of the scores of a state."""
        return self.folder / f"{self._name(state)}.json"

    def work(self, state: str) -> Path:
        """Folder of the scan, and of the result while it is needed."""
        return self.folder / "cells" / self._name(state)

    def _name(self, state: str) -> str:
        make = "" if self.make == "pressed" else f".{self.make}"
        condition = "" if self.condition is None else f".{self.condition.name}"
        return f"{state}{make}{condition}-{self.seed}"

    def is_finished(self) -> bool:
        """Return whether every state is scored."""
        return all(self.scores(state).exists() for state in self.states)

    def finish(self) -> None:
        """Score every state that is not scored yet, then remove all but the scores."""
        for state in self.states:
            if not self.is_finished() and self._is_wanted(state):
                self._one(state)
                log.info("%s, seed %d: scored", state, self.seed)
        for state in self.states:
            shutil.rmtree(self.work(state), ignore_errors=True)

    def _is_wanted(self, state: str) -> bool:
        """Return whether to run a state: its scores are missing, or others need its result."""
        needed = state == self.states[0] and not self._has_result(state)
        return needed or not self.scores(state).exists()

    def _has_result(self, state: str) -> bool:
        return (self.work(state) / "result" / "summary.json").exists()

    def _one(self, state: str) -> None:
        import xct
        from xct.score import score

        work, pristine, times = self.work(state), self.work(self.states[0]), Times()
        if not (work / "raw").is_dir() and not self._has_result(state):
            with times.of("scan"):
                self._scan(state)
        try:
            if (work / "raw").is_dir():
                with times.of("run"):
                    xct.run(self._configuration(state))
        except RunError as error:
            if self.condition is None:
                raise
            judged = Judged.refused(state, error)
        else:
            before = None if work == pristine else pristine / "truth"
            result, truth = xct.open_result(work / "result"), xct.open_result(work / "truth")
            with times.of("score"):
                found = score(result.path, truth.path, pristine_truth=before)
            judged = Judged.of(state, found, result, truth)
        write_json(self.scores(state), {
            "state": state, "make": self.make, "seed": self.seed, "voxel_um": judged.voxel_um,
            "condition": self.condition.name if self.condition else None, "times": times.spent,
            "scores": judged.scores, "said": judged.said, "verdicts": dict(verdicts(judged)),
        })  # fmt: skip
        shutil.rmtree(work / "raw", ignore_errors=True)

    def _scan(self, state: str) -> None:
        from xct.phantom.writing import write_phantom

        work = self.work(state)
        shutil.rmtree(work, ignore_errors=True)
        log.info("%s, seed %d: making the virtual scan", state, self.seed)
        write_phantom(
            state, work, seed=self.seed, shape=self.shape, angles=self.angles, make=self.make,
            **(self.condition.scan if self.condition else {}),
        )  # fmt: skip

    def _configuration(self, state: str) -> Path:
        """Name the pristine state in the configuration of a cycled one."""
        path = self.work(state) / "config.yaml"
        pristine = self.states[0]
        if state == pristine:
            return path
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
        before = os.path.relpath(self.work(pristine) / "result", path.parent)
        whole["cell"] |= {"pristine": before, "same_cell": True}
        write_text(path, yaml.safe_dump(whole, sort_keys=False, allow_unicode=True))
        return path


def families_of(
    states: Sequence[str], seeds: Sequence[int], folder: Path, shape: tuple[int, int, int],
    angles: int, make: str = "pressed",
) -> list[Family]:  # fmt: skip
    """Sort states by what stands before their hyphen; the first of each is pristine."""
    kinds: dict[str, list[str]] = {}
    for state in states:
        kinds.setdefault(state.split("-")[0], []).append(state)
    return [
        Family(kind, seed, folder, shape, angles, make) for seed in seeds for kind in kinds.values()
    ]


def families_under(
    conditions: Sequence[Condition], seeds: Sequence[int], folder: Path
) -> list[Family]:
    """Give one small cell for each condition and seed, and plain ones to hold them against."""
    shape, angles = CONDITIONED
    found = []
    for seed in seeds:
        found += [Family((state,), seed, folder, shape, angles, make) for state, make in _PLAIN]
        for one in conditions:
            depth, height, width = (one.finer * edge for edge in shape)
            size = (depth, height, width), one.finer * angles
            found.append(Family((one.state,), seed, folder, *size, condition=one))
    return found


@dataclass
class Times:
    """Seconds that steps took on the clock, and of all processors: ``{step: {wall_s, cpu_s}}``."""

    spent: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Measure a step."""
        wall, cpu = time.monotonic(), _cpu_seconds()
        yield
        self.spent[step] = {
            "wall_s": round(time.monotonic() - wall, 2), "cpu_s": round(_cpu_seconds() - cpu, 2)
        }  # fmt: skip


def _cpu_seconds() -> float:
    """Of this process with its threads, and of those it has waited for."""
    return sum(os.times()[:4])


def scored(family: Family) -> list[Mapping[str, Any]]:
    """Read the scores of a finished family."""
    files = [family.scores(state) for state in family.states]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]
