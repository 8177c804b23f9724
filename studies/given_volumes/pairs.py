"""Volumes with two traits at once."""

from __future__ import annotations

from collections.abc import Iterator

from studies.given_volumes import files
from studies.given_volumes.case import Case
from studies.given_volumes.files import (
    grey,
    imagej,
    ome_zarr,
    tiff,
    without_energy,
    without_slices,
)
from studies.given_volumes.spoiling import (
    VOXEL_UM,
    block,
    coded,
    cupped,
    leaning,
    rings,
    turned,
)


def pairs() -> Iterator[Case]:
    """With two traits at once."""
    kind = "Two traits at once"
    on_side, wide = ((2, 1, 0), (1, 1, -1)), [2 * VOXEL_UM, VOXEL_UM, VOXEL_UM]
    yield Case(
        kind,
        "turned, 8 bits",
        lambda mu, at, _: grey(tiff(turned(coded(mu, "uint8", -25, 130), *on_side), at)),
    )
    yield Case(
        kind,
        "turned, a chunk is missing",
        lambda mu, at, _: files.without_chunks(ome_zarr(turned(mu, *on_side), at), ["1.1.1"]),
        "missing|lost",
    )
    yield Case(
        kind,
        "turned, every slice of 2",
        lambda mu, at, _: tiff(
            turned(mu[::2], *on_side), at, voxel_size_um=[VOXEL_UM, VOXEL_UM, 2 * VOXEL_UM]
        ),
        "slices lie",
    )
    yield Case(
        kind,
        "turned, 1/mm of 15 keV, neither unit nor energy said",
        lambda mu, at, _: without_energy(tiff(turned(mu / 10, *on_side), at)),
        "1/mm|energy_kev",
        15.0,
    )
    yield Case(
        kind,
        "turned, inverted",
        lambda mu, at, _: grey(tiff(turned(-mu, *on_side), at)),
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
        lambda mu, at, _: grey(tiff(coded(leaning(mu, 6), "uint16", -25, 130), at)),
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
        lambda mu, at, _: without_slices(
            files.slices(coded(mu, "uint16", -25, 130), at, unit="grey"), range(40, 46)
        ),
        "missing|NaN",
    )
    yield Case(
        kind,
        "rings of 5 %, 8 bits",
        lambda mu, at, _: grey(tiff(coded(rings(mu, 0.05), "uint8", -25, 130), at)),
        "ring",
    )
    yield Case(
        kind,
        "cupping of 30 %, turned, grey",
        lambda mu, at, _: grey(
            tiff(turned(300 * cupped(mu, 0.3) + 9000, *on_side).astype("f4"), at)
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
        lambda mu, at, _: grey(tiff(turned(coded(mu, "uint8", -8, 70), *on_side), at)),
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
        lambda mu, at, _: grey(tiff(coded(mu[:, 22:74, 22:74], "uint8", -25, 130), at)),
        "not in view",
        part=True,
    )
    yield Case(
        kind,
        "every column of 2, rows along the layers",
        lambda mu, at, _: tiff(
            turned(mu[:, ::2], *on_side), at, voxel_size_um=[VOXEL_UM, 2 * VOXEL_UM, VOXEL_UM]
        ),
        "lie|wide|width|edge",
    )
