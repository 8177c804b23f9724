"""Frames that are no good are found by comparison with the others, and good ones are not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.scans import counts, line_integrals
from xct.preprocess.frames.beside import light_beside, part_above_air
from xct.preprocess.frames.coarse import coarse_frames
from xct.preprocess.frames.faults import AFTERWARDS, Seen, judge, offset_step
from xct.preprocess.frames.outlying import extra_frames
from xct.preprocess.frames.saturation import saturated

ANGLES, ROWS, COLUMNS = 90, 8, 192
OFFSET = 100


def made(frames):
    frames = np.clip(np.rint(frames), 0, 65535).astype(np.uint16)
    return coarse_frames(lambda row: frames[:, row], frames.shape)


@pytest.fixture(scope="module")
def scan():
    """Projections, flats and darks of discs in air, in a beam with a profile, as floats."""
    profile = 1 + 0.3 * np.sin(np.arange(COLUMNS) / 17)
    integrals = line_integrals(ROWS, COLUMNS, ANGLES)
    projections = (counts(integrals, seed=3) - OFFSET) * profile + OFFSET
    flats = (counts(np.zeros((8, ROWS, COLUMNS)), seed=4) - OFFSET) * profile + OFFSET
    darks = counts(np.full((6, ROWS, COLUMNS), 50.0), seed=5).astype(float)
    return {"projections": projections, "flats": flats, "darks": darks}


def found(scan, theta=None, **changed):
    """What is left out: by kind, the numbers."""
    frames = {kind: made(changed.get(kind, scan[kind])) for kind in scan}
    verdict = judge(Seen(theta_deg=theta, **frames))
    return {kind: verdict.frames(kind) for kind in scan if verdict.frames(kind)}


def dimmed(frames, which, light):
    changed = frames.copy()
    changed[which] = OFFSET + (changed[which] - OFFSET) * light
    return changed


def test_a_plain_scan_keeps_all_its_frames(scan):
    assert found(scan, theta=np.linspace(0, 180, ANGLES, endpoint=False)) == {}


@pytest.mark.parametrize("which", [[0], [44], [30, 31, 32, 33], [5, 60, 89]])
def test_frames_without_light_are_left_out(scan, which):
    assert found(scan, projections=dimmed(scan["projections"], which, 0)) == {"projections": which}


def test_frames_that_were_never_written_are_left_out(scan):
    projections = scan["projections"].copy()
    projections[70:] = 0
    assert found(scan, projections=projections) == {"projections": [*range(70, 90)]}


@pytest.mark.parametrize("light", [0.5, 0.8, 1.3])
def test_a_few_frames_of_another_brightness_are_left_out(scan, light):
    changed = dimmed(scan["projections"], [40, 41, 42], light)
    assert found(scan, projections=changed) == {"projections": [40, 41, 42]}


def test_a_shutter_that_opened_late_costs_the_first_frames(scan):
    changed = dimmed(scan["projections"], [0, 1, 2], np.array([0.0, 0.3, 0.7])[:, None, None])
    assert found(scan, projections=changed) == {"projections": [0, 1, 2]}


@pytest.mark.parametrize("count", [3, 5])
def test_frames_that_a_shutter_covers_in_part_are_left_out(scan, count):
    changed = scan["projections"].copy()
    for k in range(count):
        changed[k, :, : int(COLUMNS * (1 - k / count))] = OFFSET
    assert found(scan, projections=changed) == {"projections": [*range(count)]}


def test_light_that_decays_slowly_is_no_fault(scan):
    decay = np.linspace(1, 0.8, ANGLES)[:, None, None]
    assert found(scan, projections=dimmed(scan["projections"], slice(None), decay)) == {}


def test_a_frame_that_the_camera_gave_twice_is_left_out(scan):
    projections = scan["projections"].copy()
    projections[33] = projections[32]
    assert found(scan, projections=projections) == {"projections": [33]}


def test_a_scan_without_noise_that_does_not_change_keeps_its_frames(scan):
    still = np.repeat(scan["projections"][:1], ANGLES, axis=0)
    assert found(scan, projections=still) == {}


def test_a_frame_of_another_angle_is_left_out(scan):
    projections = scan["projections"].copy()
    projections[33] = projections[75]
    assert found(scan, projections=projections) == {"projections": [33]}


@pytest.mark.parametrize("frames", [[40], [40, 41]])
def test_zingers_that_are_brighter_than_all_that_differs_cost_no_frame(scan, frames):
    changed = scan["projections"].copy()
    for n, frame in enumerate(frames):
        changed[frame, 7 - 3 * n, 70 + 40 * n :][:8] += 40_000  # a track within one row
    assert found(scan, projections=changed) == {}


@pytest.mark.parametrize("first", [11, 50])
@pytest.mark.parametrize(("columns", "light"), [((100, 108), 0.1), ((60, 120), 0.6)])
def test_what_stands_in_the_beam_for_some_frames_costs_these(scan, first, columns, light):
    changed, which = scan["projections"].copy(), [*range(first, first + 4)]
    tool = changed[which, :, slice(*columns)]
    changed[which, :, slice(*columns)] = OFFSET + (tool - OFFSET) * light
    assert found(scan, projections=changed) == {"projections": which}


def test_what_moves_through_the_beam_costs_the_frames_it_does(scan):
    changed = scan["projections"].copy()
    for k in range(5):
        tool = changed[40 + k, :, 60 + 6 * k : 68 + 6 * k]
        tool[:] = OFFSET + (tool - OFFSET) * 0.1
    assert found(scan, projections=changed) == {"projections": [40, 41, 42, 43, 44]}


def test_views_that_change_for_good_are_left_for_the_check_of_angles(scan):
    """Two places where frames were lost, a few frames apart."""
    changed = np.delete(scan["projections"], [40, 41, 47, 48], axis=0)
    assert found(scan, projections=changed) == {}


def test_angles_in_any_order_are_no_fault(scan):
    order = np.argsort(np.arange(ANGLES) * 55 % ANGLES)
    assert found(scan, projections=scan["projections"][order]) == {}


def test_darks_that_all_rise_alike_are_an_offset_that_drifts_and_no_light(scan):
    darks = scan["darks"].copy()
    darks[3:] += 0.02 * (scan["flats"][0] - OFFSET).mean()
    assert found(scan, darks=darks) == {}
    seen = Seen(made(scan["projections"]), made(scan["flats"]), made(darks))
    step = 0.02 * (scan["flats"] - OFFSET).mean()
    assert offset_step(seen) == pytest.approx(step, rel=0.05)
    assert offset_step(replace(seen, darks=made(darks[::-1]))) == pytest.approx(-step, rel=0.05)


@pytest.mark.parametrize("which", [[0], [4, 5]])
@pytest.mark.parametrize("light", [0.02, 0.8])
def test_darks_with_light_are_left_out(scan, which, light):
    darks = scan["darks"].copy()
    darks[which] += light * (scan["flats"][0] - OFFSET)
    assert found(scan, darks=darks) == {"darks": which}


def test_a_flat_with_the_sample_in_it_is_left_out(scan):
    flats = scan["flats"].copy()
    flats[3] = scan["projections"][10]
    assert found(scan, flats=flats) == {"flats": [3]}


def test_a_flat_without_light_is_left_out(scan):
    assert found(scan, flats=dimmed(scan["flats"], [2], 0.1)) == {"flats": [2]}


@pytest.mark.parametrize("axis", [1, 2])
def test_flats_whose_beam_moved_are_kept(scan, axis):
    both = np.concatenate([scan["flats"], np.roll(scan["flats"], 2, axis)])
    assert found(scan, flats=both) == {}


@pytest.mark.parametrize("first", [0.0, 37.0])
@pytest.mark.parametrize("turn", [1, -1])
def test_frames_that_repeat_angles_after_the_scan_are_left_out(scan, first, turn):
    """The last of the scan, at the partner of its first angle, was taken with them."""
    steps = np.linspace(0, 180, ANGLES - 2)
    theta = first + turn * np.append(steps, [90.0, 0.0])
    frames = {kind: made(scan[kind]) for kind in scan}
    faults = judge(Seen(theta_deg=theta, **frames)).faults
    assert [(f.frames, f.reason) for f in faults] == [((87, 88, 89), AFTERWARDS)]


@pytest.mark.parametrize(
    "theta",
    [
        np.linspace(0, 180, 91),
        np.linspace(0, 360, 91),
        np.linspace(90, -90, 91),
        np.arange(91) * 137.5 % 180,  # golden
        np.arange(91) * 40 % 180,  # interlaced
        np.append(np.linspace(0, 90, 60), np.linspace(92, 180, 31)),
    ],
)
def test_scans_without_extra_frames_keep_them(theta):
    assert extra_frames(theta).size == 0


def test_extra_frames_may_begin_with_the_last_angle():
    theta = np.r_[np.linspace(0, 180, 181), 180, 90, 0]
    assert extra_frames(theta).tolist() == [180, 181, 182, 183]
    assert extra_frames(np.r_[np.linspace(0, 179, 180), 179, 179]).size == 0


NOISY = np.random.default_rng(0).poisson(58_000, (200, 300))
SMOOTH = np.rint(20_000 * (1 + 0.2 * np.sin(np.arange(300) / 17)))


@pytest.mark.parametrize("top", [58_000, 65_535 - 7_400, 4_095])
def test_saturated_pixels_are_counted_wherever_the_range_ends(top):
    frame = np.minimum(np.random.default_rng(1).poisson(top, (200, 300)), top)
    frame[3, :20] = 65_535  # stuck pixels
    part, value = saturated(frame)
    assert value == top
    assert part == pytest.approx(0.5, abs=0.02)
    assert saturated(frame.astype(np.float32)) == (part, value)


@pytest.mark.parametrize(
    "frame",
    [NOISY, NOISY // 16 * 16, np.broadcast_to(SMOOTH, (200, 300)), np.full((200, 300), 20_000.0)],
    ids=["noise", "12 bits", "no noise", "one value"],
)
def test_a_frame_within_the_range_is_not_saturated(frame):
    assert saturated(frame)[0] == 0


def transmission(scan, **changed):
    frames = {kind: made(changed.get(kind, scan[kind])) for kind in scan}
    return judge(Seen(**frames)).transmission


@pytest.mark.parametrize("ratio", [0.5, 1, 2])
def test_air_beside_the_sample_tells_how_flats_were_exposed(scan, ratio):
    flats = dimmed(scan["flats"], slice(None), 1 / ratio)
    beside = light_beside(transmission(scan, flats=flats))
    assert beside.mean == pytest.approx(ratio, rel=2e-3)
    assert beside.drift < 0.01


def test_air_beside_the_sample_tells_how_the_light_drifted(scan):
    decay = np.linspace(1, 0.8, ANGLES)[:, None, None]
    projections = dimmed(scan["projections"], slice(None), decay)
    beside = light_beside(transmission(scan, projections=projections))
    assert beside.drift == pytest.approx(0.2 / 0.9 * 0.95, rel=0.1)  # of the mean, by twentieths
    np.testing.assert_allclose(beside.by_frame, decay[:, 0, 0], rtol=0.01)


def test_light_that_was_less_for_a_third_of_the_scan_is_no_shadow_in_the_flats(scan):
    """Air is as bright as the flats where the shutter was open: brighter than its mean."""
    seen = transmission(scan, projections=dimmed(scan["projections"], slice(30, 60), 0.5))
    beside = light_beside(seen)
    assert beside.drift > 0.5
    assert part_above_air(seen, beside) == 0


def test_a_sample_wider_than_the_view_has_no_air_beside_it(scan):
    wide = line_integrals(ROWS, COLUMNS, ANGLES, discs=np.array([[0, 0, 140, 0.003]]))
    assert light_beside(transmission(scan, projections=counts(wide).astype(float))) is None


def test_a_view_inside_of_the_sample_has_no_air_beside_it(scan):
    """All columns are about as bright: nothing says that the outer ones are air."""
    inside = counts(np.full((ANGLES, ROWS, COLUMNS), 0.15)).astype(float)
    assert light_beside(transmission(scan, projections=inside)) is None


def with_afterglow(scan, part):
    """Flats before and behind; each frame keeps a part of the one before."""
    order = [("flats", n) for n in range(4)]
    order += [("projections", n) for n in range(ANGLES)] + [("flats", n) for n in range(4, 8)]
    kept = {kind: frames.copy() for kind, frames in scan.items()}
    before = scan["darks"].mean(axis=0)
    for kind, number in order:
        before = (1 - part) * scan[kind][number] + part * before
        kept[kind][number] = before
    time = {name: float(at) for at, name in enumerate(order)}
    times = tuple(
        np.array([time[kind, n] for n in range(len(scan[kind]))])
        for kind in ("projections", "flats")
    )
    return kept, times


@pytest.mark.parametrize("part", [0.1, 0.3])
def test_a_camera_with_afterglow_is_named_and_what_it_kept_is_left_out(scan, part):
    kept, times = with_afterglow(scan, part)
    verdict = judge(Seen(**{kind: made(frames) for kind, frames in kept.items()}, times=times))
    kinds = {fault.kind: fault for fault in verdict.faults}
    assert kinds["projections"].frames[0] == 0
    assert kinds["flats"].frames[0] == 4  # the first behind the projections
    for kind in ("projections", "flats"):
        [kept_part] = re.findall(r"each frame keeps (\S+) of the one before", kinds[kind].reason)
        assert float(kept_part) == pytest.approx(part, rel=0.1)


def test_a_sample_that_stood_in_the_first_flat_behind_the_scan_is_no_afterglow(scan):
    plain, times = with_afterglow(scan, 0.0)
    assert judge(Seen(**{k: made(v) for k, v in plain.items()}, times=times)).faults == ()
    plain["flats"][4] = 0.8 * plain["flats"][4] + 0.2 * plain["projections"][-1]
    [fault] = judge(Seen(**{k: made(v) for k, v in plain.items()}, times=times)).faults
    assert (fault.kind, fault.frames, "afterglow" in fault.reason) == ("flats", (4,), False)
