"""Cross-sections of several cells. In: cells, a plane; out: figures in one grey window.

The anode is on top in every picture, whichever way the cell lay in the beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.layers import absent_lithium
from xct.errors import XctError
from xct.figures import SURFACE_COLORS, bar, canvas, reduced
from xct.geometry import CellGeometry
from xct.report.page import Part, known_figures
from xct.study.cells import Cell
from xct.study.settings import SectionPlane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

# Lithium (20,000) and electrolyte (22,100) differ by 9 % of a linear window that holds active
# material (40,000) too; the square root makes it a fifth.
WINDOW, _GAMMA = (19_000.0, 41_000.0), 0.5
NEAR_UM = 10.0  # drifted particles up to here from the plane are marked
_BAND_UM = 10.0  # half the thickness of what damage of a plane is summed over
_ABSENT, _DRIFTED = "yellow", "red"


@dataclass(frozen=True)
class Section:
    """A plane along the axis of a cell.

    Attributes
    ----------
    along : {"x", "y"}
        Direction across the picture.
    index : int
        Of the plane, voxels along the other direction.
    offset_um : float
        From the axis.
    chosen : str
        Why it is this one.
    """

    along: str
    index: int
    offset_um: float
    chosen: str


def section_of(cell: Cell, geometry: CellGeometry, wanted: SectionPlane) -> Section:
    """Find the plane that is shown: the one that is asked for, else the most damaged one.

    Damage of a plane is the area without lithium and the particles that drifted within 10 µm of it,
    each over the most that a plane has; without either it is the plane through the axis.

    Raises
    ------
    XctError
        If the plane that is asked for lies outside of the bore.
    """
    other = 1 if wanted.along == "x" else 2
    axis_um = (geometry.axis_y_um, geometry.axis_x_um)[other - 1]
    edge, count = geometry.voxel_size_um[other], geometry.shape[other]
    if wanted.offset_um is not None:
        index = round((axis_um + wanted.offset_um) / edge)
        if abs(wanted.offset_um) >= geometry.bore_radius_um or not 0 <= index < count:
            raise XctError(
                f"study.section.offset_um: {wanted.offset_um:g} lies outside of the bore of "
                f"{cell.name}, whose radius is {geometry.bore_radius_um:.0f} µm"
            )
        return Section(wanted.along, index, wanted.offset_um, "as asked for")
    damage = _damage(cell, geometry, other)
    if damage.max(initial=0) <= 0:
        return Section(wanted.along, round(axis_um / edge), 0.0, "through the axis")
    index = int(np.argmax(damage))
    return Section(wanted.along, index, index * edge - axis_um, "the most damaged")


def check_plane(cells: Sequence[Cell], wanted: SectionPlane) -> None:
    """Raise XctError if the plane that is asked for lies outside of a cell, before work is done."""
    errors: list[str] = []
    for cell in cells if wanted.offset_um is not None else ():
        try:
            if cell.geometry is not None:
                section_of(cell, cell.geometry, wanted)
        except XctError as error:
            errors += error.errors
    if errors:
        raise XctError(*errors)


def _damage(cell: Cell, geometry: CellGeometry, other: int) -> np.ndarray:
    edge, count = geometry.voxel_size_um[other], geometry.shape[other]
    damage = np.zeros(count)
    surfaces = cell.surfaces
    if {"steel_lithium", "lithium_electrolyte"} <= surfaces.keys():
        gone = absent_lithium(surfaces).sum(axis=2 - other, dtype=float)
        damage += _relative(gone, edge)
    particles = cell.table("particles")
    if particles is not None and "drifted" in particles:
        column = "y_um" if other == 1 else "x_um"
        place = particles.loc[particles["drifted"], column].to_numpy(float) / edge
        drifted = np.bincount(np.clip(np.rint(place).astype(int), 0, count - 1), minlength=count)
        damage += _relative(drifted.astype(float), edge)
    return damage


def _relative(damage: np.ndarray, edge_um: float) -> np.ndarray:
    """Sum what lies within some µm of each plane, as a part of the most that a plane has."""
    half = max(1, round(_BAND_UM / edge_um))
    near = np.convolve(damage, np.ones(2 * half + 1), mode="same")
    return near / near.max() if near.max(initial=0) > 0 else near


def sections_figure(cells: Sequence[Cell], wanted: SectionPlane) -> Figure | None:
    """Draw a plane of every cell, in one grey window, with both surfaces and the damage.

    Raises
    ------
    XctError
        If the plane lies outside of a cell.
    """
    shown = [(cell, cell.geometry) for cell in cells if cell.geometry is not None]
    if not shown:
        return None
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    height = max(_height_over_width(geometry) for _, geometry in shown)
    figure, axes = canvas(rows, columns, (4.4 * columns, 4.0 * height * rows + 0.35 * rows + 0.5))
    image: Any = None
    for axis, (cell, geometry) in zip(axes, shown, strict=False):
        section = section_of(cell, geometry, wanted)
        image = draw_section(axis, cell, geometry, section)
        away = f"{section.offset_um:+.0f} µm".replace("-", "−")
        axis.set_title(f"{cell.name} ({section.chosen}, {away})", fontsize=9)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    _legend(figure, axes[0])
    figure.colorbar(image, ax=axes, label="grey value", shrink=0.6, aspect=30)
    return figure


def _height_over_width(geometry: CellGeometry) -> float:
    height = geometry.shape[0] * geometry.voxel_size_um[0]
    return float(np.clip(height / (2.2 * geometry.bore_radius_um), 0.15, 1.5))


def _legend(figure: Figure, axis: Axes) -> None:
    for color, label in (
        (SURFACE_COLORS["lithium_electrolyte"], "lithium | electrolyte"),
        (SURFACE_COLORS["electrolyte_cathode"], "electrolyte | cathode"),
        (_ABSENT, "no lithium"),
    ):
        axis.plot([], [], color=color, lw=2, label=label)
    axis.plot(
        [], [], "o", mfc="none", mec=_DRIFTED, label=f"drifted, up to {NEAR_UM:g} µm from the plane"
    )
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)


def grey_window() -> PowerNorm:
    """Give the one grey window of all pictures of a study."""
    from matplotlib.colors import PowerNorm

    return PowerNorm(_GAMMA, *WINDOW)


def draw_section(axis: Axes, cell: Cell, geometry: CellGeometry, section: Section) -> Any:
    """Draw a plane of a cell with its surfaces and what is damaged; give the picture."""
    grey = _grey_plane(cell, section)
    _, dy, dx = geometry.voxel_size_um
    edge = dx if section.along == "x" else dy
    across = (geometry.axis_x_um, geometry.axis_y_um)[section.along == "y"]
    bottom = grey.shape[0] * geometry.voxel_size_um[0]
    extent = (-across - edge / 2, grey.shape[1] * edge - across - edge / 2, bottom, 0.0)
    image = axis.imshow(
        reduced(grey), cmap="gray", norm=grey_window(), extent=extent,
        interpolation="none", aspect="equal",
    )  # fmt: skip
    if geometry.sign < 0:
        axis.invert_yaxis()
    _draw_surfaces(axis, cell, geometry, section)
    _mark_drifted(axis, cell, geometry, section)
    axis.set(
        xticks=[], yticks=[], xlim=(-1.08 * geometry.bore_radius_um, 1.08 * geometry.bore_radius_um)
    )
    bar(axis, 2.16 * geometry.bore_radius_um)
    return image


def _grey_plane(cell: Cell, section: Section) -> np.ndarray:
    """Read grey values of a plane, (z, across)."""
    grey = cell.grey_values
    if section.along == "x":
        return np.asarray(grey[:, section.index : section.index + 1, :])[:, 0, :]
    return np.asarray(grey[:, :, section.index : section.index + 1])[:, :, 0]


def _line(section: Section, image: np.ndarray) -> np.ndarray:
    return image[section.index] if section.along == "x" else image[:, section.index]


def _draw_surfaces(axis: Axes, cell: Cell, geometry: CellGeometry, section: Section) -> None:
    surfaces = cell.surfaces
    _, dy, dx = geometry.voxel_size_um
    edge, across = (dx, geometry.axis_x_um) if section.along == "x" else (dy, geometry.axis_y_um)
    for name in ("lithium_electrolyte", "electrolyte_cathode"):
        if name in surfaces:
            height = _line(section, surfaces[name].height_um)
            place = np.arange(len(height)) * edge - across
            axis.plot(place, height, color=SURFACE_COLORS[name], lw=1.0)
    if {"steel_lithium", "lithium_electrolyte"} <= surfaces.keys():
        gone = _line(section, absent_lithium(surfaces))
        steel = _line(section, surfaces["steel_lithium"].height_um)
        place = np.arange(len(steel)) * edge - across
        axis.plot(place, np.where(gone, steel, np.nan), color=_ABSENT, lw=2.5)


def _mark_drifted(axis: Axes, cell: Cell, geometry: CellGeometry, section: Section) -> None:
    particles = cell.table("particles")
    if particles is None or "drifted" not in particles:
        return
    other, along = ("y", "x") if section.along == "x" else ("x", "y")
    plane_um = section.index * geometry.voxel_size_um[1 if other == "y" else 2]
    across = geometry.axis_x_um if along == "x" else geometry.axis_y_um
    near = particles["drifted"] & ((particles[f"{other}_um"] - plane_um).abs() <= NEAR_UM)
    chosen = particles[near]
    axis.plot(
        chosen[f"{along}_um"] - across, chosen["z_um"], "o", mfc="none", mec=_DRIFTED, ms=8, mew=1.2
    )


def sections_part(cells: Sequence[Cell], wanted: SectionPlane) -> Part:
    """Make the section of the report."""
    caption = "Cross-sections with both interfaces; anode on top."
    return Part(
        "sections",
        "Cross-sections",
        "One grey window for all cells; brightness is the square root, so that lithium and "
        "electrolyte are told apart while active material is not white.",
        known_figures({"sections": (sections_figure(cells, wanted), caption)}),
    )
