"""Slices of a copied volume that do not follow each other. In: their means; out: errors, warnings.

Blur makes every slice like both its neighbors. One that is not, while these are alike, lies
elsewhere or is of another volume; one that comes again was put together without its overlap taken
out; and where two scans meet, all values step, in one material, or what follows is shifted or
turned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from xct.errors import DataError, ranges
from xct.io.volume_files.blank_blocks import unpacked
from xct.normalize.given.continuity import broken, jittered, shifted, turn_between
from xct.parallel.blocks import Voxels

_CELLS, _PART = 12, 0.6  # across the middle of a slice, of so much of its width
# How much more a slice differs from both its neighbors than these from each other and from the
# next ones: a crack of one slice, blurred by half a slice, up to 7 times. And of all differences.
_STRANGE, _OF_ALL = 10.0, 0.03
_LEAST_AGAIN = 2  # slices in a row, that come again
_OFTEN = 0.2  # of all slices, that equal the one before, where all were doubled or interpolated
_MOST_NAMED = 6
_FROM_ZERO, _HARDLY = 0.3, 0.1  # of the usual value: the least, and what is hardly more than it
_STEP, _FACE = 0.02, 0.5  # of the values: more is a step, and still more a face of two materials
_BESIDE = 4  # slices on either side of a step that are alike
# Of the step: what these, and parts of a slice beyond noise, may differ by; and what a step is at
# least, and none at most, over the quartiles' distance and the root of the number of squares, which
# is 1.3 standard errors. What squares count: beyond, a crack or an inclusion moves them.
_FLAT, _ALIKE, _SURE, _NONE = 0.25, 0.5, 3.2, 2.5
_COUNTED = 0.2, 0.8
# The change of all values at a face that begins at once, over those on either side and over all:
# blur of 0.7 pixels leaves a flat face 20 times, another part that begins at once has hundreds. And
# the distance of slices over the edge of a pixel, up to which there is that blur.
_AT_ONCE, _LARGE, _EVEN = 60.0, 0.02, 1.3


@dataclass(frozen=True)
class Seams:
    """Where slices do not follow each other: what is kept with the volume.

    Attributes
    ----------
    steps : list of (int, float)
        Slice before which all values step, and by which part.
    shifted : list of (int, str, float)
        First slice that is shifted, axis, pixels.
    jittered : bool
        Whether most slices are shifted against the one before.
    broken : list of (int, float, float)
        First slice that does not continue the one before, how alike slopes are, and are elsewhere.
    turned : list of (int, float)
        Those of them that do once they are turned about their middle, and by how many degrees.
    """

    steps: list[tuple[int, float]] = field(default_factory=list)
    shifted: list[tuple[int, str, float]] = field(default_factory=list)
    jittered: bool = False
    broken: list[tuple[int, float, float]] = field(default_factory=list)
    turned: list[tuple[int, float]] = field(default_factory=list)

    def turns_in(self, volume: Voxels) -> Seams:
        """Measure by how much parts that do not continue others are turned, shape (z, y, x)."""
        found = []
        for z, _, usual in self.broken:
            if usual == 0:
                continue
            before, after = np.asarray(volume[z - 1 : z + 1], np.float32)
            degrees = turn_between(before, after)
            if degrees is not None:
                found.append((z, degrees))
        return replace(self, turned=found)

    def to_dict(self) -> dict[str, Any]:
        """Give what there is, as plain values."""
        return {name: value for name, value in asdict(self).items() if value}


def slice_means(values: np.ndarray) -> np.ndarray:
    """Give means of 12 × 12 squares in the middle of each slice, float32, shape (z, y, x).

    Parameters
    ----------
    values : ndarray of float32, shape (z, y, x)
        Slices; NaN where a square holds one.
    """
    edge = max(int(_PART * min(values.shape[1:])) // _CELLS, 1)
    cells = min(_CELLS, *values.shape[1:])
    y, x = ((n - cells * edge) // 2 for n in values.shape[1:])
    middle = values[:, y : y + cells * edge, x : x + cells * edge]
    with np.errstate(over="ignore", invalid="ignore"):
        squares = middle.reshape(len(values), cells, edge, cells, edge)
        return np.asarray(squares.mean(axis=(2, 4)), np.float32)


def check_order(notes: Mapping[int, Any], elongation: float = 1.0) -> Seams:
    """Refuse slices in disorder, and find where parts that do not fit were put together.

    Parameters
    ----------
    notes : mapping
        What the journal holds of each slab, by its first slice.
    elongation : float, optional
        Distance of slices over the edge of a pixel: where it is large, slices continue less, and
        faces begin at once.

    Raises
    ------
    DataError
        If slices come again, or lie between others that follow each other.
    """
    means = np.concatenate([*_slices(notes, "means")]).astype(np.float64)
    means = means.reshape(len(means), -1)
    again = repeated(means)
    if again:
        first, second, count = again[0]
        raise DataError(
            f"slices {second} to {second + count - 1} are slices {first} to {first + count - 1} "
            "once more, value by value: was the overlap of two parts kept when they were put "
            "together? All that lies across them would be too thick; take them out"
        )
    if still := standing(means):
        first, count = still[0]
        raise DataError(
            f"slices {first} to {first + count - 1} are one and the same slice, value by value: "
            "was the volume padded by repeating its end, or a slice put in for lost ones? They "
            "would count as sample; take them out (a gap in the numbers of TIFF files counts as "
            "data that are missing)"
        )
    strange = out_of_place(means)
    if strange:
        raise DataError(
            f"slices {ranges(strange, _MOST_NAMED)} are unlike the slices on both sides, which are "
            "like each other: they lie elsewhere, as where numbers were sorted as text (1, 10, 11, "
            "2), or are of another volume. Put them where they belong, or take them out (a gap in "
            "the numbers of TIFF files counts as data that are missing)"
        )
    moves = np.concatenate([*_slices(notes, "follows")])[1:]
    moved, shaken = shifted(moves), jittered(moves)
    if shaken or elongation > _EVEN:
        return Seams(stepping(means), moved, shaken)
    ends = [b for b in broken(moves) if b[0] not in {z for z, *_ in moved}]
    known = {one[0] for one in ends}
    ends += [(z, 0.0, 0.0) for z in begins_at_once(means) if z not in known]
    return Seams(stepping(means), moved, shaken, ends)


def said_of(seams: Seams) -> list[str]:
    """Say what seams do."""
    said = [
        f"slices from {z} on are shifted by {pixels:.1f} pixels or more along {axis} against those "
        "before: were two parts put together that do not fit? Inclusions, low grey and particles "
        "at the seam are wrong, and the bore's axis leans by mistake; register the parts first"
        for z, axis, pixels in seams.shifted
    ]
    if seams.jittered:
        said.append(
            "slices are shifted against each other, most of them by some tenths of a pixel: were "
            "they aligned one by one, or did the sample shake? Particles and roughness are less "
            "certain than stated; reconstruct without an alignment of slices"
        )
    turned = dict(seams.turned)
    said += [_said_of_break(one, turned.get(one[0])) for one in seams.broken]
    return said + [
        f"values step by {step:+.1%} between the slices {z} and {z + 1}, within one material: did "
        "two scans of different brightness meet there? Grey values are put right for what is "
        "smooth along z, not for a step: values in 1/cm are less certain by it, and the volume of "
        "inclusions is left out; scale one part to the other before they are put together"
        for z, step in seams.steps
    ]


def _said_of_break(one: tuple[int, float, float], degrees: float | None) -> str:
    z, seen, usual = one
    if usual == 0:
        return (
            f"all values change at once between the slices {z - 1} and {z}, without the blur that "
            "every face has: was a part of another scan, or one upside down, put there? All that "
            "rests on the order of slices is withheld; put the parts together as they lay"
        )
    if degrees is None:
        why = (
            ": are slices missing there, or did two scans meet? The layer's thickness is left out."
        )
    else:
        why = f", and turned by {abs(degrees):.1f}° they fit: two parts were put together that lie "
        why += "turned against each other."
    return (
        f"slices from {z} on do not continue those before: slopes of the slices {z - 1} and {z} "
        f"are alike by {seen:.0%} (correlation), those of others near them by {usual:.0%}{why} "
        "What lies across the seam is cut: particles and inclusions there count twice; put the "
        "parts together as they lay"
    )


def _slices(notes: Mapping[int, Any], name: str) -> list[np.ndarray]:
    """Give what is known of each slice once; slabs may overlap where a run was cut otherwise."""
    z, found = 0, []
    for first in sorted(notes):
        part = unpacked(notes[first][name])
        found.append(part[max(z - first, 0) :])
        z = max(z, first + len(part))
    return found


def begins_at_once(means: np.ndarray) -> list[int]:
    """Find slices with which all values change, while they hardly do before and after.

    Parameters
    ----------
    means : ndarray, shape (z, cell)
        Those of one value, which are missing, or with NaN, do not count.
    """
    usable = np.isfinite(means).all(axis=1) & (np.ptp(means, axis=1) > 0)
    if np.count_nonzero(usable) < 2 * _BESIDE:
        return []
    change = np.median(np.abs(np.diff(means, axis=0)), axis=1)
    large = _LARGE * float(np.ptp(np.median(means[usable], axis=1)))
    found = []
    for z in range(_BESIDE, len(change) - _BESIDE):
        beside = max(float(change[z - 2 : z].max()), float(change[z + 1 : z + 3].max()))
        held = usable[z - 2 : z + 4].all()
        if held and change[z] > max(_AT_ONCE * beside, large):
            found.append(z + 1)
    return found


def repeated(means: np.ndarray) -> list[tuple[int, int, int]]:
    """Find runs of slices that come again further on: first, first of the second run, length.

    Parameters
    ----------
    means : ndarray, shape (z, cell)
        Slices of one value, or with NaN, do not count, and neither do neighbors.
    """
    telling = np.isfinite(means).all(axis=1) & (np.ptp(means, axis=1) > 0)
    seen: dict[bytes, int] = {}
    after = {}
    for z in np.flatnonzero(telling).tolist():
        earlier = seen.setdefault(means[z].tobytes(), z)
        if z - earlier > 1:
            after[z] = earlier
    runs: list[tuple[int, int, int]] = []
    for z, earlier in after.items():
        if runs and (earlier, z) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((earlier, z, 1))
    return [run for run in runs if run[2] >= _LEAST_AGAIN]


def standing(means: np.ndarray) -> list[tuple[int, int]]:
    """Find slices that equal the one before: first, and how many of each run.

    Parameters
    ----------
    means : ndarray, shape (z, cell)
        Slices of one value, or with NaN, do not count. Where very many do, it is how slices were
        made, which is said elsewhere: none of them counts.
    """
    telling = np.isfinite(means).all(axis=1) & (np.ptp(means, axis=1) > 0)
    same = telling[1:] & (means[1:] == means[:-1]).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(int), [0]]))).reshape(-1, 2)
    lone = [(int(z), int(stop - z + 1)) for z, stop in edges]
    return lone if len(lone) < _OFTEN * len(means) else []


def out_of_place(means: np.ndarray) -> list[int]:
    """Find single slices that are unlike both neighbors, which are alike.

    Parameters
    ----------
    means : ndarray, shape (z, cell)
        Those with NaN, or of one value, do not count.
    """
    if len(means) < 5:
        return []
    beside, over = (np.abs(means[n:] - means[:-n]).mean(axis=1) for n in (1, 2))
    held = np.isfinite(means).all(axis=1)
    of_all = _OF_ALL * np.ptp(np.median(means[held], axis=1)) if held.any() else np.inf
    found = []
    for z in range(2, len(means) - 2):
        least = min(beside[z - 1], beside[z])
        others = max(over[z - 1], beside[z - 2], beside[z + 1])
        one_value = np.ptp(means[z]) == 0  # data that are missing
        if not one_value and least > max(_STRANGE * others, of_all):
            found.append(z)
    return found


def _from_zero(means: np.ndarray) -> np.ndarray:
    """Count values from the least where a scale begins far from 0, as that of grey values may.

    What is hardly more than that does not count.
    """
    held = means[np.isfinite(means).all(axis=1)]
    if not held.size:
        return means
    least, usual = np.quantile(held, (0.01, 0.5))
    if not least > _FROM_ZERO * usual > 0:
        return means
    above = means - least
    return np.where(above > _HARDLY * (usual - least), above, np.nan)


def stepping(means: np.ndarray) -> list[tuple[int, float]]:
    """Find pairs of slices between which all values step, and slices about them do not.

    Parameters
    ----------
    means : ndarray, shape (z, cell)
        Of positive values: others do not count.

    Returns
    -------
    list of (int, float)
        Number of the slice before, and the step over its values.
    """
    means = _from_zero(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        rises = means[1:] / means[:-1] - 1
    rises[~((means[1:] > 0) & (means[:-1] > 0))] = np.nan
    whole = np.isfinite(rises).all(axis=1)
    rises = np.sort(np.where(whole[:, None], rises, 0), axis=1)
    low, high = np.quantile(rises, (0.25, 0.75), axis=1)
    first, stop = (round(part * rises.shape[1]) for part in _COUNTED)
    middle = rises[:, first : max(stop, first + 1)].mean(axis=1)
    found = []
    for z in range(_BESIDE, len(rises) - _BESIDE):
        near = np.r_[z - _BESIDE : z, z + 1 : z + _BESIDE + 1]
        step = abs(middle[z])
        if not (whole[z] and whole[near].all() and _STEP < step < _FACE):
            continue
        noise = float(np.median(high[near] - low[near]))
        of_mean = noise / means.shape[1] ** 0.5
        alike = high[z] - low[z] < 1.5 * noise + _ALIKE * step
        flat = np.abs(middle[near]).max() < max(_FLAT * step, _NONE * of_mean)
        if alike and flat and step > _SURE * of_mean:
            found.append((z, float(middle[z])))
    return found
