"""What mishaps of a scan do to the numbers of a cell. In: effects by level; out: verdicts.

Every number that a plain scan gives within the limits of the accuracy bench is right, bounded,
withheld or wrong when the scan has something the matter with it, and the run says so or does not.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xct
from xct.bench.figures import machine_line, table, write_figures
from xct.bench.targets import VERDICTS, Judged, Verdict, verdicts, without_figures
from xct.errors import RunError
from xct.phantom.writing import write_phantom
from xct.score import score

log = logging.getLogger("xct")

_STATE, _SHAPE, _ANGLES = "ncm-50", (160, 256, 256), 400
_COUNTS = ("angles", "lost_frames", "lit_darks", "blocked_flats")


@dataclass(frozen=True)
class Effect:
    """Something that happens to a scan, mildest first.

    Attributes
    ----------
    name : str
        With its unit.
    setting : str
        Of the virtual scan.
    levels : tuple of float
        Values of it.
    """

    name: str
    setting: str
    levels: tuple[float, ...]


EFFECTS = (
    Effect("lost frames, of 400", "lost_frames", (4, 40, 120)),
    Effect("lit darks, of 10", "lit_darks", (1, 3, 6)),
    Effect("flats with the sample in them, of 30", "blocked_flats", (1, 4, 12)),
    Effect("exposure of flats over that of projections", "flat_exposure", (0.99, 0.9, 0.5)),
    Effect("light of the second half", "dose_jump", (0.99, 0.95, 0.8)),
    Effect("beam moves, rows", "drift_px", (3, 10, 30)),
    Effect("veiling glare, of the light", "glare", (0.01, 0.03)),
    Effect("noise, over that of 48,000 quanta", "noise", (2, 4, 8)),
    Effect("projections", "angles", (200, 100, 50)),
    # Less of a voxel's noise, or more of it and less light through the cathode.
    Effect("photon energy above the usual 25 keV", "energy_kev", (30, 35)),
    Effect("photon energy below it", "energy_kev", (20, 15, 12)),
    Effect("finer voxels, µm", "voxel_um", (1.625, 1.3)),
    Effect("coarser voxels, µm", "voxel_um", (2.6, 3.2)),
    Effect("distance to the detector, mm", "distance_mm", (2, 10, 40)),
    Effect("axis leans, °", "axis_tilt_deg", (0.1, 0.3, 1)),
    Effect("stage stands off, px", "jitter_px", (0.2, 0.5, 1.5)),
)


def bench_levels(out: Path, effects: Sequence[Effect] = EFFECTS, seed: int = 0) -> str:
    """Measure a virtual cell under each effect, level by level, and write ``levels.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    effects : sequence of Effect, optional
        Which ones.
    seed : int, optional
        Of cell and noise.

    Returns
    -------
    str
        Tables for the terminal: what became of the numbers, and for each effect the mildest level
        at which the run says something, withholds something, and is wrong without a word.
    """
    plain = _tried(out / "levels", seed, {})
    usual = {name: verdict for name, verdict in verdicts(plain) if verdict == "right"}
    found = [
        _level(effect, level, _tried(out / "levels", seed, {effect.setting: level}), plain, usual)
        for effect in effects
        for level in effect.levels
    ]
    write_figures(out, "levels", "full", {"numbers": sorted(usual), "levels": found})
    head = ("effect", "level", *VERDICTS, "said")
    rows = [
        [one["effect"], one["level"], *(one["count"][v] for v in VERDICTS), len(one["said"])]
        for one in found
    ]
    mildest = ("effect", "said from", "withheld from", "wrong, not said, from")
    parts = [machine_line(), table(head, rows), table(mildest, _mildest(effects, found))]
    said = [f"{o['effect']}, {o['level']:g}: {'; '.join(o['said']) or '–'}" for o in found]
    return "\n\n".join([*parts, "\n".join(said)])


def _tried(out: Path, seed: int, change: Mapping[str, Any]) -> Judged:
    """Scan, run and score one cell; a run that refuses has no scores."""
    log.info("%s …", ", ".join(f"{k} = {v:g}" for k, v in change.items()) or "a plain scan")
    shutil.rmtree(out, ignore_errors=True)
    setup: dict[str, Any] = {"angles": _ANGLES} | {
        name: int(level) if name in _COUNTS else level for name, level in change.items()
    }
    config = write_phantom(_STATE, out, seed=seed, shape=_SHAPE, **setup)
    try:
        xct.run(config)
    except RunError as error:
        run = Judged.refused(_STATE, error)
    else:
        result, truth = xct.open_result(out / "result"), xct.open_result(out / "truth")
        run = Judged.of(_STATE, score(result.path, truth.path), result, truth)
    shutil.rmtree(out)
    return run


def _level(
    effect: Effect, level: float, run: Judged, plain: Judged, usual: Mapping[str, Verdict]
) -> dict[str, Any]:
    """Count what became of the numbers that a plain scan gives right."""
    judged = {name: verdict for name, verdict in verdicts(run) if name in usual}
    count = Counter(judged.values())
    known = {without_figures(message) for message in plain.said}
    return {
        "effect": effect.name,
        "level": level,
        "count": {verdict: count[verdict] for verdict in VERDICTS},
        "verdicts": judged,
        "said": [message for message in run.said if without_figures(message) not in known],
    }


def _mildest(effects: Sequence[Effect], found: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Give for each effect the first level at which something holds; – where it holds at none."""
    rows = []
    for effect in effects:
        own = [one for one in found if one["effect"] == effect.name]
        holding = (
            [one["level"] for one in own if one["said"]],
            [one["level"] for one in own if one["count"]["withheld"]],
            [one["level"] for one in own if one["count"]["wrong"] and not one["said"]],
        )
        rows.append([effect.name, *(f"{levels[0]:g}" if levels else "–" for levels in holding)])
    return rows
