"""What a cell looks like when it is opened, and in 3-D. In: a viewer and a cell; out: its view.

In 2-D the middle cross-section stands first: anode, electrolyte and cathode are seen at once. In
3-D the cell is seen obliquely and cut open along its axis: the cross-section is the wall at the
back, with the particles and surfaces of the nearer half in front of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Surface
from qtpy.QtCore import QTimer

from xct.plugin.data.cells import KEY, Cell, cells_of
from xct.plugin.data.height_maps import color
from xct.plugin.roi.cursor import place_text
from xct.plugin.roi.keys import bind_keys

# What is drawn in 3-D: more voxels of labels than these would fill the memory.
_MOST_LABELS = 256 * 2**20
# Where one looks (z, y, x), and what is up: onto the cut, a little from above and from the left.
_OBLIQUE = ((0.5, 1.0, 0.45), (-1.0, 0.0, 0.0))
_LABELS = ("materials", "classified", "particles")
_THUMBNAIL = 32  # pixels
_UPRIGHT = ((0, 1, 2), (1, 0, 2), (2, 0, 1))  # slices, and cross-sections with z downwards


def look_after(viewer: Any) -> None:
    """Arrange what is opened from now on: the cell whose last layer is added is looked after."""

    def attach(event: Any) -> None:
        note = event.value.metadata.get(KEY, {})
        if note.get("plane") is not None:
            _show_plane(viewer, **note["plane"])
        if note.get("last") and "viewed by" not in note:
            cell = next((one for one in cells_of(viewer) if one is note["object"]), None)
            if cell is not None and "volume" in cell.layers:
                note["viewed by"] = CellView(viewer, cell)

    bind_keys(viewer)
    upright = _Upright(viewer)
    viewer.dims.events.order.connect(lambda _: upright.turned(), position="first")
    # after napari's own, which give a new layer its place
    viewer.layers.events.inserted.connect(attach, position="last")


class _Upright:
    """Keeps cells upright, and slices unmirrored, where napari turns to other axes (Ctrl-E).

    napari rolls all three axes on: the second cross-section would lie on its side, and the slices
    after it would be transposed.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._order: tuple[int, ...] = tuple(viewer.dims.order)
        self._last = -1  # axis that was looked along before

    def turned(self) -> None:
        """Look along the same axis, upright; along the third one where one comes from there."""
        dims, before, last = self._viewer.dims, self._order, self._last
        now = tuple(dims.order)
        if now == before:
            return
        self._order, self._last = now, before[0]
        rolled = now == (*before[-1:], *before[:-1])
        if not rolled or before not in _UPRIGHT or now in _UPRIGHT or dims.ndisplay == 3:
            return
        if any(KEY in layer.metadata for layer in self._viewer.layers):
            axis = now[0] if now[0] != last else 3 - before[0] - last
            self._order = dims.order = _UPRIGHT[axis]


def _show_plane(viewer: Any, axis: int, at_um: float) -> None:
    """Show the cross-section that something lies in: z downwards."""
    if viewer.dims.ndisplay == 3:
        return
    first = viewer.dims.ndim - 3
    other = 3 - axis
    viewer.dims.order = (*range(first), first + axis, first, first + other)
    viewer.dims.set_point(first + axis, at_um)
    viewer.reset_view()


def show_middle(viewer: Any, cell: Cell) -> None:
    """Show the middle cross-section of a cell whose picture is open: z downwards, x to the right.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the cell is shown.
    cell : Cell
        The cell.
    """
    first = viewer.dims.ndim - 3
    world = cell.layers["volume"].data_to_world(np.round(_middle(cell)))
    # First the place, then the axes: no cross-section but the middle one is read.
    viewer.dims.set_point(range(first, first + 3), world[-3:])
    viewer.dims.order = (*range(first), first + 1, first, first + 2)
    viewer.reset_view()


