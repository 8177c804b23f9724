"""Figures on disk. In: a figure of matplotlib; out: PNG and SVG.

Matplotlib's own `savefig` draws everything twice, once to nowhere, and lays a figure out each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from xct.figures import plain_text
from xct.io.atomic import written_whole

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

_DPI = 130
_ENDINGS = {"png": ("png",), "svg": ("svg",), "both": ("png", "svg"), "none": ()}


def save_figure(
    figure: Figure, folder: Path, name: str, kinds: str = "both", *, dpi: float = _DPI
) -> list[Path]:
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
    dpi : float, optional
        Of the PNG, and of pictures within an SVG.
    """
    written = [folder / f"{name}.{ending}" for ending in _ENDINGS[kinds]]
    if not written:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    for path in written:
        with written_whole(path) as temporary, _laid_out(figure, dpi):
            _write(figure, temporary, name, path.suffix)
    return written


def svg(figure: Figure, name: str, *, dpi: float = _DPI) -> bytes:
    """Give what `save_figure` writes as SVG."""
    from io import BytesIO

    drawn = BytesIO()
    with _laid_out(figure, dpi):
        _write(figure, drawn, name, ".svg")
    return drawn.getvalue()


def pixels(figure: Figure, dpi: float) -> np.ndarray:
    """Draw a figure as a picture.

    Returns
    -------
    ndarray of uint8, shape (row, column, 4)
        Red, green, blue and alpha.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with _laid_out(figure, dpi):
        drawn: Any = FigureCanvasAgg(figure)
        drawn.draw()
        return np.array(drawn.buffer_rgba())


@contextmanager
def _laid_out(figure: Figure, dpi: float) -> Iterator[None]:
    """Place everything, once for all that is drawn; resolution and canvas are kept."""
    before, canvas = figure.dpi, figure.canvas
    figure.set_dpi(dpi)
    plain_text(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_dpi(before)
        figure.set_canvas(canvas)


def _write(figure: Figure, file: Path | IO[bytes], name: str, ending: str) -> None:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas: Any = FigureCanvasSVG(figure) if ending == ".svg" else FigureCanvasAgg(figure)
    # The names of elements, too, are the same each time.
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        if ending == ".svg":
            canvas.print_svg(file, metadata={"Date": None})
        else:
            canvas.print_png(file)
