"""A block of a result in three dimensions. In: labels; out: currents, tortuosity, a map."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError
from xct.figures import canvas
from xct.io.journal import with_checksum
from xct.quantity import Number
from xct.result import Result, open_result
from xct.simulate.block.voxels import effective_conductivity, faces_between, flow
from xct.simulate.geometry.dead import dead_particles
from xct.simulate.geometry.domain import ELECTRODES, Material
from xct.simulate.geometry.labels import materials_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xct.simulate.settings import BlockSection, CaseSection, SimulateSection

_SLICES = 32  # read at a time
_STEPS_PX = 1.5  # standard deviation of the Gaussian that evens out steps of voxels


@dataclass(frozen=True)
class Block:
    """Materials of a block, the anode first.

    Attributes
    ----------
    material : ndarray of uint8, shape (z, y, x)
        `Material` of each voxel.
    particle : ndarray of int, shape (z, y, x)
        Number of the particle; 0 for none.
    voxel_um : tuple of float
        Edges of a voxel.
    first_um : tuple of float
        y and x of the middle of the first voxel in the result.
    composite : int
        First plane of the composite cathode.
    """

    material: np.ndarray
    particle: np.ndarray
    voxel_um: tuple[float, float, float]
    first_um: tuple[float, float]
    composite: int

    def coarser(self, factor: int) -> Block:
        """Join voxels: of the material that fills most of them."""
        if factor == 1:
            return self
        shape = tuple(length // factor for length in self.material.shape)
        cut = tuple(slice(0, length * factor) for length in shape)
        blocks = [part for length in shape for part in (length, factor)]
        material = self.material[cut].reshape(blocks)
        counts = [(material == each).sum(axis=(1, 3, 5), dtype=np.int32) for each in Material]
        middle = tuple(slice(factor // 2, length * factor, factor) for length in shape)
        z, y, x = (factor * edge for edge in self.voxel_um)
        shift = (factor - 1) / 2
        first = (
            self.first_um[0] + shift * self.voxel_um[1],
            self.first_um[1] + shift * self.voxel_um[2],
        )
        most = np.argmax(counts, axis=0).astype(np.uint8)
        return Block(most, self.particle[middle], (z, y, x), first, self.composite // factor)


def read_block(wanted: BlockSection) -> Block:
    """Read a block of a result, from its lithium to the end of its cathode.

    Raises
    ------
    XctError
        If it leaves the bore, or surfaces are missing.
    """
    result = open_result(wanted.result)
    cell = result.cell
    dz, dy, dx = cell.voxel_size_um
    reach = np.hypot(*wanted.center_um)
    widest = np.sqrt(2.0) * (cell.bore_radius_um - reach - 2 * max(dy, dx))
    width = widest if wanted.width_um is None else wanted.width_um
    if width > widest * 1.02 or width < 8 * max(dy, dx):
        raise XctError(
            f"block.width_um: {width:.0f} µm about {list(wanted.center_um)}; between "
            f"{8 * max(dy, dx):.0f} and {max(widest, 0):.0f} µm fit into the bore there"
        )
    spans = []
    for middle, edge, count in (
        (cell.axis_y_um + wanted.center_um[0], dy, cell.shape[1]),
        (cell.axis_x_um + wanted.center_um[1], dx, cell.shape[2]),
    ):
        first = max(0, round((middle - width / 2) / edge))
        spans.append(slice(first, min(count, first + round(width / edge))))
    rows = _rows(result, spans)
    longest = max(part.stop - part.start for part in (rows, *spans))
    factor = -(-longest // wanted.voxels)
    front = result.surfaces.get("electrolyte_cathode")
    height = np.nan if front is None else float(np.nanmedian(front.height_um[tuple(spans)])) / dz
    composite = height - rows.start if cell.sign > 0 else rows.stop - 1 - height
    return _read_coarser(result, rows, spans, factor, composite)


def _read_coarser(
    result: Result, rows: slice, spans: list[slice], factor: int, composite: float
) -> Block:
    """Read a block some slices at a time, each coarsened at once; the anode's end first."""
    cell = result.cell
    _, dy, dx = cell.voxel_size_um
    first = spans[0].start * dy, spans[1].start * dx
    parts = []
    count = (rows.stop - rows.start) // factor * factor
    step = max(1, _SLICES // factor) * factor
    for start in range(0, count, step):
        stop = min(start + step, count)
        low, high = rows.start + start, rows.start + stop
        if cell.sign < 0:
            low, high = rows.stop - stop, rows.stop - start
        index = (slice(low, high), *spans)
        labels, particle = (np.asarray(result.labels(n)[index]) for n in ("materials", "particles"))
        if cell.sign < 0:
            labels, particle = labels[::-1], particle[::-1]
        part = Block(materials_of(labels), particle, cell.voxel_size_um, first, 0)
        parts.append(part.coarser(factor))
    material = np.concatenate([part.material for part in parts])
    particle = np.concatenate([part.particle for part in parts])
    begins = int(np.ceil(composite / factor)) if np.isfinite(composite) else len(material)
    return Block(material, particle, parts[0].voxel_um, parts[0].first_um, begins)


def _rows(result: Result, spans: list[slice]) -> slice:
    """Choose the slices from the lithium to the collector."""
    cell, surfaces = result.cell, result.surfaces
    edge = cell.voxel_size_um[0]
    heights = [
        surfaces[name].height_um[tuple(spans)] if name in surfaces else np.full(1, np.nan)
        for name in ("steel_lithium", "cathode_collector")
    ]
    if not all(np.isfinite(height).any() for height in heights):
        raise XctError(
            f"{result.path}: the faces of steel and collector are not both known here: a block "
            "reaches from one to the other; take a slice with depth_um"
        )
    start = np.nanpercentile(cell.sign * heights[0], 1) / edge - 1
    end = np.nanpercentile(cell.sign * heights[1], 2) / edge - 2
    low, high = sorted((cell.sign * start, cell.sign * end))
    return slice(max(0, int(np.floor(low))), min(cell.shape[0], int(np.ceil(high))))


@dataclass(frozen=True)
class BlockFound:
    """What was found in a block.

    Attributes
    ----------
    name, title : str
        Name of the case, and title of the simulation.
    numbers : mapping of str to Number
        As of a plane; the uncertainty is what voxels twice as large differ by.
    warnings : list of str
        What must be known.
    block : Block
        Materials.
    potential_v : ndarray, shape (z, y, x)
        φ of the electrolyte; NaN elsewhere.
    focusing : ndarray, shape (y, x)
        Current density at the lithium over its mean, smoothed by 1.5 voxels.
    """

    name: str
    title: str
    numbers: dict[str, Number]
    warnings: list[str]
    block: Block
    potential_v: np.ndarray
    focusing: np.ndarray

    def write(self, folder: Path) -> None:
        """Write ``fields.zarr``: material, potential_v (z, y, x) and focusing (y, x)."""
        import zarr
        from zarr.codecs import ZstdCodec

        path, fresh = folder / "fields.zarr", folder / ".fields.zarr.partial"
        shutil.rmtree(fresh, ignore_errors=True)
        group: Any = zarr.open_group(fresh, mode="w", zarr_format=3)
        arrays = {"material": self.block.material, "potential_v": self.potential_v.astype("f4"),
                  "focusing": self.focusing.astype("f4")}  # fmt: skip
        for name, values in arrays.items():
            axes = ("z", "y", "x")[-values.ndim :]
            array = group.create_array(
                name, data=np.ascontiguousarray(values), dimension_names=axes,
                compressors=with_checksum(ZstdCodec()),
            )  # fmt: skip
            array.attrs["voxel_size_um"] = list(self.block.voxel_um[-values.ndim :])
            array.attrs["first_um"] = list(self.block.first_um)
            array.attrs["unit"] = "V" if name == "potential_v" else "1"
        shutil.rmtree(path, ignore_errors=True)
        os.replace(fresh, path)

    def figure(self) -> Figure:
        """Draw the map of the focusing factor, and the potential of the middle plane."""
        figure, axes = canvas(1, 2, (9.2, 4.0))
        z, y, x = self.block.voxel_um
        depth, height, width = self.potential_v.shape
        image = axes[0].imshow(
            self.focusing, cmap="magma", vmin=0, vmax=float(np.nanpercentile(self.focusing, 99.5)),
            extent=(0, width * x, height * y, 0), interpolation="none",
        )  # fmt: skip
        axes[0].set(xlabel="x (µm)", ylabel="y (µm)")
        axes[0].set_title("current density at the lithium over its mean", fontsize=9)
        figure.colorbar(image, ax=axes[0], shrink=0.8)
        plane = 1e3 * self.potential_v[:, height // 2]
        image = axes[1].imshow(
            np.ma.masked_invalid(plane), cmap="viridis", extent=(0, width * x, depth * z, 0),
            interpolation="none",
        )  # fmt: skip
        axes[1].set(xlabel="x (µm)", ylabel="from the anode (µm)")
        axes[1].set_title("potential in the middle plane (mV)", fontsize=9)
        figure.colorbar(image, ax=axes[1], shrink=0.8)
        figure.suptitle(f"{self.title}: {self.name}", fontsize=11)
        return figure


def solve_block(case: CaseSection, wanted: SimulateSection) -> BlockFound:
    """Solve for the current through a block, and for what its composite conducts."""
    if wanted.block is None:
        raise ValueError("there is no block")
    block = read_block(wanted.block)
    inactive: frozenset[int] = frozenset()
    notes: list[str] = []
    if case.dead is not None:
        inactive, notes = dead_particles(open_result(wanted.block.result), case.dead)
    fine, coarse = (_solved(each, inactive, wanted) for each in (block, block.coarser(2)))
    numbers = {
        name: replace(number, sd=abs(number.value - coarse.numbers[name].value))
        if isinstance(number.value, float) and name in coarse.numbers
        else number
        for name, number in fine.numbers.items()
    }
    return replace(fine, name=case.name, numbers=numbers, warnings=[*notes, *fine.warnings])


def _solved(block: Block, inactive: frozenset[int], wanted: SimulateSection) -> BlockFound:
    from scipy.ndimage import gaussian_filter

    electrolyte = block.material == Material.ELECTROLYTE
    lithium = np.isin(block.material, ELECTRODES)
    particles = block.material == Material.PARTICLE
    touching = faces_between(particles, lithium, block.voxel_um).one
    shorted = frozenset(np.unique(block.particle.ravel()[touching]).tolist()) - inactive - {0}
    dead = sorted(inactive | shorted)
    active = particles & ~np.isin(block.particle, dead)
    for present, what in ((lithium, "lithium"), (active, "active particle")):
        if not present.any():
            raise XctError(f"there is no {what} in this block; choose another")
    kappa = np.full(electrolyte.shape, wanted.electrolyte.conductivity_s_m)
    if wanted.electrolyte.composite_s_m is not None:
        kappa[block.composite :] = wanted.electrolyte.composite_s_m
    found = flow(electrolyte, lithium, active, kappa, block.voxel_um)
    area = np.prod(electrolyte.shape[1:]) * block.voxel_um[1] * block.voxel_um[2] * 1e-12
    voltage = wanted.current_density_a_m2 * area / found.from_source_a
    columns = int(np.prod(electrolyte.shape[1:]))
    current = np.bincount(found.sink.one % columns, found.into_sink_a, minlength=columns)
    focusing = (current / (found.into_sink_a.sum() / columns)).reshape(electrolyte.shape[1:])
    # Steps of voxels draw current to their edges: a mean of neighbors keeps the sum.
    focusing = gaussian_filter(focusing, _STEPS_PX, mode="reflect")
    numbers = {
        "potential_drop_mv": Number(1e3 * voltage, "mV"),
        "focusing_variation": Number(float(focusing.std() / focusing.mean())),
        "focusing_max": Number(float(focusing.max())),
        "island_fraction": Number(found.left_out),
        "islands": Number(found.islands),
        "voxels": Number(int(electrolyte.size)),
        "inactive_particles": Number(len(set(dead) & set(np.unique(block.particle).tolist()))),
    }
    warnings = []
    if shorted:
        warnings.append(f"{len(shorted)} active particles touch lithium: taken for inactive")
    numbers |= _composite(electrolyte, block, wanted, warnings)
    return BlockFound(
        "", wanted.title, numbers, warnings, block, voltage * found.potential_v, focusing
    )


def _composite(
    electrolyte: np.ndarray, block: Block, wanted: SimulateSection, warnings: list[str]
) -> dict[str, Number]:
    part = electrolyte[block.composite :]
    if part.shape[0] < 4:
        return {}
    own = wanted.electrolyte.composite_s_m or wanted.electrolyte.conductivity_s_m
    try:
        found = effective_conductivity(part, block.voxel_um, 1.0)
    except XctError:
        warnings.append("no electrolyte leads through the composite: it has no tortuosity here")
        return {}
    return {
        "composite_conductivity_s_m": Number(own * found.ratio, "S/m"),
        "composite_electrolyte_fraction": Number(found.fraction),
        "composite_tortuosity": Number(found.tortuosity),
    }
