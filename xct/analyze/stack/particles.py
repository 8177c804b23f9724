"""Particles of any stack, one by one. In: phases; out: a number for every voxel, a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.analyze.stack.roles import AsMaterials, note_of
from xct.figures import canvas
from xct.geometry import Label
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.quantity import Labels, Number, Quantity, Table
from xct.segment.crofton import crofton_weights
from xct.segment.particle import sums as of
from xct.segment.particle.separation import HEIGHT_STEP, Part, Separation, separate
from xct.segment.particle.watershed import merge
from xct.stages import stage
from xct.statistics.bootstrap import median_sd

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_LEAST_VOXELS = 4
_LARGEST_PX = 100.0  # diameter up to which the distance from the surface counts, unless given
_NOWHERE = -1e9  # of a steel that is not there


def numbers(stack_particles: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give how many particles there are, and their median diameter."""
    yield "particles", Number(len(stack_particles), "particles", note=note_of(stack_particles))
    whole = stack_particles["equivalent_diameter_um"][~stack_particles["touches_border"]]
    if len(whole):
        sd = median_sd(whole.to_numpy()) if len(whole) > 1 else None
        yield "median_diameter_um", Number(float(whole.median()), "µm", sd, len(whole))


def figure(stack_particles: pd.DataFrame) -> Figure | None:
    """Draw how particles are distributed over size."""
    if not len(stack_particles):
        return None
    drawn, [axis] = canvas(1, 1, (6, 4))
    cut = stack_particles["touches_border"].astype(bool)
    diameter = stack_particles["equivalent_diameter_um"]
    bins = np.linspace(0, float(diameter.max()) * 1.01, 31)
    axis.hist([diameter[~cut], diameter[cut]], list(bins), stacked=True,
              label=["whole", "cut by the border"])  # fmt: skip
    axis.set(xlabel="equivalent diameter (µm)", ylabel="particles")
    axis.legend()
    return drawn


@stage(
    gives=(
        Quantity(
            "stack_particle_labels",
            ("z", "y", "x"),
            "number of the particle",
            store=Labels("particles", "uint32"),
        ),
        Quantity(
            "stack_particles",
            unit="table of particles",
            store=Table("particles"),
            numbers=numbers,
            figures={"particle_sizes": figure},
        ),
    ),
    measures=True,
)
def stack_particles(
    phase_labels: Voxels,
    roles: pd.DataFrame,
    volume: Voxels,
    voxel_size_um: Any,
    frame_interval_s: float | None = None,
    into: Any = None,
    *,
    rise_px: Annotated[float, Ge(0), Le(5)] = 0.5,
    largest_um: Annotated[float, Gt(0)] | None = None,
) -> tuple[Any, pd.DataFrame]:
    """Separate the particles that touch, and measure each.

    A watershed on the distance from the particles' surface; basins that rise less than `rise_px`
    above their saddle are one. Numbers and table do not depend on where the stack was cut.

    Parameters
    ----------
    phase_labels : Voxels, shape (z, y, x)
        What `phases` gave.
    roles : DataFrame
        Which phase is what.
    volume : Voxels, shape (z, y, x)
        Grey values, not smoothed.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    frame_interval_s : float, optional
        The slices are images taken one after the other: each is separated by itself.
    into : array of uint32, shape (z, y, x), optional
        What to fill with the particles' numbers; a new array unless given.
    rise_px : float, optional
        Least rise from saddle to peak, in voxels of distance, that separates two particles.
    largest_um : float, optional
        Diameter up to which the distance from the surface counts; a hundred pixels unless given.

    Returns
    -------
    numbers : array of uint32, shape (z, y, x)
        Column `particle` of the table, 0 where there is none.
    table : DataFrame
        A row for each particle: ``particle, z_um, y_um, x_um``, ``volume_um3`` (``area_um2`` in an
        image), ``equivalent_diameter_um``, ``elongation`` (longest over shortest axis),
        ``mean_grey``, ``touches_border``; of a stack ``surface_um2``, ``sphericity`` and
        ``contact_matrix``, ``contact_particles``, ``contact_voids`` (fractions of the surface); in
        a series after ``frame`` and ``time_s``.
    """
    return particles_in_slabs(
        phase_labels, roles, volume, voxel_size_um, frame_interval_s, into,
        rise_px=rise_px, largest_um=largest_um,
    )  # fmt: skip


