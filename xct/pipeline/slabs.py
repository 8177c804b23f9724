"""Slabs: from frames to finished slices. In: a scan, steps and some rows; out: what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.config.recipe import Step
from xct.parallel.blocks import Block
from xct.pipeline.counts import count_by_row
from xct.pipeline.monitor import go_on, timed
from xct.preprocess.frames.rows import mend_rows
from xct.quantity import take
from xct.scan import Scan
from xct.stages import RowCounts, hearing

Counted = dict[str, list[int]]
BANDS = ":bands"  # what is counted under a name that ends so are bands
FRAMES = "bad rows:frames"  # rows of single frames: number of the kind, frame, row, mended or not


@dataclass
class Slabs:
    """Runs steps on some rows of a scan, whole over angles.

    Attributes
    ----------
    scan : Scan
        Where rows are read.
    known : dict
        What is known of the whole scan, by quantity: the center of rotation, say.
    mend : bool
        Whether rows of single frames that are no good are found and mended.
    """

    scan: Scan
    known: dict[str, Any] = field(default_factory=dict)
    mend: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the whole scan: on it depends how many rows steps must see."""
        return {**self.scan.facts, **self.known}

    def run(
        self, first: int, stop: int, wanted: Sequence[str], steps: Sequence[Step]
    ) -> tuple[dict[str, Any], Counted]:
        """Read rows first … stop and run steps on them: `read`, then `compute`."""
        return self.compute(first, stop, self.read(first, stop, steps), wanted, steps)

    def read(self, first: int, stop: int, steps: Sequence[Step]) -> dict[str, Any]:
        """Read rows first … stop, and as many around them as the steps must see."""
        go_on()
        with timed("read"):
            rows = self._around(first, stop, overlaps(steps, self.facts)[0]).outer
            return {**self.scan.quantities(rows), **self.known}

    def compute(
        self,
        first: int,
        stop: int,
        quantities: dict[str, Any],
        wanted: Sequence[str],
        steps: Sequence[Step],
    ) -> tuple[dict[str, Any], Counted]:
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
            For every stage that marks or replaces values: how many, by row. Of a stage that says
            which pixels it replaces, also wide bands of them, by its name and ``BANDS``: rows,
            first and stop, one after the other. Under ``FRAMES``: rows of frames that are no good.
        """
        margins = overlaps(steps, self.facts)
        block = self._around(first, stop, margins[0])
        counts: Counted = {}
        if self.mend and "projections" in quantities:
            with timed("check_frames"):
                counts |= _mended(quantities, block, self.known.get("stage_jitter") is None)
        for number, (step, margin) in enumerate(zip(steps, margins[1:], strict=True)):
            go_on()
            with timed(step.name):
                with hearing() as told:
                    found = step.stage.answers(step.stage(quantities, step.settings))
                if step.stage.counts and step.stage.counts.wide_px:
                    angles = len(found[step.stage.gives[0]])
                    counts |= _replaced(step.stage.counts, told[-1][block.inner], first, angles)
                elif step.stage.counts:
                    counts[step.stage.counts.name] = _count(step, quantities, found, block.inner)
            quantities |= found
            del found
            inner = self._around(first, stop, margin)
            start = block.outer_first
            left = slice(inner.outer_first - start, inner.outer_stop - start)
            if inner.outer != block.outer:
                quantities, block = take(quantities, "row", left), inner
            _drop_unused(quantities, steps[number + 1 :], wanted)
        return take({name: quantities[name] for name in wanted}, "row", block.inner), counts

    def _around(self, first: int, stop: int, margin: int) -> Block:
        rows = self.scan.projections.shape[1]
        return Block(first, stop, max(first - margin, 0), min(stop + margin, rows))


def _mended(quantities: dict[str, Any], block: Block, steady: bool) -> Counted:
    """Mend rows of frames in place; list those within the block that were no good."""
    names = ("projections", "flats", "darks")
    *frames, found = mend_rows(*(quantities[name] for name in names), steady=steady)
    quantities |= dict(zip(names, frames, strict=True))
    listed: list[int] = []
    for one in found:
        rows = one.rows + block.outer_first
        own = (rows >= block.first) & (rows < block.stop)
        for frame, row in zip(one.frames[own].tolist(), rows[own].tolist(), strict=True):
            listed += [names.index(one.kind), frame, row, int(one.mended)]
    return {FRAMES: listed} if listed else {}


def listed_rows(slabs: Mapping[int, Mapping[str, Any]]) -> set[tuple[int, int, int, int]]:
    """List rows of single frames that are no good, from notes of slabs: as under ``FRAMES``."""
    found: set[tuple[int, int, int, int]] = set()
    for slab in slabs.values():
        values = slab["counts"].get(FRAMES, [])
        found |= set(zip(*(values[n::4] for n in range(4)), strict=True))
    return found


def overlaps(steps: Sequence[Step], facts: Mapping[str, Any]) -> list[int]:
    """Rows that must still be there on either side before each step, and after the last."""
    own = [step.stage.overlap_rows(step.settings, facts) for step in steps]
    return [sum(own[number:]) for number in range(len(own) + 1)]


def _drop_unused(quantities: dict[str, Any], later: Sequence[Step], wanted: Sequence[str]) -> None:
    """Let go of arrays that no later step takes: a slab holds few copies of its data."""
    used = {name for step in later for name in (*step.stage.data, *step.stage.facts)} | {*wanted}
    for name in [name for name in quantities if name not in used]:
        del quantities[name]


def _count(
    step: Step, quantities: Mapping[str, Any], found: Mapping[str, np.ndarray], rows: slice
) -> list[int]:
    source, target = step.stage.data[0], step.stage.gives[0]
    before, after = quantities[source][:, rows], found[target][:, rows]
    return [int(n) for n in count_by_row(before, after, same_quantity=source == target)]


def _replaced(counted: RowCounts, pixels: np.ndarray, first_row: int, angles: int) -> Counted:
    """Count pixels that were replaced at all angles, and list wide bands of them."""
    bands: list[int] = []
    edges = np.diff(np.pad(pixels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begin = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    for row, first, stop in zip(rows, begin, end, strict=True):
        if stop - first >= (counted.wide_px or 0):
            bands += [int(row) + first_row, int(first), int(stop)]
    values = pixels.sum(axis=1) * angles
    return {counted.name: [int(n) for n in values], counted.name + BANDS: bands}
