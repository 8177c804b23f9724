"""Volumes that went through another program's hands: masked, filtered, stitched, exported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy.ndimage

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case
from studies.given_volumes.tiff_files import slices, tiff, tiff_as
from studies.given_volumes.traits import but, coded, on, said_edges, scaled

_GREY = but(unit="grey")
_INSIDE = 38.0  # pixels from the middle: a mask within the bore, whose radius is 41
_BAD = "scale|line|linear|step|jump|contrast|inverted|slices"


def exports() -> Iterator[Case]:
    """As other programs hand them on."""
    yield from _masked(partial(Case, "Masked and exported", write=tiff))
    yield from _filtered(partial(Case, "Filtered", write=tiff))
    yield from _stretched(partial(Case, "On a scale that is no line", write=tiff))
    yield from _put_together(partial(Case, "Put together", write=tiff))


def _masked(of: partial[Case]) -> Iterator[Case]:
    view = {"says": "no sharp edge|clipped|wall of the bore", "part": True}
    for name, value in (("0", 0.0), ("NaN", np.nan)):
        yield of(f"cylinder within the bore, {name} outside", traits=[on(_mask, value)], **view)
    yield of(
        "cylinder within the bore, 8 bits, 255 outside",
        traits=[coded("uint8"), on(_mask, 255)], **view,
    )  # fmt: skip
    ramp = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)
    eight = coded("uint8")
    yield of(
        "8 bits with a palette of greys",
        write=tiff_as(photometric="palette", colormap=ramp), traits=[eight],
    )  # fmt: skip
    yield of(
        "8 bits with a palette of colors in no order",
        write=tiff_as(photometric="palette", colormap=ramp[:, _shuffled()]),
        traits=[eight, on(lambda codes: np.argsort(_shuffled()).astype("u1")[codes])],
        says="palette|color",
    )  # fmt: skip
    yield of(
        "8 bits, white is zero",
        write=tiff_as(photometric="miniswhite"), traits=[eight, on(lambda codes: 255 - codes)],
        says="invert",
    )  # fmt: skip
    yield of(
        "8 bits, JPEG within TIFF, lossy",
        write=tiff_as(compression="jpeg", compressionargs={"level": 75}), traits=[eight],
        says="compress|JPEG|lossy",
    )  # fmt: skip
    yield of(
        "16 bits, cut to 8 by their last byte",
        traits=[coded("uint16"), on(lambda codes: (codes // 16).astype("u1"))], says="range|wrap",
    )  # fmt: skip
    yield of(
        "negative values set to 0, 16 bits",
        traits=[on(lambda mu: (np.clip(mu, 0, None) * 300).astype("u2")), _GREY], says="clipped",
    )  # fmt: skip
    yield of("16 bits with sign, air at −20,000", traits=[scaled(200, -20_000), on(_int16), _GREY])
    yield of("BigTIFF of 16-bit slices", write=slices(), traits=[coded("uint16")])
    yield of("padded by 20 voxels of 0", traits=[on(np.pad, ((20, 20), (20, 20), (20, 20)))])
    yield of("turned by 10° within the slices", traits=[on(_turned)], says="smoothed|interpol")


def _filtered(of: partial[Case]) -> Iterator[Case]:
    alike = "smooth|filter|sharp|interpol"
    yield of("non-local means, slice by slice", traits=[on(_nl_means)], says=alike)
    yield of("bilateral, slice by slice", traits=[on(_bilateral)], says=alike)
    yield of("median of 3 × 3, slice by slice", traits=[on(_median_2d)], says=alike)
    yield of("Gauss of one voxel", traits=[on(scipy.ndimage.gaussian_filter, 1.0)], says=alike)
    yield of("unsharp mask", traits=[on(_unsharp)], says=alike)
    yield of(
        "twice as many voxels, interpolated",
        traits=[on(lambda mu: scipy.ndimage.zoom(mu[10:78], 2, order=1)), _half_edges()],
        says=alike, part=True,
    )  # fmt: skip


def _stretched(of: partial[Case]) -> Iterator[Case]:
    for power in (0.5, 2.0):
        yield of(f"8 bits, gamma of {power:g}", traits=[coded("uint8"), on(_gamma, power)],
                 says=_BAD)  # fmt: skip
    yield of("logarithm of the values", traits=[on(lambda mu: np.log10(np.clip(mu, 0, None) + 1)),
                                                _GREY], says=_BAD)  # fmt: skip
    yield of("histogram equalized", traits=[on(_equalized), _GREY], says=_BAD)
    yield of("each slice over its own mean", traits=[on(_over_means), _GREY], says=_BAD)
    for part in (0.03, 0.2):
        yield of(
            f"contrast grows by {part:.0%} from slice to slice",
            traits=[on(_drifting, part)], says="drift|along z|slices|trend",
        )  # fmt: skip


def _put_together(of: partial[Case]) -> Iterator[Case]:
    seam = "seam|step|stitch|moved|shift|jump|slices"
    for first, where in ((44, "halfway"), (70, "within the cathode")):
        yield of(f"slices turned by 10° {where}", traits=[on(_turned_from, first)],
                 says="turned|continue")  # fmt: skip
    for part in (0.03, 0.15):
        yield of(f"two halves, one {part:.0%} brighter", traits=[on(_brighter, part)], says=seam)
    for pixels in (1, 4):
        yield of(f"two halves, one moved by {pixels} voxels", traits=[on(_moved, pixels)],
                 says=seam)  # fmt: skip
    yield of("ten slices twice, where halves overlap", traits=[on(_overlapping)], says="once more")
    yield of("slices moved by half a pixel at random", traits=[on(_jittered)], says=seam)
    yield of("slices in the order of 1, 10, 11, 2", traits=[on(_by_name)], says="order|slices")
    yield of("every tenth slice black", traits=[on(_black)], says="missing")
    yield of("two cells side by side", traits=[on(_twins)], says="bore|two|cells")


def _half_edges() -> object:
    return said_edges(0.5, 0.5, 0.5)


def _mask(values: np.ndarray, value: float) -> np.ndarray:
    beyond = spoiling.radius_of(values.shape) > _INSIDE
    return np.where(beyond, np.array(value, values.dtype), values)


def _shuffled() -> np.ndarray:
    return np.random.default_rng(7).permutation(256)


def _int16(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.clip(values, -32768, 32767)), "i2")


def _turned(mu: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.ndimage.rotate(mu, 10, axes=(1, 2), reshape=False, order=1), "f4")


def _turned_from(mu: np.ndarray, first: int) -> np.ndarray:
    return np.concatenate([mu[:first], _turned(mu[first:])])


def _nl_means(mu: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    h = 0.8
    return np.asarray(
        [denoise_nl_means(p, 3, 4, h=h, sigma=h, fast_mode=True) for p in mu], np.float32
    )


def _bilateral(mu: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_bilateral

    low, high = float(mu.min()), float(mu.max())
    return np.asarray(
        [
            denoise_bilateral((p - low) / (high - low), 5, sigma_color=0.02, sigma_spatial=1.5)
            for p in mu
        ],
        np.float32,
    ) * (high - low) + low  # fmt: skip


def _median_2d(mu: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.ndimage.median_filter(mu, (1, 3, 3)))


def _unsharp(mu: np.ndarray) -> np.ndarray:
    return np.asarray(mu + 0.6 * (mu - scipy.ndimage.gaussian_filter(mu, (0, 2, 2))), np.float32)


def _gamma(codes: np.ndarray, power: float) -> np.ndarray:
    return np.rint(255 * (codes / 255.0) ** power).astype(np.uint8)


def _equalized(mu: np.ndarray) -> np.ndarray:
    held = np.sort(mu[:, spoiling.in_circle(mu.shape)], axis=None)
    return np.rint(65535 * np.searchsorted(held, mu) / held.size).astype("u2")


def _over_means(mu: np.ndarray) -> np.ndarray:
    means = mu.mean(axis=(1, 2), keepdims=True)
    return np.asarray(mu / means * 1000, np.float32)


def _drifting(mu: np.ndarray, part: float) -> np.ndarray:
    return np.asarray(mu * np.linspace(1, 1 + part, len(mu))[:, None, None], np.float32)


def _brighter(mu: np.ndarray, part: float) -> np.ndarray:
    factors = np.where(np.arange(len(mu)) < 44, 1 + part, 1.0)
    return np.asarray(mu * factors[:, None, None], np.float32)


def _moved(mu: np.ndarray, pixels: int) -> np.ndarray:
    return np.concatenate([mu[:44], np.roll(mu[44:], pixels, axis=2)])


def _overlapping(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:50], mu[40:]])


def _jittered(mu: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(9)
    moves = rng.uniform(-0.5, 0.5, (len(mu), 2))
    return np.asarray(
        [scipy.ndimage.shift(p, m, order=1) for p, m in zip(mu, moves, strict=True)], np.float32
    )


def _by_name(mu: np.ndarray) -> np.ndarray:
    return mu[sorted(range(len(mu)), key=str)]


def _black(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    out[5::10] = 0
    return out


def _twins(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:, :, 7:89], mu[:, ::-1, 7:89]], axis=2)
