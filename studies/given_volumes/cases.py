"""The volumes, by trait. In: a virtual cell; out: what is stored, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from studies.given_volumes import files
from studies.given_volumes.files import Said, hdf5, image, imagej, ome_tiff, ome_zarr, raw, tiff
from studies.given_volumes.spoiling import (
    ENERGY_KEV,
    VOXEL_UM,
    block,
    coded,
    cupped,
    in_circle,
    leaning,
    rings,
    slices_set,
)

Make = Callable[..., Said]  # of μ, a folder and the `Cell`
_STEEL = 115.0  # 1/cm at 25 keV; a window up to a little more holds all


@dataclass(frozen=True)
class Case:
    """A volume with a trait.

    Attributes
    ----------
    kind : str
        A heading of the table.
    trait : str
        What is the matter with it.
    make : callable
        Writes it: from μ of the plain volume, a folder, and the cell.
    says : str
        A pattern that the run's words must match where numbers are missing or wrong.
    energy_kev : float
        Of the photons: numbers are compared with a plain volume of the same.
    part : bool
        Whether only a part of the cell is in view, so that fractions and counts are others.
    """

    kind: str
    trait: str
    make: Make
    says: str = ""
    energy_kev: float = ENERGY_KEV
    part: bool = False


def _without_energy(said: Said) -> Said:
    return {name: value for name, value in said.items() if name != "energy_kev"}


def _grey(said: Said) -> Said:
    return {**said, "unit": "grey"}


def cases() -> list[Case]:
    """List all volumes, in the order of the table."""
    kinds = (_scales, _units, _values, _missing, _turns, _leans, _edges, _layouts, _pairs)
    return [case for kind in kinds for case in kind()]


def _scales() -> Iterator[Case]:
    kind = "Scale of the values"
    low, high = -25.0, 1.1 * _STEEL

    def in_codes(dtype: str, a: float = low, b: float = high) -> Make:
        return lambda mu, at, _: _grey(tiff(coded(mu, dtype, a, b), at))

    yield Case(
        kind,
        "grey values, 300 μ + 13,000, real numbers",
        lambda mu, at, _: _grey(tiff((300 * mu + 13_000).astype("f4"), at)),
    )
    yield Case(
        kind,
        "grey values, negative, μ/50 − 3",
        lambda mu, at, _: _grey(tiff((mu / 50 - 3).astype("f4"), at)),
    )
    yield Case(kind, "16 bits, full range", in_codes("uint16"))
    yield Case(kind, "16 bits with sign", in_codes("int16"))
    yield Case(
        kind,
        "8 bits, window of −25 to 126 1/cm (9 codes from air to electrolyte)",
        in_codes("uint8"),
    )
    yield Case(kind, "8 bits, window to just above steel's mean", in_codes("uint8", -8, _STEEL + 4))
    yield Case(kind, "8 bits, steel cut off", in_codes("uint8", -8, 70), "cut off|clipped|saturat")
    yield Case(
        kind,
        "8 bits, window of −500 to 500 1/cm (1 code from air to electrolyte)",
        in_codes("uint8", -500, 500),
        "8 bits|steps|codes|contrast|noise|electrolyte",
    )
    yield Case(kind, "64-bit real numbers", lambda mu, at, _: tiff(mu.astype("f8"), at))
    yield Case(kind, "16-bit real numbers, Zarr", lambda mu, at, _: ome_zarr(mu.astype("f2"), at))
    for dtype in ("uint16", "int16", "uint8"):
        yield Case(kind, f"ImageJ, {dtype}, calibrated to 1/cm", _calibrated(dtype, low, high))


def _calibrated(dtype: str, low: float, high: float) -> Make:
    info = np.iinfo(dtype)
    slope = (high - low) / (int(info.max) - int(info.min))
    start = low - slope * int(info.min)
    if dtype == "int16":  # ImageJ keeps it as uint16 with an offset of −32768
        start, code = low, "uint16"
    else:
        code = dtype
    return lambda mu, at, _: imagej(
        coded(mu, code, low, high), at, {"cf": 0, "c0": start, "c1": slope, "vunit": "1/cm"}
    )


def _units() -> Iterator[Case]:
    kind = "Unit"
    per_px = VOXEL_UM * 1e-4
    unit = "1/mm|1/px|energy_kev|grey"
    for name, factor in (("1/mm", 0.1), ("1/px", per_px)):
        yield Case(
            kind,
            f"{name}, as said",
            lambda mu, at, _, f=factor, n=name: tiff((f * mu).astype("f4"), at, unit=n),
        )
        yield Case(
            kind,
            f"{name}, not said, with energy",
            lambda mu, at, _, f=factor: tiff((f * mu).astype("f4"), at),
            unit,
        )
        for energy in (25.0, 20.0, 15.0):
            yield Case(
                kind,
                f"{name} of {energy:g} keV, neither unit nor energy said",
                lambda mu, at, _, f=factor: _without_energy(tiff((f * mu).astype("f4"), at)),
                unit,
                energy,
            )
    yield Case(
        kind,
        "1/cm of 20 keV, no energy said",
        lambda mu, at, _: _without_energy(tiff(mu, at)),
        unit,
        20.0,
    )
    yield Case(
        kind,
        "energy said to be 18, is 25 keV",
        lambda mu, at, _: tiff(mu, at, energy_kev=18.0),
        "density|energy_kev",
    )
    yield Case(
        kind,
        "16-bit codes said to be 1/cm",
        lambda mu, at, _: tiff(coded(mu, "uint16", -25, 130), at),
        "μ is|grey",
    )


def _values() -> Iterator[Case]:
    kind = "What the values hold"
    yield Case(
        kind, "inverted contrast", lambda mu, at, _: _grey(tiff(-mu, at)), "invert|contrast|falls"
    )
    yield Case(
        kind,
        "inverted, 8 bits",
        lambda mu, at, _: _grey(tiff(255 - coded(mu, "uint8", -25, 130), at)),
        "invert|contrast|falls",
    )
    yield Case(
        kind,
        "steel cut off at 60 1/cm",
        lambda mu, at, _: tiff(np.minimum(mu, 60), at),
        "cut off|clipped",
    )
    yield Case(
        kind,
        "active material cut off at 30 1/cm",
        lambda mu, at, _: tiff(np.minimum(mu, 30), at),
        "cut off|clipped",
    )
    yield Case(
        kind,
        "lithium cut off at 1 1/cm",
        lambda mu, at, _: tiff(np.maximum(mu, 1), at),
        "cut off|clipped",
    )
    yield Case(
        kind,
        "square root of the values",
        lambda mu, at, _: _grey(tiff(np.sqrt(np.maximum(mu, 0)), at)),
        "line|linear|lithium|scale|cut off",
    )
    for times in (2, 4, 8):
        yield Case(
            kind,
            f"noise × {times}",
            lambda mu, at, cell, t=times: tiff(cell.with_noise(t), at),
            "nois",
        )
    for part in (0.02, 0.05, 0.15):
        yield Case(
            kind,
            f"rings, {part:.0%} of the electrolyte",
            lambda mu, at, _, p=part: tiff(rings(mu, p), at),
            "ring",
        )
    for part in (0.1, 0.3):
        yield Case(
            kind,
            f"cupping of {part:.0%}",
            lambda mu, at, _, p=part: tiff(cupped(mu, p), at),
            "cupping|radius|harden",
        )
    yield Case(
        kind,
        "NaN outside of the circle",
        lambda mu, at, _: tiff(np.where(in_circle(mu.shape), mu, np.float32("nan")), at),
    )
    yield Case(
        kind,
        "−1000 outside of the circle",
        lambda mu, at, _: tiff(np.where(in_circle(mu.shape), mu, np.float32(-1000)), at),
    )


def _missing() -> Iterator[Case]:
    kind = "Parts that are missing, or too many"
    lost = "missing|lost|NaN|left out|no data|not there"
    yield Case(
        kind,
        "one slice of a folder",
        lambda mu, at, _: _without_files(files.slices(mu, at), [50]),
        lost,
    )
    yield Case(
        kind,
        "ten slices of a folder, in the electrolyte",
        lambda mu, at, _: _without_files(files.slices(mu, at), range(34, 44)),
        lost,
    )
    yield Case(
        kind,
        "the slices of the lithium",
        lambda mu, at, _: _without_files(files.slices(mu, at), range(12, 22)),
        lost,
    )
    yield Case(
        kind,
        "a slice of another series",
        lambda mu, at, _: _with_stranger(files.slices(mu, at)),
        "left out",
    )
    yield Case(
        kind,
        "numbers without leading zeros, bits at the end",
        lambda mu, at, _: files.slices(mu, at, "rec_{}_16bit.tif", 1),
    )
    yield Case(
        kind, "two series in one folder", lambda mu, at, _: _two_series(mu, at), "series|two|number"
    )
    yield Case(
        kind,
        "two slices of one number",
        lambda mu, at, _: _tie(files.slices(mu, at)),
        "number|twice|both",
    )
    for version, chunk in ((2, "1.1.1"), (3, "c/1/1/1")):
        yield Case(
            kind,
            f"a chunk of OME-Zarr, Zarr {version}",
            lambda mu, at, _, v=version, c=chunk: files.without_chunks(
                ome_zarr(mu, at, version=v), [c]
            ),
            lost,
        )
    yield Case(
        kind,
        "a column of chunks, Zarr 2",
        lambda mu, at, _: files.without_chunks(ome_zarr(mu, at), ["0.1.1", "1.1.1", "2.1.1"]),
        lost,
    )
    yield Case(
        kind,
        "a chunk that is cut short",
        lambda mu, at, _: files.damaged_chunk(ome_zarr(mu, at), "1.1.1"),
        "damaged|cannot be read",
    )
    yield Case(
        kind,
        "slices of HDF5 that were never written",
        lambda mu, at, _: hdf5(mu, at, "data", chunks=(4, 96, 96), lost=slice(40, 48)),
        lost,
    )
    yield Case(
        kind,
        "a TIFF file that is cut short",
        lambda mu, at, _: _cut_short(tiff(mu, at)),
        "short|truncated|bytes|damaged|cannot",
    )
    yield Case(
        kind, "a block of zeros in the electrolyte", lambda mu, at, _: tiff(block(mu, 0), at), lost
    )
    yield Case(kind, "a block of NaN", lambda mu, at, _: tiff(block(mu, np.nan), at), lost)
    yield Case(
        kind,
        "a block of the electrolyte's own value",
        lambda mu, at, _: tiff(block(mu, 5), at),
        lost,
    )
    yield Case(kind, "five slices of zeros", lambda mu, at, _: tiff(slices_set(mu, 0), at), lost)
    yield Case(
        kind,
        "field of view inside of the bore",
        lambda mu, at, _: tiff(mu[:, 22:74, 22:74], at),
        "not in view",
        part=True,
    )
    yield Case(
        kind,
        "half of the bore in view",
        lambda mu, at, _: tiff(mu[:, :, :50], at),
        "view|round|bore|wall",
        part=True,
    )
    yield Case(
        kind, "cut off above the lithium", lambda mu, at, _: tiff(mu[30:], at), "lithium", part=True
    )
    yield Case(
        kind, "the cathode alone", lambda mu, at, _: tiff(mu[64:80], at), "cathode", part=True
    )
    yield Case(
        kind,
        "every slice twice",
        lambda mu, at, _: tiff(np.repeat(mu, 2, axis=0), at),
        "twice|equal|same|alike",
    )


def _without_files(said: Said, numbers: range | list[int]) -> Said:
    for number in numbers:
        (Path(said["file"]) / f"rec_{number:04d}.tif").unlink()
    return said


def _with_stranger(said: Said) -> Said:
    place = Path(said["file"])
    tifffile.imwrite(place / "rec_spr.tif", tifffile.imread(place / "rec_0002.tif"))
    return said


def _tie(said: Said) -> Said:
    place = Path(said["file"])
    tifffile.imwrite(place / "rec_05.tif", tifffile.imread(place / "rec_0002.tif"))
    return said


def _two_series(mu: np.ndarray, at: Path) -> Said:
    said = files.slices(mu, at)
    for number, values in enumerate(mu):
        tifffile.imwrite(Path(said["file"]) / f"other_{number:04d}.tif", values)
    return said


def _cut_short(said: Said) -> Said:
    file = Path(said["file"])
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return said


# Where an axis of the file is that of the plain volume: a turn or a mirror image.
_TURNS = (
    ((2, 1, 0), (1, 1, -1)),
    ((1, 2, 0), (1, 1, 1)),
    ((2, 0, 1), (1, 1, 1)),
    ((0, 2, 1), (1, -1, 1)),
    ((0, 1, 2), (-1, -1, 1)),
    ((1, 0, 2), (-1, 1, 1)),
    ((2, 1, 0), (-1, -1, -1)),
    ((1, 2, 0), (-1, 1, -1)),
)


def _turned(mu: np.ndarray, order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    return np.ascontiguousarray(mu.transpose(order)[tuple(slice(None, None, s) for s in signs)])


def _turns() -> Iterator[Case]:
    kind = "Direction"
    for order, signs in _TURNS:
        name = ", ".join(
            ("−" if s < 0 else "") + "zyx"[a] for a, s in zip(order, signs, strict=True)
        )
        yield Case(
            kind,
            f"turned: the file's axes are {name}",
            lambda mu, at, _, o=order, s=signs: tiff(_turned(mu, o, s), at),
        )
    yield Case(kind, "mirrored along z", lambda mu, at, _: tiff(mu[::-1], at))
    yield Case(
        kind,
        "mirrored and turned, axes said",
        lambda mu, at, _: tiff(_turned(mu, (2, 1, 0), (1, 1, 1)), at, axes=["x", "y", "z"]),
    )


def _leans() -> Iterator[Case]:
    kind = "Lean"
    for degrees in (2, 3, 6, 10, 15, 20):
        yield Case(
            kind,
            f"leaning by {degrees}°",
            lambda mu, at, _, d=degrees: tiff(leaning(mu, d), at),
            "lean",
        )
    yield Case(
        kind,
        "leaning by 7°, half of the steel out of view",
        lambda mu, at, _: tiff(leaning(mu, 7)[10:-10, :, 6:-6], at),
        "lean|view",
        part=True,
    )


def _edges() -> Iterator[Case]:
    kind = "Edges of a voxel"
    far = "slices lie"
    for step in (2, 3, 4):
        yield Case(
            kind,
            f"every slice of {step}",
            lambda mu, at, _, n=step: tiff(
                mu[::n], at, voxel_size_um=[n * VOXEL_UM, VOXEL_UM, VOXEL_UM]
            ),
            far,
        )
        yield Case(
            kind,
            f"mean of {step} slices",
            lambda mu, at, _, n=step: tiff(
                _means(mu, n), at, voxel_size_um=[n * VOXEL_UM, VOXEL_UM, VOXEL_UM]
            ),
            far,
        )
    yield Case(
        kind,
        "every slice of 5",
        lambda mu, at, _: tiff(mu[::5], at, voxel_size_um=[5 * VOXEL_UM, VOXEL_UM, VOXEL_UM]),
        "longer than 4 times",
    )
    yield Case(
        kind,
        "every column of 2",
        lambda mu, at, _: tiff(mu[:, :, ::2], at, voxel_size_um=[VOXEL_UM, VOXEL_UM, 2 * VOXEL_UM]),
        "lie|wide|width|edge|pixels",
    )
    yield Case(
        kind,
        "every column of 3",
        lambda mu, at, _: tiff(mu[:, :, ::3], at, voxel_size_um=[VOXEL_UM, VOXEL_UM, 3 * VOXEL_UM]),
        "lie|wide|width|edge|pixels",
    )
    yield Case(
        kind,
        "x said to be half of what it is",
        lambda mu, at, _: tiff(mu, at, voxel_size_um=[VOXEL_UM, VOXEL_UM, VOXEL_UM / 2]),
        "not round",
    )
    yield Case(
        kind,
        "no size said",
        lambda mu, at, _: {k: v for k, v in tiff(mu, at).items() if k != "voxel_size_um"},
        "voxel_size_um",
    )
    yield Case(
        kind,
        "ImageJ, spacing of 6 µm",
        lambda mu, at, _: imagej(mu[::2].copy(), at, {"spacing": 2 * VOXEL_UM}),
        far,
    )
    yield Case(
        kind,
        "OME, PhysicalSizeZ of 6 µm",
        lambda mu, at, _: ome_tiff(mu[::2].copy(), at, "ZYX", (2 * VOXEL_UM, VOXEL_UM, VOXEL_UM)),
        far,
    )


def _means(mu: np.ndarray, count: int) -> np.ndarray:
    whole = len(mu) // count * count
    means = mu[:whole].reshape(-1, count, *mu.shape[1:]).mean(axis=1)
    return np.asarray(means, np.float32)


def _layouts() -> Iterator[Case]:
    kind = "Layout"
    yield Case(kind, "OME-Zarr 0.4", lambda mu, at, _: ome_zarr(mu, at))
    yield Case(kind, "OME-Zarr 0.5", lambda mu, at, _: ome_zarr(mu, at, version=3))
    yield Case(
        kind,
        "OME-Zarr, scale at the whole",
        lambda mu, at, _: ome_zarr(mu, at, level=(1.0, 1.0, 1.0)),
    )
    yield Case(
        kind,
        "OME-Zarr, axes x, y, z",
        lambda mu, at, _: ome_zarr(mu.transpose(2, 1, 0).copy(), at, axes="xyz"),
    )
    yield Case(
        kind,
        "OME-Zarr, axes t, c, z, y, x",
        lambda mu, at, _: ome_zarr(mu[None, None], at, axes="tczyx"),
    )
    yield Case(kind, "OME-Zarr as a zip file", lambda mu, at, _: files.zipped(ome_zarr(mu, at)))
    yield Case(kind, "bioformats2raw", lambda mu, at, _: files.bioformats(mu, at))
    yield Case(
        kind, "OME-TIFF, axes z, y, x", lambda mu, at, _: ome_tiff(mu, at, "ZYX", files.SIZE)
    )
    yield Case(
        kind,
        "OME-TIFF, axes t, c, z, y, x",
        lambda mu, at, _: ome_tiff(mu[None, None], at, "TCZYX", files.SIZE),
    )
    yield Case(
        kind,
        "OME-TIFF, two channels",
        lambda mu, at, _: ome_tiff(np.stack([mu, mu]), at, "CZYX", files.SIZE),
        "channel|axes|volumes|several",
    )
    yield Case(kind, "TIFF, big-endian", lambda mu, at, _: _big_endian(mu, at))
    for place, name in (
        ("entry0000/reconstruction/results/data", "nabu"),
        ("data", "HTTomo"),
        ("exchange/data", "tomopy"),
    ):
        yield Case(kind, f"HDF5 of {name}", lambda mu, at, _, p=place: hdf5(mu, at, p))
    yield Case(
        kind,
        "HDF5 of Savu, slices along y",
        lambda mu, at, _: hdf5(
            mu.transpose(2, 0, 1).copy(),
            at,
            "entry/final_result_tomo/data",
            axes=["voxel_x", "voxel_y", "voxel_z"],
        ),
    )
    for ending in (".nrrd", ".nii", ".mha"):
        yield Case(kind, f"{ending[1:].upper()}", lambda mu, at, _, e=ending: image(mu, at, e))
    yield Case(kind, "VTI", lambda mu, at, _: files.exported(mu, at))
    yield Case(kind, "values without a header, said", lambda mu, at, _: raw(mu, at))
    yield Case(kind, "values with a .vgi", lambda mu, at, _: raw(mu, at, vgi=True))
    yield Case(
        kind,
        "labels of few whole numbers",
        lambda mu, at, _: _grey(tiff(np.digitize(mu, [2.0, 20.0, 80.0]).astype("u1"), at)),
        "labels",
    )
    yield Case(
        kind,
        "labels as real numbers",
        lambda mu, at, _: tiff(np.digitize(mu, [2.0, 20.0, 80.0]).astype("f4"), at),
        "labels",
    )
    yield Case(kind, "colors (RGB)", lambda mu, at, _: _rgb(mu, at), "RGB|color|shape|axes|samples")


def _big_endian(mu: np.ndarray, at: Path) -> Said:
    file = at / "volume.tif"
    tifffile.imwrite(file, mu, photometric="minisblack", byteorder=">")
    return {"file": str(file), **files.KNOWN}


def _rgb(mu: np.ndarray, at: Path) -> Said:
    file = at / "volume.tif"
    tifffile.imwrite(file, np.stack([coded(mu, "uint8", -25, 130)] * 3, axis=-1), photometric="rgb")
    return {"file": str(file), **files.KNOWN}


def _pairs() -> Iterator[Case]:
    kind = "Two traits at once"
    on_side, wide = ((2, 1, 0), (1, 1, -1)), [2 * VOXEL_UM, VOXEL_UM, VOXEL_UM]
    yield Case(
        kind,
        "turned, 8 bits",
        lambda mu, at, _: _grey(tiff(_turned(coded(mu, "uint8", -25, 130), *on_side), at)),
    )
    yield Case(
        kind,
        "turned, a chunk is missing",
        lambda mu, at, _: files.without_chunks(ome_zarr(_turned(mu, *on_side), at), ["1.1.1"]),
        "missing|lost",
    )
    yield Case(
        kind,
        "turned, every slice of 2",
        lambda mu, at, _: tiff(
            _turned(mu[::2], *on_side), at, voxel_size_um=[VOXEL_UM, VOXEL_UM, 2 * VOXEL_UM]
        ),
        "slices lie",
    )
    yield Case(
        kind,
        "turned, 1/mm of 15 keV, neither unit nor energy said",
        lambda mu, at, _: _without_energy(tiff(_turned(mu / 10, *on_side), at)),
        "1/mm|energy_kev",
        15.0,
    )
    yield Case(
        kind,
        "turned, inverted",
        lambda mu, at, _: _grey(tiff(_turned(-mu, *on_side), at)),
        "invert|contrast|falls",
    )
    yield Case(
        kind,
        "leaning by 6°, every slice of 2",
        lambda mu, at, _: tiff(leaning(mu, 6)[::2].copy(), at, voxel_size_um=wide),
        "lean|slices lie",
    )
    yield Case(
        kind,
        "leaning by 6°, 16 bits",
        lambda mu, at, _: _grey(tiff(coded(leaning(mu, 6), "uint16", -25, 130), at)),
        "lean",
    )
    yield Case(
        kind,
        "leaning by 10°, noise × 2",
        lambda mu, at, cell: tiff(leaning(cell.with_noise(2), 10), at),
        "lean|nois",
    )
    yield Case(
        kind,
        "slices are missing, ImageJ codes",
        lambda mu, at, _: _without_files(
            files.slices(coded(mu, "uint16", -25, 130), at, unit="grey"), range(40, 46)
        ),
        "missing|NaN",
    )
    yield Case(
        kind,
        "rings of 5 %, 8 bits",
        lambda mu, at, _: _grey(tiff(coded(rings(mu, 0.05), "uint8", -25, 130), at)),
        "ring",
    )
    yield Case(
        kind,
        "cupping of 30 %, turned, grey",
        lambda mu, at, _: _grey(
            tiff(_turned(300 * cupped(mu, 0.3) + 9000, *on_side).astype("f4"), at)
        ),
        "cupping",
    )
    yield Case(
        kind,
        "cupping of 10 %, rings of 2 %",
        lambda mu, at, _: tiff(rings(cupped(mu, 0.1), 0.02), at),
        "ring|cupping",
    )
    yield Case(
        kind,
        "noise × 2, every slice of 2",
        lambda mu, at, cell: tiff(cell.with_noise(2)[::2], at, voxel_size_um=wide),
        "slices lie|nois",
    )
    yield Case(
        kind,
        "steel cut off, 8 bits, turned",
        lambda mu, at, _: _grey(tiff(_turned(coded(mu, "uint8", -8, 70), *on_side), at)),
        "cut off|clipped",
    )
    yield Case(
        kind,
        "a block of zeros, leaning by 6°",
        lambda mu, at, _: tiff(leaning(block(mu, 0), 6), at),
        "lean",
    )
    yield Case(
        kind,
        "ImageJ spacing and calibration",
        lambda mu, at, _: imagej(
            coded(mu[::2], "uint16", -25, 130),
            at,
            {"spacing": 2 * VOXEL_UM, "cf": 0, "c0": -25.0, "c1": 155 / 65535, "vunit": "1/cm"},
        ),
        "slices lie",
    )
    yield Case(
        kind,
        "field of view inside of the bore, 8 bits",
        lambda mu, at, _: _grey(tiff(coded(mu[:, 22:74, 22:74], "uint8", -25, 130), at)),
        "not in view",
        part=True,
    )
    yield Case(
        kind,
        "every column of 2, rows along the layers",
        lambda mu, at, _: tiff(
            _turned(mu[:, ::2], *on_side), at, voxel_size_um=[VOXEL_UM, 2 * VOXEL_UM, VOXEL_UM]
        ),
        "lie|wide|width|edge",
    )
