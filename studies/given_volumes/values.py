"""Volumes on other scales, in other units, and with values that are spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case
from studies.given_volumes.files import ome_zarr
from studies.given_volumes.spoiling import VOXEL_UM, in_circle
from studies.given_volumes.tiff_files import calibrated, imagej, tiff
from studies.given_volumes.traits import WIDE, but, coded, noisy, on, scaled

_STEEL = 115.0  # 1/cm at 25 keV
_GREY = but(unit="grey")


def scales() -> Iterator[Case]:
    """On any linear scale, of any type."""
    of = partial(Case, "Scale of the values", write=tiff)
    yield of("grey values, 300 μ + 13,000, real numbers", traits=[scaled(300, 13_000), _GREY])
    yield of("grey values, negative, μ/50 − 3", traits=[scaled(0.02, -3), _GREY])
    yield of("16 bits, full range", traits=[coded("uint16")])
    yield of("16 bits with sign", traits=[coded("int16")])
    yield of(
        "8 bits, window of −25 to 126 1/cm (9 codes from air to electrolyte)",
        traits=[coded("uint8")],
    )
    yield of("8 bits, window to just above steel's mean", traits=[coded("uint8", -8, _STEEL + 4)])
    yield of(
        "8 bits, steel cut off", traits=[coded("uint8", -8, 70)], says="cut off|clipped|saturat"
    )
    yield of(
        "8 bits, window of −500 to 500 1/cm (1 code from air to electrolyte)",
        traits=[coded("uint8", -500, 500)],
        says="8 bits|steps|codes|contrast|noise|electrolyte",
    )
    yield of("64-bit real numbers", traits=[on(lambda mu: mu.astype("f8"))])
    half = [on(lambda mu: mu.astype("f2"))]
    yield of("16-bit real numbers, Zarr", write=ome_zarr(), traits=half)
    for dtype in ("uint16", "uint8"):
        yield of(
            f"ImageJ, {dtype}, calibrated to 1/cm", write=calibrated(*WIDE), traits=[coded(dtype)]
        )
    yield of(
        "ImageJ, 16 bits with sign, kept as c0 = −32768",
        write=imagej(cf=0, c0=-32768.0, c1=1.0),
        traits=[on(lambda mu: np.rint(100 * mu + 32768).astype("u2")), _GREY],
    )


def units() -> Iterator[Case]:
    """In other units, said or not."""
    asked = "1/mm|1/px|energy_kev|grey"
    of = partial(Case, "Unit", write=tiff)
    for name, factor in (("1/mm", 0.1), ("1/px", VOXEL_UM * 1e-4)):
        yield of(f"{name}, as said", traits=[scaled(factor), but(unit=name)])
        yield of(f"{name}, not said, with energy", traits=[scaled(factor)], says=asked)
        for energy in (25.0, 20.0, 15.0):
            yield of(
                f"{name} of {energy:g} keV, neither unit nor energy said",
                traits=[scaled(factor), but(energy_kev=None)], says=asked, energy_kev=energy,
            )  # fmt: skip
    yield of(
        "1/cm of 20 keV, no energy said",
        traits=[but(energy_kev=None)], says=asked, energy_kev=20.0,
    )  # fmt: skip
    yield of(
        "energy said to be 18, is 25 keV",
        traits=[but(energy_kev=18.0)], says="density|energy_kev",
    )  # fmt: skip
    yield of(
        "16-bit codes said to be 1/cm",
        traits=[coded("uint16"), but(unit=None)], says="μ is|grey",
    )  # fmt: skip


def values() -> Iterator[Case]:
    """With contrast, light or rings that are not as they should be."""
    of = partial(Case, "What the values hold", write=tiff)
    inverted, cut = "invert|contrast|falls", "cut off|clipped"
    yield of("inverted contrast", traits=[scaled(-1), _GREY], says=inverted)
    yield of(
        "inverted, 8 bits", traits=[coded("uint8"), on(lambda codes: 255 - codes)], says=inverted
    )
    yield of("steel cut off at 60 1/cm", traits=[on(np.minimum, 60)], says=cut)
    yield of("active material cut off at 30 1/cm", traits=[on(np.minimum, 30)], says=cut)
    yield of("lithium cut off at 1 1/cm", traits=[on(np.maximum, 1)], says=cut)
    yield of(
        "square root of the values",
        traits=[on(lambda mu: np.sqrt(np.maximum(mu, 0))), _GREY],
        says="line|linear|lithium|scale|cut off",
    )
    for times in (2, 4, 8):
        yield of(f"noise × {times}", traits=[noisy(times)], says="nois")
    for part in (0.02, 0.05, 0.15):
        rings = on(spoiling.rings, part)
        yield of(f"rings, {part:.0%} of the electrolyte", traits=[rings], says="ring")
    for part in (0.1, 0.3):
        cupped = on(spoiling.cupped, part)
        yield of(f"cupping of {part:.0%}", traits=[cupped], says="cupping|radius|harden")
    for name, value in (("NaN", np.nan), ("−1000", -1000)):
        beyond = np.float32(value)
        yield of(
            f"{name} outside of the circle",
            traits=[on(_beyond_the_circle, beyond)],
        )


def _beyond_the_circle(mu: np.ndarray, value: float) -> np.ndarray:
    return np.where(in_circle(mu.shape), mu, value)
