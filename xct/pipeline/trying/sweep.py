"""Sweeps: values of a setting to try. In: text such as fbp.window=ramp,hann; out: values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite
from typing import Any

from xct.errors import ConfigError, nearest
from xct.io.yaml import parse

CENTER = "find_center.center_px"  # values beside the axis that is found
_SECTIONS = ("scan", "steps", "cell", "run")
_MOST_VALUES = 60
_OWN_SETTING = "search_px"  # what the step that finds the axis can be set to, itself


@dataclass(frozen=True)
class Sweep:
    """A setting, and the values that are tried.

    Attributes
    ----------
    name : str
        As it was asked for: ``fbp.window``, ``scan.center_px``.
    values : tuple
        In the order of the pictures.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def key(self) -> str:
        """Where the configuration has it."""
        if self.name == CENTER:
            return "scan.center_px"
        return self.name if self.name.split(".")[0] in _SECTIONS else f"steps.{self.name}"


def parse_sweep(text: str) -> Sweep:
    """Read ``NAME=first:last:step``, last included, or ``NAME=a,b,c``.

    Raises
    ------
    ConfigError
        If it is neither, or the axis goes by another name.
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    if not equals or not given or name.count(".") < 1:
        raise ConfigError(
            f"--sweep {text}: expected STEP.SETTING=first:last:step, as in "
            f"{CENTER}=-2:2:0.5, or STEP.SETTING=a,b,c"
        )
    _check_center(text, name)
    values = _range(text, given) if given.count(":") == 2 else _listed(text, given)
    if len(values) > _MOST_VALUES:
        raise ConfigError(f"--sweep {text}: {len(values)} values; a sheet holds {_MOST_VALUES}")
    return Sweep(name, values)


def _check_center(text: str, name: str) -> None:
    """Name the key of the axis to who writes it otherwise: no step has it, so none is suggested."""
    step, setting = CENTER.split(".")
    given_step, _, given = name.partition(".")
    if given_step == step and setting in nearest(given, (setting, _OWN_SETTING)):
        if given != setting:
            raise ConfigError(f"--sweep {text}: unknown key {name}; the axis is tried as {CENTER}")


def _range(text: str, given: str) -> tuple[Any, ...]:
    try:
        first, last, step = (float(part) for part in given.split(":"))
    except ValueError:
        raise ConfigError(f"--sweep {text}: first:last:step must be three numbers") from None
    if not all(isfinite(v) for v in (first, last, step)) or step == 0 or (last - first) / step < 0:
        raise ConfigError(f"--sweep {text}: no step of {step:g} leads from {first:g} to {last:g}")
    count = floor((last - first) / step + 1e-9) + 1
    whole = all(part.strip().lstrip("+-").isdigit() for part in given.split(":"))
    values = (round(first + number * step, 9) for number in range(min(count, _MOST_VALUES + 1)))
    return tuple(int(value) if whole else value for value in values)


def _listed(text: str, given: str) -> tuple[Any, ...]:
    found = parse(f"v: [{given}]")
    if found.errors or not isinstance(found.value, dict):
        raise ConfigError(f"--sweep {text}: {given} is no list of values a,b,c")
    return tuple(found.value["v"])


@dataclass(frozen=True)
class Choice:
    """One combination of the values of all sweeps.

    Attributes
    ----------
    number : int
        Of its picture, from 1.
    values : tuple of (Sweep, value)
        What is tried there.
    """

    number: int
    values: tuple[tuple[Sweep, Any], ...]

    def changes(self, center_px: float | None) -> dict[str, Any]:
        """Give the values by their key in a configuration, also of an axis that was found."""
        return {sweep.key: _absolute(sweep, value, center_px) for sweep, value in self.values}

    def text(self, center_px: float | None) -> str:
        """Write the values as they would be written to a configuration."""
        said = {s.key.removeprefix("steps."): v for s, v in self.values}
        found = self.changes(center_px)
        return ", ".join(f"{name} {found.get(name, found.get(f'steps.{name}'))}" for name in said)


def _absolute(sweep: Sweep, value: Any, center_px: float | None) -> Any:
    if sweep.name != CENTER:
        return value
    if center_px is None or not isinstance(value, int | float):
        raise ConfigError(f"{CENTER}: its values are numbers, in pixels beside the axis found")
    return round(center_px + value, 3)


def choices_of(sweeps: Sequence[Sweep]) -> list[Choice]:
    """Combine the values of all sweeps; the last one changes fastest.

    Raises
    ------
    ConfigError
        If there are more than two, two of one setting, or too many pictures.
    """
    keys = [sweep.key for sweep in sweeps]
    if len(sweeps) > 2 or len(set(keys)) < len(keys):
        raise ConfigError(f"--sweep: two different settings at most, not {', '.join(keys)}")
    combined = list(itertools.product(*([(s, value) for value in s.values] for s in sweeps)))
    if len(combined) > _MOST_VALUES:
        raise ConfigError(f"--sweep: {len(combined)} pictures; a sheet holds {_MOST_VALUES}")
    return [Choice(number, values) for number, values in enumerate(combined, 1)]
