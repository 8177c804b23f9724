"""Simulated current beside lost lithium, as maps of a block. In: a block, a cell; out: both maps.

They are compared as the maps of both layers are (`xct.study.codependence`), within the circle that
fits into the block, about its middle: what depends on the distance from there is taken out, and p
is the part of all turns and mirrors of one map that agree as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze import thickness_maps
from xct.errors import XctError
from xct.figures import canvas
from xct.simulate.names import slug
from xct.study.cells import Cell
from xct.study.codependence.correlation import Codependence, codependence
from xct.study.codependence.maps import lithium_lost
from xct.study.codependence.measured import draw_scales
from xct.study.codependence.smoothing import Samples
from xct.study.simulated.finding import Folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME = "simulated current"
_EXACT = 1e-6  # variance of a simulated focusing factor: that of its labels is not known


@dataclass(frozen=True)
class SimulatedMap:
    """One case of a simulated block of a cell.

    Attributes
    ----------
    cell, case : str
        Their names.
    focusing : ndarray, shape (y, x)
        Current at the lithium over its mean.
    lost_um : ndarray, shape (y, x)
        Lithium that is missing against the block's mean; NaN where it was not measured.
    edge_um : tuple of float
        Edges of a voxel of the block along y and x.
    middle_um : tuple of float
        Middle of the block along y and x, from the bore's axis.
    flat : bool
        Whether the current was solved for with a flat face of the lithium; else there is no p.
    found : Codependence or None
        How both correlate; None where that cannot be said.
    reason : str
        Why not.
    """

    cell: str
    case: str
    focusing: np.ndarray
    lost_um: np.ndarray
    edge_um: tuple[float, float]
    middle_um: tuple[float, float]
    flat: bool
    found: Codependence | None
    reason: str = ""

    @property
    def p_value(self) -> float:
        """Part of all turns and mirrors that correlate as much; NaN on a face as measured."""
        return self.found.p_value if self.found is not None and self.flat else float("nan")

    @property
    def radius_um(self) -> float:
        """Radius of the circle within which both are compared."""
        edges = zip(self.focusing.shape, self.edge_um, strict=True)
        return float(min(n * edge for n, edge in edges)) / 2


def read_maps(cell: Cell, folder: Folder) -> list[SimulatedMap]:
    """Read every case of a simulated block, beside the lithium that the cell has lost there.

    Raises
    ------
    XctError
        If fields are missing or damaged, the block lies elsewhere, or no lithium was measured.
    """
    return [_one_case(cell, folder, name, slug(name)) for name in folder.cases]


def _one_case(cell: Cell, folder: Folder, name: str, short: str) -> SimulatedMap:
    focusing, edge, first = _field(folder, short)
    geometry, layer = cell.geometry, thickness_maps(cell.surfaces).get("lithium")
    if geometry is None or layer is None:
        raise XctError(f"{folder.path}: no lithium was measured in {cell.name} to compare it with")
    places = [f + np.arange(n) * e for f, n, e in zip(first, focusing.shape, edge, strict=True)]
    index = [
        np.rint(place / voxel).astype(int)
        for place, voxel in zip(places, geometry.voxel_size_um[1:], strict=True)
    ]
    if any(i[0] < 0 or i[-1] >= n for i, n in zip(index, geometry.shape[1:], strict=True)):
        raise XctError(f"the simulation of {cell.name} lies outside of it: it is of another cell")
    thickness = np.abs(layer.height_um[np.ix_(*index)].astype(float))
    known = thickness[np.isfinite(thickness)]
    axis = geometry.axis_y_um, geometry.axis_x_um
    middle = tuple(float(place.mean() - a) for place, a in zip(places, axis, strict=True))
    made = SimulatedMap(
        cell.name, name, focusing, (known.mean() if known.size else np.nan) - thickness,
        (edge[0], edge[1]), (middle[0], middle[1]), folder.flat, None,
    )  # fmt: skip
    try:
        return replace(made, found=_compared(cell, made))
    except ValueError as error:
        return replace(made, reason=str(error).replace("bore", "block"))


def _field(folder: Folder, short: str) -> tuple[np.ndarray, list[float], list[float]]:
    """Read the map of a case, the edges of its voxels, and where its first one lies, (y, x)."""
    import zarr

    path = folder.path / "cases" / short / "fields.zarr"
    try:
        group: Any = zarr.open_group(path, mode="r")
        array = group["focusing"]
        edge, first = ([float(v) for v in array.attrs[n]] for n in ("voxel_size_um", "first_um"))
        values = np.asarray(array[:], float)
        if values.ndim != 2 or len(edge) != 2 or len(first) != 2:
            raise ValueError(f"{values.ndim} axes")
    except (OSError, ValueError, TypeError, KeyError):
        raise XctError(f"{path}: is missing or damaged; run `xct simulate` again") from None
    return values, edge, first


def _compared(cell: Cell, made: SimulatedMap) -> Codependence:
    """Correlate both maps about the middle of the block.

    Raises
    ------
    ValueError
        If the block is too narrow, or one map is the same everywhere.
    """
    offsets = [
        (np.arange(n) - (n - 1) / 2) * edge
        for n, edge in zip(made.focusing.shape, made.edge_um, strict=True)
    ]
    y, x = (each.ravel() for each in np.meshgrid(*offsets, indexing="ij"))
    value = made.focusing.ravel()
    current = Samples(y, x, value, np.full(len(value), _EXACT), _NAME)
    lost = _lost(cell, made)
    if lost is None or not (np.ptp(value) > 0 and np.ptp(lost.value) > 0):
        raise ValueError("one of both is the same everywhere")
    before = None if cell.pristine is None else _lost(cell.pristine, made)
    earlier = {} if before is None else {before.name: before}
    return codependence([current], lost, made.radius_um, before=earlier)


def _lost(cell: Cell, made: SimulatedMap) -> Samples | None:
    """Give the lithium that is missing in the cell, about the middle of the block."""
    if cell.geometry is None:
        return None
    found = lithium_lost(cell.surfaces, cell.geometry)
    if found is None:
        return None
    y, x = made.middle_um
    return replace(found, y_um=found.y_um - y, x_um=found.x_um - x)


def maps_figure(maps: list[SimulatedMap]) -> Figure | None:
    """Draw both maps of every case, and how they correlate by scale."""
    if not maps:
        return None
    figure, axes = canvas(len(maps), 3, (11.5, 3.4 * len(maps)))
    grid = np.array(axes, object).reshape(len(maps), 3)
    for line, one in zip(grid, maps, strict=True):
        most = max(float(np.nanpercentile(one.focusing, 99.5)), 1e-9)
        title = "current at the lithium\nover its mean"
        _draw_map(figure, line[0], one, one.focusing, ("magma", 0.0, most), title)
        reach = float(np.nanmax(np.abs(one.lost_um), initial=0.0)) or 1.0
        lost = ("PuOr_r", -reach, reach)
        _draw_map(figure, line[1], one, one.lost_um, lost, "lithium lost against the\nmean (µm)")
        line[0].set_ylabel(f"{one.cell}, {one.case}\ny from the axis (µm)", fontsize=8)
        if one.found is None:
            line[2].set_axis_off()
            line[2].text(0.5, 0.5, one.reason, ha="center", wrap=True, fontsize=8,
                         transform=line[2].transAxes)  # fmt: skip
            continue
        draw_scales(line[2], one.found)
        if (legend := line[2].get_legend()) is not None:
            legend.remove()  # there is one pair of maps
        line[2].set_title(_said(one), fontsize=8)
    return figure


def _said(one: SimulatedMap) -> str:
    if one.found is None or not one.flat:
        return "by the face's shape alone: no p\n(block: lithium: flat tells more)"
    return f"p = {one.p_value:.2g}: {one.found.verdict.replace('_', ' ')}"


def _draw_map(
    figure: Figure, axis: Axes, one: SimulatedMap, values: np.ndarray,
    look: tuple[str, float, float], title: str,
) -> None:  # fmt: skip
    """Draw a map as it lies in the bore, with the circle within which it is compared."""
    from matplotlib.patches import Circle

    (y, x), (dy, dx) = one.middle_um, one.edge_um
    half = values.shape[0] * dy / 2, values.shape[1] * dx / 2
    image = axis.imshow(
        np.ma.masked_invalid(values), cmap=look[0], vmin=look[1], vmax=look[2],
        interpolation="none", extent=(x - half[1], x + half[1], y + half[0], y - half[0]),
    )  # fmt: skip
    axis.set_facecolor("0.8")
    axis.add_patch(Circle((x, y), one.radius_um, fill=False, color="0.5", lw=0.8, ls="--"))
    axis.set_xlabel("x from the axis (µm)", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.set_title(title, fontsize=8)
    figure.colorbar(image, ax=axis, shrink=0.85)
