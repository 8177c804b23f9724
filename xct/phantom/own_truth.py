"""The truth of a volume of one's own. In: the sample; out: a folder laid out like a result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xct.io.atomic import write_json
from xct.io.label_volume import create_labels
from xct.io.volume import Coding, create_volume, write_slab
from xct.labels import Label
from xct.phantom.own_volume import OwnVolume
from xct.voxels import slabs

_UNITS = {"center_px": "px", "energy_kev": "keV", "pixel_size_um": "µm"}


def write_own_truth(sample: OwnVolume, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write μ, labels where they are those of a result, and the facts of the scan.

    Parameters
    ----------
    sample : OwnVolume
        Read slab by slab.
    folder : path
        Must not exist.
    facts : mapping
        What else is known, by name.
    """
    folder.mkdir(parents=True)
    volume = folder / "volume.zarr"
    create_volume(volume, sample.shape, sample.voxel_um, Coding(), folder.parent.name)
    known = sample.materials is not None and set(sample.materials) <= {*map(int, Label)}
    labels = create_labels(volume, "materials", "uint8") if known else None
    for block in slabs(sample.shape):
        write_slab(volume, block.first, sample.mu(block.first, block.stop))
        if labels is not None:
            own = sample.labels(block.first, block.stop)
            labels[block.first : block.stop] = own.astype(np.uint8)
    numbers = {"voxel_size_um": sample.voxel_um, **facts}
    summary = {
        name: {"value": value, **({"unit": _UNITS[name]} if name in _UNITS else {})}
        for name, value in numbers.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    write_json(folder / "summary.json", {**summary, "warnings": []})
