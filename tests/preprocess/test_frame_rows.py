"""Rows of single frames that are no good are found and mended, and good ones are not."""

import numpy as np
import pytest

from tests.scans import counts, line_integrals
from xct.preprocess.frames.rows import coarse_rows, mend_rows

ANGLES, ROWS, COLUMNS = 90, 5, 192
BAND = slice(2, 4)


@pytest.fixture(scope="module", params=[11, 12])
def scan(request):
    """Projections, flats and darks of discs in air, in a beam with a profile."""
    profile = 1 + 0.3 * np.sin(np.arange(COLUMNS) / 17 + request.param)
    made = []
    for number, (count, depth) in enumerate(((ANGLES, None), (8, 0.0), (6, 50.0))):
        shape = (count, ROWS, COLUMNS)
        integrals = line_integrals(ROWS, COLUMNS, ANGLES) if depth is None else None
        seen = counts(
            np.full(shape, depth) if integrals is None else integrals, seed=request.param + number
        )
        made.append(np.rint((seen.astype(float) - 100) * profile + 100).astype(np.uint16))
    return made


def found(projections, flats, darks):
    *mended, bad = mend_rows(projections, flats, darks)
    return mended, {
        (b.kind, b.mended): set(zip(b.frames.tolist(), b.rows.tolist(), strict=True)) for b in bad
    }


def in_band(*frames):
    return {(frame, row) for frame in frames for row in (2, 3)}


def test_a_plain_scan_is_given_back_as_it_is(scan):
    mended, bad = found(*scan)
    assert bad == {}
    assert all(a is b for a, b in zip(mended, scan, strict=True))


def test_a_row_that_is_dead_in_all_frames_is_no_fault_of_single_ones(scan):
    dead = [part.copy() for part in scan]
    for part in dead:
        part[:, 3] = 100
    assert found(*dead)[1] == {}


def dropped(part, scan):
    part[40, BAND] = 0


def saturated(part, scan):
    part[40, BAND] = 65535


def left_over(part, scan):
    part[40, BAND] = part[39, BAND]


def of_another_angle(part, scan):
    part[40, BAND] = part[75, BAND]


def dimmer(part, scan):
    part[40, BAND] = 100 + 0.8 * (part[40, BAND] - 100.0)


@pytest.mark.parametrize("fault", [dropped, saturated, left_over, of_another_angle, dimmer])
def test_a_band_of_one_frame_is_found_and_mended(scan, fault):
    projections, flats, darks = scan
    broken = projections.copy()
    fault(broken, scan)
    [mended, *_], bad = found(broken, flats, darks)
    assert bad == {("projections", True): in_band(40)}
    between = (projections[39, BAND].astype(float) + projections[41, BAND]) / 2
    np.testing.assert_allclose(mended[40, BAND], between, atol=0.5)
    same = np.ones(broken.shape, bool)
    same[40, BAND] = False
    np.testing.assert_array_equal(mended[same], projections[same])


def test_a_band_that_several_frames_lack_is_interpolated_across_them(scan):
    projections, flats, darks = scan
    broken = projections.copy()
    broken[40:43, BAND] = 0
    broken[0, BAND] = 0
    [mended, *_], bad = found(broken, flats, darks)
    assert bad == {("projections", True): in_band(0, 40, 41, 42)}
    ends = projections[39, BAND].astype(float), projections[43, BAND].astype(float)
    np.testing.assert_allclose(mended[41, BAND], sum(ends) / 2, atol=0.5)
    np.testing.assert_array_equal(mended[0, BAND], projections[1, BAND])


@pytest.mark.parametrize("depth", [0.0, 3.0, 6.0])
def test_zingers_are_no_bands_of_rows(scan, depth):
    """Not in rows either that let little light through."""
    flats, darks = counts(np.zeros((8, ROWS, COLUMNS)), seed=33), scan[2]
    integrals = line_integrals(ROWS, COLUMNS, ANGLES)
    broken = counts(integrals + depth, seed=31)
    rng = np.random.default_rng(32)
    struck = rng.integers(0, ANGLES, 40), rng.integers(0, ROWS, 40), rng.integers(0, COLUMNS, 40)
    broken[struck] = 65535
    broken[50, 2, 95:97] = 65535
    assert found(broken, flats, darks)[1] == {}


def test_rows_that_most_frames_lack_are_said_and_left(scan):
    projections, flats, darks = scan
    broken = projections.copy()
    broken[::5, BAND] = 0
    [same, *_], bad = found(broken, flats, darks)
    assert bad == {("projections", False): in_band(*range(0, ANGLES, 5))}
    assert same is broken


