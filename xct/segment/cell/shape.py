"""Where the cell lies. In: a volume on any linear scale; out: bore, axis, planes of layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from xct.errors import DataError
from xct.geometry import Anode, CellGeometry, Plane
from xct.normalize.artifacts import Artifacts
from xct.normalize.calibration import GREY
from xct.normalize.cathode_electrolyte import is_composite
from xct.normalize.grain_shape import GrainShape
from xct.parallel.blocks import Voxels
from xct.quantity import Json, Number, Quantity
from xct.segment.cell.bore import Bore, GroupMean, fit_bore, group_means
from xct.segment.cell.bore_estimate import BoreEstimate, all_in_view, estimate_bore
from xct.segment.cell.coarse import Coarse, Frame, make_coarse
from xct.segment.cell.contrast import clipping_of, refuse_clipped, refuse_inverted
from xct.segment.cell.cross_sections import cross_sections_figure
from xct.segment.cell.layer_order import LayerOrder, edge_rows, order_along_axis
from xct.segment.cell.planes import fit_plane, heights_between
from xct.segment.cell.tube import find_can, find_wall, ring_sums
from xct.stages import stage

# Between which layers each surface lies, from the anode on; the first pair that is there counts.
_BETWEEN = {
    "steel_lithium": (("anode_steel", "lithium"), ("anode_steel", "electrolyte")),
    "lithium_electrolyte": (("lithium", "electrolyte"),),
    "electrolyte_cathode": (("electrolyte", "cathode"),),
    "cathode_collector": (("cathode", "collector"), ("cathode", "cathode_steel")),
}
_SURE = 1.5
_BINNED = "voxels are coarse: if the volume was binned, and voxel_size_um not changed, it is more"


def cell_numbers(
    cell: CellGeometry,
    uncorrected_fringes: str | None = None,
    grain_shape: GrainShape | None = None,
    implausible_blur: str | None = None,
    volume_artifacts: Artifacts | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the numbers of a cell's geometry; with fringes only the side of the anode.

    A wall that is no sharp edge, as that of a mask, is none of the bore; and slices that were
    warped have lengths of their own across.
    """
    edges_known = uncorrected_fringes is None
    # Without a standard deviation the wall is out of view.
    warped = volume_artifacts is not None and volume_artifacts.warped
    wall_known = edges_known and implausible_blur is None and not warped
    if wall_known and math.isfinite(cell.bore_radius_sd_um):
        binned = grain_shape is not None and grain_shape.coarse
        yield (
            "bore_radius_um",
            Number(
                cell.bore_radius_um, "µm",
                math.hypot(cell.bore_radius_sd_um, cell.lens_at_wall * cell.bore_radius_um),
                bound="lower" if binned else None, note=_BINNED if binned else None,
            ),
        )  # fmt: skip
    if cell.planes or cell.only == "cathode":  # without layers there is none
        yield "anode", Number(cell.anode)
    for name, plane in cell.planes.items() if edges_known else ():
        steepest = math.degrees(math.atan(math.hypot(plane.slope_y, plane.slope_x)))
        yield f"tilt_deg.{name}", Number(steepest, "°")


