"""Read what a cycler wrote. In: files of one cell; out: its records, or why they cannot be read.

Text exports are read here, files of BioLogic (.mpr) and Neware (.nda, .ndax) by packages that are
kept by others: galvani, which is under the GPL, and NewareNDA. Those of Arbin (.res, a database of
Microsoft Access) and Landt (.ccs, .cex) have no reader that fits, so their export is asked for.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError, nearest
from xct.io.cyclers.headers import Layout, recognized
from xct.io.cyclers.records import (
    CyclerColumns,
    CyclerRecords,
    agree,
    counted,
    integrated,
    joined,
    unit_of_counter,
)
from xct.io.cyclers.text_files import read_columns

if TYPE_CHECKING:
    from pandas import DataFrame

_EXPORTS = {
    "BioLogic": "in EC-Lab or BT-Lab: Experiment, Export as Text, with time, Ewe or Ecell, I and "
    "(Q-Qo)",
    "Neware": "in BTSDA: Export, CSV, the layer of records",
    "Arbin": "in MITS Pro's Data Watcher: Export to CSV, with Test Time, Current, Voltage and both "
    "capacities",
    "Landt": "in LANDdt: Export, CSV, the layer of records with TestTime, Voltage and Current",
    "a spreadsheet": "in the spreadsheet: save the sheet of records as CSV",
}
_NOT_READ = {
    ".res": "Arbin", ".ccs": "Landt", ".cex": "Landt", ".cds": "Landt",
    ".xls": "a spreadsheet", ".xlsx": "a spreadsheet",
}  # fmt: skip
_LEAST = 10  # records
_NO_SIGN = (
    "{path}: its current never changes its sign, and no column says whether a step is charge or "
    "discharge: export signed currents (positive while charging), or the type of each step"
)


def read_cycler(files: Sequence[Path | str], columns: CyclerColumns | None = None) -> CyclerRecords:
    """Read what a cycler recorded of one cell.

    Parameters
    ----------
    files : sequence of path
        In the order of their measurement: CSV or text exports, .mpr, .nda or .ndax.
    columns : CyclerColumns, optional
        Headings of a CSV that is no export of a known cycler.

    Raises
    ------
    XctError
        If a file is missing, is not known, or holds no charging and discharging.
    """
    return joined([_read_one(Path(file), columns) for file in files])


def _read_one(path: Path, columns: CyclerColumns | None) -> CyclerRecords:
    if not path.is_file():
        there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise XctError(f"{path}: no such cycler file{nearest(path.name, there)}")
    ending = path.suffix.lower()
    if ending in _NOT_READ:
        maker = _NOT_READ[ending]
        raise XctError(
            f"{path}: files {ending} of {maker} are not read; export it as CSV, {_EXPORTS[maker]}"
        )
    if ending in _NATIVE:
        layout, table = _NATIVE[ending](path)
    else:
        layout, table = read_columns(path, columns)
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return _records(path, layout, table, checksum)


def _mpr(path: Path) -> tuple[Layout, DataFrame]:
    """Read a file of EC-Lab by galvani."""
    import pandas as pd

    try:
        from galvani import BioLogic
    except ImportError:
        raise XctError(_lacking(path, "BioLogic", "galvani", "biologic")) from None
    try:
        with path.open("rb") as file:
            data = BioLogic.MPRfile(file).data
    except (ValueError, OSError, AssertionError, NotImplementedError, KeyError) as error:
        raise XctError(_damaged(path, "BioLogic", "galvani", error)) from None
    return _known(path, pd.DataFrame({name: data[name] for name in data.dtype.names}))


def _nda(path: Path) -> tuple[Layout, DataFrame]:
    """Read a file of BTSDA by NewareNDA."""
    import logging

    try:
        import NewareNDA
    except ImportError:
        raise XctError(_lacking(path, "Neware", "NewareNDA", "neware")) from None
    logging.getLogger("newarenda").setLevel(logging.CRITICAL)  # what is wrong is said below
    try:
        with warnings.catch_warnings():  # it uses what pandas will take away, within its bounds
            warnings.simplefilter("ignore")
            table = NewareNDA.read(str(path), log_level="CRITICAL")
    except Exception as error:  # it says what is wrong with a file by errors of many kinds
        raise XctError(_damaged(path, "Neware", "NewareNDA", error)) from None
    named = {
        "Time": "Time(s)", "Voltage": "Voltage(V)", "Status": "Step Type",
        "Charge_Capacity(mAh)": "Chg. Cap.(mAh)", "Discharge_Capacity(mAh)": "DChg. Cap.(mAh)",
    }  # fmt: skip
    return _known(path, table.rename(columns=named))


_NATIVE: Mapping[str, Callable[[Path], tuple[Layout, DataFrame]]] = {
    ".mpr": _mpr, ".nda": _nda, ".ndax": _nda,
}  # fmt: skip


def _lacking(path: Path, maker: str, package: str, extra: str) -> str:
    return (
        f"{path}: files of {maker} are read by the package {package}, which is not installed: "
        f"pip install 'xct[{extra}]', or export it as text {_EXPORTS[maker]}"
    )


def _damaged(path: Path, maker: str, package: str, error: Exception) -> str:
    cause = " ".join(str(error).split()) or type(error).__name__
    return (
        f"{path}: {package} cannot read it ({cause}): it is damaged, or of a version that is not "
        f"known; export it as text {_EXPORTS[maker]}"
    )


def _known(path: Path, table: DataFrame) -> tuple[Layout, DataFrame]:
    layout = recognized([str(name) for name in table])
    if layout is None:
        raise XctError(
            f"{path}: holds no time, voltage and current, but {', '.join(map(str, table))}; is it "
            "of another technique than cycling?"
        )
    return layout, table


def _records(path: Path, layout: Layout, table: DataFrame, checksum: str) -> CyclerRecords:
    """Turn columns into one signed series."""
    given = {
        name: _numbers(table.iloc[:, column], unit)
        for name, (column, unit) in layout.columns.items()
        if name != "kind"
    }
    keep = np.all([np.isfinite(values) for values in given.values()], axis=0)
    given = {name: values[keep] for name, values in given.items()}
    if keep.sum() < _LEAST:
        raise XctError(f"{path}: holds {keep.sum()} complete records, at least {_LEAST} are needed")
    time = given["time"] if "time" in given else _from_steps(given["step_time"])
    if (np.diff(time) < 0).any():
        row = int(np.flatnonzero(np.diff(time) < 0)[0]) + 2
        raise XctError(
            f"{path}: time runs backwards at record {row}: give the time of the whole test, not of "
            "each step, and one file for each test"
        )
    if "current" in given:
        current = _signed(path, given["current"], layout, table, keep)
    else:
        current = 3600 * np.gradient(given["net"], np.maximum(time, _strictly(time)))
    charge, said = _charge(path, given, time, current)
    return CyclerRecords(
        time - time[0], given["voltage"], current, charge, layout.maker, (checksum,), said
    )


def _strictly(time: np.ndarray) -> np.ndarray:
    return np.asarray(time[0] + 1e-6 * np.arange(len(time)))


def _numbers(column: Any, unit: float) -> np.ndarray:
    import pandas as pd

    if np.isnan(unit) or (unit == 1.0 and column.astype(str).str.contains(":").mean() > 0.5):
        text = column.astype(str).str.replace(r"^(\d+:\d+)$", r"0:\1", regex=True)
        days = text.str.replace(r"^(\d+)[d\-/ ]\s*", r"\1 days ", regex=True)
        return np.asarray(pd.to_timedelta(days, errors="coerce").dt.total_seconds(), float)
    return np.asarray(pd.to_numeric(column, errors="coerce"), float) * unit


def _from_steps(step_time: np.ndarray) -> np.ndarray:
    """Put the times of steps one after the other: each begins anew near 0."""
    gained = np.diff(step_time)
    gained = np.where(gained < 0, step_time[1:], gained)
    return np.asarray(np.concatenate([[0.0], np.cumsum(gained)]))


def _signed(
    path: Path, current: np.ndarray, layout: Layout, table: DataFrame, keep: np.ndarray
) -> np.ndarray:
    if (current > 0).any() and (current < 0).any():
        return current
    if not np.abs(current).max() > 0:
        raise XctError(f"{path}: no current flows in it: it is no record of cycling")
    if "kind" not in layout.columns:
        raise XctError(_NO_SIGN.format(path=path))
    kinds = table.iloc[:, layout.columns["kind"][0]].astype(str).str.lower()[keep].to_numpy()
    discharges = np.array(["dchg" in kind or "disch" in kind or "d_" in kind for kind in kinds])
    if discharges.all() or not discharges.any():
        raise XctError(_NO_SIGN.format(path=path))
    return np.asarray(np.where(discharges, -np.abs(current), np.abs(current)))


def _charge(
    path: Path, given: Mapping[str, np.ndarray], time: np.ndarray, current: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Take the cycler's counter, which sees between records, and hold it against the current."""
    by_current = integrated(time, current)
    if "net" in given:
        counter = given["net"] - given["net"][0]
    elif {"charge", "discharge"} <= given.keys():
        counter = counted(given["charge"], given["discharge"])
    else:
        return by_current, ()
    ratio, unit = unit_of_counter(counter, by_current)
    if unit != 1.0:
        raise XctError(
            f"{path}: its capacities are {ratio:.3g} times its integrated current: one of the two "
            "has another unit than its heading says"
        )
    if agree(ratio):
        return counter, ()
    return counter, (
        f"{path.name}: its capacity counter says {ratio:.3g} times the integrated current: records "
        "are too rare to be integrated, or one of the two is wrong; the counter is taken",
    )
