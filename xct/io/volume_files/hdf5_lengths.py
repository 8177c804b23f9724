"""What an HDF5 file says of the size of its voxels. In: a file; out: z, y, x in µm, and where."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from xct.io.hdf5.source import Source
from xct.io.scans.dxchange import dxchange_pixel_um
from xct.io.units import unit_factor
from xct.io.volume_files.volume import VoxelSize

_NAMES = ("voxel_size", "pixel_size", "resolution")
# A pixel below these is that of a chip, or of a beam's projection onto it: its magnification tells.
_OF_A_DETECTOR = ("detector", "instrument")


def voxel_size(source: Source) -> tuple[VoxelSize | None, str, str]:
    """Find what the file says of lengths: numbers named voxel or pixel size, with a unit.

    Parameters
    ----------
    source : Source
        The file, open.

    Returns
    -------
    size : tuple of float or None
        z, y and x in µm; None where nothing tells, or numbers contradict each other.
    where : str
        Where it stands.
    said : str
        Why nothing tells, where the file holds lengths that may be others; else empty.
    """
    found: dict[str, VoxelSize] = {}
    chips: list[str] = []
    for name, dataset in source.datasets():
        last = name.rpartition("/")[2].lower()
        if not any(word in last for word in _NAMES) or dataset.size not in (1, 3):
            continue
        sizes = tuple(_lengths_um(source, name, dataset))
        if len(sizes) != dataset.size:
            continue
        if "voxel" not in last and set(_OF_A_DETECTOR) & set(name.lower().split("/")):
            chips.append(f"{name} ({sizes[0]:g} µm)")
            continue
        found[name] = (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 else (sizes[0],) * 3
    if not found:
        return _of_a_scan(source, chips)
    voxel = {
        name: size for name, size in found.items() if "voxel" in name.rpartition("/")[2].lower()
    }
    candidates = voxel or found
    first = next(iter(candidates))
    size = candidates[first]
    if any(not np.allclose(other, size, rtol=1e-3) for other in candidates.values()):
        shown = ", ".join(f"{name} ({one[0]:g} µm)" for name, one in candidates.items())
        return None, "", f"sizes contradict each other: {shown}; give it as [z, y, x] in µm"
    return size, f"{first} in {source.file.name}", ""


def _of_a_scan(source: Source, chips: list[str]) -> tuple[VoxelSize | None, str, str]:
    """Take the pixel of the scan that was copied along, as it is known for DXchange."""
    pixel_um = dxchange_pixel_um(source)
    if pixel_um is not None:
        where = f"{source.origin['pixel_size_um']} of the scan, in {source.file.name}"
        return (pixel_um,) * 3, where, ""
    if not chips:
        return None, "", ""
    return None, "", (
        f"says the pixel of a detector alone: {', '.join(chips)}; divide it by the magnification, "
        "multiply it by the binning, and give the size of a voxel as [z, y, x] in µm"
    )  # fmt: skip


def _lengths_um(source: Source, name: str, dataset: h5py.Dataset) -> Iterator[float]:
    unit = source.unit(name) or name.rpartition("_")[2]  # such as voxel_size_cm
    factor = unit_factor(unit, "um")
    values = None if factor is None else source.array(name)
    if values is None or factor is None or values.dtype.kind not in "iuf":
        return
    for value in values.reshape(-1).tolist():
        if np.isfinite(value) and value > 0:
            yield float(value) * factor
