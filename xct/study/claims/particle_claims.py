"""Claims about particles: their lithium, the grey value of their cores, drifted ones."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot, isfinite, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np

from xct.physics.materials import mu_per_cm
from xct.study.cells import Cell
from xct.study.claims.claim import SURE, Claim, Verdict, full_charge_grey, other_causes

if TYPE_CHECKING:
    import pandas as pd

_SCALE_SD = 0.01  # of grey values above air, between two cells
_LEAST_READ = 20  # particles whose lithium content is read
_EXCLUDED = 0.05  # of them, whose 95 % interval leaves out x = 1: more is a change


def claims_of_particles(cell: Cell) -> Iterator[Claim]:
    """Judge the particles of a cell, those of its cathode against those of its pristine one."""
    charge, particles = cell.table("charge"), cell.table("particles")
    assert cell.pristine is not None
    if charge is None or particles is None or not {"li_content", "li_content_high"} <= set(charge):
        return
    yield _content(cell, charge)
    core = _core_change(cell, particles)
    if core is not None:
        yield core
    entry, verdict = (cell.numbers.get(k) for k in ("drifted_mu_difference", "drifted_charge"))
    if entry is not None and verdict is not None and isfinite(float(entry["value"])):
        yield _drifted(cell, float(entry["value"]), float(entry["sd"]), str(verdict["value"]))


def _content(cell: Cell, charge: pd.DataFrame) -> Claim:
    """Count particles whose interval leaves out x = 1, among those that are read."""
    from scipy.stats import beta

    read = int(np.isfinite(charge["li_content"].to_numpy(float)).sum())
    excluded = int((charge["li_content_high"].to_numpy(float) < 1).sum())
    value = excluded / read if read else nan
    low = float(beta.ppf(0.025, excluded, read - excluded + 1)) if excluded else 0.0
    high = float(beta.ppf(0.975, excluded + 1, read - excluded)) if excluded < read else 1.0
    verdict: Verdict
    if read < _LEAST_READ:
        verdict = "undecided"
    else:
        verdict = "less_lithium" if low > _EXCLUDED else "no_change"
    return Claim(
        cell, f"particles whose lithium content is surely below 1, of {read} that are read", "%",
        100 * value, 100 * low, 100 * high, (0.0, 100.0), verdict, other_causes(cell),
    )  # fmt: skip


def _core_change(cell: Cell, particles: pd.DataFrame) -> Claim | None:
    """Compare the cores of the cathode's particles with those of the pristine cell."""
    assert cell.pristine is not None
    old = cell.pristine.table("particles")
    if old is None or not {"core_grey", "attached"} <= set(particles) & set(old):
        return None
    cores = [t.loc[t["attached"], "core_grey"].dropna().to_numpy(float) for t in (particles, old)]
    if min(map(len, cores)) < _LEAST_READ:
        return None
    levels = [float(np.median(each)) for each in cores]
    own = [1.2533 * float(each.std()) / sqrt(len(each)) for each in cores]
    scale = sqrt(2) * _SCALE_SD * (levels[1] - cell.result.grey_scale.zero)
    value, half = levels[0] - levels[1], SURE * hypot(*own, scale)
    possible = (0.0, full_charge_grey(cell))
    verdict: Verdict = "possible"
    if abs(value) <= half:
        verdict = "no_change"
    elif value + half < 0 or value - half > possible[1]:
        verdict = "other_cause"
    return Claim(
        cell, "cores of the cathode's particles: median grey value", "grey values", value,
        value - half, value + half, possible, verdict, other_causes(cell),
    )  # fmt: skip


def _drifted(cell: Cell, value: float, sd: float, said: str) -> Claim:
    """Repeat what the run said of drifted particles against those of the cathode."""
    verdicts: dict[str, Verdict] = {
        "no_change": "no_change", "change": "possible", "other_cause": "other_cause",
    }  # fmt: skip
    most = 100 * (float(mu_per_cm("ncm811", cell.energy_kev or 25.0, lithium=0.0))
                  / float(mu_per_cm("ncm811", cell.energy_kev or 25.0)) - 1)  # fmt: skip
    return Claim(
        cell, "μ of drifted particles against attached ones", "%", 100 * value,
        100 * (value - SURE * sd), 100 * (value + SURE * sd), (0.0, most),
        verdicts.get(said, "undecided"), ("planes of other transmission", *other_causes(cell)),
    )  # fmt: skip
