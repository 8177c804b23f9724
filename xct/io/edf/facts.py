"""What the .info and .xml files of an ESRF scan say. In: a folder; out: facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xct.io.edf.frames import number

_LARGEST = 2**20


@dataclass(frozen=True)
class Facts:
    """Facts of a scan; None: the files do not say it.

    Attributes
    ----------
    file : Path
        Where they stand.
    projections, refs, darks : int or None
        Projections of the turn, references of a block, exposures of the dark.
    range_deg : float or None
        What the sample turned by.
    pixel_size_um, energy_kev, distance_mm : float or None
        As their names say.
    """

    file: Path
    projections: int | None
    refs: int | None
    darks: int | None
    range_deg: float | None
    pixel_size_um: float | None
    energy_kev: float | None
    distance_mm: float | None


_NAMES = {  # in .info, and as elements of .xml
    "projections": "tomo_n",
    "refs": "ref_n",
    "darks": "dark_n",
    "range_deg": "scanrange",
    "pixel_size_um": "pixelsize",
    "energy_kev": "energy",
    "distance_mm": "distance",
}
_COUNTS = ("projections", "refs", "darks")


def find_facts(folder: Path) -> Facts | None:
    """Read the facts of the scan in a folder: its ``.info``, else its ``.xml``; None: neither."""
    for pattern, entries in (("*.info", _of_info), ("*.xml", _of_xml)):
        files = sorted(folder.glob(pattern))
        named = [file for file in files if file.stem == folder.name] or files
        for file in named:
            said = dict(entries(file))
            if "tomo_n" in said or "scanrange" in said:
                return _facts(file, said)
    return None


def _facts(file: Path, said: dict[str, str]) -> Facts:
    values: dict[str, float | int | None] = {}
    for name, key in _NAMES.items():
        value = number(said.get(key))
        value = value if value is not None and value > 0 else None
        values[name] = int(value) if value is not None and name in _COUNTS else value
    return Facts(file, **values)  # type: ignore[arg-type]


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_LARGEST).decode("utf-8", errors="replace")


def _of_info(file: Path) -> Iterator[tuple[str, str]]:
    for line in _text(file).splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip().lower(), value.strip()


def _of_xml(file: Path) -> Iterator[tuple[str, str]]:
    """Give the elements that hold nothing but text. No entity is resolved: nothing is parsed."""
    for match in re.finditer(r"<(\w+)[^<>]*>([^<>]*)</\1>", _text(file)):
        yield match[1].lower(), match[2].strip()
