"""A real cylindrical cell, whose layers are not those of a tomo-cell, is measured all the same."""

import numpy as np
import pytest
import tifffile

from xct.analyze import (
    GreyBins,
    SectorRoi,
    count_rois,
    count_slices,
    homogeneity,
    profile_edges,
    profile_of_roi,
    roi_from_box,
    roi_from_line,
    statistics_table,
)
from xct.geometry import CellGeometry

VOXEL_UM = 33.97
BINS = GreyBins(-0.5, 255.5, 256)


@pytest.fixture(scope="module")
def can(test_data):
    volume = tifffile.imread(test_data("cell_cylindrical_grey") / "cell_vol_061_100.tif")
    cell = CellGeometry(volume.shape, (VOXEL_UM,) * 3, 379 * VOXEL_UM, 366.5 * VOXEL_UM, 10_300.0)
    return volume, cell


@pytest.mark.parametrize("direction", [(0.0, 1.0), (1.0, 0.0), (0.6, 0.8), (-0.6, 0.8)])
def test_the_can_is_as_wide_as_published_in_every_direction(can, direction):
    volume, cell = can
    half = 360 * np.array([0, *direction])
    middle = np.array([20, 379, 366.5])
    line = roi_from_line(cell, "across", middle - half, middle + half, 5 * VOXEL_UM, None)
    edges = profile_edges(profile_of_roi(volume, cell, line))
    strong = edges[edges["step"].abs() > 100]["position_um"]
    assert strong.iloc[-1] - strong.iloc[0] == pytest.approx(21_200, abs=60)
    assert len(edges) > 40  # the layers of the winding


def test_histograms_profiles_and_depth_run_to_the_end(can):
    volume, cell = can
    rois = [
        roi_from_box(cell, "B-1", (slice(0, 40), slice(200, 300), slice(300, 400)), None),
        *[SectorRoi(f"S-{k + 1}", None, (0, 1300), (3000, 9000), (90 * k, 90 * k + 90))
          for k in range(4)],
    ]  # fmt: skip
    counted = count_rois(volume, cell, rois, BINS, block_um=800)
    assert counted[0].total.sum() == 40 * 100 * 100
    box = volume[:, 200:300, 300:400]
    np.testing.assert_array_equal(counted[0].total, np.bincount(box.ravel(), minlength=256))
    table = statistics_table(counted, BINS, resamples=50)
    assert np.isfinite(table[["peak", "mean", "mean_sd", "model_a", "model_b"]]).all(axis=None)
    assert homogeneity(counted, BINS, draws=100)["group"].tolist() == ["S"]
    depth = count_slices(volume, cell, BINS)
    assert depth.shape == (40, 256)