@stage(
    gives=Quantity(
        "cell",
        unit="geometry of the cell, µm",
        store=Json(CellGeometry),
        numbers=cell_numbers,
        figures={"cross_sections": cross_sections_figure},
    ),
    measures=True,
)
def find_cell(
    volume: Voxels,
    volume_unit: str | None = None,
    *,
    voxel_size_um: Sequence[float],
    anode: Anode | None,
) -> CellGeometry:
    """Find the bore, its axis, the side of the anode, and the mean planes of the four surfaces.

    A volume of xct's own keeps means of its columns; another is read once for them. Then up to
    twelve groups of eight slices are read at full resolution, for the bore's edge and for the
    tube's. Only ratios of grey values are used: 1/cm or any linear scale serve. Warnings say what
    is missing or uncertain: a bore that is not in view (its radius is then that of the field of
    view, with NaN as its standard deviation), a side of the anode that is a guess or contradicts
    `anode`, a surface that is not there.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        The cell, its axis along z.
    volume_unit : str, optional
        "grey" where values may begin anywhere, not at air.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    anode : {"low_z", "high_z"} or None
        Side of the anode, where it is known.

    Returns
    -------
    CellGeometry

    Raises
    ------
    DataError
        If the volume is empty, the same everywhere, or holds nothing that is brighter than what
        lies around it; if its contrast is inverted, or particles or lithium are cut off by a
        window; or if the bore is not round, as with a wrong voxel size across.
    """
    edges = _checked(voxel_size_um)
    coarse = make_coarse(volume, edges)
    if coarse.missing:
        warnings.warn(
            f"{coarse.missing:.2%} of the volume's voxels hold no finite value; they are left out",
            stacklevel=2,
        )
    grey = volume_unit == GREY
    estimate = estimate_bore(coarse, None if grey else 0.0)
    order = _order(volume, coarse, estimate, grey=grey)
    groups = group_means(volume, edge_rows(order)) if estimate.in_view else []
    bore = _bore(groups, coarse.frame, estimate)
    tube, radius_sd = None, float("nan")
    if bore is None:
        estimate = all_in_view(coarse.frame)
        order = order_along_axis(coarse, estimate, grey=grey)
        _say_no_bore(estimate)
    else:
        radius, radius_sd, tube = _wall(groups, coarse.frame, bore)
        estimate = BoreEstimate(bore.y_um, bore.x_um, radius, True, estimate.outside)
    side = _side(order, anode)
    geometry = CellGeometry(
        shape=coarse.frame.shape,
        voxel_size_um=edges,
        axis_y_um=estimate.y_um,
        axis_x_um=estimate.x_um,
        axis_slope_y=bore.slope_y if bore else 0.0,
        axis_slope_x=bore.slope_x if bore else 0.0,
        bore_radius_um=estimate.radius_um,
        bore_radius_sd_um=radius_sd,
        tube_radius_um=tube,
        anode=side,
        lens_at_wall=bore.lens if bore else 0.0,
        planes=_planes(coarse, estimate, order),
    )
    if _is_guess(order) and not is_composite(volume, geometry):
        geometry = replace(geometry, planes={})
        warnings.warn(
            "this is no layered cell: nothing in view is electrolyte, and what is as bright as a "
            "cathode is no active material in electrolyte; no surface and no side of an anode is "
            "given",
            stacklevel=2,
        )
    _say_missing(geometry)
    _say_lens(geometry)
    if set(order.layers) == {"electrolyte"}:
        geometry = replace(geometry, only="electrolyte")
    if set(order.layers) == {"cathode"} and is_composite(volume, geometry):
        geometry = replace(geometry, only="cathode")
        warnings.warn(
            "no layer but a cathode is in view: its grey values are those of active material in "
            "electrolyte, and all that lies in the bore is taken to be cathode",
            stacklevel=2,
        )
    return geometry


def _is_guess(order: LayerOrder) -> bool:
    """Whether a surface rests on a cathode alone, which any grainy body may be taken for."""
    return set(order.layers) == {"cathode", "collector"}


def _order(volume: Voxels, coarse: Coarse, estimate: BoreEstimate, *, grey: bool) -> LayerOrder:
    """Find the layers; refuse what grey values cannot carry."""
    order = order_along_axis(coarse, estimate, grey=grey)
    refuse_inverted(coarse, estimate, order)
    refuse_clipped(clipping_of(volume, coarse, estimate), grey=grey)
    return order


def _checked(voxel_size_um: Sequence[float]) -> tuple[float, float, float]:
    edges = tuple(float(edge) for edge in np.atleast_1d(np.asarray(voxel_size_um, float)))
    edges = edges * 3 if len(edges) == 1 else edges
    if len(edges) != 3 or not all(np.isfinite(edge) and edge > 0 for edge in edges):
        raise DataError(
            f"voxel_size_um is {voxel_size_um!r}; expected three positive numbers, along z, y and x"
        )
    return edges[0], edges[1], edges[2]


def _bore(groups: Sequence[GroupMean], frame: Frame, estimate: BoreEstimate) -> Bore | None:
    try:
        return fit_bore(groups, frame, estimate) if groups else None
    except ValueError:
        return None


