"""Beam and detector: noise, defects and drift are as they are said to be."""

import numpy as np
import pytest

from xct.phantom.scan.detector import OFFSET_COUNTS, Beam, Detector


@pytest.fixture(scope="module")
def detector():
    return Detector.draw((100, 200), quanta=10_000, bits=16, read_noise=8, seed=5)


def frames(detector, quanta, count, first=0):
    light = np.full(detector.dead.shape, quanta, np.float32)
    return np.stack([detector.read(light, light, first + n) for n in range(count)]).astype(float)


def test_noise_is_that_of_quanta_and_of_reading(detector):
    seen = frames(detector, 4000, 60)[:, ~detector.dead]
    assert np.median(seen.mean(axis=0)) == pytest.approx(OFFSET_COUNTS + 4000, rel=2e-3)
    assert np.median(seen.var(axis=0)) == pytest.approx(4000 + 64, rel=0.03)


def test_darks_hold_the_offset_and_the_read_noise(detector):
    seen = frames(detector, 0, 40)[:, ~detector.dead]
    assert seen.mean() == pytest.approx(OFFSET_COUNTS, abs=0.1)
    assert np.sqrt(seen.var(axis=0, ddof=1).mean()) == pytest.approx(8, rel=0.02)


def test_dead_pixels_never_change(detector):
    assert np.sum(np.ptp(frames(detector, 4000, 5), axis=0) == 0) == detector.dead.sum() == 4


def test_a_frame_is_the_same_whenever_it_is_read(detector):
    np.testing.assert_array_equal(frames(detector, 500, 3)[2], frames(detector, 500, 1, first=2)[0])


def test_zingers_are_as_many_as_counted(detector):
    seen = frames(detector, 1000, 30)
    assert np.sum(seen > 6000) == sum(detector.zingers(n) for n in range(30)) > 3
    assert frames(detector, 0, 30).max() < 200  # without beam none


def test_a_camera_of_12_bits_has_coarser_digits():
    coarse = Detector.draw((50, 60), quanta=12_000, bits=12, read_noise=8, seed=1)
    seen = frames(coarse, 12_000, 20)[:, ~coarse.dead]
    assert seen.max() <= 4095
    gain = coarse.quanta_per_count
    assert np.median(seen.var(axis=0)) == pytest.approx((12_064 / gain**2) + 1 / 12, rel=0.1)


def test_a_perfect_detector_counts_every_quantum():
    light = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    seen = Detector.perfect((5, 6)).read(light, light, 3)
    np.testing.assert_allclose(seen, light + OFFSET_COUNTS)


def test_a_bent_pixel_gives_what_a_flat_cannot_repair(detector):
    beam = np.full(detector.dead.shape, 20_000, np.float32)
    half = np.stack([detector.read(beam / 2, beam, n) for n in range(80)]).mean(axis=0)
    flat = np.stack([detector.read(beam, beam, 100 + n) for n in range(80)]).mean(axis=0)
    live = ~detector.dead
    ratio = (half - detector.offset)[live] / (flat - detector.offset)[live]
    bend = detector.bend[live]
    strong = np.abs(bend) > 0.03
    assert np.corrcoef(ratio[strong], bend[strong])[0, 1] > 0.9


def test_the_beam_moves_by_as_many_rows_as_said():
    beam = Beam.draw((300, 40), 1000.0, 5.0, np.random.default_rng(0))
    early, late = beam.frame(0.0)[:, 20], beam.frame(1.0)[:, 20]
    early, late = early / early.mean(), late / late.mean()
    shifts = np.arange(11)
    misfit = [np.std(late[20:-20] / np.roll(early, s)[20:-20]) for s in shifts]
    assert np.argmin(misfit) == 5


def test_the_ring_is_topped_up_once():
    current = Beam.draw((4, 4), 1.0, 1.0, np.random.default_rng(0)).current_ma(
        np.linspace(0, 1, 500)
    )
    assert np.sum(np.diff(current) > 0) == 1
    assert current.mean() == pytest.approx(100, abs=0.05)
    assert 0.2 < np.ptp(current) < 2


def test_without_drift_nothing_changes():
    beam = Beam.draw((30, 40), 1000.0, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(beam.frame(0.1), beam.frame(0.9))
