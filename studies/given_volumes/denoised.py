"""Volumes that were denoised, blurred or corrected by others, from hardly to strongly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.ndimage

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case
from studies.given_volumes.hands import by_lens, by_lens_of_frames
from studies.given_volumes.tiff_files import tiff
from studies.given_volumes.traits import on

_ALIKE = "smooth|filter|sharp|interpol|blur"


def denoised() -> Iterator[Case]:
    """As filters leave them, each in several strengths."""
    of = partial(Case, "By a filter, in steps", write=tiff, says=_ALIKE)
    for sd in (0.5, 0.7, 1.5):
        yield of(f"Gauss of {sd:g} voxels", traits=[on(scipy.ndimage.gaussian_filter, sd)])
        yield of(f"Gauss of {sd:g} pixels, slice by slice", traits=[on(_gauss_in_slices, sd)])
    yield of("median of 5 × 5, slice by slice", traits=[on(scipy.ndimage.median_filter, (1, 5, 5))])
    yield of("median of 5 × 5 × 5", traits=[on(scipy.ndimage.median_filter, 5)])
    for name, h in (("weak", 0.3), ("medium", 0.8), ("strong", 1.6)):
        yield of(f"non-local means by the noise, {name}", traits=[on(_means_alike, h)])
    for name, weight in (("weak", 0.4), ("strong", 1.5)):
        yield of(f"total variation, {name}", traits=[on(_total_variation, weight)])
    yield of("anisotropic diffusion", traits=[on(_diffused)])
    for left in (0.5, 0.15):
        yield of(f"noise learned away, {left:.0%} left", traits=[on(_less_noise, left)])
    yield of("outliers replaced by the median", traits=[on(_without_outliers)])
    yield of("band of frequencies, 3 to 40 pixels", traits=[on(_band)], says=_ALIKE + "|one mean")
    yield of("rings taken off after reconstruction", traits=[on(_without_rings)],
             says=_ALIKE + "|ring|cupping")  # fmt: skip
    for part in (0.01, 0.015):
        yield of(f"warped by a lens, {part:.1%} at the rim", traits=[on(by_lens, part)],
                 says="lens|" + _ALIKE)  # fmt: skip
    for part in (0.005, 0.01, 0.015):
        yield of(f"frames distorted by a lens, pincushion of {part:.1%} at the rim",
                 traits=[on(by_lens_of_frames, part)], says="lens|" + _ALIKE)  # fmt: skip


def _gauss_in_slices(mu: np.ndarray, sd: float) -> np.ndarray:
    return np.asarray(scipy.ndimage.gaussian_filter(mu, (0, sd, sd)), np.float32)


def _means_alike(mu: np.ndarray, h: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    return np.asarray(denoise_nl_means(mu, 3, 3, h=h, sigma=0.8, fast_mode=True), np.float32)


def _total_variation(mu: np.ndarray, weight: float) -> np.ndarray:
    from skimage import restoration

    denoise: Any = restoration.denoise_tv_chambolle
    return np.asarray(denoise(mu, weight, max_num_iter=60), np.float32)


def _diffused(mu: np.ndarray) -> np.ndarray:
    """Let values flow where they differ by no more than noise, as Perona and Malik do."""
    out = mu.astype(np.float64)
    for _ in range(8):
        flow = np.zeros_like(out)
        for axis in range(3):
            step = np.diff(out, axis=axis)
            moved = step * np.exp(-((step / 2.5) ** 2)) / 8
            ends = [(0, 0)] * 3
            flow += np.pad(moved, [*ends[:axis], (0, 1), *ends[axis + 1 :]])
            flow -= np.pad(moved, [*ends[:axis], (1, 0), *ends[axis + 1 :]])
        out += flow
    return out.astype(np.float32)


def _less_noise(mu: np.ndarray, left: float) -> np.ndarray:
    return spoiling.with_noise(mu, left)


def _without_outliers(mu: np.ndarray) -> np.ndarray:
    usual = scipy.ndimage.median_filter(mu, (1, 3, 3))
    return np.where(np.abs(mu - usual) > 2.0, usual, mu)


def _band(mu: np.ndarray) -> np.ndarray:
    wide, narrow = (scipy.ndimage.gaussian_filter(mu, (0, s, s)) for s in (20.0, 1.0))
    return np.asarray(narrow - wide + mu.mean(), np.float32)


def _without_rings(mu: np.ndarray) -> np.ndarray:
    """Take off what each circle of a slice has beyond its neighbors, in the median."""
    radius = np.rint(spoiling.radius_of(mu.shape)).astype(int)
    order = np.argsort(radius, axis=None)
    ends = np.cumsum(np.bincount(radius.ravel()))[:-1]
    out = np.empty_like(mu)
    for image, made in zip(mu, out, strict=True):
        circles = np.split(image.ravel()[order], ends)
        profile = np.array([np.median(circle) for circle in circles])
        made[:] = image - (profile - scipy.ndimage.median_filter(profile, 9))[radius]
    return out
