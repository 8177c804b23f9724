"""Slices further apart than pixels are wide. In: a volume; out: how much less is known along z.

Whether a slice is the mean of what lies between it and the next, or thinner, no file says: a face
may lie anywhere within a step. That is stated of thicknesses, volumes and absent lithium.
"""

from __future__ import annotations

from collections.abc import Sequence

from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels
from xct.quantity import Quantity, declare

# Standard deviation of what may be anywhere in a step, in steps.
OF_A_STEP = 12**-0.5
WARNED = 1.2  # times the width of a pixel; below, what is stated is hardly wider
_ROUNDED = 1.01  # voxels that are cubes but for rounding


def slice_excess(volume: Voxels, cell: CellGeometry) -> float:
    """Give by how much slices are further apart than pixels are wide, in quadrature, µm.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Where values between slices were interpolated, the distance of the file's slices counts.
    cell : CellGeometry
        For the edges of a voxel.

    Returns
    -------
    float
        √(step² − width²); 0 for cubes.
    """
    step, *across = cell.voxel_size_um
    step = (getattr(volume, "placement", None) or {}).get("slice_um", step)
    width = max(across)
    return float((step**2 - width**2) ** 0.5) if step > _ROUNDED * width else 0.0


def edge_ratio(volume: Voxels, cell: CellGeometry) -> float:
    """Give the longest edge of a voxel over its shortest, as the file has them.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Where values between voxels were interpolated, those of the file count.
    cell : CellGeometry
        For the edges of a voxel.
    """
    placement = getattr(volume, "placement", None) or {}
    edges = placement.get("file_voxel_um", cell.voxel_size_um)
    return float(max(edges) / min(edges))


def spacing_warning(step_um: float, width_um: float, *, interpolated: bool) -> str | None:
    """Say what slices that are far apart leave uncertain; None where they are not.

    Parameters
    ----------
    step_um, width_um : float
        From slice to slice, and across a pixel.
    interpolated : bool
        Whether values between slices were interpolated.
    """
    ratio = step_um / width_um
    if ratio <= WARNED * (1 + 1e-6):
        return None
    between = ", and values between them are interpolated" if interpolated else ""
    return (
        f"slices lie {step_um:g} µm apart, {ratio:.3g} times the width of a voxel{between}: a face "
        "may lie anywhere within a step, so the uncertainties of thicknesses, of the volumes of "
        "lithium, steel and collector, and of absent lithium are larger by that. Not enlarged are "
        "those of roughness and inclusions, and counts of particles are lower bounds: what is a "
        "few steps high is missed, joined or too high; finer slices help"
    )


def oblong_warning(across_um: Sequence[float]) -> str | None:
    """Say what pixels that are longer than wide leave uncertain; None where they are not.

    Parameters
    ----------
    across_um : sequence of float
        Edges of a pixel.
    """
    short, long = min(across_um), max(across_um)
    if long <= WARNED * short * (1 + 1e-6):
        return None
    return (
        f"pixels are {long:g} µm long and {short:g} µm wide, and values between them are "
        "interpolated: volumes and thicknesses are those of the layers, but the uncertainties of "
        "roughness and inclusions are not enlarged, and counts of particles are lower bounds: what "
        "is as wide as a pixel is long is missed, joined or too wide; pixels that are square help"
    )


declare(
    Quantity(
        "slice_excess_um",
        unit="by how much slices are further apart than pixels are wide, µm",
        source="run",
        derive=slice_excess,
    )
)
declare(
    Quantity(
        "edge_ratio",
        unit="longest edge of a voxel over its shortest, as the file has them",
        source="run",
        derive=edge_ratio,
    )
)