def particles_in_slabs(
    phase_labels: Voxels,
    roles: pd.DataFrame,
    volume: Voxels,
    voxel_size_um: Any,
    frame_interval_s: float | None = None,
    into: Any = None,
    *,
    rise_px: float = 0.5,
    largest_um: float | None = None,
    rows: int | None = None,
) -> tuple[Any, pd.DataFrame]:
    """Work as `stack_particles` does, in slabs of a height that changes nothing."""
    import pandas as pd

    shape = phase_labels.shape
    found = np.zeros(shape, np.uint32) if into is None else into
    size = np.asarray(voxel_size_um, float)
    largest = largest_um or _LARGEST_PX * float(size[1:].max())
    series = frame_interval_s is not None or shape[0] == 1
    spans = [(z, z + 1) for z in range(shape[0])] if series else [(0, shape[0])]
    tables, before = [], 0
    for first, stop in spans:
        span = _Span(AsMaterials(phase_labels, roles), volume, found, size, first, stop)
        table = span.measured(largest, rise_px, before, rows)
        before += len(table)
        if frame_interval_s is not None:
            table.insert(0, "frame", first)
            table.insert(1, "time_s", first * frame_interval_s)
        tables.append(table)
    filled = [table for table in tables if len(table)]
    return found, pd.concat(filled, ignore_index=True) if filled else tables[0]


class _Mask:
    """What takes the place of grey values where only the shape counts: 1 in particles."""

    def __init__(self, span: _Span) -> None:
        self._span = span
        self.shape = span.shape
        # `Separation` asks for the edges of a voxel alone.
        self.cell = SimpleNamespace(voxel_size_um=tuple(span.size.tolist()), shape=span.shape)

    def read(self, first: int, stop: int) -> np.ndarray:
        """Give slices."""
        found = self._span[first:stop] == Label.ACTIVE_MATERIAL
        return np.asarray(found, np.float32)


class _Numbers:
    """Slices of a span in the array that is filled."""

    def __init__(self, span: _Span) -> None:
        self._span = span

    def __getitem__(self, index: slice) -> np.ndarray:
        return np.asarray(self._span.into[self._shifted(index)])

    def __setitem__(self, index: slice, values: np.ndarray) -> None:
        self._span.into[self._shifted(index)] = values

    def _shifted(self, index: slice) -> slice:
        return slice(self._span.first + index.start, self._span.first + index.stop)


@dataclass(frozen=True)
class _Span:
    """Slices whose particles are separated together: an image of a series, or a whole stack."""

    materials: AsMaterials
    volume: Voxels
    into: Any
    size: np.ndarray
    first: int
    stop: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.stop - self.first, *self.materials.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.materials.dtype

    def __getitem__(self, index: slice) -> np.ndarray:
        part = slice(self.first + index.start, self.first + index.stop)
        return self.materials[part]

    def measured(
        self, largest_um: float, rise_px: float, before: int, rows: int | None
    ) -> pd.DataFrame:
        """Separate and measure; numbers begin after `before`."""
        mask: Any = _Mask(self)  # in place of grey values
        job = Separation(mask, self, largest_um, 1.0, rows or slabs(self.shape)[0].stop)
        provisional = _Numbers(self)
        pieces = separate(job, provisional)
        merged = merge(pieces.graph, rise_px / HEIGHT_STEP)
        voxels = np.bincount(merged[pieces.graph.number], pieces.voxels)
        kept = voxels >= _LEAST_VOXELS
        kept[0] = False
        final = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)[merged[pieces.graph.number]]
        count = int(final.max(initial=0))
        for part in pieces.parts:
            map_blocks(_number_slab, _within(part, rows), provisional, part, final)
        sums, crossings = of.new_sums(count)
        for own in map_blocks(_sum_slab, slabs(self.shape, 2, rows), self, provisional, count):
            sums += own[0]
            crossings += own[1]
        map_blocks(_shift_slab, slabs(self.shape, 0, rows), provisional, before)
        return _table(sums, crossings, self, before)


def _within(part: Part, rows: int | None) -> list[Block]:
    height = rows or 16
    return [
        Block(z, min(z + height, part.stop), z, min(z + height, part.stop))
        for z in range(part.first, part.stop, height)
    ]


def _number_slab(block: Block, numbers: _Numbers, part: Part, final: np.ndarray) -> None:
    own = final[part.offset : part.offset + part.count + 1].copy()
    own[0] = 0
    numbers[block.outer] = own[numbers[block.outer]]


def _shift_slab(block: Block, numbers: _Numbers, before: int) -> None:
    if before:
        found = numbers[block.outer]
        numbers[block.outer] = np.where(found > 0, found + np.uint32(before), 0)


