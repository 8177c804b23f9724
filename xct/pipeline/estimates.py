"""Estimates: what must be known of the whole scan before its slabs. In: some rows; out: numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.config.recipe import Step
from xct.errors import RunError
from xct.io.volumes import Coding
from xct.parallel.executors import map_blocks
from xct.pipeline.monitor import RunWarnings, timed
from xct.pipeline.output import OutputFolder
from xct.pipeline.slabs import Slabs, overlaps
from xct.pipeline.watching.progress import at_step
from xct.quantity import QUANTITIES, Quantity, along, call_by_name, called, numbers_of

log = logging.getLogger("xct")

Group = tuple[int, int]

_GROUPS, _LEAST_ROWS, _MOST_ROWS = 5, 2, 3
# A few rows of a large scan say as much about its axis as many rows of a small one.
_VALUES = 50_000_000


def sampled_quantities(steps: Sequence[Step], *, watched: bool = False) -> list[Quantity]:
    """List what is sampled from single rows of the scan: what steps need, or is watched, too."""
    needed = dict.fromkeys(name for step in steps for name in step.stage.data)
    made = {name for step in steps for name in step.stage.gives} if watched else set()
    needed |= dict.fromkeys(q.name for q in QUANTITIES.values() if q.watched and q.sampled in made)
    return [QUANTITIES[name] for name in needed if name in QUANTITIES and QUANTITIES[name].sample]


def sample_rows(slabs: Slabs, steps: Sequence[Step], *, watched: bool = False) -> dict[str, Any]:
    """Sample single rows for the steps that need to know of whole frames.

    Parameters
    ----------
    slabs : Slabs
        Reads rows.
    steps : sequence of Step
        The recipe.
    watched : bool, optional
        Sample also what every run watches.

    Returns
    -------
    dict
        What was sampled, by quantity; empty where no step needs it.
    """
    _, rows, columns = slabs.scan.projections.shape
    found = {}
    for quantity in sampled_quantities(steps, watched=watched):
        first = [step for step in steps if quantity.sampled in step.stage.gives][:1]

        def read(row: int, stop: int, name: str = quantity.sampled, steps: Any = first) -> Any:
            return slabs.run(row, stop, [name], steps)[0][name]

        assert quantity.sample is not None  # chosen by it
        found[quantity.name] = quantity.sample(read, rows, columns)
    return found


@dataclass
class Estimates:
    """Looks at a few groups of rows over the height of the scan.

    Attributes
    ----------
    slabs : Slabs
        Reads and processes rows; what is found is put into what it knows.
    steps : sequence of Step
        The whole recipe; its stages that estimate one number for the whole are run here.
    folder : OutputFolder
        Where numbers are noted and figures drawn.
    warnings : RunWarnings
        Of the run.
    workers : int
        Groups at the same time.
    seen : dict
        What was made of each group before the last stage that estimated.
    left : sequence of Step
        The steps behind that one.
    """

    slabs: Slabs
    steps: Sequence[Step]
    folder: OutputFolder
    warnings: RunWarnings
    workers: int
    seen: dict[Group, dict[str, Any]] = field(default_factory=dict)
    left: Sequence[Step] = ()

    def sample(self) -> None:
        """Sample what steps need to know of whole frames, and note its numbers."""
        found = sample_rows(self.slabs, self.steps, watched=True)
        self.slabs.known |= found
        facts = {name: value for name, value in self.slabs.scan.facts.items() if value is not None}
        known = {**facts, **self.slabs.known, **found}
        known["steps"] = {step.name: step.settings for step in self.steps}
        self._warn(found, known)
        numbers = numbers_of(known)
        for key, entry in numbers.items():
            log.info("%s: %s", key, _shown(entry))
        self.folder.note("numbers", (self.folder.number("numbers") or {}) | numbers)

    def _warn(self, found: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Say first of all what makes numbers wrong."""
        for name in found:
            said = QUANTITIES[name].warning
            message = None if said is None else call_by_name(said, known)
            if message is not None and self.warnings.add(message, name, first=True):
                log.warning("%s", message)

    def find_numbers(self) -> None:
        """Run every stage that estimates one number for the whole scan; draw what it found.

        Numbers that are known, since the configuration says them, are not estimated.
        """
        for number, step in enumerate(self.steps):
            if not step.stage.sample or step.stage.gives[0] in self.slabs.known:
                continue
            [name] = step.stage.gives
            numbers = self.folder.number("numbers") or {}
            if name not in numbers:
                at_step(step.name)
                numbers[name] = self._find(step, number)
                self.folder.note("numbers", numbers)
            self.slabs.known[name] = QUANTITIES[name].of_entry(numbers[name])

    def _find(self, step: Step, number: int) -> dict[str, Any]:
        before = [earlier for earlier in self.steps[:number] if not earlier.stage.sample]
        names = [name for name in step.stage.data if name not in self.slabs.known]
        rows = self.groups()
        later = _needed(self.steps[number + 1 :])
        between = [step for step in before if step in self.left]
        if self.seen and overlaps(between, self.slabs.facts)[0] == 0:
            for group in rows:
                quantities = {**self.seen[group], **self.slabs.known}
                self.seen[group] = _compute_group(
                    group, quantities, self.slabs, between, [*names, *later]
                )
        else:
            self.seen = self._look(rows, before, [*names, *later])
        self.left = [step for step in self.steps[number + 1 :] if not step.stage.sample]
        there = self.seen[rows[0]]
        sample = {n: _joined(n, [self.seen[g][n] for g in rows]) for n in names if n in there}
        sample |= {n: value for n, value in self.slabs.known.items() if n in step.stage.data}
        with timed(step.name):
            answer = step.stage(sample, step.settings)
        sample |= step.stage.answers(answer)
        sample["row_px"] = np.array([row for first, stop in rows for row in range(first, stop)])
        sample["pixel_size_um"] = self.slabs.scan.voxel_size_um
        assert step.stage.estimate is not None  # a stage that samples
        quantity = QUANTITIES[step.stage.gives[0]]
        try:
            with timed(step.name):
                entry = step.stage.estimate(answer, len(sample["row_px"])).entry()
        except RunError:
            self._draw(quantity, sample, "png")  # which the message names
            raise
        self._draw(quantity, sample)
        return entry

    def _draw(self, quantity: Quantity, sample: Mapping[str, Any], kind: str | None = None) -> None:
        if (kind or self.folder.figures) == "none":
            return
        with timed("figures"):
            for name, figure in called(quantity, quantity.figures, sample, None).items():
                if figure is not None:
                    self.folder.save_figure(figure, name, kind)

    def _look(
        self, rows: Sequence[Group], steps: Sequence[Step], names: Sequence[str]
    ) -> dict[Group, dict[str, Any]]:
        """Run steps on groups of rows: what is then known of `names`, by group."""
        found = map_blocks(
            _compute_group,
            rows,
            self.slabs,
            list(steps),
            list(dict.fromkeys(names)),
            read=_read_group,
            workers=self.workers,
        )
        return dict(zip(rows, found, strict=True))

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
        if not self.seen or overlaps(self.left, self.slabs.facts)[0] > 0:
            steps = [step for step in self.steps if not step.stage.sample]
            yield from (g["volume"] for g in self._look(self.groups(), steps, ["volume"]).values())
            return
        for group, found in self.seen.items():
            quantities = {**found, **self.slabs.known}
            yield self.slabs.compute(*group, quantities, ["volume"], self.left)[0]["volume"]


