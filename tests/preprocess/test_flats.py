"""flat_field: known transmissions come back, in time, with dead pixels marked."""

import h5py
import numpy as np
import pytest

from xct.preprocess import flat_field
from xct.preprocess.flats import blocks_of_flats

ROWS, COLUMNS = 3, 5


@pytest.fixture
def beam():
    """Beam and offset, neither uniform."""
    rng = np.random.default_rng(1)
    dark = rng.integers(90, 110, (ROWS, COLUMNS)).astype(np.float64)
    return dark + rng.integers(900, 1100, (ROWS, COLUMNS)), dark


def counts(transmission, flat, dark):
    return (dark + np.asarray(transmission) * (flat - dark)).astype(np.float32)


@pytest.mark.parametrize("transmission", [-0.1, 0.0, 0.25, 1.0])
@pytest.mark.parametrize("combine", ["mean", "median", "trimmed"])
def test_a_known_transmission_comes_back(beam, transmission, combine):
    flat, dark = beam
    projection = counts(transmission, flat, dark)[None]
    answer = flat_field(projection, np.stack([flat] * 4), np.stack([dark] * 3), combine=combine)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, transmission, atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "f4", "f8"])
def test_every_type_of_counts_is_taken(dtype):
    projections = np.array([[[60, 110, 160]]], dtype)
    flats, darks = np.array([[[210, 210, 210]]], dtype), np.array([[[10, 10, 10]]], dtype)
    np.testing.assert_allclose(flat_field(projections, flats, darks), [[[0.25, 0.5, 0.75]]])


def test_frames_of_another_dose_give_the_same_transmission(beam):
    """A top-up of the ring, or flats with another exposure, must not look like absorption."""
    flat, dark = beam
    projection_dose, flat_dose = np.array([1.0, 0.8, 1.2]), np.array([2.0, 0.5])
    projections = np.stack([counts(0.4 * dose, flat, dark) for dose in projection_dose])
    flats = np.stack([counts(dose, flat, dark) for dose in flat_dose])
    answer = flat_field(
        projections,
        flats,
        dark[None],
        projection_dose=projection_dose,
        flat_dose=flat_dose,
    )
    np.testing.assert_allclose(answer, 0.4, atol=1e-5)


def test_a_lost_beam_is_named_by_its_frame(beam):
    flat, dark = beam
    with pytest.raises(ValueError, match=r"projection 1 and 0 others have a dose of 0"):
        flat_field(
            np.stack([flat] * 2),
            flat[None],
            dark[None],
            projection_dose=np.array([1.0, 0.0]),
            flat_dose=np.ones(1),
        )


def test_combining_frames_means_what_its_name_says(beam):
    flat, dark = beam
    gain = np.array([1.0, 1.0, 1.1, 1.2, 9.0])  # the last frame holds a zinger everywhere
    flats = np.stack([dark + g * (flat - dark) for g in gain])
    answers = [
        flat_field(flat[None], flats, dark[None], combine=combine).mean()
        for combine in ("mean", "median", "trimmed")
    ]
    np.testing.assert_allclose(answers, [1 / gain.mean(), 1 / 1.1, 1 / gain[1:4].mean()], rtol=1e-5)


def two_blocks(beam):
    """Beam falls from 1 to 0.8 in time 0 … 10: flats at both ends, one projection per step."""
    flat, dark = beam
    flat_time = np.array([-1.0, 0.0, 1.0, 9.0, 10.0, 11.0])
    projection_time = np.arange(2.0, 9.0)

    def taken(time):
        level = 1 - 0.02 * time[:, None, None]
        return dark + level * (flat - dark)

    return taken(projection_time), taken(flat_time), dark[None], projection_time, flat_time


def test_flats_interpolated_in_time_follow_a_drifting_beam(beam):
    np.testing.assert_allclose(flat_field(*two_blocks(beam)), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("in_time", "flat_of"),
    [
        ("nearest", [1.0, 1.0, 1.0, 0.8, 0.8, 0.8, 0.8]),  # time 5 lies just between the blocks
        ("constant", [0.9] * 7),
    ],
)
def test_other_choices_in_time(beam, in_time, flat_of):
    answer = flat_field(*two_blocks(beam), in_time=in_time).mean(axis=(1, 2))
    level = 1 - 0.02 * np.arange(2.0, 9.0)
    np.testing.assert_allclose(answer, level / flat_of, rtol=1e-5)


def test_beyond_the_outer_blocks_flats_are_held(beam):
    projections, flats, darks, _, flat_time = two_blocks(beam)
    early, late = np.full(7, -50.0), np.full(7, 60.0)
    first = flat_field(projections, flats[:3], darks)
    last = flat_field(projections, flats[3:], darks)
    np.testing.assert_allclose(flat_field(projections, flats, darks, early, flat_time), first)
    np.testing.assert_allclose(flat_field(projections, flats, darks, late, flat_time), last)


