"""Volumes in TIFF, as programs store them. In: a volume and a folder; out: what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from studies.given_volumes.case import Given, Said, Write, in_file, known


def tiff(given: Given, folder: Path) -> Said:
    """Write a plain TIFF stack."""
    return tiff_as()(given, folder)


def tiff_as(**settings: Any) -> Write:
    """Write a TIFF stack by settings of tifffile."""

    def write(given: Given, folder: Path) -> Said:
        file = folder / "volume.tif"
        tifffile.imwrite(file, given.values, **{"photometric": "minisblack", **settings})
        return known(given, file)

    return write


def imagej(**facts: Any) -> Write:
    """Write what ImageJ saves: edges along y and x in the tags, facts in the description."""

    def write(given: Given, folder: Path) -> Said:
        file = folder / "volume.tif"
        z, y, x = given.edges_um
        metadata = {"axes": "ZYX", "unit": "um", "spacing": z, **facts}
        metadata = {name: fact for name, fact in metadata.items() if fact is not None}
        tifffile.imwrite(
            file, given.values, imagej=True, resolution=(1 / x, 1 / y), metadata=metadata
        )
        return in_file(given, file)

    return write


def calibrated(low: float, high: float, **facts: Any) -> Write:
    """Write whole numbers of a window as ImageJ does, with the straight line to 1/cm."""

    def write(given: Given, folder: Path) -> Said:
        values = given.values
        slope = (high - low) / int(np.iinfo(values.dtype).max)
        line = {"cf": 0, "c0": low, "c1": slope, "vunit": "1/cm"}
        given = Given(values, given.edges_um, given.said).but(unit=None)
        return imagej(**line, **facts)(given, folder)

    return write


def ome_tiff(axes: str) -> Write:
    """Write OME-TIFF with edges along z, y and x in its XML."""

    def write(given: Given, folder: Path) -> Said:
        file = folder / "volume.ome.tif"
        edges = {f"PhysicalSize{a}": e for a, e in zip("ZYX", given.edges_um, strict=True)}
        units = {f"{name}Unit": "µm" for name in edges}
        tifffile.imwrite(
            file, given.values, ome=True, photometric="minisblack",
            metadata={"axes": axes, **edges, **units},
        )  # fmt: skip
        return in_file(given, file)

    return write


def slices(names: str = "rec_{:04d}.tif", first: int = 0) -> Write:
    """Write one TIFF a slice."""

    def write(given: Given, folder: Path) -> Said:
        place = folder / "slices"
        place.mkdir()
        for number, image in enumerate(given.values, first):
            tifffile.imwrite(place / names.format(number), image, photometric="minisblack")
        return known(given, place)

    return write


def without_slices(numbers: Sequence[int]) -> Callable[[Said], Said]:
    """Lose slices of a folder, by their numbers."""

    def lose(said: Said) -> Said:
        for number in numbers:
            (Path(said["file"]) / f"rec_{number:04d}.tif").unlink()
        return said

    return lose
