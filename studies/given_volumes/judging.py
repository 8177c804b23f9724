"""What became of the numbers. In: a run's summary and that of the plain volume; out: verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Literal

Verdict = Literal["right", "bounded", "withheld", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("right", "bounded", "withheld", "wrong")
_SDS = 2.0  # standard uncertainties of the difference

# What is compared, and by how much it may differ beyond its uncertainty: absolute, relative.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "bore_radius_um": (1.5, 0.0),
    "thickness_um.*": (1.0, 0.0),
    "absent_area_fraction": (0.02, 0.0),
    "volume_fraction.lithium": (0.005, 0.0),
    "volume_fraction.electrolyte": (0.02, 0.0),
    "volume_fraction.active_material": (0.01, 0.0),
    "volume_fraction.steel": (0.01, 0.0),
    "volume_fraction.collector": (0.01, 0.0),
    "volume_fraction.low_grey": (0.003, 0.0),
    "particles": (0.0, 0.2),  # those of two or three voxels come and go
    "drifted_particles": (1.0, 0.0),
    "median_diameter_um": (0.0, 0.03),
    "inclusions": (1.0, 0.0),
    "inclusion_volume_um3": (3000.0, 0.1),
    "electrolyte_peak_per_cm": (0.0, 0.02),
}


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes
    ----------
    refused : bool
        Whether it ended with an error in words, before anything was measured.
    said : list of str
        Its error, or its warnings and what was assumed.
    summary : mapping
        Its numbers.
    """

    refused: bool
    said: Sequence[str]
    summary: Mapping[str, Any]


def numbers_of(summary: Mapping[str, Any]) -> list[str]:
    """Name the numbers of a summary that are compared."""
    return [
        name
        for name in summary
        if any(fnmatch(name, pattern) for pattern in TOLERANCES) and "value" in summary[name]
    ]


def judge(
    name: str, mine: Mapping[str, Any] | None, plain: Mapping[str, Any], slack: float = 0.0
) -> Verdict:
    """Judge a number by that of the plain volume.

    Parameters
    ----------
    name : str
        Of the number.
    mine : mapping or None
        As the run states it; None: it does not.
    plain : mapping
        As the run of the plain volume states it.
    slack : float
        By how much more it may differ, in its unit: where another part of the cell is in view.
    """
    if mine is None or "value" not in mine:
        return "withheld"
    absolute, relative = next(t for n, t in TOLERANCES.items() if fnmatch(name, n))
    difference = mine["value"] - plain["value"]
    doubt = (mine.get("sd", 0.0) ** 2 + plain.get("sd", 0.0) ** 2) ** 0.5
    if abs(difference) <= slack + max(absolute, relative * abs(plain["value"]), _SDS * doubt):
        return "right"
    bound = mine.get("bound")
    if (bound == "upper" and difference > 0) or (bound == "lower" and difference < 0):
        return "bounded"
    return "wrong"


def verdict_of(outcome: Outcome, counts: Mapping[str, int], says: str) -> str:
    """Say in a word what became of a volume: right, said, withheld, refused or WRONG.

    Parameters
    ----------
    outcome : Outcome
        Of its run.
    counts : mapping of str to int
        How many numbers are right, bounded, withheld and wrong.
    says : str
        A pattern: what the run must have said wherever a number is missing or wrong.
    """
    told = bool(says) and any(re.search(says, text) for text in outcome.said)
    if outcome.refused:
        return "refused" if told or not says else "refused for another reason"
    if not counts["wrong"] and not counts["withheld"]:
        return "right"
    if counts["wrong"]:
        return "said" if told else "WRONG"
    return "withheld" if outcome.said else "WRONG"
