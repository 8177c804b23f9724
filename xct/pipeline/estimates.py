"""Survey: what must be known of the whole before the slabs. In: some rows; out: numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.config.recipe import Step
from xct.errors import RunError
from xct.figures import draw_survey
from xct.io.volumes import Coding
from xct.parallel.executors import map_blocks
from xct.pipeline.monitor import Remarks
from xct.pipeline.output import OutputFolder
from xct.pipeline.slabs import Slabs
from xct.preprocess.veiling_glare import FrameLight, gather_light, measure_glare

# Light of whole frames for the slabs: gathered once, before them. In: slabs; out: quantities.

log = logging.getLogger("xct")


def find_light(slabs: Slabs, steps: Sequence[Step], folder: OutputFolder) -> None:
    """Gather the light of some rows for the steps that need that of whole frames.

    Parameters
    ----------
    slabs : Slabs
        Reads rows; the light is put into its numbers.
    steps : sequence of Step
        The recipe; nothing is done where no step needs the light.
    folder : OutputFolder
        Where the glare that was measured is noted.
    """
    light = light_for(slabs, steps)
    if light is None:
        return
    slabs.numbers["frame_light"] = light
    glare = measure_glare(light)
    if glare is not None:
        entry: dict[str, Any] = {"value": glare.fraction, "sd": glare.sd, "n": glare.n, "unit": "1"}
        folder.note("glare_fraction", entry)
        log.info("glare: %.3f ± %.3f %% of the light", 100 * glare.fraction, 100 * glare.sd)


def light_for(slabs: Slabs, steps: Sequence[Step]) -> FrameLight | None:
    """Gather the light of some rows; nothing where no step needs that of whole frames."""
    if not any("frame_light" in step.stage.needs for step in steps):
        return None
    first = [step for step in steps if step.stage.gives == "transmission"][:1]
    _, rows, columns = slabs.scan.projections.shape

    def read(row: int, stop: int) -> np.ndarray:
        found: np.ndarray = slabs.run(row, stop, ["transmission"], first)[0]["transmission"]
        return found

    return gather_light(read, rows, columns)


Group = tuple[int, int]

_GROUPS, _LEAST_ROWS, _MOST_ROWS = 3, 3, 5
# A few rows of a large scan tell as much about its axis as many rows of a small one.
_VALUES = 50_000_000
_SURE, _TOO_UNSURE = 0.8, 0.5


@dataclass
class Survey:
    """Looks at a few groups of rows over the height of the scan.

    Attributes
    ----------
    slabs : Slabs
        Reads and processes rows; what is found is put into its numbers.
    steps : sequence of Step
        The whole recipe; its stages that need the whole are run here.
    folder : OutputFolder
        Where numbers are noted and figures drawn.
    remarks : Remarks
        Where doubts are noted.
    workers : int
        Groups at the same time.
    seen : dict
        What was made of each group before the last stage that needs the whole.
    """

    slabs: Slabs
    steps: Sequence[Step]
    folder: OutputFolder
    remarks: Remarks
    workers: int
    seen: dict[Group, dict[str, Any]] = field(default_factory=dict)

    def find_numbers(self) -> None:
        """Run every stage that yields one number for the whole scan; draw what it found."""
        for number, step in enumerate(self.steps):
            if not step.stage.sample:
                continue
            found = self.folder.number(step.stage.gives)
            if found is None:
                found = self._find(step, number)
                self.folder.note(step.stage.gives, found)
            self.slabs.numbers[step.stage.gives] = found["value"]

    def _find(self, step: Step, number: int) -> dict[str, Any]:
        before = [earlier for earlier in self.steps[:number] if not earlier.stage.sample]
        names = [name for name in step.stage.data if name not in self.slabs.numbers]
        rows = self.groups()
        self.seen = self._look(rows, before, [*names, *self._needed(self.steps[number + 1 :])])
        sample = {name: _joined([self.seen[group][name] for group in rows]) for name in names}
        with self.slabs.meter.step(step.name):
            center = step.stage(sample, step.settings)
        count = sum(stop - first for first, stop in rows)
        if not np.isfinite(center.center_px):
            raise RunError(
                "find_center: no method finds the rotation axis; give it by scan.center_px"
            )
        found = {
            "value": float(center.center_px),
            "sd": float(center.sd_px),
            "n": count,
            "unit": "px",
            "confidence": float(center.confidence),
            "method": center.method,
            "by_method": {name: float(value) for name, value in center.by_method.items()},
        }
        middle = sample["line_integrals"][:, count // 2]
        with self.slabs.meter.step("figures"):
            draw_survey(
                self.folder.path / "figures",
                middle,
                sample["theta_deg"],
                found,
                self._pixel_size(),
                row=_row_at(rows, count // 2),
            )
        self._judge(found, at_edge=bool(center.at_edge))
        return found

    def _pixel_size(self) -> float:
        return float(self.slabs.scan.voxel_size_um or 1.0)

    def _judge(self, found: dict[str, Any], *, at_edge: bool) -> None:
        candidates = ", ".join(f"{name} {value:.2f}" for name, value in found["by_method"].items())
        said = (
            f"center_px {found['value']:.2f} ± {found['sd']:.2f}, confidence "
            f"{found['confidence']:.2f} ({candidates})"
        )
        if at_edge or found["confidence"] < _TOO_UNSURE:
            why = "lies at the end of the search range" if at_edge else "is too uncertain"
            raise RunError(
                f"find_center: the rotation axis {why}: {said}. Look at "
                f"{self.folder.path / 'figures' / 'center.png'} and give the axis by "
                "scan.center_px"
            )
        log.info("find_center: %s", said)
        if found["confidence"] < _SURE:
            message = f"the rotation axis is not sure: {said}; give scan.center_px if rings or "
            self.remarks.add(message + "tuning forks show", "find_center")

    def _look(
        self, rows: Sequence[Group], steps: Sequence[Step], names: Sequence[str]
    ) -> dict[Group, dict[str, Any]]:
        """Run steps on groups of rows: what is then known of `names`, by group."""
        seen: dict[Group, dict[str, Any]] = {}

        def compute(group: Group, quantities: dict[str, Any]) -> dict[str, Any]:
            known = {*quantities, *(step.stage.gives for step in steps)}
            wanted = [name for name in dict.fromkeys(names) if name in known]
            return self.slabs.compute(*group, quantities, wanted, steps)[0]

        def keep(group: Group, found: dict[str, Any]) -> None:
            seen[group] = found

        map_blocks(
            compute,
            rows,
            read=lambda group: self.slabs.read(group[0], group[1], steps),
            write=keep,
            workers=self.workers,
        )
        return seen

    def _needed(self, steps: Sequence[Step]) -> list[str]:
        """Quantities that steps ask for, and none of them gives."""
        given: set[str] = set()
        needed: list[str] = []
        for step in steps:
            asked = (*step.stage.data, *step.stage.facts)
            needed += [name for name in asked if name not in given]
            given.add(step.stage.gives)
        return needed

    def groups(self) -> list[Group]:
        """Choose groups of neighboring rows, from near the first to near the last row."""
        angles, rows, columns = self.slabs.scan.projections.shape
        enough = round(_VALUES / (_GROUPS * angles * columns))
        size = min(max(enough, _LEAST_ROWS), _MOST_ROWS)
        if rows <= _GROUPS * size:
            return [(0, rows)]
        middles = np.linspace(0.1, 0.9, _GROUPS) * rows
        return [(int(middle - size / 2), int(middle - size / 2) + size) for middle in middles]

    def find_coding(self) -> Coding:
        """Choose the range that uint16 covers: that of some slices, and half as much beyond.

        Values that lie beyond it all the same are counted and reported by the run.
        """
        noted = self.folder.number("coding")
        if noted is None:
            lowest, highest = np.inf, -np.inf
            for volume in self._slices():
                lowest, highest = min(lowest, volume.min()), max(highest, volume.max())
            margin = 0.5 * max(float(highest - lowest), 1e-6)
            coding = Coding.for_range(float(lowest) - margin, float(highest) + margin)
            noted = {"slope": coding.slope, "offset": coding.offset}
            self.folder.note("coding", noted)
        self.seen = {}
        return Coding("uint16", noted["slope"], noted["offset"])

    def _slices(self) -> Iterator[np.ndarray]:
        """Finish the groups that were looked at; read them again only where that must be."""
        last = max((n for n, step in enumerate(self.steps) if step.stage.sample), default=-1)
        left = self.steps[last + 1 :]
        if not self.seen or self.slabs.overlaps(left)[0] > 0:
            steps = [step for step in self.steps if not step.stage.sample]
            yield from (g["volume"] for g in self._look(self.groups(), steps, ["volume"]).values())
            return
        for group, found in self.seen.items():
            quantities = {**found, **self.slabs.numbers}
            yield self.slabs.compute(*group, quantities, ["volume"], left)[0]["volume"]


def _joined(pieces: list[Any]) -> Any:
    """Put groups of rows together; what has no rows is the same in all groups."""
    return np.concatenate(pieces, axis=1) if np.ndim(pieces[0]) == 3 else pieces[0]


def _row_at(rows: Sequence[Group], position: int) -> int:
    return [row for first, stop in rows for row in range(first, stop)][position]
