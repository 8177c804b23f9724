"""Measurement: the steps on a finished volume. In: a job; out: labels, surfaces, tables, numbers.

A step that cannot work says why; the steps that do not need it go on.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xct.config.recipe import Step
from xct.errors import RunError, XctError
from xct.io.journal import files_below
from xct.io.labels import create_labels, remove_labels
from xct.io.ome_metadata import seen_window
from xct.io.stores import files_kept, load, save
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.parallel.blocks import Block, slabs
from xct.parallel.executors import executed_by
from xct.parallel.sweeps import Asking, Sweep, of_one_volume, sweep
from xct.parallel.threads import limit_threads
from xct.pipeline.job import Job
from xct.pipeline.monitor import UNSEEN, fault_of, go_on, timed
from xct.pipeline.watching.progress import at_step
from xct.quantity import QUANTITIES, call_by_name, derived

log = logging.getLogger("xct")

# What ends a run wherever it comes from; all else that a step raises is its own.
_ENDING = (OSError, MemoryError, RunError)


@dataclass
class _Waiting:
    """A step that waits for a pass over the volume: what it yields, and what it wants of it."""

    step: Step
    number: int
    asking: Asking[Any]
    wanted: Sweep


@dataclass
class Measurement:
    """Runs measuring steps one after the other, and keeps what each of them gives.

    Steps that sweep over the volume wait until another step needs what they give; then one pass
    serves all of them.

    Attributes
    ----------
    job : Job
        Plan, folder, meter and warnings of the run.
    found : dict
        Quantities by name: what the steps gave, and what they are given.
    """

    job: Job
    found: dict[str, Any] = field(default_factory=dict)
    waiting: list[_Waiting] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Run every step that is not finished; return all quantities by name."""
        self.found |= self._given()
        for number, step in enumerate(self.job.plan.measuring_steps):
            go_on()
            if any(set(one.step.stage.gives) & set(step.stage.data) for one in self.waiting):
                self._sweep()
            self._derive()
            missing = [name for name in step.stage.needs if name not in {*self.found, "into"}]
            wrong = [name for name in step.stage.rests_on if self.found.get(name)]
            if missing:
                self._skip(step, missing)
            elif wrong:
                said = "; ".join(self.found[name].partition(":")[0] for name in wrong)
                self._warn(f"left out: {said}", step)
            else:
                self._one(step, number)
        self._sweep()
        self._derive()
        return self._in_order()

    def _in_order(self) -> dict[str, Any]:
        """Give what was found in one order, wherever the run was interrupted meanwhile."""
        steps = [name for step in self.job.plan.measuring_steps for name in step.stage.gives]
        first = dict.fromkeys([*self._given(), *steps])
        names = [*first, *sorted(self.found.keys() - first.keys())]
        return {name: self.found[name] for name in names if name in self.found}

    def _derive(self) -> None:
        """Add what follows from what is there; say first of all what makes numbers wrong."""
        fresh = derived(self.found, self._not_derived)
        self.found |= fresh
        for name in fresh:
            said = QUANTITIES[name].warning if fresh[name] is not None else None
            message = None if said is None else call_by_name(said, self.found)
            message = fresh[name] if QUANTITIES[name].basis else message
            if message is not None and self.job.warnings.add(message, name, first=True):
                log.warning("%s", message)

    def _not_derived(self, name: str, error: Exception) -> None:
        message = fault_of(error)
        self.job.warnings.add(message, name)
        log.error("%s: %s", name, message, exc_info=error, extra=UNSEEN)

    def _given(self) -> dict[str, Any]:
        plan, folder = self.job.plan, self.job.folder
        return {
            **plan.configured(),
            "volume": open_volume(folder.path / "volume.zarr"),
            "numbers": folder.number("numbers") or {},
            "steps": {step.name: step.settings for step in plan.slab_steps},
        }

    def _skip(self, step: Step, missing: list[str]) -> None:
        if not any(QUANTITIES[name].optional for name in missing if name in QUANTITIES):
            self._warn(f"left out: there is no {' and no '.join(missing)}", step)

    def _one(self, step: Step, number: int) -> None:
        note = self.job.folder.number(f"measured-{number}")
        if note is not None:
            self._take(note)
        elif step.stage.sweeps:
            at_step(step.name)
            if step.stage.labels is not None:  # filled before the pass that others share
                log.info("%s …", step.name)
            steps = step.stage.asking(self._with_labels(step), step.settings)
            self._ask(step, number, steps, None)
        else:
            quantities = self._with_labels(step)
            at_step(step.name)
            log.info("%s …", step.name)
            answer = self._watched(step, lambda: step.stage(quantities, step.settings))
            self._keep(step, number, answer)

    def _with_labels(self, step: Step) -> dict[str, Any]:
        quantities, labels = dict(self.found), step.stage.labels
        if labels is not None:
            volume = self.job.folder.path / "volume.zarr"
            quantities["into"] = create_labels(volume, labels.group, labels.dtype, whole=False)
        return quantities

    def _ask(self, step: Step, number: int, asking: Asking[Any], answers: list[Any] | None) -> None:
        """Let a step that sweeps go on: until it wants another pass, or has its answer."""

        def go() -> Any:
            try:
                return next(asking) if answers is None else asking.send(answers)
            except StopIteration as end:
                return end.value

        found = self._watched(step, go)
        if isinstance(found, Sweep):
            self.waiting.append(_Waiting(step, number, asking, found))
        else:
            self._keep(step, number, found)

    def _sweep(self) -> None:
        """Lead all steps that wait through the volume, in one pass where they read the same."""
        while self.waiting:
            several, self.waiting = self.waiting, []
            if not of_one_volume([one.wanted for one in several]):
                several, self.waiting = several[:1], several[1:]
            at_step(*(one.step.name for one in several))
            log.info("%s …", ", ".join(one.step.name for one in several))
            for one, answers in zip(several, self._answers(several), strict=True):
                if answers is None:
                    self._keep(one.step, one.number, None)
                else:
                    self._ask(one.step, one.number, one.asking, answers)

    def _answers(self, several: list[_Waiting]) -> list[list[Any] | None]:
        """Give the answers of the slabs for each step; None where they refuse the volume."""
        found: list[list[Any] | None]
        if len(several) == 1:
            [one] = several
            return [self._watched(one.step, lambda: sweep([one.wanted])[0])]
        try:
            with self._shared_out():
                found = [*sweep([_timed(one.wanted, one.step.name) for one in several])]
        except _ENDING:
            raise
        except Exception:  # whose it is shows when each goes alone
            found = [answers for one in several for answers in self._answers([one])]
        return found

    def _watched(self, step: Step, work: Callable[[], Any]) -> Any:
        """Do some of a step's work; what it refuses becomes a warning, and the answer None.

        So does a fault of its program, whose traceback the log keeps.
        """
        try:
            with self._shared_out(), timed(step.name):
                return work()
        except XctError as error:
            self._warn(str(error).replace("\n", "; "), step)
        except _ENDING:
            raise
        except Exception as error:
            message = f"left out: {fault_of(error)}"
            self._warn(message, step)
            log.error("%s: %s", step.name, message, exc_info=error, extra=UNSEEN)
        return None

    @contextmanager
    def _shared_out(self) -> Iterator[None]:
        need = self.job.plan.resources
        with (
            limit_threads(need.threads * need.workers),
            executed_by(workers=need.measuring_workers),
        ):
            yield

    def _keep(self, step: Step, number: int, answer: Any) -> None:
        """Write what a step gave, and note that it is done."""
        if answer is None:
            if step.stage.labels is not None:  # else a finished result would hold some of them
                remove_labels(self.job.folder.path / "volume.zarr", step.stage.labels.group)
            return
        folder, voxel_size_um = self.job.folder, self.job.plan.voxel_size_um
        answers = step.stage.answers(answer)
        given = {name: value for name, value in answers.items() if value is not None}
        note: dict[str, Any] = {"step": step.name, "quantities": list(given)}
        if given:
            files: list[Path] = []
            for name, value in given.items():
                save(folder.path, QUANTITIES[name], value, voxel_size_um)
                files += files_kept(folder.path, QUANTITIES[name], value)
            folder.note("warnings", self.job.warnings.listed)
            folder.note(f"measured-{number}", note, files)
            folder.note("meter", self.job.metered())
        self._take(note)

    def _take(self, note: Mapping[str, Any]) -> None:
        """Take what a finished step gave as a run that goes on would: from disk."""
        path = self.job.folder.path
        self.found |= {name: load(path, QUANTITIES[name]) for name in note["quantities"]}

    def _warn(self, message: str, step: Step) -> None:
        self.job.warnings.add(message, step.name)
        log.warning("%s: %s", step.name, message)


