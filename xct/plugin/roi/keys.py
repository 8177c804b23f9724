"""Keys of the ROI inspector. In: a key in napari's window; out: what ImageJ's key would do.

Where napari uses ImageJ's key itself (T, Ctrl-C), it is pressed with Shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari import Viewer

from xct.plugin.notifications import explained

if TYPE_CHECKING:
    from xct.plugin.roi.inspector import InspectRois

_WIDGET = "Inspect ROIs"


def inspector_of(viewer: Any) -> InspectRois:
    """Give the ROI inspector of a window; it is opened if need be."""
    made: InspectRois = viewer.window.add_plugin_dock_widget("xct", _WIDGET)[1]
    return made


@explained
def histogram(viewer: Viewer) -> None:
    """Show the histogram of the chosen ROI."""
    inspector_of(viewer).show_plot("histogram")


@explained
def profile(viewer: Viewer) -> None:
    """Show the profile along the chosen line."""
    inspector_of(viewer).show_plot("profile")


@explained
def add_to_list(viewer: Viewer) -> None:
    """Add a copy of the chosen ROI to the list."""
    inspector_of(viewer).add_copy()


@explained
def copy(viewer: Viewer) -> None:
    """Copy plot and numbers to the clipboard."""
    inspector_of(viewer).bar.copy()


@explained
def undo(viewer: Viewer) -> None:
    """Take the last change of ROIs back."""
    inspector_of(viewer).rois.undo()


@explained
def redo(viewer: Viewer) -> None:
    """Make the last change of ROIs again."""
    inspector_of(viewer).rois.redo()


KEYS = {
    "H": histogram,
    "K": profile,
    "Shift-T": add_to_list,
    "Shift-C": copy,
    "Control-Z": undo,
    "Control-Shift-Z": redo,
}


def bind_keys(viewer: Any) -> None:
    """Let the keys work in a window; layers that use one themselves come first."""
    for key, function in KEYS.items():
        if getattr(viewer, "window", None) is not None:
            viewer.bind_key(key, function, overwrite=True)
