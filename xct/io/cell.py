"""The geometry of a cell on disk. In: a CellGeometry; out: ``cell.json``, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path

from xct.errors import XctError
from xct.geometry import CellGeometry, Plane
from xct.io.atomic import write_json


def write_cell(path: Path, cell: CellGeometry) -> None:
    """Write where a cell lies in its volume: what depths, radii and ROI sets refer to."""
    values = asdict(cell)
    unknown = [key for key, value in values.items() if isinstance(value, float) and isnan(value)]
    write_json(path, values | dict.fromkeys(unknown, "unknown"))


def read_cell(path: Path) -> CellGeometry:
    """Read what `write_cell` wrote.

    Raises
    ------
    XctError
        If there is no such file, or it does not hold a geometry.
    """
    if not path.is_file():
        raise XctError(f"{path}: there is no cell geometry; has the run reached find_cell?")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values = {key: nan if value == "unknown" else value for key, value in values.items()}
        planes = {name: Plane(**plane) for name, plane in values.pop("planes").items()}
        shape, size = (tuple(values.pop(key)) for key in ("shape", "voxel_size_um"))
        return CellGeometry(shape=shape, voxel_size_um=size, planes=planes, **values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise XctError(f"{path}: does not hold the geometry of a cell ({error})") from None