def test_without_times_or_with_one_block_all_flats_are_one(beam):
    projections, flats, darks, projection_time, flat_time = two_blocks(beam)
    constant = flat_field(projections, flats, darks, in_time="constant")
    np.testing.assert_array_equal(flat_field(projections, flats, darks), constant)
    before = flat_time - 100.0 + 0 * projection_time[:1]
    one = flat_field(projections, flats[:3], darks, projection_time, before[:3])
    same = flat_field(projections, flats[:3], darks, in_time="constant")
    np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    ("projection_time", "flat_time", "blocks"),
    [
        ([10, 11, 12], [0, 1, 2], [[0, 1, 2]]),
        ([2, 3, 4], [0, 1, 5, 6], [[0, 1], [2, 3]]),
        ([2, 3, 14, 15], [0, 1, 12, 13, 24, 25], [[0, 1], [2, 3], [4, 5]]),
        ([2, 3], [0, 1, 12, 13, 24, 25], [[0, 1], [2, 3], [4, 5]]),  # a part of the same scan
        ([1, 2, 4, 5], [0, 3, 6], [[0], [1], [2]]),
        ([1], [0, 2], [[0], [1]]),
        ([1, 2, 3], [9, 0, 8], [[1], [2, 0]]),  # not in order
        ([5], [0], [[0]]),
        ([1], [0, 0, 2, 2], [[0, 1], [2, 3]]),  # a clock of whole seconds
    ],
)
def test_blocks_of_flats(projection_time, flat_time, blocks):
    found = blocks_of_flats(np.array(projection_time, float), np.array(flat_time, float))
    assert [list(block) for block in found] == blocks


def test_a_pixel_dead_in_any_block_is_nan_at_every_angle(beam):
    projections, flats, darks, *times = two_blocks(beam)
    flats[3:, 1, 2] = darks[0, 1, 2] + 0.5
    answer = flat_field(projections, flats, darks, *times, min_gain=1.0)
    dead = np.zeros((ROWS, COLUMNS), bool)
    dead[1, 2] = True
    np.testing.assert_array_equal(np.isnan(answer), np.broadcast_to(dead, answer.shape))


def test_what_is_no_brighter_than_the_noise_of_its_darks_is_dead_a_whole_row_of_it_too():
    rng = np.random.default_rng(3)
    darks = rng.normal(300, 2, (6, 3, COLUMNS))
    flats = np.full((4, 3, COLUMNS), 5000.0)
    flats[:, 1] = 300  # darks end a count or two below it
    projections = np.full((9, 3, COLUMNS), 2500.0)
    projections[:, 1] = 300
    answer = flat_field(projections, flats, darks)
    assert np.isnan(answer[:, 1]).all()
    assert np.isfinite(answer[:, [0, 2]]).all()
    assert np.isnan(flat_field(projections[:, 1:2], flats[:, 1:2], darks[:, 1:2])).all()


def test_no_darks_is_said_and_means_zero(beam):
    flat, _ = beam
    for none in (None, np.empty((0, ROWS, COLUMNS))):
        with pytest.warns(UserWarning, match="no darks.*offset is taken as 0"):
            answer = flat_field(0.5 * flat[None], flat[None], none)
        np.testing.assert_allclose(answer, 0.5, rtol=1e-6)


def test_what_came_is_not_changed(beam):
    flat, dark = beam
    arrays = [counts(0.3, flat, dark)[None], flat[None], dark[None]]
    before = [array.copy() for array in arrays]
    flat_field(*arrays)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


NAN_FLATS = np.ones((2, ROWS, COLUMNS))
NAN_FLATS[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("flats", "darks", "times", "message"),
    [
        (None, np.zeros((1, ROWS, COLUMNS)), (), "there are no flats"),
        (np.ones((0, ROWS, COLUMNS)), np.zeros((1, ROWS, COLUMNS)), (), "there are no flats"),
        (np.ones((1, ROWS, 4)), np.zeros((1, ROWS, COLUMNS)), (), r"\(1, 3, 4\).*\(3, 5\)"),
        (np.ones((1, ROWS, COLUMNS)), np.zeros((1, 2, COLUMNS)), (), r"darks.*\(1, 2, 5\)"),
        (np.ones((ROWS, COLUMNS)), np.zeros((1, ROWS, COLUMNS)), (), r"flats.*\(3, 5\) \(frame"),
        (np.ones((1, ROWS, COLUMNS)), np.full((1, ROWS, COLUMNS), 500.0), (), "dark swapped"),
        (np.zeros((1, ROWS, COLUMNS)), np.zeros((1, ROWS, COLUMNS)), (), "all flats are zero"),
        (NAN_FLATS, np.zeros((1, ROWS, COLUMNS)), (), "flats hold.*row 2, column 0"),
        (np.ones((1, ROWS, COLUMNS)), NAN_FLATS, (), "darks hold.*row 2, column 0"),
        (NAN_FLATS, np.zeros((1, ROWS, COLUMNS)), ([0.0], [1.0]), "flat_time.*each of 2 frames"),
        (NAN_FLATS, np.zeros((1, ROWS, COLUMNS)), ([np.nan], [1.0, 2.0]), "projection_time.*1 val"),
    ],
)
def test_wrong_fields_are_refused(flats, darks, times, message):
    with pytest.raises(ValueError, match=message):
        flat_field(np.ones((1, ROWS, COLUMNS), np.uint16), flats, darks, *times)


def test_left_out_flats_of_a_real_scan_are_predicted(test_data):
    with h5py.File(test_data("dls_k11_18014/k11-18014.nxs")) as file:
        frames = file["entry/imaging/data"][()]
        key = file["entry/instrument/imaging/image_key"][()]
    time = np.flatnonzero(key == 1)
    flats, darks = frames[key == 1], frames[key == 2]
    kept, left = slice(0, None, 2), slice(1, None, 2)
    predicted = {
        in_time: flat_field(
            flats[left], flats[kept], darks, time[left], time[kept], in_time=in_time
        ).mean(axis=(1, 2))
        for in_time in ("interpolated", "constant")
    }
    np.testing.assert_allclose(predicted["interpolated"], 1.0, atol=0.003)
    before, after = predicted["constant"].reshape(2, 25).mean(axis=1)
    assert after / before - 1 == pytest.approx(0.0152, abs=0.0015)
