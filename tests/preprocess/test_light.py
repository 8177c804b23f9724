"""Light that is not what it is taken for is seen: high darks, flicker, other flats."""

from types import SimpleNamespace

import numpy as np
import pytest

from xct.pipeline.checks.light import Light, light_messages, light_numbers
from xct.preprocess.frames.beside import light_beside
from xct.preprocess.frames.coarse import borders
from xct.preprocess.frames.dark_excess import air_columns, below_dark, dark_excess
from xct.preprocess.frames.shading import find_shade
from xct.preprocess.frames.shifted_flats import misplaced_flats, pattern_missing
from xct.preprocess.frames.steadiness import light_changes

ROWS, COLUMNS, LIGHT = 6, 96, 20000.0
THETA = np.linspace(0, 180, 121)
IN_VIEW = ((-13, 0, 16, 0.02), (16, 4, 11, 0.03))
WIDE = ((0, 0, 80, 0.004), (14, 6, 8, 0.03))


def counts(discs, seed=0):
    """Counts above the dark: projections, and the gain of each pixel."""
    rng = np.random.default_rng(seed)
    angle = np.radians(THETA)
    place = np.arange(COLUMNS) - 47.2
    seen = np.zeros((THETA.size, ROWS, COLUMNS))
    for x, y, radius, mu in discs:
        for row in range(ROWS):
            away = place - ((x + 0.4 * row) * np.cos(angle) - y * np.sin(angle))[:, None]
            seen[:, row] += 2 * mu * np.sqrt(np.clip(radius**2 - away**2, 0, None))
    gain = LIGHT * (
        1 + 0.1 * np.sin(np.arange(COLUMNS) / 15) + rng.normal(0, 0.02, (ROWS, COLUMNS))
    )
    return rng.poisson(gain * np.exp(-seen)).astype(float), gain


def coarse(transmission):
    edges = borders(COLUMNS)
    return np.add.reduceat(transmission, edges[:-1], axis=2) / np.diff(edges)


def excess(projections, gain, too_many):
    seen, light = projections - too_many, gain - too_many
    air = air_columns(coarse(seen / light), COLUMNS)
    assert air is not None
    return dark_excess(lambda row: seen[:, row], light, air, THETA)


@pytest.mark.parametrize("seed", [100, 101])
def test_counts_subtracted_too_much_are_found_where_the_sample_is_not_round(seed):
    projections, gain = counts(IN_VIEW, seed)
    found = excess(projections, gain, 600)
    assert found is not None
    assert found.counts == pytest.approx(600, rel=0.3)
    assert found.of_light == pytest.approx(600 / LIGHT, rel=0.3)
    assert excess(projections, gain, 0).bound


@pytest.mark.parametrize("seed", [300, 301])
@pytest.mark.parametrize("discs", [IN_VIEW, ((0.5, 0.3, 28, 0.012),)])
def test_darks_that_are_not_seen_to_be_too_high_are_bounded(discs, seed):
    projections, gain = counts(discs, seed)
    for part in (0.0, 0.003, 0.015):
        found = excess(projections, gain, part * LIGHT)
        assert not found.bound or found.of_light > part
        assert found.bound or part > 0.0
    if len(discs) == 1:  # round: all is possible, and said to be
        assert found.bound
        numbers = dict(light_numbers(Light(None, darks=found), None))
        assert "dark_excess" not in numbers
        assert numbers["dark_excess_at_most"].bound == "upper"
        assert list(light_messages(Light(None, darks=found), None)) == []


def test_frames_without_light_say_nothing_of_darks():
    projections, gain = counts(IN_VIEW)
    projections[20] = -300
    seen, light = projections - 600, gain - 600
    air = air_columns(coarse(np.delete(seen, 20, 0) / light), COLUMNS)
    assert dark_excess(lambda row: seen[:, row], light, air, THETA) is None


@pytest.mark.parametrize("seed", [0, 400])
def test_darks_too_low_are_said_with_what_else_it_may_be(seed):
    projections, gain = counts(IN_VIEW, seed)
    found = excess(projections, gain, -600)
    assert found.counts == pytest.approx(-600, rel=0.3)
    [message] = light_messages(Light(None, darks=found), None)
    assert "counts too few were subtracted" in message
    assert "glare" in message
    numbers = dict(light_numbers(Light(None, darks=found), None))
    assert numbers["dark_lack"].value == pytest.approx(600 / LIGHT, rel=0.3)
    assert "dark_excess" not in numbers
    assert excess(projections, gain, -200).bound  # as much scatters in many a scan


def test_light_below_none_is_darks_too_high_and_noise_is_not():
    rng = np.random.default_rng(0)
    seen = rng.normal(0, 0.01, (200, 4, 16))
    assert below_dark(seen) is None
    found = below_dark(seen - 0.02)
    assert found is not None
    assert found.of_light == pytest.approx(0.02, abs=0.004)
    message = next(light_messages(Light(None, darks=found), None))
    assert "too high by about 2" in message
    assert "scan.darks" in message