def _wall(
    groups: Sequence[GroupMean], frame: Frame, bore: Bore
) -> tuple[float, float, float | None]:
    """Give the bore's radius, its standard deviation, and the tube's radius, or those of a can."""
    sums = ring_sums(groups, frame, bore)
    can = find_can(sums, bore)
    if can is not None:
        return *can, bore.radius_um
    wall = find_wall(sums, bore, max(frame.voxel_size_um[1:]))
    if wall is not None:
        return wall.inner_um, wall.inner_sd_um, wall.outer_um
    return bore.radius_um, bore.radius_sd_um, None


def _say_no_bore(estimate: BoreEstimate) -> None:
    warnings.warn(
        "the wall of the bore is not in view: all that is in the field of view, "
        f"{2 * estimate.radius_um:.4g} µm wide, is taken to lie inside",
        stacklevel=3,
    )


def _side(order: LayerOrder, given: Anode | None) -> Anode:
    found: Anode = "low_z" if order.anode_low else "high_z"
    seen = ", ".join(order.layers).replace("_", " ")
    if order.margin < _SURE:
        if given is None:
            warnings.warn(
                f"the layers in view ({seen}) do not show on which side the anode lies; {found} is "
                "a guess: give cell.anode",
                stacklevel=3,
            )
        return given or found
    if given is not None and given != found:
        warnings.warn(
            f"cell.anode is {given}, but the layers in view ({seen}) say {found}, which is taken",
            stacklevel=3,
        )
    return found


def _planes(coarse: Coarse, estimate: BoreEstimate, order: LayerOrder) -> dict[str, Plane]:
    y, x = coarse.positions_um()
    wanted = coarse.in_field()
    wanted &= np.hypot(y - estimate.y_um, x - estimate.x_um) < estimate.radius_um - 2 * max(
        coarse.frame.edge_um
    )
    planes = {}
    for surface, pairs in _BETWEEN.items():
        pair = next((p for p in pairs if p[0] in order.layers and p[1] in order.layers), None)
        if pair is None:
            continue
        heights = _heights(coarse, wanted, order, pair)
        try:
            planes[surface] = fit_plane(heights, y - estimate.y_um, x - estimate.x_um, wanted)
        except ValueError:
            continue
    return planes


def _heights(
    coarse: Coarse, wanted: np.ndarray, order: LayerOrder, pair: tuple[str, str]
) -> np.ndarray:
    low, high = pair if order.anode_low else pair[::-1]
    levels = [_level(coarse, wanted, order.layers[name]) for name in (low, high)]
    first, middle, stop = order.layers[low][0], order.layers[high][0], order.layers[high][1]
    first += (middle - first) // 3 if first > 0 else 0
    stop -= (stop - middle) // 3 if stop < len(coarse.values) else 0
    values = np.nan_to_num(coarse.values[first:stop], nan=0.5 * sum(levels))
    return heights_between(
        values,
        first,
        (coarse.frame.voxel_size_um[0], *coarse.frame.edge_um),
        before=levels[0],
        after=levels[1],
        particles="cathode" in pair,
    )


def _level(coarse: Coarse, wanted: np.ndarray, rows: tuple[int, int]) -> float:
    """Mean grey value of the middle half of a layer, slices that disagree left out."""
    first, stop = rows
    quarter = (stop - first) // 4
    values = coarse.values[first + quarter : max(stop - quarter, first + quarter + 1), wanted]
    held = values[np.isfinite(values).any(axis=1)]
    return float(np.median(np.nanmean(held, axis=1))) if held.size else float("nan")


def _say_lens(geometry: CellGeometry) -> None:
    lens = geometry.lens_at_wall
    if not lens:
        return
    way = "more" if lens > 0 else "less"
    warnings.warn(
        "lens: the bore's radius changes with the square of the height over the middle slice, as "
        f"a lens makes it that distorts frames: at the wall they are magnified {abs(lens):.1%} "
        f"{way} than in their middle (or the wall itself is bent). Lengths are known to that, "
        "which counts into their uncertainties; reconstruct from straight frames "
        "(steps.align.distortion_factors, from a calibration)",
        stacklevel=3,
    )


def _say_missing(geometry: CellGeometry) -> None:
    missing = [name for name in _BETWEEN if name not in geometry.planes]
    if missing:
        warnings.warn(
            f"not in view: the surfaces {', '.join(missing)}; what needs them is left out",
            stacklevel=3,
        )