def test_bands_of_flats_and_darks_are_mended_by_the_others(scan):
    projections, flats, darks = scan
    broken, lit = flats.copy(), darks.copy()
    broken[3, BAND] = 0
    lit[2, BAND] = flats[0, BAND]
    [_, mended, dark], bad = found(projections, broken, lit)
    assert bad == {("flats", True): in_band(3), ("darks", True): in_band(2)}
    others = np.delete(flats, 3, axis=0)[:, BAND]
    np.testing.assert_allclose(mended[3, BAND], np.median(others, axis=0), atol=0.5)
    assert dark.max() <= darks.max()


def test_rows_are_judged_alone_so_that_no_cut_changes_them(scan):
    projections, flats, darks = scan
    broken = projections.copy()
    dropped(broken, scan)
    whole = mend_rows(broken, flats, darks)[0]
    pieces = [mend_rows(*(a[:, r : r + 1] for a in (broken, flats, darks)))[0] for r in range(ROWS)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


def test_cells_are_means_and_only_equal_rows_repeat(scan):
    frames = scan[0][:4].copy()
    frames[2, 1] = frames[1, 1]
    coarse = coarse_rows(frames)
    np.testing.assert_allclose(coarse.counts[..., 0], frames[..., :3].mean(axis=2), rtol=1e-6)
    assert coarse.repeated.sum() == 1
    assert coarse.repeated[2, 1]


@pytest.mark.parametrize("light", [30.0, 300.0])
def test_rows_at_the_edge_of_the_beam_are_kept(light):
    """There counts are few, and noise is as large as the light."""
    shape = (ANGLES, 3, COLUMNS)
    projections = counts(line_integrals(3, COLUMNS, ANGLES), beam=light, seed=5)
    flats = counts(np.zeros((8, *shape[1:])), beam=light, seed=6)
    darks = counts(np.full((6, *shape[1:]), 50.0), beam=light, seed=7)
    assert found(projections, flats, darks)[1] == {}


def test_a_sample_that_is_flat_and_seen_edge_on_is_no_fault():
    """Its transmission falls within a few angles, in all rows alike."""
    theta = np.linspace(-90, 90, 181)
    x = np.arange(COLUMNS) - COLUMNS / 2
    c, s = np.abs(np.cos(np.radians(theta))), np.abs(np.sin(np.radians(theta)))
    wide = (50 * c + 4 * s)[:, None]
    depth = np.where(np.abs(x) < wide, 0.02 * 400 / wide, 0)
    shape = (181, 3, COLUMNS)
    projections = counts(np.broadcast_to(depth[:, None], shape), seed=8)
    flats = counts(np.zeros((8, *shape[1:])), seed=9)
    darks = counts(np.full((6, *shape[1:]), 50.0), seed=10)
    assert found(projections, flats, darks)[1] == {}


def test_a_wide_opaque_face_that_leans_covers_a_row_slowly_and_is_no_fault():
    theta = np.linspace(0, 180, 181)
    x = np.linspace(-1, 1, COLUMNS)
    opaque = np.clip(4 * np.cos(np.radians(theta))[:, None] + 0.3 * x - 2, 0, None) * 4
    projections = counts(np.broadcast_to(opaque[:, None], (181, 3, COLUMNS)), seed=21)
    flats = counts(np.zeros((8, 3, COLUMNS)), seed=22)
    darks = counts(np.full((6, 3, COLUMNS), 50.0), seed=23)
    assert np.exp(-opaque).mean(axis=1).min() < 1e-3 < 0.5 < np.exp(-opaque).mean(axis=1).max()
    assert found(projections, flats, darks)[1] == {}


def test_a_zinger_on_the_edge_of_something_opaque_is_no_band():
    x = np.arange(COLUMNS) - COLUMNS / 2
    depth = np.where(np.abs(x) < 86, 12 * np.sqrt(np.clip(1 - (x / 86) ** 2, 0, None)), 0)
    projections = counts(np.broadcast_to(depth, (ANGLES, 3, COLUMNS)), seed=41)
    flats = counts(np.zeros((8, 3, COLUMNS)), seed=42)
    darks = counts(np.full((6, 3, COLUMNS), 50.0), seed=43)
    for column in range(8, 14):
        projections[10 * column - 50, 1, column] = 40_000
    assert found(projections, flats, darks)[1] == {}


@pytest.mark.parametrize(
    ("frames", "steady", "judged"),
    [((10, 50), True, {0, 2, 3}), ((10, 50), False, {2, 3}), ((8, 20, 33, 47, 60), True, {2, 3})],
)
def test_views_that_jump_into_a_face_are_no_faults_where_the_stage_jitters_or_many_do(
    scan, frames, steady, judged
):
    projections, flats, darks = (part.copy() for part in scan)
    dimmed = 100 + (projections[list(frames), 0] - 100.0) * 0.6
    projections[list(frames), 0] = np.rint(dimmed)  # a face between layers in row 0
    projections[40, BAND] = 100
    *_, bad = mend_rows(projections, flats, darks, steady=steady)
    assert {row for one in bad for row in one.rows.tolist()} == judged
