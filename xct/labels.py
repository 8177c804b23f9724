"""Labels: which number stands for which material in every labelled volume."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Label(IntEnum):
    """What a voxel is made of; a truth voxel belongs to the material with its largest share."""

    OUTSIDE = 0
    LITHIUM = 1
    ELECTROLYTE = 2
    ACTIVE_MATERIAL = 3
    STEEL = 4
    COLLECTOR = 5
    TUBE = 6
    LOW_GREY = 7


MATERIALS: Mapping[str, int] = {label.name.lower(): int(label) for label in Label if label}
