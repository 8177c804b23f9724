"""What the metadata of OME-Zarr say of a volume. In: attributes; out: axes by name, voxel size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xct.errors import ScanError
from xct.io.units import unit_factor
from xct.io.volume_files.volume import VoxelSize

_ORDERS = {3: "zyx", 4: "czyx", 5: "tczyx"}  # of before axes had names


@dataclass(frozen=True)
class Image:
    """What a multiscale says.

    Attributes
    ----------
    path : str
        Where its finest level lies in the group.
    levels : tuple of str
        Where all lie.
    axes : tuple of str
        Names of the axes; empty where they have none.
    size_um : tuple of float or None
        Edges of a voxel along z, y and x; None where an axis has no unit of length.
    unknown : tuple of str
        Transformations that are not understood.
    """

    path: str
    levels: tuple[str, ...]
    axes: tuple[str, ...]
    size_um: VoxelSize | None
    unknown: tuple[str, ...]


def read_multiscale(scales: Mapping[str, Any], place: str) -> Image:
    """Read a multiscale of version 0.4, 0.5 or before.

    Every transformation counts: that of the level, and that of the whole behind it.

    Raises
    ------
    ScanError
        If the metadata are not as the specification says.
    """
    try:
        datasets = scales["datasets"]
        levels = tuple(str(dataset["path"]) for dataset in datasets)
        described = [
            axis if isinstance(axis, Mapping) else {"name": axis}
            for axis in scales.get("axes") or []
        ]
        axes = tuple(str(axis.get("name", "")).lower() for axis in described)
        units = [axis.get("unit") for axis in described]
        several = (
            datasets[0].get("coordinateTransformations"),
            scales.get("coordinateTransformations"),
        )
        applied = [one for each in several for one in each or []]
        unknown = tuple(
            sorted({_kind(one) for one in applied} - {"scale", "translation", "identity"})
        )
        return Image(levels[0], levels, axes, _size_um(axes, units, applied), unknown)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ScanError(
            f"file: {place}: its OME metadata are damaged ({type(error).__name__}: {error}); copy "
            "them again, or name the array of a level and give voxel_size_um"
        ) from None


def _kind(transformation: Mapping[str, Any]) -> str:
    kind = str(transformation.get("type", "without a type"))
    return f"{kind} in a file of its own" if "path" in transformation else kind


def _size_um(
    axes: Sequence[str], units: Sequence[Any], applied: Sequence[Mapping[str, Any]]
) -> VoxelSize | None:
    edges = dict.fromkeys(axes, 1.0)
    scales = [one["scale"] for one in applied if one.get("type") == "scale" and "scale" in one]
    for scale in scales:
        for axis, factor in zip(axes, scale, strict=True):
            edges[axis] *= abs(float(factor))
    factors = {a: unit_factor(str(u), "um") for a, u in zip(axes, units, strict=True) if u}
    size = [edges.get(axis, 0.0) * (factors.get(axis) or 0.0) for axis in "zyx"]
    if not scales or not all(0 < edge < float("inf") for edge in size):
        return None
    return size[0], size[1], size[2]


def placed_axes(
    names: Sequence[str], shape: Sequence[int], place: str
) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """Find which axes of an array are z, y and x.

    Parameters
    ----------
    names : sequence of str
        Names of the axes; empty where they have none.
    shape : sequence of int
        Of the array.
    place : str
        For messages.

    Returns
    -------
    axes : tuple of int
        Of z, y and x.
    notes : tuple of str
        What was assumed.

    Raises
    ------
    ScanError
        If they are not there, or there are several times or channels.
    """
    shape = tuple(int(length) for length in shape)
    notes: tuple[str, ...] = ()
    if not names:
        names = tuple(_ORDERS.get(len(shape), ""))
        notes = (f"its axes have no names: taken as {', '.join(names)}",)
    if len(names) != len(shape) or any(list(names).count(axis) != 1 for axis in "zyx"):
        raise ScanError(
            f"file: {place}: has the axes {', '.join(names) or 'unknown'} and the shape {shape}; a "
            "volume has the axes z, y, x, each once"
        )
    long = {
        n: length for n, length in zip(names, shape, strict=True) if n not in "zyx" and length > 1
    }
    if long:
        found = ", ".join(f"{name} = {length}" for name, length in long.items())
        raise ScanError(
            f"file: {place}: has shape {shape} ({found}); a volume has the axes z, y, x: split "
            "times or channels first"
        )
    z, y, x = (list(names).index(axis) for axis in "zyx")
    if (z, y, x) != tuple(sorted((z, y, x))):
        notes = (
            *notes,
            f"its axes are stored as {', '.join(names)}: read as z, y, x, by their names",
        )
    return (z, y, x), notes
