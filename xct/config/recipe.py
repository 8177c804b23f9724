"""Recipes: ordered steps. In: a recipe's name and overruling settings; out: steps that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import xct
from xct.config import aliases
from xct.config.loading import read_text
from xct.config.messages import validation_messages
from xct.config.model import Config, GreyScaleSection
from xct.errors import ConfigError, nearest
from xct.io.yaml import Document, parse
from xct.quantity import QUANTITIES, can_be_called
from xct.stages import Stage, load_stages


@dataclass(frozen=True)
class Step:
    """A stage with its settings, and where its recipe names it."""

    stage: Stage
    settings: Mapping[str, Any]
    place: str

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name


@dataclass(frozen=True)
class Recipe:
    """The steps of a recipe, and the configuration that they go with.

    Attributes
    ----------
    steps : list of Step
        In order, every setting with its default written out.
    config : Config
        The configuration; settings that the recipe holds under an old name stand in it.
    warnings : list of str
        Names that are called otherwise now.
    """

    steps: list[Step]
    config: Config
    warnings: list[str]


def shipped_recipes() -> dict[str, Path]:
    """Give the files of the recipes that xct ships, by name."""
    package = Path(xct.__file__).parent
    folders = [package / "pipelines", package.parent / "pipelines"]
    return {path.stem: path for folder in folders for path in folder.glob("*.yaml")}


def recipe_file(name: str) -> Path:
    """Find a recipe: a path as it is, a plain name among the shipped ones.

    Raises
    ------
    ConfigError
        If there is no such recipe; the message lists those that xct ships.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise ConfigError(f"pipeline: {name}: no such recipe")
        return Path(name)
    known = shipped_recipes()
    if name not in known:
        raise ConfigError(
            f"pipeline: {name!r} is not a recipe{nearest(name, list(known))}; xct ships "
            f"{', '.join(sorted(known))}; name your own by its path"
        )
    return known[name]


def load_steps(config: Config) -> list[Step]:
    """Read the steps of a configuration's recipe. See `load_recipe`."""
    return load_recipe(config).steps


def load_recipe(config: Config) -> Recipe:
    """Read the recipe of a configuration, with the settings that the configuration overrules.

    Raises
    ------
    ConfigError
        With every error: unknown stages, unknown, repeated or wrong settings.
    """
    try:
        path = recipe_file(config.pipeline)
    except ConfigError as error:
        where = config.place("pipeline")
        raise ConfigError(*(f"{where}: {text}" for text in error.errors)) from None
    document = parse(read_text(path))
    errors = [f"{path.name}:{line}: {message}" for line, message in document.errors]
    if not isinstance(document.value, list) or not document.value:
        raise ConfigError(
            *errors, f"{path.name}: a recipe is a list of steps, each `- stage: {{settings}}`"
        )
    errors += _odd_items(document.value, document, path.name)
    if errors:
        raise ConfigError(*errors)
    stages = load_stages()
    written = [
        _Written(item, number, document, path, stages) for number, item in enumerate(document.value)
    ]
    config, warnings, errors = _under_new_names(config, written, stages)
    errors += _unknown_overrules(config, [one.name for one in written])
    steps: list[Step] = []
    for one in written:
        try:
            steps.append(_step(one, [other.name for other in written], config, stages))
        except ConfigError as error:
            errors += error.errors
    if errors:
        raise ConfigError(*errors)
    return Recipe(steps, config, [*config.warnings, *warnings])


class _Written:
    """A step as it is written in a recipe."""

    def __init__(
        self, item: Any, number: int, document: Document, path: Path, stages: Mapping[str, Stage]
    ) -> None:
        name, settings = next(iter(({item: {}} if isinstance(item, str) else item).items()))
        self.written_name: str = name
        self.settings: dict[str, Any] = dict(settings or {})
        self.number, self.document, self.file = number, document, path.name
        self.name = aliases.stage_name(name, stages)

    @property
    def place(self) -> str:
        """File and line, and which step it is."""
        line = self.document.line((self.number,)) or 1
        return f"{self.file}:{line}, step {self.number + 1} ({self.written_name})"


