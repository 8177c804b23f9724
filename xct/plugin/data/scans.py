"""Raw scans as layers. In: a scan of any layout; out: projections, flats, darks and sinograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xct.config.new_config import open_any
from xct.io.frames import View
from xct.pipeline.preview import Preview
from xct.plugin.data.arrays import LazyArray
from xct.plugin.data.cells import KEY
from xct.plugin.data.layers import LayerData

_AXES = {"projections": "angle", "flats": "frame", "darks": "frame"}


def scan_layers(path: Path) -> list[LayerData]:
    """Show the frames of a scan, and its line integrals: seen from above, these are sinograms.

    Raises
    ------
    ScanError
        If the scan cannot be read.
    """
    scan = open_any(path)
    name = path.stem
    size = scan.voxel_size_um
    shared = {
        "scale": (1.0, size or 1.0, size or 1.0),
        "units": ("pixel", *(("micrometer" if size else "pixel",) * 2)),
        "colormap": "gray",
    }
    found: list[LayerData] = []
    for kind, first in _AXES.items():
        view: View | None = getattr(scan, kind)
        if view is None:
            continue
        array = frames(view)
        settings = shared | {
            "name": f"{name} {kind}",
            "axis_labels": (first, "row", "column"),
            "visible": kind == "projections",
            "metadata": {KEY: {"scan": str(path), "kind": kind}},
            "contrast_limits": _contrast(array),
        }
        found.append((array, settings, "image"))
    if scan.flats is not None:
        found.insert(1, _line_integrals(Preview(scan), name, path, shared))
    return found


def frames(view: View) -> LazyArray:
    """Make frames on disk look like an array."""

    def read(parts: tuple[slice, ...]) -> np.ndarray:
        return view.read(parts[0], parts[1])[:, :, parts[2]]

    return LazyArray(view.shape, view.dtype, read)


def _line_integrals(preview: Preview, name: str, path: Path, shared: dict[str, Any]) -> LayerData:
    array = LazyArray(preview.shape, np.float32, preview.read)
    settings = shared | {
        "name": f"{name} line integrals",
        "axis_labels": ("angle", "row", "column"),
        "visible": False,
        "metadata": {KEY: {"scan": str(path), "kind": "line integrals"}},
        "contrast_limits": preview.range(),
    }
    return array, settings, "image"


def _contrast(array: LazyArray) -> tuple[float, float]:
    middle = np.asarray(array[array.shape[0] // 2], np.float32)
    values = middle[np.isfinite(middle)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
