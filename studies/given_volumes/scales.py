"""Volumes on other scales, in other units, and with values that are spoilt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studies.given_volumes.case import Case, Make
from studies.given_volumes.files import (
    grey,
    imagej,
    ome_zarr,
    tiff,
    without_energy,
)
from studies.given_volumes.spoiling import (
    VOXEL_UM,
    coded,
    cupped,
    in_circle,
    rings,
)

_STEEL = 115.0  # 1/cm at 25 keV; a window up to a little more holds all


def scales() -> Iterator[Case]:
    """On any linear scale, of any type."""
    kind = "Scale of the values"
    low, high = -25.0, 1.1 * _STEEL

    def in_codes(dtype: str, a: float = low, b: float = high) -> Make:
        return lambda mu, at, _: grey(tiff(coded(mu, dtype, a, b), at))

    yield Case(
        kind,
        "grey values, 300 μ + 13,000, real numbers",
        lambda mu, at, _: grey(tiff((300 * mu + 13_000).astype("f4"), at)),
    )
    yield Case(
        kind,
        "grey values, negative, μ/50 − 3",
        lambda mu, at, _: grey(tiff((mu / 50 - 3).astype("f4"), at)),
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


def units() -> Iterator[Case]:
    """In other units, said or not."""
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
                lambda mu, at, _, f=factor: without_energy(tiff((f * mu).astype("f4"), at)),
                unit,
                energy,
            )
    yield Case(
        kind,
        "1/cm of 20 keV, no energy said",
        lambda mu, at, _: without_energy(tiff(mu, at)),
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


def values() -> Iterator[Case]:
    """With contrast, light or rings that are not as they should be."""
    kind = "What the values hold"
    yield Case(
        kind, "inverted contrast", lambda mu, at, _: grey(tiff(-mu, at)), "invert|contrast|falls"
    )
    yield Case(
        kind,
        "inverted, 8 bits",
        lambda mu, at, _: grey(tiff(255 - coded(mu, "uint8", -25, 130), at)),
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
        lambda mu, at, _: grey(tiff(np.sqrt(np.maximum(mu, 0)), at)),
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
