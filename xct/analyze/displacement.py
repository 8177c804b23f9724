"""Displacement of surfaces between two states of one cell. In: two results; out: u(y, x).

Both states are brought onto one grid by a rigid motion that follows from the parts that do not
deform: the bore of the tube gives the axis, the face of the steel pin height and tilt, and the
pin's relief the turn about the axis.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from xct.analyze.registration import Motion, carried, find_motion
from xct.errors import DataError
from xct.geometry import CellGeometry, Surface
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import HeightMaps, Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    from pandas import DataFrame


# The turn between two scans. Where a surface is steep around the axis, a small error of the turn
# compares columns of other heights.

_BLOCK_UM = 300.0  # errors of a face are alike over less: light in the shadow of steel is smooth
_ACROSS = 6  # blocks across the bore at least: in a few, what is left adds up to nothing by the fit


def turn_sd_rad(cell: CellGeometry, fixed_pin: Surface, moved_pin: Surface) -> float:
    """Give the standard uncertainty of the turn, from what is left between both faces of the pin.

    A turn by δ leaves δ·∂h/∂φ; what is left beside that is taken to be alike within blocks, and
    independent between them.

    Parameters
    ----------
    cell : CellGeometry
        Of the fixed scan.
    fixed_pin, moved_pin : Surface
        Face of the pin in both scans, on the grid of the fixed one.

    Returns
    -------
    float
        Standard deviation, radians; NaN where the faces have no relief in common.
    """
    left = moved_pin.height_um - fixed_pin.height_um.astype(np.float64)
    slopes = [around(cell, pin) for pin in (fixed_pin, moved_pin)]
    known = np.isfinite(left) & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    relief = float((slopes[0] * slopes[1])[known].sum())  # noise of both scans cancels
    if not relief > 0:
        return float("nan")
    pull = 0.5 * (slopes[0] + slopes[1]) * left
    rows, columns = np.nonzero(known)
    block_um = min(_BLOCK_UM, 2 * cell.bore_radius_um / _ACROSS)
    y, x = (
        (at * size // block_um).astype(int)
        for at, size in zip((rows, columns), cell.voxel_size_um[1:], strict=True)
    )
    blocks = np.bincount(y * (x.max() + 1) + x, weights=pull[known])
    return float(np.sqrt((blocks**2).sum()) / relief)


def around(cell: CellGeometry, surface: Surface) -> np.ndarray:
    """Give the slope of a surface around the axis, µm per radian; (y, x), NaN at its rim."""
    y, x = cell.offsets_um((cell.shape[0] - 1) / 2)
    height = surface.height_um.astype(np.float64)
    slope_y, slope_x = np.gradient(height, *cell.voxel_size_um[1:])
    return np.asarray(x * slope_y - y * slope_x)


_PIN = "steel_lithium"
_INDEPENDENT = 0.8  # fraction of the standard deviations that both states do not have in common


class Measured(Protocol):
    """A result with a cell and its surfaces."""

    @property
    def cell(self) -> CellGeometry:
        """Where the cell lies."""
        ...

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """Height maps by name."""
        ...


class Displacement(NamedTuple):
    """How far surfaces moved.

    Attributes
    ----------
    maps : dict of str to Surface
        u in µm, positive away from the anode, and its standard deviation, on the grid of the
        pristine state; NaN where either state has no height.
    table : DataFrame
        ``surface, mean_um, mean_um_sd, median_um, sd_um, noise_um, n``.
    motion : Motion
        The rigid motion that was taken out, and its residual on the pin.
    """

    maps: dict[str, Surface]
    table: DataFrame
    motion: Motion


@stage(
    gives=Quantity(
        "displacement",
        unit="map of displacements, µm",
        store=(Table(of="table"), HeightMaps(of="maps")),
    ),
    measures=True,
)
def displacement_map(
    surfaces: Mapping[str, Surface],
    cell: CellGeometry,
    pristine: Measured,
    uncorrected_fringes: str | None = None,
    *,
    same_cell: bool,
) -> Displacement:
    """Subtract the surfaces of a cell in its pristine state from those in this one.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        Of this state, with ``steel_lithium``.
    cell : CellGeometry
        Of this state.
    pristine : result
        The same cell before.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    same_cell : bool
        Whether it really is the same cell.

    Returns
    -------
    Displacement

    Raises
    ------
    DataError
        If the cells are different, the voxels are, one state lacks the pin's face, or there are
        fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    before = pristine.surfaces
    _check(surfaces, cell, before, pristine.cell, same_cell)
    motion = find_motion(pristine.cell, before[_PIN], cell, surfaces[_PIN])
    if not motion.turn_known:
        warnings.warn(
            "the relief of the pin does not determine the turn about the axis between both states; "
            "it is taken as 0°, and columns may be compared with others",
            stacklevel=2,
        )
    turn_sd = turn_sd_rad(
        pristine.cell, before[_PIN], carried(surfaces[_PIN], cell, pristine.cell, motion)
    )
    maps = {}
    for name in [name for name in before if name in surfaces and name != _PIN]:
        now = carried(surfaces[name], cell, pristine.cell, motion)
        u = pristine.cell.sign * (now.height_um - before[name].height_um)
        sd = _INDEPENDENT * np.hypot(now.sd_um, before[name].sd_um)
        # At its rim a map has no slope; where the turn's uncertainty is not known, no sd is stated.
        by_turn = turn_sd * np.nan_to_num(around(pristine.cell, now))
        sd = np.hypot(np.hypot(sd, motion.height_sd_um), by_turn)
        maps[name] = Surface(
            u, np.where(np.isfinite(u), sd, np.nan), "displacement away from the anode"
        )
    rows = [_row(name, u, motion) for name, u in maps.items()]
    return Displacement(maps, pd.DataFrame(rows), motion)


def _check(
    surfaces: Mapping[str, Surface],
    cell: CellGeometry,
    before: Mapping[str, Surface],
    pristine: CellGeometry,
    same_cell: bool,
) -> None:
    if not same_cell:
        raise DataError(
            "displacement is defined for one cell in two states only: between different cells, "
            "heights differ by how these were built; compare thickness and roughness instead, or "
            "set cell.same_cell: true if this is the pristine cell, cycled"
        )
    if not np.allclose(cell.voxel_size_um, pristine.voxel_size_um, rtol=1e-3):
        raise DataError(
            f"the states have voxels of {cell.voxel_size_um} and {pristine.voxel_size_um} µm; "
            "reconstruct both with the same pixel size and binning"
        )
    for state, names in (("this", surfaces), ("the pristine", before)):
        if _PIN not in names:
            raise DataError(
                f"{state} state has no surface {_PIN}; the face of the pin, which does not deform, "
                "is what both are aligned by"
            )


def _row(name: str, u: Surface, motion: Motion) -> dict[str, object]:
    known = u.height_um[np.isfinite(u.height_um)].astype(np.float64)
    noise = float(np.nanmedian(u.sd_um)) if np.isfinite(u.sd_um).any() else float("nan")
    return {
        "surface": name,
        "mean_um": float(known.mean()) if known.size else np.nan,
        "mean_um_sd": float(np.hypot(motion.height_sd_um, 0.3 * noise)),
        "median_um": float(np.median(known)) if known.size else np.nan,
        "sd_um": float(known.std()) if known.size else np.nan,
        "noise_um": noise,
        "n": int(known.size),
    }
