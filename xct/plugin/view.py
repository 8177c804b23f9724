"""`xct view`: results in napari. In: paths; out: a window, until it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from xct.errors import XctError
from xct.plugin.compare import side_by_side
from xct.plugin.data.cells import cells_of, open_cell
from xct.plugin.data.lines import follow
from xct.plugin.data.reader import get_reader, read
from xct.plugin.data.simulated import is_simulation
from xct.plugin.first_view import look_after, show_middle
from xct.plugin.notifications import show_again

_MOST_LOOKED_AT, _MOST_NAMED = 100, 3


def show(paths: Sequence[Path | str]) -> None:
    """Open results, volumes or raw scans in a window; several results stand side by side.

    Parameters
    ----------
    paths : sequence of Path
        What to open.

    Raises
    ------
    XctError
        If a path holds nothing that xct can show; nothing is opened then.
    """
    fill(paths, napari.Viewer)
    napari.run()


def fill(paths: Sequence[Path | str], new_viewer: Any) -> Any:
    """Read everything and cut the first slices, then open a window that shows them.

    Layers are made before the window: else it would stand there empty meanwhile.
    """
    listed = sorted((Path(path) for path in paths), key=is_simulation)  # the cell lies below
    if not listed:
        raise XctError("name a result folder, a volume.zarr or a raw scan")
    for path in listed:
        if get_reader(str(path)) is None:
            known = f"{path}: is no result, simulation, volume or raw scan that xct knows"
            raise XctError(known + _within(path))
    results = [path for path in listed if not is_simulation(path)]
    together = len(results) <= 1  # what was simulated lies over its cell
    before = len(notification_manager.records)
    described = [layer for path in listed for layer in read(path)] if together else []
    layers = [Layer.create(*layer) for layer in described]
    cells = [] if together else [open_cell(path) for path in listed]
    viewer = new_viewer(title=f"xct: {', '.join(path.name for path in listed)}")
    show_again(before)
    if cells:
        side_by_side(viewer, cells)
        return viewer
    follow(viewer)
    look_after(viewer)
    _seen_at_once(viewer, viewer.add_layer(layers[0]))
    for layer in layers[1:]:
        viewer.add_layer(layer)
    return viewer


def _seen_at_once(viewer: Any, picture: Layer) -> None:
    """Draw the picture of a cell before its other layers come: each takes as long as it does."""
    for cell in cells_of(viewer):
        if cell.layers.get("volume") is picture:
            show_middle(viewer, cell)
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


def _within(path: Path) -> str:
    """Name what is known within a folder that is not: one above a result is easily given."""
    inner = sorted(path.iterdir())[:_MOST_LOOKED_AT] if path.is_dir() else []
    known = [one.name for one in inner if one.is_dir() and get_reader(str(one)) is not None]
    return f"; within it there are {', '.join(known[:_MOST_NAMED])}" if known else ""
