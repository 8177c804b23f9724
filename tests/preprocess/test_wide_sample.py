"""A sample wider than the view is told, and the bound of what that does to μ holds."""

import numpy as np
import pytest

from xct.phantom.discs import draw_discs, project_discs, random_discs
from xct.preprocess.frames.beside import light_beside
from xct.preprocess.frames.wide_sample import axis_lies, wide_message, wide_number, wide_sample
from xct.reconstruct import fbp

COLUMNS, ROWS = 128, 16
THETA = np.linspace(0, 180, 120)


def coarse(radius_px, light=1.0, wide_rows=ROWS):
    """Coarse transmission of a disc (line integral 1.2 in its middle), and its line integrals."""
    discs = np.array([[1.0, -2.0, radius_px, 0.6 / radius_px]])
    seen = project_discs(discs, THETA, COLUMNS, 63.5)
    narrow = project_discs(np.array([[0.0, 0.0, 40.0, 0.015]]), THETA, COLUMNS, 63.5)
    rows = [seen if row < wide_rows else narrow for row in range(ROWS)]
    stack = np.stack(rows, axis=1) + np.random.default_rng(0).normal(0, 0.005, (ROWS, COLUMNS))
    cells = np.exp(-stack).reshape(len(THETA), ROWS, 64, 2).mean(axis=3) * light
    return cells, seen, discs


def found_in(cells, turn_deg=180.0):
    return wide_sample(cells, light_beside(cells), (ROWS, COLUMNS), turn_deg)


@pytest.mark.parametrize("radius_px", [30, 55])
@pytest.mark.parametrize("light", [1.0, 0.66, 1.4])
def test_a_sample_in_view_is_not_called_wide(radius_px, light):
    assert found_in(coarse(radius_px, light)[0]) is None


def test_a_beam_that_fades_is_no_sample():
    assert found_in(coarse(50)[0] * np.linspace(1, 0.8, len(THETA))[:, None, None]) is None


@pytest.mark.parametrize("radius_px", [66, 80, 130, 300, 800])
def test_the_offset_of_a_wide_sample_is_within_its_bound(radius_px):
    cells, seen, discs = coarse(radius_px)
    wide = found_in(cells)
    assert wide is not None
    found = fbp(seen[:, None], THETA, 63.5, pixel_size_um=1e4)[0]
    truth = draw_discs(discs, COLUMNS)
    y, x = np.ogrid[:COLUMNS, :COLUMNS]
    inner = np.hypot(y - 63.5, x - 63.5) < COLUMNS / 4
    error = np.abs((found - truth)[inner].mean())
    assert error < wide.offset_per_cm(1e4)
    assert error > 0.05 * wide.offset_per_cm(1e4) or radius_px == 130  # where signs change


def test_rows_that_are_wide_are_named_with_the_bound():
    wide = found_in(coarse(100, wide_rows=3)[0])
    assert wide.rows == (0, 1, 2)
    message = wide_message(wide, 2.0)
    assert "rows such as 0–2" in message
    assert f"±{wide.offset_per_cm(2.0):.2g} 1/cm" in message
    assert wide_number(wide, 2.0).bound == "upper"


def test_a_half_acquisition_is_not_called_wide():
    cells = coarse(60)[0][:, :, 24:]  # the view ends within the sample, at one side
    assert wide_sample(cells, None, (ROWS, 80), 360.0) is None
    assert wide_sample(cells, None, (ROWS, 80), 180.0) is not None


@pytest.mark.parametrize("turned", [False, True])
def test_an_axis_that_lies_along_the_rows_is_seen_by_what_they_take(turned):
    discs = [random_discs(12, 90, seed=row) for row in range(ROWS)]
    seen = np.stack([project_discs(each, THETA, COLUMNS, 61.0) for each in discs], axis=1)
    transmission = np.exp(-seen / seen.max())
    if turned:  # some of its rows, and cells of columns
        transmission = transmission.swapaxes(1, 2)[:, 4::8]
    assert axis_lies(transmission) == turned
