"""A real viewer under a real, if virtual, screen; without napari or a screen, tests are skipped."""

import os
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec

import pytest

from tests.plugin.drawn import draw_result

_READY = find_spec("napari") is not None and find_spec("PyQt6") is not None
_SCREEN = "1600x1000x24"

if _READY:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of napari and what it imports, not of ours
        import napari
        import napari.qt
        import napari.viewer


@pytest.fixture(scope="session", autouse=True)
def screen():
    """Give Qt a screen: the user's, or one of Xvfb's."""
    if not _READY:
        pytest.skip("napari is not installed: pip install xct[napari]")
    os.environ.pop("QT_QPA_PLATFORM", None)  # offscreen, a canvas stays empty
    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        yield
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("no screen: set DISPLAY, or install Xvfb")
    here, there = os.pipe()
    command = ["Xvfb", "-displayfd", str(there), "-screen", "0", _SCREEN, "+extension", "GLX"]
    # It ends by itself after its last client, Qt, which lives until this process ends.
    command += ["-nolisten", "tcp", "-terminate", "10"]
    server = subprocess.Popen(command, pass_fds=[there], stderr=subprocess.DEVNULL)
    server.returncode = 0  # not waited for: else Python complains at the end that it still runs
    os.close(there)
    with os.fdopen(here) as pipe:
        number = pipe.readline().strip()
    os.environ["DISPLAY"] = f":{number}"
    yield


class Shared:
    """One window for many tests: to open one takes longer than most of what is looked at in it."""

    def __init__(self):
        self.viewer = None

    def opened(self):
        if self.viewer is None:
            self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        return self.viewer

    def close(self):
        if self.viewer is not None:
            close(self.viewer)
        self.viewer = None


def close(viewer):
    """Close a window; its place and size are no settings of the user."""
    viewer.window._qt_window._save_current_window_settings = lambda: None
    viewer.close()


@pytest.fixture(scope="session")
def shared(screen, qapp):
    from napari._qt import qt_main_window
    from napari.settings import get_settings

    get_settings().reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qt_main_window, "SHOW_QT_WARNING", False)
        status = "napari._qt.threads.status_checker.StatusChecker.start"
        patch.setattr(status, lambda *_: None)
        window = Shared()
        yield window
        get_settings().reset()
        window.close()


@pytest.fixture
def new_viewer(shared, qtbot):
    """Open other windows, as `napari.Viewer` does, until the test ends.

    The shared one goes with them: what OpenGL draws in one window after another has been closed
    is not to be relied on.
    """
    opened = []

    def new(**settings):
        opened.append(napari.Viewer(show=True, show_welcome_screen=False, **settings))
        qtbot.wait_exposed(opened[-1].window._qt_window, timeout=60_000)
        return opened[-1]

    yield new
    for one in opened:
        close(one)
    shared.close()


@pytest.fixture
def viewer(shared, qtbot):
    """The window, with nothing in it; what a test opens is closed as a user would."""
    window = shared.opened()
    yield window
    if shared.viewer is None:
        return
    for docked in list(window.window._wrapped_dock_widgets.values()):
        docked.destroyOnClose()
    window.layers.clear()
    window.theme = "dark"
    window.dims.ndisplay = 2
    window.canvas.overlays.text.text = ""


@pytest.fixture
def messages():
    """Collect napari's notifications."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    return lambda: [str(record.message) for record in notification_manager.records]


@pytest.fixture(scope="session")
def cell_folder(tmp_path_factory):
    """A small drawn result that no test changes."""
    return draw_result(tmp_path_factory.mktemp("drawn") / "ncm-100")


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory):
    """Another cell: its anode at high z, its surfaces elsewhere."""
    return draw_result(tmp_path_factory.mktemp("drawn") / "ncm-0", anode="high_z", shift=5)
