"""The contact sheet: pictures with their number and value. In: pictures; out: one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np

from xct.errors import ConfigError
from xct.io.atomic import written_whole
from xct.pipeline.trying.slices import Picture

_MOST_COLUMNS = 8
_SIDE_INCHES, _DPI = 3.2, 150


def write_sheet(pictures: Sequence[Picture], path: Path, title: str) -> None:
    """Draw all pictures on one grey scale, and write them as PNG.

    Parameters
    ----------
    pictures : sequence of Picture
        In reading order.
    path : Path
        Ends with ``.png``.
    title : str
        What is shown.

    Raises
    ------
    ConfigError
        If `path` does not end so.
    """
    from matplotlib.figure import Figure

    check_name(path)
    columns = _columns(pictures)
    lines = ceil(len(pictures) / columns)
    low, high = grey_window(pictures)
    figure = Figure(figsize=(_SIDE_INCHES * columns, (_SIDE_INCHES + 0.3) * lines + 0.4))
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, picture in zip(axes, pictures, strict=False):
        ax.imshow(picture.values, cmap="gray", vmin=low, vmax=high)
        ax.set_title(caption(picture), fontsize=8, y=-0.1)
    figure.suptitle(f"{title}; black {low:.3g}, white {high:.3g} 1/cm", fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def check_name(path: Path) -> None:
    """Refuse a file that is no PNG, before work is done for it."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--to {path}: the contact sheet is a PNG; name it something.png")


def caption(picture: Picture) -> str:
    """Write what stands under a picture: its number and the true values."""
    if not picture.choice.values:
        return f"row {picture.row}: center_px {picture.center_px:.2f}"
    base = {s.name: v for s, v in picture.choice.values}
    offset = base.get("find_center.center_px", 0.0)
    return (
        f"{picture.choice.number}: {picture.choice.text(picture.center_px - offset)} "
        f"(row {picture.row})"
    )


def grey_window(pictures: Sequence[Picture]) -> tuple[float, float]:
    """Give black and white for all pictures: the middle 99 % of all values, 1/cm."""
    values = np.concatenate([picture.values.ravel() for picture in pictures])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _columns(pictures: Sequence[Picture]) -> int:
    """Put the values of the last sweep side by side where there are several lines of them."""
    several = len({picture.row for picture in pictures}) > 1
    values = pictures[0].choice.values
    fastest = len(values[-1][0].values) if values else 1
    if values and (several or len(values) > 1) and fastest <= _MOST_COLUMNS:
        return fastest
    return min(ceil(sqrt(len(pictures))), _MOST_COLUMNS)
