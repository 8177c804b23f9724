"""`xct bench axis`: whether the axis is right where it is sure, and sure where it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xct.bench.axis.scans import GOOD, KINDS, draw_scan
from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.preprocess.center.answer import SURE
from xct.preprocess.center.rotation_axis import find_center

# How many scans of each kind.
_SIZES: Mapping[str, int] = {"quick": 4, "full": 25}
# Limits of the confidence were chosen on seeds below this one.
FIRST_SEED = 1000
RIGHT_PX = 0.25


class Tried(NamedTuple):
    """A scan whose axis was looked for: how wrong the answer is, and how sure."""

    kind: str
    error_px: float
    sd_px: float
    confidence: float

    @property
    def sure(self) -> bool:
        """Whether no warning was given."""
        return self.confidence >= SURE


def try_axes(seeds: Iterable[int], kinds: Iterable[str] = KINDS) -> list[Tried]:
    """Look for the axis in one scan of each kind for each seed."""
    kinds, tried = list(kinds), []
    for seed in seeds:
        for kind in kinds:
            scan = draw_scan(kind, seed)
            found = find_center(scan.line_integrals, scan.theta_deg)
            error = float(abs(found.center_px - scan.center_px))
            confidence = 0.0 if found.at_edge else found.confidence
            tried.append(Tried(kind, error, found.sd_px, confidence))
    return tried


def bench_axis(out: Path, size: str) -> str:
    """Look for the axis in many virtual scans; write ``axis.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        32 scans, or 200.

    Returns
    -------
    str
        Tables for the terminal.
    """
    tried = try_axes(range(FIRST_SEED, FIRST_SEED + _SIZES[size]))
    rows = [(kind, *_line([one for one in tried if one.kind == kind])) for kind in KINDS]
    sure = [one for one in tried if one.sure]
    good = [one for one in tried if one.kind in GOOD]
    right = 100 * np.mean([one.error_px < RIGHT_PX for one in sure]) if sure else 0.0
    judged = [
        Target(f"right within {RIGHT_PX} px where sure", float(right), "at least", 99.0, "%"),
        Target("sure of good scans", 100 * _part_sure(good), "at least", 90.0, "%"),
    ]
    names = ("scans", "sure", "sure and wrong", "median error, px", "largest where sure, px")
    found = {
        "first_seed": FIRST_SEED,
        "kinds": {kind: dict(zip(names, row, strict=True)) for kind, *row in rows},
        "targets": [target.as_dict() for target in judged],
    }
    path = write_figures(out, "axis", size, found)
    lines = [machine_line(), table(("kind", *names), rows), targets_table(judged), f"wrote {path}"]
    return "\n\n".join(lines)


def _line(tried: list[Tried]) -> tuple[int, int, int, float, float | None]:
    sure = [one.error_px for one in tried if one.sure]
    wrong = int(sum(error >= RIGHT_PX for error in sure))
    median = float(np.median([one.error_px for one in tried]))
    return len(tried), len(sure), wrong, median, max(sure, default=None)


def _part_sure(tried: list[Tried]) -> float:
    return float(np.mean([one.sure for one in tried]))
