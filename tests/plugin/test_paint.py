"""A few strokes of each material teach a classifier to label the rest."""

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("sklearn")

from scipy.ndimage import binary_erosion

from tests.plugin.acting import dock, drag, near, open_parts, picture
from tests.plugin.drawn import VOXEL_UM
from xct.errors import XctError
from xct.io.labels import create_labels, open_labels, open_painted
from xct.result import open_result

LIMIT_MS = 600_000  # waited for what comes; a busy machine is no fault


def test_strokes_train_a_classifier_that_labels_the_rest(viewer, qtbot, cell_folder, tmp_path):
    folder = shutil.copytree(cell_folder, tmp_path / "cell")
    open_parts(viewer, folder, "volume")
    paint = dock(viewer, "Paint and train")
    with pytest.raises(XctError, match="train a classifier first"):
        paint.preview()
    z = 40  # through the first layer of particles
    viewer.dims.set_point(0, z * VOXEL_UM)
    truth = open_labels(folder / "volume.zarr", "materials")[z]
    for code, name in ((2, "electrolyte"), (3, "active material")):
        paint.material.setCurrentText(f"{code} {name}")
        layer = paint.paint()
        assert layer.selected_label == code
        layer.brush_size = 2
        for row in (20, 34, 48, 62):  # along rows of particles, and between them
            row = row if code == 3 else row + 7
            inside = np.flatnonzero(truth[row] == code)
            inside = inside[: max(3, inside.size // 3)]
            drag(
                viewer,
                *([z * VOXEL_UM, row * VOXEL_UM, x * VOXEL_UM] for x in (inside[0], inside[2])),
            )
    painted = np.asarray(open_painted(folder / "volume.zarr")[z])
    assert set(np.unique(painted)) == {0, 2, 3}
    assert (painted == 3).sum() > 8
    paint.scale.setValue(1.0)
    with qtbot.waitSignal(paint.labelled, timeout=LIMIT_MS):
        paint.train()
    preview = viewer.layers["classifier preview"]
    # away from edges, which its smallest scale blurs
    core = binary_erosion(truth == 2, iterations=2) | binary_erosion(truth == 3)
    assert (np.asarray(preview.data)[0][core] == truth[core]).mean() > 0.97
    labels = np.asarray(preview.data)[0][open_result(folder).cell.in_bore(z)]
    said = f"slice {z}, in the bore: electrolyte {(labels == 2).mean():.1%}, "
    assert paint.state.text() == said + f"active material {(labels == 3).mean():.1%}"
    viewer.dims.set_point(0, (z + 1) * VOXEL_UM)
    assert not preview.visible
    file = tmp_path / "classifier.npz"
    paint.save(file)
    paint.classifier = None
    paint.load(file)
    with qtbot.waitSignal(paint.labelled, timeout=LIMIT_MS):
        paint.label_volume()
    whole = np.asarray(viewer.layers["ncm-100 classified"].data)
    np.testing.assert_array_equal(whole[z], np.asarray(preview.data)[0])


def test_what_was_painted_and_classified_is_opened_again(viewer, cell_folder, tmp_path):
    folder = shutil.copytree(cell_folder, tmp_path / "cell")
    volume = folder / "volume.zarr"
    open_painted(volume)[40, 40:60, 40:60] = 3
    create_labels(volume, "classified", "uint8")[:] = 2
    layers = open_parts(viewer, folder, "volume", "classified", "painted")
    classified, painted = layers["ncm-100 classified"], layers["ncm-100 painted"]
    assert (painted.visible, classified.visible) == (True, False)
    assert set(np.unique(np.asarray(classified.data[40]))) == {2}
    viewer.dims.set_point(0, 40 * VOXEL_UM)
    layers["ncm-100 volume"].visible = False
    color = 0.7 * painted.get_color(3)[:3]
    per_voxel = (viewer.scene.camera.zoom * VOXEL_UM) ** 2
    assert near(picture(viewer), color, 25).sum() == pytest.approx(400 * per_voxel, rel=0.15)
    assert "active material" in painted.get_status((160, 200, 200), world=True)["value"]
    # painting goes on where it was left off
    paint = dock(viewer, "Paint and train")
    assert paint.paint() is painted
    assert sum("painted" in layer.name for layer in viewer.layers) == 1
    painted.paint((40, 30, 30), 2)
    assert open_labels(volume, "painted")[40, 30, 30] == 2


def test_too_little_paint_is_explained(viewer, qtbot, messages, cell_folder, tmp_path):
    folder = shutil.copytree(cell_folder, tmp_path / "cell")
    open_parts(viewer, folder, "volume")
    paint = dock(viewer, "Paint and train")
    paint.paint()
    paint.train()
    qtbot.waitUntil(lambda: paint.idle, timeout=LIMIT_MS)
    assert "nothing was painted; paint some voxels of at least two" in messages()[-1]
    assert paint.state.text() == "failed"
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.npz"):
        paint.load(tmp_path / "bad.npz")
