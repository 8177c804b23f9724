"""Charts of the report: what they show is what was counted, at the place that they name."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from xct.analyze.grey_counts import GreyBins
from xct.errors import XctError
from xct.study.histogram_charts import depth_chart, roi_chart


def cell(name, *, sign=1, face_um=50.0, counts=None, is_pristine=False):
    """Make a cell whose face lies at a height, with counts by depth."""

    def quantity(_):
        if counts is None:
            raise XctError("not made")
        return counts

    geometry = SimpleNamespace(
        sign=sign, planes={"electrolyte_cathode": SimpleNamespace(height_um=face_um)}
    )
    return SimpleNamespace(
        name=name, geometry=geometry, is_pristine=is_pristine,
        result=SimpleNamespace(quantity=quantity),
    )  # fmt: skip


def by_depth(bright_from_um, *, first=10_000.0, brighter=True):
    """Count 100 voxels a slice: at 22,100 up to a height, from there at 38,100."""
    z = np.arange(0.0, 100.0, 2.0)
    grey = first + 100 * np.arange(700) + 50
    counts = np.zeros((len(z), len(grey)), int)
    bright = (z >= bright_from_um) == brighter
    counts[np.arange(len(z)), np.where(bright, 281, 121)] = 100
    return xr.DataArray(counts, {"z_um": z, "grey_value": grey}, ("z_um", "grey_value"))


def peak(chart, place, number):
    curve = chart.places[place][number]
    assert curve.sum() == pytest.approx(100)
    return chart.first + chart.step * int(np.argmax(curve))


def test_depth_counts_from_the_cathodes_face_whichever_way_the_cell_lay():
    upright = cell("a", face_um=50.0, counts=by_depth(50.0), is_pristine=True)
    turned = cell("b", sign=-1, face_um=40.0, counts=by_depth(41.0, brighter=False))
    chart = depth_chart([upright, turned])
    assert list(chart.series) == ["a", "b"]
    assert list(chart.dashed) == [True, False]
    names = list(chart.places)
    assert names[chart.begin].startswith("0 to ")
    before = names[chart.begin - 1]
    assert before.startswith("−")
    for number in (0, 1):
        assert abs(peak(chart, names[chart.begin], number) - 38_150) <= 100
        assert abs(peak(chart, before, number) - 22_150) <= 100


def test_a_cell_that_has_no_slices_at_a_depth_has_no_curve_there():
    high = cell("a", face_um=90.0, counts=by_depth(50.0))
    low = cell("b", face_um=10.0, counts=by_depth(50.0))
    chart = depth_chart([high, low])
    first, *_, last = chart.places
    assert chart.places[first][1] is None
    assert chart.places[last][0] is None


def test_a_cell_without_counts_or_with_other_bins_is_left_out():
    one = cell("a", counts=by_depth(50.0))
    other = cell("b", counts=by_depth(50.0, first=11_000.0))
    chart = depth_chart([cell("c"), one, other])
    assert list(chart.series) == ["a"]
    assert depth_chart([cell("c")]) is None


def test_a_region_shows_the_percent_of_its_voxels_and_nothing_where_it_was_left_out():
    counts = np.zeros(GreyBins().count)
    counts[[0, 240, 241, 250, -1]] = [5, 30, 10, 50, 5]  # what lies beyond the bins counts, too
    grey = [
        SimpleNamespace(cell=SimpleNamespace(name="a", is_pristine=True), counts={"C-1": counts}),
        SimpleNamespace(cell=SimpleNamespace(name="b", is_pristine=False), counts={"E-1": counts}),
    ]
    chart = roi_chart(grey)
    assert list(chart.places) == ["C-1", "E-1"]
    assert chart.places["C-1"][1] is None
    curve = chart.places["C-1"][0]
    assert curve[0] == pytest.approx(40)  # bins 240 and 241
    assert curve[-1] == pytest.approx(50)
    assert chart.first == pytest.approx(22_050)
    assert chart.step == 100
    assert roi_chart([]) is None
