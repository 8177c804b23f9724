"""ROI sets on disk. In: a YAML file; out: ROIs in cell coordinates, or every error at once.

::

    rois:
      C-1: {shape: box, surface: electrolyte_cathode, depth_um: [20, 80], y_um: [-50, 50],
            x_um: [-300, -200]}
      E-1: {shape: sector, surface: lithium_electrolyte, depth_um: [10, 60], radius_um: [0, 400]}

      f1: {shape: scaled, surface: electrolyte_cathode, depth_of_layer: [0.0, 0.2],
           radius_of_bore: [0, 0.8], follow: true}

Depth counts from the surface, away from the anode; without a surface, z from the first slice. A
scaled ROI is given by parts of the bore's radius and of a layer, and fits any cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import xct
from xct.analyze.roi.imagej import is_of_imagej
from xct.analyze.roi.scaled import ScaledRoi
from xct.analyze.roi.shapes import BoxRoi, LineRoi, PolygonRoi, Roi, SectorRoi
from xct.errors import DataError, XctError, nearest
from xct.io.atomic import read_small, write_text
from xct.io.yaml import Document, Key, parse

SHAPES: Mapping[str, type[Roi]] = {
    kind.shape: kind for kind in (BoxRoi, SectorRoi, PolygonRoi, LineRoi, ScaledRoi)
}


def read_rois(path: Path | str) -> list[Roi]:
    """Read a ROI set.

    Parameters
    ----------
    path : Path
        A YAML file.

    Returns
    -------
    list of Roi
        In the order of the file.

    Raises
    ------
    XctError
        With every mistake in it: file, line, ROI, key, value and what is allowed.
    """
    path = Path(path)
    if is_of_imagej(path):
        raise XctError(
            f"{path}: holds ROIs of ImageJ: outlines in the pixels of one cell's slices. Turn them "
            f"into cell coordinates: xct rois RESULT {path} --to rois.yaml; or load them in "
            "`xct view RESULT`"
        )
    try:
        text = read_small(path).decode("utf-8")
    except FileNotFoundError:
        raise XctError(f"{path}: no such file; a ROI set is a file of YAML") from None
    except (OSError, ValueError) as error:
        raise XctError(f"{path}: cannot be read as a ROI set: {error}") from None
    return parse_rois(text, str(path))


def shipped_roi_sets() -> dict[str, Path]:
    """Give the files of the ROI sets that xct ships, by name."""
    package = Path(xct.__file__).parent
    folders = [package / "rois", package.parent / "configs" / "rois"]
    return {path.stem: path for folder in folders for path in folder.glob("*.yaml")}


def roi_set_file(name: str) -> Path:
    """Find a ROI set: a path as it is, a plain name among the shipped ones.

    Raises
    ------
    XctError
        If there is no such set; the message lists those that xct ships.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    known = shipped_roi_sets()
    if name not in known:
        raise XctError(
            f"rois: {name!r} is not a ROI set{nearest(name, list(known))}; xct ships "
            f"{', '.join(sorted(known))}; name your own by its path"
        )
    return known[name]


def parse_rois(text: str, name: str = "ROI set") -> list[Roi]:
    """Read a ROI set from YAML text; `name` stands in errors. See `read_rois`."""
    document = parse(text)
    errors = list(document.errors)
    rois = []
    for roi_name, facts in _entries(document, errors).items():
        key: Key = ("rois", roi_name)
        before = len(errors)
        roi = _make(roi_name, facts, key, document, errors)
        if roi is not None and len(errors) == before:
            rois.append(roi)
    if errors:
        raise XctError(*(f"{name}:{line}: {text}" for line, text in sorted(errors)))
    return rois


def write_rois(path: Path | str, rois: Sequence[Roi]) -> None:
    """Write a ROI set; what is read again is the same to the last digit.

    Parameters
    ----------
    path : Path
        The file; it appears when it is whole.
    rois : sequence of Roi
        With names of their own.

    Raises
    ------
    DataError
        If two have one name.
    """
    import yaml

    names = [roi.name for roi in rois]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"several ROIs are called {', '.join(twice)}; give each its own name")
    content = {"rois": {roi.name: _facts(roi) for roi in rois}}
    dumped = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, dumped)


def _entries(document: Document, errors: list[tuple[int, str]]) -> dict[str, Any]:
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("rois"), dict):
        if not errors:
            errors.append((1, "a ROI set is a mapping rois: {name: {depth_um: [20, 80], …}}"))
        return {}
    for key in value:
        if key != "rois":
            line = document.line((key,)) or 1
            errors.append((line, f"unknown key {key!r}{nearest(key, ['rois'])}; allowed: rois"))
    return dict(value["rois"])


def _make(
    name: str, facts: Any, key: Key, document: Document, errors: list[tuple[int, str]]
) -> Roi | None:
    def refuse(text: str, *inner: str) -> None:
        dotted = ".".join(("rois", name, *inner))
        errors.append((document.line((*key, *inner)) or 1, f"{dotted}: {text}"))

    if not isinstance(facts, dict):
        refuse("a ROI is a mapping such as {depth_um: [20, 80], y_um: [-50, 50], x_um: [0, 90]}")
        return None
    shape = facts.get("shape", "box")
    if not isinstance(shape, str) or shape not in SHAPES:
        hint = nearest(str(shape), list(SHAPES))
        refuse(f"{shape!r} is not a shape{hint}; allowed: {', '.join(SHAPES)}", "shape")
        return None
    kind = SHAPES[shape]
    known = {field.name: field for field in fields(kind) if field.name != "name"}
    allowed = ["shape", *known]
    for unknown in [str(given) for given in facts if given not in allowed]:
        refuse(f"unknown key{nearest(unknown, allowed)}; allowed: {', '.join(allowed)}", unknown)
    needed = [n for n, field in known.items() if field.default is MISSING and n != "surface"]
    for missing in [each for each in needed if facts.get(each) is None]:
        refuse(f"{missing} is missing; a {shape} needs {', '.join(needed)}")
    values: dict[str, Any] = {"surface": None}
    for given, value in facts.items():
        if given in known and value is not None:
            try:
                values[given] = _plain(given, value)
            except ValueError as error:
                refuse(str(error), given)
    if any(each not in values for each in needed):
        return None
    return _checked(kind, name, values, refuse)


def _checked(kind: type[Roi], name: str, values: dict[str, Any], refuse: Any) -> Roi | None:
    made: Roi = object.__new__(kind)  # asked before it is made, so that all mistakes are listed
    defaults = {f.name: f.default for f in fields(kind) if f.default is not MISSING}
    made.__dict__.update({**defaults, **values, "name": name})
    problems = made.problems()
    for key, text in problems:
        refuse(text, key)
    return None if problems else kind(name=name, **values)


def _plain(key: str, value: Any) -> Any:
    """Turn lists into tuples of numbers; texts stay texts."""
    if key in ("surface", "along"):
        if not isinstance(value, str):
            raise DataError(f"{value!r} is not a name")
        return value
    if key == "follow":
        if not isinstance(value, bool):
            raise DataError(f"{value!r} is not true or false")
        return value
    if isinstance(value, list):
        return tuple(_plain(key, item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{value!r} is not a number in µm or degrees")
    return float(value)


def _facts(roi: Roi) -> dict[str, Any]:
    facts: dict[str, Any] = {"shape": roi.shape}
    for field in fields(roi):
        value = getattr(roi, field.name)
        if field.name != "name" and value is not None:
            facts[field.name] = _lists(value)
    return facts


def _lists(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_lists(item) for item in value]
    return value if isinstance(value, str | bool) else float(value)
