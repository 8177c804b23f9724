"""What decides a result. In: a configuration and what it opened; out: plain values to compare.

Two runs of one identity give the same bytes: the content of the input, where in its files the
frames lie, the steps and their settings, and what the configuration says. Paths are no part of
it: scans and results may be moved. Nor is anything that only decides how fast a run is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import singledispatch
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import xct
from xct.analyze.roi.shapes import Roi
from xct.config.model import Config
from xct.config.recipe import Step
from xct.io.frames import View
from xct.io.scans.recognize import identity as checksum_of_files
from xct.io.volume_files.volume import ForeignVolume
from xct.result.checksum import result_checksum
from xct.scan import Scan
from xct.stages import installed_packages

FORMAT = 2  # of identities; another one is of another version
_FRAMES = ("projections", "flats", "darks")
_BY_FRAME = ("projection_time", "flat_time", "ring_current_ma", "flat_ring_current_ma")
_MOST_LISTED = 8  # of a sequence; of a longer one its checksum


def identity_of(
    config: Config,
    steps: Sequence[Step],
    source: Scan | ForeignVolume,
    products: Sequence[str],
    rois: Sequence[Roi],
) -> dict[str, Any]:
    """Give everything that decides the result; two runs with the same identity give the same.

    Parameters
    ----------
    config : Config
        The configuration.
    steps : sequence of Step
        What is done.
    source : Scan or ForeignVolume
        What is read.
    products : sequence of str
        Quantities that are written beside what is measured.
    rois : sequence of Roi
        The regions that the configuration names.
    """
    slab_steps = [step for step in steps if not step.stage.measures]
    measuring = [step for step in steps if step.stage.measures]
    of_source = _of_scan(config, source, slab_steps) if isinstance(source, Scan) else {}
    found = {
        "format": FORMAT,
        "xct": xct.__version__,
        "input": checksum_of_files(source.files),
        **(of_source or _of_volume(config, source)),
        "steps": [[step.name, dict(step.settings)] for step in slab_steps],
        "measurements": [[step.name, dict(step.settings)] for step in measuring],
        "dtype": config.run.dtype,
        "name": config.cell.name,
        "keep": sorted(products),
        **_stages_of_others(config, steps),
        "measured_with": _of_measurement(config, source, rois) if measuring else None,
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _of_scan(config: Config, scan: Scan, steps: Sequence[Step]) -> dict[str, Any]:
    taken = {name for step in steps for name in step.stage.facts}
    files = {str(file): number for number, file in enumerate(sorted(set(scan.files)))}
    return {
        "roi": scan.roi,
        "bin": scan.bin,
        "theta_deg": _plain(scan.theta_deg, files),
        **{kind: _plain(getattr(scan, kind), files) for kind in _FRAMES},
        **{name: _plain(getattr(scan, name), files) for name in _BY_FRAME},
        "pixel_size_um": scan.pixel_size_um,
        "center_px": scan.center_px,
        "flat_exposure_ratio": scan.flat_exposure_ratio,
        "left_out": {kind: list(numbers) for kind, numbers in scan.left_out.items() if numbers},
        "leave_out_found": config.scan.leave_out.found,
        "quantity": scan.quantity,
        **{name: scan.facts[name] for name in ("energy_kev", "distance_mm") if name in taken},
    }


def _of_volume(config: Config, source: Any) -> dict[str, Any]:
    """Say how the files of a volume make it; the content of a Zarr chunk lies where it is named."""
    section = config.volume
    assert section is not None
    files = {str(file): number for number, file in enumerate(sorted(set(source.files)))}
    stored = getattr(source.voxels, "voxels", source.voxels)  # of a volume that is turned
    stack = getattr(stored, "frames", None)
    root = Path(section.file)
    names = [_below(Path(file), root) for file in files] if stack is None else None
    placement = getattr(source.voxels, "placement", None)
    return {
        "voxels": _plain(stack, files),
        "chunks": _plain(names, files),
        "scale": [source.slope, source.offset],
        "voxel_size_um": list(source.voxel_size_um),
        "unit": section.unit,
        "path": section.path,
        "raw": None if section.raw is None else section.raw.model_dump(),
        "placement": None if placement is None else placement.to_dict(),
        **section.of_stack(),
    }


def _below(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _of_measurement(
    config: Config, source: Scan | ForeignVolume, rois: Sequence[Roi]
) -> dict[str, Any]:
    cell, volume = config.cell, config.volume
    energy_kev = volume.energy_kev if volume else getattr(source, "energy_kev", None)
    return {
        "energy_kev": energy_kev,
        "anode": cell.anode,
        "grey_scale": cell.grey_scale.model_dump(),
        "pristine": None if cell.pristine is None else result_checksum(Path(cell.pristine)),
        "same_cell": cell.same_cell,
        "rois": None if config.rois is None else _plain(list(rois), {}),
    }


def _stages_of_others(config: Config, steps: Sequence[Step]) -> dict[str, Any]:
    packages = {step.stage.function.__module__.partition(".")[0] for step in steps}
    installed = {
        each.module: each.version
        for each in installed_packages()
        if each.module.partition(".")[0] in packages
    }
    own = {module.name: module.checksum for module in config.own_stages}
    return {
        **({"own_stages": own} if own else {}),
        **({"stage_packages": installed} if installed else {}),
    }


@singledispatch
def _plain(value: Any, files: Mapping[str, int]) -> Any:
    """Give plain values that decide what is read; files by their number, not by their path."""
    if is_dataclass(value) and not isinstance(value, type):
        return _of_object(value, files)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


@_plain.register
def _(value: str, files: Mapping[str, int]) -> Any:
    return value


@_plain.register
def _(value: Path, files: Mapping[str, int]) -> Any:
    return files.get(str(value), value.name)


@_plain.register
def _(value: np.ndarray, files: Mapping[str, int]) -> Any:
    return _short(f"{value.dtype.str} {value.shape}".encode() + np.ascontiguousarray(value).data)


@_plain.register(list)
@_plain.register(tuple)
def _(value: Sequence[Any], files: Mapping[str, int]) -> Any:
    items = [_plain(item, files) for item in value]
    return items if len(items) <= _MOST_LISTED else _short(json.dumps(items).encode())


@_plain.register
def _(value: dict, files: Mapping[str, int]) -> Any:
    return {str(key): _plain(item, files) for key, item in value.items()}


def _short(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]


def _of_object(value: Any, files: Mapping[str, int]) -> dict[str, Any]:
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, View):  # what it keeps of a frame stands in the identity by itself
        del found["rows"], found["columns"], found["bin"]
    folder = found.pop("folder", None)
    if folder is not None and "names" in found:  # frames in single files
        found["names"] = [Path(folder) / name for name in found["names"]]
    return {"type": type(value).__name__, **{n: _plain(v, files) for n, v in found.items()}}


# Comparing what a folder holds with what is to be done.

_GROWING = ("steps", "measurements", "measured_with", "keep", "own_stages", "stage_packages")


def continues(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a run is the longer one of an earlier: it does the same, and then more."""
    more = now["steps"] != earlier["steps"]  # then slices are made again, with further facts
    if not _begins(now["steps"], earlier["steps"]) or (more and earlier["measurements"]):
        return False
    keys = {*earlier, *(() if more else now)} - {*_GROWING}
    if not all(now.get(key) == earlier.get(key) for key in keys):
        return False
    if earlier["measurements"] and now.get("measured_with") != earlier.get("measured_with"):
        return False
    others = all(
        now.get(key, {}).get(name) == version
        for key in ("own_stages", "stage_packages")
        for name, version in earlier.get(key, {}).items()
    )
    return others and _begins(now["measurements"], earlier["measurements"])


def _begins(whole: list[Any], part: list[Any]) -> bool:
    return whole[: len(part)] == part


def reasons(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say why a run does not continue an earlier one; what only comes on top is no reason."""
    found = differences(earlier, now)
    on_top = [d for d in found if d.startswith("keep.") or "(nothing there, [" in d]
    return [d for d in found if d not in on_top] or found


def differences(earlier: Any, now: Any, above: str = "") -> list[str]:
    """Say in which keys two identities differ, with both values."""
    if isinstance(earlier, list) and isinstance(now, list):
        earlier, now = dict(enumerate(earlier)), dict(enumerate(now))
    if isinstance(earlier, dict) and isinstance(now, dict):
        keys = sorted({*earlier, *now})
        pairs = ((key, earlier.get(key), now.get(key)) for key in keys)
        return [d for key, a, b in pairs for d in differences(a, b, f"{above}.{key}".lstrip("."))]
    return [] if earlier == now else [f"{above} ({_shown(earlier)} there, {_shown(now)} here)"]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
