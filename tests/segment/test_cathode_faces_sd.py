"""Stated standard deviations of the cathode's faces, where particles are packed at random.

Columns nearby share particles: a few cells hold a hundred independent places each.
"""

from contextlib import nullcontext

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.normalize.layered_cell import ramp_noise
from xct.analyze import roughness_of
from xct.geometry import SURFACES, Surface
from xct.phantom.cell.cell import draw_cell
from xct.segment.surface import cathode
from xct.segment.surface.collector import _surface_through
from xct.segment.surface.search import Search

FRONT, COLLECTOR = SURFACES[2:]
HALF_FRACTION = "cathode_collector_half_fraction"
STATES = ("ncm-0", "ncm-50", "ncm-100")


class Known:
    """The electrolyte's true attenuation."""

    air, per_cm, mu_known = 0.0, 1.0, True

    def __init__(self, cell):
        self.cell = cell

    def mu_per_cm(self, z_um, r_um):
        values = self.cell.electrolyte_per_cm(np.atleast_1d(z_um))
        return values.reshape(np.shape(z_um)) + np.zeros_like(np.asarray(r_um, float))


def found_in(cell, mu):
    search = Search(mu, cell.geometry, Known(cell), 70.0)
    return cathode.cathode_surfaces(search, front_fwhm_um=13.0)


def z_of(found, cell, name, truth):
    error = found[name].height_um - cell.surfaces[truth].height_um
    return (error / found[name].sd_um)[np.isfinite(error)]


@pytest.fixture(scope="module")
def standardized():
    """Errors over stated sds, column by column, with the collector's face and without."""
    z = {FRONT: [], COLLECTOR: [], HALF_FRACTION: []}
    for seed, state in enumerate(STATES):
        cell = draw_cell(state, shape=(96, 80, 80), seed=seed)
        noise = ramp_noise(cell.shape, np.random.default_rng(seed))
        mu = (gaussian_filter(cell.mu(0, 96), 0.55) + 1.5 * noise).astype(np.float32)
        found = found_in(cell, mu)
        z[FRONT].append(z_of(found, cell, FRONT, FRONT))
        z[COLLECTOR].append(z_of(found, cell, COLLECTOR, COLLECTOR))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(cathode, "collector_surface", lambda *_: None)
            found = found_in(cell, mu)
        z[HALF_FRACTION].append(z_of(found, cell, COLLECTOR, HALF_FRACTION))
    return {name: np.concatenate(values) for name, values in z.items()}


@pytest.mark.parametrize("name", [FRONT, COLLECTOR, HALF_FRACTION])
def test_errors_of_heights_are_as_large_as_stated(standardized, name):
    z = standardized[name]
    assert z.size > 5_000
    assert abs(np.mean(z)) < 0.7
    assert 0.65 < np.sqrt(np.mean(np.square(z))) < 1.45


@pytest.mark.parametrize("seed", range(2))
def test_noise_of_opaque_steel_behind_the_collector_is_no_end_of_a_particle(seed):
    cell = draw_cell("ncm-50", shape=(96, 80, 80), seed=seed)
    mu = gaussian_filter(cell.mu(0, 96), 0.55)
    per_slice = np.quantile(mu, 0.9, axis=(1, 2))
    noise = np.random.default_rng(seed).normal(size=mu.shape)
    opaque = np.where(per_slice > 50, 80.0, np.where(per_slice > 8, 10.0, 0.8))
    found = found_in(cell, (mu + opaque[:, None, None] * noise).astype(np.float32))[COLLECTOR]
    error = (found.height_um - cell.surfaces[COLLECTOR].height_um) / cell.voxel_um
    assert abs(np.nanmean(error)) < 0.35
    assert np.nanmedian(found.sd_um) < 0.6 * cell.voxel_um


