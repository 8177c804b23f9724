"""Cells in 3-D from their results. In: finished results; out: pictures, films, one page to turn.

What is shown is built from the surfaces, the labels and a level of the volume that is as coarse as
a picture allows, so a large cell takes hardly more memory than a small one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from xct.analyze.roi.files import read_rois, roi_set_file
from xct.errors import XctError, nearest, show_bytes
from xct.io.atomic import write_text
from xct.render.building import COARSE, scene_of
from xct.render.picture import GROUNDS, camera_for
from xct.render.scene import OPACITIES
from xct.render.sheet import ASPECT, save_sheet, sheet, turntable
from xct.render.viewer import PAGE, viewer
from xct.result import Result, open_result

_MOST_BYTES = 10_000_000  # of the page


def render_results(
    results: Sequence[Path | str | Result],
    out: Path | str,
    *,
    rois: str | None = None,
    ground: str = "light",
    opacities: Mapping[str, float] | None = None,
    film: bool = False,
    said: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write pictures of cells in 3-D, on one scale and by one camera.

    Parameters
    ----------
    results : sequence of path or Result
        Of cells.
    out : path
        Folder to write.
    rois : str, optional
        ROI set whose regions are outlined: a name that xct ships, or a file.
    ground : {"light", "dark"}, optional
        Behind the cells.
    opacities : mapping of str to float, optional
        By name, from 0 (not drawn) to 1 (solid): lithium, absent_lithium, electrolyte,
        active_material, drifted, section, rois.
    film : bool, optional
        Whether a turntable of each cell is filmed, too.
    said : callable, optional
        Called with what could not be shown.

    Returns
    -------
    list of Path
        What was written: pictures of each cell and of all, with grey values on the cut and, to see
        drifted particles, without (``_inside``); films, and a page to turn the cells.

    Raises
    ------
    XctError
        If a result holds no cell, two have one name, an opacity has no meaning, or VTK is missing.
    """
    chosen = {**OPACITIES, **_checked(opacities or {})}
    if ground not in GROUNDS:
        raise XctError(f"ground: {ground!r} is not one of {', '.join(GROUNDS)}")
    regions = read_rois(roi_set_file(rois)) if rois else []
    named = _named([r if isinstance(r, Result) else open_result(r) for r in results])
    scenes = [scene_of(result, name, rois=regions) for name, result in named.items()]
    for scene in scenes:
        for text in scene.missing:
            said(f"{scene.name}: {text}")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {_file_name(scene.name): [scene] for scene in scenes}
    if len(scenes) > 1:
        pictures["cells"] = scenes
    written = []
    for ending, opacity in {"": chosen, "_inside": {**chosen, "section": 0.0}}.items():
        written += [
            save_sheet(sheet(shown, opacity, ground), folder / f"{name}{ending}.png")
            for name, shown in pictures.items()
        ]
    if film:
        camera = camera_for(scenes, ASPECT)
        written += [
            turntable(scene, camera, folder / f"{_file_name(scene.name)}.mp4", chosen, ground)
            for scene in scenes
        ]
    write_text(folder / PAGE, page_of(named, chosen))
    return [*written, folder / PAGE]


def page_of(named: Mapping[str, Result], opacities: Mapping[str, float] = OPACITIES) -> str:
    """Write the page on which cells are turned by hand, as fine as 10 MB allow.

    Parameters
    ----------
    named : mapping of str to Result
        By the names of the cells.
    opacities : mapping of str to float, optional
        At the start, by name of a body.
    """
    page = ""
    for across in COARSE:
        scenes = [scene_of(result, name, across=across) for name, result in named.items()]
        page = viewer(scenes, opacities)
        if len(page) <= _MOST_BYTES:
            return page
    raise XctError(
        f"a page to turn {len(named)} cells would take {show_bytes(len(page))}, more than "
        f"{show_bytes(_MOST_BYTES)}; render fewer cells at a time"
    )


def parse_opacities(texts: Sequence[str]) -> dict[str, float]:
    """Read opacities such as ``electrolyte=0.3``.

    Raises
    ------
    XctError
        If one is not of this form.
    """
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise XctError(
                f"--opacity: {text!r} is not NAME=NUMBER, such as electrolyte=0.3"
            ) from None
    return found


def _checked(opacities: Mapping[str, float]) -> Mapping[str, float]:
    for name, value in opacities.items():
        if name not in OPACITIES:
            raise XctError(
                f"opacity: {name!r} is not shown{nearest(name, list(OPACITIES))}; there are "
                f"{', '.join(OPACITIES)}"
            )
        if not 0 <= value <= 1:
            raise XctError(f"opacity: {name} is {value:g}; give 0 (not drawn) to 1 (solid)")
    return opacities


def _named(results: Sequence[Result]) -> dict[str, Result]:
    """Name cells as their configurations do, else by the folder above."""
    named: dict[str, Result] = {}
    for result in results:
        says = (result.account.get("configuration") or {}).get("cell") or {}
        name = str(says.get("name") or result.path.resolve().parent.name)
        if name in named:
            raise XctError(
                f"several cells are called {name!r} ({named[name].path}, {result.path}); give each "
                "its own cell.name in its configuration"
            )
        named[name] = result
    return named


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name) or "cell"
