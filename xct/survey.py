"""Survey: what must be known of the whole before the slabs. In: some rows; out: numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.blocks import each
from xct.errors import RunError
from xct.folder import OutputFolder
from xct.io.volume import Coding
from xct.recipe import Step
from xct.remarks import Remarks
from xct.report.figures import draw_survey
from xct.slabs import Slabs

log = logging.getLogger("xct")

_GROUPS, _ROWS_OF_A_GROUP = 3, 5
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
    """

    slabs: Slabs
    steps: Sequence[Step]
    folder: OutputFolder
    remarks: Remarks
    workers: int

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
        rows = self.groups()
        names = [name for name in step.stage.data if name not in self.slabs.numbers]

        def look(group: tuple[int, int]) -> dict[str, Any]:
            return self.slabs.run(group[0], group[1], names, before)[0]

        pieces = each(look, rows, workers=self.workers)
        sample = {name: _joined([piece[name] for piece in pieces]) for name in names}
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

    def groups(self) -> list[tuple[int, int]]:
        """Choose groups of neighboring rows, from near the first to near the last row."""
        rows = self.slabs.scan.projections.shape[1]
        if rows <= _GROUPS * _ROWS_OF_A_GROUP:
            return [(0, rows)]
        middles = np.linspace(0.1, 0.9, _GROUPS) * rows
        firsts = (middles - _ROWS_OF_A_GROUP / 2).astype(int)
        return [(int(first), int(first) + _ROWS_OF_A_GROUP) for first in firsts]

    def find_coding(self) -> Coding:
        """Choose the range that uint16 covers: that of some slices, and half as much beyond.

        Values that lie beyond it all the same are counted and reported by the run.
        """
        noted = self.folder.number("coding")
        if noted is None:
            steps = [step for step in self.steps if not step.stage.sample]
            lowest, highest = np.inf, -np.inf
            for group in self.groups():
                volume = self.slabs.run(*group, ["volume"], steps)[0]["volume"]
                lowest, highest = min(lowest, volume.min()), max(highest, volume.max())
            margin = 0.5 * max(float(highest - lowest), 1e-6)
            coding = Coding.for_range(float(lowest) - margin, float(highest) + margin)
            noted = {"slope": coding.slope, "offset": coding.offset}
            self.folder.note("coding", noted)
        return Coding("uint16", noted["slope"], noted["offset"])


def _joined(pieces: list[Any]) -> Any:
    """Put groups of rows together; what has no rows is the same in all groups."""
    return np.concatenate(pieces, axis=1) if np.ndim(pieces[0]) == 3 else pieces[0]


def _row_at(rows: Sequence[tuple[int, int]], position: int) -> int:
    return [row for first, stop in rows for row in range(first, stop)][position]
