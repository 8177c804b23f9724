"""What is dropped on napari shows what is in it, where it is, at its size."""

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.utils.notifications import notification_manager

from tests.plugin.acting import dock, near, open_parts, open_with_xct, picture
from tests.plugin.drawn import HEIGHTS, MU, SHAPE, VOXEL_UM
from tests.scans import ANGLES, COLUMNS, PIXEL_SIZE_UM, ROWS, write_dxchange
from xct.analyze.roi.files import write_rois
from xct.analyze.roi.shapes import BoxRoi
from xct.io.journal import Journal
from xct.io.labels import create_labels
from xct.io.volumes import Coding, create_volume, write_slab
from xct.plugin.data.height_maps import COLORS
from xct.plugin.data.reader import get_reader
from xct.plugin.view import fill


def test_result_gives_every_part_at_its_size(viewer, cell_folder):
    layers = open_with_xct(viewer, cell_folder)
    names = {f"ncm-100 {kind}" for kind in ("volume", "materials", "particles", "surfaces")}
    assert names < set(layers)
    assert {f"ncm-100 {name.replace('_', '/')}" for name in HEIGHTS} < set(layers)
    for layer in layers.values():
        assert {str(unit) for unit in layer.units} == {"micrometer"}
    volume = layers["ncm-100 volume"]
    np.testing.assert_allclose(volume.extent.world[1], VOXEL_UM * (np.array(SHAPE) - 1))
    low, high = volume.contrast_limits
    assert low < MU[1] < MU[2] < MU[3] < high < MU[4]  # lithium … active material, not steel


def test_layers_are_distinguished_on_the_canvas(viewer, cell_folder):
    open_parts(viewer, cell_folder, "volume")
    shown = []
    for height in (4, 12, 26):  # in steel, lithium and electrolyte
        viewer.dims.set_point(0, height * VOXEL_UM)
        image = picture(viewer)
        middle = [length // 2 for length in image.shape[:2]]
        shown.append(image[middle[0] - 20 : middle[0] + 20, middle[1] - 20 : middle[1] + 20].mean())
    steel, lithium, electrolyte = shown
    assert steel > 240
    assert 15 < lithium < electrolyte - 30 < 120


def test_surfaces_are_lines_where_they_are_in_cross_sections(viewer, cell_folder):
    layers = open_parts(viewer, cell_folder, "volume", "lines")
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 60 * VOXEL_UM)
    viewer.reset_view()
    image = picture(viewer)
    rows = []
    for name in HEIGHTS:
        found = np.flatnonzero(near(image, COLORS[name]).sum(axis=1) > 100)
        assert found.size, name
        rows.append(found.mean())
    per_um = np.diff(rows) / np.diff(list(HEIGHTS.values())) / VOXEL_UM
    np.testing.assert_allclose(per_um, viewer.scene.camera.zoom, rtol=0.1)
    # where there is no lithium, its surface is not drawn
    lines = layers["ncm-100 surfaces"]
    full = len(lines.data)
    viewer.dims.set_point(1, 30 * VOXEL_UM)
    assert 0 < len(lines.data) < full - 10
    viewer.dims.ndisplay = 3
    assert len(lines.data) == 0


def test_surfaces_are_meshes_in_3d(viewer, cell_folder):
    layers = open_parts(viewer, cell_folder, "volume", "electrolyte/cathode")
    viewer.dims.ndisplay = 3
    for layer in layers.values():
        layer.visible = layer.name == "ncm-100 electrolyte/cathode"
    viewer.scene.camera.angles = (0, 60, 0)
    viewer.reset_view()
    image = picture(viewer)
    red, _, blue = image[image.sum(axis=-1) > 60].mean(axis=0)
    assert (image.sum(axis=-1) > 60).mean() > 0.02
    assert blue > 1.5 * red
    vertices = layers["ncm-100 electrolyte/cathode"].data[0]
    np.testing.assert_allclose(vertices[:, 0], HEIGHTS["electrolyte_cathode"] - 0.5)
    assert viewer.dims.range[0].step == VOXEL_UM


def test_rois_that_a_run_measured_are_shown(viewer, cell_folder, tmp_path):
    folder = shutil.copytree(cell_folder, tmp_path / "cell")
    roi = BoxRoi("E-1", "lithium_electrolyte", (20.0, 60.0), (-60.0, 60.0), (-40.0, 40.0))
    write_rois(folder / "rois.yaml", [roi])
    layers = open_parts(viewer, folder, "volume", "ROIs")
    shapes = layers["ncm-100 ROIs"]
    assert list(shapes.features["name"]) == ["E-1"]
    inspect = dock(viewer, "Inspect ROIs")
    assert inspect.rois.rois == [roi]
    assert inspect.table.item(0, 0).text() == "E-1"
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    assert near(picture(viewer), (1, 0.85, 0.1)).sum() > 50
    assert sum(layer.name.endswith("ROIs") for layer in viewer.layers) == 1


