"""Particles of a measured cathode against scikit-image, on the same labels."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import label, regionprops_table
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from tests.segment.spheres import Flat
from xct.geometry import CellGeometry, Label
from xct.segment.material.table import material_table
from xct.segment.particle.instances import particles

RISE = 0.1


@pytest.fixture(scope="module")
def mask(test_data):
    volume = tifffile.imread(test_data("nmc_binary_volume") / "NMC_lr_input.tif")
    return volume[:64, :96, :96] > 0


@pytest.fixture(scope="module")
def found(mask):
    labels = np.where(mask, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)
    mu = np.where(mask, 48.0, 5.0).astype(np.float32)
    cell = CellGeometry(mask.shape, (1.0,) * 3, 47.5, 47.5, 70.0)
    settings = {"rise_px": RISE, "largest_um": 60.0}
    return labels, mu, cell, particles(mu, labels, cell, {}, Flat(blur_um=1.0), **settings)


def test_sizes_and_places_are_those_of_scikit_image(found):
    numbers, table = found[3]
    props = regionprops_table(numbers.astype(np.int32), properties=("label", "area", "centroid"))
    np.testing.assert_array_equal(table["particle"], props["label"])
    np.testing.assert_allclose(table["volume_um3"], props["area"])
    for name, axis in zip(("z_um", "y_um", "x_um"), range(3), strict=True):
        np.testing.assert_allclose(table[name], props[f"centroid-{axis}"])


def test_they_are_about_as_many_and_as_large_as_with_its_watershed(mask, found):
    distance = gaussian_filter(distance_transform_edt(mask), 0.85)
    steps = np.rint(distance * 100).astype(np.int32)
    markers = label(h_maxima(np.where(mask, steps, 0), int(100 * RISE)))
    theirs = watershed(-distance, markers, mask=mask)
    sizes = np.bincount(theirs.ravel())[1:]
    ours = found[3][1]["volume_um3"].to_numpy()
    # By volume: specks count for nothing.
    assert len(ours) == pytest.approx(np.count_nonzero(sizes >= 4), rel=0.15)
    assert weighted_median(ours) == pytest.approx(weighted_median(sizes), rel=0.25)


def test_the_fraction_is_that_of_the_labels(mask, found):
    labels, mu, cell, _ = found
    table = material_table(mu, labels, cell, Flat()).set_index("material")
    assert table.loc["active_material", "volume_fraction"] == pytest.approx(mask.mean())


def weighted_median(volumes):
    ordered = np.sort(volumes)
    return ordered[np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)]
