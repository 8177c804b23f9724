"""Normalization: grey values on one scale, that of the electrolyte."""

from xct.normalize.artifacts import look_at_artifacts
from xct.normalize.electrolyte import electrolyte_reference
from xct.normalize.given.artifacts_said import artifact_warning
from xct.normalize.given.grains_said import grain_warning
from xct.normalize.given.scale import look_at_scale
from xct.normalize.given.scale_said import scale_numbers
from xct.normalize.grain_shape import look_at_grains
from xct.normalize.grey_scale import GreyValues, grey_values
from xct.normalize.known_materials import check_materials
from xct.normalize.reference import Reference
from xct.normalize.volume_sample import AboveAir, air_level
from xct.normalize.wall_fringes import look_at_walls

__all__ = [
    "AboveAir",
    "GreyValues",
    "Reference",
    "air_level",
    "artifact_warning",
    "check_materials",
    "electrolyte_reference",
    "grain_warning",
    "grey_values",
    "look_at_artifacts",
    "look_at_grains",
    "look_at_scale",
    "look_at_walls",
    "scale_numbers",
]
