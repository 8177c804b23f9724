"""What `xct init` chooses where it is not told. In: the path of a scan; out: names, a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xct.io.yaml import parse

# Names that many folders and files have: what they belong to is said by the folder above.
_EVERYWHERE = {"data", "projections", "raw", "result", "slices", "tif", "tiff", "volume"}
_OF_A_CELL = ("name", "group", "cycles", "anode")


def name_of(path: Path) -> str:
    """Name a scan, or a volume, after its file or folder.

    Parameters
    ----------
    path : Path
        File or folder; where its name says nothing (``raw``, ``volume.zarr``), one of the two
        folders above does.
    """
    own = path.name not in ("", "..")
    whole = path.absolute() if own else path.resolve()  # a link has a name of its own
    named = [whole.name if whole.is_dir() and whole.suffix != ".zarr" else whole.stem]
    named += [folder.name for folder in list(whole.parents)[:2]]
    return next((name for name in named if name and name.lower() not in _EVERYWHERE), named[0])


def new_name(path: Path) -> str:
    """Name a configuration and its output; of a result they are not the result's own."""
    own = path.name == "volume.zarr" or _is_result(path)
    return f"{name_of(path)}_again" if own else name_of(path)


def recipe_for(path: Path) -> str:
    """Choose the recipe: `analyze` for a result of xct or a volume in Zarr, else `reconstruct`."""
    return "analyze" if path.suffix == ".zarr" or _is_result(path) else "reconstruct"


def cell_line(path: Path) -> str:
    """Write the section of the cell: of a result what its run was told, else a name."""
    folder = path.parent if path.name == "volume.zarr" else path
    known = _told(folder / "run.yaml") if _is_result(folder) else {}
    facts = {"name": name_of(path), **known}
    inner = (f"{k}: {quoted(v) if isinstance(v, str) else v}" for k, v in facts.items())
    return f"cell: {{{', '.join(inner)}}}"


def quoted(text: str) -> str:
    """Quote a text where YAML would read it as something else."""
    parsed = parse(f"[{text}]")
    return text if not parsed.errors and parsed.value == [text] else repr(text)


def _is_result(folder: Path) -> bool:
    return (folder / "volume.zarr").is_dir()


def _told(account: Path) -> dict[str, Any]:
    import yaml

    try:
        cell = yaml.safe_load(account.read_text(encoding="utf-8"))["configuration"]["cell"]
        return {key: cell[key] for key in _OF_A_CELL if cell.get(key) is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return {}  # the name alone, as of any other folder
