"""Recipes: ordered steps. In: a recipe's name and overruling settings; out: steps that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import xct
from xct.config.messages import complaints_of, nearest
from xct.config.model import Config, read_text
from xct.io.yaml import Document, parse
from xct.errors import ConfigError
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
    package = Path(xct.__file__).parent
    folders = [package / "pipelines", package.parent / "pipelines"]
    known = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    if name not in known:
        raise ConfigError(
            f"pipeline: {name!r} is not a recipe{nearest(name, list(known))}; xct ships "
            f"{', '.join(sorted(known))}; name your own by its path"
        )
    return known[name]


def load_steps(config: Config) -> list[Step]:
    """Read the recipe of a configuration, with the settings that the configuration overrules.

    Returns
    -------
    list of Step
        In order, every setting with its default written out.

    Raises
    ------
    ConfigError
        With every complaint: unknown stages, unknown, repeated or wrong settings.
    """
    try:
        path = recipe_file(config.pipeline)
    except ConfigError as error:
        where = config.place("pipeline")
        raise ConfigError(*(f"{where}: {text}" for text in error.complaints)) from None
    document = parse(read_text(path))
    complaints = [f"{path.name}:{line}: {message}" for line, message in document.errors]
    if not isinstance(document.value, list) or not document.value:
        raise ConfigError(
            *complaints, f"{path.name}: a recipe is a list of steps, each `- stage: {{settings}}`"
        )
    complaints += _odd_items(document.value, document, path.name)
    if complaints:
        raise ConfigError(*complaints)
    names = [item if isinstance(item, str) else next(iter(item)) for item in document.value]
    complaints += _unknown_overrules(config, names)
    steps: list[Step] = []
    for number, item in enumerate(document.value):
        try:
            steps.append(_step(item, number, names, document, path.name, config))
        except ConfigError as error:
            complaints += error.complaints
    if complaints:
        raise ConfigError(*complaints)
    return steps


def _unknown_overrules(config: Config, names: Sequence[str]) -> list[str]:
    return [
        f"{config.place('steps', name)}: steps.{name}: the recipe {config.pipeline} has no such "
        f"step{nearest(name, names)}; it has {', '.join(names)}"
        for name in config.steps
        if name not in names
    ]


def _odd_items(items: Sequence[Any], document: Document, recipe: str) -> list[str]:
    """Complain of items that are no steps."""
    return [
        f"{recipe}:{document.line((number,)) or 1}, step {number + 1}: a step is written "
        f"`- stage: {{settings}}`; found {item!r}"
        for number, item in enumerate(items)
        if not (isinstance(item, str) or (isinstance(item, dict) and len(item) == 1))
        or (isinstance(item, dict) and not isinstance(next(iter(item.values())), dict | None))
    ]


def _step(
    item: Any, number: int, names: Sequence[str], document: Document, recipe: str, config: Config
) -> Step:
    place = f"{recipe}:{document.line((number,)) or 1}, step {number + 1} ({names[number]})"
    name, own = next(iter(({item: {}} if isinstance(item, str) else item).items()))
    stages = load_stages()
    if name not in stages:
        raise ConfigError(
            f"{place}: unknown stage{nearest(name, list(stages))}; `xct stages` lists what there is"
        )
    if names.index(name) != number:
        raise ConfigError(
            f"{place}: stands twice, first as step {names.index(name) + 1}; once only"
        )
    stage = stages[name]
    settings, complaints = dict(own or {}), []
    for values, doc, file, at in (
        (own, document, recipe, (number, name)),
        (config.steps.get(name), config._document, config._name, ("steps", name)),
    ):
        try:
            stage.settings.model_validate(values or {})
        except ValidationError as error:
            complaints += complaints_of(error, doc, file, stage.settings, at)
        settings |= values or {}
    if complaints:
        raise ConfigError(*complaints)
    return Step(stage, stage.settings.model_validate(settings).model_dump(), place)


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
        Complaints; empty where the steps fit together.
    """
    here, complaints = set(given), []
    for number, step in enumerate(steps):
        here |= {*_derived(here)}
        missing = [name for name in step.stage.needs if name not in here]
        complaints += [_explain_missing(name, step, number, steps, here) for name in missing]
        if step.stage.measures:
            here |= {*step.stage.gives}
            continue
        if any(earlier.stage.measures for earlier in steps[:number]):
            complaints.append(f"{step.place}: stands behind steps that measure the volume")
        if not step.stage.sample and "row" not in step.stage.cut:
            complaints.append(
                f"{step.place}: cannot be cut along rows, so it cannot run slab by slab; use it "
                "in a notebook"
            )
        here |= {*step.stage.gives}
        later = steps[number + 1 :]
        if number + 1 < len(steps) and not _taken(step, later):
            takers = [s.name for s in steps[:number] if _taken(step, [s])]
            remedy = f"; move it before {takers[0]}" if takers else ""
            given = ", ".join(step.stage.gives)
            complaints.append(f"{step.place}: gives {given}, which no later step takes{remedy}")
    return complaints


def _taken(step: Step, others: Sequence[Step]) -> bool:
    """Whether one of the others takes what a step gives."""
    return any(name in other.stage.data for other in others for name in step.stage.gives)


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
    return (
        f"{step.place}: needs {name}, which no earlier step gives"
        f"{f' ({remedy})' if remedy else ''}. Here there are: {', '.join(sorted(here))}."
    )
