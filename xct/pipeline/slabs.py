"""Slabs: from frames to finished slices. In: a scan, steps and some rows; out: what they give."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.config.recipe import Step
from xct.parallel.blocks import Block
from xct.parallel.threads import limit_threads
from xct.pipeline.counts import count_by_row
from xct.pipeline.monitor import Meter, from_step
from xct.scan import Scan
from xct.stages import take


class Interrupted(KeyboardInterrupt):
    """The run was asked to end; raised between two steps of a slab."""


@dataclass
class Slabs:
    """Runs steps on some rows of a scan, whole over angles.

    Attributes
    ----------
    scan : Scan
        Where rows are read.
    meter : Meter
        Where time and memory are booked.
    numbers : dict
        What global stages found, by the quantity that they give.
    threads : int
        Threads of one slab.
    stop : threading.Event
        Set when the run is to end; looked at between steps.
    """

    scan: Scan
    meter: Meter
    numbers: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    stop: threading.Event = field(default_factory=threading.Event)

    def overlaps(self, steps: Sequence[Step]) -> list[int]:
        """Rows that must still be there on either side before each step, and after the last."""
        own = [step.stage.overlap_rows(step.settings) for step in steps]
        return [sum(own[number:]) for number in range(len(own) + 1)]

    def run(
        self, first: int, stop: int, wanted: Sequence[str], steps: Sequence[Step]
    ) -> tuple[dict[str, Any], dict[str, list[int]]]:
        """Read rows first … stop and run steps on them: `read`, then `compute`."""
        return self.compute(first, stop, self.read(first, stop, steps), wanted, steps)

    def read(self, first: int, stop: int, steps: Sequence[Step]) -> dict[str, Any]:
        """Read rows first … stop, and as many around them as the steps must see."""
        self._go_on()
        with limit_threads(self.threads), self.meter.step("read"):
            return self._read(self._around(first, stop, self.overlaps(steps)[0]))

    def compute(
        self,
        first: int,
        stop: int,
        quantities: dict[str, Any],
        wanted: Sequence[str],
        steps: Sequence[Step],
    ) -> tuple[dict[str, Any], dict[str, list[int]]]:
        """Run steps on what was read.

        Parameters
        ----------
        first, stop : int
            Half-open range of rows.
        quantities : dict
            What `read` gave for them; emptied on the way.
        wanted : sequence of str
            Quantities to return; a quantity that several steps change is returned as the last
            of them gives it.
        steps : sequence of Step
            Stages that may be cut along rows, in order.

        Returns
        -------
        quantities : dict
            What was wanted, cut to the rows.
        counts : dict of list of int
            For every stage that marks or replaces values: how many, by row.
        """
        margins = self.overlaps(steps)
        block = self._around(first, stop, margins[0])
        counts: dict[str, list[int]] = {}
        for number, (step, margin) in enumerate(zip(steps, margins[1:], strict=True)):
            self._go_on()
            with limit_threads(self.threads), self.meter.step(step.name), from_step(step.name):
                after = step.stage(quantities, step.settings)
                if step.stage.counts:
                    counts[step.stage.counts] = _count(step, quantities, after, block.inner)
            quantities[step.stage.gives] = after
            del after
            inner = self._around(first, stop, margin)
            start = block.outer_first
            left = slice(inner.outer_first - start, inner.outer_stop - start)
            if inner.outer != block.outer:
                quantities, block = take(quantities, "row", left), inner
            _drop_unused(quantities, steps[number + 1 :], wanted)
        return take({name: quantities[name] for name in wanted}, "row", block.inner), counts

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Interrupted

    def _around(self, first: int, stop: int, margin: int) -> Block:
        rows = self.scan.projections.shape[1]
        return Block(first, stop, max(first - margin, 0), min(stop + margin, rows))

    def _read(self, block: Block) -> dict[str, Any]:
        scan = self.scan
        rows = block.outer
        return {
            "projections": scan.projections.read(rows=rows),
            "flats": None if scan.flats is None else scan.flats.read(rows=rows),
            "darks": None if scan.darks is None else scan.darks.read(rows=rows),
            "projection_time": scan.projection_time,
            "flat_time": scan.flat_time,
            "projection_dose": scan.projection_dose,
            "flat_dose": scan.flat_dose,
            "theta_deg": scan.theta_deg,
            "pixel_size_um": scan.voxel_size_um,
            "energy_kev": scan.energy_kev,
            "distance_mm": scan.distance_mm,
            "row_px": np.arange(block.outer_first, block.outer_stop),
            **self.numbers,
        }


def _drop_unused(quantities: dict[str, Any], later: Sequence[Step], wanted: Sequence[str]) -> None:
    """Let go of arrays that nobody will ask for: a slab holds few copies of its data."""
    used = {name for step in later for name in (*step.stage.data, *step.stage.facts)} | {*wanted}
    for name in [name for name in quantities if name not in used]:
        del quantities[name]


def _count(step: Step, quantities: dict[str, Any], after: np.ndarray, rows: slice) -> list[int]:
    source = step.stage.data[0]
    before = quantities[source][:, rows]
    same = source == step.stage.gives
    return [int(n) for n in count_by_row(before, after[:, rows], same_quantity=same)]
