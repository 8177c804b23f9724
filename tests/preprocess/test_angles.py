"""Angles that are not what is stated are seen in the projections, said with where and how much."""

import numpy as np
import pytest

from xct.bench.axis.scans import draw_scan
from xct.phantom.discs import project_discs, random_discs
from xct.preprocess.angles.answer import (
    angle_messages,
    angle_number,
    angles_unfit,
    darks_drift,
)
from xct.preprocess.angles.check import check_angles
from xct.preprocess.angles.column_jumps import find_column_jumps
from xct.preprocess.angles.jumps import alike_across, all_scales, find_jumps
from xct.preprocess.center.sample import prepared

COLUMNS, VIEWS, CENTER, ROWS = 128, 200, 66.2, 4
NOISY = 0.04  # of the largest line integral
STATED = np.linspace(0, 180, VIEWS)


def seen(true_deg, seed=0, noise=0.01, shift_px=0.0):
    """Line integrals of grains at the angles that the stage truly had."""
    rng = np.random.default_rng(seed)
    shift = np.broadcast_to(shift_px, np.shape(true_deg))
    rows = []
    for row in range(ROWS):
        discs = random_discs(20, 100, seed=seed * 10 + row)
        exact = project_discs(discs, true_deg, COLUMNS, CENTER)
        place = np.arange(COLUMNS)
        rows.append(
            [np.interp(place - s, place, view) for s, view in zip(shift, exact, strict=True)]
        )
    views = np.stack(rows, axis=1)
    return (views / views.max() + rng.normal(0, noise, views.shape)).astype(np.float32)


def with_lost(lost, after):
    """Angles of a scan in which frames were lost behind one, unknown to its list of angles."""
    planned = np.linspace(0, 180, VIEWS + lost)
    return np.delete(planned, np.arange(after + 1, after + 1 + lost))


@pytest.mark.parametrize("lost", [2, 9])
@pytest.mark.parametrize("seed", [0, 1])
def test_lost_frames_are_found_where_they_were_lost(lost, seed):
    after = (40, 131)[seed]
    found = check_angles(seen(with_lost(lost, after), seed), STATED, CENTER)
    assert [jump.after for jump in found.jumps] == [after]
    assert found.jumps[0].steps == pytest.approx(lost, rel=0.35)
    [message] = angle_messages(found)
    assert f"projections {after} and {after + 1}" in message
    count = round(found.jumps[0].steps)  # how fast views change is known over three steps only
    many = f"some {round(count / 2)} to {3 * count} frames were lost"
    assert (f"about {count} frames were lost" if count < 3 else many) in message
    assert "scan.theta_deg" in message


@pytest.mark.parametrize("after", [6, 90, VIEWS - 8])
def test_lost_frames_are_found_where_noise_hides_how_fast_views_change(after):
    found = check_angles(seen(with_lost(2, after), 3, noise=NOISY), STATED, CENTER)
    assert [jump.after for jump in found.jumps] == [after]
    assert found.jumps[0].steps == pytest.approx(2, abs=1)
    assert check_angles(seen(STATED, 3, noise=NOISY), STATED, CENTER).jumps == ()


@pytest.mark.parametrize("noise", [0.01, NOISY])
def test_frames_that_are_known_to_be_left_out_are_not_lost(noise):
    kept = np.delete(np.arange(VIEWS), [30, 31, 120, 121, 122])
    found = check_angles(seen(STATED, 3, noise=noise)[kept], STATED[kept], CENTER)
    assert found.jumps == ()


def test_what_one_row_alone_shows_is_no_jump_of_the_stage():
    views, jumped = seen(STATED, 4), seen(with_lost(4, 80), 4)
    assert [jump.after for jump in check_angles(jumped, STATED, CENTER).jumps] == [80]
    views[:, 1] = jumped[:, 1]
    assert check_angles(views, STATED, CENTER).jumps == ()


