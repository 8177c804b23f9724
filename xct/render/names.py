"""Names of ROIs on a picture in 3-D. In: outlines, a camera; out: names that do not cover others.

A name stands at the middle of its region as the camera sees it, that of a disc beside it, in front
of everything; where it would cover another, it moves up or down, and a thin line leads back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xct.render.picture import Camera
from xct.render.scene import COLORS, Outline

_ROUND = 13  # corners of an outline from which on it is a disc, about which others lie
_WIDTH, _HEIGHT = 0.62, 1.35  # of a letter with what surrounds it, in sizes of the letters


def write_names(
    axis: Any, outlines: Sequence[Outline], camera: Camera, ground: str, points: float
) -> list[Any]:
    """Write the names of ROIs; give what was drawn, to be removed where the camera turns.

    Parameters
    ----------
    axis : Axes
        In µm, as high as the camera sees; its middle is 0.
    outlines : sequence of Outline
        ROIs.
    camera : Camera
        From where the picture was drawn.
    ground : {"light", "dark"}
        Behind the cell.
    points : float
        Size of the letters.
    """
    if not outlines:
        return []
    places = [_place(outline, camera) for outline in outlines]
    height_in = axis.get_position().height * axis.figure.get_figheight()
    size = points * camera.span_um / (72 * height_in)
    sizes = [(_WIDTH * size * (len(each.name) + 1), _HEIGHT * size) for each in outlines]
    ink, behind = ("black", "white") if ground == "light" else ("white", "black")
    drawn: list[Any] = []
    for outline, place, free in zip(outlines, places, apart(places, sizes), strict=True):
        if not np.allclose(place, free):
            drawn += axis.plot(*zip(place, free, strict=True), color=COLORS["rois"], lw=0.5)
        drawn.append(
            axis.text(
                *free, outline.name, fontsize=points, color=ink, ha="center", va="center",
                zorder=5, bbox={"boxstyle": "round,pad=0.1", "facecolor": behind, "alpha": 0.75,
                                "edgecolor": COLORS["rois"], "linewidth": 0.4},
            )
        )  # fmt: skip
    return drawn


def _place(outline: Outline, camera: Camera) -> np.ndarray:
    """Give where a region lies in the picture: its middle, or the right end of a disc."""
    seen = camera.place(np.concatenate(outline.edges))
    if len(outline.edges[0]) < _ROUND:
        return np.asarray(seen.mean(axis=0))
    return np.array([seen[:, 0].max(), seen[np.argmax(seen[:, 0]), 1]])


def apart(
    places: Sequence[np.ndarray], sizes: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Move boxes up or down, each as little as leaves it free of those before it.

    Parameters
    ----------
    places : sequence of ndarray, shape (2,)
        Their middles: right and up.
    sizes : sequence of tuple of float
        Widths and heights.

    Returns
    -------
    list of tuple of float
        Middles, in the same order.
    """
    free: list[tuple[float, float]] = []
    for (x, y), (width, height) in zip(places, sizes, strict=True):
        beside = [
            (other[1], (height + size[1]) / 2)
            for other, size in zip(free, sizes, strict=False)
            if abs(other[0] - x) < (width + size[0]) / 2
        ]
        ends = [at + side * gap for at, gap in beside for side in (-1, 1)]
        here = [at for at in (y, *ends) if all(abs(at - b) >= 0.999 * gap for b, gap in beside)]
        free.append((float(x), float(min(here, key=lambda at: abs(at - y)))))
    return free
