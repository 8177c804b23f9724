"""Volumes as they come back from a colleague: saved anew, registered, matched, cut down."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.ndimage
import tifffile

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case, Given, Said, known, then
from studies.given_volumes.tiff_files import imagej, slices, tiff, tiff_as
from studies.given_volumes.traits import but, coded, means, on, said_edges

_GREY = but(unit="grey")
_ALIKE = "smooth|filter|sharp|interpol|blur|coarse"
_BAD = "scale|linear|gamma|clipped|cut off|slices|trend|offset|codes"


def resaved() -> Iterator[Case]:
    """As others hand them back."""
    of = partial(Case, "Handed back", write=tiff)
    yield from _in_files(of)
    yield from _matched(of)
    yield from _resampled(of)
    yield from _drawn_over(of)


def _in_files(of: partial[Case]) -> Iterator[Case]:
    size, beside = "differ|size|shape|slices", (_another, _with_notes)
    yield of("slices, one narrower than the others", write=then(slices(), beside[0]), says=size)
    yield of("slices, one of 8 bits", write=then(slices(), _of_8_bits), says="differ|uint8|type")
    yield of("slices, tables and a log beside them", write=then(slices(), beside[1]))
    yield of("TIFF with a thumbnail as first page", write=_thumbnail_first, says="pages|differ")
    yield of("ImageJ, a hyperstack of one channel and one time", write=_hyperstack)
    yield of("ImageJ, two channels", write=_two_channels, says="channel|axes|C = 2")
    yield of("values without a header, nothing said", write=_bare, says="size|shape")
    yield of(
        "VGStudio, the project instead of the volume", write=_project, says="VGStudio|no volume"
    )
    yield of("NumPy, .npy", write=_npy, says="NumPy|npy|not|read")
    yield of("slices as JPEG", write=_jpegs, says="neither|TIFF")
    yield of("JPEG 2000 within TIFF, 16 bits, lossy", traits=[coded("uint16")],
             write=tiff_as(compression="jpeg2000", compressionargs={"level": 40}),
             says="compress|JPEG|lossy|same slice")  # fmt: skip


def _matched(of: partial[Case]) -> Iterator[Case]:
    yield of("1000 μ as whole numbers, nothing said", says="density|unit|1/cm|μ",
             traits=[on(lambda mu: np.rint(1000 * mu).astype("i4"))])  # fmt: skip
    yield of("each slice of mean 0 and standard deviation 1", traits=[on(_standard), _GREY],
             says=_BAD)  # fmt: skip
    yield of("histograms of slices matched to one", traits=[on(_histograms), _GREY], says=_BAD)
    yield of("64 grey levels, 8 bits", says="codes|steps",
             traits=[coded("uint8"), on(lambda codes: codes // 4 * 4)])  # fmt: skip
    yield of("values below 3 1/cm set to 0", says=_BAD + "|zero|exact",
             traits=[on(lambda mu: np.where(mu < 3, np.float32(0), mu))])  # fmt: skip
    yield of("phase retrieved, too smooth", traits=[on(_phase, 3.0)], says=_ALIKE)
    yield of("phase retrieved, a little too smooth", traits=[on(_phase, 0.5)], says=_ALIKE)


def _resampled(of: partial[Case]) -> Iterator[Case]:
    yield of("Gaussian pyramid, level 1, size not changed", traits=[on(_level_1)],
             says=_ALIKE + "|voxel_size")  # fmt: skip
    yield of("mean of 2 slices, said to be cubes", traits=[means(2), said_edges(0.5, 1, 1)],
             says="voxel_size|slices|distance")  # fmt: skip
    yield of("binned by 2 and enlarged again", traits=[on(_binned_and_back)], says=_ALIKE)
    yield of("registered to an earlier step, linear", traits=[on(_registered, 1)], says=_ALIKE)
    yield of("registered to an earlier step, cubic", traits=[on(_registered, 3)], says=_ALIKE)
    yield of("y said to be 5% more than it is", traits=[said_edges(1, 1.05, 1)],
             says="round|ellip|voxel_size|axes")  # fmt: skip
    yield of("soft-edged mask about the tube", says="mask|wall|edge",
             traits=[on(_soft_mask)])  # fmt: skip


def _drawn_over(of: partial[Case]) -> Iterator[Case]:
    yield of("disc about the axis 4% brighter", traits=[on(_disc)], says="rings|cupping")
    yield of("the cell twice, one upon the other", says="layers|twice|slices|cells",
             traits=[on(lambda mu: np.concatenate([mu, mu]))])  # fmt: skip
    yield of("a frame of NaN", traits=[on(_framed)])
    yield of("a time stamp in one corner, 8 bits", traits=[coded("uint8"), on(_stamped)])
    yield of("dark points, one voxel in a thousand", traits=[on(_dark_points)], says="points")
    yield of("a bright line along z in the bore", traits=[on(_line)], says="line|points|rings")


def _another(said: Said) -> Said:
    file = Path(said["file"]) / "rec_0040.tif"
    image = tifffile.imread(file)
    tifffile.imwrite(file, image[:, :-1], photometric="minisblack")
    return said


def _of_8_bits(said: Said) -> Said:
    file = Path(said["file"]) / "rec_0040.tif"
    image = np.clip(tifffile.imread(file) * 2, 0, 255).astype("u1")
    tifffile.imwrite(file, image, photometric="minisblack")
    return said


def _with_notes(said: Said) -> Said:
    for name in ("rec_log.txt", "areas.csv", "Thumbs.db"):
        (Path(said["file"]) / name).write_text("slice,area\n1,2\n", encoding="utf-8")
    return said


def _thumbnail_first(given: Given, folder: Path) -> Said:
    file = folder / "volume.tif"
    with tifffile.TiffWriter(file) as writer:
        writer.write(given.values[0, ::4, ::4], photometric="minisblack")
        for image in given.values:
            writer.write(image, photometric="minisblack")
    return known(given, file)


def _hyperstack(given: Given, folder: Path) -> Said:
    five = Given(given.values[None, :, None], given.edges_um, given.said)
    return imagej(axes="TZCYX")(five, folder)


def _two_channels(given: Given, folder: Path) -> Said:
    both = np.stack([given.values, given.values], axis=1)
    return imagej(axes="ZCYX")(Given(both, given.edges_um, given.said), folder)


def _bare(given: Given, folder: Path) -> Said:
    file = folder / "volume.vol"
    given.values.tofile(file)
    return known(given, file)


def _project(given: Given, folder: Path) -> Said:
    given.values.tofile(folder / "volume.vol")
    file = folder / "volume.vgl"
    file.write_text("<?xml version='1.0'?><VGStudioMax><Scene/></VGStudioMax>", encoding="utf-8")
    return known(given, file)


def _npy(given: Given, folder: Path) -> Said:
    file = folder / "volume.npy"
    np.save(file, given.values)
    return known(given, file)


def _jpegs(given: Given, folder: Path) -> Said:
    place = folder / "slices"
    place.mkdir()
    for number in range(len(given.values)):
        (place / f"rec_{number:04d}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(64))
    return known(given, place)


def _standard(mu: np.ndarray) -> np.ndarray:
    mean, sd = (f(mu, axis=(1, 2), keepdims=True) for f in (np.mean, np.std))
    return np.asarray((mu - mean) / sd, np.float32)


def _histograms(mu: np.ndarray) -> np.ndarray:
    """Give each slice the histogram of one of the electrolyte."""
    wanted = np.sort(mu[40], axis=None)
    out = np.empty_like(mu)
    for image, new in zip(mu, out, strict=True):
        new.flat[np.argsort(image, axis=None)] = wanted
    return out


def _phase(mu: np.ndarray, strength: float) -> np.ndarray:
    """Lower what is fine as retrieval of phase does, with a δ/β that is too large."""
    frequencies = [np.fft.fftfreq(n) for n in mu.shape[:2]] + [np.fft.rfftfreq(mu.shape[2])]
    z, y, x = np.meshgrid(*frequencies, indexing="ij")
    low = 1 / (1 + 4 * np.pi**2 * strength * (z**2 + y**2 + x**2))
    return np.asarray(np.fft.irfftn(np.fft.rfftn(mu) * low, mu.shape), np.float32)


def _level_1(mu: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.ndimage.gaussian_filter(mu, 1.0)[::2, ::2, ::2], np.float32)


def _binned_and_back(mu: np.ndarray) -> np.ndarray:
    z, y, x = mu.shape
    binned = mu.reshape(z // 2, 2, y // 2, 2, x // 2, 2).mean(axis=(1, 3, 5))
    return np.asarray(scipy.ndimage.zoom(binned, 2, order=1), np.float32)


def _registered(mu: np.ndarray, order: Literal[1, 3]) -> np.ndarray:
    """Turn by 2° about the bore and move by parts of a voxel, at once."""
    t = np.radians(2)
    turn = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    middle = (np.array(mu.shape) - 1) / 2
    offset = middle - turn @ middle + (0.3, 0.4, -0.2)
    return np.asarray(scipy.ndimage.affine_transform(mu, turn, offset, order=order), np.float32)


def _soft_mask(mu: np.ndarray) -> np.ndarray:
    edge = np.clip((47 - spoiling.radius_of(mu.shape)) / 4, 0, 1)
    return np.asarray(mu * edge, np.float32)


def _disc(mu: np.ndarray) -> np.ndarray:
    return np.where(spoiling.radius_of(mu.shape) < 12, 1.04 * mu, mu).astype(np.float32)


def _framed(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    out[:, :3] = out[:, -3:] = out[:, :, :3] = out[:, :, -3:] = np.nan
    return out


def _stamped(codes: np.ndarray) -> np.ndarray:
    out = codes.copy()
    out[:, 2:8, 2:12] = 255
    return out


def _dark_points(mu: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.where(rng.random(mu.shape) < 1e-3, 0, mu).astype(np.float32)


def _line(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    out[:, 40, 60] = 60
    return out
