"""Whether slices of a file lie as far apart as is said, before anything is measured.

In: a volume as it is stored, whose layers follow each other along z; out: the shape of its grains.
"""

from __future__ import annotations

from xct.io.volume_files.volume import ForeignVolume, Values
from xct.normalize.given.grains_said import grain_warning
from xct.normalize.grain_shape import GrainShape, grains_anywhere
from xct.segment.cell.orientation import layer_axis, sample_volume


def spacing_doubt(volume: ForeignVolume) -> str | None:
    """Say that slices cannot lie as far apart as is said; None where they can, or nothing tells.

    Parameters
    ----------
    volume : ForeignVolume
        As it is stored; layers may lie along any axis.
    """
    sample = sample_volume(Values(volume), volume.voxel_size_um)
    return None if layer_axis(sample).axis else grain_warning(grains_in_file(volume))


def grains_in_file(volume: ForeignVolume) -> GrainShape | None:
    """Look for the grains of a cathode in the middle of slices, and measure their shape.

    Parameters
    ----------
    volume : ForeignVolume
        Its layers follow each other along z.

    Returns
    -------
    GrainShape or None
        None where no cathode is seen.
    """
    step_um = volume.voxel_size_um[0]
    return grains_anywhere(volume.read, volume.voxels.shape, volume.voxel_size_um, step_um)
