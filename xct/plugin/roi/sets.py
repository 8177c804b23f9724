"""ROI sets of studies and configurations. In: a YAML file; out: the ROI set that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xct.analyze.roi.files import roi_set_file, write_rois
from xct.analyze.roi.shapes import Roi
from xct.config.loading import read_text
from xct.errors import XctError
from xct.io.atomic import write_text
from xct.io.yaml import parse, with_values

_KEYS = ("study.rois", "rois")  # of a study, of a configuration


def set_named_in(path: Path) -> Path:
    """Find the ROI set of a file: itself, or what a study or a configuration names.

    Raises
    ------
    XctError
        If it is a study or a configuration that names none.
    """
    key, named = _named(path)
    if key is None:
        return path
    if named is None:
        raise XctError(f"{path}: names no ROI set yet; save one into it first")
    if "/" in named or named.endswith((".yaml", ".yml")):
        return path.parent / named
    return roi_set_file(named)


def save_into(path: Path, rois: Sequence[Roi]) -> Path:
    """Save ROIs so that a study or a configuration measures them; its comments are kept.

    The set is written beside it, as ``NAME_rois.yaml``, or to the file that it names already.

    Returns
    -------
    Path
        Where the ROIs are.

    Raises
    ------
    XctError
        If the file is neither; nothing is written then.
    """
    key, named = _named(path)
    if key is None:
        raise XctError(f"{path}: is neither a study nor a configuration; use Save… for a ROI set")
    own = named is not None and named.endswith((".yaml", ".yml"))
    target = path.parent / (named if own and named else f"{path.stem}_rois.yaml")
    text = read_text(path)
    if not own:
        try:
            text = with_values(text, {key: target.name})
        except ValueError as error:
            raise XctError(f"{path}: {error}") from None
    write_rois(target, rois)
    if not own:
        write_text(path, text)
    return target


def _named(path: Path) -> tuple[str | None, str | None]:
    """Give the key under which a file names its ROI set, and the name; no key in a ROI set."""
    document = parse(read_text(path))
    value: Any = document.value
    if document.errors or not isinstance(value, dict):
        return None, None
    if isinstance(value.get("study"), dict):
        named = value["study"].get("rois")
        return _KEYS[0], None if named is None else str(named)
    if any(key in value for key in ("scan", "volume", "pipeline")):
        named = value.get("rois")
        return _KEYS[1], named if isinstance(named, str) else None
    return None, None
