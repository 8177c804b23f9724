"""Stages of one's own. In: names of modules; out: their stages in `STAGES`, and what was loaded.

Importing a module runs its code: what a configuration names is imported only where the user
allows it.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from xct.errors import ConfigError
from xct.quantity import QUANTITIES
from xct.stages import STAGES, Stage, check_quantities, load_stages


@dataclass(frozen=True)
class LoadedModule:
    """A module that declares stages, or that one of those imported from its own folder.

    Attributes
    ----------
    name : str
        Its dotted name.
    path : Path
        The file that was loaded.
    checksum : str
        SHA-256 of that file.
    """

    name: str
    path: Path
    checksum: str


def load_own_stages(names: Sequence[str], beside: Path) -> list[LoadedModule]:
    """Import modules that declare stages.

    Parameters
    ----------
    names : sequence of str
        Dotted names, such as ``my_lab.steps``.
    beside : Path
        Folder that is searched first, before what is installed.

    Returns
    -------
    list of LoadedModule
        The modules, and those of their packages and of `beside` that they import.

    Raises
    ------
    ConfigError
        For every module that is not found or cannot be imported: name, file, line and message.
    """
    load_stages()
    loaded: dict[str, LoadedModule] = {}
    errors = []
    for name in names:
        try:
            with _all_or_nothing(name):
                module = _import(name, beside.resolve())
            loaded |= {one.name: one for one in _of_package(module, beside.resolve())}
        except ModuleNotFoundError as error:
            if error.name is not None and f"{name}.".startswith(f"{error.name}."):
                where = f"neither beside the configuration ({beside}) nor installed"
                errors.append(f"{name}: no such module, {where}")
            else:
                errors.append(f"{name}: {_explained(error)}")
        except (Exception, SystemExit) as error:
            errors.append(f"{name}: {_explained(error)}")
    if errors:
        raise ConfigError(*errors)
    return list(loaded.values())


def _import(name: str, folder: Path) -> ModuleType:
    """Import a module; its top package comes from `folder` where it is there."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError("is not the dotted name of a module, such as my_lab.steps")
    top = name.partition(".")[0]
    importlib.invalidate_caches()
    spec = PathFinder.find_spec(top, [str(folder)])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        return importlib.import_module(name)
    known = sys.modules.get(top)
    if known is not None and not _is_from(known, folder):
        raise ImportError(
            f"another module {top} is loaded already ({getattr(known, '__file__', 'built in')}); "
            "give yours a name of its own"
        )
    if known is None or _changed(top):
        for old in [m for m in sys.modules if m == top or m.startswith(f"{top}.")]:
            del sys.modules[old]
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # for what it imports later, last: it replaces nothing
        module = module_from_spec(spec)
        sys.modules[top] = module
        try:
            if spec.loader is not None:
                spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(top, None)
            raise
    return importlib.import_module(name)


_CHECKSUMS: dict[Path, str] = {}


def _changed(top: str) -> bool:
    """Whether a file of a package is not as it was when it was loaded."""
    modules = [m for name, m in sys.modules.items() if f"{name}.".startswith(f"{top}.")]
    files = [Path(file) for m in modules if (file := getattr(m, "__file__", None))]
    return any(_checksum(file) != _CHECKSUMS.get(file) for file in files)


def _checksum(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _is_from(module: ModuleType, folder: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(Path(place).resolve().is_relative_to(folder) for place in places if place)


def _of_package(module: ModuleType, beside: Path | None = None) -> list[LoadedModule]:
    """List the loaded modules of a module's package, and those that lie below a folder."""
    top = module.__name__.partition(".")[0]
    found = []
    for name, other in list(sys.modules.items()):
        file = getattr(other, "__file__", None)
        own = name == top or name.startswith(f"{top}.")
        if file and (own or (beside is not None and _is_from(other, beside))):
            path = Path(file).resolve()
            checksum = _CHECKSUMS[Path(file)] = _checksum(path)
            found.append(LoadedModule(name, path, checksum))
    return sorted(found, key=lambda one: one.name)


_OWNERS: dict[str, str] = {}  # packages of the quantities that own modules declared


@contextmanager
def _all_or_nothing(name: str) -> Iterator[None]:
    """Refuse names that are taken, and forget what a module that fails declared."""
    stages, quantities, modules = dict(STAGES), dict(QUANTITIES), set(sys.modules)
    package = name.partition(".")[0]
    try:
        yield
        check_quantities()
        taken = [k for k in stages if STAGES.get(k) is not stages[k]]
        taken = [f"the stage {k}" for k in taken if _package(stages[k]) != package]
        again = [k for k in quantities if QUANTITIES.get(k) is not quantities[k]]
        taken += [f"the quantity {k}" for k in again if _OWNERS.get(k) != package]
        if taken:
            raise ValueError(f"declares {', '.join(taken)}, which is there already; rename yours")
        _OWNERS.update(dict.fromkeys(set(QUANTITIES) - set(quantities), package))
    except BaseException:
        STAGES.clear()
        STAGES.update(stages)
        QUANTITIES.clear()
        QUANTITIES.update(quantities)
        for module in set(sys.modules) - modules:
            if module.partition(".")[0] == package:
                del sys.modules[module]
        raise


def _package(stage: Stage) -> str:
    return stage.function.__module__.partition(".")[0]


def _explained(error: BaseException) -> str:
    """Say what went wrong in a module and in which line, without a traceback."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_file()]
    others = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[1]))
    own = [f for f in frames if not f.filename.startswith(others)]
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    kind = "" if isinstance(error, ValueError | ImportError) else f"{type(error).__name__}: "
    return f"{place}{kind}{error}"
