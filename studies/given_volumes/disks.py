"""Volumes as a scientist's disk has them: other vendors' files, and what was done on the way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy.ndimage import median_filter

from studies.given_volumes import files, spoiling
from studies.given_volumes.case import Case, Given, Said, in_file, then
from studies.given_volumes.tiff_files import imagej, slices, tiff, tiff_as
from studies.given_volumes.traits import but, coded, every, on, said_edges

_ASKED = "voxel_size_um"


def disks() -> Iterator[Case]:
    """As they lie on disks."""
    of = partial(Case, "On a scientist's disk", write=tiff)
    yield of("Avizo, .am", write=_amira, says="Avizo or Amira")
    yield of("Dragonfly: slices with a description beside", write=then(slices(), _described))
    yield of(
        "32-bit TIFF, scale in its description, nothing said",
        write=_silent(description="voxel size: 3 um; mu = 0.01 * value"), says=_ASKED,
    )  # fmt: skip
    per_cm = {"resolution": (3333.3, 3333.3), "resolutionunit": "CENTIMETER"}
    yield of("TIFF, resolution per cm, nothing said", write=_silent(**per_cm), says=_ASKED)
    yield of(
        "TIFF, tiled, predictor, zlib",
        write=tiff_as(tile=(48, 48), compression="zlib", predictor=True),
    )
    yield of("ImageJ, one directory for all slices", write=_one_directory)
    yield of("TIFF with a thumbnail as last page", write=_with_thumbnail, says="shape|size|pages")
    yield of("NIfTI, gzip, mm", write=files.nifti(".nii.gz", "mm"))
    yield of("NRRD, header beside", write=partial(files.nrrd, ending=".nhdr"))
    yield of("NRRD, header beside, raw", write=partial(files.nrrd, ending=".nhdr", encoding="raw"))
    swapped = "byte order|big_endian|big-endian"
    yield of(".vol and .vgi, bytes swapped", write=files.with_vgi(True, ".vol"), says=swapped)
    yield of(
        ".vol and .vgi of 16 bits, bytes swapped",
        write=files.with_vgi(True, ".vol"), traits=[coded("uint16")], says=swapped,
    )  # fmt: skip
    yield of(
        "raw of 16 bits with sign, said to be without",
        write=then(files.raw, lambda said: said | {"raw": said["raw"] | {"dtype": "uint16"}}),
        traits=[on(lambda mu: np.rint(100 * mu).astype("i2")), but(unit="grey")],
        says="int16",
    )  # fmt: skip
    yield of("slices as PNG", write=_png, says="holds neither")
    yield from _done_to(of)


def _done_to(of: partial[Case]) -> Iterator[Case]:
    yield of(
        "each slice in a window of its own, 8 bits",
        traits=[on(_each_slice)], says="slice",
    )  # fmt: skip
    yield of("bright rim of hard beams", traits=[on(_rim)], says="cupping|wall|rim")
    yield of(
        "the collector cut away", traits=[on(lambda mu: mu[:-10])], says="collector", part=True
    )
    yield of("upside down, 8 bits", traits=[coded("uint8"), on(lambda codes: codes[::-1].copy())])
    yield of("median of 3 × 3 × 3", traits=[on(median_filter, 3)], says="smoothed")
    yield of(
        "binned by 2, size not changed",
        traits=[on(_binned)], says="times as long|voxel_size_um|known widths",
    )  # fmt: skip
    yield of(
        "binned by 2, size changed",
        traits=[on(_binned), said_edges(2, 2, 2)], says="coarse voxels",
    )  # fmt: skip
    yield of(
        "one slice of 2, ImageJ without spacing",
        write=imagej(spacing=None), traits=[every(2)], says="distance of slices",
    )  # fmt: skip
    yield of("a scale bar in every slice", traits=[on(_scale_bar)])


def _silent(**settings: Any) -> Any:
    """Write a TIFF of which the configuration says nothing but the energy."""

    def write(given: Given, folder: Path) -> Said:
        return in_file(given, Path(tiff_as(**settings)(given, folder)["file"]))

    return write


def _amira(given: Given, folder: Path) -> Said:
    z, y, x = given.values.shape
    far = " ".join(f"0 {(n - 1) * e}" for n, e in zip((x, y, z), given.edges_um[::-1], strict=True))
    head = (
        f"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\n\ndefine Lattice {x} {y} {z}\n\nParameters {{\n"
        f'    Content "{x}x{y}x{z} float, uniform coordinates",\n    BoundingBox {far},\n'
        '    CoordType "uniform"\n}\n\nLattice { float Data } @1\n\n# Data section follows\n@1\n'
    )
    (folder / "volume.am").write_bytes(head.encode() + given.values.tobytes())
    return in_file(given, folder / "volume.am")


def _described(said: Said) -> Said:
    for name in ("export.txt", "export.xml", "Thumbs.db"):
        (Path(said["file"]) / name).write_text("Spacing 3 3 3", encoding="utf-8")
    return said


def _one_directory(given: Given, folder: Path) -> Said:
    file = folder / "volume.tif"
    z, y, x = given.edges_um
    facts = {"axes": "ZYX", "unit": "um", "spacing": z}
    tifffile.imwrite(
        file, given.values, imagej=True, resolution=(1 / x, 1 / y), metadata=facts, truncate=True
    )
    return in_file(given, file)


def _with_thumbnail(given: Given, folder: Path) -> Said:
    file = folder / "volume.tif"
    with tifffile.TiffWriter(file) as tiff_file:
        for image in given.values:
            tiff_file.write(image, photometric="minisblack", contiguous=False)
        tiff_file.write(given.values[40, ::4, ::4], photometric="minisblack", subfiletype=1)
    return {"file": str(file), "voxel_size_um": list(given.edges_um), **given.said}


def _png(given: Given, folder: Path) -> Said:
    from PIL import Image

    place = folder / "slices"
    place.mkdir()
    for number, image in enumerate(spoiling.coded(given.values, "uint8", -25, 130)):
        Image.fromarray(image).save(place / f"rec_{number:04d}.png")
    return in_file(given, place)


def _each_slice(mu: np.ndarray) -> np.ndarray:
    low, high = (np.quantile(mu, q, axis=(1, 2), keepdims=True) for q in (0.001, 0.999))
    return np.asarray(np.clip(np.rint((mu - low) / (high - low) * 255), 0, 255), np.uint8)


def _rim(mu: np.ndarray) -> np.ndarray:
    """Brighten the outer tenth of the bore by up to a third."""
    return np.asarray(mu * (1 + np.clip((spoiling.radius_of(mu.shape) - 33) / 24, 0, 1 / 3)), "f4")


def _binned(mu: np.ndarray) -> np.ndarray:
    z, y, x = (n // 2 for n in mu.shape)
    blocks = mu[: 2 * z, : 2 * y, : 2 * x].reshape(z, 2, y, 2, x, 2)
    return np.asarray(blocks.mean(axis=(1, 3, 5)), np.float32)


def _scale_bar(mu: np.ndarray) -> np.ndarray:
    out = mu.copy()
    out[:, 90:93, 4:24] = mu.max()
    return out
