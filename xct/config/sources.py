"""What a configuration starts from. In: a Config; out: the scan or the volume that it names."""

from __future__ import annotations

from dataclasses import replace

from xct.config.model import Config, InFile, VolumeSection
from xct.errors import ScanError
from xct.io.scans.reading import read_scan
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import ForeignVolume, Layout, Request
from xct.scan import Scan


def open_scan(config: Config) -> Scan:
    """Read the scan that a configuration names.

    Raises
    ------
    ScanError
        If it cannot be read, or its facts contradict each other.
    """
    section = config.scan
    if (section.file is None) == (section.projections is None):
        raise ScanError(
            "name the scan by `file`, or its frames by `projections` (with `flats` and `darks`): "
            "one of the two"
        )
    overrides = section.model_dump(exclude={"file"}, exclude_none=True)
    for kind in ("projections", "flats", "darks"):
        value = getattr(section, kind)
        if isinstance(value, InFile):
            overrides[kind] = value.model_dump(exclude_none=True)
    overrides["leave_out"] = section.leave_out.model_dump(exclude={"found"})
    overrides["roi"] = section.roi.model_dump(exclude_none=True)
    overrides["paths"] = section.paths.model_dump(exclude_none=True)
    return read_scan(section.file, **overrides)


def open_volume_file(section: VolumeSection, *, single: bool = False) -> ForeignVolume:
    """Open the volume that a configuration names; `single`: one slice will do.

    Raises
    ------
    ScanError
        If it cannot be read, or is not what the configuration says.
    """
    raw = section.raw
    layout = None if raw is None else Layout(**raw.model_dump())
    opened = open_foreign(
        section.file, request=Request(section.voxel_size_um, section.path, layout, single)
    )
    if section.quantity == "attenuation" and opened.quantity == "grey":
        raise ScanError(
            f"quantity: {section.file} says that it holds grey values, not attenuation; set "
            "volume.quantity: grey"
        )
    if section.quantity == "attenuation" and opened.per_cm() is None:
        raise ScanError(
            f"quantity: {section.file} says that its values are in {opened.value_unit!r}, which is "
            "no attenuation; set volume.quantity: grey, or convert them into 1/cm"
        )
    factor = _per_cm(section, opened)
    return replace(opened, slope=factor * opened.slope, offset=factor * opened.offset)


def _per_cm(section: VolumeSection, opened: ForeignVolume) -> float:
    """Give what turns the values into 1/cm, where the configuration says their unit."""
    try:
        factor = section.per_cm(opened.voxel_size_um)
    except ValueError as error:
        raise ScanError(str(error)) from error
    if factor == 1 or opened.value_unit is None:
        return factor
    said = opened.origin.get("values", "").rpartition(" says ")[2] or opened.value_unit
    if said == section.unit:
        return 1.0  # the file's own unit was turned into 1/cm already
    raise ScanError(
        f"unit: {section.unit}, but {section.file} says that its values are in {said}; leave "
        "volume.unit out, or have the file say it rightly"
    )
