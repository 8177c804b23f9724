"""Whether each slice continues the one before. In: slices; out: shifts, turns, breaks.

Blur makes neighboring slices alike: what of their difference lies along the slope of both is a
shift, and where slopes of one are not found in the next, another part begins.
"""

from __future__ import annotations

import numpy as np

_BESIDE = 4  # slices on either side of a seam that fit
# What a slice is shifted against the one before, by their difference along the slope of both: in
# pixels, and as their correlation, of which cells had up to 0.09, and 0.2 to 0.45 in two slices or
# more at a face that is cut off or leans. Slices that were moved by a voxel: 0.2 (seeds 3 and 11).
_SHIFT_PX, _SHIFTED, _ALONE, _OFTEN = 0.3, 0.15, 0.5, 0.33
_EVERY, _LINES = 4, 32  # so manieth line is looked at for that, of wide slices so many lines
# Slopes of a slice that continue in the next, as their correlation: in a cathode 0.45 and more;
# where a part was turned by 10°, or slices are missing, it falls to a tenth or two (seeds 3 and
# 11). Beside it all are more than that.
_CONTINUED, _BROKEN = 0.4, 0.45
_ANGLES = 1440
_TURNED = 0.25, 2.0  # correlation once it is turned back, and over that before


def slice_moves(values: np.ndarray, first: int) -> np.ndarray:
    """Measure how far slices are shifted against the ones before, by some of their lines.

    Parameters
    ----------
    values : ndarray of float32, shape (z, y, x)
        Slices, with the one before, but for the first of the volume.
    first : int
        0 where the first slice of the volume comes first, which has none before; else 1.

    Returns
    -------
    ndarray of float32, shape (z, axis, 3)
        Along y and x: pixels, the correlation of difference and slope, and that of both slopes; 0
        of the first.
    """
    found = np.zeros((len(values) - first, 2, 3), np.float32)
    for axis in (0, 1):
        along_axis = np.moveaxis(values, 1 + axis, 2)
        every = max(_EVERY, along_axis.shape[1] // _LINES)
        lines = np.nan_to_num(along_axis[:, ::every])
        slopes = [(each[:, 2:] - each[:, :-2]) / 2 for each in lines]
        own = [float(np.vdot(each, each)) for each in slopes]
        for z in range(1, len(lines)):
            apart = (lines[z - 1] - lines[z])[:, 1:-1]
            both, all_ = float(np.vdot(slopes[z - 1], slopes[z])), float(np.vdot(apart, apart))
            along = float(np.vdot(apart, slopes[z - 1]) + np.vdot(apart, slopes[z])) / 2
            mean = (own[z - 1] + 2 * both + own[z]) / 4
            if mean > 0 and all_ > 0 and own[z - 1] * own[z] > 0:
                alike = both / (own[z - 1] * own[z]) ** 0.5
                found[z - first, axis] = along / mean, along / (mean * all_) ** 0.5, alike
    return found


def turn_between(before: np.ndarray, after: np.ndarray) -> float | None:
    """Measure by how many degrees a slice is turned about its middle against another.

    Parameters
    ----------
    before, after : ndarray, shape (y, x)
        Two slices.

    Returns
    -------
    float or None
        None where no turn makes them alike.
    """
    rings = [_rings(np.nan_to_num(each)) for each in (before, after)]
    one, other = (np.fft.rfft(each, axis=1) for each in rings)
    sizes = float(np.sqrt(np.square(rings[0]).sum() * np.square(rings[1]).sum()))
    if not sizes > 0:
        return None
    alike = np.fft.irfft((np.conj(one) * other).sum(axis=0), _ANGLES) / sizes
    at = int(alike.argmax())
    least, over = _TURNED
    if alike[at] < max(least, over * abs(alike[0])):
        return None
    return float((at - _ANGLES if at > _ANGLES // 2 else at) * 360 / _ANGLES)


def _rings(image: np.ndarray) -> np.ndarray:
    """Give the values on rings about the middle, less their means, shape (ring, angle)."""
    y, x = ((n - 1) / 2 for n in image.shape)
    radius = np.arange(min(y, x) // 4, min(y, x) - 1)[:, None]
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    rows = np.rint(y + radius * np.sin(angle)).astype(int)
    columns = np.rint(x + radius * np.cos(angle)).astype(int)
    found = image[rows, columns]
    return np.asarray(found - found.mean(axis=1, keepdims=True), np.float64)


def shifted(moves: np.ndarray) -> list[tuple[int, str, float]]:
    """Find slices that are shifted against the one before, and no other near them.

    Parameters
    ----------
    moves : ndarray, shape (z, axis, 3)
        Of the second slice and all that follow.

    Returns
    -------
    list of (int, str, float)
        Number of the slice, axis, pixels.
    """
    found = []
    alike = np.abs(moves[..., 1])
    for z in range(_BESIDE, len(moves) - _BESIDE):
        for axis, name in enumerate("yx"):
            near = alike[[*range(z - _BESIDE, z), *range(z + 1, z + _BESIDE + 1)], axis].max()
            pixels, r = abs(moves[z, axis, 0]), alike[z, axis]
            if pixels > _SHIFT_PX and r > _SHIFTED and near < _ALONE * r:
                found.append((z + 1, name, float(pixels)))
    return found


def jittered(moves: np.ndarray) -> bool:
    """Say whether most slices are shifted against the one before, one way and the other.

    Parameters
    ----------
    moves : ndarray, shape (z, axis, 3)
        Of the second slice and all that follow.
    """
    return bool((np.mean(np.abs(moves[..., 1]) > _SHIFTED, axis=0) > _OFTEN).any())


def broken(moves: np.ndarray) -> list[tuple[int, float, float]]:
    """Find slices that do not continue the one before, where their neighbors do.

    Parameters
    ----------
    moves : ndarray, shape (z, axis, 3)
        Of the second slice and all that follow.

    Returns
    -------
    list of (int, float, float)
        Number of the slice, how alike its slopes are, and those of its neighbors.
    """
    alike = moves[..., 2].mean(axis=1)
    found = []
    for z in range(_BESIDE, len(alike) - _BESIDE):
        sides = alike[z - _BESIDE : z], alike[z + 1 : z + _BESIDE + 1]
        usual = min(float(np.min(side)) for side in sides)
        if usual > _CONTINUED and alike[z] < _BROKEN * usual:
            found.append((z + 1, float(alike[z]), usual))
    return found
