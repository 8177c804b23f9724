"""Stated standard deviations of particles' cores: errors over sds scatter by 1.

Noise is drawn as it is in volumes: as independent voxels, as sharp and as smooth reconstructions
give it. The rest of the sd is what the voxels cannot show, and is drawn as it is understood.
"""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from tests.normalize.layered_cell import ramp_noise
from tests.segment.spheres import MU, Flat, cell_of_spheres
from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.segment.particle.instances import particles_in_slabs
from xct.segment.particle.shared_noise import shared_noise

BLUR_PX = 0.6
BLUR_UM = 2 * 2.3548 * np.hypot(BLUR_PX, 12**-0.5)
STEP = 2_100 / MU[2]  # grey values of 1/cm


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def noise_of(kind, shape, rng):
    if kind == "sharp":
        return ramp_noise(shape, rng)
    white = rng.standard_normal(shape)
    sigma = {"independent": 0.0, "smooth": 0.65, "very smooth": 1.5}[kind]
    noise = gaussian_filter(white, (0, sigma, sigma))
    return noise / noise.std()


@pytest.fixture(scope="module")
def drawn():
    return cell_of_spheres(noise=0.0, blur_px=BLUR_PX)


def measured(drawn, mu, noise_per_cm):
    _, cell, surfaces, labels, *_ = drawn
    reference = Flat(noise_per_cm, BLUR_UM)
    numbers, table = particles_in_slabs(mu.astype(np.float32), labels, cell, surfaces, reference)
    return numbers, table.set_index("particle")


def by_sphere(drawn, numbers, table):
    """Rows of the table in the order of the spheres; of those only that are one particle."""
    at = np.rint(drawn[5][:, :3]).astype(int)
    own = numbers[tuple(at.T)]
    whole = np.bincount(drawn[4].ravel(), minlength=len(at) + 1)[1:]
    rows = table.reindex(own)
    rows["whole"] = rows["volume_um3"].to_numpy() == 8 * whole
    return rows.reset_index(drop=True)


@pytest.mark.parametrize("kind", ["independent", "sharp", "smooth", "very smooth"])
@pytest.mark.parametrize("noise", [1.5, 4.0])
def test_noise_of_cores(drawn, kind, noise):
    exact = by_sphere(drawn, *measured(drawn, drawn[0], noise))
    z = []
    for seed in range(3):
        error = noise * noise_of(kind, drawn[0].shape, np.random.default_rng(seed))
        seen = by_sphere(drawn, *measured(drawn, drawn[0] + error, noise))
        both = exact["whole"] & seen["whole"] & (seen["core_voxels"] > 1)
        z.append(((seen["core_grey"] - exact["core_grey"]) / seen["core_grey_noise_sd"])[both])
    z = np.concatenate(z)
    assert z.size > 200
    assert 0.65 < rms(z) < 1.4


@pytest.mark.parametrize(
    ("kind", "factor"),
    [("independent", 1), ("sharp", 0.9), ("smooth", 1.8), ("very smooth", 3.8)],  # of 6 × 6 voxels
)
def test_how_neighbors_share_noise_is_measured(drawn, kind, factor):
    mu, cell, _, labels, *_ = drawn
    noisy = mu + 2 * noise_of(kind, mu.shape, np.random.default_rng(5))
    ratios = Ratios(noisy.astype(np.float32), cell, Flat())
    assert shared_noise(ratios, labels) == pytest.approx(factor, rel=0.16)
    assert np.isnan(shared_noise(ratios, np.zeros_like(labels)))


def unlike(drawn, cracks, beside, rng):
    """μ of particles with cracks, more of them in their middle, in something that is not known.

    Cracks are half more in a core than in the whole. Beside a particle lies electrolyte, or part of
    it is as bright as the particle. The second value is the mean μ of each.
    """
    _, _, _, labels, particles, spheres = drawn
    off, nearest = distance_transform_edt(particles == 0, return_indices=True)
    near = particles[tuple(nearest)]
    porosity = np.append(0, cracks * rng.exponential(size=len(spheres)))
    filled = np.append(0, beside * rng.random(len(spheres)))
    z, y, x = np.indices(labels.shape, sparse=True)
    middle = np.vstack([np.zeros(4), spheres])[particles]
    part = (z - middle[..., 0]) ** 2 + (y - middle[..., 1]) ** 2 + (x - middle[..., 2]) ** 2
    part /= np.maximum(middle[..., 3], 1) ** 2
    mu = np.array([MU[k] for k in range(8)])[labels]
    solid = MU[3] * (1 - porosity[particles] * 2.5 * (1 - part))
    mu = np.where(particles > 0, solid, mu)
    shell = (off > 0) & (off <= 3) & (labels == Label.ELECTROLYTE)
    mu[shell] += (filled[near] * (MU[3] - MU[2]))[shell]
    count = np.bincount(particles.ravel())
    return gaussian_filter(mu, BLUR_PX), (np.bincount(particles.ravel(), mu.ravel()) / count)[1:]


@pytest.mark.parametrize(
    ("cracks", "beside", "noise"), [(0.0, 0.87, 0.5), (0.06, 0.0, 0.5), (0.0, 0.0, 8.0)]
)
def test_what_cores_do_not_show(drawn, cracks, beside, noise):
    z = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        mu, true = unlike(drawn, cracks, beside, rng)
        mu += noise * rng.standard_normal(mu.shape)
        seen = by_sphere(drawn, *measured(drawn, mu, noise))
        error = seen["core_grey"] - 20_000 - STEP * true
        z.append((error / seen["core_grey_sd"])[seen["whole"] & (seen["core_voxels"] > 1)])
    z = np.concatenate(z)
    assert z.size > 150
    assert 0.6 < rms(z) < 1.6
