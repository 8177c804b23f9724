"""Examples to try things on: small virtual cells. In: nothing; out: folders, made once and kept.

They lie among the user's caches for as long as xct would make the same; where nothing can be kept
there, in a temporary folder that goes with the process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from xct.errors import RunError
from xct.io.atomic import made_whole
from xct.parallel.blocks import GRANULE
from xct.parallel.kernels import source_fingerprint

_STATES = ("ncm-0", "ncm-100", "lzp-0", "lzp-100", "ncm-50", "lzp-50")
_SHAPE, _VOXEL_UM = (80, 112, 112), 2.0
_TRUTH_SHAPE, _TRUTH_VOXEL_UM = (96, 144, 144), 3.0


def example_results(count: int = 2) -> list[Path]:
    """Give finished results of small virtual cells, drawn as a scan would show them and measured.

    Parameters
    ----------
    count : int, optional
        Up to six: pristine and cycled NCM, the same with LZP, both after 50 cycles.

    Returns
    -------
    list of Path
        Results, as `xct run` writes them.
    """
    return [kept(f"{state}-result", partial(_measure, state)) for state in _STATES[:count]]


def example_truth(state: str = "ncm-100") -> Path:
    """Give the truth of a small virtual cell: volume, labels, surfaces and tables, all exact."""
    return kept(f"{state}-truth", partial(_write_truth, state))


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Give a folder that is made once; those that other versions of xct made go.

    Parameters
    ----------
    name : str
        Of the folder.
    make : callable
        Fills an empty folder.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "xct" / "examples"
    folder = caches / f"{name}-{source_fingerprint(__name__)}"
    if folder.is_dir():
        return folder
    try:
        for older in caches.glob(f"{name}-*"):
            shutil.rmtree(older, ignore_errors=True)
        with made_whole(folder) as partly:
            make(partly)
    except RunError:
        if not folder.is_dir():  # else another process was quicker
            folder = Path(tempfile.mkdtemp(prefix="xct-example-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            make(folder)
    return folder


def _measure(state: str, folder: Path) -> None:
    from xct.bench.drawn_volumes import Drawing, draw_volume
    from xct.pipeline.runner import run

    group, cycles = state.upper().split("-")
    with tempfile.TemporaryDirectory(prefix="xct-example-") as place:
        drawn = draw_volume(Drawing(state, state, _SHAPE, _VOXEL_UM), Path(place))
        run(
            {
                "volume": {"file": str(drawn), "energy_kev": 25.0},
                "cell": {"name": state, "group": group, "cycles": int(cycles)},
                "pipeline": "analyze",
                "output": f"{place}/result",
                "run": {"figures": "none"},
            }
        )
        shutil.copytree(f"{place}/result", folder, dirs_exist_ok=True)


def _write_truth(state: str, folder: Path) -> None:
    from xct.phantom.cell.cell import draw_cell
    from xct.phantom.truth.folder import TruthWriter

    writer = TruthWriter(draw_cell(state, shape=_TRUTH_SHAPE, voxel_um=_TRUTH_VOXEL_UM), folder)
    for first in range(0, _TRUTH_SHAPE[0], GRANULE):
        writer.mu(first, min(first + GRANULE, _TRUTH_SHAPE[0]))
    writer.finish()
