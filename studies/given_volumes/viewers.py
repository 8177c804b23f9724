"""Volumes as viewers leave them: windowed, cropped, turned, masked, put together from parts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import tifffile

from studies.given_volumes import files, spoiling
from studies.given_volumes.case import Case, Given, Said, in_file, known
from studies.given_volumes.tiff_files import imagej, tiff, tiff_as
from studies.given_volumes.traits import WIDE, but, coded, on, said_edges, scaled

_GREY = but(unit="grey")
_BORE_PX = 41.0
_ALIKE = "smooth|filter|sharp|interpol|blur"
_BAD = "scale|linear|gamma|window|clipped|cut off|slices|cupping|trend|offset"


def viewers() -> Iterator[Case]:
    """As viewers leave them."""
    of = partial(Case, "By a viewer", write=tiff)
    yield from _windowed(of)
    yield from _cornered(of)
    yield from _shaded(of)
    yield from _joined(of)
    yield from _stored(of)


def _windowed(of: partial[Case]) -> Iterator[Case]:
    yield of("contrast enhanced, 0.35% saturated, 8 bits", traits=[on(_enhanced), _GREY],
             says="clipped|cut off|codes")  # fmt: skip
    yield of("12 bits in 16", traits=[on(_twelve_bits), _GREY])
    yield of("8 bits with sign", traits=[coded("int8")])
    yield of("32 bits without sign", traits=[on(_positive, "u4"), _GREY])
    yield of("negative values wrapped to 65,535, 16 bits", says="range|wrap|differ",
             traits=[on(_wrapped), _GREY])  # fmt: skip
    yield of("16-bit real numbers, steel beyond their range", says="infinite|cut off|clipped",
             traits=[on(_half_floats), _GREY], write=files.zarr_array())  # fmt: skip
    yield of("Hounsfield units, said to be grey", traits=[scaled(2000, -1000), _GREY])
    yield of("Hounsfield units, not said", traits=[scaled(2000, -1000)], says="μ is|grey")
    yield of("light that passes a voxel, exp(−μ d)", says="invert|" + _BAD,
             traits=[on(lambda mu: np.exp(-mu * 3e-4 * 30).astype("f4")), _GREY])  # fmt: skip
    yield of("contrast limited and equalized by tiles", traits=[on(_clahe), _GREY], says=_BAD)
    yield of("a mask of two values, 0 and 255", says="labels",
             traits=[on(lambda mu: np.where(mu > 20, 255, 0).astype("u1")), _GREY])  # fmt: skip
    yield of("probabilities of active material", traits=[on(_probability), _GREY],
             says="clipped|cut off|labels|" + _BAD)  # fmt: skip
    yield of("strength of edges", traits=[on(_edges), _GREY], says="layer|surface|contrast|view")


def _cornered(of: partial[Case]) -> Iterator[Case]:
    view = {"says": "no sharp edge|clipped|wall of the bore|" + _ALIKE, "part": True}
    for name, corner in (("white", 255.0), ("grey", 128.0)):
        yield of(f"turned by 20°, {name} corners, 8 bits", says="clipped|" + _ALIKE,
                 traits=[coded("uint8"), on(_turned_by_20, corner)])  # fmt: skip
    yield of("turned by 20°, corners of NaN", traits=[on(_turned_by_20, np.nan)], says=_ALIKE)
    yield of("cylinder within the bore, its mean outside", traits=[on(_mean_beyond, 38.0)], **view)
    yield of("cylinder within the bore, −1 outside", traits=[on(_beyond, 38.0, -1.0)], **view)
    for name, value in (("NaN", np.nan), ("−1", -1.0), ("0", 0.0)):
        yield of(f"cut along the bore, {name} outside", traits=[on(_beyond, _BORE_PX, value)],
                 **view)  # fmt: skip
    yield of("padded by repeating the edge", traits=[on(_repeated)], says="same|blocks|repeat")
    yield of("a white frame in every slice", traits=[on(_framed)])
    yield of("a time stamp within the bore", traits=[on(_stamped)], says="exact value|block|bright")
    yield of("rolled by half of its width", traits=[on(np.roll, 48, 2)], part=True,
             says="view|bore|wall|two|side")  # fmt: skip
    yield of("a quarter of the bore in view", traits=[on(lambda mu: mu[:, :50, :50])], part=True,
             says="view|bore|wall|round")  # fmt: skip


def _shaded(of: partial[Case]) -> Iterator[Case]:
    for part in (0.1, 0.3):
        yield of(f"shading of {part:.0%} across", traits=[on(_shading, part)],
                 says="shad|across|cupping|side|gradient")  # fmt: skip
    yield of("an offset that grows to 1 1/cm along z", traits=[on(_offset_along)],
             says="along z|trend|offset|air|lithium")  # fmt: skip
    yield of("an offset of 0.5 1/cm", traits=[on(lambda mu: mu + np.float32(0.5))], says="offset")
    yield of("background subtracted, rolling ball", traits=[on(_rolling_ball), _GREY], says=_BAD)
    yield of("over its own blurred background", traits=[on(_flattened), _GREY], says=_BAD)
    yield of("less its own blurred background", traits=[on(_high_passed), _GREY],
             says="sharp|" + _BAD)  # fmt: skip
    yield of("points of light, one voxel in a thousand", traits=[on(_points)], says="points|noise")


def _joined(of: partial[Case]) -> Iterator[Case]:
    seam = "seam|step|stitch|moved|shift|jump|slices|side"
    yield of("tiles, one 3% brighter", traits=[on(_tiled, 1.03, 0)], says=seam)
    yield of("tiles, one moved by 3 voxels", traits=[on(_tiled, 1.0, 3)], says=seam)
    yield of("two scans, one on another scale and offset", says=seam + "|trend",
             traits=[on(_other_scale), _GREY])  # fmt: skip
    yield of("one slice twice", traits=[on(lambda mu: np.insert(mu, 40, mu[40], 0))],
             says="once more|twice|slice 41|slices")  # fmt: skip
    yield of("odd slices, then even ones", says="order|slices",
             traits=[on(lambda mu: np.concatenate([mu[::2], mu[1::2]]))])  # fmt: skip
    yield of("second half turned by 90°", says="turned|continue",
             traits=[on(_turned_from_60)])  # fmt: skip


def _stored(of: partial[Case]) -> Iterator[Case]:
    yield of("grey values as RGB, 8 bits", write=tiff_as(photometric="rgb"), says="color|RGB",
             traits=[coded("uint8"), on(lambda v: np.repeat(v[..., None], 3, -1))])  # fmt: skip
    yield of("ImageJ, 8 bits with a color table", write=_with_colors, traits=[coded("uint8")],
             says="palette|color")  # fmt: skip
    yield of("OME-TIFF with coarser levels", write=_pyramid)
    yield of("OME-Zarr with coarser levels", write=_zarr_pyramid)
    yield of("ImageJ, a time series", write=_time_series, says="frames|time|T =|axes")
    yield of("NIfTI of four axes", write=_nifti_of_two, says="axes|shape|volumes")
    yield of("HDF5, axes x, y, z, no names", write=files.hdf5("exchange/data"),
             traits=[on(lambda mu: mu.transpose(2, 1, 0).copy())])  # fmt: skip
    yield of("ImageJ says 3 µm, 4.5 µm said", write=_another_size, says="4.5|differ|overrule")
    yield of("means of 2 × 2 pixels, slices kept", traits=[on(_halved), said_edges(1, 2, 2)],
             says="coarse|slices lie|voxels|particles|small")  # fmt: skip
    yield of("1.5 times as many voxels, interpolated",
             traits=[on(scipy.ndimage.zoom, 1.5, None, 1), said_edges(*[1 / 1.5] * 3)],
             says=_ALIKE)  # fmt: skip
    yield of("1.5 times as many voxels, nearest", says="slices|twice|equal|same|" + _ALIKE,
             traits=[on(scipy.ndimage.zoom, 1.5, None, 0), said_edges(*[1 / 1.5] * 3)])  # fmt: skip
    yield of("running mean of three slices", says=_ALIKE,
             traits=[on(scipy.ndimage.uniform_filter1d, 3, 0)])  # fmt: skip
    yield of("running maximum of three slices", says=_ALIKE,
             traits=[on(scipy.ndimage.maximum_filter1d, 3, 0)])  # fmt: skip


def _enhanced(mu: np.ndarray) -> np.ndarray:
    low, high = np.quantile(mu, (0.00175, 1 - 0.00175))
    return spoiling.coded(mu, "uint8", float(low), float(high))


def _twelve_bits(mu: np.ndarray) -> np.ndarray:
    low, high = WIDE
    return np.clip(np.rint((mu - low) / (high - low) * 4095), 0, 4095).astype("u2")


def _positive(mu: np.ndarray, dtype: str) -> np.ndarray:
    return np.asarray(np.rint((mu - WIDE[0]) * 1e6).astype(dtype))


def _wrapped(mu: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(100 * mu).astype("i4"), "u2")


def _half_floats(mu: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return (1000 * mu).astype(np.float16)


def _clahe(mu: np.ndarray) -> np.ndarray:
    from skimage.exposure import equalize_adapthist

    low, high = WIDE
    part = np.clip((mu - low) / (high - low), 0, 1)
    even = [equalize_adapthist(image, 24, clip_limit=0.02) for image in part]
    return np.asarray(np.rint(255 * np.asarray(even)), "u1")


def _probability(mu: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-(mu - 15) / 2)), np.float32)


def _edges(mu: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.ndimage.gaussian_gradient_magnitude(mu, 1.0), np.float32)


def _turned_by_20(values: np.ndarray, corner: float) -> np.ndarray:
    turned = scipy.ndimage.rotate(
        values.astype(np.float32), 20, (1, 2), reshape=True, order=1, cval=corner
    )
    whole = np.issubdtype(values.dtype, np.integer)
    return np.asarray(np.rint(turned) if whole else turned, values.dtype)


def _beyond(mu: np.ndarray, radius_px: float, value: float) -> np.ndarray:
    out = np.where(spoiling.radius_of(mu.shape) > radius_px, np.float32(value), mu)
    return np.asarray(out, np.float32)


def _mean_beyond(mu: np.ndarray, radius_px: float) -> np.ndarray:
    held = mu[:, spoiling.radius_of(mu.shape) <= radius_px]
    return _beyond(mu, radius_px, float(held.mean()))


def _repeated(mu: np.ndarray) -> np.ndarray:
    return np.pad(mu, ((10, 10), (10, 10), (10, 10)), mode="edge")


def _framed(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    for edge in (0, -1):
        out[:, edge] = out[:, :, edge] = mu.max()
    return out


def _stamped(mu: np.ndarray) -> np.ndarray:
    """Write something of a letter's size into the bore of every slice."""
    out = mu.copy()
    out[:, 60:67, 40:42] = out[:, 60:62, 40:46] = mu.max()
    return out