def test_what_may_go_unseen_grows_with_the_noise():
    sees = [check_angles(seen(STATED, 5, noise=n), STATED, CENTER).sees_steps for n in (0.01, 0.1)]
    assert sees[0] < 2 < sees[1]


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("plain", 1003),
        ("full turn", 1005),
        ("off the middle", 1003),
        ("truncated", 1005),
        ("truncated", 42),  # the mean of half a turn looks like a turn
        ("few angles", 41),  # of long gaps half a turn later the rate is not known
        ("few angles", 42),
        ("starved", 1003),
    ],
)
def test_angles_that_are_right_are_left_alone(kind, seed):
    scan = draw_scan(kind, seed)
    found = check_angles(scan.line_integrals, scan.theta_deg, scan.center_px)
    assert list(angle_messages(found)) == []


def test_jitter_of_the_stage_is_no_jump():
    scan = draw_scan("jitter", 1003)
    found = check_angles(scan.line_integrals, scan.theta_deg, scan.center_px)
    assert found.jumps == ()


def test_a_stage_that_slipped_is_said():
    true = STATED.copy()
    true[90:] -= 4 * STATED[1]
    messages = list(angle_messages(check_angles(seen(true), STATED, CENTER)))
    assert "between 80.503° and 81.407° (projections 89 and 90 " in messages[0]
    assert "less than stated" in messages[0]


def test_a_slip_that_views_across_the_gap_deny_is_none():
    """Noise that looks like a sample that hardly turned has them share no more than usual."""
    true = STATED.copy()
    true[91:] -= 1.4 * STATED[1]
    sample = prepared(seen(true, 1), STATED)
    scales, alike = all_scales(sample), alike_across(sample)
    assert [jump.after for jump in find_jumps(scales, alike)] == [90]
    denied = alike._replace(excess=np.abs(alike.excess), sure=np.abs(alike.sure))
    assert find_jumps(scales, denied) == []


def test_a_sample_that_went_aside_is_said_in_pixels():
    shift = np.where(np.arange(VIEWS) < 100, 0.0, 3.0)
    found = check_angles(seen(STATED, shift_px=shift), STATED, CENTER + 1.5)
    [jump] = found.jumps
    assert jump.after == 99
    assert jump.px == pytest.approx(3.0, rel=0.3)


@pytest.mark.parametrize("part", [0.98, 1.01])
def test_a_wrong_range_of_angles_is_said_with_its_size(part):
    found = check_angles(seen(part * STATED), STATED, CENTER)
    assert found.jumps == ()
    [message] = angle_messages(found)
    turned = float(message.split("turned by about ")[1].split("°")[0])
    assert turned == pytest.approx(180 * part, abs=1.0)


@pytest.mark.parametrize("part", [0.5, 2.0])
def test_another_range_altogether_is_said_as_such_and_nothing_else_is(part):
    found = check_angles(seen(part * STATED, 1), STATED, CENTER)
    [message] = angle_messages(found)
    assert message.startswith("the sample turned by about ")
    assert float(message.split("about ")[1].split("°")[0]) == pytest.approx(180 * part, rel=0.04)
    with pytest.warns(UserWarning, match="scan.theta_deg"):
        numbers = {"angle_jumps": angle_number(found, ROWS).entry()}
    assert "particles, inclusions and lithium contents" in angles_unfit(numbers)


def test_where_all_changes_at_once_particles_and_inclusions_are_withheld():
    entry = {"value": 1, "steps": [None]}
    assert "withheld" in angles_unfit({"angle_jumps": entry})
    assert angles_unfit({"angle_jumps": {"value": 1, "steps": [1.2]}}) is None


def test_frames_of_a_full_turn_are_named_by_their_own_angles():
    stated = np.linspace(0, 360, VIEWS)
    true = np.delete(np.linspace(0, 360, VIEWS + 3), [150, 151, 152])
    order = np.random.default_rng(0).permutation(VIEWS)
    found = check_angles(seen(true)[order], stated[order], CENTER)
    [frames] = found.frames
    assert [int(order[frame]) for frame in frames] == [149, 150]
    assert found.at[0] == pytest.approx((stated[149], stated[150]))


def test_an_axis_that_is_given_wrong_is_seen():
    found = check_angles(seen(STATED), STATED, CENTER + 12)
    assert any("no mirror images" in message for message in angle_messages(found))


def test_uneven_angles_are_no_jumps():
    golden = np.sort((np.arange(VIEWS) * 111.24611797) % 180)
    assert check_angles(seen(golden), golden, CENTER).jumps == ()


