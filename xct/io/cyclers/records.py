"""What a cycler recorded. In: columns; out: one series of time, voltage, current and charge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_AGREE = 0.05  # relative: by so much a counter and the integrated current may differ
_THOUSANDS = (1e-6, 1e-3, 1e3, 1e6)  # what a wrong unit looks like


@dataclass(frozen=True)
class CyclerColumns:
    """Names of the columns of a CSV that xct does not know; each name's unit is in its key.

    Attributes
    ----------
    time, voltage, current : str
        Headings.
    time_s, voltage_v, current_ma : float
        What one unit of each is, in s, V and mA.
    """

    time: str
    voltage: str
    current: str
    time_s: float = 1.0
    voltage_v: float = 1.0
    current_ma: float = 1.0


@dataclass(frozen=True)
class CyclerRecords:
    """What a cycler recorded of one cell.

    Attributes
    ----------
    time_s, voltage_v : ndarray
        Since the first record, and of the cell.
    current_ma : ndarray
        Positive while the cell is charged.
    charge_mah : ndarray
        That went into the cell since the first record: by the cycler's counter where there is one,
        else the integrated current.
    maker : str
        Whose file it is.
    checksums : tuple of str
        SHA-256 of each file.
    warnings : tuple of str
        What should be known.
    """

    time_s: np.ndarray
    voltage_v: np.ndarray
    current_ma: np.ndarray
    charge_mah: np.ndarray
    maker: str
    checksums: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def integrated(time_s: np.ndarray, current_ma: np.ndarray) -> np.ndarray:
    """Integrate a current: charge since the first record, mAh."""
    steps = np.diff(time_s) * (current_ma[1:] + current_ma[:-1]) / 2
    return np.asarray(np.concatenate([[0.0], np.cumsum(steps)]) / 3600)


def counted(charge: np.ndarray, discharge: np.ndarray) -> np.ndarray:
    """Join two counters, which may begin anew with each step or cycle: net charge, their unit."""
    return np.asarray(_increments(charge) - _increments(discharge))


def _increments(counter: np.ndarray) -> np.ndarray:
    """Sum what a counter gained; where it falls, it began anew at 0."""
    gained = np.diff(counter)
    gained = np.where(gained < 0, counter[1:], gained)
    return np.asarray(np.concatenate([[0.0], np.cumsum(gained)]))


def unit_of_counter(counter: np.ndarray, by_current: np.ndarray) -> tuple[float, float]:
    """Compare a counter with the integrated current.

    Returns
    -------
    ratio : float
        Throughput of the counter over that of the current; NaN where there is none.
    unit : float
        1, or the factor of a thousand by which one of the two has another unit.
    """
    both = [float(np.abs(np.diff(each)).sum()) for each in (counter, by_current)]
    if min(both) <= 0:
        return float("nan"), 1.0
    ratio = both[0] / both[1]
    wrong = [each for each in _THOUSANDS if abs(ratio / each - 1) < 0.2]
    return ratio, wrong[0] if wrong else 1.0


def agree(ratio: float) -> bool:
    """Whether counter and current say the same."""
    return not np.isfinite(ratio) or abs(ratio - 1) <= _AGREE


def joined(parts: Sequence[CyclerRecords]) -> CyclerRecords:
    """Put files of one cell one after the other, in their order."""
    first, *others = parts
    time, charge = [first.time_s], [first.charge_mah]
    for part in others:
        time.append(part.time_s - part.time_s[0] + time[-1][-1])
        charge.append(part.charge_mah - part.charge_mah[0] + charge[-1][-1])
    return CyclerRecords(
        np.concatenate(time),
        np.concatenate([part.voltage_v for part in parts]),
        np.concatenate([part.current_ma for part in parts]),
        np.concatenate(charge),
        first.maker,
        tuple(each for part in parts for each in part.checksums),
        tuple(each for part in parts for each in part.warnings),
    )
