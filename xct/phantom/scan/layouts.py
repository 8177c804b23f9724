"""Writing a scan as a beamline would. In: a Scan; out: files of the layout that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import h5py
import numpy as np
import tifffile

from xct.errors import XctError
from xct.io.convert import convert
from xct.scan import Scan

Layout = Literal["dxchange", "nxtomo", "p05", "tiff"]
LAYOUTS: tuple[str, ...] = get_args(Layout)

_SUFFIX = {"projections": "img", "flats": "ref", "darks": "dar"}
_PREFIX = {"projections": "proj", "flats": "flat", "darks": "dark"}
_KEYS = {"projections": 0, "flats": 1, "darks": 2}
_FRAMES_OF_A_FOLDER = 5000
_BLOCK_BYTES = 64 * 2**20
# P05's clock counts milliseconds since 1970; a virtual scan begins on 1 January 2026.
_EPOCH_MS, _EXPOSURE_MS, _MAGNIFICATION = 1_767_225_600_000, 25.0, 5.0


def write_layout(scan: Scan, folder: Path, name: str, layout: str) -> Path:
    """Write a scan.

    Parameters
    ----------
    scan : Scan
        What to write; frames are read in order of time, some at a time.
    folder : path
        Where; it must exist.
    name : str
        Of the file, or of the folder of frames.
    layout : {"dxchange", "nxtomo", "p05", "tiff"}
        As in the beamlines' own files.

    Returns
    -------
    Path
        What `read_scan` is to be given.

    Raises
    ------
    XctError
        If the layout is not known.
    OSError
        If the files cannot be written.
    """
    writers: dict[str, Callable[[Scan, Path, str], Path]] = {
        "dxchange": _write_dxchange,
        "nxtomo": _write_nxtomo,
        "p05": _write_p05,
        "tiff": _write_tiff,
    }
    if layout not in writers:
        raise XctError(f"format = {layout!r} is not known; expected one of {', '.join(LAYOUTS)}")
    return writers[layout](scan, folder, name)


def _write_nxtomo(scan: Scan, folder: Path, name: str) -> Path:
    return convert(scan, folder / f"{name}.nxs", "nxtomo")


def _write_dxchange(scan: Scan, folder: Path, name: str) -> Path:
    # The layout has no place for the ring current.
    silent = replace(scan, ring_current_ma=None, flat_ring_current_ma=None)
    return convert(silent, folder / f"{name}.h5", "dxchange")


@dataclass(frozen=True)
class _Taken:
    """One frame in order of time: its kind, its number among these, and its start, s."""

    kind: str
    number: int
    time: float


def _in_order(scan: Scan) -> list[_Taken]:
    """List all frames in the order in which they were taken, darks first."""
    frames = []
    for kind, time in (("flats", scan.flat_time), ("projections", scan.projection_time)):
        assert time is not None
        frames += [_Taken(kind, number, float(at)) for number, at in enumerate(time)]
    frames.sort(key=lambda frame: frame.time)
    darks = 0 if scan.darks is None else scan.darks.shape[0]
    step = frames[1].time - frames[0].time
    first = frames[0].time - darks * step
    return [_Taken("darks", n, first + n * step) for n in range(darks)] + frames


def _blocks(scan: Scan, frames: list[_Taken]) -> Iterator[tuple[int, np.ndarray]]:
    """Read frames in order, some at a time; each block with the place of its first frame."""
    view = scan.projections
    few = max(1, _BLOCK_BYTES // int(np.prod(view.shape[1:]) * view.dtype.itemsize))
    first = 0
    while first < len(frames):
        kind, number = frames[first].kind, frames[first].number
        stop = first + 1
        while stop < len(frames) and stop - first < few and frames[stop].kind == kind:
            stop += 1
        yield first, getattr(scan, kind).read(slice(number, number + stop - first))
        first = stop


def _write_frames(scan: Scan, frames: list[_Taken], files: list[Path]) -> None:
    for parent in {path.parent for path in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for first, block in _blocks(scan, frames):
        for place, frame in enumerate(block):
            tifffile.imwrite(files[first + place], frame)


def _write_tiff(scan: Scan, folder: Path, name: str) -> Path:
    """Write numbered frames, the number running on through all kinds, and their angles."""
    frames, place = _in_order(scan), folder / name
    files = [place / f"{_PREFIX[frame.kind]}_{n:06d}.tif" for n, frame in enumerate(frames)]
    _write_frames(scan, frames, files)
    if scan.theta_deg is not None:
        np.savetxt(place / "theta_deg.txt", scan.theta_deg, fmt="%.9f")
    return place


def _write_p05(scan: Scan, folder: Path, name: str) -> Path:
    frames, place = _in_order(scan), folder / name
    names = [
        f"tiff{n // _FRAMES_OF_A_FOLDER:04d}/{name}_{n:07d}_{_SUFFIX[frame.kind]}.tif"
        for n, frame in enumerate(frames)
    ]
    _write_frames(scan, frames, [place / one for one in names])
    nexus = place / f"{name}_nexus.h5"
    with h5py.File(nexus, "w") as file:
        for path, value in _p05_facts(scan, frames, names).items():
            file[path] = value
    return nexus


def _p05_facts(scan: Scan, frames: list[_Taken], names: list[str]) -> dict[str, object]:
    """List what P05 writes down beside its frames, by the path inside the file."""
    keys = np.array([_KEYS[frame.kind] for frame in frames])
    seconds = np.array([frame.time for frame in frames])
    start_ms = _EPOCH_MS + 1000 * (seconds - seconds[0])
    data, setup, camera = "entry/scan/data", "entry/scan/setup", "entry/hardware/camera"
    facts: dict[str, object] = {
        f"{data}/image_file/value": names,
        f"{data}/image_file/time": np.rint(start_ms).astype(np.int64),
        f"{data}/image_key/value": keys,
        f"{data}/s_rot/value": scan.theta_deg,
        f"{camera}/exptime": [_EXPOSURE_MS],
        f"{camera}/magnification": [_MAGNIFICATION],
        f"{camera}/pixelsize": [(scan.pixel_size_um or 0) * _MAGNIFICATION * 1e-3],
        "entry/scan/n_dark": [int(np.sum(keys == 2))],
        "entry/scan/n_ref": [int(np.sum(keys == 1))],
        "entry/scan/n_img": [int(np.sum(keys == 0))],
        "entry/scan/n_angle": [int(np.sum(keys == 0))],
        f"{setup}/pos_p05_energy": [1000 * (scan.energy_kev or 0)],
        f"{setup}/o_ccd_dist": [scan.distance_mm or 0.0],
    }
    if scan.ring_current_ma is not None and scan.flat_ring_current_ma is not None:
        current = np.full(len(frames), scan.ring_current_ma.mean())
        current[keys == 0], current[keys == 1] = scan.ring_current_ma, scan.flat_ring_current_ma
        # Read at the start and at the end of each frame.
        ring = "entry/hardware/beam_current/current"
        readings = np.rint(np.stack([start_ms, start_ms + _EXPOSURE_MS], axis=1).reshape(-1))
        facts[f"{ring}/time"] = readings.astype(np.int64)
        facts[f"{ring}/value"] = np.repeat(current, 2)
    return facts
