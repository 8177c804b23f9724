"""Gridding against the sum that it replaces, and the sorting of its samples."""

import numpy as np
import pytest

from xct.parallel.kernels import njit
from xct.reconstruct.gridding.polar import (
    STEPS,
    WIDTH,
    geometry,
    grid_cells,
    kernel_transform,
    locate,
    split,
    spreading_kernel,
)
from xct.reconstruct.gridding.spectra import blend_factors, edge_columns, pad
from xct.reconstruct.gridding.transform import grid_spectra, transform_grid, write_slices


def slow_sum(spectra, theta_deg, size):
    """Sum of all polar samples at every pixel, without a grid."""
    length = spectra.shape[1]
    k = np.fft.fftfreq(length, 1 / length)
    theta = np.deg2rad(theta_deg)
    place = np.arange(size) - size // 2
    picture = np.zeros((size, size), dtype=complex)
    for t, line in zip(theta, spectra, strict=True):
        x = np.exp(2j * np.pi * place[:, None] * k * np.cos(t) / length)
        y = np.exp(-2j * np.pi * place[:, None] * k * np.sin(t) / length)
        picture += (y * line) @ x.T
    return picture


@pytest.mark.parametrize("size", [9, 24, 33, 100])
@pytest.mark.parametrize("pairs", [1, 8])
def test_gridding_is_the_sum_of_all_samples(size, pairs):
    rng = np.random.default_rng(size)
    theta = rng.uniform(0, 360, 23)
    length = 2 * size
    spectra = rng.normal(size=(23, length, 2 * pairs)).astype(np.float32).view(np.complex64)
    spectra[:, length // 2] = 0
    places = geometry(theta, length, grid_cells(size), length // 2 - 1)
    centered = np.fft.fftshift(spectra, axes=1)[:, 1:].copy().view(np.float32)
    grid = np.full((grid_cells(size), grid_cells(size), 2 * pairs), np.nan, dtype=np.float32)
    grid_spectra(centered, places, grid)
    volume = np.empty((2 * pairs, size, size), dtype=np.float32)
    transform_grid(grid, size)
    write_slices(grid, np.full(2 * pairs, 2.0 * size), 1.0, volume)
    expected = slow_sum(spectra[:, :, -1], theta, size)
    scale = np.sqrt(np.mean(abs(expected) ** 2))
    assert np.sqrt(np.mean((volume[-2] - expected.real) ** 2)) < 3e-3 * scale
    assert np.sqrt(np.mean((volume[-1] - expected.imag) ** 2)) < 3e-3 * scale


@pytest.mark.parametrize("cells", [40, 64, 150])
def test_every_sample_is_in_one_run_of_its_own_tile(cells):
    places = geometry(np.linspace(0, 180, 17), 80, cells, 39)
    tiles = places.edges.size - 1
    seen = []
    for tile in range(tiles * tiles):
        for angle, first, stop in places.runs[places.start[tile] : places.start[tile + 1]]:
            for k in range(first, stop):
                y, _ = split(locate(k, places.step[angle, 1], cells, 0))
                x, _ = split(locate(k, places.step[angle, 0], cells, 0))
                assert places.edges[tile // tiles] <= y < places.edges[tile // tiles + 1]
                assert places.edges[tile % tiles] <= x < places.edges[tile % tiles + 1]
                seen.append((angle, k))
    assert len(seen) == len(set(seen)) == 17 * 79


@njit(fastmath=True)
def count_strays(edges, start, runs, step, cells):
    tiles, strays = edges.size - 1, 0
    for tile in range(tiles * tiles):
        row, column = tile // tiles, tile % tiles
        for run in range(start[tile], start[tile + 1]):
            for k in range(runs[run, 1], runs[run, 2]):
                x, at_x = split(locate(k, step[runs[run, 0], 0], cells, 0))
                y, at_y = split(locate(k, step[runs[run, 0], 1], cells, 0))
                strays += not (edges[column] <= x < edges[column + 1])
                strays += not (edges[row] <= y < edges[row + 1])
                strays += not (0 <= at_x <= STEPS and 0 <= at_y <= STEPS)
    return strays


@pytest.mark.parametrize(("length", "cells"), [(4096, 3200), (1600, 1280), (410, 320)])
def test_samples_on_the_border_of_tiles_stay_in_theirs_in_compiled_code(length, cells):
    # At 30° and 150° whole multiples of the step fall exactly on the border of a cell.
    theta = np.linspace(0, 180, 240, endpoint=False)
    places = geometry(theta, length, cells, length // 2 - 1)
    assert count_strays(places.edges, places.start, places.runs, places.step, cells) == 0


@pytest.mark.parametrize("cells", [40, 150, 400])
def test_tiles_of_one_color_do_not_touch(cells):
    places = geometry(np.array([0.0]), 80, cells, 39)
    tiles = places.edges.size - 1
    assert sorted(places.order.ravel()) == list(range(tiles * tiles))
    for color in places.order:
        count = np.zeros((cells, cells), dtype=int)
        for tile in color:
            y = np.arange(places.edges[tile // tiles], places.edges[tile // tiles + 1] + WIDTH - 1)
            x = np.arange(places.edges[tile % tiles], places.edges[tile % tiles + 1] + WIDTH - 1)
            count[np.ix_(y % cells, x % cells)] += 1
        assert count.max() == 1


def test_the_geometry_of_a_scan_is_made_once():
    theta = np.linspace(0, 180, 9)
    assert geometry(theta, 20, 40, 9) is geometry(theta.copy(), 20, 40, 9)
    assert geometry(theta, 20, 40, 9) is not geometry(theta, 20, 40, 8)


def test_the_transform_of_the_kernel_is_its_integral():
    fine = np.linspace(-WIDTH / 2, WIDTH / 2, 200_001)
    for position in (0.0, 7.0, -20.0):
        wave = np.cos(2 * np.pi * fine * position / 50)
        expected = np.trapezoid(spreading_kernel(fine) * wave, fine)
        np.testing.assert_allclose(kernel_transform(np.array([position]), 50), expected, rtol=1e-4)


def padded(rows, length, lanes):
    out = np.full(length * lanes, np.nan, dtype=np.float32)
    columns = rows.shape[1]
    pad(rows, blend_factors(columns, length), edge_columns(columns), (0,) * lanes, out)
    return out.reshape(length, lanes)


def test_padding_leads_from_one_edge_to_the_other():
    row = np.linspace(3, 5, 64, dtype=np.float32)
    line = padded(row[None], 120, 2)[:, 0]
    edge = edge_columns(64)
    np.testing.assert_array_equal(line[:64], row)
    assert line[64] == pytest.approx(row[-edge:].mean(), abs=0.01)
    assert line[-1] == pytest.approx(row[:edge].mean(), abs=0.01)
    assert (np.diff(line[64:]) < 0).all()


@pytest.mark.parametrize("columns", [8, 16, 21])
def test_rows_are_put_side_by_side(columns):
    rows = np.random.default_rng(0).random((16, columns), dtype=np.float32)
    np.testing.assert_array_equal(padded(rows, 40, 16)[:columns], rows.T)


def test_lanes_without_a_row_are_zero():
    assert (padded(np.ones((1, 8), dtype=np.float32), 16, 4)[:, 1:] == 0).all()
