"""A slab that hardly passes light: glare is found, and what is not equal is not called so."""

import numpy as np
import pytest

from studies.photon_starved_cathode.comparison import STEPS, darkest, measured, verdict
from studies.photon_starved_cathode.slab import PhotonStarvedSlab
from xct.geometry import CellGeometry, Plane
from xct.phantom.scan.shadows import project

# As wide as the real bore, of coarse voxels: balls of NCM in a matrix that brings the mean to
# that of the composite (few, since they are large), and some in the electrolyte.
COLUMNS, VOXEL_UM, RADIUS = 784, 4.0, 5
ELECTROLYTE, CATHODE, ANGLES = 20, 12, 320
NCM, LPSCL, MEAN = 48.05, 5.2, 21.7


def balls(row, number, seed):
    """Middles of balls at random in the bore, as (z, y, x)."""
    rng = np.random.default_rng(seed)
    r, turn = 1400 / VOXEL_UM * np.sqrt(rng.random(number)), 2 * np.pi * rng.random(number)
    at = np.column_stack([r * np.sin(turn), r * np.cos(turn)]) + (COLUMNS - 1) / 2
    return np.column_stack([np.full(number, row), at.round().astype(int)])


@pytest.fixture(scope="module")
def slab():
    shape = (ELECTROLYTE + CATHODE, COLUMNS, COLUMNS)
    middle = (COLUMNS - 1) / 2
    y, x = np.ogrid[:COLUMNS, :COLUMNS]
    bore = np.hypot(y - middle, x - middle) * VOXEL_UM < 1500
    mu = np.where(bore, np.float32(LPSCL), np.float32(0)) * np.ones(shape, np.float32)
    drifted, attached = balls(6, 80, 1), balls(ELECTROLYTE + CATHODE // 2, 800, 2)
    grid = np.mgrid[-6:7, -6:7, -6:7]
    ball = np.argwhere((grid**2).sum(axis=0) <= RADIUS**2) - 6
    core = np.argwhere((grid**2).sum(axis=0) <= (RADIUS - 2) ** 2) - 6
    filled = len(attached) * len(ball) / (bore.sum() * CATHODE)
    mu[ELECTROLYTE:, bore] = (MEAN - filled * NCM) / (1 - filled)
    for place in np.concatenate([drifted, attached]):
        mu[tuple((place + ball).T)] = NCM
    inner = np.hypot(*(attached[:, 1:] - middle).T) * VOXEL_UM < 480
    looked_at = np.concatenate([drifted, attached[inner]])
    voxels = (looked_at[:, None] + core).reshape(-1, 3).astype(np.int32)
    theta = np.linspace(0, 180, ANGLES)
    cell = CellGeometry(
        shape, (VOXEL_UM,) * 3, middle * VOXEL_UM, middle * VOXEL_UM, 1500.0,
        planes={"electrolyte_cathode": Plane((ELECTROLYTE - 0.5) * VOXEL_UM)},
    )  # fmt: skip
    return PhotonStarvedSlab(
        project(mu, theta, middle, VOXEL_UM), theta, cell, ELECTROLYTE, voxels,
        np.repeat(np.arange(1, len(looked_at) + 1), len(core)).astype(np.int32),
        np.repeat(np.arange(len(looked_at)) < len(drifted), len(core)),
    )  # fmt: skip


@pytest.mark.parametrize("fraction", [0.003, 0.01])
@pytest.mark.filterwarnings("ignore:no sharp wall")
def test_glare_is_found_and_drifted_particles_equal_those_of_the_cathode(slab, fraction):
    assert darkest(slab)[0] < 0.0027
    before, after = measured(slab, fraction, steps=STEPS[::2], margin_widths=2.0)
    assert after["step"] == STEPS[2]
    assert after["found"] == pytest.approx(fraction, rel=0.2)
    assert before["ratio"] < 0.95
    assert after["verdict"] in ("equal", "undecidable")
    assert abs(after["ratio"] - 1) < abs(before["ratio"] - 1)


@pytest.mark.parametrize(
    ("ratio", "sd", "said"),
    [(0.98, 0.01, "equal"), (0.98, 0.1, "undecidable"), (0.8, 0.03, "different"),
     (0.92, 0.02, "undecidable"), (float("nan"), float("nan"), "undecidable")],
)  # fmt: skip
def test_what_an_interval_does_not_decide_is_not_decided(ratio, sd, said):
    assert verdict(ratio, sd) == said
