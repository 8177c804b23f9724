"""When frames were taken, and the ring current then. In: logged times and readings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.frames import Frames
from xct.io.scans.raw import Stack
from xct.io.tiff.stacks import named, open_stack

# Frames that a P05 file names, found on disk. In: names and keys; out: files and stacks.

# Kind of a frame by its image key.
KINDS: Mapping[str, int] = {"projections": 0, "flats": 1, "darks": 2}
_WAITING_THREADS = 16


@dataclass(frozen=True)
class Found:
    """Where the named files are.

    Attributes
    ----------
    files : list of Path
        One for each name.
    errors : list of str
        About names that are missing, repeated, or lead out of the scan's folder.
    """

    files: list[Path]
    errors: list[str]


def find_frames(source: Path, names: Sequence[str], links_below: Path | None) -> Found:
    """Find the files that `source` names, relative to its folder.

    A "/" at the beginning means the scan's folder, too. What counts is where a file really
    lies, symbolic links resolved: in that folder or below it, or below `links_below`.
    """
    folder = Path(os.path.abspath(source)).parent
    roots = [os.path.realpath(folder)]
    if links_below is not None:
        roots.append(os.path.realpath(links_below))
    with ThreadPoolExecutor(_WAITING_THREADS) as pool:
        files = list(pool.map(lambda name: _place(folder, name), names))
        modes = list(pool.map(_mode, files))
    parents = {parent: os.path.realpath(parent) for parent in {path.parent for path in files}}
    outside, missing = [], []
    for name, path, mode in zip(names, files, modes, strict=True):
        linked = mode is not None and stat.S_ISLNK(mode)
        real = os.path.realpath(path) if linked else os.path.join(parents[path.parent], path.name)
        if not any(_is_below(real, root) for root in roots):
            outside.append(name)
        elif mode is None or (linked and not path.exists()):
            missing.append(name)
    return Found(files, list(_errors(source, names, outside, missing)))


def _place(folder: Path, name: str) -> Path:
    inside = folder / name.lstrip("/")
    if name.startswith("/") and not inside.exists() and os.path.exists(name):
        return Path(name)
    return inside


def _mode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return None


def _is_below(path: str, root: str) -> bool:
    # `..` is never left in a real path, so that comparing names is enough.
    return os.path.normpath(path).startswith(root.rstrip("/") + "/")


def _errors(
    source: Path, names: Sequence[str], outside: list[str], missing: list[str]
) -> Iterator[str]:
    if outside:
        yield (
            f"{source}: {len(outside)} of {len(names)} frames lie outside of the scan's folder: "
            f"{named(outside)}; set scan.links_below to a folder that holds them, if you trust "
            "this file"
        )
    if missing:
        yield (
            f"{source}: {len(missing)} of {len(names)} frames that it names are missing in "
            f"{source.parent}: {named(missing)}; copy the whole scan"
        )
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if name in first:
            yield (
                f"{source}: frames {first[name]} and {number} are both {name}; which of the two "
                "is missing is not known"
            )
            return
        first[name] = number


def stacks_of(
    files: Sequence[Path], keys: np.ndarray, time: np.ndarray | None
) -> tuple[dict[str, Stack], list[str]]:
    """Make a stack of each kind, in the order given; the second list holds errors."""
    stacks: dict[str, Stack] = {}
    errors: list[str] = []
    for kind, key in KINDS.items():
        places = np.flatnonzero(keys == key).tolist()
        if len(places) == 0:
            continue
        try:
            frames = open_stack([files[place] for place in places])
        except ScanError as error:
            errors += error.errors
            continue
        when = None if time is None else time[places]
        stacks[kind] = Stack(frames, np.arange(frames.shape[0]), when)
    return stacks, errors


def contradicted_counts(
    source: Path, said: Mapping[str, float | None], keys: np.ndarray
) -> Iterator[tuple[bool, str]]:
    """Find counts of a file that are not those of its frames.

    `n_ref` may count the flats of each block, and `n_img` the frames at each angle.

    Yields
    ------
    interrupted : bool
        Fewer frames are there than were planned.
    message : str
    """
    projections, flats, darks = (int(np.sum(keys == key)) for key in KINDS.values())
    n_img, n_angle = said.get("n_img"), said.get("n_angle")
    every_angle = None if n_img is None or n_angle is None else n_img * n_angle
    possible: dict[str, tuple[int, str, set[float | None]]] = {
        "n_dark": (darks, "darks", {darks}),
        "n_ref": (flats, "flats", {flats, _block_length(keys)}),
        "n_img": (projections, "projections", {projections}),
        "n_angle": (projections, "projections", {projections}),
    }
    for name, (count, kind, fitting) in possible.items():
        value = said.get(name)
        if value is None or value in fitting:
            continue
        if name in ("n_img", "n_angle") and every_angle == projections:
            continue
        yield (
            value > count,
            f"{source}: {name} = {value:g}, but it names {count} {kind}; was the scan interrupted, "
            "or copied in part?",
        )


def _block_length(keys: np.ndarray) -> int | None:
    """Length of the blocks of flats, where there are several of one length."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], keys == KINDS["flats"], [0]))))  # fmt: skip
    lengths = set((edges[1::2] - edges[::2]).tolist())
    return lengths.pop() if len(lengths) == 1 and len(edges) > 2 else None


