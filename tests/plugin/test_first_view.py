"""What is opened is seen: cross-section, materials, where the mouse is; in 3-D, cut open."""

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import canvas_point, laid_out, open_parts, picture, point_at
from tests.plugin.drawn import HEIGHTS, SHAPE, VOXEL_UM
from xct.plugin.view import fill

LIMIT_MS = 600_000  # waited for what comes; a busy machine is no fault
MIDDLE = 48 * VOXEL_UM


def brightness(viewer, image, z, x):
    """Mean of a small square about a place in the cross-section."""
    at = canvas_point(viewer, [z * VOXEL_UM, MIDDLE, x * VOXEL_UM])
    scale = image.shape[0] / viewer.window._qt_viewer.canvas.native.height()
    row, column = round(at.y() * scale), round(at.x() * scale)
    return image[row - 4 : row + 5, column - 4 : column + 5].mean()


@pytest.fixture
def drawn(viewer):
    """What there was each time that the canvas was drawn: the order of axes, and layers."""
    seen, draw = [], viewer.window._qt_viewer.canvas._scene_canvas.events.draw

    def note(_):
        seen.append((viewer.dims.order, [layer.name for layer in viewer.layers]))

    draw.connect(note)
    yield seen
    draw.disconnect(note)


@pytest.fixture
def layers(viewer, drawn, qtbot, cell_folder):
    """Opened by `xct view`."""
    fill([cell_folder], lambda **_: viewer)
    opened = {layer.name: layer for layer in viewer.layers}
    assert ((1, 0, 2), ["ncm-100 volume"]) in drawn  # seen before the other layers come
    qtbot.waitUntil(
        lambda: viewer.layers.selection.active is opened["ncm-100 volume"], timeout=LIMIT_MS
    )
    return opened


def test_middle_cross_section_is_seen_with_its_materials_and_its_scale(viewer, layers):
    assert viewer.dims.order == (1, 0, 2)
    assert viewer.dims.point[1] == pytest.approx(MIDDLE, abs=VOXEL_UM)
    bar = viewer.canvas.overlays.scale_bar
    assert bar.visible
    assert {str(unit) for unit in viewer.layers.units} == {"micrometer"}
    image = picture(viewer)
    lithium, electrolyte = (brightness(viewer, image, z, 35) for z in (12, 26))
    particle = brightness(viewer, image, HEIGHTS["electrolyte_cathode"] + 4, 48)
    assert lithium > 25
    assert electrolyte > lithium + 25
    assert particle > electrolyte + 90
    viewer.theme = "light"
    assert picture(viewer)[1, 1].max() == 0  # beside the picture: white steel ends somewhere
    # surfaces are lines here, no meshes; what is hidden has a thumbnail, too
    assert all(not layers[f"ncm-100 {name.replace('_', '/')}"].visible for name in HEIGHTS)
    for name, layer in layers.items():
        if name != "ncm-100 surfaces":
            assert layer.thumbnail[..., :3].max() > 60, name


def test_mouse_is_told_value_depth_and_surface(viewer, qtbot, cell_folder):
    layers = open_parts(viewer, cell_folder, "volume", slices=False)
    laid_out()  # the slider that has come makes the picture smaller
    text = viewer.canvas.overlays.text
    assert text.visible

    def told(height, words):
        """Move the mouse, as a hand does, until the words are there: the window may be laid out."""
        point_at(viewer, [height, MIDDLE, MIDDLE])
        point_at(viewer, [height, MIDDLE, MIDDLE + 20])
        return words in text.text

    qtbot.waitUntil(lambda: told(100, "from lithium/electrolyte"), timeout=LIMIT_MS)
    value = float(np.asarray(layers["ncm-100 volume"].data[25, 48, 53]))
    assert f"μ {value:.3g} 1/cm" in text.text
    depth_um = float(text.text.partition("depth +")[2].split()[0])
    assert depth_um == pytest.approx(38.0, abs=1.0)  # the mouse is on a whole pixel
    qtbot.waitUntil(lambda: told(160, "from electrolyte/cathode"), timeout=LIMIT_MS)


def test_3d_is_oblique_cut_open_and_shows_particles(viewer, layers):
    viewer.dims.ndisplay = 3
    volume = layers["ncm-100 volume"]
    assert volume.depiction == "plane"
    assert volume.blending == "translucent"  # particles behind the wall are hidden
    assert volume.plane.position[1] == pytest.approx((SHAPE[1] - 1) / 2, abs=1)
    direction = np.abs(viewer.scene.camera.view_direction)
    assert direction.min() > 0.2  # along no axis
    assert layers["ncm-100 particles"].visible
    for name in HEIGHTS:
        mesh = layers[f"ncm-100 {name.replace('_', '/')}"]
        assert mesh.visible
        vertices, faces = mesh.data[:2]
        assert vertices[np.unique(faces)][:, 1].max() <= SHAPE[1] / 2 + 1
    image = picture(viewer)
    colored = np.ptp(image, axis=-1) > 60
    assert colored.mean() > 0.02
    # back in 2-D everything is as it was
    viewer.dims.ndisplay = 2
    assert viewer.dims.order == (1, 0, 2)
    assert volume.depiction == "volume"
    assert not layers["ncm-100 particles"].visible
    assert not layers["ncm-100 electrolyte/cathode"].visible


def test_sample_data_is_a_small_cell_made_on_the_spot(viewer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = {layer.name for layer in viewer.open_sample("xct", "cell")}
    kinds = ("volume", "materials", "particles", "surfaces", "electrolyte/cathode")
    assert {f"ncm-100 {kind}" for kind in kinds} <= names
    assert viewer.dims.order == (1, 0, 2)
    # turned on, cross-sections stay upright, and slices are not mirrored
    for order in ((2, 0, 1), (0, 1, 2), (2, 0, 1), (1, 0, 2)):
        viewer.dims.roll()
        assert viewer.dims.order == order


def test_second_cell_does_not_turn_what_is_looked_at(viewer, qtbot, cell_folder, other_folder):
    open_parts(viewer, cell_folder, "volume", slices=False)
    viewer.dims.order = (0, 1, 2)
    viewer.dims.set_point(0, 100.0)
    there = open_parts(viewer, other_folder, "volume", slices=False)
    assert viewer.dims.order == (0, 1, 2)
    assert viewer.dims.point[0] == pytest.approx(100.0)
    volume = there["ncm-0 volume"]
    qtbot.waitUntil(lambda: viewer.layers.selection.active is volume, timeout=LIMIT_MS)
    text = viewer.canvas.overlays.text
    assert text.text == "ncm-0"
    volume.visible = False
    assert text.text == "ncm-100"  # what is seen now
