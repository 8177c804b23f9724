"""What a shell completes when Tab is pressed. In: the beginning of a word; out: words.

Nothing here is imported, and no name looked up, before Tab is pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

from click.shell_completion import CompletionItem

Completer = Callable[[Any, Any, str], list[CompletionItem]]


def names_from(listed: Callable[[], Iterable[str]], *, or_file: bool = False) -> Completer:
    """Complete a word to one of some names.

    Parameters
    ----------
    listed : callable
        Gives the names; called when Tab is pressed.
    or_file : bool, optional
        A word that begins none of them is completed as the name of a file.
    """

    def complete(_: Any, __: Any, begun: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in listed() if name.startswith(begun)]
        return found or ([CompletionItem(begun, type="file")] if or_file else [])

    return complete


def recipes() -> list[str]:
    """Name the recipes that xct ships."""
    from xct.config.recipe import shipped_recipes

    return sorted(shipped_recipes())


def stage_names() -> list[str]:
    """Name the stages, those of installed packages as well."""
    from xct.stages import load_stages

    return sorted(load_stages())


def products() -> list[str]:
    """Name what stages give."""
    from xct.stages import load_stages

    return sorted({name for stage in load_stages().values() for name in stage.gives})


def stage_settings() -> list[str]:
    """Name the settings of stages as `--sweep` takes them: `fbp.window=`."""
    from xct.stages import load_stages

    return sorted(
        f"{name}.{key}=" for name, one in load_stages().items() for key in one.settings.model_fields
    )


def all_settings() -> list[str]:
    """Name the keys of a configuration as `--set` takes them: `scan.bin=`, `steps.fbp.window=`."""
    from xct.config.model import Config

    found = []
    for name, entry in Config.model_fields.items():
        possible = (entry.annotation, *get_args(entry.annotation))
        keys = [key for one in possible for key in getattr(one, "model_fields", ())]
        found += [f"{name}.{key}=" for key in keys] or [f"{name}="]
    found.remove("steps=")
    return [*found, *(f"steps.{setting}" for setting in stage_settings())]


def states() -> list[str]:
    """Name the states of virtual cells."""
    from xct.phantom.cell.states import STATES

    return list(STATES)


def labels() -> list[str]:
    """Name the labels that a volume can hold."""
    from xct.io.labels import CLASSIFIED, PAINTED

    return ["materials", "particles", PAINTED, CLASSIFIED]


def roi_sets() -> list[str]:
    """Name the ROI sets that xct ships."""
    from xct.analyze.roi.files import shipped_roi_sets

    return sorted(shipped_roi_sets())