def _timed(wanted: Sweep, step: str) -> Sweep:
    """Report the time of a step's part of a pass as the step's."""
    arguments = (wanted.compute, step, *wanted.arguments)
    return replace(wanted, compute=_compute_timed, arguments=arguments)


def _compute_timed(
    block: Block, values: np.ndarray, compute: Callable[..., Any], step: str, *arguments: Any
) -> Any:
    with timed(step):
        return compute(block, values, *arguments)


def write_kept(job: Job, found: Mapping[str, Any]) -> list[Path]:
    """Write the quantities that follow from others, where they are to be kept; give the files."""
    written: list[Path] = []
    for name in job.plan.keep:
        if QUANTITIES[name].derive is not None and name in found:
            _write_volume(job, name, found[name], found["volume"].voxel_size_um)
            written += files_below(job.folder.path / f"{name}.zarr")
    return written


def _write_volume(job: Job, name: str, values: Any, voxel_size_um: Any) -> None:
    path, fresh = job.folder.path / f"{name}.zarr", job.folder.state / f"{name}.zarr"
    for old in (path, fresh):
        shutil.rmtree(old, ignore_errors=True)
    quantity = getattr(values, "quantity", "grey")
    middle = values.shape[0] // 2
    window = seen_window([np.asarray(values[middle : middle + 1])])
    title = job.plan.title
    create_volume(
        fresh, values.shape, voxel_size_um, Coding(), title, quantity=quantity, window=window
    )
    with timed(name):
        for block in slabs(values.shape):
            write_slab(fresh, block.first, values[block.outer])
    os.replace(fresh, path)