def _read_group(group: Group, slabs: Slabs, steps: list[Step], names: list[str]) -> dict[str, Any]:
    return slabs.read(group[0], group[1], steps)


def _compute_group(
    group: Group, quantities: dict[str, Any], slabs: Slabs, steps: list[Step], names: list[str]
) -> dict[str, Any]:
    known = {*quantities, *(name for step in steps for name in step.stage.gives)}
    wanted = [name for name in names if name in known]
    return slabs.compute(*group, quantities, wanted, steps)[0]


def _shown(entry: Mapping[str, Any]) -> str:
    if isinstance(entry["value"], str):
        return str(entry["value"])
    sd = f" ± {entry['sd']:.2g}" if "sd" in entry else ""
    unit = "" if entry["unit"] == "1" else f" {entry['unit']}"
    return f"{entry['value']:.4g}{sd}{unit}"


def _needed(steps: Sequence[Step]) -> list[str]:
    """Quantities that steps ask for, and none of them gives."""
    given: set[str] = set()
    needed: list[str] = []
    for step in steps:
        asked = (*step.stage.data, *step.stage.facts)
        needed += [name for name in asked if name not in given]
        given |= {*step.stage.gives}
    return needed


def _joined(name: str, pieces: list[Any]) -> Any:
    """Put groups of rows together; what has no rows is the same in all groups."""
    axis = along(name, pieces[0], "row")
    return pieces[0] if axis is None else np.concatenate(pieces, axis=axis)
