"""A given volume put upright. In: a file's volume; out: one whose layers lie along z.

What lies otherwise is first copied into bricks, so that slices in any direction are read at the
speed of the disk: less than twice the time of a copy, and a second, temporary one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from xct.config.model import VolumeSection
from xct.io.volume_files.volume import ForeignVolume, Values
from xct.normalize.given.grains_said import grain_warning
from xct.parallel.blocks import GRANULE, Block, Voxels, cut
from xct.parallel.executors import map_blocks
from xct.pipeline.given.bricks import Bricks
from xct.pipeline.monitor import go_on, timed
from xct.pipeline.output import OutputFolder
from xct.pipeline.watching.progress import Progress
from xct.segment.cell.grains_in_file import grains_in_file
from xct.segment.cell.layer_tilt import Tilt, layer_tilt
from xct.segment.cell.orientation import CLEARLY, Sample, layer_axis, sample_volume
from xct.segment.cell.placement import AS_STORED, UPRIGHT, Axes, PlacedVoxels, Placement

log = logging.getLogger("xct")

# Layers that lean more are not put upright. Of those that lean by 2 to 3°, in volumes that begin
# with air, a layer of lithium was lost as they lie, and is right once they are upright.
_STEEPEST_DEG = 16.0
# Of the variance, which a lean must explain to be one: of 2° it explains 0.016 to 0.021, of two
# halves that are shifted by four voxels up to 0.009, and of 1.5° as much (seeds 3 and 11).
_CLEARLY = 0.012
_TOO_STEEP = (
    "layers lean by {:.0f}°, where they are put upright up to 16°: they are looked for as they "
    "lie, and what is found is not to be relied on; turn the volume before (3-D, interpolated)"
)
_SLICES = 2 * GRANULE  # of the file, that are cut into bricks at a time
# By the axis that the layers follow: turns, no mirror.
_UPRIGHT: tuple[Axes, ...] = (AS_STORED, ("y", "x", "z"), ("x", "z", "y"))


def put_upright(source: ForeignVolume, section: VolumeSection) -> ForeignVolume:
    """Find how a volume lies, and give it with its layers along z; as it is where nothing tells.

    Parameters
    ----------
    source : ForeignVolume
        As it is stored.
    section : VolumeSection
        What the user says of it: axes that are given are believed.

    Raises
    ------
    ValueError
        If its voxels are too long.
    """
    sample = sample_volume(Values(source), source.voxel_size_um)
    placement, tilt = _lying(source, sample, section.axes)
    clear = tilt.explained - tilt.upright > _CLEARLY
    if clear and 0 < tilt.degrees < _STEEPEST_DEG:
        placement = placement.leaning(tilt.rotation)
    placement = placement.with_even_voxels()
    said = [placement.warning]
    if clear and tilt.degrees >= _STEEPEST_DEG:
        said.append(_TOO_STEEP.format(tilt.degrees))
    if placement.order[0] == 0 and placement.rotation == UPRIGHT:
        said.append(grain_warning(grains_in_file(source)))
    return replace(placed(source, placement), warnings=(*source.warnings, *filter(None, said)))


def _lying(source: ForeignVolume, sample: Sample, said: Axes | None) -> tuple[Placement, Tilt]:
    """Find along which axis the layers follow each other, and how far they lean from it.

    Of layers that lean by more than ten degrees, height and radius explain hardly more about their
    axis than about others, until the lean is found: then it is looked for about all three.
    """
    axis = layer_axis(sample).axis
    every = _UPRIGHT if axis is None else (_UPRIGHT[axis],)
    found = []
    for axes in every if said is None else (said,):
        placement = Placement.along(axes, source.voxels.shape, source.voxel_size_um)
        found.append((placement, layer_tilt(sample.turned(placement.order, placement.against))))
    first, *others = sorted(found, key=lambda one: -one[1].explained)
    if others and first[1].explained < others[0][1].explained + CLEARLY:
        return found[0]
    return first


def placed(source: ForeignVolume, placement: Placement) -> ForeignVolume:
    """Give a volume as it is placed."""
    if placement.as_stored:
        return source
    voxels = PlacedVoxels(source.voxels, placement)
    return replace(source, voxels=voxels, voxel_size_um=placement.voxel_size_um)


def placement_of(source: Any) -> Placement | None:
    """Give where a source's voxels lie in its file; None where they are as stored."""
    voxels = getattr(source, "voxels", None)
    return voxels.placement if isinstance(voxels, PlacedVoxels) else None


def note_placement(path: Path, source: Any) -> None:
    """Write beside the volume how it lies in its file, where that is otherwise."""
    placement = placement_of(source)
    if placement is not None:
        note_of_volume(path, placement=placement.to_dict())


def note_of_volume(path: Path, **known: Any) -> None:
    """Write beside the volume what is known of it."""
    import zarr

    group: Any = zarr.open_group(path, mode="r+")
    group.attrs["xct"] = {**group.attrs["xct"], **known}


def brick_bytes(source: Any) -> int:
    """Say how much disk the bricks of a volume take while it is copied."""
    placement = placement_of(source)
    if placement is None or placement.by_slices:
        return 0
    return _bricks(Path(), source.voxels.voxels, placement).nbytes


def readable(folder: OutputFolder, source: ForeignVolume) -> ForeignVolume:
    """Give a volume that is read slice by slice at speed; from bricks, where it lies otherwise."""
    placement = placement_of(source)
    if placement is None:
        return source
    log.info("%s", placement.describe())
    if placement.by_slices:
        return source
    stored: Voxels = source.voxels.voxels  # type: ignore[attr-defined]
    bricks = _bricks(folder.state / "bricks.raw", stored, placement)
    if folder.number("bricks") is None:
        _write_bricks(bricks, stored)
        folder.note("bricks", {"done": True})
    return replace(source, voxels=PlacedVoxels(bricks, placement))


def _bricks(path: Path, stored: Voxels, placement: Placement) -> Bricks:
    return Bricks(path, stored.shape, stored.dtype.newbyteorder("=").str, placement.order[0])


def remove_bricks(folder: OutputFolder) -> None:
    """Take the bricks away once the volume is written."""
    (folder.state / "bricks.raw").unlink(missing_ok=True)


def _write_bricks(bricks: Bricks, stored: Voxels) -> None:
    bricks.create()
    blocks = cut(stored.shape[0], _SLICES)
    progress = Progress("turning", len(blocks))
    map_blocks(
        _write_brick,
        blocks,
        stored,
        bricks,
        workers=1,
        done=lambda b: progress.step(f"{b.first} …"),
    )
    progress.close()


def _write_brick(block: Block, stored: Voxels, bricks: Bricks) -> Block:
    go_on()
    with timed("turn"):
        bricks.write(block, stored)
    return block
