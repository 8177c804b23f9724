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
        import napari.qt
        import napari.viewer  # noqa: F401
        from napari.utils._testsupport import (  # noqa: F401
            _clean_themes,
            _disable_qt_warnings,
            make_napari_viewer,
            mock_app_model,
            pytest_runtest_makereport,
        )


@pytest.fixture(scope="session", autouse=True)
def screen(request):
    """Give Qt a screen: the user's, or one of Xvfb's."""
    if not _READY:
        pytest.skip("napari is not installed: pip install xct[napari]")
    for option in ("--show-napari-viewer", "--save-leaked-object-graph"):
        setattr(request.config.option, option, False)  # asked for by napari's fixture
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


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch):
    """A viewer on the screen, and the messages that it showed as `viewer_messages`."""
    return make_napari_viewer(show=True)


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
