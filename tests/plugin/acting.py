"""What a user does: open, click, drag, look."""

import numpy as np
from qtpy.QtCore import QPoint, Qt


def open_with_xct(viewer, path):
    return {layer.name: layer for layer in viewer.open(str(path), plugin="xct")}


def picture(viewer):
    """What the canvas shows: red, green and blue, 0 to 255."""
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def near(image, color, within=60):
    """Tell where a picture has about a color (0 to 1)."""
    return np.abs(image - 255 * np.array(color[:3])).max(axis=-1) < within


def dock(viewer, widget_name):
    """Open a widget as the plugin menu does."""
    return viewer.window.add_plugin_dock_widget("xct", widget_name)[1]


def canvas_point(viewer, world):
    """Where a place in the world lies on the canvas, in pixels, in 2-D without a grid."""
    native = viewer.window._qt_viewer.canvas.native
    displayed = list(viewer.dims.displayed)
    off = np.asarray(world)[displayed] - np.asarray(viewer.scene.camera.center)[-2:]
    row, column = off * viewer.scene.camera.zoom
    return QPoint(round(native.width() / 2 + column), round(native.height() / 2 + row))


def click(qtbot, viewer, world):
    """Click on a place in the world."""
    native = viewer.window._qt_viewer.canvas.native
    at = canvas_point(viewer, world)
    qtbot.mouseMove(native, at)
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=at)


def drag(qtbot, viewer, start, stop):
    """Drag from one place in the world to another."""
    native = viewer.window._qt_viewer.canvas.native
    first, last = canvas_point(viewer, start), canvas_point(viewer, stop)
    qtbot.mouseMove(native, first)
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=first)
    for part in np.linspace(0, 1, 6)[1:]:
        qtbot.mouseMove(native, first + (last - first) * float(part))
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=last)
