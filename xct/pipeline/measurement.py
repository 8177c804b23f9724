"""Measurement: the steps on a finished volume. In: a job; out: labels, surfaces, tables, numbers.

A step that cannot work says why; the steps that do not need it go on.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xct.config.recipe import Step
from xct.io.labels import create_labels
from xct.io.stores import load, save
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.parallel.blocks import slabs
from xct.parallel.executors import executed_by
from xct.parallel.threads import limit_threads
from xct.pipeline.job import Job
from xct.pipeline.monitor import go_on, timed
from xct.quantity import QUANTITIES, derived

log = logging.getLogger("xct")


@dataclass
class Measurement:
    """Runs measuring steps one after the other, and keeps what each of them gives.

    Attributes
    ----------
    job : Job
        Plan, folder, meter and warnings of the run.
    found : dict
        Quantities by name: what the steps gave, and what they are given.
    """

    job: Job
    found: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Run every step that is not finished; return all quantities by name."""
        self.found |= self._given()
        for number, step in enumerate(self.job.plan.measuring_steps):
            go_on()
            self.found |= derived(self.found)
            missing = [name for name in step.stage.needs if name not in {*self.found, "into"}]
            if missing:
                self._skip(step, missing)
            else:
                self._one(step, number)
        self.found |= derived(self.found)
        return self.found

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
        folder = self.job.folder
        given = folder.number(f"measured-{number}")
        if given is None:
            given = self._measure(step, number)
        # As a run that goes on would have it: what is on disk.
        self.found |= {name: load(folder.path, QUANTITIES[name]) for name in given["quantities"]}

    def _measure(self, step: Step, number: int) -> dict[str, Any]:
        """Run a step, keep what it gives, and note that it is done."""
        folder, given = self.job.folder, self._compute(step)
        note: dict[str, Any] = {"step": step.name, "quantities": list(given)}
        if given:
            for name, value in given.items():
                save(folder.path, QUANTITIES[name], value, self.job.plan.voxel_size_um)
            folder.note("warnings", self.job.warnings.listed)
            folder.note(f"measured-{number}", note)
            folder.note("meter", self.job.metered())
        return note

    def _compute(self, step: Step) -> dict[str, Any]:
        quantities, labels = dict(self.found), step.stage.labels
        if labels is not None:
            volume = self.job.folder.path / "volume.zarr"
            quantities["into"] = create_labels(volume, labels.group, labels.dtype)
        log.info("%s …", step.name)
        need = self.job.plan.resources
        threads = limit_threads(need.threads * need.workers)
        try:
            with threads, executed_by(workers=need.measuring_workers), timed(step.name):
                answers = step.stage.answers(step.stage(quantities, step.settings))
        except ValueError as error:
            self._warn(str(error).replace("\n", "; "), step)
            return {}
        return {name: value for name, value in answers.items() if value is not None}

    def _warn(self, message: str, step: Step) -> None:
        self.job.warnings.add(message, step.name)
        log.warning("%s: %s", step.name, message)


def write_kept(job: Job, found: Mapping[str, Any]) -> None:
    """Write the quantities that follow from others, where they are to be kept."""
    for name in job.plan.keep:
        if QUANTITIES[name].derive is not None and name in found:
            _write_volume(job, name, found[name], found["volume"].voxel_size_um)


def _write_volume(job: Job, name: str, values: Any, voxel_size_um: Any) -> None:
    path, fresh = job.folder.path / f"{name}.zarr", job.folder.state / f"{name}.zarr"
    for old in (path, fresh):
        shutil.rmtree(old, ignore_errors=True)
    create_volume(fresh, values.shape, voxel_size_um, Coding(), job.plan.title, quantity="grey")
    with timed(name):
        for block in slabs(values.shape):
            write_slab(fresh, block.first, values[block.outer])
    os.replace(fresh, path)
