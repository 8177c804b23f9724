"""Old names. In: what a user's file says; out: the same under today's names, with warnings.

What was renamed is listed here and nowhere else; it works under its old name for one version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xct.io.yaml import Key

# Stages of recipes and of `steps`.
STAGES: Mapping[str, str] = {"faint_light": "low_signal"}

# What is looked for as a stage, and is none: where it is found.
NO_STAGES: Mapping[str, str] = {
    "denoise": "what is segmented is smoothed by the setting `denoising` of materials, and "
    "`--keep denoised` writes a smoothed volume to look at; grey values are measured on neither",
}

_ON_THE_GREY_SCALE = (
    "depth_histogram", "histograms", "inclusions", "material_table", "particles",
    "state_of_charge",
)  # fmt: skip

# Settings of steps that have another place in the configuration: (stage, setting) → key.
SETTINGS: Mapping[tuple[str, str], Key] = {
    ("inclusions", "least_spreads"): ("steps", "inclusions", "least_psf_volumes"),
    ("material_table", "threshold_doubt"): ("steps", "material_table", "threshold_uncertainty"),
    **{
        (stage, setting): ("cell", "grey_scale", setting)
        for stage in _ON_THE_GREY_SCALE
        for setting in ("zero", "reference_value")
    },
}


def stage_name(name: str, known: Mapping[str, Any]) -> str:
    """Give today's name of a stage; a name that is known stays."""
    new = STAGES.get(name)
    return new if new is not None and new in known and name not in known else name


def renamed(old: str, new: str) -> str:
    """Say that a name still works, and which one takes its place."""
    return f"{old} is called {new} now; the old name will be refused by the next version"


@dataclass(frozen=True)
class Moved:
    """A setting of a step that has another place today.

    Attributes
    ----------
    old : tuple
        Where it was: (stage, setting).
    new : tuple
        Key of the configuration.
    value : object
        What it was set to.
    place : str
        File and line.
    """

    old: tuple[str, str]
    new: Key
    value: Any
    place: str

    @property
    def warning(self) -> str:
        """What the user should know."""
        return f"{self.place}: " + renamed(f"steps.{'.'.join(self.old)}", _dotted(self.new))


def take_moved(
    steps: Mapping[str, Any], place: Callable[[str, str], str]
) -> tuple[dict[str, Any], list[Moved]]:
    """Take the settings out of steps that have another place today.

    Parameters
    ----------
    steps : mapping
        Settings by stage.
    place : callable
        Gives file and line of a stage's setting.

    Returns
    -------
    steps : dict
        What is left.
    moved : list of Moved
        What was taken out.
    """
    left, moved = dict(steps), []
    for stage, settings in steps.items():
        if isinstance(settings, Mapping):
            found = [setting for setting in settings if (stage, setting) in SETTINGS]
            left[stage] = {k: v for k, v in settings.items() if k not in found}
            for setting in found:
                old = (stage, setting)
                moved.append(Moved(old, SETTINGS[old], settings[setting], place(*old)))
    return left, moved


def put_moved(values: dict[str, Any], moved: list[Moved]) -> Iterator[str]:
    """Put settings in their new place, in nested mappings; yield what contradicts.

    Parameters
    ----------
    values : dict
        The configuration; changed in place.
    moved : list of Moved
        What `take_moved` found.
    """
    origin: dict[Key, str] = {}
    for one in moved:
        place = values
        for key in one.new[:-1]:
            inner = place.get(str(key))
            place[str(key)] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[str(key)]
        before = place.setdefault(str(one.new[-1]), one.value)
        if before != one.value:
            other = origin.get(one.new, _dotted(one.new))
            yield (
                f"{one.place}: steps.{'.'.join(one.old)}: {one.value!r} contradicts {other} = "
                f"{before!r}; set {_dotted(one.new)} once, for all steps"
            )
        origin.setdefault(one.new, f"steps.{'.'.join(one.old)}")


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)
