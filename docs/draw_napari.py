"""Pictures of the guide to napari that need a scan and work done. In: a cell of the demo; out: PNG.

    xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python docs/draw_napari.py demo/ncm-100 \
        [--light]

Draws docs/napari/{sinogram,tune,paint,run}.png with the window as a user sees it; with --light,
each widget beside the cell in napari's light theme into the present folder, to be looked at.
"""

import contextlib
import shutil
import sys
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
    """Draw all of them."""
    warnings.simplefilter("ignore")  # of napari and what it imports
    cell = Path(sys.argv[1]).resolve()
    if "--light" in sys.argv:
        draw_light(cell)
        return
    # Within the folder: what a window shows of a path is what stands in a user's own.
    with tempfile.TemporaryDirectory(prefix="xct-") as place, contextlib.chdir(place):
        config = own_configuration(cell)
        draw_sinogram(next((cell / "raw").iterdir()))
        draw_tuning(config)
        draw_painting(shutil.copytree(cell / "result", Path("out/ncm_100_painted")))
        draw_running(config)


def own_configuration(cell: Path) -> Path:
    """Write a configuration that may be changed, and runs into a folder of its own."""
    config = yaml.safe_load((cell / "config.yaml").read_text(encoding="utf-8"))
    config["scan"]["file"] = str(cell / config["scan"]["file"])
    config["output"] = "out/ncm_100"
    config["run"] = {"figures": "none"}
    path = Path("beamtime/ncm_100.yaml")
    path.parent.mkdir()
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
    shot(viewer, HERE / "run.png")
    run.cancel()
    until(lambda: bool(ended))


def draw_light(cell: Path) -> None:
    """Draw each widget in the light theme."""
    for name in WIDGETS:
        viewer = window()
        viewer.theme = "light"
        viewer.open(str(cell / "result"), plugin="xct")
        widget = dock(viewer, name)
        if name == "Tune a reconstruction":
            widget.source.setText(str(cell / "config.yaml"))
            widget.load()
        until(lambda w=widget: getattr(w, "idle", True))  # type: ignore[misc]
        shot(viewer, Path(f"light_{name.split()[0].lower()}.png"))


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


def until(is_done: Callable[[], bool], limit_s: float = 300) -> None:
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
