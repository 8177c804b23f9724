"""The virtual tomo-cell. In: state, shape, seed; out: a cell that gives any slab of itself."""

from __future__ import annotations

import numpy as np

from xct.geometry import Anode
from xct.phantom.cell.bodies import facet_library
from xct.phantom.cell.cathode import draw_particles
from xct.phantom.cell.drawn import Slab, VirtualCell
from xct.phantom.cell.inclusions import draw_inclusions
from xct.phantom.cell.interfaces import draw_interfaces
from xct.phantom.cell.layout import lay_out
from xct.phantom.cell.pores import draw_pores
from xct.phantom.cell.raster import Frame
from xct.phantom.cell.states import state_named
from xct.phantom.cell.substances import NCM_FRACTION, relative_densities, substances_at

__all__ = ["Slab", "VirtualCell", "draw_cell"]


def draw_cell(
    state: str,
    *,
    shape: tuple[int, int, int] = (160, 256, 256),
    voxel_um: float = 2.0,
    bore_um: float | None = None,
    seed: int = 0,
    energy_kev: float = 25.0,
    anode: Anode = "low_z",
    torlon: bool = False,
    ncm_fraction: float = NCM_FRACTION,
    d50_um: float = 9.0,
) -> VirtualCell:
    """Draw a virtual cell.

    Parameters
    ----------
    state : str
        A name of `xct.phantom.cell.states.STATES`.
    shape : tuple of int, optional
        Voxels (z, y, x).
    voxel_um : float, optional
        Edge of a voxel.
    bore_um : float, optional
        Diameter of the bore; unless given 0.86 of the field of view, at most 3000.
    seed : int, optional
        Equal seeds give equal cells; states share what cycling does not change.
    energy_kev : float, optional
        Photon energy.
    anode : {"low_z", "high_z"}, optional
        Side of the anode.
    torlon : bool, optional
        Whether the housing fills what is beyond the tube.
    ncm_fraction : float, optional
        Volume fraction of NCM in the cathode.
    d50_um : float, optional
        Median diameter of the particles.

    Returns
    -------
    VirtualCell
        Gives labels, particles, μ and δ slab by slab, and the truth.

    Raises
    ------
    ValueError
        If the state is unknown, the layers or the bore do not fit into the shape, or the
        particles do not fit into the cathode.
    """
    wanted = state_named(state)
    shape = _checked(shape, voxel_um)
    if not (d50_um > 0 and 0 < ncm_fraction < 1):
        raise ValueError(
            f"d50_um = {d50_um:g}, ncm_fraction = {ncm_fraction:g}; a diameter is positive and a "
            "fraction lies between 0 and 1"
        )
    layout = lay_out(shape, voxel_um, bore_um, torlon, np.random.default_rng((seed, 0)))
    interfaces = draw_interfaces(layout, wanted, seed)
    library = facet_library()
    contents = draw_particles(
        layout, interfaces, wanted, fraction=ncm_fraction, d50_um=d50_um, energy_kev=energy_kev,
        library=library, seed=seed,
    )  # fmt: skip
    inclusions = draw_inclusions(layout, interfaces, wanted, seed)
    frame = Frame(
        interfaces.faces, layout.axis, layout.bore_radius_um, layout.tube_radius_um, torlon,
        np.array([*relative_densities(), layout.heights_um[1], layout.heights_um[2]]),
    )  # fmt: skip
    asked = {
        "bore_um": 2 * layout.bore_radius_um, "torlon": torlon, "ncm_fraction": ncm_fraction,
        "d50_um": d50_um,
    }  # fmt: skip
    return VirtualCell(
        state, seed, shape, voxel_um, energy_kev, anode, layout, interfaces, contents,
        inclusions, frame, library.planes, draw_pores(layout, ncm_fraction),
        substances_at(energy_kev), asked,
    )  # fmt: skip


def _checked(shape: tuple[int, int, int], voxel_um: float) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape) < 2:
        raise ValueError(f"shape = {shape}; expected three numbers of voxels: z, y, x")
    if not voxel_um > 0:
        raise ValueError(f"voxel_um = {voxel_um:g}; it must be positive")
    z, y, x = (int(length) for length in shape)
    return z, y, x