@pytest.fixture(scope="module")
def means():
    """Errors over sds of mean heights and tilts, of cells whose particles and blur differ."""
    z = {(face, what): [] for face in (FRONT, COLLECTOR) for what in ("mean_height_um", "tilt")}
    for seed in range(7):
        rng = np.random.default_rng(seed)
        size, fraction = rng.uniform(6.5, 10.5), rng.uniform(0.33, 0.42)
        cell = draw_cell(
            "ncm-50", shape=(96, 80, 80), seed=seed, d50_um=size, ncm_fraction=fraction
        )
        noise = rng.uniform(0.5, 2.5) * ramp_noise(cell.shape, rng)
        mu = gaussian_filter(cell.mu(0, 96), rng.uniform(0.45, 0.7)) + noise
        found = found_in(cell, mu.astype(np.float32))
        for face in (FRONT, COLLECTOR):
            mine, true = parameters(found[face], cell.surfaces[face])
            for name in ("mean_height_um", "tilt_x_deg", "tilt_y_deg"):
                key = face, "tilt" if "tilt" in name else name
                z[key].append((mine[name] - true[name]) / mine[f"{name}_sd"])
    return z


def parameters(found, truth):
    """Roughness of a found face, and of the true one in the same columns."""
    height = np.where(np.isfinite(found.height_um), truth.height_um, np.nan)
    exact = Surface(height.astype(np.float32), found.sd_um, "drawn")
    return [roughness_of(face, (2.0, 2.0)) for face in (found, exact)]


# What light and glare do to a scan is stated too, and is not drawn. In whole scans of medium cells
# the front is off by 0.18 µm, which is 0.65 of what is stated; here it is half of that.
@pytest.mark.parametrize(
    ("face", "what", "low", "high"),
    [
        (FRONT, "mean_height_um", 0.18, 0.6),
        (FRONT, "tilt", 0.18, 0.6),
        (COLLECTOR, "mean_height_um", 0.35, 1.1),
        (COLLECTOR, "tilt", 0.3, 1.0),
    ],
)
def test_errors_of_mean_heights_and_tilts_are_as_large_as_stated(means, face, what, low, high):
    assert low < np.sqrt(np.mean(np.square(means[face, what]))) < high


def test_particles_beside_a_gap_through_the_cathode_belong_to_it():
    # Here some columns show no front from the middle on, and a piece lies beside them that touches
    # the rest by less than active material: it was taken for drifted, the front 20 µm too deep.
    cell = draw_cell("ncm-50", shape=(96, 80, 80), seed=2005, d50_um=9.37, ncm_fraction=0.3735)
    noise = ramp_noise(cell.shape, np.random.default_rng(2005))
    mu = gaussian_filter(cell.mu(0, 96), 0.46) + 2.1 * noise
    found = found_in(cell, mu.astype(np.float32))[FRONT]
    assert abs(np.nanmean(found.height_um - cell.surfaces[FRONT].height_um)) < 0.5


@pytest.mark.parametrize(("beyond", "doubtful"), [(0.01, False), (0.08, True)])
def test_points_beyond_the_collector_make_its_face_uncertain_by_how_all_scatter(beyond, doubtful):
    rng = np.random.default_rng(3)
    points = np.full((100, 100), np.nan)
    y, x = rng.integers(0, 100, (2, 400))
    points[y, x] = 30 + rng.normal(0, 0.3, 400)
    points[np.isfinite(points) & (rng.random(points.shape) < beyond)] += 8.0
    said = pytest.warns(UserWarning, match="lie behind it") if doubtful else nullcontext()
    with said:
        _face, sd = _surface_through(points, np.full(points.shape, 29.0), 12.0)
    assert np.nanmedian(sd) == pytest.approx(np.nanstd(points) if doubtful else 0.4, rel=0.2)


def test_behind_a_thin_collector_steel_does_not_hide_its_face():
    """It is 8 µm thick, the average 13 µm: in most columns steel behind it fills the gap."""
    cell = draw_cell("ncm-0", shape=(96, 112, 112), voxel_um=1.3, seed=1)
    found = found_in(cell, cell.mu(0, 96))[COLLECTOR]
    error = found.height_um - cell.surfaces[COLLECTOR].height_um
    known = np.isfinite(error)
    assert known.sum() > 0.95 * np.isfinite(cell.surfaces[COLLECTOR].height_um).sum()
    assert abs(error[known].mean()) < 0.5 * 1.3
