"""A cell scanned without noise is reconstructed as it is."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from xct.geometry import Label
from xct.phantom.cell.cell import draw_cell
from xct.phantom.scan.setup import Setup
from xct.phantom.scan.virtual_scan import virtual_scan
from xct.reconstruct import fbp

SHAPE, VOXEL_UM = (96, 144, 144), 1.0


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """Labels, μ and reconstruction of a cell whose particles are nine voxels wide."""
    cell = draw_cell("ncm-0", shape=SHAPE, voxel_um=VOXEL_UM, ncm_fraction=0.25)
    setup = Setup(angles=240, ideal=True, glare=0.0, axis_offset_px=1.3)
    scan = virtual_scan(cell, setup, tmp_path_factory.mktemp("scan"))
    dark = scan.darks.read().mean(axis=0)
    flat = scan.flats.read().mean(axis=0) - dark
    integrals = -np.log((scan.projections.read() - dark) / flat)
    center = setup.center_px(SHAPE[2])
    volume = fbp(integrals, scan.theta_deg, center, pixel_size_um=VOXEL_UM)
    slab = cell.slab(0, SHAPE[0])
    return slab.labels, slab.mu, volume


@pytest.mark.parametrize(
    "label",
    [Label.LITHIUM, Label.ELECTROLYTE, Label.ACTIVE_MATERIAL, Label.STEEL, Label.COLLECTOR],
)
def test_inside_of_every_material_attenuation_is_right(scanned, label):
    labels, mu, volume = scanned
    inside = binary_erosion(labels == label, iterations=4, border_value=1)
    assert inside.sum() > 50
    largest = np.mean([mu[z].max() for z in np.flatnonzero(inside.any(axis=(1, 2)))])
    bias = (volume - mu)[inside].mean()
    assert abs(bias) <= max(0.005 * mu[inside].mean(), 1e-4 * largest)


def test_nothing_is_left_beside_the_tube(scanned):
    labels, _, volume = scanned
    y, x = np.indices(SHAPE[1:]) - (SHAPE[1] - 1) / 2
    beside = (labels == Label.OUTSIDE) & (np.hypot(y, x) < SHAPE[1] / 2 - 1)
    assert abs(np.median(volume[beside])) < 0.1
