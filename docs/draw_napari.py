"""Pictures of the guide to napari, with the window as a user sees it. In: cells; out: PNG.

    xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python docs/draw_napari.py \
        demo/ncm-100 --pristine demo/ncm-0 [NAME ...] [--light]

Draws docs/napari/NAME.png, all unless some are named; with --light, each widget beside the cell in
napari's light theme and in its dark one, into the present folder, to be looked at.
"""

import argparse
import contextlib
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from qtpy.QtWidgets import QApplication
from scipy.ndimage import binary_erosion

from xct.analyze.roi.shapes import BoxRoi, LineRoi, SectorRoi
from xct.plugin.data.cells import cells_of
from xct.plugin.roi.layer import RoiLayer

HERE = Path(__file__).parent / "napari"
SIZE = (1400, 900)
WIDTH = 1000
WIDGETS = (
    "Inspect ROIs",
    "Compare cells",
    "Particles and inclusions",
    "Surface maps",
    "Tune a reconstruction",
    "Paint and train",
    "Run a pipeline",
)


def main() -> None:
    """Draw what is asked for."""
    warnings.simplefilter("ignore")  # of napari and what it imports
    asked = arguments()
    cell, pristine = asked.cell.resolve(), asked.pristine.resolve()
    if asked.light:
        draw_themes(cell)
        return
    pictures: dict[str, Callable[[], None]] = {
        "sinogram": lambda: draw_sinogram(next((cell / "raw").iterdir())),
        "tune": lambda: draw_tuning(own_configuration(cell)),
        "paint": lambda: draw_painting(shutil.copytree(cell / "result", "out/ncm_100_painted")),
        "run": lambda: draw_running(own_configuration(cell)),
        "rois": lambda: draw_rois(cell / "result", pristine / "result"),
        "surfaces": lambda: draw_surfaces(cell / "result"),
        "compare": lambda: draw_compared(pristine / "result", cell / "result"),
    }
    # Within the folder: what a window shows of a path is what stands in a user's own.
    with tempfile.TemporaryDirectory(prefix="xct-") as place, contextlib.chdir(place):
        for name in asked.names or pictures:
            pictures[name]()


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the guide to napari.")
    parser.add_argument("cell", type=Path, help="cell of the demo")
    parser.add_argument("--pristine", type=Path, default=Path("demo/ncm-0"))
    parser.add_argument("--light", action="store_true", help="widgets in both themes")
    parser.add_argument(
        "names",
        nargs="*",
        help="pictures; rois is also profile and depth, surfaces also tables and maps",
    )
    return parser.parse_intermixed_args()  # names may follow an option


