"""Sample data: a small cell, made on the spot. In: a click in napari's menu; out: its layers."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from xct.errors import RunError
from xct.io.atomic import made_whole
from xct.parallel.blocks import GRANULE
from xct.parallel.kernels import source_fingerprint
from xct.plugin.data.reader import get_reader

_STATE, _SHAPE, _VOXEL_UM = "ncm-100", (96, 144, 144), 3.0


def small_cell() -> list[Any]:
    """Make a cycled virtual cell, known exactly, with materials, particles, surfaces and tables.

    It is drawn once, and kept among the user's caches for as long as xct would draw the same. What
    is opened is a copy in a temporary folder, which goes when napari does.

    Returns
    -------
    list of layer data
        As napari's readers give them.
    """
    home = Path(tempfile.mkdtemp(prefix="xct-sample-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    truth = home / _STATE / "truth"
    try:
        shutil.copytree(_kept(), truth)
    except (RunError, OSError):  # no cache can be written, or another process clears it
        shutil.rmtree(truth, ignore_errors=True)
        _draw(truth)
    read = get_reader(str(truth))
    return [] if read is None else read(str(truth))


def _kept() -> Path:
    """Give the folder of the drawn cell; it is drawn unless it is there. Older ones go."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "xct" / "samples"
    kept = caches / str(source_fingerprint("xct.phantom.truth.folder"))
    if not kept.is_dir():
        shutil.rmtree(caches, ignore_errors=True)
        with made_whole(kept) as partial:
            _draw(partial)
    return kept


def _draw(folder: Path) -> None:
    from xct.phantom.cell.cell import draw_cell
    from xct.phantom.truth.folder import TruthWriter

    writer = TruthWriter(draw_cell(_STATE, shape=_SHAPE, voxel_um=_VOXEL_UM), folder)
    for first in range(0, _SHAPE[0], GRANULE):
        writer.mu(first, min(first + GRANULE, _SHAPE[0]))
    writer.finish()
