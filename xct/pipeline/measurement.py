"""Measuring: the steps on a finished volume. In: a job; out: labels, surfaces, tables, numbers.

A step that cannot work says why; the steps that do not need it go on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from xct.config.recipe import Step
from xct.io.labels import create_labels
from xct.io.volumes import open_volume
from xct.parallel.threads import limit_threads
from xct.pipeline.monitor import from_step
from xct.pipeline.reconstruction import Job
from xct.pipeline.slabs import Interrupted
from xct.pipeline.storage import load, save
from xct.result import open_result

log = logging.getLogger("xct")

# Without them a step is left out without a word: nobody asked for it.
_OF_THE_USER = {"rois", "pristine", "same_cell"}


@dataclass
class Measuring:
    """Runs measuring steps one after the other, and keeps what each of them gives.

    Attributes
    ----------
    job : Job
        Plan, folder, meter and remarks of the run.
    found : dict
        Quantities by name: what the steps gave, and what they are given.
    """

    job: Job
    found: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Run every step that is not finished; return all quantities by name."""
        self.found |= self._given()
        for number, step in enumerate(self.job.plan.measuring_steps):
            if self.job.stop.is_set():
                raise Interrupted
            known = {*self.found, "into"}
            missing = [name for name in step.stage.needs if name not in known]
            if missing:
                self._skip(step, missing)
                continue
            self._one(step, number)
        return self.found

    def _given(self) -> dict[str, Any]:
        plan = self.job.plan
        cell = plan.config.cell
        given = {
            "volume": open_volume(self.job.folder.path / "volume.zarr"),
            "voxel_size_um": plan.voxel_size_um,
            "anode": cell.anode,
            "glare_sd": self._glare_sd(),
        }
        if plan.energy_kev is not None:
            given["energy_kev"] = plan.energy_kev
        if cell.same_cell:
            given["same_cell"] = True
        if plan.config.rois is not None:
            given["rois"] = plan.rois
        if cell.pristine is not None:
            given["pristine"] = open_result(cell.pristine)
        return given

    def _glare_sd(self) -> float | None:
        """Give the doubt about glare that was measured and taken away; None where none was."""
        glare = [step for step in self.job.plan.slab_steps if step.name == "glare"]
        measured = any(step.settings.get("fraction") in (None, "measured") for step in glare)
        found = self.job.folder.number("glare_fraction") if measured else None
        return None if found is None else float(found["sd"])

    def _skip(self, step: Step, missing: list[str]) -> None:
        if not _OF_THE_USER & set(missing):
            self._remark(f"left out: there is no {' and no '.join(missing)}", step)

    def _one(self, step: Step, number: int) -> None:
        folder, name = self.job.folder, step.stage.gives
        if folder.number(f"measured-{number}") is not None:
            value = load(folder.path, name)
        else:
            value = self._compute(step)
            if value is not None:
                save(folder.path, name, value, self.job.plan.voxel_size_um)
                value = load(folder.path, name)  # as a run that goes on would have it
                folder.note("remarks", self.job.remarks.listed)
                folder.note(f"measured-{number}", {"step": step.name})
                folder.note("meter", self.job.metered())
        if value is not None:
            self.found[name] = value
        if name == "particles" and value is not None:
            self.found["particle_table"] = value[1]

    def _compute(self, step: Step) -> Any:
        meter, plan = self.job.meter, self.job.plan
        quantities = dict(self.found)
        if "into" in step.stage.data:
            volume = self.job.folder.path / "volume.zarr"
            kind = "materials" if step.stage.gives == "labels" else step.stage.gives
            dtype = "uint8" if kind == "materials" else "uint32"
            quantities["into"] = create_labels(volume, kind, dtype)
        log.info("%s …", step.name)
        threads = plan.resources.threads * plan.resources.workers
        try:
            with limit_threads(threads), meter.step(step.name), from_step(step.name):
                return step.stage(quantities, step.settings)
        except ValueError as error:
            self._remark(str(error).replace("\n", "; "), step)
            return None

    def _remark(self, message: str, step: Step) -> None:
        self.job.remarks.add(message, step.name)
        log.warning("%s: %s", step.name, message)
