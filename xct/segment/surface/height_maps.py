"""Surfaces of the cell as height maps, below the voxel. In: a volume; out: Surface by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.errors import DataError
from xct.geometry import CellGeometry, Surface
from xct.parallel.blocks import Voxels
from xct.quantity import HeightMaps, Quantity
from xct.segment.surface.anode import anode_surfaces
from xct.segment.surface.cathode import cathode_surfaces
from xct.segment.surface.missing import without_missing
from xct.segment.surface.search import Electrolyte, Search
from xct.stages import stage

# By which faces along the beam come out wrong where fringes were retrieved (docs/phase.md).
_RETRIEVED_VOXELS = {"steel_lithium": 0.85, "lithium_electrolyte": 0.35}


@stage(gives=Quantity("surfaces", unit="height maps, µm", store=HeightMaps()), measures=True)
def surfaces(
    volume: Voxels,
    cell: CellGeometry,
    reference: Electrolyte,
    steps: Mapping[str, Any] | None = None,
    *,
    average_px: Annotated[float, Ge(0), Le(5)] = 1.0,
    follow_px: Annotated[float, Gt(0), Le(5)] = 1.2,
    search_um: Annotated[float, Gt(0)] = 70.0,
    least_thickness_um: Annotated[float, Gt(0)] | None = None,
    chip_um: Annotated[float, Ge(0)] = 8.0,
    front_fwhm_um: Annotated[float, Gt(0)] = 13.0,
) -> dict[str, Surface]:
    """Find the surfaces between the layers of a cell, column by column.

    - ``steel_lithium`` and ``lithium_electrolyte`` are fitted together, as steel | lithium of
      thickness t ≥ 0 | electrolyte, in columns averaged over their neighbors. Steel's edge has
      the form that light takes which is blurred before its logarithm is. Then columns are averaged
      along the face of the lithium, and it is fitted once more. Where lithium is absent, its face
      is NaN but has a standard deviation.
    - ``electrolyte_cathode`` is where the fraction of active material, averaged over about a
      particle, rises to half of its plateau, the median over the middle half of the cathode.
      Detached particles are left out.
    - ``cathode_collector``: aluminium attenuates as the electrolyte does, so its face is where
      the outermost particles end; where too few do, the half fraction again: see `definition`.

    A void in place of lithium attenuates as little, and counts as lithium: the area without lithium
    is at least what is given here. Only bands about the planes of `cell` are read, strip by strip.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        μ in 1/cm.
    cell : CellGeometry
        Bore, and planes of the surfaces, which may be offset by several voxels.
    reference : Reference
        μ of the electrolyte by height and radius.
    steps : mapping, optional
        Settings of the steps that led to the volume, by name: after `phase_retrieval` faces along
        the beam are less certain.
    average_px : float, optional
        Standard deviation of the average across the columns, voxels.
    follow_px : float, optional
        Standard deviation of the average along the face of the lithium, voxels.
    search_um : float, optional
        Farthest that a face lies from its plane.
    least_thickness_um : float, optional
        Thinner lithium counts as absent. Unless given, three standard deviations of a thickness,
        at least 1.6 voxels.
    chip_um : float, optional
        Lithium narrower than twice this that sticks out of the face is a chip in the electrolyte,
        which hides the face: such columns count as not measured. 0: it is part of the layer.
    front_fwhm_um : float, optional
        Full width at half maximum of the average that defines the faces of the cathode.

    Returns
    -------
    dict of str to Surface
        Heights and their standard deviations, µm; NaN outside of the bore. A surface that is not
        there, or not in view, is left out, and a warning says so.

    Raises
    ------
    DataError
        If the cell was found in a volume of another shape.
    """
    if tuple(volume.shape) != tuple(cell.shape):
        raise DataError(
            f"the volume has shape {tuple(volume.shape)}, but the cell was found in one of shape "
            f"{tuple(cell.shape)} (z, y, x); run find_cell on this volume"
        )
    search = Search(volume, cell, reference, search_um)
    anode = anode_surfaces(
        search,
        average_px=average_px,
        follow_px=follow_px,
        least_thickness_um=least_thickness_um,
        chip_um=chip_um,
    )
    found = anode | cathode_surfaces(search, front_fwhm_um=front_fwhm_um)
    known = without_missing(found, volume, cell, reach_um=front_fwhm_um)
    return _refracted(known, cell) if "phase_retrieval" in (steps or {}) else known


def _refracted(found: Mapping[str, Surface], cell: CellGeometry) -> dict[str, Surface]:
    """Enlarge what is uncertain of faces from which light was thrown aside before it was seen."""
    voxel = cell.voxel_size_um[0]
    return {
        name: replace(one, sd_um=np.hypot(one.sd_um, _RETRIEVED_VOXELS.get(name, 0.0) * voxel))
        for name, one in found.items()
    }
