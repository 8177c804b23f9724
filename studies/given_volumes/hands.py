"""Volumes as careful and careless hands leave them: fused, cropped, warped, restored, mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy.ndimage

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case
from studies.given_volumes.tiff_files import tiff
from studies.given_volumes.traits import but, coded, on, said_edges

_SCALED = said_edges(1, 1 / 1.1, 1 / 1.1)
_GREY = but(unit="grey")
_SLICES = "slices|seam|turned|continue|order|layers"
_ALIKE = "smooth|filter|sharp|interpol|blur"
_BAD = "scale|linear|gamma|window|clipped|slices"


def hands() -> Iterator[Case]:
    """As hands leave them."""
    of = partial(Case, "By hand", write=tiff)
    yield from _warped(of)
    yield from _restored(of)
    yield from _mixed_up(of)
    yield from _in_view(of)


def _warped(of: partial[Case]) -> Iterator[Case]:
    yield of("mean of two scans", traits=[on(_mean_of_two)])
    yield of("turned by 45° about the bore, corners 0", traits=[on(_turned_45)], says=_ALIKE)
    yield of("scaled by 1.1 within the slices", traits=[on(_scaled_up), _SCALED], says=_ALIKE)
    for part in (0.005, 0.03):
        yield of(f"warped by a lens, {part:.1%} at the rim", traits=[on(by_lens, part)],
                 says="lens|" + _ALIKE)  # fmt: skip
    for shape, part in (("pincushion", 0.03), ("barrel", -0.03)):
        yield of(f"frames distorted by a lens, {shape} of 3% at the rim", says="lens",
                 traits=[on(by_lens_of_frames, part)])  # fmt: skip
    yield of("moved by half a voxel, interpolated", traits=[on(_half_a_voxel)], says=_ALIKE)


def _restored(of: partial[Case]) -> Iterator[Case]:
    yield of("deconvolved, with ringing", traits=[on(_deconvolved)], says=_ALIKE + "|fringes")
    yield of("non-local means in three dimensions, strong", traits=[on(_smeared)], says=_ALIKE)
    yield of("upper half blurred by motion along x", traits=[on(_shaken)], says=_ALIKE + "|motion")
    yield of("each slice stretched by its percentiles, 8 bits", traits=[on(_percentiles), _GREY],
             says=_BAD)  # fmt: skip
    for levels in (3, 6):
        yield of(f"{levels} grey levels", traits=[on(_levels, levels), _GREY],
                 says="labels|codes|steps")  # fmt: skip
    yield of("8 bits, gamma of 0.7", traits=[on(_power, 0.7), coded("uint8")], says=_BAD)
    for power in (0.75, 0.85, 1.15, 1.3):
        yield of(f"gamma of {power:g}, real numbers", traits=[on(_power, power), _GREY],
                 says=_BAD)  # fmt: skip
    yield of("gamma of 0.85 about air, said to be 1/cm", traits=[on(_power_about_air, 0.85)],
             says=_BAD + "|density")  # fmt: skip
    yield of("gamma of 0.5, real numbers", traits=[on(_power, 0.5), _GREY], says=_BAD)
    yield of("contrast falls by 10% from slice to slice", traits=[on(_falling)],
             says="along z|trend")  # fmt: skip


def _mixed_up(of: partial[Case]) -> Iterator[Case]:
    yield of("blocks of eight slices, two of them exchanged", traits=[on(_exchanged)], says=_SLICES)
    yield of("second half upside down", traits=[on(_half_reversed)], says=_SLICES)
    yield of("three slices of the cathode left out", traits=[on(np.delete, range(69, 72), 0)],
             says="slices")  # fmt: skip
    yield of("ten slices of another cell", traits=[on(_of_another)], says=_SLICES)
    yield of("second half mirrored", traits=[on(_half_mirrored)], says=_SLICES)


def _in_view(of: partial[Case]) -> Iterator[Case]:
    yield of("soft-edged mask within the bore", traits=[on(_softly_masked)],
             says="mask|no sharp edge|bore|wall", part=True)  # fmt: skip
    yield of("without steel on either side", traits=[on(lambda mu: mu[8:80])],
             says="not in view", part=True)  # fmt: skip
    yield of("the housing alone", traits=[on(lambda mu: mu[:, :8])],
             says="no layer|not in view|nothing", part=True)  # fmt: skip
    yield of("in a square die of polymer", traits=[on(_in_die)], says="wall|bore|die")
    yield of("a bright wire beside the cell", traits=[on(_with_wire)], says="beside|bore|wall")


def _mean_of_two(mu: np.ndarray) -> np.ndarray:
    fresh = spoiling.fresh_noise(mu.shape)
    mean = mu + (fresh - spoiling.noise_of_scan()) / 2
    return np.where(spoiling.in_circle(mu.shape), mean, 0).astype(np.float32)


def _turned_45(mu: np.ndarray) -> np.ndarray:
    turned = scipy.ndimage.rotate(mu, 45, axes=(1, 2), reshape=True, order=1)
    return np.asarray(turned, np.float32)


def _scaled_up(mu: np.ndarray) -> np.ndarray:
    return _resampled(mu, lambda r: r / 1.1)


def by_lens(mu: np.ndarray, part: float) -> np.ndarray:
    """Warp each slice about its middle, by a part of the radius at its rim."""
    return _resampled(mu, lambda r: r * (1 - part * (r / 48) ** 2))


def _resampled(mu: np.ndarray, source: object) -> np.ndarray:
    """Take each voxel from another radius, with linear interpolation."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in mu.shape[1:])
    radius = np.maximum(np.hypot(y[:, None], x), 1e-9)
    factor = source(radius) / radius  # type: ignore[operator]
    at = (y[:, None] * factor + (len(y) - 1) / 2, x * factor + (len(x) - 1) / 2)
    return np.asarray(
        [scipy.ndimage.map_coordinates(image, at, order=1) for image in mu], np.float32
    )


