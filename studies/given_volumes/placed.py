"""Volumes that lie otherwise, or whose voxels are no cubes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studies.given_volumes.case import Case
from studies.given_volumes.files import (
    imagej,
    ome_tiff,
    tiff,
)
from studies.given_volumes.spoiling import (
    VOXEL_UM,
    leaning,
    turned,
)

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


def turns() -> Iterator[Case]:
    """Turn and mirror."""
    kind = "Direction"
    for order, signs in _TURNS:
        name = ", ".join(
            ("−" if s < 0 else "") + "zyx"[a] for a, s in zip(order, signs, strict=True)
        )
        yield Case(
            kind,
            f"turned: the file's axes are {name}",
            lambda mu, at, _, o=order, s=signs: tiff(turned(mu, o, s), at),
        )
    yield Case(kind, "mirrored along z", lambda mu, at, _: tiff(mu[::-1], at))
    yield Case(
        kind,
        "mirrored and turned, axes said",
        lambda mu, at, _: tiff(turned(mu, (2, 1, 0), (1, 1, 1)), at, axes=["x", "y", "z"]),
    )


def leans() -> Iterator[Case]:
    """Whose layers lean."""
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


def edges() -> Iterator[Case]:
    """Whose voxels are longer than wide."""
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