def _sum_slab(
    block: Block, span: _Span, numbers: _Numbers, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add up a slab: places, grey values, and what lies beyond the surfaces."""
    sums, crossings = of.new_sums(count)
    found, labels = numbers[block.outer], span[block.outer]
    outer = slice(span.first + block.outer_first, span.first + block.outer_stop)
    grey = np.ascontiguousarray(span.volume[outer], np.float32)
    low, high = block.inner.start, block.inner.stop
    # The grey value is summed as a float by itself: its scale is not known.
    whole, first = (3, 1) if span.shape[0] == 1 else (span.shape[0], block.first)
    of.add_voxels(
        found, np.zeros_like(grey), np.zeros_like(grey), 2.0, first, low, high, whole, 1,
        np.full(grey.shape[1:], _NOWHERE), sums,
    )  # fmt: skip
    of.add_crossings(found, labels, low, high, sums, crossings)
    return sums, crossings


def _table(sums: np.ndarray, crossings: np.ndarray, span: _Span, before: int) -> pd.DataFrame:
    import pandas as pd

    own = sums[1:]
    flat = span.shape[0] == 1
    count = own[:, of.COUNT].astype(float)
    axes = (of.Z, of.Y, of.X)
    z, y, x = (own[:, k] / count * s for k, s in zip(axes, span.size, strict=True))
    content = count * span.size[1 if flat else 0 :].prod()
    diameter = 2 * np.sqrt(content / np.pi) if flat else np.cbrt(6 * content / np.pi)
    columns = {
        "particle": before + np.arange(1, len(own) + 1),
        "z_um": np.full(len(own), span.first * span.size[0]) if flat else z,
        "y_um": y,
        "x_um": x,
        "area_um2" if flat else "volume_um3": content,
        "equivalent_diameter_um": diameter,
        "elongation": _elongation(own, span.size, flat=flat),
        "mean_grey": _mean_grey(span, len(own), before),
        "touches_border": own[:, of.BORDER] > 0,
    }
    return pd.DataFrame(columns if flat else columns | _surfaces(crossings, span.size, content))


def _mean_grey(span: _Span, count: int, before: int) -> np.ndarray:
    """Give the mean grey value of each particle, slice by slice so that no cut matters."""
    total, voxels = np.zeros(count + 1), np.zeros(count + 1)
    for z in range(span.first, span.stop):
        found = np.asarray(span.into[z : z + 1]).astype(np.int64).ravel()
        found = np.maximum(found - before, 0)
        grey = np.asarray(span.volume[z : z + 1], np.float64).ravel()
        total += np.bincount(found, np.where(found > 0, grey, 0), count + 1)
        voxels += np.bincount(found, minlength=count + 1)
    return np.asarray(total[1:] / np.maximum(voxels[1:], 1))


def _surfaces(crossings: np.ndarray, size: np.ndarray, volume: np.ndarray) -> dict[str, Any]:
    area = np.einsum("pdk,d->pk", crossings[1:].astype(float), crofton_weights(size))
    total = area.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        roundness = np.cbrt(36 * np.pi * volume**2) / total
        return {
            "surface_um2": total,
            "sphericity": np.minimum(roundness, 1),
            "contact_matrix": area[:, of.ELECTROLYTE] / total,
            "contact_particles": area[:, of.PARTICLE] / total,
            "contact_voids": area[:, of.DARK] / total,
        }


def _elongation(sums: np.ndarray, size: np.ndarray, *, flat: bool) -> np.ndarray:
    """Longest over shortest axis of the ellipsoid, or ellipse, with the same second moments."""
    count = sums[:, of.COUNT].astype(float)
    first = (of.Y, of.X) if flat else (of.Z, of.Y, of.X)
    second = {
        (of.Z, of.Z): of.ZZ, (of.Y, of.Y): of.YY, (of.X, of.X): of.XX,
        (of.Z, of.Y): of.ZY, (of.Z, of.X): of.ZX, (of.Y, of.X): of.YX,
    }  # fmt: skip
    edges = size[-len(first) :]
    moments = np.zeros((len(sums), len(first), len(first)))
    for i, a in enumerate(first):
        for j, b in enumerate(first[i:], i):
            moment = sums[:, second[a, b]] / count - sums[:, a] * sums[:, b] / count**2
            moments[:, i, j] = moments[:, j, i] = moment * edges[i] * edges[j]
    moments += np.diag(edges**2 / 12)
    axes = np.linalg.eigvalsh(moments)
    return np.asarray(np.sqrt(axes[:, -1] / axes[:, 0]))