def test_what_says_too_little_is_not_checked_and_this_is_noted():
    noise = np.random.default_rng(0).normal(size=(VIEWS, ROWS, COLUMNS)).astype(np.float32)
    found = check_angles(noise, STATED, CENTER)
    assert found.jumps == ()
    number = angle_number(found, ROWS)
    assert number.value == 0
    assert "not checked" in number.note
    assert angle_number(check_angles(noise[:9], STATED[:9] * 20, CENTER), ROWS).value == 0


@pytest.mark.parametrize(("steps", "seed"), [(0.4, 2), (0.8, 3), (2.0, 4)])
def test_angles_that_scatter_are_said_with_how_far(steps, seed):
    away = steps * STATED[1] * np.random.default_rng(seed).normal(size=VIEWS)
    found = check_angles(seen(STATED + away, seed), STATED, CENTER)
    assert found.scatter_deg == pytest.approx(steps * STATED[1], rel=0.5)
    with pytest.warns(UserWarning, match="scatter about the true ones"):
        number = angle_number(found, ROWS)
    assert number.details["scatter_deg"] == pytest.approx(found.scatter_deg, abs=1e-3)


def test_angles_are_not_checked_where_the_flats_are_wrong():
    found = check_angles(seen(0.98 * STATED), STATED, CENTER, wrong_flats="the flats are dark")
    assert list(angle_messages(found)) == []
    assert "the flats are dark" in angle_number(found, ROWS).note


def test_frames_lost_at_the_ends_of_a_scan_are_seen_half_a_turn_later():
    kept = slice(6, -6)
    stretched = np.linspace(STATED[0], STATED[-1], len(STATED[kept]))
    assert [*angle_messages(check_angles(seen(STATED[kept], 5), stretched, CENTER))]
    assert not [*angle_messages(check_angles(seen(STATED, 5), STATED, CENTER))]


@pytest.mark.parametrize(("after", "seed"), [(30, 0), (140, 3)])
def test_a_stage_that_stood_still_for_one_step_is_said(after, seed):
    """One angle twice while the angles go on: all later views are a step behind."""
    true = np.insert(STATED, after, STATED[after])[:VIEWS]
    found = check_angles(seen(true, seed), STATED, CENTER)
    assert [(jump.after, jump.steps) for jump in found.jumps] == [(after, -1.0)]
    assert any("less than stated, as where the stage stood" in m for m in angle_messages(found))


@pytest.mark.parametrize("really", [1, 2])
def test_a_frame_left_out_of_a_scan_that_turned_on_meanwhile_or_did_not(really):
    """A frame that was saved twice is left out with its angle, which the stage never had."""
    stated = np.delete(np.linspace(0, 180, VIEWS + 1), 91)
    true = stated if really == 2 else np.linspace(0, stated[-1] - stated[1], VIEWS)
    found = check_angles(seen(true, 6, noise=0.015), stated, CENTER)
    assert [(j.after, round(j.steps)) for j in found.jumps] == ([(90, -1)] if really == 1 else [])


@pytest.mark.parametrize("really", [1, 4])
def test_a_gap_that_angles_state_is_checked(really):
    """Angles that skip some steps where the stage turned on, or where it did skip them."""
    stated = np.delete(np.linspace(0, 180, VIEWS + 3), [91, 92, 93])
    true = stated if really == 4 else np.linspace(0, stated[-1] - 3 * stated[1], VIEWS)
    found = check_angles(seen(true, 6), stated, CENTER)
    assert [(j.after, round(j.steps)) for j in found.jumps] == ([(90, -3)] if really == 1 else [])


def test_a_scan_that_was_taken_up_again_is_checked_all_the_same():
    again = np.r_[np.arange(120), np.arange(100, VIEWS)]
    aside = np.where(np.arange(again.size) < 120, 0.0, 2.0)
    assert check_angles(seen(STATED[again]), STATED[again], CENTER).jumps == ()
    found = check_angles(seen(STATED[again], shift_px=aside), STATED[again], CENTER + 1)
    assert found.frames == ((119, 140),)
    assert found.jumps[0].px == pytest.approx(2.0, rel=0.3)


def test_a_wrong_range_is_no_growth_of_the_sample():
    found = check_angles(seen(170 / 180 * STATED, 7), STATED, CENTER)
    assert found.growth is None
    assert any("angles" in message for message in angle_messages(found))


