"""What a user does: open, click, drag, look."""

from pathlib import Path

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from xct.plugin.data.cells import KEY
from xct.plugin.data.lines import follow
from xct.plugin.data.reader import read
from xct.plugin.first_view import look_after


def open_with_xct(viewer, path, *, slices=True):
    """Open as the menu does; then look at slices, unless the first view is what is tested."""
    return _opened(viewer, viewer.open(str(path), plugin="xct"), slices=slices)


def open_parts(viewer, path, *kinds, slices=True):
    """Open some layers of a cell: most of a test's time would go into the others."""
    follow(viewer)
    look_after(viewer)
    chosen = [one for one in read(Path(path)) if one[1]["metadata"][KEY]["kind"] in kinds]
    assert len(chosen) == len(kinds)
    chosen[-1][1]["metadata"][KEY]["last"] = True
    layers = [viewer.add_layer(Layer.create(*one)) for one in chosen]
    return _opened(viewer, layers, slices=slices)


def _opened(viewer, layers, *, slices):
    if slices and viewer.dims.order == (1, 0, 2):
        viewer.dims.order = (0, 1, 2)
        viewer.reset_view()
    return {layer.name: layer for layer in layers}


def picture(viewer):
    """What the canvas shows of the layers: red, green and blue, 0 to 255."""
    overlays = [viewer.canvas.overlays.scale_bar, viewer.canvas.overlays.text]
    were_visible = [overlay.visible for overlay in overlays]
    for overlay in overlays:
        overlay.visible = False
    image = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    for overlay, visible in zip(overlays, were_visible, strict=True):
        overlay.visible = visible
    return image


def near(image, color, within=60):
    """Find where a picture has about a color (0 to 1)."""
    return np.abs(image - 255 * np.array(color[:3])).max(axis=-1) < within


def dock(viewer, widget_name):
    """Open a widget as the plugin menu does."""
    made = viewer.window.add_plugin_dock_widget("xct", widget_name)[1]
    laid_out()
    return made


def laid_out():
    """Let the window make room for what came: the screen's server answers, then Qt lays out."""
    for _ in range(5):
        QApplication.sync()


def canvas_point(viewer, world):
    """Where a place in the world lies on the canvas, in pixels, in 2-D without a grid."""
    native = viewer.window._qt_viewer.canvas.native
    displayed = list(viewer.dims.displayed)
    off = np.asarray(world)[displayed] - np.asarray(viewer.scene.camera.center)[-2:]
    row, column = off * viewer.scene.camera.zoom
    return QPoint(round(native.width() / 2 + column), round(native.height() / 2 + row))


def mouse(viewer, kind, at, *, pressed):
    """Send a mouse event to the canvas, with the left button down or not."""
    native = viewer.window._qt_viewer.canvas.native
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    place = QPointF(at)
    event = QMouseEvent(
        kind,
        place,
        QPointF(native.mapToGlobal(at)),
        button,
        left if pressed else none,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(native, event)
    QApplication.processEvents()


def point_at(viewer, world):
    """Move the mouse to a place in the world, no button pressed."""
    mouse(viewer, QEvent.Type.MouseMove, canvas_point(viewer, world), pressed=False)


def click(viewer, world):
    """Click on a place in the world."""
    drag(viewer, world)


def drag(viewer, start, *stops):
    """Press at one place in the world, move to others, and let go."""
    laid_out()  # sliders come and go with the axes: the picture is where it stays
    at = canvas_point(viewer, start)
    point_at(viewer, start)
    mouse(viewer, QEvent.Type.MouseButtonPress, at, pressed=True)
    for stop in stops:
        first, last = at, canvas_point(viewer, stop)
        for part in np.linspace(0, 1, 6)[1:]:
            at = first + (last - first) * float(part)
            mouse(viewer, QEvent.Type.MouseMove, at, pressed=True)
    mouse(viewer, QEvent.Type.MouseButtonRelease, at, pressed=False)
