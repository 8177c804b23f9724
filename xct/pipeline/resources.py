"""Resources: what a run will need, and how it is shared out. In: sizes; out: slabs and workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np

from xct.config.model import RunSection
from xct.errors import ConfigError
from xct.io.overview import overview_bytes
from xct.io.volumes import levels_of
from xct.parallel.blocks import GRANULE
from xct.pipeline.clusters.machines import GIB, THREADS, Machine, this_machine
from xct.reconstruct.engines import Engine, find_engine

_BASE = 0.65 * GIB  # interpreter, libraries, compiled kernels; half of it where nothing is measured
_USUAL_BASE = 0.35 * GIB
_COPIES = 2.3  # of a slab's values, measured: what a stage gets, what it gives, and a little
_MOST_ROWS = 64  # a taller slab reads little less overlap, and resumes at a coarser grain
# Measured on one core: preprocessing and gridding by value, writing by voxel; start and estimates.
_SECONDS_PER_VALUE = 105e-9
_SECONDS_PER_VOXEL = 20e-9
_SECONDS_AT_LEAST = 6.0


@dataclass(frozen=True)
class Resources:
    """How a run is cut and shared, and what it is expected to take.

    Attributes
    ----------
    slab_rows : int
        Slices of one slab.
    workers, threads : int
        Slabs at the same time in one process, and threads of each.
    memory_bytes, disk_bytes : int
        Expected peak memory of a process; disk for results and temporary files.
    temporary_bytes : int
        Part of `disk_bytes` that is free again at the end.
    seconds : float
        Expected duration; a rough figure.
    measuring_workers : int
        Blocks of the finished volume that one process measures at the same time.
    processes : int
        Workers of a cluster; 1: this process alone.
    measuring_seconds : float
        Part of `seconds` in which the finished volume is measured.
    """

    slab_rows: int
    workers: int
    threads: int
    memory_bytes: int
    disk_bytes: int
    temporary_bytes: int
    seconds: float
    measuring_workers: int = 1
    processes: int = 1
    measuring_seconds: float = 0.0

    def sharing(self) -> str:
        """Say how the work is shared out."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        slabs = f"slabs of {self.slab_rows} rows"
        cluster = f", on up to {self.processes} workers" if self.processes > 1 else ""
        if self.workers == 1:
            return f"{slabs}, {threads}{cluster}"
        return f"{slabs}, {self.workers} at a time with {threads} each{cluster}"


def slab_bytes(
    shape: tuple[int, int, int], height: int, overlap: int, size: int, engine: Engine
) -> float:
    """Peak memory of one slab: in preprocessing, in its engine, or in writing, the largest."""
    angles, rows, columns = shape
    seen = angles * columns * min(height + 2 * overlap, rows) * 4
    own = angles * columns * height * 4
    slices = height * size**2 * 4
    engine_bytes = engine.memory_bytes((angles, height, columns), size)
    return max(_COPIES * seen, own + engine_bytes, 3.2 * slices)


