"""What noise of a slice, or of two, tells of what was done to them. In: slices; out: numbers.

A scan gives each detector row, and so each slice, noise of its own that is as strong everywhere
nearby. What was filtered, interpolated or coded with few values shows in how noise is alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SECTORS = 12  # of which every other one makes a half
_NEAREST = 4  # voxels from the axis: nearer, a ring is too short to be one
_LEAST_VOXELS, _LEAST_RINGS = 12, 16
_TREND = 3  # degree of what is no ring, along the radius
_FEW_VALUES = 256  # in a slice: more, and they are real numbers
_ENOUGH = 2**18  # voxels of a slice, that show which values there are
_LEAST_WEAVE, _LEAST_PAIRS = 24, 4  # pixels of a box, and pairs of slices
_SMOOTH, _SLOW = 9, 0.08  # pixels of a mean; cycles per pixel: what is slower is no weave
_OUTWARD, _SECTOR = 0.7, 1.5  # of the radius, and of what lies beside: what is compared
_LEAST_INSIDE, _LINES = 300, 64  # pixels of either, and lines that are enough
# Standard deviation over the median of sizes; what is a tail, what is far, and what a neighbor of a
# lone point has of it at most: a tenth of what a point spread of 1.4 voxels would give it.
_OF_MEDIAN, _TAIL, _FAR, _LONE = 1.4826, 3.0, 8.0, 0.05
# … beyond which a value is structure. Where noise is little (15 and 20 keV, a fifth of that at 25),
# pores made plain slices up to 0.34 alike, voxels two apart 0.11 to 0.55; by this 0.04 to 0.09 and
# -0.06 to 0.005, where a Gaussian of half a voxel gives 0.29, one of 0.7 pixels in each slice 0.03
# to 0.06, medians 0.54 and 0.35 (seeds 3, 91, 111, 112, both makes).
_CLIP = 1.5
_AT_MOST = 4.0  # medians: what a crack or a grain adds to noise counts as that


def step_of(values: np.ndarray) -> float:
    """Give the distance of values that are steps, as of few bits; 0 of real numbers.

    Parameters
    ----------
    values : ndarray
        Any.
    """
    some = values[:: max(1, values.size // _ENOUGH)]
    if np.unique(some[: 4 * _FEW_VALUES]).size >= _FEW_VALUES + 1:  # as a rule; NaN is one
        return 0.0
    seen = np.unique(some[np.isfinite(some)])
    return float(np.median(np.diff(seen))) if 2 < seen.size < _FEW_VALUES else 0.0


def likeness_across(image: np.ndarray, held: np.ndarray) -> tuple[float, float]:
    """Give the correlation of noise two pixels apart in a slice, by that of six apart as none.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        A slice.
    held : ndarray of bool, shape (y, x)
        What counts: one material.

    Returns
    -------
    of_all, of_most : float
        By all pixels, and by what most of them are, which hold no pore. NaN where too little
        counts.
    """
    apart = []
    for lag in (2, 6):
        both = [
            (one[lag:] - one[:-lag])[known[lag:] & known[:-lag]]
            for one, known in ((image, held), (image.T, held.T))
        ]
        if min(len(part) for part in both) < _LEAST_VOXELS:
            return float("nan"), float("nan")
        apart.append(np.concatenate(both))
    return _alike(*apart), _alike(*map(_clipped, apart))


def _alike(near: np.ndarray, far: np.ndarray) -> float:
    squares = [float(np.mean(np.square(part, dtype=np.float64))) for part in (near, far)]
    return 1 - squares[0] / squares[1] if squares[1] > 0 else float("nan")


def likeness_of_noise(image: np.ndarray, after: np.ndarray, held: np.ndarray) -> float:
    """Give the correlation of what two slices hold beside their means over 3 × 3 pixels.

    Parameters
    ----------
    image, after : ndarray, shape (y, x)
        Neighboring slices.
    held : ndarray of bool, shape (y, x)
        What counts: one material.

    Returns
    -------
    float
        NaN where too little counts, or does not vary.
    """
    held = held & np.isfinite(after)
    known = _of_3_by_3(held.astype(np.uint8)) == 9
    if np.count_nonzero(known) < _LEAST_VOXELS:
        return float("nan")
    fine = []
    for each in (image, after):
        level = each[held].mean()
        filled = np.where(held, each - level, 0).astype(np.float32)
        fine.append(_clipped((filled[1:-1, 1:-1] - _of_3_by_3(filled) / 9)[known]))
    scale = float(np.sqrt((fine[0] @ fine[0]) * (fine[1] @ fine[1])))
    return float(fine[0] @ fine[1]) / scale if scale > 0 else float("nan")


def _clipped(values: np.ndarray) -> np.ndarray:
    """Clip values to the width that most of them have: pores and grains are no noise."""
    most = _CLIP * _OF_MEDIAN * float(np.median(np.abs(values)))
    return np.asarray(np.clip(values, -most, most) if most > 0 else values, np.float64)


def odd_voxels(image: np.ndarray, after: np.ndarray, held: np.ndarray) -> tuple[int, int, int]:
    """Count what noise of a blurred sample does not have: lone points, and too few in its tails.

    Parameters
    ----------
    image, after : ndarray, shape (y, x)
        Neighboring slices.
    held : ndarray of bool, shape (y, x)
        What counts: one material.

    Returns
    -------
    tuple of int
        Voxels far beyond all four neighbors and the one of the next slice; voxels beyond three
        standard deviations of what they hold beside their means over 3 × 3 pixels; and all.
    """
    known = _of_3_by_3((held & np.isfinite(after)).astype(np.uint8)) == 9
    n = int(np.count_nonzero(known))
    if n < _LEAST_VOXELS:
        return 0, 0, 0
    level = float(np.median(image[held]))
    own = np.where(held, image - level, 0).astype(np.float32)
    fine = np.abs(np.where(known, own[1:-1, 1:-1] - _of_3_by_3(own) / 9, 0))
    sd = float(np.median(fine[known])) * _OF_MEDIAN
    if not sd > 0:
        return 0, 0, 0
    y, x = (at + 1 for at in np.nonzero(fine > _FAR * sd))
    others = (own[y - 1, x], own[y + 1, x], own[y, x - 1], own[y, x + 1], after[y, x] - level)
    beside: list[np.ndarray] = [np.asarray(one) for one in others]
    most = np.max(np.abs(beside), axis=0) - _TAIL * sd
    lone = np.count_nonzero(most < _LONE * np.abs(own[y, x])) if y.size else 0
    return int(lone), int(np.count_nonzero(fine > _TAIL * sd)), n


def _of_3_by_3(image: np.ndarray) -> np.ndarray:
    """Sum 3 × 3 pixels about each that has them all, shape (y - 2, x - 2)."""
    rows = image[:-2] + image[1:-1] + image[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def ring_variance(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> float:
    """Give the variance that rings add to values; about 0, of either sign, where there are none.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of voxels of one slice.
    y, x : ndarray, shape (n,)
        Where they lie from the center of the rings, in voxels.

    Returns
    -------
    float
        NaN where there are too few rings.
    """
    ring = np.rint(np.hypot(y, x)).astype(int)
    turn = (np.arctan2(y, x) / (2 * np.pi) * _SECTORS).astype(int) + _SECTORS
    length = int(ring.max(initial=0)) + 1
    at = ring + length * (turn % 2)
    count = np.bincount(at, minlength=2 * length).reshape(2, length)
    total = np.bincount(at, values, 2 * length).reshape(2, length)
    held = (count >= _LEAST_VOXELS).all(axis=0) & (np.arange(length) >= _NEAREST)
    if np.count_nonzero(held) < _LEAST_RINGS:
        return float("nan")
    weight = np.minimum(*count[:, held]).astype(float)
    r = np.linspace(-1, 1, length)[held]
    basis = np.vander(r, _TREND + 1) * np.sqrt(weight)[:, None]
    ortho, _ = np.linalg.qr(basis)
    one, other = (
        t / c * np.sqrt(weight) for t, c in zip(total[:, held], count[:, held], strict=True)
    )
    one, other = (part - ortho @ (ortho.T @ part) for part in (one, other))
    return float(one @ other / weight.sum())


def likeness_beside(changes: Sequence[np.ndarray]) -> float:
    """Give the correlation of noise of neighboring pixels of a slice.

    Parameters
    ----------
    changes : sequence of ndarray, shape (y, x)
        Differences of neighboring slices, of one material; NaN does not count.

    Returns
    -------
    float
        NaN where too little is in view.
    """
    found = []
    for change in changes:
        most = _AT_MOST * float(np.nanmedian(np.abs(change))) if np.isfinite(change).any() else 0.0
        if most > 0:
            fine = np.clip(np.nan_to_num(change), -most, most).astype(np.float64)
            fine -= fine.mean()
            both = np.mean(fine[1:] * fine[:-1]) + np.mean(fine[:, 1:] * fine[:, :-1])
            found.append(both / 2 / np.mean(fine**2))
    return float(np.median(found)) if len(found) >= _LEAST_PAIRS else float("nan")


def likeness_outward(change: np.ndarray, y: np.ndarray, x: np.ndarray) -> float:
    """Give by how much more alike noise of neighbors is along the radius than around it, outward.

    Where slices were warped about their middle, values lie between pixels along the radius only,
    and the more so outward.

    Parameters
    ----------
    change : ndarray, shape (y, x)
        Difference of two neighboring slices, of one material; NaN does not count.
    y, x : ndarray, shape (y,) and (x,)
        Distance of rows and columns from the axis as a part of the radius that counts.

    Returns
    -------
    float
        Difference of two correlations; NaN where too little is in view.
    """
    every = max(1, len(change) // _LINES)
    lines = [(change[::every], x, y[::every]), (change.T[::every], y, x[::every])]
    sizes = np.abs(lines[0][0])
    if not np.isfinite(sizes).any():
        return float("nan")
    most = _AT_MOST * float(np.nanmedian(sizes))
    radial, around = [], []
    for line, along, beside in lines:
        ahead, aside = np.abs(along), np.abs(beside)[:, None]
        outer = np.hypot(ahead, aside) > _OUTWARD
        radial.append(np.where(outer & (ahead > _SECTOR * aside), line, np.nan))
        around.append(np.where(outer & (aside > _SECTOR * ahead), line, np.nan))
    return _along_lines(radial, most) - _along_lines(around, most)


def _along_lines(lines: Sequence[np.ndarray], most: float) -> float:
    """Give the correlation of neighbors along lines; NaN where too few count."""
    product = pairs = square = count = 0.0
    for each in lines:
        held = np.isfinite(each)
        if np.count_nonzero(held) < _LEAST_INSIDE or not most > 0:
            return float("nan")
        fine = np.clip(each, -most, most)
        own = np.where(held, fine - fine[held].mean(), 0)
        product += float(np.vdot(own[:, 1:], own[:, :-1]))
        pairs += np.count_nonzero(held[:, 1:] & held[:, :-1])
        square += float(np.vdot(own, own))
        count += np.count_nonzero(held)
    return product / max(pairs, 1.0) / (square / count)


def weave(changes: Sequence[np.ndarray]) -> float:
    """Say how much the strength of noise goes up and down across a slice, evenly.

    A value that was interpolated between four has half the noise, or a quarter, by how far it lies
    from them; where a slice was turned or scaled that distance goes round evenly, alike in all.

    Parameters
    ----------
    changes : sequence of ndarray, shape (y, x)
        Differences of neighboring slices, of one material; NaN does not count.

    Returns
    -------
    float
        Power of the strongest wave over the median of all; NaN where too little is in view.
    """
    import scipy.ndimage

    sizes = [np.abs(each) for each in changes if np.isfinite(each).any()]
    if len(sizes) < _LEAST_PAIRS or min(sizes[0].shape) < _LEAST_WEAVE:
        return float("nan")
    total = np.zeros(sizes[0].shape)
    for size in sizes:
        usual = float(np.nanmedian(size))
        if not usual > 0:
            return float("nan")
        total += np.nan_to_num(np.minimum(size / usual, _AT_MOST), nan=1.0)
    strength = np.log(np.maximum(total, 1e-3 * len(sizes)))
    strength -= scipy.ndimage.uniform_filter(strength, _SMOOTH)
    window = np.hanning(total.shape[0])[:, None] * np.hanning(total.shape[1])
    power = np.abs(np.fft.rfft2(strength * window)) ** 2
    y, x = np.fft.fftfreq(total.shape[0]), np.fft.rfftfreq(total.shape[1])
    power = power[np.hypot(y[:, None], x) > _SLOW]
    usual = float(np.median(power))
    return float(power.max() / usual) if usual > 0 else float("nan")
