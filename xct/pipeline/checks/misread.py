"""Numbers that are read in the wrong way. In: a given volume; out: errors.

A file without a header, or with a poor one, does not say which byte of a number comes first, or
whether it has a sign. Read otherwise than meant, a volume is rough where it is smooth: neighbors
stand apart in the order of all values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xct.io.volume_files.volume import ForeignVolume

_LOOKED_AT = 5  # slices,
_MOST_LINES = 48  # of each of which so many lines
# Noise alone has 1/3, drawn cells up to 0.14, and 0.25 to 0.33 with their bytes swapped, but for
# such of few values, whose order is lost either way.
_ROUGH, _ROUGHER = 0.2, 1.5
# Neighbors that differ by half of the range: at faces, a few; where noise crosses its end, many.
_JUMPS, _MORE_JUMPS = 0.01, 5
# Of 8 bits, neighbors that are further apart than this, beside those cut off at either end: up to
# 0.001 of drawn cells with eight times their noise, 0.03 to 0.06 of such cut to their last byte.
_FAR, _CUT = 192, 0.005


def misread(volume: ForeignVolume, file: str, stages: Sequence[str]) -> list[str]:
    """Say that values are smooth if they are read in another byte order, or with or without a sign.

    Parameters
    ----------
    volume : ForeignVolume
        A few lines of a few slices are read.
    file : str
        Its name, for the message.
    stages : sequence of str
        Names of the stages that will run: only those that need a cell object.
    """
    dtype = np.dtype(volume.voxels.dtype)
    if "electrolyte_reference" not in stages or dtype.kind not in "iuf":
        return []
    lines = _lines(volume, dtype)
    if dtype.itemsize == 1:
        text = _cut_to_a_byte(lines)
    else:
        text = _swapped(lines) or (_wrapped(lines) if dtype.kind in "iu" else None)
    return [] if text is None else [f"volume.file: {file}: as {dtype.name} {text}"]


def _swapped(lines: np.ndarray) -> str | None:
    as_read, other = roughness(lines), roughness(lines.byteswap())
    if as_read <= max(_ROUGH, _ROUGHER * other):
        return None
    return (
        "neighboring voxels differ like noise, and are alike with their bytes in the other order "
        f"(in the order of all values they stand {as_read:.2f} and {other:.2f} of it apart); say "
        "volume.raw: {…, big_endian: true} (or false), or save it in the byte order that its "
        "header says"
    )


def _wrapped(lines: np.ndarray) -> str | None:
    kind = "i" if lines.dtype.kind == "u" else "u"
    meant = np.dtype(f"{kind}{lines.dtype.itemsize}")
    as_read, other = _jumps(lines), _jumps(lines.view(meant))
    if as_read <= max(_JUMPS, _MORE_JUMPS * other):
        return None
    return (
        f"{as_read:.1%} of neighboring voxels differ by more than half of the range, as "
        f"{meant.name} {other:.1%}: values run over the range's end; say volume.raw: {{dtype: "
        f"{meant.name}}}, or save it as {meant.name}"
    )


def _cut_to_a_byte(lines: np.ndarray) -> str | None:
    info = np.iinfo(lines.dtype)
    one, other = (part.astype(int) for part in (lines[:, 1:], lines[:, :-1]))
    between = (np.minimum(one, other) > info.min) & (np.maximum(one, other) < info.max)
    jumps = float(np.mean(between & (np.abs(one - other) > _FAR)))
    if jumps <= _CUT:
        return None
    return (
        f"{jumps:.1%} of neighboring voxels differ by more than {_FAR} of 255, and do not reach "
        "the ends: values run over the range's end, as where 16 bits were cut to their last byte; "
        "convert it to 8 bits by a window, or save it with 16 bits"
    )


def _jumps(lines: np.ndarray) -> float:
    """Give the fraction of neighbors that differ by more than half of what their type holds."""
    apart = np.abs(np.diff(lines.astype(np.float64), axis=1))
    return float(np.mean(apart > 2.0 ** (8 * lines.dtype.itemsize - 1)))


def roughness(lines: np.ndarray) -> float:
    """Give how far neighbors stand apart in the order of all values: 1/3 for noise, 0 for none.

    Parameters
    ----------
    lines : ndarray, shape (line, x)
        Numbers; what is not finite comes last.
    """
    rank = np.empty(lines.size)
    order = np.argsort(lines, axis=None, kind="stable")
    values = lines.reshape(-1)[order]
    new = np.concatenate([[0], np.cumsum(values[1:] != values[:-1])])  # equal ones have one place
    first = np.searchsorted(new, new)
    rank[order] = first
    apart = np.abs(np.diff(rank.reshape(lines.shape), axis=1))
    return float(apart.mean() / max(rank.max(), 1.0))


def _lines(volume: ForeignVolume, dtype: np.dtype) -> np.ndarray:
    depth, height, _ = volume.voxels.shape
    middle = slice(max(height // 2 - _MOST_LINES // 2, 0), height // 2 + _MOST_LINES // 2)
    numbers = np.unique(np.linspace(0, depth - 1, _LOOKED_AT + 2).astype(int)[1:-1])
    parts = [volume.stored(np.s_[int(z) : int(z) + 1, middle]) for z in numbers]
    return np.concatenate([part[0] for part in parts]).astype(dtype)
