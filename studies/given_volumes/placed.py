"""Volumes that lie otherwise, or whose voxels are no cubes, or are said to be others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import permutations, product

import numpy as np

from studies.given_volumes.case import Case
from studies.given_volumes.tiff_files import imagej, ome_tiff, tiff
from studies.given_volumes.traits import every, leaning, means, on, said_edges, turned

_FAR = "slices lie"
_WIDE = "lie|wide|width|edge|pixels"


def turns() -> Iterator[Case]:
    """Give the 23 turns that are not the plain volume, and mirror images."""
    of = partial(Case, "Direction", write=tiff)
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        is_turn = np.linalg.det(np.diag(signs) @ np.eye(3)[list(order)]) > 0
        if is_turn and (order, signs) != ((0, 1, 2), (1, 1, 1)):
            axes = ", ".join(
                ("−" if s < 0 else "") + "zyx"[a] for a, s in zip(order, signs, strict=True)
            )
            yield of(f"turned: the file's axes are {axes}", traits=[turned(order, signs)])
    yield of("mirrored along z", traits=[turned((0, 1, 2), (-1, 1, 1))])
    yield of(
        "mirrored and turned, axes said",
        traits=[turned((2, 1, 0), (1, 1, 1)), lambda given: given.but(axes=["x", "y", "z"])],
    )


def leans() -> Iterator[Case]:
    """Whose layers lean."""
    of = partial(Case, "Lean", write=tiff, says="lean|smoothed")  # the study interpolates
    for degrees in (2, 3, 6, 10, 15, 20):
        yield of(f"leaning by {degrees}°", traits=[leaning(degrees)])
    yield of("leaning by 7° about y, 7° about x", traits=[leaning(7, "yx")])
    yield of("leaning by −12°, about x", traits=[leaning(-12, "x")])
    yield of(
        "leaning by −12°, cut off across its ends",
        traits=[leaning(-12, "x"), on(lambda mu: mu[20:-20, 18:-18])],
        says="lean|view",
        part=True,
    )
    yield of(
        "leaning by 7°, half of the steel out of view",
        traits=[leaning(7), on(lambda mu: mu[10:-10, :, 6:-6])],
        says="lean|view",
        part=True,
    )


def edges() -> Iterator[Case]:
    """Whose voxels are longer than wide, or said to be."""
    of = partial(Case, "Edges of a voxel", write=tiff)
    for step in (2, 3, 4):
        yield of(f"every slice of {step}", traits=[every(step)], says=_FAR)
        yield of(f"mean of {step} slices", traits=[means(step)], says=_FAR)
    yield of("every slice of 5", traits=[every(5)], says="longer than 4 times")
    for step in (2, 3, 4):
        yield of(f"every column of {step}", traits=[every(step, 2)], says=_WIDE)
    yield of("every row of 2", traits=[every(2, 1)], says=_WIDE)
    yield of("ImageJ, spacing of 6 µm", write=imagej(), traits=[every(2)], says=_FAR)
    yield of("OME, PhysicalSizeZ of 6 µm", write=ome_tiff("ZYX"), traits=[every(2)], says=_FAR)


def slips() -> Iterator[Case]:
    """Whose voxel size is said wrongly, or not at all."""
    of = partial(Case, "Size of a voxel", write=tiff)
    length = "times as long|voxel_size_um|not round"
    yield of("no size said", write=imagej(unit="pixel"), says="voxel_size_um")
    yield of("x said to be half of what it is", traits=[said_edges(1, 1, 0.5)], says="not round")
    yield of("z said to be half of what it is", traits=[said_edges(0.5, 1, 1)], says=length)
    yield of("z said to be twice what it is", traits=[said_edges(2, 1, 1)], says=length)
    yield of(
        "every slice of 2, said to be cubes", traits=[every(2), said_edges(0.5, 1, 1)], says=length
    )
    yield of("millimetres said as µm", traits=[said_edges(1e-3, 1e-3, 1e-3)], says=length)
    yield of("nanometres said as µm", traits=[said_edges(1e3, 1e3, 1e3)], says=length)
    for unit, per_um in (("nm", 1e3), ("mm", 1e-3), ("cm", 1e-4)):
        yield of(
            f"ImageJ, lengths in {unit}", write=imagej(unit=unit),
            traits=[said_edges(per_um, per_um, per_um)],
        )  # fmt: skip
