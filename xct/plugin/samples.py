"""Sample data: a small cell, made on the spot. In: a click in napari's menu; out: its layers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from xct.parallel.blocks import GRANULE
from xct.plugin.data.reader import get_reader

_STATE, _SHAPE, _VOXEL_UM = "ncm-100", (96, 144, 144), 3.0


def small_cell() -> list[Any]:
    """Make a cycled virtual cell, known exactly, with materials, particles, surfaces and tables.

    It is drawn into a temporary folder, which goes when napari does.

    Returns
    -------
    list of layer data
        As napari's readers give them.
    """
    from xct.phantom.cell.cell import draw_cell
    from xct.phantom.truth.folder import TruthWriter

    home = Path(tempfile.mkdtemp(prefix="xct-sample-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    truth = home / _STATE / "truth"
    writer = TruthWriter(draw_cell(_STATE, shape=_SHAPE, voxel_um=_VOXEL_UM), truth)
    for first in range(0, _SHAPE[0], GRANULE):
        writer.mu(first, min(first + GRANULE, _SHAPE[0]))
    writer.finish()
    read = get_reader(str(truth))
    return [] if read is None else read(str(truth))
