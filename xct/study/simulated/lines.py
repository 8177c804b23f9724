"""Simulated current beside lost lithium along a plane. In: a cell, a plane; out: lines, figure.

Both are taken along the plane that was simulated: the focusing factor of `xct simulate` (current at
the lithium over its mean), and the lithium that is missing there against the plane's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xct.analyze import thickness_maps
from xct.errors import XctError
from xct.figures import canvas
from xct.io.tables import read_table
from xct.study.cells import Cell
from xct.study.simulated.finding import Folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_FEWEST = 20  # columns of voxels
_NEEDED = {"case", "z_um", "y_um", "x_um", "length_um", "focusing"}


@dataclass(frozen=True)
class Simulated:
    """One case of a simulation of a cell.

    Attributes
    ----------
    cell, case : str
        Their names.
    along_um : ndarray, shape (column,)
        Position along the plane.
    focusing : ndarray, shape (column,)
        Current at the lithium over its mean.
    lost_um : ndarray, shape (column,)
        Lithium that is missing against the plane's mean.
    flat : bool
        Whether the current was solved for with a flat face of the lithium. On the face as it was
        measured, lithium that is thin lies far from the cathode, and has little current for that
        alone: then no p-value is given.
    """

    cell: str
    case: str
    along_um: np.ndarray
    focusing: np.ndarray
    lost_um: np.ndarray
    flat: bool = True

    @property
    def r(self) -> float:
        """Pearson's coefficient; NaN where one of both is the same everywhere."""
        if not (np.ptp(self.focusing) > 0 and np.ptp(self.lost_um) > 0):
            return float("nan")
        return float(np.corrcoef(self.focusing, self.lost_um)[0, 1])

    @property
    def p_value(self) -> float:
        """Part of all shifts of one line along the other, mirrored too, that correlate as much."""
        if not (self.flat and np.isfinite(self.r)):
            return float("nan")
        one = self.focusing - self.focusing.mean()
        size = one.std() * self.lost_um.std() * len(one)
        transform = np.fft.rfft(self.lost_um - self.lost_um.mean())
        found = [
            np.fft.irfft(np.fft.rfft(line) * np.conj(transform), len(one)) / size
            for line in (one, one[::-1])
        ]
        # The first shift of the line as it is, by nothing, is what was measured.
        return float(np.mean(np.abs(np.concatenate(found)) >= abs(self.r) - 1e-12))


def read_lines(cell: Cell, folder: Folder) -> list[Simulated]:
    """Read every case of a simulated plane, beside the lithium that the cell has lost along it.

    Raises
    ------
    XctError
        If its table is missing or damaged, or it is of another cell.
    """
    table = read_table(folder.path / "tables" / "lithium.csv")
    if not set(table) >= _NEEDED:
        raise XctError(
            f"{folder.path}: tables/lithium.csv lacks {', '.join(sorted(_NEEDED - set(table)))}; "
            "run `xct simulate` again"
        )
    layer = thickness_maps(cell.surfaces).get("lithium")
    if layer is None:
        raise XctError(f"{folder.path}: no lithium was measured in {cell.name} to compare it with")
    return [
        replace(_one_case(cell, str(name), rows, layer.height_um), flat=folder.flat)
        for name, rows in table.groupby("case", sort=False)
    ]


def _one_case(cell: Cell, name: str, rows: DataFrame, thickness_um: np.ndarray) -> Simulated:
    _, dy, dx = cell.result.stored_volume.voxel_size_um
    y, x = (
        np.rint(rows[f"{axis}_um"] / edge).to_numpy(int) for axis, edge in (("y", dy), ("x", dx))
    )
    if (
        min(y.min(), x.min()) < 0
        or y.max() >= thickness_um.shape[0]
        or x.max() >= thickness_um.shape[1]
    ):
        raise XctError(f"the simulation of {cell.name} lies outside of it: it is of another cell")
    across, edge = (x, dx) if np.ptp(x) > np.ptp(y) else (y, dy)
    column, where = np.unique(across, return_inverse=True)
    length = rows["length_um"].to_numpy(float)
    focusing = np.bincount(where, rows["focusing"] * length) / np.bincount(where, length)
    first = np.searchsorted(where[np.argsort(where, kind="stable")], np.arange(len(column)))
    order = np.argsort(where, kind="stable")[first]
    thickness = np.abs(thickness_um[y[order], x[order]].astype(float))
    known = np.isfinite(thickness) & np.isfinite(focusing)
    if known.sum() < _FEWEST:
        raise XctError(
            f"the simulation of {cell.name} shares {known.sum()} columns of voxels with its "
            f"measured lithium: at least {_FEWEST} are needed"
        )
    lost = thickness[known].mean() - thickness[known]
    return Simulated(cell.name, name, column[known] * edge, focusing[known], lost)


def lines_figure(cases: Sequence[Simulated]) -> Figure | None:
    """Draw both along the plane, a picture for each case."""
    if not cases:
        return None
    figure, axes = canvas(len(cases), 1, (11.5, 2.8 * len(cases) + 0.4))
    for axis, case in zip(axes, cases, strict=True):
        axis.plot(case.along_um, case.focusing, color="tab:purple", lw=1.2)
        axis.set_ylabel("current over mean", color="tab:purple", fontsize=8)
        other = axis.twinx()
        other.plot(case.along_um, case.lost_um, color="tab:orange", lw=1.2)
        other.set_ylabel("lithium lost (µm)", color="tab:orange", fontsize=8)
        axis.set_title(f"{case.cell}, {case.case}: {_correlation(case)}", fontsize=9)
    axes[-1].set_xlabel("along the plane (µm)")
    return figure


def _correlation(case: Simulated) -> str:
    if not np.isfinite(case.r):
        return "one of both is the same everywhere"
    r = f"r = {case.r:.2f}".replace("-", "−")
    if not case.flat:
        return f"{r}, by the face's shape alone (slice: lithium: flat tells more)"
    return f"{r}, p = {case.p_value:.2g}"
