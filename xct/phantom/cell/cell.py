"""The virtual tomo-cell. In: state, shape, seed; out: a cell that gives any slab of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from xct.geometry import SURFACES, Anode, CellGeometry, Label, Plane, Surface
from xct.phantom.cell.bodies import joined
from xct.phantom.cell.cathode import Particles, draw_particles
from xct.phantom.cell.front import FWHM_UM, Fronts, cathode_fronts
from xct.phantom.cell.inclusions import Inclusions, draw_inclusions
from xct.phantom.cell.interfaces import Interfaces, draw_interfaces, plane_of
from xct.phantom.cell.layout import Layout, lay_out
from xct.phantom.cell.makes import make_named
from xct.phantom.cell.pores import GRAIN_PORES, Pores, draw_pores
from xct.phantom.cell.raster import Frame, raster
from xct.phantom.cell.states import state_named
from xct.phantom.cell.substances import (
    ELECTROLYTE,
    Substances,
    relative_densities,
    substances_at,
)

# The cathode's far face by the fraction of active material; `cathode_collector` is the sheet's.
BACK = "cathode_collector_half_fraction"
_KEPT_VOXELS = 2**26


class Slab(NamedTuple):
    """What fills a slab of voxels, each an array (z, y, x).

    Attributes
    ----------
    labels : ndarray of uint8
        The material with the largest fraction, as `xct.geometry.Label` numbers them.
    particles, inclusions : ndarray of uint32
        Number of the particle, and of the chip or crack; 0 where there is none.
    mu, delta : ndarray of float32
        Attenuation in 1/cm and refractive decrement, averaged over each voxel.
    """

    labels: np.ndarray
    particles: np.ndarray
    inclusions: np.ndarray
    mu: np.ndarray
    delta: np.ndarray


@dataclass
class VirtualCell:
    """A cell whose every voxel is known, made slab by slab.

    Inside, everything is drawn with the anode at small z; a cell with its anode at large z is
    turned when it is asked for slices, heights or positions.

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
    anode : {"low_z", "high_z"}
        Side of the anode.
    layout, interfaces, contents, inclusions, frame, pores
        Of what it is made.
    substances : Substances
        μ and δ.
    """

    state: str
    seed: int
    shape: tuple[int, int, int]
    voxel_um: float
    energy_kev: float
    anode: Anode
    layout: Layout
    interfaces: Interfaces
    contents: Particles
    inclusions: Inclusions
    frame: Frame
    facets: np.ndarray
    pores: tuple[Pores, ...]
    substances: Substances
    drawn_with: dict[str, Any]
    _kept: dict[tuple[int, int], Slab] = field(default_factory=dict, repr=False)

    def labels(self, z0: int, z1: int) -> np.ndarray:
        """Give what fills most of each voxel of slices z0 … z1, uint8 of `xct.geometry.Label`."""
        return self.slab(z0, z1).labels

    def particles(self, z0: int, z1: int) -> np.ndarray:
        """Give the particle in each voxel of slices z0 … z1, uint32, 0 where there is none."""
        return self.slab(z0, z1).particles

    def mu(self, z0: int, z1: int) -> np.ndarray:
        """Give the attenuation of slices z0 … z1 averaged over each voxel, float32, 1/cm."""
        return self.slab(z0, z1).mu

    def delta(self, z0: int, z1: int) -> np.ndarray:
        """Give the refractive decrement of slices z0 … z1 averaged over each voxel, float32."""
        return self.slab(z0, z1).delta

    def slab(self, z0: int, z1: int) -> Slab:
        """Give everything about slices z0 … z1; the last slab that was asked for is kept."""
        z0, z1 = max(0, z0), min(z1, self.shape[0])
        if (z0, z1) not in self._kept:
            self._kept.clear()
            made = self._turned(z0, z1)
            if made.labels.size > _KEPT_VOXELS:
                return made
            self._kept[z0, z1] = made
        return self._kept[z0, z1]

    def electrolyte_per_cm(self, z_um: np.ndarray | float) -> np.ndarray:
        """Give μ of the electrolyte at heights, 1/cm; beyond it its ends'.

        With its pores: they are finer than a voxel or its blur, so that no scan sees what is
        between them.
        """
        first, last, low, high = self.frame.density
        relative = np.interp(self.turned_um(np.asarray(z_um)), [low, high], [first, last])
        return np.asarray((1 - GRAIN_PORES) * relative * self.substances.mu[ELECTROLYTE])

    def turned_um(self, z_um: np.ndarray) -> np.ndarray:
        """Turn heights as they are drawn into heights of the volume, and back."""
        if self.anode == "low_z":
            return z_um
        turned: np.ndarray = (self.shape[0] - 1) * self.voxel_um - z_um
        return turned

    @cached_property
    def geometry(self) -> CellGeometry:
        """Axis, bore, and the mean planes of the faces as they are drawn."""
        sign = 1 if self.anode == "low_z" else -1
        faces, inside = self.interfaces.faces, self.interfaces.inside
        axis_y, axis_x = self.layout.middle_axis
        planes = {}
        for name, k in zip(SURFACES, (0, 2, 3, 4), strict=True):
            there = inside & (self.interfaces.lithium_um > 0) if k == 2 else inside
            height, slope_y, slope_x = plane_of(
                faces[k], there, (axis_y / self.voxel_um, axis_x / self.voxel_um)
            )
            turned = float(self.turned_um(np.asarray(height)))
            planes[name] = Plane(
                turned, sign * slope_y / self.voxel_um, sign * slope_x / self.voxel_um
            )
        return CellGeometry(
            self.shape, (self.voxel_um,) * 3, axis_y, axis_x, self.layout.bore_radius_um,
            sign * float(self.layout.axis[2]), sign * float(self.layout.axis[3]), 0.0,
            None if self.frame.torlon else self.layout.tube_radius_um, self.anode, planes,
        )  # fmt: skip

    @cached_property
    def fronts(self) -> Fronts:
        """The cathode's faces by definition, as drawn (anode at small z)."""
        attached = self.contents.bodies[np.flatnonzero(~self.contents.facts["released"])]
        whole = replace(attached, mu=np.ones(len(attached), np.float32))
        nothing = np.zeros(len(self.substances.mu))

        def fraction(z0: int, z1: int) -> np.ndarray:
            some = whole.between((z0 - 1) * self.voxel_um, z1 * self.voxel_um)
            no_pores = np.empty((0, 5), np.float32)
            return raster(
                self.frame, some, no_pores, self.facets, nothing, nothing, (z0, z1), self.voxel_um
            )[2]

        faces = self.interfaces.faces
        return cathode_fronts(
            fraction, faces[3], faces[4], self.interfaces.inside, self.shape[0], self.voxel_um
        )

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """The four surfaces by their definitions, with standard deviation 0."""
        faces, lithium = self.interfaces.faces, self.interfaces.lithium_um > 0
        definition = (
            f"fraction of active material averaged over {FWHM_UM:g} µm, at half its plateau"
        )
        heights = {
            SURFACES[0]: (faces[0], "face of the steel"),
            SURFACES[1]: (
                np.where(lithium, faces[2], np.nan),
                "face of the lithium to the electrolyte; NaN: no lithium",
            ),
            SURFACES[2]: (self.fronts.front_um, definition),
            SURFACES[3]: (faces[4], "face of the sheet"),
            BACK: (self.fronts.back_um, definition),
        }
        return {name: self._surface(*facts) for name, facts in heights.items()}

    def _surface(self, height_um: np.ndarray, definition: str) -> Surface:
        inside = self.interfaces.inside
        height = np.where(inside, self.turned_um(height_um), np.nan).astype(np.float32)
        missing = ~inside if definition.startswith("face") else np.isnan(height)
        return Surface(height, np.where(missing, np.nan, 0).astype(np.float32), definition)

    def _turned(self, z0: int, z1: int) -> Slab:
        if self.anode == "low_z":
            return self._made(z0, z1)
        made = self._made(self.shape[0] - z1, self.shape[0] - z0)
        return Slab(*(np.ascontiguousarray(part[::-1]) for part in made))

    def _made(self, z0: int, z1: int) -> Slab:
        low, high = (z0 - 1) * self.voxel_um, z1 * self.voxel_um
        pores = [some.between(low, high, self.layout, self.seed) for some in self.pores]
        bodies = joined(
            self.inclusions.bodies.between(low, high),
            self.contents.gaps.between(low, high),
            self.contents.bodies.between(low, high),
        )
        labels, numbers, mu, refraction = raster(
            self.frame, bodies, np.concatenate(pores), self.facets, self.substances.mu,
            self.substances.delta, (z0, z1), self.voxel_um,
        )  # fmt: skip
        # In place: slabs of a full cell are large.
        active = labels == Label.ACTIVE_MATERIAL
        inclusions = np.where(active, np.uint32(0), numbers)
        numbers *= active
        return Slab(labels, numbers, inclusions, mu, refraction)


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
    ncm_fraction: float | None = None,
    d50_um: float = 9.0,
    make: str = "pressed",
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
        Equal seeds give equal cells; what cycling does not change is the same in all states.
    energy_kev : float, optional
        Photon energy.
    anode : {"low_z", "high_z"}, optional
        Side of the anode.
    torlon : bool, optional
        Whether the housing fills what is beyond the tube.
    ncm_fraction : float, optional
        Volume fraction of NCM in the cathode; that of the make unless given.
    d50_um : float, optional
        Median diameter of the particles.
    make : {"pressed", "scattered"}, optional
        Packing, shapes and sizes of the particles, pores of the electrolyte, how its faces are
        bent: a name of `xct.phantom.cell.makes.MAKES`.

    Returns
    -------
    VirtualCell
        Gives labels, particles, μ and δ slab by slab, and the truth.

    Raises
    ------
    ValueError
        If the state or the make is unknown, the layers or the bore do not fit into the shape, or
        the particles do not fit into the cathode.
    """
    wanted, made = state_named(state), make_named(make)
    shape = _checked(shape, voxel_um)
    if ncm_fraction is None:
        ncm_fraction = made.ncm_fraction
    if not (d50_um > 0 and 0 < ncm_fraction < 1):
        raise ValueError(
            f"d50_um = {d50_um:g}, ncm_fraction = {ncm_fraction:g}; a diameter is positive and a "
            "fraction lies between 0 and 1"
        )
    layout = lay_out(shape, voxel_um, bore_um, torlon, np.random.default_rng((seed, 0)))
    interfaces = draw_interfaces(layout, wanted, seed, made.bend(seed))
    contents = draw_particles(
        layout, interfaces, wanted, fraction=ncm_fraction, d50_um=d50_um, energy_kev=energy_kev,
        make=made, seed=seed,
    )  # fmt: skip
    drifted = contents.bodies.center[contents.facts["released"]]
    inclusions = draw_inclusions(layout, interfaces, wanted, seed, drifted)
    frame = Frame(
        interfaces.faces, layout.axis, layout.bore_radius_um, layout.tube_radius_um, torlon,
        np.array([*relative_densities(), layout.heights_um[1], layout.heights_um[2]]),
    )  # fmt: skip
    asked = {
        "bore_um": 2 * layout.bore_radius_um, "torlon": torlon, "ncm_fraction": ncm_fraction,
        "d50_um": d50_um, "make": make,
    }  # fmt: skip
    return VirtualCell(
        state, seed, shape, voxel_um, energy_kev, anode, layout, interfaces, contents,
        inclusions, frame, made.library().planes,
        draw_pores(layout, ncm_fraction, fractal=made.fractal_pores),
        substances_at(energy_kev), asked,
    )  # fmt: skip


def _checked(shape: tuple[int, int, int], voxel_um: float) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape) < 2:
        raise ValueError(f"shape = {shape}; expected three numbers of voxels: z, y, x")
    if not voxel_um > 0:
        raise ValueError(f"voxel_um = {voxel_um:g}; it must be positive")
    z, y, x = (int(length) for length in shape)
    return z, y, x
