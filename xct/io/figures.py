"""Figures on disk. In: a figure of matplotlib; out: PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xct.io.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 130
_ENDINGS = {"png": ("png",), "svg": ("svg",), "both": ("png", "svg"), "none": ()}


def save_figure(figure: Figure, folder: Path, name: str, kinds: str = "both") -> list[Path]:
    """Write a figure; each file appears when it is whole, the same bytes each time.

    It is laid out once, for all files. Text in an SVG stays text, which can be changed for a paper.

    Parameters
    ----------
    figure : Figure
        Of matplotlib.
    folder : Path
        Where to.
    name : str
        Without its ending.
    kinds : {"png", "svg", "both", "none"}, optional
        Which files.
    """
    import matplotlib as mpl

    written = [folder / f"{name}.{ending}" for ending in _ENDINGS[kinds]]
    if not written:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(_DPI)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    # The names of elements, too, are the same each time.
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        for path in written:
            with written_whole(path) as temporary:
                _PRINT[path.suffix](figure, temporary)
    return written


# `Figure.savefig` draws a second time for each file, to lay out what is laid out already.


def _print_png(figure: Figure, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]


def _print_svg(figure: Figure, path: Path) -> None:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    metadata = {"Date": None}
    FigureCanvasSVG(figure).print_svg(path, metadata=metadata)  # type: ignore[no-untyped-call]


_PRINT = {".png": _print_png, ".svg": _print_svg}
