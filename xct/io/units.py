"""Units as they stand in data files. In: a number and its unit; out: the unit of the contract."""

from __future__ import annotations

import re

# unit in lower case -> (what it measures, how many of the contract's unit it holds)
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), ("length", 1e6)),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), ("length", 1e4)),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters"), ("length", 1e3)),
    **dict.fromkeys(
        ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "micrometers"),
        ("length", 1.0),
    ),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers"), ("length", 1e-3)),
    **dict.fromkeys(("kev", "kiloelectronvolt"), ("energy", 1.0)),
    **dict.fromkeys(("ev", "electronvolt"), ("energy", 1e-3)),
    **dict.fromkeys(("j", "joule", "joules"), ("energy", 1 / 1.602176634e-16)),
    **dict.fromkeys(("deg", "degree", "degrees", "°"), ("angle", 1.0)),
    **dict.fromkeys(("rad", "radian", "radians"), ("angle", 57.29577951308232)),
    "mrad": ("angle", 57.29577951308232e-3),
    **dict.fromkeys(("ma", "milliampere"), ("current", 1.0)),
    **dict.fromkeys(("a", "ampere", "amp"), ("current", 1e3)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", 1.0)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1e-3)),
}
# Where lower case would change the meaning: mega and milli.
_EXACT: dict[str, tuple[str, float]] = {"MeV": ("energy", 1e3), "meV": ("energy", 1e-6)}
# Unit of the contract for what is measured, and how many of the table's units it holds.
_CONTRACT: dict[str, tuple[str, float]] = {
    "um": ("length", 1.0),
    "mm": ("length", 1e3),
    "keV": ("energy", 1.0),
    "deg": ("angle", 1.0),
    "mA": ("current", 1.0),
    "s": ("time", 1.0),
}


def unit_factor(unit: str, to: str) -> float | None:
    """Find what a number in `unit` must be multiplied by to be in `to`.

    Parameters
    ----------
    unit : str
        As it stands in a file: m, mm, µm, um, keV, eV, J, deg, rad, mA, s, …
    to : {"um", "mm", "keV", "deg", "mA", "s"}
        Unit of the contract.

    Returns
    -------
    float or None
        None where the unit is unknown, or measures something else.
    """
    measures, size = _CONTRACT[to]
    name = unit.strip()
    known = _EXACT.get(name) or _UNITS.get(name.lower())
    return None if known is None or known[0] != measures else known[1] / size


def per_cm_factor(unit: str) -> float | None:
    """Find what an attenuation in `unit` must be multiplied by to be in 1/cm.

    Parameters
    ----------
    unit : str
        Such as 1/mm, mm^-1, cm⁻¹ or /m.

    Returns
    -------
    float or None
        None where the unit is no inverse length.
    """
    text = unit.strip().lower().replace(" ", "").replace("**", "^").replace("⁻¹", "^-1")
    found = re.fullmatch(r"(?:1?/|per)([a-zµμ]+)|([a-zµμ]+)\^?\(?-1\)?", text)
    length = None if found is None else unit_factor(found.group(1) or found.group(2), "um")
    return None if length is None else 1e4 / length


def decoded(text: bytes | str) -> str:
    """Give a text from a file: UTF-8, or Latin-1, in which many programs write "°" and "µ"."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