def _under_new_names(
    config: Config, written: Sequence[_Written], stages: Mapping[str, Stage]
) -> tuple[Config, list[str], list[str]]:
    """Give stages and settings of a recipe and of `steps` the names that they have today."""
    warnings = [
        f"{one.place}: {aliases.renamed(one.written_name, one.name)}"
        for one in written
        if one.name != one.written_name
    ]
    overrules = {name: aliases.stage_name(name, stages) for name in config.steps}
    for old, new in overrules.items():
        if old != new:
            place = config.place("steps", old)
            warnings.append(f"{place}: steps.{aliases.renamed(old, f'steps.{new}')}")
    steps = {overrules[name]: settings for name, settings in config.steps.items()}
    scale = config.cell.grey_scale
    values: dict[str, Any] = {
        "cell": {"grey_scale": scale.model_dump(include=scale.model_fields_set)},
        "steps": {},
    }
    moved = []
    for one in written:
        left, found = aliases.take_moved({one.name: one.settings}, lambda *_, step=one: step.place)
        values["steps"] |= left
        moved += found
    errors = list(aliases.put_moved(values, moved))
    try:
        scale = GreyScaleSection.model_validate(values["cell"]["grey_scale"])
    except ValidationError as error:
        there = Document(None, {one.new: 0 for one in moved})
        at = ("cell", "grey_scale")
        errors += validation_messages(error, there, moved[0].place, GreyScaleSection, at)
    for one in written:
        one.settings = values["steps"][one.name]
    cell = config.cell.model_copy(update={"grey_scale": scale})
    config = config.model_copy(update={"steps": steps, "cell": cell})
    return config, [*warnings, *(one.warning for one in moved)], errors


def _unknown_overrules(config: Config, names: Sequence[str]) -> list[str]:
    return [
        f"{config.place('steps', name)}: steps.{name}: the recipe {config.pipeline} has no such "
        f"step{nearest(name, names)}; it has {', '.join(names)}"
        for name in config.steps
        if name not in names
    ]


def _odd_items(items: Sequence[Any], document: Document, recipe: str) -> list[str]:
    """Find items that are no steps."""
    return [
        f"{recipe}:{document.line((number,)) or 1}, step {number + 1}: a step is written "
        f"`- stage: {{settings}}`; found {item!r}"
        for number, item in enumerate(items)
        if not (isinstance(item, str) or (isinstance(item, dict) and len(item) == 1))
        or (isinstance(item, dict) and not isinstance(next(iter(item.values())), dict | None))
    ]


def _step(one: _Written, names: Sequence[str], config: Config, stages: Mapping[str, Stage]) -> Step:
    name = one.name
    if name not in stages:
        raise ConfigError(
            f"{one.place}: unknown stage{nearest(name, list(stages))}; "
            + aliases.NO_STAGES.get(name, "`xct stages` lists what there is")
        )
    if names.index(name) != one.number:
        raise ConfigError(
            f"{one.place}: stands twice, first as step {names.index(name) + 1}; once only"
        )
    stage = stages[name]
    settings: dict[str, Any] = {}
    errors: list[str] = []
    for values, document, file, at in (
        (one.settings, one.document, one.file, (one.number, one.written_name)),
        (config.steps.get(name), config._document, config._name, ("steps", name)),
    ):
        try:
            stage.settings.model_validate(values or {})
        except ValidationError as error:
            errors += validation_messages(error, document, file, stage.settings, at)
        settings |= values or {}
    if errors:
        raise ConfigError(*errors)
    return Step(stage, stage.settings.model_validate(settings).model_dump(), one.place)