def share_out(
    shape: tuple[int, int, int],
    overlap: int,
    run: RunSection,
    *,
    whole_frames: bool,
    item_bytes: int,
    size: int | None = None,
    kept: int = 0,
    engine: Engine | None = None,
    machine: Machine | None = None,
) -> Resources:
    """Choose slabs and workers, as many as memory and cores allow.

    Parameters
    ----------
    shape : tuple of int
        Angles, rows and columns of the cropped, binned scan.
    overlap : int
        Rows beyond a slab that it depends on, on each side.
    run : RunSection
        What the configuration says about workers, memory and dtype.
    whole_frames : bool
        Whether frames must first be written to a temporary file cut by rows.
    item_bytes : int
        Bytes of one value there.
    size : int, optional
        Width of a slice; as many voxels as columns unless given.
    kept : int, optional
        Quantities of the size of the projections that are written, too.
    engine : Engine, optional
        Who reconstructs: it says how much memory it needs, how many slabs it takes at once, and,
        if it is slow, how long it takes.
    machine : Machine, optional
        Where slabs are worked on; this machine unless given.

    Raises
    ------
    ConfigError
        If one slab of 16 rows does not fit into the memory.
    """
    angles, rows, columns = shape
    size, engine = size or columns, engine or find_engine()
    machine = machine or this_machine(run)
    limit, cores = machine.memory_bytes, machine.cores

    def needed(height: int, workers: int = 1) -> float:
        read_ahead = angles * columns * min(height + 2 * overlap, rows) * 4
        being_written = 3.2 * 4 * height * size**2
        return (
            workers * slab_bytes(shape, height, overlap, size, engine) + read_ahead + being_written
        )

    wanted = ceil(cores / THREADS) if run.workers == "auto" else run.workers
    wanted = min(wanted, engine.at_once or wanted)
    room = limit - _BASE
    least = min(GRANULE, rows)
    if needed(least) > room:
        raise ConfigError(
            f"memory: one slab of {least} rows needs {(needed(least) + _BASE) / GIB:.1f} GiB, "
            f"but run.memory_gib allows {limit / GIB:.1f} GiB; allow more, raise scan.bin, or cut "
            "columns by scan.roi"
        )
    possible = [n for n in range(1, wanted + 1) if needed(least, n) <= room]
    workers = max(1, min(possible[-1], ceil(rows / GRANULE)))
    heights = range(GRANULE, _MOST_ROWS + 1, GRANULE)
    fitting = [h for h in heights if needed(h, workers) <= room] or [GRANULE]
    at_once = workers * machine.processes
    even = ceil(rows / (3 * at_once + 1) / GRANULE) * GRANULE  # so that the three overlap
    height = min(fitting[-1], even)
    written = kept * angles * rows * columns * 4
    temporary = angles * rows * columns * item_bytes if whole_frames else 0
    return Resources(
        slab_rows=height,
        workers=workers,
        threads=max(1, cores // workers),
        memory_bytes=int(_USUAL_BASE + needed(height, workers)),
        disk_bytes=_volume_bytes((rows, size, size), _voxel_bytes(run.dtype)) + written + temporary,
        temporary_bytes=temporary,
        seconds=_seconds(angles * rows * columns, rows * size**2, cores * machine.processes)
        + _engine_seconds(engine, shape, size) / (cores * machine.processes),
        processes=machine.processes,
    )


def _engine_seconds(engine: Engine, shape: tuple[int, int, int], size: int) -> float:
    """Give what a slow engine says that it takes on one core, beyond what gridding takes."""
    slow = getattr(engine, "seconds", None)
    return float(slow(shape, size)) if slow is not None else 0.0


# Measuring a volume, on virtual cells of 10, 105 and 1573 million voxels, on two cores: start and
# pictures, and by voxel. On disk: labels by voxel, tables of particles by what is measured of the
# cell (there are as many with finer voxels), surfaces by column, pictures.
_MEASURING_SECONDS, _MEASURING_SECONDS_PER_VOXEL = 6.0, 0.46e-6
_MEASURING_BYTES, _SMALL_WINDOWS = 0.68 * GIB, 9
_BYTES_PER_LABEL, _BYTES_PER_UM3, _BYTES_PER_COLUMN = 0.14, 0.035, 16
_PICTURE_BYTES = (800_000, 3_400_000)  # of slices, and more where they are measured
# Of a volume, compressed: outside of the circle that the detector sees there is nothing.
_STORED_FRACTION = 0.8
_WINDOW_PLANES = 76  # of float32 that one worker holds
_SPARE_BYTES = GIB  # that further workers may take: wide slices are shared by threads instead


def share_copying(
    shape: tuple[int, int, int], machine: Machine, brick_bytes: int = 0, dtype: str = "float32"
) -> Resources:
    """Say what copying a foreign volume, with coarser levels, will take; turned, by bricks."""
    voxels = int(np.prod(shape, dtype=np.int64))
    # Of a volume that is turned, the largest that there is.
    plane = voxels // min(shape) if brick_bytes else shape[1] * shape[2]
    return Resources(
        slab_rows=GRANULE,
        workers=1,
        threads=machine.cores,
        memory_bytes=int(_BASE + (2 if brick_bytes else 1) * 3.2 * 4 * GRANULE * plane),
        disk_bytes=_volume_bytes(shape, _voxel_bytes(dtype)) + brick_bytes,
        temporary_bytes=brick_bytes,
        seconds=1 + (2 if brick_bytes else 1) * voxels * _SECONDS_PER_VOXEL,
        processes=machine.processes,
    )


def with_measuring(
    before: Resources,
    shape: tuple[int, int, int],
    run: RunSection,
    machine: Machine | None = None,
    *,
    voxel_um3: float = 8.0,
) -> Resources:
    """Add what measuring a volume takes to what making it takes.

    Parameters
    ----------
    before : Resources
        What making the volume takes.
    shape : tuple of int
        Voxels along z, y and x.
    run : RunSection
        What the configuration says about workers and memory.
    machine : Machine, optional
        Where it is measured; this machine unless given.
    voxel_um3 : float, optional
        Volume of a voxel: tables grow with the particles, which are as many with finer voxels.

    Raises
    ------
    ConfigError
        If the memory that the run may use does not hold the slabs that are measured.
    """
    voxels = int(np.prod(shape, dtype=np.int64))
    # A worker holds a window of planes that moves along z; as many again are maps and results.
    window = _WINDOW_PLANES * 4 * shape[1] * shape[2]
    machine = machine or this_machine(run)
    cores, limit = machine.cores, machine.memory_bytes
    wanted = cores if run.workers == "auto" else min(run.workers, cores)
    workers = int(min(wanted, 1 + _SPARE_BYTES // window))
    memory = _BASE + max((workers + 1) * window, min(_SMALL_WINDOWS * window, _MEASURING_BYTES))
    if memory > limit:
        raise ConfigError(
            f"memory: measuring {shape[1]} × {shape[2]} voxels takes {memory / GIB:.1f} GiB, but "
            f"run.memory_gib allows {limit / GIB:.1f} GiB; allow more, or raise scan.bin"
        )
    seconds = _MEASURING_SECONDS + voxels * _MEASURING_SECONDS_PER_VOXEL / machine.processes
    by_voxel = _BYTES_PER_LABEL + _BYTES_PER_UM3 * voxel_um3
    kept = voxels * by_voxel + _BYTES_PER_COLUMN * shape[1] * shape[2]
    return replace(
        before,
        memory_bytes=int(max(before.memory_bytes, memory)),
        measuring_workers=workers,
        disk_bytes=int(before.disk_bytes + kept + _PICTURE_BYTES[1]),
        seconds=before.seconds + seconds,
        measuring_seconds=seconds,
    )


def _voxel_bytes(dtype: str) -> int:
    return 2 if dtype == "uint16" else 4


def _volume_bytes(shape: tuple[int, int, int], voxel_bytes: int) -> int:
    """Give what a volume takes on disk, with its coarser levels, overview and pictures."""
    voxels = sum(int(np.prod(level.shape, dtype=np.int64)) for level in levels_of(shape))
    stored = _STORED_FRACTION * voxels * voxel_bytes
    return int(stored) + overview_bytes(shape) + _PICTURE_BYTES[0]


def _seconds(values: int, voxels: int, cores: int) -> float:
    work = values * _SECONDS_PER_VALUE + voxels * _SECONDS_PER_VOXEL
    return _SECONDS_AT_LEAST + work / cores


def bytes_below(path: Path) -> int:
    """Bytes of the files below a folder: what an interrupted run has written already."""
    total = 0
    for file in path.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # renamed by a run that is going on
            continue
    return total
