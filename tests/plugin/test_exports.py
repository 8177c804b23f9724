"""What `xct export` wrote is seen in napari as it was: at its size, materials in their colors."""

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import near, open_with_xct, picture
from tests.plugin.drawn import SHAPE, VOXEL_UM
from xct.figures import MATERIAL_COLORS
from xct.io.export import export_file, export_tiff, of_labels, of_volume
from xct.io.labels import open_labels
from xct.io.volumes import open_volume

HEIGHTS = {4: 4, 1: 12, 2: 26, 3: 40}  # slices of steel, lithium, electrolyte, active material


@pytest.fixture
def exports(cell_folder, tmp_path):
    """Volume, materials and particles in every layout, by layout."""
    path, folder = cell_folder / "volume.zarr", tmp_path
    parts = {"volume": lambda: of_volume(open_volume(path))}
    parts |= {n: lambda n=n: of_labels(path, n) for n in ("materials", "particles")}
    found = {}
    for ending in (".nrrd", ".vti", ".ome.tif", ""):
        for name, part in parts.items():
            file = folder / f"{name}{ending}"
            export_file(part(), file) if ending else export_tiff(part(), file)
            found.setdefault(ending or "slices", []).append(file)
    return found


def test_every_export_is_seen_as_it_was(viewer, exports, cell_folder):
    """One window for all: opening one takes longer than what is looked at."""
    path = cell_folder / "volume.zarr"
    parts = ("volume", "materials", "particles")
    for layout, files in {**exports, "OME-Zarr": [path]}.items():
        viewer.layers.clear()
        layers = {}
        for file in files:
            layers |= open_with_xct(viewer, file)
        prefix = "ncm-100 " if layout == "OME-Zarr" else ""
        seen_right(viewer, [layers[prefix + part] for part in parts], path)


def seen_right(viewer, layers, path):
    volume, materials, particles = layers
    for layer in layers:
        assert {str(unit) for unit in layer.units} == {"micrometer"}
        np.testing.assert_allclose(layer.extent.world[1], VOXEL_UM * (np.array(SHAPE) - 1))
    data = volume.data[0] if volume.multiscale else volume.data
    np.testing.assert_array_equal(np.asarray(data[26]), open_volume(path).read(26))
    truth = open_labels(path, "particles")[40]
    np.testing.assert_array_equal(np.asarray(particles.data[40]), truth)
    volume.visible = particles.visible = False
    materials.visible, materials.opacity = True, 1.0
    for label, z in HEIGHTS.items():
        viewer.dims.set_point(0, z * VOXEL_UM)
        assert near(picture(viewer), MATERIAL_COLORS[label], within=12).mean() > 0.01, label