def empty_darks(frames: Frames) -> str | None:
    """Say that darks hold nothing but zeros, if they do."""
    count, height, _ = frames.shape
    few = slice(height // 2, height // 2 + 8)
    empty = 0
    for frame in range(count):
        one = slice(frame, frame + 1)
        # Nearly always a few rows are enough to see that a frame is not empty.
        if not frames.read(one, few, slice(None)).any():
            empty += not frames.read(one, slice(None), slice(None)).any()
    if not empty:
        return None
    return (
        f"{empty} of {count} darks hold nothing but zeros; was the shutter or the camera's offset "
        "wrong? They are kept"
    )


def frame_clock(time_ms: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Turn time stamps, in the order in which frames were taken, into a clock that advances.

    Parameters
    ----------
    time_ms : ndarray, shape (frame,)
        Milliseconds since the epoch.

    Returns
    -------
    time : ndarray, shape (frame,)
        Seconds since the first frame. Frames with the same stamp are distributed over the time of
        one frame, in their order. Where the stamps run backwards or stand still: the number of
        the frame.
    note : str or None
        What was wrong with the stamps.
    """
    time_ms = np.asarray(time_ms, np.float64)
    count = len(time_ms)
    if count < 2:
        return np.zeros(count), None
    steps = np.diff(time_ms)
    if not np.isfinite(time_ms).all() or (steps < 0).any() or not steps.any():
        back = np.flatnonzero(~(steps >= 0))
        what = f"run backwards at frame {back[0] + 1}" if len(back) else "are all the same"
        return np.arange(count, dtype=np.float64), (
            f"the time stamps {what}, so the order of the frames is taken as their clock"
        )
    stamps, first, sizes = np.unique(time_ms, return_index=True, return_counts=True)
    duration = np.minimum(np.diff(stamps, append=np.inf), np.median(steps[steps > 0]))
    rank = np.arange(count) - np.repeat(first, sizes)
    shared = np.repeat(duration / sizes, sizes) * rank
    repeated = count - len(stamps)
    note = f"{repeated} of {count} time stamps repeat the one before" if repeated else None
    return (time_ms - time_ms[0] + shared) / 1000, note


def mean_current_ma(
    start_ms: np.ndarray,
    exposure_ms: float | None,
    reading_ms: np.ndarray,
    reading_ma: np.ndarray,
) -> np.ndarray:
    """Find the ring current of each frame: the mean of that at its start and at its end.

    Parameters
    ----------
    start_ms : ndarray, shape (frame,)
        When each exposure began.
    exposure_ms : float or None
        How long it was; None: only its start counts.
    reading_ms, reading_ma : ndarray, shape (reading,)
        The logged current. Zeros before the first real reading mean that there was none yet;
        later zeros are real.

    Returns
    -------
    ndarray, shape (frame,)
        mA, linear between readings. NaN where it is not known: before the first real reading,
        and longer after the last than readings lie apart.
    """
    real = np.isfinite(reading_ma) & np.isfinite(reading_ms) & (reading_ms > 0)
    real &= np.cumsum(real & (reading_ma > 0)) > 0
    times, places = np.unique(np.asarray(reading_ms, np.float64)[real], return_index=True)
    currents = np.asarray(reading_ma, np.float64)[real][places]
    if len(times) == 0:
        return np.full(len(start_ms), np.nan)
    reach = times[-1] + np.max(np.diff(times), initial=0.0)

    def at(moment: np.ndarray) -> np.ndarray:
        known = np.interp(moment, times, currents, left=np.nan)
        return np.where(moment <= reach, known, np.nan)

    start = np.asarray(start_ms, np.float64)
    return np.asarray((at(start) + at(start + (exposure_ms or 0.0))) / 2)
