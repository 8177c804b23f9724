"""What a configuration starts from. In: a Config; out: the Scan that it names."""

from __future__ import annotations

from xct.config.model import Config, InFile
from xct.errors import ScanError
from xct.scan import Scan, read_scan


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