def _shading(mu: np.ndarray, part: float) -> np.ndarray:
    return np.asarray(mu * np.linspace(1 - part / 2, 1 + part / 2, mu.shape[2]), np.float32)


def _offset_along(mu: np.ndarray) -> np.ndarray:
    return np.asarray(mu + np.linspace(0, 1, len(mu))[:, None, None], np.float32)


def _rolling_ball(mu: np.ndarray) -> np.ndarray:
    """Take off each slice what is wider than fifteen pixels, as a rolling ball does."""
    smooth = scipy.ndimage.uniform_filter(mu, (0, 3, 3))
    background = scipy.ndimage.grey_opening(smooth, (1, 15, 15))
    return np.asarray(mu - scipy.ndimage.uniform_filter(background, (0, 15, 15)), np.float32)


def _flattened(mu: np.ndarray) -> np.ndarray:
    background = scipy.ndimage.gaussian_filter(mu, (0, 25, 25))
    return np.asarray(mu / np.maximum(background, 0.5), np.float32)


def _high_passed(mu: np.ndarray) -> np.ndarray:
    return np.asarray(mu - scipy.ndimage.gaussian_filter(mu, (0, 15, 15)), np.float32)


def _points(mu: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.where(rng.random(mu.shape) < 1e-3, 150, mu).astype(np.float32)


def _tiled(mu: np.ndarray, brighter: float, pixels: int) -> np.ndarray:
    """Put two tiles side by side, that meet within the bore."""
    left, right = mu[:, :, :58], mu[:, :, 58:] * brighter
    return np.asarray(np.concatenate([left, np.roll(right, pixels, axis=1)], axis=2), np.float32)


def _turned_from_60(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([mu[:60], np.rot90(mu[60:], 1, (1, 2))])


def _other_scale(mu: np.ndarray) -> np.ndarray:
    return np.concatenate([300 * mu[:44] + 9000, 260 * mu[44:] + 9400]).astype(np.float32)


def _with_colors(given: Given, folder: Path) -> Said:
    ramp = np.arange(256, dtype=np.uint8)
    table = np.stack([ramp, np.roll(ramp, 90), ramp[::-1]])
    said = imagej(LUTs=[table])(given, folder)
    return {**said, "unit": "grey"}


def _pyramid(given: Given, folder: Path) -> Said:
    file = folder / "volume.ome.tif"
    facts: dict[str, Any] = {"axes": "ZYX"}
    for axis, edge in zip("ZYX", given.edges_um, strict=True):
        facts |= {f"PhysicalSize{axis}": edge, f"PhysicalSize{axis}Unit": "µm"}
    with tifffile.TiffWriter(file, ome=True) as writer:
        plain: dict[str, Any] = {"photometric": "minisblack", "tile": (32, 32)}
        writer.write(given.values, subifds=2, metadata=facts, **plain)
        for step in (2, 4):
            coarse = np.ascontiguousarray(given.values[:, ::step, ::step])
            writer.write(coarse, subfiletype=1, **plain)
    return in_file(given, file)


def _zarr_pyramid(given: Given, folder: Path) -> Said:
    """Write three levels; the finest has neither the first number nor the first name."""
    import zarr

    path = folder / "volume.zarr"
    group: Any = zarr.open_group(path, mode="w", zarr_format=2)
    levels: list[Any] = []
    for name, step in (("s0", 1), ("s1", 2), ("s2", 4)):
        values = np.ascontiguousarray(given.values[::step, ::step, ::step])
        group.create_array(name, data=values, chunks=(32, 32, 32))
        scale = [{"type": "scale", "scale": [edge * step for edge in given.edges_um]}]
        levels.append({"path": name, "coordinateTransformations": scale})
    axes: list[Any] = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    return in_file(given, path)


def _time_series(given: Given, folder: Path) -> Said:
    return imagej(axes="TZYX")(
        Given(np.stack([given.values] * 2), given.edges_um, given.said), folder
    )


def _nifti_of_two(given: Given, folder: Path) -> Said:
    import nibabel

    file = folder / "volume.nii"
    both = np.stack([given.values.transpose(2, 1, 0)] * 2, axis=-1)
    of_nifti: Any = nibabel.Nifti1Image
    nibabel.save(of_nifti(both, np.diag([*given.edges_um[::-1], 1.0])), file)
    return known(given, file)


def _another_size(given: Given, folder: Path) -> Said:
    said = imagej()(given, folder)
    return {**said, "voxel_size_um": [4.5, 4.5, 4.5]}


def _halved(mu: np.ndarray) -> np.ndarray:
    z, y, x = mu.shape
    return np.asarray(mu.reshape(z, y // 2, 2, x // 2, 2).mean(axis=(2, 4)), np.float32)
