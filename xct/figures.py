"""The one style of all figures. In: arrays; out: figures of matplotlib, without a window."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.geometry import Label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

_MOST_PIXELS = 800
JOURNAL_IN = {1: 3.35, 2: 7.09}  # 85 and 180 mm: one column of a journal, and both
_FORMULA = "$\\mathdefault"  # of a logarithmic axis
_LEAST_POINTS = 5.0  # that journals ask for
_LETTER = 1.3  # of a letter over its panel's title
_MOST_LETTERS = 15  # panels that are lettered one by one; of more, columns are

# Told apart by the colour-blind, and in grey: Okabe & Ito, https://jfly.uni-koeln.de/color
DISTINCT_COLORS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8c6d31", "#7f7f7f"
)  # fmt: skip

# As in the study: the anode's interface pink, the cathode's blue.
SURFACE_COLORS = {
    "steel_lithium": "tab:orange",
    "lithium_electrolyte": "deeppink",
    "electrolyte_cathode": "deepskyblue",
    "cathode_collector": "tab:green",
}

# Distinct on a grey picture; what fills most of it is pale. Red, green and blue from 0 to 1.
MATERIAL_COLORS = {
    Label.LITHIUM: (0.95, 0.75, 0.2),
    Label.ELECTROLYTE: (0.55, 0.75, 0.95),
    Label.ACTIVE_MATERIAL: (0.9, 0.25, 0.2),
    Label.STEEL: (0.45, 0.45, 0.5),
    Label.COLLECTOR: (0.4, 0.9, 0.5),
    Label.TUBE: (0.75, 0.6, 0.45),
    Label.LOW_GREY: (0.75, 0.25, 0.9),
    Label.UNKNOWN: (0.15, 0.15, 0.15),
}


def slice_figure(
    image: np.ndarray,
    voxel_size_um: float,
    *,
    title: str,
    scale_name: str = "linear attenuation (1/cm)",
) -> Figure:
    """Draw a slice with a scale bar.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        The slice.
    voxel_size_um : float
        Edge of a voxel.
    title : str
        Above the picture.
    scale_name : str, optional
        What its values are.
    """
    figure, axes = canvas(1, 1, (7, 6))
    lowest, highest = contrast(image)
    height, width = image.shape
    shown = axes[0].imshow(
        reduced(image),
        cmap="gray",
        vmin=lowest,
        vmax=highest,
        interpolation="none",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
    scale_bar(axes[0], image.shape[1], voxel_size_um)
    axes[0].set(xticks=[], yticks=[], title=title)
    figure.colorbar(shown, ax=axes[0], label=scale_name)
    return figure


def told_apart(lowest: float, highest: float) -> PowerNorm:
    """Spread grey tones so that lithium and electrolyte, of little attenuation, are told apart.

    Active material attenuates about nine times what electrolyte does: on a straight scale that
    shows both, lithium and electrolyte are nearly the same black.

    Parameters
    ----------
    lowest, highest : float
        Black and white.
    """
    from matplotlib.colors import PowerNorm

    return PowerNorm(0.6, lowest, highest, clip=True)


def scale_bar(
    axis: Axes,
    columns: int,
    voxel_size_um: float,
    *,
    color: str = "white",
    extent: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw a bar of a round length, about a fifth of the width, seen on dark and on bright.

    Parameters
    ----------
    axis : Axes
        On which a picture is shown.
    columns : int
        Of the picture.
    voxel_size_um : float
        Edge of a voxel.
    color : str, optional
        Of bar and text; around them a thin line of the opposite.
    extent : tuple of float, optional
        Left, right, bottom and top where the picture is not shown in voxels.
    """
    from matplotlib.patheffects import withStroke

    length, text = bar_length(columns * voxel_size_um)
    left, width, low, high = 0.05 * columns, length / voxel_size_um, 0.95 * columns, 0.93 * columns
    if extent is not None:
        left = extent[0] + 0.05 * (extent[1] - extent[0])
        width = length / (columns * voxel_size_um) * (extent[1] - extent[0])
        low, high = (extent[2] + part * (extent[3] - extent[2]) for part in (0.06, 0.09))
    around = [withStroke(linewidth=5, foreground="black" if color == "white" else "white")]
    axis.plot([left, left + width], [low] * 2, color=color, lw=3, path_effects=around)
    around = [withStroke(linewidth=2, foreground="black" if color == "white" else "white")]
    axis.text(
        left + width / 2, high, text, color=color, ha="center", va="bottom", path_effects=around
    )


def bar_length(width_um: float) -> tuple[float, str]:
    """Choose a round length of about a fifth of a picture's width, µm; give its name, too."""
    rough = width_um / 5
    decade = 10 ** np.floor(np.log10(rough))
    length = float(decade * max(step for step in (1, 2, 5) if step * decade <= rough))
    return length, f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"


