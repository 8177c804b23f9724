"""Gathering a scan from what the user names: a path, patterns, datasets in other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.files import damage_named
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.scans.recognize import read_raw
from xct.io.scans.tomcat import told_apart

Given = str | Path | Mapping[str, str] | None


def gather(path: Path | str | None, given: Mapping[str, Given], request: Request) -> Raw:
    """Read what the user names.

    Parameters
    ----------
    path : path or None
        A file or folder with a whole scan.
    given : mapping
        For `projections`, `flats` and `darks`: a glob pattern, ``{file, path}``, or None.
    request : Request
        Paths inside HDF5, and how far links may lead.

    Returns
    -------
    Raw
        What is named in `given` replaces what stands in `path`.

    Raises
    ------
    ScanError
        If nothing is named, or something that is named is not there.
    """
    named = {kind: value for kind, value in given.items() if value is not None}
    if path is None and "projections" not in named:
        raise ScanError("nothing to read: name a file or folder, or a pattern for projections")
    patterns = {kind: str(v) for kind, v in named.items() if not isinstance(v, Mapping)}
    places = {kind: v for kind, v in named.items() if isinstance(v, Mapping)}
    raw = None if path is None else read_raw(path, request)
    if patterns:
        raw = _with_patterns(raw, patterns, request)
    for kind, place in places.items():
        raw = _with_dataset(raw, kind, place, request)
    assert raw is not None
    return raw


def _with_patterns(raw: Raw | None, patterns: Mapping[str, str], request: Request) -> Raw:
    tiff: Any = import_module("xct.io.scans.tiff_scans")
    if "projections" in patterns:
        found: Raw = tiff.read_stacks(**patterns)
        if len(patterns) == 1:
            found = told_apart(found.files, request) or found
        return found if raw is None else _merged(raw, found, tuple(patterns))
    for kind, pattern in patterns.items():
        # Read as projections of their own, they are then given their place.
        try:
            alone: Raw = tiff.read_stacks(projections=pattern)
        except ScanError as error:
            errors = (text.replace("projections", kind, 1) for text in error.errors)
            raise ScanError(*errors) from None
        raw = _placed(raw, kind, alone.projections, alone.files, pattern)
    assert raw is not None
    return raw


def _merged(raw: Raw, other: Raw, kinds: tuple[str, ...]) -> Raw:
    for kind in kinds:
        stack = getattr(other, kind)
        raw = _placed(raw, kind, stack, other.files, "configuration")
    return raw


def _with_dataset(raw: Raw | None, kind: str, place: Mapping[str, str], request: Request) -> Raw:
    if "file" not in place or set(place) - {"file", "path"}:
        raise ScanError(
            f"{kind} has the keys {', '.join(place)}; expected file, and path where it is not "
            "the layout's own"
        )
    file = Path(place["file"])
    if "path" not in place:
        other = read_raw(file, Request(links_below=request.links_below))
        stack: Stack | None = getattr(other, kind)
        if stack is None or len(stack.index) == 0:
            raise ScanError(f"{kind}: {file} ({other.layout}) holds no {kind}; give its path")
        return _placed(raw, kind, stack, other.files, str(file))
    with damage_named(file):
        stack, files = _dataset(file, place["path"], request)
    return _placed(raw, kind, stack, files, f"{file}: {place['path']}")


def _dataset(file: Path, path: str, request: Request) -> tuple[Stack, tuple[Path, ...]]:
    from xct.io.hdf5.source import Source

    with Source(file, request) as source:
        frames = source.frames(path)
        return Stack(frames, np.arange(frames.shape[0])), source.files


def _placed(raw: Raw | None, kind: str, stack: Stack, files: tuple[Path, ...], origin: str) -> Raw:
    """Put a stack into a scan; its clock is another one, so no times can be compared."""
    if raw is None:
        return Raw("hdf5", files, stack, origin={kind: origin})
    stacks: dict[str, Any] = {kind: Stack(stack.frames, stack.index)}
    if kind == "projections":
        stacks["theta_deg"] = None
    return replace(
        raw,
        files=tuple(dict.fromkeys((*raw.files, *files))),
        origin={**raw.origin, kind: origin},
        **stacks,
    )