def test_flicker_is_told_from_a_sample_that_turns():
    projections, gain = counts(WIDE)
    still = light_changes(coarse(projections / gain), THETA)
    assert (still.flicker, still.jumps) == (0.0, ())
    lit = 1 + np.random.default_rng(1).normal(0, 0.03, THETA.size)[:, None, None]
    found = light_changes(coarse(projections * lit / gain), THETA)
    assert found.flicker == pytest.approx(0.03, rel=0.25)
    light = Light(None, changes=found)
    assert "flickers by" in next(light_messages(light, None))
    assert dict(light_numbers(light, None))["light_flicker"].value == found.flicker


def test_two_exposures_that_alternate_are_flicker():
    projections, gain = counts(WIDE)
    projections[1::2] *= 0.5
    found = light_changes(coarse(projections / gain), THETA)
    assert 0.3 < found.flicker < 0.6  # half of it to either side


def test_flicker_that_air_on_both_sides_shows_is_its_light():
    projections, gain = counts(IN_VIEW)
    lit = 1 + np.random.default_rng(1).normal(0, 0.04, THETA.size)
    beside = light_beside(coarse(projections * lit[:, None, None] / gain))
    assert beside is not None
    assert beside.sides == ("left", "right")
    np.testing.assert_allclose(beside.by_frame, lit, atol=0.006)


def test_light_that_jumps_and_stays_is_said_with_its_frame():
    projections, gain = counts(WIDE)
    projections[70:] *= 0.9
    [(frame, ratio)] = light_changes(coarse(projections / gain), THETA).jumps
    assert frame == 69
    assert ratio == pytest.approx(0.9, abs=0.01)


def scan_of(projections, flats):
    def view(values):
        def read(frames=slice(None), rows=slice(None)):
            return values[frames][:, rows]

        return SimpleNamespace(shape=values.shape, read=read)

    return SimpleNamespace(projections=view(projections), flats=view(flats), darks=None)


@pytest.mark.parametrize(
    ("shift", "said"),
    [((0, 2), "2 columns to the right"), ((-1, 0), "1 row above"), ((1, -5), "1 row below and 5")],
)
def test_flats_that_stand_elsewhere_are_found_with_their_shift(shift, said):
    projections, gain = counts(IN_VIEW)
    flats = np.random.default_rng(2).poisson(gain, (8, ROWS, COLUMNS)).astype(float)
    assert said in misplaced_flats(scan_of(projections, np.roll(flats, shift, (1, 2))))
    assert misplaced_flats(scan_of(projections, flats)) is None


@pytest.mark.parametrize(
    ("turn", "said"),
    [((1, -1), "mirrored left to right"), ((-1, 1), "upside down"), ((-1, -1), "turned by 180°")],
)
def test_flats_that_are_a_mirror_image_are_found(turn, said):
    projections, gain = counts(IN_VIEW)
    flats = np.random.default_rng(2).poisson(gain, (8, ROWS, COLUMNS)).astype(float)
    turned = flats[:, :: turn[0], :: turn[1]]
    assert misplaced_flats(scan_of(projections, turned)) == f"are {said} against the projections"


def test_flats_that_were_smoothed_are_seen_to_lack_the_pattern_of_the_pixels():
    projections, gain = counts(IN_VIEW)
    air = air_columns(coarse(projections / gain), COLUMNS)
    rng = np.random.default_rng(2)
    binned = gain.reshape(ROWS, -1, 2).mean(axis=2).repeat(2, axis=1)
    lacks, holds = (
        scan_of(projections, rng.poisson(fields, (8, ROWS, COLUMNS)).astype(float))
        for fields in (binned, gain)
    )
    assert pattern_missing(lacks, air) == pytest.approx(0.02, abs=0.005)  # what gains scatter by
    assert pattern_missing(holds, air) == 0


@pytest.mark.parametrize("discs", [IN_VIEW, WIDE])
def test_a_part_of_the_view_that_is_shaded_for_long_is_said_with_its_frames(discs):
    projections, gain = counts(discs)
    assert find_shade(coarse(projections / gain)) is None
    projections[40:80, :, :30] *= 0.7
    found = find_shade(coarse(projections / gain))
    assert (found.after, found.side) == ((39, 79), "left")
    assert found.light == pytest.approx(0.7, abs=0.02)
    [message] = light_messages(Light(None, wrong_flats="shaded", shade=found), 1.0)
    assert "behind projection 39, 79" in message
    assert "scan.leave_out.projections" in message


def test_flats_that_show_no_pattern_say_nothing_of_a_shift():
    projections, _ = counts(IN_VIEW)
    flats = np.random.default_rng(3).poisson(LIGHT, (8, ROWS, COLUMNS)).astype(float)
    assert misplaced_flats(scan_of(projections, flats)) is None


def test_wrong_flats_are_said_alone():
    projections, gain = counts(WIDE)
    changes = light_changes(coarse(projections * 1.0 / gain), THETA)
    messages = list(light_messages(Light(None, wrong_flats="the flats are", changes=changes), 1.0))
    assert len(messages) == 1
    assert "angles are not checked" in messages[0]