def bar(axis: Axes, width_um: float) -> None:
    """Draw a scale bar that is seen on any ground: white on a dark plate, in a corner."""
    from matplotlib.font_manager import FontProperties
    from mpl_toolkits.axes_grid1.anchored_artists import (  # type: ignore[import-untyped]
        AnchoredSizeBar,
    )

    length, text = bar_length(width_um)
    low, high = axis.get_xlim()
    bottom, top = axis.get_ylim()
    plate = AnchoredSizeBar(
        axis.transData, length / width_um * abs(high - low), text, "lower left",
        pad=0.4, borderpad=0.3, sep=2, color="white", size_vertical=0.015 * abs(top - bottom),
        fill_bar=True, fontproperties=FontProperties(size=7),
    )  # fmt: skip
    plate.patch.set(facecolor="black", edgecolor="black", boxstyle="square,pad=0")
    axis.add_artist(plate)


def reduced(image: np.ndarray) -> np.ndarray:
    """Average blocks of pixels, so that a picture is not much wider than it is shown."""
    step = max(1, min(image.shape) // _MOST_PIXELS)
    height, width = (length // step for length in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3)))


def contrast(image: np.ndarray) -> tuple[float, float]:
    """Choose the range that is shown, from black to white, leaving out a few extreme values."""
    values = image[image != 0]
    lowest, highest = np.percentile(values, (0.5, 99.7)) if values.size else (0.0, 1.0)
    return float(lowest), float(max(highest, lowest + 1e-9))


def canvas(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Make a figure without a window, and without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    vars(figure)["_repr_png_"] = partial(_png, figure)  # notebooks know the figures of pyplot only
    vars(figure)["draw"] = partial(_draw, figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def plain_text(figure: Figure) -> None:
    """Write a $ as it stands: in the name of a cell it is no formula, on an axis it is."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if "$" in text.get_text() and not text.get_text().startswith(_FORMULA):
            text.set_parse_math(False)


def _draw(figure: Figure, renderer: Any) -> None:
    plain_text(figure)
    type(figure).draw(figure, renderer)


def _png(figure: Figure) -> bytes:
    with BytesIO() as file:
        figure.savefig(file, format="png")
        return file.getvalue()


def panel_letters(figure: Figure) -> Figure:
    """Write a, b, c … beside the titles of a figure's panels, as journals ask for.

    Panels are lettered line by line; of more than fifteen, those on top of each column are. A
    figure of one panel has no letter, nor have colour bars and second axes of one panel.

    Parameters
    ----------
    figure : Figure
        Changed in place.

    Returns
    -------
    Figure
        The same.
    """
    panels: dict[tuple[int, int], Axes] = {}
    for axis in figure.axes:
        spec = axis.get_subplotspec()
        if spec is not None and axis.get_visible() and not hasattr(axis, "_colorbar"):
            panels.setdefault((spec.rowspan.start, spec.colspan.start), axis)
    lettered = sorted(panels)
    if len(lettered) > _MOST_LETTERS:
        tops = {column: row for row, column in reversed(lettered)}
        lettered = [(row, column) for column, row in sorted(tops.items())]
    for number, place in enumerate(lettered if len(lettered) > 1 else ()):
        title = panels[place].title
        panels[place].set_title(
            chr(ord("a") + number), loc="left", fontweight="bold", color=title.get_color(),
            fontsize=_LETTER * min(float(title.get_fontsize()), 10.0),
        )  # fmt: skip
    return figure


def journal_style() -> dict[str, Any]:
    """Give the style of figures that are as wide as a page of a journal, for pyplot.

    Returns
    -------
    dict
        For ``plt.rcParams.update``: letters of 7 points, thin lines, colors that the color-blind
        tell apart; a figure is 180 mm wide unless it is given a size.
    """
    from cycler import cycler

    small = dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 6.0)
    thin = dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6)
    return {
        "font.size": 7.0,
        "axes.titlesize": 7.0,
        "axes.labelsize": 7.0,
        **small,
        **thin,
        "lines.linewidth": 1.0,
        "lines.markersize": 3.0,
        "axes.prop_cycle": cycler(color=DISTINCT_COLORS),
        "figure.figsize": (JOURNAL_IN[2], 2.4),
        "figure.dpi": 150,
    }


def journal_width(figure: Figure, columns: int = 2) -> Figure:
    """Make a figure as wide as a page of a journal, its letters small but not below 5 points.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    columns : {1, 2}, optional
        1: a column, 85 mm wide; 2: the page, 180 mm.

    Returns
    -------
    Figure
        The same.
    """
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    width, height = figure.get_size_inches()
    factor = JOURNAL_IN[columns] / width
    if factor >= 1:
        return figure
    figure.set_size_inches(width * factor, height * factor)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):  # ticks that are made later, too
            size = axis.get_ticklabels()[0].get_fontsize() if axis.get_ticklabels() else 10.0
            axis.set_tick_params(labelsize=max(_LEAST_POINTS, size * factor), pad=2, length=2)
    for text in figure.findobj(Text):
        text.set_fontsize(max(_LEAST_POINTS, text.get_fontsize() * factor))
    for line in figure.findobj(Line2D):
        line.set_linewidth(line.get_linewidth() * factor)
        line.set_markersize(line.get_markersize() * factor)
        line.set_markeredgewidth(line.get_markeredgewidth() * factor)
    return figure
