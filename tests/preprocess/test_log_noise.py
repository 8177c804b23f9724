"""Line integrals by the decadic logarithm are told from natural ones by how their noise grows."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from xct.pipeline.checks.frames import check_frames
from xct.preprocess.frames.log_noise import looks_decadic, noise_growth


@dataclass
class Values:
    """What is looked at of a view."""

    values: np.ndarray
    bin: int = 1

    @property
    def shape(self):
        return self.values.shape

    def read(self, frames):
        return self.values[frames]


def line_integrals(photons, seed):
    """Slowly varying line integrals up to 1.2, with the noise of photons and a camera."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, 30)[:, None, None]
    away = np.linspace(-1.2, 1.2, 160) - 0.15 * np.cos(angle) * np.ones((1, 12, 1))
    exact = 1.2 * np.sqrt(np.clip(1 - away**2, 0, None))
    seen = rng.poisson(photons * np.exp(-exact)) + rng.normal(0, 5, exact.shape)
    return -np.log(np.maximum(seen, 1) / photons)


@pytest.mark.parametrize("photons", [800, 20000])
def test_decadic_line_integrals_are_seen_by_their_noise(photons):
    natural = line_integrals(photons, 5)
    slope, _ = noise_growth(Values(natural))
    assert slope == pytest.approx(1, abs=0.45)
    assert not looks_decadic(Values(natural))
    assert looks_decadic(Values(natural / np.log(10)))


def test_values_without_noise_or_absorption_say_nothing():
    assert not looks_decadic(Values(np.zeros((30, 12, 160))))
    assert not looks_decadic(Values(np.random.default_rng(0).normal(0, 0.01, (30, 12, 160))))
    assert noise_growth(Values(np.zeros((2, 1, 20)))) is None


@pytest.mark.parametrize(("factor", "noted"), [(1.0, set()), (np.log(10), {"logarithm"})])
def test_a_run_notes_decadic_line_integrals(factor, noted):
    notes = {}
    folder = SimpleNamespace(number=notes.get, note=notes.__setitem__)
    job = SimpleNamespace(plan=SimpleNamespace(slab_steps=[]), folder=folder)
    values = Values(line_integrals(20000, 3) / factor)
    frames = SimpleNamespace(quantity="line_integrals", projections=values, theta_deg=None)
    check_frames(job, frames)
    assert set(notes.get("numbers", {})) == noted
