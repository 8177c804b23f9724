"""Volumes with two traits at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from studies.given_volumes import spoiling
from studies.given_volumes.case import Case, then
from studies.given_volumes.files import ome_zarr, without_chunks
from studies.given_volumes.tiff_files import calibrated, slices, tiff, without_slices
from studies.given_volumes.traits import (
    NARROW,
    WIDE,
    but,
    coded,
    every,
    leaning,
    noisy,
    on,
    on_side,
    scaled,
)

_GREY = but(unit="grey")


def pairs() -> Iterator[Case]:
    """With two traits at once."""
    of = partial(Case, "Two traits at once", write=tiff)
    yield of("turned, 8 bits", traits=[coded("uint8"), on_side()])
    yield of(
        "turned, a chunk is missing",
        write=then(ome_zarr(), without_chunks("1.1.1")), traits=[on_side()], says="missing|lost",
    )  # fmt: skip
    yield of("turned, every slice of 2", traits=[every(2), on_side()], says="slices lie")
    yield of(
        "turned, 1/mm of 15 keV, neither unit nor energy said",
        traits=[scaled(0.1), on_side(), but(energy_kev=None)],
        says="1/mm|energy_kev", energy_kev=15.0,
    )  # fmt: skip
    yield of(
        "turned, inverted", traits=[scaled(-1), on_side(), _GREY], says="invert|contrast|falls"
    )
    yield of(
        "leaning by 6°, every slice of 2", traits=[leaning(6), every(2)], says="lean|slices lie"
    )
    yield of("leaning by 6°, 16 bits", traits=[leaning(6), coded("uint16")], says="lean")
    yield of("leaning by 10°, noise × 2", traits=[noisy(2), leaning(10)], says="lean|nois")
    yield of(
        "slices are missing, ImageJ codes",
        write=then(slices(), without_slices(range(40, 46))), traits=[coded("uint16")],
        says="missing|NaN",
    )  # fmt: skip
    yield of("rings of 5 %, 8 bits", traits=[on(spoiling.rings, 0.05), coded("uint8")], says="ring")
    yield of(
        "cupping of 30 %, turned, grey",
        traits=[on(spoiling.cupped, 0.3), scaled(300, 9000), on_side(), _GREY], says="cupping",
    )  # fmt: skip
    yield of(
        "cupping of 10 %, rings of 2 %",
        traits=[on(spoiling.cupped, 0.1), on(spoiling.rings, 0.02)], says="ring|cupping",
    )  # fmt: skip
    yield of("noise × 2, every slice of 2", traits=[noisy(2), every(2)], says="slices lie|nois")
    yield of(
        "steel cut off, 8 bits, turned",
        traits=[coded("uint8", *NARROW), on_side()], says="cut off|clipped",
    )  # fmt: skip
    yield of(
        "a block of zeros, leaning by 6°", traits=[on(spoiling.block, 0), leaning(6)], says="lean"
    )
    yield of(
        "ImageJ spacing and calibration",
        write=calibrated(*WIDE), traits=[every(2), coded("uint16")], says="slices lie",
    )  # fmt: skip
    yield of(
        "field of view inside of the bore, 8 bits",
        traits=[on(lambda mu: mu[:, 22:74, 22:74]), coded("uint8")],
        says="not in view", part=True,
    )  # fmt: skip
    yield of(
        "every column of 2, rows along the layers",
        traits=[every(2, 1), on_side()], says="lie|wide|width|edge",
    )  # fmt: skip
    yield of(
        "leaning by 15°, 8 bits, turned",
        traits=[leaning(15), coded("uint8"), on_side()],
        says="lean",
    )
    yield of(
        "every slice of 3, 8 bits, upside down",
        traits=[every(3), coded("uint8"), on(lambda codes: codes[::-1].copy())], says="slices lie",
    )  # fmt: skip
    yield of(
        "leaning by 6°, half of the bore in view",
        traits=[leaning(6), on(lambda mu: mu[:, :, : mu.shape[2] // 2])],
        says="view|round|bore|wall", part=True,
    )  # fmt: skip