class CellView:
    """Keeps the picture of one cell readable in 2-D and in 3-D.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the cell is shown.
    cell : Cell
        All of its layers are there.
    """

    def __init__(self, viewer: Any, cell: Cell) -> None:
        self._viewer, self._cell = viewer, cell
        self._in_3d = viewer.dims.ndisplay == 3
        self._were_visible: dict[Any, bool] = {}
        self._order: tuple[int, ...] = ()
        viewer.dims.events.ndisplay.connect(self.turn, position="last")  # after its layers
        viewer.mouse_move_callbacks.append(self._pointed)
        viewer.layers.events.removed.connect(self._closed)
        # In the light theme too: steel is white, and would end where the canvas begins.
        viewer.canvas.background_color_override = "black"
        bar = viewer.canvas.overlays.scale_bar
        bar.visible, bar.font_size, bar.box = True, 12, True
        text = viewer.canvas.overlays.text
        text.visible, text.position, text.font_size, text.box = True, "top_left", 11, True
        self._name_shown()
        cell.layers["volume"].events.visible.connect(self._name_shown)
        self._meshes_shown(shown=self._in_3d)
        if len(cells_of(viewer)) == 1 and not self._in_3d:
            show_middle(viewer, cell)
        QTimer.singleShot(0, self._made)

    def turn(self, _: Any = None) -> None:
        """Go to 3-D or back; what is shown in 2-D is the same again."""
        in_3d = self._viewer.dims.ndisplay == 3
        if in_3d == self._in_3d or self._layer() is None:
            return
        self._in_3d = in_3d
        self._viewer.canvas.overlays.text.text = self._cell.name
        if in_3d:
            self._cut_open()
        else:
            self._flat_again()

    def _name_shown(self, _: Any = None) -> None:
        """Write the name of the cell that is seen: of several, the one that lies on top."""
        cells = [cell for cell in cells_of(self._viewer) if "volume" in cell.layers]
        seen = [cell.name for cell in cells if cell.layers["volume"].visible]
        shown = seen and not self._viewer.canvas.grid.enabled
        self._viewer.canvas.overlays.text.text = seen[-1] if shown else ""

    def _made(self) -> None:
        """Make the picture the layer that is worked on, once napari has chosen the last."""
        volume = self._layer()
        if volume is None:
            return
        self._viewer.layers.selection.active = volume
        self._thumbnails()

    def _cut_open(self) -> None:
        """Show the cell obliquely, from the side of its cut."""
        viewer, layers = self._viewer, self._cell.layers
        volume = layers["volume"]
        self._order = viewer.dims.order
        viewer.dims.order = tuple(range(viewer.dims.ndim))  # planes count along z, y, x
        self._were_visible = {layer: bool(layer.visible) for layer in self._own_layers()}
        size, middle = np.array(self._cell.volume.shape), _middle(self._cell)
        coarse = np.array(volume.data[-1].shape if volume.multiscale else size)
        volume.depiction = "plane"
        volume.blending = "translucent"  # the wall hides what lies behind it
        volume.plane.position = tuple(middle * coarse / size)
        volume.plane.normal = (0, 1, 0)
        volume.plane.thickness = 1
        volume.visible = True
        for layer in self._meshes():
            _cut(layer, middle[1])
        self._meshes_shown(shown=True)
        particles = layers.get("particles")
        if particles is not None and np.prod(size, dtype=float) <= _MOST_LABELS:
            particles.visible = True
        for kind in ("materials", "lines", "ROIs"):
            if kind in layers:
                layers[kind].visible = False
        viewer.fit_to_view(margin=0.0)
        viewer.scene.camera.set_view_direction(*_OBLIQUE)

    def _flat_again(self) -> None:
        self._cell.layers["volume"].depiction = "volume"
        if len(self._order) == self._viewer.dims.ndim:
            self._viewer.dims.order = self._order
        for layer, visible in self._were_visible.items():
            if layer in self._viewer.layers:
                layer.visible = visible
        self._meshes_shown(shown=False)

    def _own_layers(self) -> list[Any]:
        return [layer for layer in self._cell.layers.values() if layer in self._viewer.layers]

    def _meshes(self) -> list[Any]:
        return [layer for layer in self._own_layers() if isinstance(layer, Surface)]

    def _meshes_shown(self, *, shown: bool) -> None:
        for layer in self._meshes():
            layer.visible = shown

    def _layer(self) -> Any:
        """Give the picture; None where it was closed."""
        volume = self._cell.layers.get("volume")
        return volume if volume is not None and volume in self._viewer.layers else None

    def _thumbnails(self) -> None:
        """Give layers that are hidden a thumbnail; napari makes one only of what it has drawn."""
        for kind, layer in self._cell.layers.items():
            if isinstance(layer, Surface):
                layer.thumbnail = np.ones(layer.thumbnail.shape) * (
                    *color(kind.replace("/", "_")),
                    1,
                )
            elif kind in _LABELS and not layer.visible:
                layer.thumbnail = _of_labels(layer)

    def _closed(self, _: Any = None) -> None:
        """Look after a cell no more once its picture is gone: else it would stay in memory."""
        callbacks = self._viewer.mouse_move_callbacks
        if self._layer() is None and self._pointed in callbacks:
            callbacks.remove(self._pointed)

    def _pointed(self, _: Any, event: Any) -> None:
        """Say what is under the mouse: grey value, depth and the surface that it counts from."""
        volume = self._layer()
        if volume is None or not volume.visible or event.type != "mouse_move":
            return
        overlay = self._viewer.canvas.overlays.text
        if self._viewer.canvas.grid.enabled:  # the position is that of no one cell
            return
        if self._viewer.dims.ndisplay == 3:
            overlay.text = self._cell.name
            return
        index = np.asarray(volume.world_to_data(np.asarray(event.position)[-3:]))
        shape = np.array(self._cell.volume.shape)
        if ((index < -0.5) | (index > shape - 0.5)).any():
            return  # another cell's picture may lie there
        overlay.text = f"{self._cell.name}: {self._value(event, index)}\n{self._place(index)}"

    def _value(self, event: Any, index: np.ndarray) -> str:
        """Write the voxel's value: the grey value where the cell is normalized."""
        volume = self._cell.layers["volume"]
        value = volume.get_value(event.position, world=True)
        value = value[-1] if isinstance(value, tuple) else value
        if value is None or not np.isfinite(value):
            return "no value"
        text = f"μ {float(value):.3g} 1/cm"
        result = self._cell.result
        if self._cell.normalized and result is not None and self._cell.geometry is not None:
            z, y, x = index * np.asarray(self._cell.volume.voxel_size_um)
            y_axis, x_axis = self._cell.geometry.axis_at(z)
            known = result.reference
            electrolyte = float(known.mu_per_cm(z, np.hypot(y - y_axis, x - x_axis)))
            grey = result.grey_scale.grey_value((float(value) - known.air) / electrolyte)
            text = f"grey value {grey:,.0f}" + ("" if known.is_grey else f" ({text})")
        return text

    def _place(self, index: np.ndarray) -> str:
        at = [float(v) for v in index * np.asarray(self._cell.volume.voxel_size_um)]
        if self._cell.geometry is None:
            return "z {:.1f}, y {:.1f}, x {:.1f} µm".format(*at)
        # beside a dock, the picture is too narrow for all in one line
        return place_text(self._cell.geometry, *at).replace(", radius", "\nradius")


