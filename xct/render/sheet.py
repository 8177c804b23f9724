"""Pictures with names, scale bar and legend. In: pixels of scenes; out: figures, and films.

All cells of a figure are on one scale and seen by one camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError
from xct.figures import JOURNAL_IN, SURFACE_COLORS, bar_length, canvas, panel_letters
from xct.io.atomic import written_whole
from xct.render.names import write_names
from xct.render.picture import GROUNDS, Camera, Stage, camera_for
from xct.render.scene import COLORS, Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMN_IN, _PAGE_IN = JOURNAL_IN[1], JOURNAL_IN[2]
_DPI, _WIDE_DPI = 600, 200
ASPECT = 4 / 3  # of a picture
_NAMES_PT, _FILM_NAMES_PT = 5.0, 8.0  # of ROIs
_FILM_PX, _FRAMES, _FRAMES_A_SECOND = (960, 720), 96, 16
_SHOWN = {
    "lithium": "lithium",
    "absent_lithium": "no lithium",
    "electrolyte": "electrolyte",
    "active_material": "active material",
    "drifted": "drifted particles",
    "rois": "ROIs",
}
_INTERFACES = {
    "lithium_electrolyte": "lithium | electrolyte",
    "electrolyte_cathode": "electrolyte | cathode",
}


def sheet(
    scenes: Sequence[Scene],
    opacities: Mapping[str, float],
    ground: str,
    *,
    width_in: float | None = None,
) -> Figure:
    """Draw cells side by side, as wide as one column of a journal for one, as a page for more.

    Parameters
    ----------
    scenes : sequence of Scene
        Cells.
    opacities : mapping of str to float
        By name of a body.
    ground : {"light", "dark"}
        Behind them.
    width_in : float, optional
        Of the figure, inches, where it is not for a journal.
    """
    columns = min(3, len(scenes))
    rows = -(-len(scenes) // columns)
    width = width_in or (_COLUMN_IN if columns == 1 else _PAGE_IN)
    dpi = _WIDE_DPI if width_in else _dpi(width)
    across = round(width / columns * dpi)
    camera = camera_for(scenes, ASPECT)
    figure, axes = canvas(rows, columns, (width, rows * (width / columns / ASPECT + 0.3) + 0.4))
    for axis, scene in zip(axes, scenes, strict=False):
        stage = Stage(scene, (across, round(across / ASPECT)), opacities, ground)
        _show(axis, stage.seen_from(camera), camera, ground)
        axis.set_title(scene.name, fontsize=8, color=_ink(ground))
        if opacities["rois"] > 0:
            write_names(axis, scene.outlines, camera, ground, _NAMES_PT)
    for axis in axes[len(scenes) :]:
        axis.set_visible(False)
    _legend(figure, scenes, opacities, ground)
    return panel_letters(figure)


def save_sheet(figure: Figure, path: Path) -> Path:
    """Write a figure at the size of a journal: one column at 600 dpi, a page at 300."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_dpi(figure.get_figwidth()))
    return path


def _dpi(width_in: float) -> int:
    return _DPI if width_in <= _COLUMN_IN else _DPI // 2


def _show(axis: Any, pixels: np.ndarray, camera: Camera, ground: str) -> Any:
    rows, columns, _ = pixels.shape
    half = camera.span_um / 2
    wide = half * columns / rows
    image = axis.imshow(pixels, extent=(-wide, wide, -half, half), interpolation="antialiased")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.figure.set_facecolor(GROUNDS[ground])
    axis.set_facecolor(GROUNDS[ground])
    _bar(axis, wide, half, ground)
    return image


def _bar(axis: Any, wide: float, half: float, ground: str) -> None:
    length, text = bar_length(2 * wide)
    left, height = -0.97 * wide, -0.93 * half
    axis.plot([left, left + length], [height] * 2, color=_ink(ground), lw=2, solid_capstyle="butt")
    axis.text(
        left + length / 2, height + 0.02 * half, text, color=_ink(ground), ha="center",
        va="bottom", fontsize=7,
    )  # fmt: skip
    axis.set(xlim=(-wide, wide), ylim=(-half, half))


def _ink(ground: str) -> str:
    return "black" if ground == "light" else "white"


def _legend(
    figure: Figure, scenes: Sequence[Scene], opacities: Mapping[str, float], ground: str
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    there = {body.name for scene in scenes for body in scene.bodies if len(body.triangles)}
    there |= {"rois"} if any(scene.outlines for scene in scenes) else set()
    handles: list[Any] = [
        Patch(facecolor=COLORS[name], edgecolor="grey", linewidth=0.4, label=label)
        for name, label in _SHOWN.items()
        if name in there and opacities[name] > 0
    ]
    if any(scene.faces for scene in scenes) and opacities["section"] > 0:
        handles += [
            Line2D([], [], color=SURFACE_COLORS[name], lw=1.5, label=label)
            for name, label in _INTERFACES.items()
        ]
    figure.legend(
        handles=handles, loc="outside lower center", frameon=False,
        ncols=3 if len(scenes) == 1 else 4, fontsize=6, labelcolor=_ink(ground),
    )  # fmt: skip


def turntable(
    scene: Scene, camera: Camera, path: Path, opacities: Mapping[str, float], ground: str
) -> Path:
    """Film a cell that turns once about its axis, as MP4 (H.264) that every program plays.

    Parameters
    ----------
    scene : Scene
        The cell.
    camera : Camera
        Where the turn begins; its elevation and scale are kept.
    path : Path
        File to write.
    opacities : mapping of str to float
        By name of a body.
    ground : {"light", "dark"}
        Behind it.

    Raises
    ------
    XctError
        If imageio-ffmpeg is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError:
        raise XctError("films need imageio-ffmpeg: pip install 'xct[render]'") from None
    figure, [axis] = canvas(1, 1, (_FILM_PX[0] / 100, _FILM_PX[1] / 100))
    stage = Stage(scene, _FILM_PX, opacities, ground)
    image = _show(axis, stage.seen_from(camera), camera, ground)
    corner = axis.transAxes
    axis.text(0.02, 0.98, scene.name, va="top", fontsize=8, color=_ink(ground), transform=corner)
    named = scene.outlines if opacities["rois"] > 0 else []
    with written_whole(path) as temporary:
        film = imageio_ffmpeg.write_frames(
            temporary, _FILM_PX, fps=_FRAMES_A_SECOND, quality=7, macro_block_size=2,
            output_params=["-f", "mp4", "-movflags", "+faststart"],
        )  # fmt: skip
        film.send(None)
        for turn in np.arange(_FRAMES) * 360 / _FRAMES:
            seen = camera.turned(turn)
            image.set_data(stage.seen_from(seen))
            names = write_names(axis, named, seen, ground, _FILM_NAMES_PT)
            film.send(_drawn(figure))
            for each in names:
                each.remove()
        film.close()
    return path


def _drawn(figure: Figure) -> bytes:
    canvas_: Any = figure.canvas
    figure.set_dpi(100)
    canvas_.draw()
    return np.ascontiguousarray(np.asarray(canvas_.buffer_rgba())[..., :3]).tobytes()
