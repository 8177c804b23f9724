"""Pictures of a simulation, as in Fig. 4c–f of the study. In: cases; out: figures of one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import canvas
from xct.simulate.geometry.domain import Material
from xct.simulate.output.files import fields_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xct.simulate.simulation import Case

# Field, factor, title, map of colours, and the part of its values that the scale covers.
_FIELDS = (
    ("potential_v", 1e3, "potential (mV)", "viridis", 100.0),
    ("current_a_m2", 1.0, "Li⁺ current density (A/m²)", "magma", 99.5),
    ("von_mises_mpa", 1.0, "von Mises stress (MPa)", "inferno", 99.5),
)
COLORS = {  # of what has no field
    Material.LITHIUM: "#c9cdd2",
    Material.PARTICLE: "#5b6f86",
    Material.VOID: "#ffffff",
    Material.STEEL: "#8a8f96",
    Material.ELECTROLYTE: "#e8e0d0",
}
_INACTIVE = "#b7744f"
_ARROWS = 18  # across a picture


def fields_figure(cases: Sequence[Case], title: str) -> Figure | None:
    """Draw potential, flux and stress of every case, each field on one scale."""
    if not cases:
        return None
    drawn = []
    for case in cases:
        below = case.solved.raster
        drawn.append((case, below, fields_of(case.solved, below)))
    shown = [each for each in _FIELDS if all(each[0] in fields for _, _, fields in drawn)]
    width, height = cases[0].solved.domain.width_um, cases[0].solved.domain.height_um
    size = 4.6 * len(shown) + 0.4, (4.0 * height / width + 0.45) * len(cases) + 1.2
    figure, axes = canvas(len(cases), len(shown), size)
    grid = np.array(axes, object).reshape(len(cases), len(shown))
    for column, (name, factor, label, colors, part) in enumerate(shown):
        values = [factor * fields[name][0] for _, _, fields in drawn]
        most = max(float(np.nanpercentile(each, part)) for each in values)
        for row, (case, below, fields) in enumerate(drawn):
            axis = grid[row, column]
            image = _draw(axis, case, fields, values[row], below.pixel_um, (colors, most))
            if name == "current_a_m2":
                _arrows(axis, fields, below.pixel_um)
            if column == 0:
                axis.set_ylabel(case.name, fontsize=9)
        extend = "neither" if part == 100 else "max"
        bar = figure.colorbar(
            image, ax=list(grid[:, column]), location="bottom", shrink=0.8, extend=extend, aspect=35
        )
        bar.set_label(label, fontsize=9)
    figure.suptitle(title, fontsize=11)
    _legend(figure, drawn)
    return figure


def _draw(
    axis: Axes, case: Case, fields: dict[str, Any], values: np.ndarray, pixel_um: float,
    scale: tuple[str, float],
) -> Any:  # fmt: skip
    from matplotlib.colors import to_rgb

    material, particle = fields["material"][0], fields["particle"][0]
    ground = ground_of(material)
    dead = (material == Material.PARTICLE) & np.isin(particle, sorted(case.solved.inactive))
    ground[dead] = to_rgb(_INACTIVE)
    extent = (0.0, material.shape[1] * pixel_um, 0.0, material.shape[0] * pixel_um)
    options: dict[str, Any] = {"extent": extent, "origin": "lower", "interpolation": "none"}
    axis.imshow(ground, **options)
    masked = np.ma.masked_invalid(values)
    image = axis.imshow(masked, cmap=scale[0], vmin=0, vmax=scale[1], **options)
    axis.set(xticks=[], yticks=[], aspect="equal")
    _bar(axis, extent)
    return image


def ground_of(material: np.ndarray) -> np.ndarray:
    """Give the colour of each pixel by its material, shape (…, 3): what fields are drawn over."""
    from matplotlib.colors import to_rgb

    ground = np.ones((*material.shape, 3))
    for code, color in COLORS.items():
        ground[material == code] = to_rgb(color)
    return ground


def _bar(axis: Axes, extent: tuple[float, float, float, float]) -> None:
    """Draw a scale bar in the upper left corner, on the lithium."""
    width, height = extent[1], extent[3]
    decade = 10 ** np.floor(np.log10(width / 5))
    length = float(decade * max(step for step in (1, 2, 5) if step * decade <= width / 5))
    x, y = 0.03 * width, 0.93 * height
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axis.plot([x, x + length], [y, y], color="black", lw=2.5, solid_capstyle="butt")
    axis.text(x + length / 2, y - 0.03 * height, f"{length:g} µm", ha="center", va="top",
              fontsize=7, bbox=box)  # fmt: skip


def _arrows(axis: Axes, fields: dict[str, Any], pixel_um: float) -> None:
    """Draw where Li⁺ goes; arrows are as long everywhere, the colours tell how much."""
    x, y = fields["current_x_a_m2"][0], fields["current_y_a_m2"][0]
    step = max(1, x.shape[1] // _ARROWS)
    rows = np.arange(step // 2, x.shape[0], step)
    columns = np.arange(step // 2, x.shape[1], step)
    u, v = (part[np.ix_(rows, columns)] for part in (x, y))
    size = np.hypot(u, v)
    typical = np.nanmedian(size)
    shown = np.isfinite(size) & (size > 0.05 * typical)
    size = np.where(shown, size, 1.0)
    xs, ys = np.meshgrid((columns + 0.5) * pixel_um, (rows + 0.5) * pixel_um)
    axis.quiver(
        xs[shown], ys[shown], (u / size)[shown], (v / size)[shown], color="white", pivot="middle",
        angles="xy", scale_units="xy", scale=1.6 / (step * pixel_um), width=0.004,
    )  # fmt: skip


def _legend(figure: Figure, drawn: Sequence[tuple[Case, Any, Any]]) -> None:
    from matplotlib.patches import Patch

    some_inactive = any(
        case.solved.inactive & case.solved.domain.centers_um.keys() for case, _, _ in drawn
    )
    shown = [("lithium", COLORS[Material.LITHIUM]), ("active", COLORS[Material.PARTICLE])]
    shown += [("inactive", _INACTIVE)] if some_inactive else []
    present = set().union(*(np.unique(fields["material"][0]).tolist() for _, _, fields in drawn))
    if Material.STEEL in present:
        shown.append(("steel", COLORS[Material.STEEL]))
    if Material.VOID in present:
        shown.append(("void", COLORS[Material.VOID]))
    if any(_left_out(fields).any() for _, _, fields in drawn):
        shown.append(("electrolyte left out", COLORS[Material.ELECTROLYTE]))
    handles = [
        Patch(facecolor=color, edgecolor="#444444", lw=0.5, label=text) for text, color in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _left_out(fields: dict[str, Any]) -> np.ndarray:
    """Mark electrolyte that reaches one electrode or none."""
    electrolyte = fields["material"][0] == Material.ELECTROLYTE
    return np.asarray(electrolyte & np.isnan(fields["potential_v"][0]))


def face_figure(cases: Sequence[Case]) -> Figure | None:
    """Draw the current density along the lithium, all cases in one picture."""
    if not cases:
        return None
    figure, [axis] = canvas(1, 1, (6.4, 3.6))
    for number, case in enumerate(cases):
        x, density = _along(case, case.solved.face.density_a_m2)
        # The first ones are wider, so that they show below cases that are alike.
        wide = 1.2 + 1.6 * (len(cases) - 1 - number) / max(len(cases) - 1, 1)
        axis.plot(x, density, lw=wide, label=case.name)
    axis.set(xlabel="across (µm)", ylabel="current density at the lithium (A/m²)")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8, frameon=False)
    return figure


def plating_figure(cases: Sequence[Case]) -> Figure | None:
    """Draw the thickness of plated lithium after each step, all cases on one scale."""
    every = [(case, case.solved.plating) for case in cases]
    shown = [(case, plating) for case, plating in every if plating is not None and plating.faces]
    if not shown:
        return None
    figure, axes = canvas(1, len(shown), (4.2 * len(shown) + 0.4, 3.4))
    most = max(float(face.thickness_um.max()) for _, one in shown for face in one.faces)
    for axis, (case, plating) in zip(axes, shown, strict=True):
        for number, (charge, face) in enumerate(
            zip(plating.charge_uah_cm2, plating.faces, strict=True)
        ):
            order = np.argsort(face.middle_um[:, 0])
            axis.plot(
                face.middle_um[order, 0], face.thickness_um[order], lw=1.2,
                color=f"C{number % 10}", label=f"{charge:.3g} µAh/cm²",
            )  # fmt: skip
        axis.set_title(case.name, fontsize=9)
        axis.set(xlabel="across (µm)", ylabel="plated lithium (µm)", ylim=(0, 1.05 * most))
        axis.legend(fontsize=7, frameon=False)
    return figure


def _along(case: Case, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = case.solved.face.middle_um
    order = np.argsort(middle[:, 0], kind="stable")
    return middle[order, 0], values[order]