def by_lens_of_frames(mu: np.ndarray, part: float) -> np.ndarray:
    """Take each voxel from nearer to the middle of the frames, along z as across."""
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in mu.shape)
    z, y, x = z[:, None, None], y[:, None], x
    factor = 1 - part * (z**2 + y**2 + x**2) / 48**2
    at = [t * factor + (n - 1) / 2 for t, n in zip((z, y, x), mu.shape, strict=True)]
    return np.asarray(scipy.ndimage.map_coordinates(mu, at, order=1, mode="nearest"), "f4")


def _half_a_voxel(mu: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.ndimage.shift(mu, (0, 0.5, 0.5), order=1), np.float32)


def _deconvolved(mu: np.ndarray) -> np.ndarray:
    """Restore too much: the inverse of a blur that is wider than the scan's, in the slices."""
    y, x = np.fft.fftfreq(mu.shape[1])[:, None], np.fft.rfftfreq(mu.shape[2])
    transfer = np.exp(-2 * np.pi**2 * 0.9**2 * (y**2 + x**2))
    wiener = transfer / (transfer**2 + 0.05)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(mu) * wiener / wiener[0, 0], mu.shape[1:]), "f4")


def _smeared(mu: np.ndarray) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    found = denoise_nl_means(mu, 3, 3, h=2.5, sigma=0.8, fast_mode=True)
    return np.asarray(found, np.float32)


def _shaken(mu: np.ndarray) -> np.ndarray:
    moved = scipy.ndimage.uniform_filter1d(mu[44:], 4, axis=2)
    return np.asarray(np.concatenate([mu[:44], moved]))


def _percentiles(mu: np.ndarray) -> np.ndarray:
    low, high = np.quantile(mu, (0.005, 0.995), axis=(1, 2), keepdims=True)
    part = np.clip((mu - low) / (high - low), 0, 1)
    return np.asarray(np.rint(255 * part), np.uint8)


def _levels(mu: np.ndarray, count: int) -> np.ndarray:
    borders = (2.5, 17.0, 1.0, 35.0, 80.0)[: count - 1]
    return np.asarray(np.digitize(mu, sorted(borders)) * 40, "u1")


def _power(mu: np.ndarray, power: float) -> np.ndarray:
    """Lay a gamma over a window of −25 to 126 1/cm, as a viewer does, and keep its ends."""
    part = np.clip((mu + 25) / 151.5, 0, 1) ** power
    return np.asarray(part * 151.5 - 25, np.float32)


def _power_about_air(mu: np.ndarray, power: float) -> np.ndarray:
    """Lay a gamma over attenuation, in which air stays 0 and steel what it is."""
    return np.asarray(115 * np.sign(mu) * np.abs(mu / 115) ** power, np.float32)


def _falling(mu: np.ndarray) -> np.ndarray:
    return np.asarray(mu * np.linspace(1, 0.9, len(mu))[:, None, None], np.float32)


def _exchanged(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:48], mu[64:72], mu[56:64], mu[48:56], mu[72:]])


def _half_reversed(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:44], mu[44:][::-1]])


def _half_mirrored(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:70], mu[70:, :, ::-1]])


def _of_another(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    out[66:76] = mu[66:76].transpose(0, 2, 1)[:, ::-1]
    return out


def _softly_masked(mu: np.ndarray) -> np.ndarray:
    edge = np.clip((36 - spoiling.radius_of(mu.shape)) / 6, 0, 1)
    return np.asarray(mu * edge, np.float32)


def _in_die(mu: np.ndarray) -> np.ndarray:
    """Have the tube's polymer all around, to the sides of a square."""
    wide = np.pad(mu, ((0, 0), (12, 12), (12, 12)))
    y, x = (np.abs(np.arange(n) - (n - 1) / 2) for n in wide.shape[1:])
    die = (np.maximum(y[:, None], x) < 54) & (spoiling.radius_of(wide.shape) > 45)
    noise = np.resize(spoiling.fresh_noise(mu.shape), wide.shape)
    return np.where(die, 0.45 + noise, np.where(wide == 0, noise, wide)).astype(np.float32)


def _with_wire(mu: np.ndarray) -> np.ndarray:
    wide = np.pad(mu, ((0, 0), (0, 0), (0, 40)))
    y, x = np.arange(wide.shape[1]) - 30.0, np.arange(wide.shape[2]) - 118.0
    wire = np.hypot(y[:, None], x) < 6
    return np.where(wire, 40, wide).astype(np.float32)
