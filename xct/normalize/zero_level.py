"""Where a volume's scale begins. In: a volume, its cell; out: the value of air."""

from __future__ import annotations

import warnings

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.calibration import lithium_over_electrolyte
from xct.normalize.sampling import Span, gather_cubes
from xct.normalize.volume_sample import VolumeSample
from xct.parallel.blocks import Voxels
from xct.statistics.peaks import sample_peak

# A volume whose air lies further from 0 than this part of its electrolyte has a scale of its own.
_LARGEST_AIR_ERROR = 0.15
_LEAST_CUBES = 60  # of lithium


def offset_of_air(sample: VolumeSample) -> float:
    """Value of air in a volume whose scale does not begin there; 0 where it holds attenuation."""
    air, middle = sample.air, sample.middle
    if not np.isfinite(air + middle) or abs(air) < _LARGEST_AIR_ERROR * abs(middle - air):
        return 0.0
    warnings.warn(
        f"air has the value {air:.5g} in this volume, not 0: values are counted from there; 1/cm "
        "in the numbers of the reference stands for the volume's own unit",
        stacklevel=3,
    )
    return air


def grey_of_air(
    volume: Voxels, sample: VolumeSample, cell: CellGeometry, energy_kev: float | None
) -> float:
    """Find where a grey scale begins: at air, or below lithium, which attenuates little more."""
    if np.isfinite(sample.air):
        return sample.air
    planes = ("steel_lithium", "lithium_electrolyte")
    if all(name in cell.planes for name in planes):
        cubes = gather_cubes(volume, Span(cell, *planes, 2 * max(cell.voxel_size_um)))
        if cubes.mean.size >= _LEAST_CUBES:
            lithium, over = sample_peak(cubes.mean).position, lithium_over_electrolyte(energy_kev)
            return lithium - over / (1 - over) * (sample.middle - lithium)
    warnings.warn(
        "neither air nor lithium is in view, so nothing shows where the grey scale begins: 0 is "
        "taken for air; where the files have an offset, all that is told by ratios of grey values "
        "is wrong: give attenuation (volume.unit: 1/cm), or a volume that reaches beyond the wall",
        stacklevel=4,
    )
    return 0.0
