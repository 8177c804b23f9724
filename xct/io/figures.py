"""Figures on disk. In: a figure of matplotlib; out: PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xct.io.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 130
_ENDINGS = ("png", "svg")


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG; each appears when it is whole, the same bytes each time."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{name}.{ending}" for ending in _ENDINGS]
    for path, ending in zip(written, _ENDINGS, strict=True):
        metadata = {"Date": None} if ending == "svg" else None
        # The names of elements, too, are the same each time.
        with written_whole(path) as temporary, mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(temporary, format=ending, dpi=_DPI, metadata=metadata)
    return written
