"""Volumes in Zarr: OME-Zarr, or a plain array; a folder, or a zip file of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from xct.errors import ScanError, XctError
from xct.io.tiff.stacks import named
from xct.io.volume_files.holes import holed
from xct.io.volume_files.ome_zarr import Image, placed_axes, read_multiscale
from xct.io.volume_files.volume import (
    Arranged,
    ForeignVolume,
    Request,
    VoxelSize,
    check_chunks,
    check_form,
    chosen_size,
)
from xct.io.volumes import coding_of

_METADATA = ("zarr.json", ".zgroup", ".zarray")
_DAMAGED = "its Zarr metadata cannot be read ({}); copy it again"


def recognizes(path: Path) -> bool:
    """Whether a path is a folder with Zarr metadata, or a zip file of one."""
    if path.is_dir():
        return any((path / name).is_file() for name in _METADATA)
    return path.name.lower().endswith((".zarr.zip", ".zip")) and path.is_file()


@dataclass(frozen=True)
class _Store:
    """A Zarr hierarchy on disk: what it opens from, and the keys that are there."""

    path: Path
    source: Any
    prefix: str
    keys: frozenset[str]
    files: tuple[Path, ...]

    def open(self, inner: str = "") -> Any:
        """Open a group or an array.

        Raises
        ------
        ScanError
            If its metadata are missing or damaged.
        """
        import zarr

        place = "/".join(part for part in (self.prefix, inner) if part)
        try:
            return zarr.open(self.source, mode="r", path=place or None)
        except Exception as error:  # what damaged metadata raise has no common type
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            where = f"{self.path}/{inner}" if inner else str(self.path)
            raise ScanError(f"file: {where}: {_DAMAGED.format(reason)}") from None

    def below(self, inner: str, name: str) -> str:
        """Give the place of what is named inside a group."""
        return "/".join(part for part in (inner, _inside(name, self.path)) if part)

    def holds(self, place: str) -> bool:
        """Whether a group or an array stands at a place, damaged or not."""
        return any((f"{place}/{name}" if place else name) in self.keys for name in _METADATA)


def read(path: Path, request: Request) -> ForeignVolume:
    """Read the finest level of a multiscale, or an array.

    Raises
    ------
    ScanError
        If it is damaged, holds several volumes, or leads out of its folder.
    """
    store = _store(path)
    try:
        return _opened(store, path, request)
    except (XctError, MemoryError):
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ScanError(f"file: {path}: {_DAMAGED.format(reason)}") from None


def _opened(store: _Store, path: Path, request: Request) -> ForeignVolume:
    inner = request.path or _only_series(store)
    opened = store.open(_inside(inner, store.path))
    if not hasattr(opened, "group_keys"):
        return _volume(store, inner, opened, _named_axes(opened), None, {}, request)
    facts = opened.attrs.get("xct", {})
    image = _image(opened, store, inner)
    place = store.below(inner, image.path)
    if not store.holds(place):
        there = [level for level in image.levels if store.holds(store.below(inner, level))]
        hint = f"of its levels only {named(there)} are there" if there else "none of its levels is"
        raise ScanError(
            f"file: {path}: level {image.path}, the finest, is missing: {hint}; copy it again, or "
            f"name the array of a level (file: {path}/{(there or image.levels)[-1]}) and give "
            "voxel_size_um"
        )
    if image.unknown and request.voxel_size_um is None:
        raise ScanError(
            f"voxel_size_um: {path}: its transformation ({', '.join(image.unknown)}) is not "
            "understood; give the voxel size as [z, y, x] in µm"
        )
    array = store.open(place)
    return _volume(store, place, array, image.axes, image.size_um, facts, request)


def _volume(
    store: _Store,
    inner: str,
    array: Any,
    names: tuple[str, ...],
    size_um: VoxelSize | None,
    facts: Mapping[str, Any],
    request: Request,
) -> ForeignVolume:
    place = f"{store.path}/{inner}" if inner else str(store.path)
    if not hasattr(array, "chunks"):
        raise ScanError(f"file: {place}: is a group, not an array; copy it again")
    if array.ndim > 3 and not names and any(length > 1 for length in array.shape[:-3]):
        names = ()
    axes, notes = placed_axes(names, array.shape, place) if array.ndim >= 3 else ((0, 1, 2), ())
    check_form(
        [array.shape[axis] for axis in axes] if array.ndim >= 3 else array.shape, array.dtype, place
    )
    stored = tuple(getattr(array, "shards", None) or array.chunks)
    check_chunks(stored, array.dtype, place)
    chunk = (stored[axes[0]], stored[axes[1]], stored[axes[2]])
    arranged = Arranged(array, axes)
    fill = float(array.fill_value or 0)
    voxels, warnings = holed(
        arranged, _absent(store, inner, array, axes, stored), chunk, place, fill=fill
    )
    size, origin, more = chosen_size(
        request.voxel_size_um, size_um, "the metadata of OME-Zarr", str(store.path)
    )
    slope, offset = _calibration(facts, array)
    unit = facts.get("unit") if facts else array.attrs.get("units")
    energy = facts.get("energy_kev") or _energy_of_result(store.path)
    if energy is not None:
        origin["energy_kev"] = "the result of xct that it is"
    if (slope, offset) != (1.0, 0.0):
        origin["values"] = f"{slope:g} · stored value {offset:+g}, by the attributes of the file"
    return ForeignVolume(
        voxels,
        size,
        store.files,
        "OME-Zarr" if size_um is not None or facts else "Zarr",
        slope,
        offset,
        missing=_missing(facts) if array.dtype == np.uint16 else None,
        quantity=facts.get("quantity"),
        value_unit=str(unit) if unit and not facts else None,
        energy_kev=energy,
        origin=origin,
        notes=(*notes, *more),
        warnings=warnings,
    )


def _missing(facts: Mapping[str, Any]) -> float | None:
    """Give what a stored 0 of xct reads as; None where it is a value like any other."""
    return coding_of(facts, "uint16").missing if facts else None


def _calibration(facts: Mapping[str, Any], array: Any) -> tuple[float, float]:
    """Give slope and offset: of xct, or of the CF conventions, as xarray writes them."""
    attributes = facts or {
        "slope": array.attrs.get("scale_factor", 1), "offset": array.attrs.get("add_offset", 0)
    }  # fmt: skip
    return float(attributes.get("slope", 1)), float(attributes.get("offset", 0))


def _store(path: Path) -> _Store:
    if path.is_dir():
        found = _inner_files(path)
        return _Store(path, str(path), "", frozenset(found), tuple(found.values()))
    from zarr.storage import ZipStore

    try:
        with ZipFile(path) as opened:
            names = [name for name in opened.namelist() if not name.endswith("/")]
        roots = [
            PurePosixPath(name).parent for name in names if PurePosixPath(name).name in _METADATA
        ]
        if not roots:
            raise ScanError(
                f"file: {path}: holds no Zarr volume; unpack it, and name what is inside"
            )
        root = min(roots, key=lambda place: len(place.parts))
        prefix = "" if str(root) == "." else str(root)
        keys = frozenset(name.removeprefix(f"{prefix}/") if prefix else name for name in names)
        return _Store(path, ZipStore(path, mode="r"), prefix, keys, (path,))
    except (BadZipFile, OSError) as error:
        raise ScanError(
            f"file: {path}: is no zip file that can be read ({error}); copy it again"
        ) from None


def _inner_files(path: Path) -> dict[str, Path]:
    """List the files of a folder by their keys; links may not lead out of it."""
    found: dict[str, Path] = {}
    root = path.resolve()
    for folder, _, files in os.walk(path, followlinks=True):
        here = Path(folder)
        if here.is_symlink() and here != path and not here.resolve().is_relative_to(root):
            raise ScanError(_leads_out(here, path))
        for name in files:
            file = here / name
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                raise ScanError(_leads_out(file, path))
            found[file.relative_to(path).as_posix()] = file
    return dict(sorted(found.items()))


def _leads_out(link: Path, path: Path) -> str:
    return (
        f"file: {path}: {link.relative_to(path)} is a link that leads out of the volume, to "
        f"{link.resolve()}; copy what it leads to in its place"
    )


def _inside(inner: str, path: Path) -> str:
    """Refuse names that lead out of the volume."""
    parts = PurePosixPath(inner).parts
    if ".." in parts or inner.startswith("/") or "\\" in inner:
        raise ScanError(f"file: {path}: names {inner!r}, which leads out of the volume")
    return inner


def _only_series(store: _Store) -> str:
    """Find the one series of what bioformats2raw writes; "" in other layouts."""
    opened = store.open()
    if not hasattr(opened, "group_keys"):
        return ""
    attributes = opened.attrs.get("ome", opened.attrs)
    if "bioformats2raw.layout" not in attributes:
        return ""
    names = {key.partition("/")[0] for key in store.keys}
    series = sorted((name for name in names if name.isdigit() and store.holds(name)), key=int)
    if len(series) == 1:
        return series[0]
    listed = named([f"{store.path}/{key}" for key in series]) or "none"
    raise ScanError(
        f"file: {store.path}: holds {len(series)} series, as bioformats2raw writes them; name one "
        f"of them: {listed}"
    )


def _image(group: Any, store: _Store, inner: str) -> Image:
    attributes = group.attrs.get("ome", group.attrs)
    place = f"{store.path}/{inner}" if inner else str(store.path)
    scales = dict(attributes).get("multiscales")
    if not scales or not isinstance(scales, list | tuple):
        names = sorted({key.removeprefix(f"{inner}/").partition("/")[0] for key in store.keys})
        inside = [f"{place}/{name}" for name in names if store.holds(store.below(inner, name))]
        hint = f"; name one of its arrays: {named(inside)}" if inside else ""
        raise ScanError(f"file: {place}: is a Zarr group without an OME multiscale volume{hint}")
    return read_multiscale(scales[0], place)


def _named_axes(array: Any) -> tuple[str, ...]:
    """Names of the axes of a plain array, where it has them."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not names or any(name is None for name in names):
        return ()
    found = tuple(str(name).lower() for name in names)
    return found if set("zyx") <= set(found) else ()


def _absent(
    store: _Store, inner: str, array: Any, axes: tuple[int, int, int], chunk: tuple[int, ...]
) -> np.ndarray:
    """Mark the chunks that are not there, along z, y and x."""
    counts = [-(-array.shape[axis] // chunk[axis]) for axis in axes]
    absent = np.zeros(counts, bool)
    place: list[int] = [0] * array.ndim
    for at in np.ndindex(*counts):
        for axis, number in zip(axes, at, strict=True):
            place[axis] = number
        key = array.metadata.encode_chunk_key(tuple(place))
        absent[at] = (f"{inner}/{key}" if inner else key) not in store.keys
    if absent.all():
        raise ScanError(
            f"file: {store.path}: holds none of its {absent.size} chunks; copy it again"
        )
    return absent


def _energy_of_result(volume: Path) -> float | None:
    """Read the photon energy from the account of a result that a volume lies in."""
    account = volume.parent / "run.yaml"
    if volume.name != "volume.zarr" or not account.is_file():
        return None
    import yaml

    try:
        said = yaml.safe_load(account.read_text(encoding="utf-8"))["configuration"]
        energy = (said.get("volume") or said.get("scan") or {}).get("energy_kev")
        return None if energy is None else float(energy)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return None
