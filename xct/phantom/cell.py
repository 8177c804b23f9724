"""The virtual tomo-cell. In: state, shape, seed; out: a cell that gives any slab of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from xct.geometry import SURFACES, Anode, CellGeometry, Plane, Surface
from xct.phantom.bodies import Bodies, facet_library, joined
from xct.phantom.contents import Particles, draw_inclusions, draw_particles
from xct.phantom.interfaces import Interfaces, draw_interfaces
from xct.phantom.layout import Layout, lay_out
from xct.phantom.materials import delta, mu_per_cm
from xct.phantom.pores import Pores
from xct.phantom.raster import ELECTROLYTE, MATRIX, Frame, raster
from xct.phantom.states import State, state_named

# What each substance of the raster is made of, in its order; the composite's electrolyte holds
# carbon: volume shares of LPSCl and C in a composite without NCM.
_SUBSTANCES = (
    "air", "lithium", "lpscl", "", "steel", "aluminium", "polyimide", "air", "torlon", "lithium",
)  # fmt: skip
_LPSCL_IN_MATRIX = 0.497 / (0.497 + 0.049)
# The electrolyte was pressed from the cathode's side: denser there. g/cm³.
_DENSITY = (1.64, 1.86)
_GRAIN_PORES, _GRAIN_PORE_UM, _GRAIN_UM = 0.01, (1.0, 3.0), 14.0
_POROSITY = 0.12  # of the composite
_MATRIX_PORE_UM = (2.0, 5.0)
_FRACTION = 0.40  # of NCM in the composite
_KEPT_VOXELS = 2**26


@dataclass
class VirtualCell:
    """A cell whose every voxel is known, made slab by slab.

    Attributes
    ----------
    state : str
        Name of its state.
    seed : int
        Equal seeds give equal cells.
    shape : tuple of int
        Voxels (z, y, x).
    voxel_um : float
        Edge of a voxel.
    energy_kev : float
        Photon energy, of μ and δ.
    geometry : CellGeometry
        Axis, bore and mean planes.
    """

    state: str
    seed: int
    shape: tuple[int, int, int]
    voxel_um: float
    energy_kev: float
    geometry: CellGeometry
    layout: Layout
    interfaces: Interfaces
    contents: Particles
    inclusions: Bodies
    inclusion_facts: dict[str, np.ndarray]
    frame: Frame
    facets: np.ndarray
    mu_table: np.ndarray
    delta_table: np.ndarray
    pores: tuple[Pores, ...]
    facts: dict[str, Any]
    _kept: dict[tuple[int, int], tuple[np.ndarray, ...]] = field(default_factory=dict)

    def labels(self, z0: int, z1: int) -> np.ndarray:
        """Give what fills most of each voxel of slices z0 … z1, uint8 of `xct.labels.Label`."""
        return self.slab(z0, z1)[0]

    def particles(self, z0: int, z1: int) -> np.ndarray:
        """Give the particle in each voxel of slices z0 … z1, uint32, 0 where there is none."""
        return self.slab(z0, z1)[1]

    def mu(self, z0: int, z1: int) -> np.ndarray:
        """Give the attenuation of slices z0 … z1 averaged over each voxel, float32, 1/cm."""
        return self.slab(z0, z1)[2]

    def delta(self, z0: int, z1: int) -> np.ndarray:
        """Give the refractive decrement of slices z0 … z1 averaged over each voxel, float32."""
        return self.slab(z0, z1)[3]

    def slab(self, z0: int, z1: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Give labels, particles, μ and δ of slices z0 … z1 at once."""
        z0, z1 = max(0, z0), min(z1, self.shape[0])
        if (z0, z1) not in self._kept:
            made = self._made(z0, z1)
            self._kept.clear()
            if made[0].size > _KEPT_VOXELS:
                return made
            self._kept[z0, z1] = made
        labels, particles, mu, refraction = self._kept[z0, z1]
        return labels, particles, mu, refraction

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """The four surfaces by their definitions, standard deviation 0."""
        faces, inside = self.interfaces.faces, self.interfaces.inside
        heights = [faces[0], faces[2], faces[3], faces[4]]
        zero = np.where(inside, 0, np.nan).astype(np.float32)
        found = {}
        for name, height in zip(SURFACES, heights, strict=True):
            there = inside & (self.interfaces.lithium_um > 0) if "lithium_e" in name else inside
            found[name] = Surface(
                np.where(there, height, np.nan).astype(np.float32), zero, "true face"
            )
        return found

    def _made(self, z0: int, z1: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        low, high = (z0 - 1) * self.voxel_um, z1 * self.voxel_um
        pores = [some.between(low, high, self.layout, self.seed) for some in self.pores]
        bodies = joined(
            self.inclusions.between(low, high),
            self.contents.gaps.between(low, high),
            self.contents.bodies.between(low, high),
        )
        return raster(
            self.frame, bodies, np.concatenate(pores), self.facets, self.mu_table,
            self.delta_table, (z0, z1), self.voxel_um,
        )  # fmt: skip


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
    ncm_fraction: float = _FRACTION,
    d50_um: float = 9.0,
) -> VirtualCell:
    """Draw a virtual cell.

    Parameters
    ----------
    state : str
        A name of `xct.phantom.states.STATES`.
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
    layout = lay_out(shape, voxel_um, bore_um, torlon, np.random.default_rng((seed, 0)))
    interfaces = draw_interfaces(layout, wanted, seed)
    library = facet_library()
    contents = draw_particles(
        layout, interfaces, wanted, fraction=ncm_fraction, d50_um=d50_um, energy_kev=energy_kev,
        library=library, seed=seed,
    )  # fmt: skip
    inclusions, facts = draw_inclusions(layout, interfaces, wanted, seed)
    dense = float(mu_per_cm("lpscl", energy_kev) / mu_per_cm("lpscl", energy_kev, density=1.0))
    relative = [value / dense for value in _DENSITY]
    density = np.array([*relative, layout.heights_um[1], layout.heights_um[2]])
    frame = Frame(
        interfaces.faces, layout.axis, layout.bore_radius_um, layout.tube_radius_um, torlon,
        density,
    )  # fmt: skip
    return VirtualCell(
        state, seed, shape, voxel_um, energy_kev, _geometry(layout, torlon, anode), layout,
        interfaces, contents, inclusions, facts, frame, library[0],
        _table(mu_per_cm, energy_kev), _table(delta, energy_kev),
        _pores(layout), _facts(layout, wanted),
    )  # fmt: skip


def _table(property_of: Any, energy_kev: float) -> np.ndarray:
    values = [float(property_of(name, energy_kev)) if name else 0.0 for name in _SUBSTANCES]
    carbon = float(property_of("carbon", energy_kev))
    values[3] = _LPSCL_IN_MATRIX * values[2] + (1 - _LPSCL_IN_MATRIX) * carbon
    return np.array(values)


def _geometry(layout: Layout, torlon: bool, anode: Anode) -> CellGeometry:
    axis_y, axis_x = layout.middle_axis
    planes = {
        name: Plane(layout.heights_um[k], *(float(s) for s in layout.slopes[k]))
        for k, name in enumerate(SURFACES)
    }
    return CellGeometry(
        layout.shape, (layout.voxel_um,) * 3, axis_y, axis_x, layout.bore_radius_um,
        float(layout.axis[2]), float(layout.axis[3]), 0.0, layout.tube_radius_um, anode, planes,
    )  # fmt: skip


def _pores(layout: Layout) -> tuple[Pores, Pores]:
    # Room for rough and tilted faces: a pore opens only in its own layer.
    room = 0.1 * layout.bore_radius_um + 20
    front = layout.heights_um[2]
    grains = Pores(
        layout.heights_um[0] - room, front + room, _GRAIN_PORES, _GRAIN_PORE_UM, ELECTROLYTE,
        _GRAIN_UM,
    )  # fmt: skip
    # Of the matrix alone, and pores may overlap.
    fraction = -float(np.log(1 - _POROSITY / (1 - _FRACTION)))
    inner = Pores(
        front - room, layout.heights_um[3] + room, fraction, _MATRIX_PORE_UM, MATRIX, None
    )
    return grains, inner


def _facts(layout: Layout, state: State) -> dict[str, Any]:
    return {**vars(state), "bore_um": 2 * layout.bore_radius_um}
