import numpy as np
import pytest
from skimage.transform import iradon

from tests.segment.layered import FlatReference
from xct.geometry import CellGeometry
from xct.normalize.grey_scale import Ratios
from xct.segment.material.columns import Columns
from xct.segment.surface.steel_behind import find_back

SHAPE = (32, 96, 96)
AXIS, BORE = 48, 44.0  # voxels
STEEL, SHEET = 100.0, 5.0  # 1/cm
OPAQUE_UM, CLEAR_UM = 10.0, 0.1  # voxels of bodies that let 0.02 % and 92 % of light through
FACES = (17.8, 18.05, 18.3, 18.55)  # slices from the anode's side, all over a voxel


def seen_by_light(face, voxel_um):
    """Reconstruct a round collector with steel behind it, light being blurred before its log."""
    across = np.arange(SHAPE[1]) - AXIS
    chord_cm = 2 * np.sqrt(np.maximum(BORE**2 - across**2, 0)) * voxel_um * 1e-4
    rows = np.arange(-8, SHAPE[0] + 8)
    mu = SHEET + (STEEL - SHEET) * np.clip(rows + 0.5 - face, 0, 1)
    light = np.exp(-chord_cm[:, None] * mu)
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 0.5) ** 2)
    blurred = np.stack([np.convolve(row, kernel / kernel.sum(), "same") for row in light])
    rays = -np.log(blurred[:, 8:-8]) / (voxel_um * 1e-4)
    theta = np.arange(0, 180, 6)
    slices = [iradon(np.repeat(row[:, None], theta.size, 1), theta) for row in rays.T]
    return np.array(slices, np.float32)


def found(mu, voxel_um, anode="low_z"):
    """Find the back, in slices from the anode's side."""
    axis_um = AXIS * voxel_um
    cell = CellGeometry(SHAPE, (voxel_um,) * 3, axis_um, axis_um, BORE * voxel_um, anode=anode)
    first = 0.0 if anode == "low_z" else 1.0 - SHAPE[0]  # height of the anode's end
    level = np.full(SHAPE[1:], first + 8, np.float32)
    columns = Columns(level, level, level, level, cell.sign, np.zeros_like(level))
    back = find_back(Ratios(mu[:: cell.sign], cell, FlatReference()), columns) - first
    return back[cell.in_bore(0, 5 * voxel_um)]


@pytest.mark.parametrize("anode", ["low_z", "high_z"])
def test_the_back_of_the_collector_is_where_steel_begins(anode):
    error = [found(seen_by_light(z, OPAQUE_UM), OPAQUE_UM, anode).mean() - z for z in FACES]
    assert abs(np.mean(error)) < 0.1
    assert np.abs(error).max() < 0.3  # where in a voxel it lies is hardly known


def test_a_face_that_light_comes_through_is_where_it_seems_to_be():
    for face in FACES[:2]:
        back = found(seen_by_light(face, CLEAR_UM), CLEAR_UM)
        assert np.abs(back - face).max() < 0.15


def test_where_no_steel_is_in_view_the_collector_has_no_back():
    assert np.all(np.isinf(found(np.full(SHAPE, SHEET, np.float32), OPAQUE_UM)))