def own_configuration(cell: Path) -> Path:
    """Write a configuration that may be changed, and runs into a folder of its own."""
    config = yaml.safe_load((cell / "config.yaml").read_text(encoding="utf-8"))
    config["scan"]["file"] = str(cell / config["scan"]["file"])
    config["output"] = "out/ncm_100"
    config["run"] = {"figures": "none"}
    path = Path("beamtime/ncm_100.yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def draw_sinogram(scan: Path) -> None:
    """Show the line integrals of one row."""
    viewer = window()
    for layer in viewer.open(str(scan), plugin="xct"):
        layer.visible = "line integrals" in layer.name
        if layer.visible:
            viewer.layers.selection.active = layer
    viewer.dims.order = (1, 0, 2)
    viewer.reset_view()
    shot(viewer, HERE / "sinogram.png")


def draw_tuning(config: Path) -> None:
    """Show a slice with its sinogram."""
    viewer = window()
    tune = dock(viewer, "Tune a reconstruction")
    tune.source.setText(str(config))
    tune.load()
    tune.row.setValue(110)
    tune.find_center()
    tune.sinogram.setChecked(True)
    until(lambda: tune.idle)
    shot(viewer, HERE / "tune.png")


def draw_painting(result: Path) -> None:
    """Paint strokes of two materials, and train."""
    viewer = window()
    viewer.open(str(result), plugin="xct")
    viewer.dims.order = (0, 1, 2)
    viewer.reset_view()
    paint = dock(viewer, "Paint and train")
    volume = next(layer for layer in viewer.layers if layer.name.endswith("volume"))
    z = 110
    viewer.dims.set_point(0, z * volume.scale[0])
    materials = next(layer for layer in viewer.layers if layer.name.endswith("materials"))
    known = np.asarray(materials.data[z])
    for code, name in ((2, "electrolyte"), (3, "active material")):
        paint.material.setCurrentText(f"{code} {name}")
        layer = paint.paint()
        layer.brush_size = 2
        rows, columns = np.nonzero(binary_erosion(known == code, iterations=2))
        for place in range(len(rows) // 40, len(rows), len(rows) // 12):
            layer.paint((z, int(rows[place]), int(columns[place])), code)
    paint.scale.setValue(1.0)
    paint.train()
    until(lambda: paint.idle)
    shot(viewer, HERE / "paint.png")


def draw_running(config: Path) -> None:
    """Show a run under way."""
    viewer = window()
    run = dock(viewer, "Run a pipeline")
    run.config.setText(str(config))
    run.check()
    ended: list[int] = []
    run.ended.connect(ended.append)
    run.start()
    until(lambda: run.bar.value() > 0)
    # the folder of this script is none of a user's
    run.log.setPlainText(run.log.toPlainText().replace(f"{Path.cwd()}/", ""))
    shot(viewer, HERE / "run.png")
    run.cancel()
    until(lambda: bool(ended))


def draw_rois(result: Path, pristine: Path) -> None:
    """Show a ROI over the pristine cell's, a profile, and grey values by depth."""
    viewer = window()
    viewer.open(str(result), plugin="xct")
    viewer.open(str(pristine), plugin="xct")
    inspect = dock(viewer, "Inspect ROIs")
    inspect.pristine.setCurrentText("NCM-0")
    viewer.layers["NCM-0 volume"].visible = False  # it lies on top
    viewer.layers["NCM-0 surfaces"].visible = False
    front, anode = "electrolyte_cathode", "steel_lithium"
    inspect.rois.set_rois(
        [
            BoxRoi("C-1", front, (0.0, 60.0), (-60.0, 60.0), (-120.0, -20.0)),
            SectorRoi("S-1", front, (0.0, 60.0), (40.0, 120.0), (-45.0, 45.0)),
            LineRoi("L-1", anode, (-15.0, 0.0, 150.0), (275.0, 0.0, 150.0), 20.0),
        ]
    )
    for name, row, tab in (
        ("rois", 0, inspect.histogram),
        ("profile", 2, inspect.profile),
        ("depth", 0, inspect.depths),
    ):
        inspect.table.select(row)
        inspect.tabs.setCurrentWidget(tab)
        until(lambda: inspect.idle)
        shot(viewer, HERE / f"{name}.png")


def draw_surfaces(result: Path) -> None:
    """Show particles by grey value, a map of the lithium, and the cell cut open in 3-D."""
    viewer = window()
    viewer.open(str(result), plugin="xct")
    tables = dock(viewer, "Particles and inclusions")
    tables.column.setCurrentText("mean_grey")
    shot(viewer, HERE / "tables.png")
    viewer.window.remove_dock_widget("all")
    viewer.layers["NCM-100 particles"].visible = False
    maps = dock(viewer, "Surface maps")
    maps.name.setCurrentText("lithium thickness")
    shot(viewer, HERE / "maps.png")
    viewer = window()  # here particles have the color of their label
    viewer.open(str(result), plugin="xct")
    viewer.dims.ndisplay = 3
    shot(viewer, HERE / "surfaces.png")


def draw_compared(pristine: Path, result: Path) -> None:
    """Show two cells side by side, in cross-section, with one ROI."""
    import napari

    from xct.plugin.view import fill

    if viewer := napari.current_viewer():
        viewer.close()
    viewer = fill([pristine, result], napari.Viewer)
    viewer.window.resize(*SIZE)
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 0.0)
    viewer.reset_view()
    box = BoxRoi("C-1", "electrolyte_cathode", (0.0, 60.0), (-60.0, 60.0), (-120.0, -20.0))
    RoiLayer.of(viewer, cells_of(viewer)[0]).set_rois([box])
    shot(viewer, HERE / "compare.png")


def draw_themes(cell: Path) -> None:
    """Draw each widget as it opens beside a cell, in the light theme and in the dark one."""
    for name in WIDGETS:
        viewer = window()
        viewer.open(str(cell / "result"), plugin="xct")
        widget = dock(viewer, name)
        if name == "Tune a reconstruction":
            widget.source.setText(str(cell / "config.yaml"))
            widget.load()
        for theme in ("light", "dark"):
            viewer.theme = theme
            until(lambda w=widget: getattr(w, "idle", True))  # type: ignore[misc]
            shot(viewer, Path(f"{theme}_{name.split()[0].lower()}.png"))


def window() -> Any:
    """Open napari, and no other window."""
    import napari

    if viewer := napari.current_viewer():
        viewer.close()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    return viewer


def dock(viewer: Any, name: str) -> Any:
    """Open a widget as the plugin menu does."""
    widget = viewer.window.add_plugin_dock_widget("xct", name)[1]
    until(lambda: True)
    return widget


def until(is_done: Callable[[], bool], limit_s: float = 900) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + limit_s
    for _ in range(20):
        QApplication.sync()  # type: ignore[attr-defined]
        time.sleep(0.01)
    while not is_done():
        if time.monotonic() > end:
            raise SystemExit("the window does not come to rest")
        QApplication.processEvents()
        time.sleep(0.02)


def shot(viewer: Any, path: Path) -> None:
    """Write a picture of the window, no wider than it is shown."""
    until(lambda: True)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    picture.resize((WIDTH, height), Image.Resampling.LANCZOS).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