# What the values of a scan were made from, when they are not counts.
_MADE_FROM: Mapping[str, tuple[str, ...]] = {
    "counts": (),
    "transmission": ("projections",),
    "line_integrals": ("projections", "transmission"),
}


def starting_from(steps: Sequence[Step], quantity: str) -> list[Step]:
    """Leave out the steps that data were through before: those on what they were made from.

    Parameters
    ----------
    steps : sequence of Step
        The recipe.
    quantity : {"counts", "transmission", "line_integrals"}
        What the values of the scan are.
    """
    made_from = _MADE_FROM[quantity]
    return [step for step in steps if not any(name in made_from for name in step.stage.data)]


def given_by_scan(quantity: str) -> list[str]:
    """Name the quantities that a scan gives whose values are `quantity`."""
    names = [one.name for one in QUANTITIES.values() if one.source == "scan"]
    if quantity == "counts":
        return names
    return [quantity, *(name for name in names if name not in ("projections", "flats", "darks"))]


def check_names(steps: Sequence[Step], given: Iterable[str]) -> list[str]:
    """Check that every step finds what it needs, and that what it gives is taken.

    Parameters
    ----------
    steps : sequence of Step
        The recipe.
    given : iterable of str
        Names of the quantities that the scan and the configuration give.

    Returns
    -------
    list of str
        Errors; empty where the steps fit together.
    """
    here, errors = set(given), []
    for number, step in enumerate(steps):
        here |= {*_derived(here)}
        missing = [name for name in step.stage.needs if name not in here]
        errors += [_explain_missing(name, step, number, steps, here) for name in missing]
        if step.stage.measures:
            here |= {*step.stage.gives}
            continue
        if any(earlier.stage.measures for earlier in steps[:number]):
            errors.append(f"{step.place}: stands behind steps that measure the volume")
        if not step.stage.sample and "row" not in step.stage.cut:
            errors.append(
                f"{step.place}: cannot be cut along rows, so it cannot run slab by slab; use it "
                "in a notebook"
            )
        here |= {*step.stage.gives}
        later = steps[number + 1 :]
        if number + 1 < len(steps) and not _taken(step, later):
            takers = [s.name for s in steps[:number] if _taken(step, [s])]
            remedy = f"; move it before {_last_taker(step, steps[:number])}" if takers else ""
            given = ", ".join(step.stage.gives)
            if step.stage.sample and not takers:
                continue  # a number of the whole scan, which goes into summary.json
            errors.append(f"{step.place}: gives {given}, which no later step takes{remedy}")
    return errors


def _taken(step: Step, others: Sequence[Step]) -> bool:
    """Whether one of the others takes what a step gives."""
    return any(name in other.stage.data for other in others for name in step.stage.gives)


def _last_taker(step: Step, earlier: Sequence[Step]) -> str:
    """Name the earlier step that a step must come before: what turns its quantity into another."""
    takers = [other for other in earlier if _taken(step, [other])]
    ends = [other for other in takers if not {*step.stage.gives} & {*other.stage.gives}]
    return (ends or takers)[-1].name


def _derived(here: Iterable[str]) -> list[str]:
    """Name the quantities that follow from those which are there."""
    there = dict.fromkeys(here)
    return [
        name
        for name, quantity in QUANTITIES.items()
        if quantity.derive is not None and can_be_called(quantity.derive, there)
    ]


def _explain_missing(
    name: str, step: Step, number: int, steps: Sequence[Step], here: set[str]
) -> str:
    others = [s.name for s in load_stages().values() if name in s.gives and name not in s.data]
    later = [s.name for s in steps[number + 1 :] if s.name in others]
    remedy = (
        f"move it behind {later[0]}" if later else f"{' or '.join(others)} does" if others else ""
    )
    said = f"{step.place}: needs {name}, which no earlier step gives"
    if remedy:
        return f"{said} ({remedy})"
    return f"{said}. Here there are: {', '.join(sorted(here))}."