def _middle(cell: Cell) -> np.ndarray:
    """Give the middle voxel, on the bore's axis as far as it is in view."""
    frame, shape = cell.frame, np.array(cell.volume.shape)
    axis_y = frame.axis_y_um / frame.voxel_size_um[1]
    middle = [(shape[0] - 1) / 2, axis_y, (shape[2] - 1) / 2]
    return np.asarray(np.clip(middle, 0, shape - 1))


def _cut(mesh: Surface, y_index: float) -> None:
    """Leave of a mesh what lies before a cross-section, at lower y."""
    vertices, faces = mesh.data[:2]
    nearer = (vertices[faces][:, :, 1] <= y_index + 1).all(axis=1)
    if nearer.any() and not nearer.all():
        mesh.data = (vertices, faces[nearer], mesh.data[2])


def _of_labels(layer: Any) -> np.ndarray:
    """Draw a small picture of labels: every so many voxels of a slice that has some."""
    z, y, x = layer.data.shape
    step = max(1, max(y, x) // _THUMBNAIL)
    labels = np.zeros((1, 1), layer.data.dtype)
    for number in (z // 2, z // 3, 2 * z // 3):  # particles fill one end of the cell only
        labels = np.asarray(layer.data[number, ::step, ::step])[:_THUMBNAIL, :_THUMBNAIL]
        if labels.any():
            break
    return np.asarray(layer.colormap.map(labels))