def test_large_volume_is_multiscale_in_its_own_unit(viewer, tmp_path):
    path = tmp_path / "volume.zarr"
    coding = Coding("uint16", 0.5, -10.0)
    create_volume(path, (16, 600, 600), (3.0, 2.0, 2.0), coding, "big")
    codes = np.full((16, 600, 600), 30, np.uint16)  # 5 1/cm
    codes[:, :300] = 50  # 15 1/cm
    write_slab(path, 0, codes)
    (layer,) = open_with_xct(viewer, path).values()
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(16, 600, 600), (8, 300, 300), (4, 150, 150)]
    assert set(np.unique(np.asarray(layer.data[0][3]))) == {5.0, 15.0}
    np.testing.assert_allclose(layer.scale, (3, 2, 2))
    image = picture(viewer)[..., 0]
    assert image[image.shape[0] // 2 - 60, image.shape[1] // 2] == 255
    assert image[image.shape[0] // 2 + 60, image.shape[1] // 2] == 0


def test_raw_scan_gives_frames_and_sinograms(viewer, tmp_path):
    layers = open_with_xct(viewer, write_dxchange(tmp_path / "scan.h5"))
    kinds = ("projections", "flats", "darks", "line integrals")
    assert set(layers) == {f"scan {kind}" for kind in kinds}
    projections, integrals = layers["scan projections"], layers["scan line integrals"]
    assert projections.data.shape == integrals.data.shape == (ANGLES, ROWS, COLUMNS)
    assert projections.scale[1] == PIXEL_SIZE_UM
    assert projections.visible
    assert not integrals.visible
    projections.visible, integrals.visible = False, True
    viewer.dims.order = (1, 0, 2)  # from above, line integrals are sinograms
    viewer.reset_view()
    sinogram = np.asarray(integrals.data[:, 5])
    assert -0.02 < np.median(sinogram[:, 2]) < 0.02  # beside the sample
    assert 0.3 < sinogram[:, 92].mean() < 3
    viewer.dims.set_point(1, 5 * PIXEL_SIZE_UM)
    image = picture(viewer)[..., 0]
    assert len(np.unique(image)) > 50
    assert integrals.contrast_limits[1] == pytest.approx(sinogram.max(), rel=1e-3)


@pytest.mark.parametrize("name", ["text.zarr", "empty", "picture.h5"])
def test_what_is_not_ours_is_left_to_others(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"nothing") if path.suffix == ".h5" else path.mkdir()
    assert get_reader(str(path)) is None
    assert get_reader([str(path), str(path)]) is None
    assert get_reader(str(tmp_path / "missing.zarr")) is None


def cut(folder, tmp_path, what):
    broken = shutil.copytree(folder, tmp_path / "broken")
    if what == "summary":
        (broken / "summary.json").write_text("{", encoding="utf-8")
    elif what == "metadata":
        (broken / "volume.zarr" / "zarr.json").write_text("nonsense", encoding="utf-8")
    elif what == "volume":
        shutil.rmtree(broken / "volume.zarr")
    elif what == "unfinished":
        (broken / "summary.json").unlink()
        (broken / ".xct").mkdir()
    return broken


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("summary", "is damaged: Expecting property name"),
        ("metadata", "is damaged, or no volume: JSONDecodeError"),
        ("volume", "there is no volume"),
        ("unfinished", "its run is not finished"),
    ],
)
def test_broken_result_is_explained(messages, cell_folder, tmp_path, what, said):
    broken = cut(cell_folder, tmp_path, what)
    assert get_reader(str(broken))(str(broken)) == [(None,)]
    assert len(messages()) == 1
    assert said in messages()[0]


def test_parts_that_are_broken_do_not_hide_the_others(messages, cell_folder, tmp_path):
    broken = shutil.copytree(cell_folder, tmp_path / "broken")
    (broken / "surfaces.zarr" / "zarr.json").write_text("nonsense", encoding="utf-8")
    (broken / "volume.zarr" / "labels" / "materials" / "zarr.json").write_text(
        "nonsense", encoding="utf-8"
    )
    names = {layer[1]["name"] for layer in get_reader(str(broken))(str(broken))}
    assert names == {"ncm-100 volume", "ncm-100 particles"}
    assert len(messages()) == 2
    assert messages()[0].startswith("materials: is damaged")
    assert "labels" in messages()[0]


def test_what_a_run_has_not_made_yet_is_said(messages, cell_folder, tmp_path):
    folder = shutil.copytree(cell_folder, tmp_path / "begun")
    create_labels(folder / "volume.zarr", "particles", "uint32", whole=False)[:10] = 1
    journal = Journal(folder)
    journal.folder.mkdir()
    journal.write("identity", {})
    journal.write("slab-0", {"stop": 16})
    journal.write("slab-32", {"stop": 48})
    path = str(folder / "volume.zarr")
    names = {layer[1]["name"] for layer in get_reader(path)(path)}
    assert names == {"begun volume", "begun materials"}
    of_labels, of_slices = messages()
    assert of_labels.startswith("particles: these labels are not finished")
    missing = SHAPE[0] - 32
    assert of_slices.startswith(f"{missing} of {SHAPE[0]} slices are not there yet: 16–31, 48–")
    journal.write("finished", {})
    get_reader(path)(path)
    assert len(messages()) == 3  # of the labels again


def test_what_is_wrong_is_said_in_the_window_that_opens_later(viewer, cell_folder, tmp_path):
    broken = shutil.copytree(cell_folder, tmp_path / "broken")
    (broken / "surfaces.zarr" / "zarr.json").write_text("nonsense", encoding="utf-8")
    heard = []

    def window(title):
        notification_manager.notification_ready.connect(heard.append)
        return viewer

    fill([broken], window)
    notification_manager.notification_ready.disconnect(heard.append)
    assert len(heard) == 1
    assert "surfaces.zarr" in str(heard[0].message)


def test_scan_that_is_cut_short_is_explained(messages, tmp_path):
    whole = write_dxchange(tmp_path / "scan.h5").read_bytes()
    path = tmp_path / "short.h5"
    path.write_bytes(whole[: len(whole) // 3])
    assert get_reader(str(path))(str(path)) == [(None,)]
    assert "short.h5" in messages()[0]
