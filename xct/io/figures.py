"""Figures on disk. In: a figure of matplotlib; out: PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xct.io.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 130


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG and SVG; each appears when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("png", "svg"):
        with written_whole(folder / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, format=ending, dpi=_DPI)
