"""The steps histograms and depth_histogram: on the electrolyte's scale, with a pristine cell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from tests.parallel.pickling import Pickling
from xct.analyze import (
    BoxRoi,
    LineRoi,
    SectorRoi,
    count_planes,
    depth_histogram,
    histograms,
    plane_transmission,
)
from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import count_rois
from xct.analyze.roi.grey_statistics import Known, statistics_of
from xct.analyze.roi.lines import line_tables, profiles_figure
from xct.errors import XctError
from xct.geometry import CellGeometry, Plane
from xct.normalize import grey_values
from xct.parallel.executors import executed_by
from xct.stages import STAGES

SHAPE = (60, 64, 64)
CELL = CellGeometry(
    SHAPE, (2.0, 2.0, 2.0), 63.0, 63.0, 60.0, planes={"lithium_electrolyte": Plane(20.0)}
)
ROIS = [
    BoxRoi("E-1", "lithium_electrolyte", (10, 40), (-30, 0), (-30, 30)),
    BoxRoi("E-2", "lithium_electrolyte", (10, 40), (0, 30), (-30, 30)),
    SectorRoi("ring", "lithium_electrolyte", (10, 90), (10, 40)),
]


class Drifting:
    """An electrolyte of 5 1/cm whose reading rises by a tenth from slice to slice 60."""

    noise_per_cm = np.full(60, 0.3, np.float32)
    peak_per_cm = 5.25
    air, per_cm, mu_known = 0.0, 1.0, True

    def mu_per_cm(self, z_um, r_um):
        return 5 * (1 + np.asarray(z_um) / 1200) + 0 * np.asarray(r_um)


def volume_of(seed=0, tail=0.0):
    rng = np.random.default_rng(seed)
    mu = 5 + 0.3 * rng.normal(size=SHAPE)
    if tail:
        mu[rng.random(SHAPE) < tail] = 0.1
    return (mu * (1 + np.arange(60) * 2 / 1200)[:, None, None]).astype(np.float32)


def test_grey_values_are_on_the_scale_of_the_electrolyte_at_every_depth():
    measured = histograms(volume_of(), CELL, Drifting(), ROIS, resamples=40)
    table = measured["grey_statistics"].set_index("roi")
    np.testing.assert_allclose(table["peak"], 22_100, atol=12)
    np.testing.assert_allclose(table["sd"], 2100 * 0.3 / 5, rtol=0.03)
    assert (table["tail_fraction"] < 0.004).all()
    assert measured["homogeneity"]["group"].tolist() == ["E"]
    assert measured["homogeneity"]["p_value"].iloc[0] > 0.02
    counts = measured["histograms"].groupby("roi")["count"].sum()
    assert counts["E-1"] == 15 * 15 * 30
    assert {"shift", "wasserstein"}.isdisjoint(table.columns)


def test_lines_are_measured_as_profiles_with_their_edges():
    volume = volume_of()
    step = gaussian_filter(5.0 * (np.arange(60) >= 40), 1.5)  # half of it at slice 39.5, 79 µm
    volume += step.astype(np.float32)[:, None, None]
    lines = [
        LineRoi("L-1", "lithium_electrolyte", (20, 0, 0), (90, 0, 0), 12.0),
        LineRoi("L-2", None, (30, 20, -20), (60, 20, 20), 12.0),  # within the electrolyte
    ]
    measured = histograms(volume, CELL, Drifting(), [*ROIS[:1], *lines], resamples=20)
    profiles, edges = measured["roi_profiles"], measured["roi_edges"]
    assert set(profiles["roi"]) == {"L-1", "L-2"}
    [edge] = edges.to_dict("records")
    assert edge["roi"] == "L-1"
    truth = 79.0 - 40.0  # from the line's start, 20 µm below a surface at 20 µm
    assert edge["position_um"] == pytest.approx(truth, abs=4 * edge["position_um_sd"] + 0.1)
    assert edge["step"] == pytest.approx(2100 * 5 / (5 * (1 + 80 / 1200)), rel=0.05)
    figure = profiles_figure(measured)
    assert [axis.get_title() for axis in figure.axes] == ["L-1", "L-2"]
    without = histograms(volume, CELL, Drifting(), ROIS[:1], resamples=20)
    assert {"roi_profiles", "roi_edges"}.isdisjoint(without)
    assert profiles_figure(without) is None


def test_a_line_that_cannot_be_followed_is_left_out_and_said():
    far = LineRoi("far", None, (5000, 0, 0), (5100, 0, 0), 10.0)
    good = LineRoi("good", None, (30, 0, 0), (60, 0, 0), 10.0)
    with pytest.warns(UserWarning, match="no profile along far: the line lies outside"):
        tables = line_tables(volume_of(), CELL, [far, good])
    assert set(tables["roi_profiles"]["roi"]) == {"good"}


def test_a_tail_and_the_way_from_the_pristine_cell_are_measured():
    before = histograms(volume_of(), CELL, Drifting(), ROIS, resamples=40)
    grey = grey_values(volume_of(), Drifting(), CELL)
    tables = {"histograms": before["histograms"]}
    pristine = SimpleNamespace(tables=tables, cell=CELL, surfaces={}, grey_values=grey)
    after = histograms(volume_of(1, tail=0.03), CELL, Drifting(), ROIS, pristine, resamples=40)
    changes = after["roi_changes"].set_index("roi")
    np.testing.assert_allclose(changes["tail_change"], 0.03, atol=0.005)
    assert after["roi_test"]["p_value"].iloc[0] < 0.05
    for row in after["grey_statistics"].to_dict("records"):
        assert row["tail_fraction"] == pytest.approx(0.031, abs=0.005)
        assert abs(row["tail_fraction"] - 0.031) < 4 * row["tail_fraction_sd"]
        assert row["tail_fraction_low"] < row["tail_fraction"] < row["tail_fraction_high"]
        assert row["wasserstein"] == pytest.approx(0.03 * 2060, rel=0.2)
        assert row["shift"] == pytest.approx(-0.03 * 2060, rel=0.2)
        assert row["model"] in ("two", "mixture")
        assert row["peak"] == pytest.approx(22_100, abs=15)


def test_a_pristine_cell_without_its_volume_is_not_compared_and_that_is_said():
    class Gone:
        tables, cell, surfaces = {}, CELL, {}

        @property
        def grey_values(self):
            raise XctError("out/ncm_0: holds no volume.zarr")

    with pytest.warns(UserWarning, match="not compared.*no volume.zarr.*keep its volume.zarr"):
        after = histograms(volume_of(), CELL, Drifting(), ROIS[:1], Gone(), resamples=20)
    assert "roi_test" not in after


def test_the_tail_in_the_cathode_is_counted_with_the_noise_of_the_electrolyte():
    planes = {"lithium_electrolyte": Plane(10.0), "electrolyte_cathode": Plane(60.0)}
    cell = CellGeometry(SHAPE, (2.0, 2.0, 2.0), 63.0, 63.0, 60.0, planes=planes)
    reference = Drifting()
    reference.noise_per_cm = np.where(np.arange(60) < 30, 0.3, 1.5).astype(np.float32)
    roi = BoxRoi("C-1", "electrolyte_cathode", (5, 50), (-30, 30), (-30, 30))
    measured = histograms(volume_of(1, tail=0.03), cell, reference, [roi], resamples=40)
    # Air is 2,016 below. Three times the noise is 378; by the scatter it were 1,890.
    row = measured["grey_statistics"].iloc[0]
    assert row["tail_fraction"] == pytest.approx(0.031, abs=0.005)


def test_the_uncertainty_of_pure_material_is_as_large_as_the_error_of_the_model():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(64.0)] * 3, indexing="ij"))
    inside = np.zeros(grid.shape[1:], bool)
    for center in rng.uniform(0, 64, (400, 3)):
        inside |= ((grid - center[:, None, None, None]) ** 2).sum(axis=0) < 3.5**2
    picture = gaussian_filter(np.where(inside, 38_200.0, 22_100.0), 0.65)
    picture += 450 * rng.normal(size=inside.shape)
    cell = CellGeometry((64,) * 3, (2.0,) * 3, 63.0, 63.0, 63.0)
    roi = BoxRoi("C-1", None, (-1, 127), (-64, 64), (-64, 64))
    bins = GreyBins(10_000, 60_000, 500)
    counts = count_rois(picture, cell, [roi], bins)[0]
    row = statistics_of(counts, bins, Known(22_100, 450, scatter=1850), resamples=30, seed=0)
    assert row["model"] == "mixture"
    plain = statistics_of(counts, bins, Known(22_100, 1850), resamples=30, seed=0)
    assert plain["model_b"] == row["model_b"] < 37_500  # far too low, and yet
    assert plain["model_b_high"] < 37_500  # chance alone would be sure of it
    assert abs(row["model_b"] - 38_200) < 2 * row["model_b_sd"]
    assert row["model_b_high"] == pytest.approx(38_200, abs=200)


def test_a_pristine_cell_in_other_bins_is_not_compared():
    before = histograms(volume_of(), CELL, Drifting(), ROIS, resamples=40, bins=300)
    grey = grey_values(volume_of(), Drifting(), CELL)
    tables = {"histograms": before["histograms"]}
    pristine = SimpleNamespace(tables=tables, cell=CELL, surfaces={}, grey_values=grey)
    after = histograms(volume_of(1), CELL, Drifting(), ROIS, pristine, resamples=40)
    assert "wasserstein" not in after["grey_statistics"].columns


def test_the_depth_histogram_is_flat_where_the_electrolyte_is():
    counts = depth_histogram(volume_of(), CELL, Drifting()).depth_histogram
    assert counts.shape == (60, 700)
    mean = (counts * counts.grey_value).sum("grey_value") / counts.sum("grey_value")
    np.testing.assert_allclose(mean, 22_100, atol=12)


@pytest.mark.parametrize("rows", [1, 16, 23])
def test_one_pass_gives_the_depth_histogram_and_the_transmission_of_planes(rows):
    volume, bins = volume_of(), GreyBins(10_000, 80_000, 700)
    volume[7, 30] = np.nan
    with executed_by(Pickling()):
        counted = count_planes(volume, CELL, Drifting(), bins, margin_um=5.0, rows=rows)
        alone = plane_transmission(volume, CELL, rows=rows)
    whole = depth_histogram(volume, CELL, Drifting())
    np.testing.assert_array_equal(counted.depth_histogram, whole.depth_histogram)
    pd.testing.assert_frame_equal(counted.plane_transmission, whole.plane_transmission)
    pd.testing.assert_frame_equal(alone, whole.plane_transmission)


def test_the_range_the_bins_and_the_margin_of_the_depth_histogram_are_settings():
    counts = depth_histogram(
        volume_of(), CELL, Drifting(), low=21_000, high=23_000, bins=20, margin_um=40.0
    ).depth_histogram
    np.testing.assert_allclose(counts.grey_value, np.arange(21_050, 23_000, 100))
    assert (counts.sum("grey_value") == CELL.in_bore(0, 40.0).sum()).all()


def test_the_bins_the_blocks_and_the_chance_of_histograms_are_settings():
    volume = volume_of()
    given = {"low": 15_000.0, "high": 30_000.0, "bins": 300, "resamples": 40}
    wide = histograms(volume, CELL, Drifting(), ROIS[:1], **given, block_um=20.0)
    fine = histograms(volume, CELL, Drifting(), ROIS[:1], **given, block_um=10.0)
    other = histograms(volume, CELL, Drifting(), ROIS[:1], **given, block_um=10.0, seed=1)
    np.testing.assert_allclose(wide["histograms"]["grey_value"], np.arange(15_025, 30_000, 50))
    assert wide["grey_statistics"]["blocks"].iloc[0] < fine["grey_statistics"]["blocks"].iloc[0]
    one, two = (some["grey_statistics"].iloc[0] for some in (fine, other))
    assert one["mean"] == two["mean"]
    assert one["mean_sd"] != two["mean_sd"]


def test_both_are_steps_that_measure():
    assert STAGES["histograms"].measures
    assert STAGES["histograms"].needs == ("volume", "cell", "reference", "rois")
    assert STAGES["depth_histogram"].needs == ("volume", "cell", "reference")
    assert STAGES["histograms"].settings().bins == 1000
    assert STAGES["depth_histogram"].settings().bins == 700


def test_a_roi_without_values_has_no_row():
    volume = volume_of()
    volume[:, :32] = np.nan
    measured = histograms(volume, CELL, Drifting(), ROIS, resamples=40)
    table = measured["grey_statistics"]
    assert table["roi"].tolist() == ["E-2", "ring"]
    assert table["missing"].gt(0).tolist() == [False, True]
    assert len(measured["homogeneity"]) == 0
    assert measured["histograms"].groupby("roi")["count"].sum()["E-1"] == 0
