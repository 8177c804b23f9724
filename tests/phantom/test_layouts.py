"""Virtual scans in every layout: read back, they are the same scan."""

import numpy as np
import pytest

from tests.phantom.samples import Cylinder
from xct.errors import XctError
from xct.io.scans.reading import read_scan
from xct.phantom.scan.layouts import LAYOUTS, write_layout
from xct.phantom.scan.setup import Setup
from xct.phantom.scan.virtual_scan import virtual_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    setup = Setup(angles=12, seed=3, distance_mm=40.0)
    return virtual_scan(Cylinder(shape=(8, 24, 24)), setup, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module", params=LAYOUTS)
def read_back(request, scan, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, read_scan(write_layout(scan, folder, "ncm-0", request.param))


def test_counts_are_the_same(scan, read_back):
    assert read_back[1].layout == read_back[0]
    assert read_back[1].projections.dtype == np.uint16
    for kind in ("projections", "flats", "darks"):
        np.testing.assert_array_equal(
            getattr(read_back[1], kind).read(), getattr(scan, kind).read(), kind
        )


def test_angles_and_the_order_of_frames_are_the_same(scan, read_back):
    found = read_back[1]
    np.testing.assert_allclose(found.theta_deg, scan.theta_deg, atol=1e-6)
    wanted = np.argsort(np.concatenate([scan.projection_time, scan.flat_time]))
    order = np.argsort(np.concatenate([found.projection_time, found.flat_time]))
    np.testing.assert_array_equal(order, wanted)


def test_facts_are_kept_where_the_layout_has_a_place_for_them(scan, read_back):
    layout, found = read_back
    if layout == "tiff":
        assert found.energy_kev is found.pixel_size_um is None
        return
    assert found.energy_kev == pytest.approx(scan.energy_kev)
    assert found.pixel_size_um == pytest.approx(scan.pixel_size_um)
    assert found.distance_mm == pytest.approx(scan.distance_mm)
    if layout != "dxchange":
        np.testing.assert_allclose(found.projection_dose, scan.projection_dose, rtol=1e-6)
        np.testing.assert_allclose(found.flat_dose, scan.flat_dose, rtol=1e-6)


def test_nothing_is_remarked_on(read_back):
    assert read_back[1].notes == ()


def test_an_unknown_layout_is_refused(scan, tmp_path):
    with pytest.raises(XctError, match="'edf' is not known; expected one of dxchange, nxtomo"):
        write_layout(scan, tmp_path, "a", "edf")