def test_an_offset_that_drifts_is_said_with_its_part_of_the_light():
    rises = -0.02
    time = np.linspace(0, 1, VIEWS)[:, None, None]
    light = np.exp(-1.2 * seen(STATED, 9))
    found = check_angles(-np.log(light + rises * time), STATED, CENTER)
    [message] = angle_messages(found)
    assert "offset falls by " in message
    assert found.dark_drift.of_light == pytest.approx(rises, rel=0.2)
    with pytest.warns(UserWarning, match="darks before and"):
        numbers = {"angle_jumps": angle_number(found, ROWS).entry()}
    assert darks_drift(numbers) is not None
    assert check_angles(-np.log(light * (1 + 2 * rises * time)), STATED, CENTER).dark_drift is None


@pytest.mark.parametrize("part", [0.06, -0.06])
def test_a_beam_whose_profile_changes_is_no_offset_and_no_growth(part):
    """Brighter or dimmer behind the sample than beside it, in all rows alike."""
    time, x = np.linspace(0, 1, VIEWS)[:, None, None], np.linspace(-1, 1, COLUMNS)
    views = seen(STATED, 9, noise=0.004) * np.linspace(0.6, 2.4, ROWS)[:, None]
    bell = np.log(1 + part * time * np.exp(-(x**2) / 0.18))
    found = check_angles(views - bell, STATED, CENTER)
    message = next(angle_messages(found))
    assert message.startswith("the beam becomes " + ("brighter" if part > 0 else "dimmer"))
    assert found.growth is None
    assert "flats before and after" in message
    with pytest.warns(UserWarning, match=r"^(the beam becomes|projections half a turn)"):
        numbers = {"angle_jumps": angle_number(found, ROWS).entry()}
    assert darks_drift(numbers) or angles_unfit(numbers)  # which withholds more
    assert list(angle_messages(check_angles(views, STATED, CENTER))) == []


@pytest.mark.parametrize("columns", [slice(0, 42), slice(94, None)])
def test_a_plate_that_stands_still_before_a_third_of_the_view_is_named(columns):
    views = seen(STATED, 8)
    views[:, :, columns] += 0.5
    found = check_angles(views, STATED, CENTER)
    first, stop, _ = columns.indices(COLUMNS)
    [message] = angle_messages(found)
    assert f"stands still in the beam before columns {first}–{stop - 1}" in message
    assert "takes 39% of the light" in message


def test_columns_that_change_at_once_are_no_slip_of_the_stage():
    views = seen(STATED, 7)
    views[60:90, :, 40] -= 0.5
    views[90:, :, 41] -= 0.5
    found = check_angles(views, STATED, CENTER)
    assert found.jumps == ()
    [message] = angle_messages(found)
    assert "columns 40–41 of the detector change at once" in message
    assert "projections 59, 89 " in message


def test_what_returns_at_once_is_no_column_that_changed():
    """As edges do that a jittering stage moves for one projection."""
    views = seen(STATED, 7)
    views[100, :, 40:44] += 0.5
    assert find_column_jumps(prepared(views, STATED)) == ()
    views[101:, :, 40:44] += 0.5
    assert [jump.after for jump in find_column_jumps(prepared(views, STATED))] == [99]


@pytest.mark.parametrize("percent", [-3.0, 2.0])
def test_a_sample_that_grows_during_the_scan_is_said_with_how_much(percent):
    size = 1 + percent / 100 * np.linspace(0, 1, VIEWS)
    place = np.arange(COLUMNS) - CENTER
    views = seen(STATED, 7, noise=0.0)
    grown = np.stack(
        [
            [np.interp(place / s, place, row) for row in view]
            for s, view in zip(size, views, strict=True)
        ]
    )
    grown += np.random.default_rng(7).normal(0, 0.01, grown.shape)
    found = check_angles(grown, STATED, CENTER)
    assert found.growth is not None
    assert 100 * found.growth.fraction == pytest.approx(percent, abs=0.6)
    [message] = angle_messages(found)
    assert message.startswith("the sample " + ("grows by" if percent > 0 else "shrinks by"))
    with pytest.warns(UserWarning, match="let it come to rest"):
        assert "grows_percent" in angle_number(found, ROWS).details
    assert check_angles(views, STATED, CENTER).growth is None
